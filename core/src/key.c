#include "key.h"

#include <stdlib.h>

#include "bytes.h"
#include "hash.h"

enum { ANY_BYTES, UTF8_BYTES, PRINTABLE_BYTES }; /* larder_info.key_bytes */

static const struct larder_bytes shared_name = {(const uint8_t *)"shared", 6};

/* UTF-8 proper: neither surrogates nor sequences that are too long. */
static bool is_utf8(struct larder_bytes text) {
    for (size_t at = 0; at < text.len;) {
        const uint8_t *p = text.ptr + at;
        size_t n = p[0] < 0x80   ? 1
                   : p[0] < 0xC2 ? 0
                   : p[0] < 0xE0 ? 2
                   : p[0] < 0xF0 ? 3
                   : p[0] < 0xF5 ? 4
                                 : 0;
        if (n == 0 || n > text.len - at)
            return false;
        for (size_t i = 1; i < n; i++) {
            if ((p[i] & 0xC0) != 0x80)
                return false;
        }
        if ((p[0] == 0xE0 && p[1] < 0xA0) || (p[0] == 0xED && p[1] > 0x9F) || (p[0] == 0xF0 && p[1] < 0x90) ||
            (p[0] == 0xF4 && p[1] > 0x8F))
            return false;
        at += n;
    }
    return true;
}

bool key_bytes_allowed(uint32_t key_bytes, struct larder_bytes key) {
    if (key_bytes == ANY_BYTES)
        return true;
    if (key_bytes == UTF8_BYTES)
        return is_utf8(key);
    for (size_t i = 0; i < key.len; i++) {
        if (key.ptr[i] <= ' ' || key.ptr[i] > '~')
            return false;
    }
    return true;
}

static void put_hashed(struct larder_bytes of, uint8_t out[KEY_HASHED_LEN]) {
    out[0] = '~';
    hash_128_hex(of, out + 1);
}

