#include "item.h"

#include <endian.h>
#include <stdio.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

static void put64(uint8_t *out, int64_t n) {
    uint64_t le = htole64((uint64_t)n);
    memcpy(out, &le, sizeof(le));
}

static int64_t get64(const uint8_t *in) {
    uint64_t le;
    memcpy(&le, in, sizeof(le));
    return (int64_t)le64toh(le);
}

static void put32(uint8_t *out, uint32_t n) {
    uint32_t le = htole32(n);
    memcpy(out, &le, sizeof(le));
}

static uint32_t get32(const uint8_t *in) {
    uint32_t le;
    memcpy(&le, in, sizeof(le));
    return le32toh(le);
}

/* "LDx1", the form, three zeroes. */
static void put_magic(uint8_t *out, char kind, uint8_t form) {
    const uint8_t magic[8] = {'L', 'D', (uint8_t)kind, '1', form, 0, 0, 0};
    memcpy(out, magic, sizeof(magic));
}

/* The form, or -1. */
static int magic_of(struct larder_bytes item, char kind, size_t least) {
    const uint8_t *p = item.ptr;
    if (item.len < least || p[0] != 'L' || p[1] != 'D' || p[2] != (uint8_t)kind || p[3] != '1' || p[5] != 0 ||
        p[6] != 0 || p[7] != 0)
        return -1;
    return p[4];
}

uint32_t mc_chunks(uint64_t length, uint32_t chunk_bytes) {
    return (uint32_t)((length + chunk_bytes - 1) / chunk_bytes);
}

size_t mc_entry_put(const struct mc_entry *e, uint8_t out[MC_MANIFEST_BYTES]) {
    put_magic(out, 'E', (uint8_t)e->form);
    put64(out + 8, e->modified_ms);
    put64(out + 16, e->epoch);
    put64(out + 24, e->expires_ms);
    put64(out + 32, (int64_t)e->length);
    put32(out + 40, e->form == MC_IN_CHUNKS ? e->chunk_bytes : 0);
    put32(out + 44, e->form == MC_IN_CHUNKS ? e->n_chunks : 0);
    if (e->form != MC_IN_CHUNKS)
        return MC_HEAD_BYTES;
    memcpy(out + MC_HEAD_BYTES, e->id.bytes, MC_ID_BYTES);
    return MC_MANIFEST_BYTES;
}

static bool chunks_fit(const struct mc_entry *e) {
    return e->length > 0 && e->chunk_bytes >= MC_LEAST_CHUNK && e->chunk_bytes <= MC_MAX_VALUE &&
           e->n_chunks == mc_chunks(e->length, e->chunk_bytes);
}

bool mc_entry_parse(struct larder_bytes item, struct mc_entry *ret) {
    int form = magic_of(item, 'E', MC_HEAD_BYTES);
    if (form < MC_WHOLE || form > MC_TAKEN_AWAY)
        return false;
    const uint8_t *p = item.ptr;
    struct mc_entry e = {.form = (enum mc_form)form,
                         .modified_ms = get64(p + 8),
                         .epoch = get64(p + 16),
                         .expires_ms = get64(p + 24),
                         .length = (uint64_t)get64(p + 32),
                         .chunk_bytes = get32(p + 40),
                         .n_chunks = get32(p + 44)};
    if (e.length > MC_MAX_VALUE)
        return false;
    if (form == MC_IN_CHUNKS) {
        if (item.len != MC_MANIFEST_BYTES || !chunks_fit(&e))
            return false;
        memcpy(e.id.bytes, p + MC_HEAD_BYTES, MC_ID_BYTES);
    } else if (item.len != MC_HEAD_BYTES + e.length || e.chunk_bytes != 0 || e.n_chunks != 0) {
        return false;
    }
    *ret = e;
    return true;
}

void mc_mark_put(const struct larder_mark *mark, uint8_t out[MC_MARK_BYTES]) {
    put_magic(out, 'M', 0);
    put64(out + 8, mark->expired_epoch);
    put64(out + 16, mark->stale_epoch);
    put64(out + 24, mark->expire_at_ms);
}

bool mc_mark_parse(struct larder_bytes item, struct larder_mark *ret) {
    if (item.len != MC_MARK_BYTES || magic_of(item, 'M', MC_MARK_BYTES) != 0)
        return false;
    ret->expired_epoch = get64(item.ptr + 8);
    ret->stale_epoch = get64(item.ptr + 16);
    ret->expire_at_ms = get64(item.ptr + 24);
    return true;
}

void mc_placeholder_put(const struct mc_id *id, uint8_t out[MC_PLACEHOLDER_BYTES]) {
    put_magic(out, 'P', 0);
    memcpy(out + 8, id->bytes, MC_ID_BYTES);
}

