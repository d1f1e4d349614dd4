#include "item.h"

#include <string.h>

/* ---- names --------------------------------------------------------------------------------------- */

void ddb_text_begin(struct ddb_text *t, const struct ddb_names *names) {
    ddb_text_json(t, "{'TableName':'");
    ddb_text_json(t, names->table);
    ddb_text_json(t, "'");
}

static void begin_name(struct ddb_text *t, const struct ddb_names *names, enum ddb_kind kind) {
    const uint8_t letter[3] = {'#', (uint8_t)kind, '#'};
    ddb_text_add(t, ddb_bytes_of(names->prefix));
    ddb_text_add(t, (struct larder_bytes){letter, sizeof(letter)});
}

void ddb_text_partition(struct ddb_text *t, const struct ddb_names *names, const struct ddb_name *name) {
    begin_name(t, names, name->kind);
    ddb_text_escaped(t, name->key);
}

void ddb_text_key(struct ddb_text *t, const struct ddb_names *names, const struct ddb_name *name) {
    ddb_text_json(t, "'");
    ddb_text_json(t, names->pk);
    ddb_text_json(t, "':{'S':'");
    ddb_text_partition(t, names, name);
    ddb_text_json(t, "'},'");
    ddb_text_json(t, names->sk);
    ddb_text_json(t, "':{'S':'#");
    if (name->kind == DDB_LINK)
        ddb_text_escaped(t, name->tag);
    ddb_text_json(t, "'}");
}

void ddb_shard_digits(uint32_t shard, uint8_t out[2]) {
    out[0] = (uint8_t) "0123456789abcdef"[shard >> 4 & 15];
    out[1] = (uint8_t) "0123456789abcdef"[shard & 15];
}

bool ddb_shard_parse(const struct ddb_names *names, const uint8_t digits[2], uint32_t *ret_shard) {
    int high = ddb_hex_digit(digits[0]), low = ddb_hex_digit(digits[1]);
    if (high < 0 || low < 0 || (uint32_t)(high * 16 + low) >= names->shards)
        return false;
    *ret_shard = (uint32_t)(high * 16 + low);
    return true;
}

/* FNV-1a, and for good: what is stored under a shard must be found there. */
uint32_t ddb_shard_of(const struct ddb_names *names, struct larder_bytes key) {
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < key.len; i++)
        hash = (hash ^ key.ptr[i]) * 16777619u;
    return hash % names->shards;
}

void ddb_text_shard(struct ddb_text *t, const struct ddb_names *names, const struct ddb_name *name,
                    uint32_t shard) {
    uint8_t digits[2];
    ddb_shard_digits(shard, digits);
    begin_name(t, names, name->kind);
    ddb_text_add(t, (struct larder_bytes){digits, sizeof(digits)});
    if (name->kind == DDB_LINK) {
        ddb_text_json(t, "#");
        ddb_text_escaped(t, name->tag);
    }
}

void ddb_text_index_key(struct ddb_text *t, const struct ddb_names *names, const struct ddb_name *name,
                        uint32_t shard, const char *before) {
    ddb_text_json(t, "'");
    ddb_text_json(t, before);
    ddb_text_json(t, "gk':{'S':'");
    ddb_text_shard(t, names, name, shard);
    ddb_text_json(t, "'},'");
    ddb_text_json(t, before);
    ddb_text_json(t, "gs':{'S':'#");
    ddb_text_escaped(t, name->key);
    ddb_text_json(t, "'}");
}

void ddb_text_n(struct ddb_text *t, const char *name, int64_t number) {
    ddb_text_json(t, "'");
    ddb_text_json(t, name);
    ddb_text_json(t, "':{'N':'");
    ddb_text_number(t, number);
    ddb_text_json(t, "'}");
}

/* ---- reading ------------------------------------------------------------------------------------- */

static const struct attribute {
    const char *name;
    size_t offset;
    char type; /* 'N': int64_t; 'S', 'B': struct larder_bytes */
} attributes[] = {
    {"sk", offsetof(struct ddb_item, sk), 'S'},
    {"path", offsetof(struct ddb_item, sk), 'S'}, /* in a table of OpenNext's */
    {"tag", offsetof(struct ddb_item, tag), 'S'},
    {"gs", offsetof(struct ddb_item, gs), 'S'},
    {"v", offsetof(struct ddb_item, value), 'B'},
    {"m", offsetof(struct ddb_item, modified_ms), 'N'},
    {"e", offsetof(struct ddb_item, epoch), 'N'},
    {"x", offsetof(struct ddb_item, expires_ms), 'N'},
    {"expiresAt", offsetof(struct ddb_item, ttl_s), 'N'},
    {"g", offsetof(struct ddb_item, generation), 'S'},
    {"n", offsetof(struct ddb_item, n_chunks), 'N'},
    {"l", offsetof(struct ddb_item, length), 'N'},
    {"c", offsetof(struct ddb_item, counter), 'N'},
    {"xe", offsetof(struct ddb_item, expired_epoch), 'N'},
    {"se", offsetof(struct ddb_item, stale_epoch), 'N'},
    {"xa", offsetof(struct ddb_item, expire_at_ms), 'N'},
    {"revalidatedAt", offsetof(struct ddb_item, twin.revalidated_at), 'N'},
    {"stale", offsetof(struct ddb_item, twin.stale), 'N'},
    {"expire", offsetof(struct ddb_item, twin.expire), 'N'},
    {"lw", offsetof(struct ddb_item, twin.written), 'N'},
    {"fx", offsetof(struct ddb_item, twin.foreign_expired), 'N'},
    {"fs", offsetof(struct ddb_item, twin.foreign_stale), 'N'},
    {"fa", offsetof(struct ddb_item, twin.foreign_expire_at), 'N'},
    {"lk", offsetof(struct ddb_item, twin.looked), 'N'},
};