static bool is_hex_digit(uint8_t c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

static bool looks_hashed(struct larder_bytes text) {
    if (text.len != KEY_HASHED_LEN || text.ptr[0] != '~')
        return false;
    for (size_t i = 1; i < text.len; i++) {
        if (!is_hex_digit(text.ptr[i]))
            return false;
    }
    return true;
}

/* ---- build ids --------------------------------------------------------------- */

static bool is_plain(uint8_t c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '.' ||
           c == '_' || c == '-';
}

static bool is_dots(struct larder_bytes build) {
    return (build.len == 1 || build.len == 2) && build.ptr[0] == '.' && build.ptr[build.len - 1] == '.';
}

/* Whether the byte at i is written as %XX. */
static bool is_escaped(struct larder_bytes build, size_t i) {
    return !is_plain(build.ptr[i]) || is_dots(build) || (i == 0 && bytes_equal(build, shared_name));
}

/* An empty name is "%", which no escape can be. */
size_t key_segment_len(struct larder_bytes build) {
    size_t len = build.len;

    for (size_t i = 0; i < build.len; i++)
        len += is_escaped(build, i) ? 2 : 0;
    return len > 0 ? len : 1;
}

uint8_t *key_segment_put(struct larder_bytes build, uint8_t *out) {
    static const char digits[] = "0123456789ABCDEF";

    if (build.len == 0)
        *out++ = '%';
    for (size_t i = 0; i < build.len; i++) {
        if (is_escaped(build, i)) {
            *out++ = '%';
            *out++ = (uint8_t)digits[build.ptr[i] >> 4];
            *out++ = (uint8_t)digits[build.ptr[i] & 15];
        } else {
            *out++ = build.ptr[i];
        }
    }
    return out;
}

static int hex_value(uint8_t c) {
    return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool key_segment_parse(struct larder_bytes segment, uint8_t *out, struct larder_bytes *ret) {
    size_t len = 0;

    if (segment.len == 1 && segment.ptr[0] == '%') {
        *ret = (struct larder_bytes){out, 0};
        return true;
    }
    for (size_t i = 0; i < segment.len; i++) {
        if (segment.ptr[i] != '%') {
            out[len++] = segment.ptr[i];
            continue;
        }
        if (segment.len - i < 3 || hex_value(segment.ptr[i + 1]) < 0 || hex_value(segment.ptr[i + 2]) < 0)
            return false;
        out[len++] = (uint8_t)(hex_value(segment.ptr[i + 1]) << 4 | hex_value(segment.ptr[i + 2]));
        i += 2;
    }
    *ret = (struct larder_bytes){out, len};

    /* One build id has one segment: what escapes too little or too much is not ours. */
    if (looks_hashed(segment) || bytes_equal(segment, shared_name))
        return true;
    if (len == 0 || key_segment_len(*ret) != segment.len)
        return false;
    for (size_t i = 0, at = 0; i < len; i++) {
        bool escaped = segment.ptr[at] == '%';
        if (escaped != is_escaped(*ret, i))
            return false;
        at += escaped ? 3 : 1;
    }
    return true;
}

/* ---- keys --------------------------------------------------------------------- */

int32_t key_make(const struct key_rules *rules, uint32_t kind, struct larder_bytes build,
                 struct larder_bytes key, struct larder_bytes *ret) {
    const char *name = larder_kind_name(kind);
    uint8_t hashed_build[KEY_HASHED_LEN], hashed_key[KEY_HASHED_LEN];
    bool shared = kind < 32 && (rules->shared_kinds >> kind & 1) != 0;

    if (name == NULL || build.len > SIZE_MAX / 8 || key.len > SIZE_MAX / 8)
        return LARDER_INVALID;

    struct larder_bytes kind_name = bytes_of(name);
    size_t build_len = shared ? shared_name.len : key_segment_len(build);
    bool hash_build = false;
    if (rules->max_key != 0 && build_len + kind_name.len + 2 + KEY_HASHED_LEN > rules->max_key &&
        build_len > KEY_HASHED_LEN) {
        /* A build id that leaves no room for a key. */
        put_hashed(build, hashed_build);
        hash_build = true;
        build_len = KEY_HASHED_LEN;
    }
    if ((rules->max_key != 0 && build_len + kind_name.len + 2 + key.len > rules->max_key) ||
        !key_bytes_allowed(rules->key_bytes, key) || (looks_hashed(key) && !rules->listed)) {
        put_hashed(key, hashed_key);
        key = (struct larder_bytes){hashed_key, sizeof(hashed_key)};
    }

    size_t len = build_len + 1 + kind_name.len + 1 + key.len;
    uint8_t *text = malloc(len);
    if (text == NULL)
        return LARDER_NOMEM;
    uint8_t *to = text;
    if (shared)
        to = bytes_put(to, shared_name);
    else if (hash_build)
        to = bytes_put(to, (struct larder_bytes){hashed_build, sizeof(hashed_build)});
    else
        to = key_segment_put(build, to);
    *to++ = '/';
    to = bytes_put(to, kind_name);
    *to++ = '/';
    bytes_put(to, key);
    *ret = (struct larder_bytes){text, len};
    return LARDER_OK;
}

static bool cut(struct larder_bytes *rest, struct larder_bytes *ret_segment) {
    const uint8_t *slash = rest->len > 0 ? memchr(rest->ptr, '/', rest->len) : NULL;

    if (slash == NULL)
        return false;
    size_t len = (size_t)(slash - rest->ptr);
    *ret_segment = (struct larder_bytes){rest->ptr, len};
    *rest = (struct larder_bytes){slash + 1, rest->len - len - 1};
    return true;
}

static uint32_t kind_of(struct larder_bytes name) {
    for (uint32_t kind = 1; kind < LARDER_N_KINDS; kind++) {
        if (bytes_equal(name, bytes_of(larder_kind_name(kind))))
            return kind;
    }
    return 0;
}

int32_t key_parse(struct larder_bytes physical, struct larder_listed *ret, uint8_t **ret_build) {
    struct larder_bytes key = physical, segment, name;
    struct larder_listed listed = {0};

    if (!cut(&key, &segment) || segment.len == 0 || !cut(&key, &name))
        return LARDER_INVALID;
    listed.kind = kind_of(name);
    if (listed.kind == 0)
        return LARDER_INVALID;
    listed.key = key;
    listed.hashed = looks_hashed(key);

    uint8_t *build = malloc(segment.len);
    if (build == NULL)
        return LARDER_NOMEM;
    if (!key_segment_parse(segment, build, &listed.build)) {
        free(build);
        return LARDER_INVALID;
    }
    *ret = listed;
    *ret_build = build;
    return LARDER_OK;
}

/* "<prefix>~xyz" into buf; false: the tag is none of those that are folded. */
static bool fold(struct larder_bytes tag, uint8_t buf[KEY_HASHED_LEN], struct larder_bytes *ret) {
    static const char digits[] = "0123456789abcdef";
    static const char *const prefixes[] = {"_N_T_", KEY_ENTRY_TAG};
    _Static_assert(KEY_FOLDS == 1 << 12, "three digits");
    for (size_t i = 0; i < N_ELEMENTS(prefixes); i++) {
        struct larder_bytes prefix = bytes_of(prefixes[i]);
        if (!bytes_begin_with(tag, prefix))
            continue;
        uint64_t hash = hash_64(tag.ptr, tag.len);
        uint8_t *to = bytes_put(buf, prefix);
        *to++ = '~';
        for (int shift = 8; shift >= 0; shift -= 4)
            *to++ = (uint8_t)digits[hash >> shift & 15];
        *ret = (struct larder_bytes){buf, (size_t)(to - buf)};
        return true;
    }
    return false;
}

void key_tag(const struct key_rules *rules, struct larder_bytes tag, uint8_t buf[KEY_HASHED_LEN],
             struct larder_bytes *ret) {
    uint8_t folded[KEY_HASHED_LEN];
    if (rules->fold && fold(tag, folded, &tag)) {
        bytes_put(buf, tag);
        tag.ptr = buf;
    }
    if ((rules->max_key == 0 || tag.len <= rules->max_key) && key_bytes_allowed(rules->key_bytes, tag) &&
        !looks_hashed(tag)) {
        *ret = tag;
        return;
    }
    uint8_t hashed[KEY_HASHED_LEN]; /* the tag may be in buf */
    put_hashed(tag, hashed);
    memcpy(buf, hashed, sizeof(hashed));
    *ret = (struct larder_bytes){buf, KEY_HASHED_LEN};
}

struct larder_bytes *key_map_tags(const struct key_rules *rules, const struct larder_bytes *tags, size_t n,
                                  struct arena *arena) {
    struct larder_bytes *mapped = arena_alloc(arena, n * sizeof(*mapped));
    for (size_t i = 0; mapped != NULL && i < n; i++) {
        uint8_t hashed[KEY_HASHED_LEN];
        key_tag(rules, tags[i], hashed, &mapped[i]);
        if (mapped[i].ptr != hashed)
            continue;
        uint8_t *copy = arena_alloc(arena, mapped[i].len);
        if (copy == NULL)
            return NULL;
        memcpy(copy, hashed, mapped[i].len);
        mapped[i].ptr = copy;
    }
    return mapped;
}