bool mc_placeholder_parse(struct larder_bytes item, struct mc_id *ret) {
    if (item.len != MC_PLACEHOLDER_BYTES || magic_of(item, 'P', MC_PLACEHOLDER_BYTES) != 0)
        return false;
    memcpy(ret->bytes, item.ptr + 8, MC_ID_BYTES);
    return true;
}

void mc_counter_put(int64_t number, uint8_t out[MC_COUNTER_BYTES]) {
    put_magic(out, 'N', 0);
    put64(out + 8, number);
}

bool mc_counter_parse(struct larder_bytes item, int64_t *ret) {
    if (item.len != MC_COUNTER_BYTES || magic_of(item, 'N', MC_COUNTER_BYTES) != 0)
        return false;
    *ret = get64(item.ptr + 8);
    return true;
}

void mc_claim_put(const struct mc_claim *claim, uint8_t out[MC_CLAIM_BYTES]) {
    put_magic(out, 'C', claim->held ? 1 : 2);
    put64(out + 8, claim->expires_ms);
}

bool mc_claim_parse(struct larder_bytes item, struct mc_claim *ret) {
    int form = magic_of(item, 'C', MC_CLAIM_BYTES);
    if (form != 1 && form != 2)
        return false;
    ret->held = form == 1;
    ret->expires_ms = get64(item.ptr + 8);
    ret->owner = (struct larder_bytes){item.ptr + MC_CLAIM_BYTES, item.len - MC_CLAIM_BYTES};
    return true;
}

/* ---- names ----------------------------------------------------------------------------------- */

bool mc_prefix_ok(const char *prefix) {
    size_t len = strlen(prefix);
    if (len == 0 || len > MC_PREFIX)
        return false;
    for (size_t i = 0; i < len; i++)
        if (prefix[i] <= ' ' || prefix[i] > '~')
            return false;
    return true;
}

static void put_hex(char *out, const uint8_t *bytes, size_t n) {
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < n; i++) {
        out[2 * i] = digits[bytes[i] >> 4];
        out[2 * i + 1] = digits[bytes[i] & 15];
    }
}

void mc_names_init(struct mc_names *names, const char *prefix, uint64_t print) {
    int len = snprintf(names->head, sizeof(names->head), "%.100s:%08x:", prefix, (unsigned)(print >> 32));
    names->head_len = (size_t)len;
    names->seed = print;
}

static char *begin(const struct mc_names *names, enum mc_kind kind, struct mc_name *ret) {
    memcpy(ret->text, names->head, names->head_len);
    ret->text[names->head_len] = (char)kind;
    return ret->text + names->head_len + 1;
}

static void end(struct mc_name *name, char *at) {
    *at = 0;
    name->len = (size_t)(at - name->text);
}

void mc_name_of(const struct mc_names *names, enum mc_kind kind, struct larder_bytes key,
                struct mc_name *ret) {
    XXH128_hash_t hash = XXH3_128bits_withSeed(key.len > 0 ? (const void *)key.ptr : "", key.len,
                                               names->seed);
    XXH128_canonical_t bytes;
    char *at = begin(names, kind, ret);
    XXH128_canonicalFromHash(&bytes, hash);
    put_hex(at, bytes.digest, sizeof(bytes.digest));
    end(ret, at + 2 * sizeof(bytes.digest));
}

void mc_name_of_chunk(const struct mc_names *names, const struct mc_id *id, uint32_t i, struct mc_name *ret) {
    const uint8_t number[2] = {(uint8_t)(i >> 8), (uint8_t)i}; /* MC_MAX_CHUNKS is less */
    char *at = begin(names, MC_CHUNK, ret);
    put_hex(at, id->bytes, MC_ID_BYTES);
    put_hex(at + 2 * MC_ID_BYTES, number, sizeof(number));
    end(ret, at + 2 * MC_ID_BYTES + 2 * sizeof(number));
}

/* ---- times ------------------------------------------------------------------------------------- */

int64_t mc_expires_ms(int64_t now_ms, int64_t ttl_ms) {
    int64_t at;
    if (ttl_ms <= 0 || __builtin_add_overflow(now_ms, ttl_ms, &at))
        return LARDER_UNSET;
    return at;
}

int64_t mc_expiration_s(int64_t now_ms, int64_t ttl_ms) {
    static const int64_t month_s = 60 * 60 * 24 * 30;
    static const int64_t plausible_s =
        1577836800; /* 2020: before it a clock is not set, and a date no date */
    if (ttl_ms <= 0)
        return 0;
    int64_t ttl_s = ttl_ms / 1000 + 2; /* rounded up, and the second that memcached is in */
    if (ttl_s <= month_s)
        return ttl_s;
    int64_t at_s = now_ms / 1000;
    if (__builtin_add_overflow(at_s, ttl_s, &at_s) || at_s > INT32_MAX || at_s < plausible_s)
        return 0; /* memcached reads 32 bits */
    return at_s;
}
