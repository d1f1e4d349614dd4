/*
 * SHA-256 is OpenSSL's, by the functions that work in memory of the caller's: SHA256_Init() and its
 * kind.  OpenSSL 3 calls them deprecated for its EVP interface, and that is what we avoid: EVP objects
 * come from whichever libcrypto is found first, and in a node process that is the one inside node, which
 * exports its symbols.  These three functions have had the same struct and the same meaning since
 * OpenSSL 0.9.8, so it does not matter whose they are; and they neither allocate nor lock.
 */
#define OPENSSL_SUPPRESS_DEPRECATED /* lint: see above */

#include "aws_sign.h"

#include <ctype.h>
#include <openssl/sha.h>
#include <string.h>
#include <strings.h>

#include "aws_uri.h"

static void to_hex(char out[AWS_HASH_HEX], const uint8_t hash[AWS_HASH]) {
    static const char hex[] = "0123456789abcdef";
    for (size_t i = 0; i < AWS_HASH; i++) {
        out[2 * i] = hex[hash[i] >> 4];
        out[2 * i + 1] = hex[hash[i] & 15];
    }
    out[2 * AWS_HASH] = '\0';
}

static void add(SHA256_CTX *sha, const char *text) {
    SHA256_Update(sha, text, strlen(text));
}

static void end_hex(char out[AWS_HASH_HEX], SHA256_CTX *sha) {
    uint8_t hash[AWS_HASH];
    SHA256_Final(hash, sha);
    to_hex(out, hash);
}

void aws_hash_hex(char out[AWS_HASH_HEX], struct larder_bytes body) {
    SHA256_CTX sha;
    SHA256_Init(&sha);
    if (body.len > 0)
        SHA256_Update(&sha, body.ptr, body.len);
    end_hex(out, &sha);
}

/* RFC 2104; key_len is at most the block's 64 bytes but for a long secret. */
static void hmac(uint8_t out[AWS_HASH], const void *key, size_t key_len, const char *text) {
    enum { BLOCK = 64, INNER = 0x36, OUTER = 0x5c };
    uint8_t pad[BLOCK] = {0};
    SHA256_CTX sha;
    if (key_len > BLOCK) {
        SHA256_Init(&sha);
        SHA256_Update(&sha, key, key_len);
        SHA256_Final(pad, &sha);
    } else {
        memcpy(pad, key, key_len);
    }
    for (size_t i = 0; i < BLOCK; i++)
        pad[i] ^= INNER;
    SHA256_Init(&sha);
    SHA256_Update(&sha, pad, BLOCK);
    add(&sha, text);
    SHA256_Final(out, &sha);
    for (size_t i = 0; i < BLOCK; i++)
        pad[i] ^= INNER ^ OUTER;
    SHA256_Init(&sha);
    SHA256_Update(&sha, pad, BLOCK);
    SHA256_Update(&sha, out, AWS_HASH);
    SHA256_Final(out, &sha);
    explicit_bzero(pad, sizeof(pad));
    explicit_bzero(&sha, sizeof(sha));
}

void aws_signer_forget(struct aws_signer *signer) {
    explicit_bzero(signer->key, sizeof(signer->key));
    signer->day[0] = '\0';
}

static bool derive(struct aws_signer *signer, const char *secret, const char *day) {
    struct aws_text key = {0};
    aws_text_adds(&key, "AWS4");
    aws_text_adds(&key, secret);
    const bool ok = !key.failed;
    if (ok) {
        hmac(signer->key, key.ptr, key.len, day);
        hmac(signer->key, signer->key, AWS_HASH, signer->region);
        hmac(signer->key, signer->key, AWS_HASH, signer->service);
        hmac(signer->key, signer->key, AWS_HASH, "aws4_request");
        memcpy(signer->day, day, sizeof(signer->day));
    }
    aws_text_done(&key);
    return ok;
}

/* By name, and equal names in the order in which they are sent. */
static void sort_headers(uint8_t order[], const struct aws_to_sign *r) {
    for (size_t i = 0; i < r->n_headers; i++) {
        size_t at = i;
        for (; at > 0 && strcasecmp(r->headers[order[at - 1]].name, r->headers[i].name) > 0; at--)
            order[at] = order[at - 1];
        order[at] = (uint8_t)i;
    }
}

/* Without white space at both ends, and every run of it within as one space. */
static void add_trimmed(SHA256_CTX *sha, const char *value) {
    static const char space[] = " \t\r\n";
    value += strspn(value, space);
    for (bool first = true; *value; first = false) {
        const size_t len = strcspn(value, space);
        if (!first)
            SHA256_Update(sha, " ", 1);
        SHA256_Update(sha, value, len);
        value += len;
        value += strspn(value, space);
    }
}