static const struct attribute *attribute_named(struct larder_bytes name) {
    for (size_t i = 0; i < sizeof(attributes) / sizeof(attributes[0]); i++) {
        if (ddb_json_is(name, attributes[i].name))
            return &attributes[i];
    }
    return NULL;
}

/* {"N":"5"}: one member, whose name is the type. */
static bool read_value(struct ddb_json *j, const struct attribute *attribute, struct ddb_item *item) {
    const char type[2] = {attribute->type, '\0'};
    struct larder_bytes name, raw, none;
    bool first = ddb_json_enter(j, '{');
    if (!ddb_json_member(j, &first, &name) || !ddb_json_is(name, type) || !ddb_json_string(j, &raw) ||
        ddb_json_member(j, &first, &none) || j->bad)
        return false;
    void *member = (char *)item + attribute->offset;
    if (attribute->type == 'N')
        return ddb_json_integer(raw, member);
    memcpy(member, &raw, sizeof(raw));
    item->has_value |= attribute->type == 'B';
    return true;
}

bool ddb_item_read(struct ddb_json *j, struct ddb_item *ret) {
    struct larder_bytes name;
    *ret = (struct ddb_item){.modified_ms = LARDER_UNSET,
                             .epoch = LARDER_UNSET,
                             .expires_ms = LARDER_UNSET,
                             .ttl_s = LARDER_UNSET,
                             .n_chunks = LARDER_UNSET,
                             .length = LARDER_UNSET,
                             .counter = LARDER_UNSET,
                             .expired_epoch = LARDER_UNSET,
                             .stale_epoch = LARDER_UNSET,
                             .expire_at_ms = LARDER_UNSET,
                             .twin = DDB_NO_TWIN};
    for (bool first = ddb_json_enter(j, '{'); ddb_json_member(j, &first, &name);) {
        const struct attribute *attribute = attribute_named(name);
        if (attribute ? !read_value(j, attribute, ret) : !ddb_json_skip(j, NULL))
            return false;
    }
    return !j->bad;
}

bool ddb_item_sort_text(struct larder_bytes raw, uint8_t out[DDB_MAX_NAME], struct larder_bytes *ret) {
    size_t len;
    if (raw.len == 0 || raw.ptr[0] != '#' ||
        !ddb_json_unescape((struct larder_bytes){raw.ptr + 1, raw.len - 1}, out, DDB_MAX_NAME, &len))
        return false;
    *ret = (struct larder_bytes){out, len};
    return true;
}

/* ---- text ---------------------------------------------------------------------------------------- */

/* The length of the well-formed sequence at p, of at most n bytes; 0: there is none (RFC 3629). */
static size_t sequence_len(const uint8_t *p, size_t n) {
    static const struct {
        uint8_t first, last, low, high; /* of the first byte, and of the second */
        uint8_t len;
    } rows[] = {
        {0x00, 0x7F, 0, 0, 1},       {0xC2, 0xDF, 0x80, 0xBF, 2}, {0xE0, 0xE0, 0xA0, 0xBF, 3},
        {0xE1, 0xEC, 0x80, 0xBF, 3}, {0xED, 0xED, 0x80, 0x9F, 3}, {0xEE, 0xEF, 0x80, 0xBF, 3},
        {0xF0, 0xF0, 0x90, 0xBF, 4}, {0xF1, 0xF3, 0x80, 0xBF, 4}, {0xF4, 0xF4, 0x80, 0x8F, 4},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (p[0] < rows[i].first || p[0] > rows[i].last)
            continue;
        if (n < rows[i].len || (rows[i].len > 1 && (p[1] < rows[i].low || p[1] > rows[i].high)))
            return 0;
        for (size_t k = 2; k < rows[i].len; k++) {
            if ((p[k] & 0xC0) != 0x80)
                return 0;
        }
        return rows[i].len;
    }
    return 0;
}

size_t ddb_utf8_len(struct larder_bytes bytes) {
    size_t at = 0, len;
    while (at < bytes.len && (len = sequence_len(bytes.ptr + at, bytes.len - at)) > 0)
        at += len;
    return at;
}