static void add_lower(SHA256_CTX *sha, struct aws_text *signed_names, const char *name) {
    const size_t begin = signed_names->len;
    aws_text_adds(signed_names, name);
    if (signed_names->failed)
        return;
    for (char *c = signed_names->ptr + begin; *c; c++)
        *c = (char)tolower((unsigned char)*c);
    SHA256_Update(sha, signed_names->ptr + begin, signed_names->len - begin);
}

/* The canonical request, hashed as it is made; the names of its headers, joined by `;`. */
static bool hash_canonical(char out[AWS_HASH_HEX], struct aws_text *signed_names,
                           const struct aws_to_sign *r) {
    uint8_t order[AWS_MOST_HEADERS];
    struct aws_text path = {0};
    SHA256_CTX sha;
    if (!r->path_as_sent)
        aws_uri_add_signed_path(&path, r->path);
    SHA256_Init(&sha);
    add(&sha, r->method);
    add(&sha, "\n");
    add(&sha, r->path_as_sent || !path.ptr ? r->path : path.ptr);
    add(&sha, "\n");
    add(&sha, aws_or_empty(r->query));
    add(&sha, "\n");
    sort_headers(order, r);
    for (size_t i = 0; i < r->n_headers; i++) {
        const struct aws_header *h = &r->headers[order[i]];
        if (i > 0 && strcasecmp(r->headers[order[i - 1]].name, h->name) == 0) {
            add(&sha, ",");
        } else {
            add(&sha, i > 0 ? "\n" : "");
            aws_text_adds(signed_names, i > 0 ? ";" : "");
            add_lower(&sha, signed_names, h->name);
            add(&sha, ":");
        }
        add_trimmed(&sha, h->value);
    }
    add(&sha, "\n\n");
    if (!signed_names->failed)
        add(&sha, signed_names->ptr);
    add(&sha, "\n");
    add(&sha, r->payload_hash);
    end_hex(out, &sha);
    const bool ok = !path.failed && !signed_names->failed;
    aws_text_done(&path);
    return ok;
}

bool aws_sign(struct aws_signer *signer, const struct aws_keys *keys, const struct aws_to_sign *r,
              struct aws_text *out) {
    struct aws_text scope = {0}, signed_names = {0}, to_sign = {0};
    char day[sizeof(signer->day)], hash[AWS_HASH_HEX], signature[AWS_HASH_HEX];
    uint8_t mac[AWS_HASH];
    bool ok = r->n_headers > 0 && r->n_headers <= AWS_MOST_HEADERS && strlen(r->stamp) == AWS_STAMP_SIZE - 1;
    if (!ok)
        goto out;

    memcpy(day, r->stamp, sizeof(day) - 1);
    day[sizeof(day) - 1] = '\0';
    ok = strcmp(day, signer->day) == 0 || derive(signer, keys->secret, day);
    if (!ok || !hash_canonical(hash, &signed_names, r)) {
        ok = false;
        goto out;
    }
    aws_text_adds(&scope, day);
    aws_text_adds(&scope, "/");
    aws_text_adds(&scope, signer->region);
    aws_text_adds(&scope, "/");
    aws_text_adds(&scope, signer->service);
    aws_text_adds(&scope, "/aws4_request");
    aws_text_adds(&to_sign, "AWS4-HMAC-SHA256\n");
    aws_text_adds(&to_sign, r->stamp);
    aws_text_adds(&to_sign, "\n");
    aws_text_add(&to_sign, aws_or_empty(scope.ptr), scope.len);
    aws_text_adds(&to_sign, "\n");
    aws_text_adds(&to_sign, hash);
    ok = !scope.failed && !to_sign.failed;
    if (!ok)
        goto out;
    hmac(mac, signer->key, AWS_HASH, to_sign.ptr);
    to_hex(signature, mac);

    aws_text_adds(out, "AWS4-HMAC-SHA256 Credential=");
    aws_text_adds(out, keys->id);
    aws_text_adds(out, "/");
    aws_text_add(out, scope.ptr, scope.len);
    aws_text_adds(out, ", SignedHeaders=");
    aws_text_add(out, signed_names.ptr, signed_names.len);
    aws_text_adds(out, ", Signature=");
    aws_text_adds(out, signature);
    ok = !out->failed;
out:
    aws_text_done(&scope);
    aws_text_done(&signed_names);
    aws_text_done(&to_sign);
    return ok;
}
