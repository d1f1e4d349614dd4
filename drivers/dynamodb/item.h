/*
 * What stands in the table: how an item of each kind is named, and what its attributes say.  The
 * shapes, and why they are so, are in README.md.
 */
#ifndef DYNAMODB_ITEM_H
#define DYNAMODB_ITEM_H

#include "json.h"
#include "text.h"

enum ddb_kind {
    DDB_ENTRY = 'e',
    DDB_CHUNK = 'v', /* a part of a value that does not fit into one item */
    DDB_CLAIM = 'c',
    DDB_MARK = 'm',
    DDB_COUNTER = 'n',
    DDB_LINK = 'l' /* a key and a tag that it carries */
};

enum {
    DDB_MAX_NAME = 1023,  /* of a key or tag: a sort key of 1,024 bytes, less one in front */
    DDB_MAX_SHARDS = 256, /* two hex digits */
    DDB_GENERATION = 32   /* hex digits that name the chunks of one put */
};

struct ddb_names {
    const char *table;
    const char *prefix; /* [A-Za-z0-9._-]+ */
    uint32_t shards;
    const char *pk, *sk; /* what the attributes of the primary key are called */
    /* opennext.h, and both NULL in a table of Larder's own: */
    const char *build_id;
    const char *build_prefix; /* what OpenNext's tags begin with: BUILD/_tag/; in its original mode BUILD/ */
    bool original;            /* its original mode: an item for each tag and path */
};

/* What an item of OpenNext's says, and what Larder adds to it (opennext.h); LARDER_UNSET where absent. */
struct ddb_twin {
    int64_t revalidated_at, stale, expire;
    int64_t written; /* the revalidatedAt that Larder wrote */
    int64_t foreign_expired, foreign_stale, foreign_expire_at;
    int64_t looked; /* original mode: what other items said before this one was there is in it */
};
#define DDB_NO_TWIN                                                                                        \
    ((struct ddb_twin){LARDER_UNSET, LARDER_UNSET, LARDER_UNSET, LARDER_UNSET, LARDER_UNSET, LARDER_UNSET, \
                       LARDER_UNSET, LARDER_UNSET})

static inline bool ddb_names_are_opennext(const struct ddb_names *names) {
    return names->build_id != NULL;
}

struct ddb_name {
    enum ddb_kind kind;
    struct larder_bytes key; /* of a mark: its tag; of a chunk: generation, #, four digits */
    struct larder_bytes tag; /* of a link */
};

/* What most requests begin with: {'TableName':'T' */
void ddb_text_begin(struct ddb_text *t, const struct ddb_names *names);
/* The primary key, 'pk' and 'sk' as names says: 'pk':{'S':'larder#e#KEY'},'sk':{'S':'#'} ... */
void ddb_text_key(struct ddb_text *t, const struct ddb_names *names, const struct ddb_name *name);
/* ... its value of pk alone */
void ddb_text_partition(struct ddb_text *t, const struct ddb_names *names, const struct ddb_name *name);
/* ... and the key of the index, which entries, marks and links have: 'gk':{'S':..},'gs':{'S':..}.
 * before: what stands in front of the names: ":" in an expression's values, else "". */
void ddb_text_index_key(struct ddb_text *t, const struct ddb_names *names, const struct ddb_name *name,
                        uint32_t shard, const char *before);
/* The value of gk alone: what a shard of the entries, of the marks or of a tag is asked by. */
void ddb_text_shard(struct ddb_text *t, const struct ddb_names *names, const struct ddb_name *name,
                    uint32_t shard);
/* A shard as it is written, two hex digits; and back. */
void ddb_shard_digits(uint32_t shard, uint8_t out[2]);
bool ddb_shard_parse(const struct ddb_names *names, const uint8_t digits[2], uint32_t *ret_shard);
uint32_t ddb_shard_of(const struct ddb_names *names, struct larder_bytes key);
/* 'x':{'N':'5'} */
void ddb_text_n(struct ddb_text *t, const char *name, int64_t number);

/* ---- reading ---------------------------------------------------------------------------------- */

struct ddb_item { /* strings are raw and point into the reply; numbers are LARDER_UNSET where absent */
    struct larder_bytes sk, gs, generation;
    struct larder_bytes tag;   /* in a table of OpenNext's */
    struct larder_bytes value; /* in base64 */
    bool has_value;
    int64_t modified_ms, epoch;
    int64_t expires_ms; /* when a reader takes it for absent */
    int64_t ttl_s;      /* when DynamoDB may delete it */
    int64_t n_chunks, length;
    int64_t counter;
    int64_t expired_epoch, stale_epoch, expire_at_ms; /* of a mark */
    struct ddb_twin twin;
};

/* The item at the cursor.  False: it is none, or has an attribute of another type than ours. */
bool ddb_item_read(struct ddb_json *j, struct ddb_item *ret);
static inline struct larder_mark ddb_item_mark(const struct ddb_item *item, struct larder_bytes tag) {
    return (struct larder_mark){.tag = tag,
                                .expired_epoch = item->expired_epoch,
                                .stale_epoch = item->stale_epoch,
                                .expire_at_ms = item->expire_at_ms};
}
static inline bool ddb_item_expired(const struct ddb_item *item, int64_t now_ms) {
    return item->expires_ms != LARDER_UNSET && item->expires_ms <= now_ms;
}
/* The text behind the # of a raw sort key, into out; false: it is none that this driver makes. */
bool ddb_item_sort_text(struct larder_bytes raw, uint8_t out[DDB_MAX_NAME], struct larder_bytes *ret);

/* ---- text ---------------------------------------------------------------------------------------- */

/* How many bytes at the beginning are well-formed UTF-8: all of them, if it is. */
size_t ddb_utf8_len(struct larder_bytes bytes);
static inline bool ddb_bytes_same(struct larder_bytes a, struct larder_bytes b) {
    return a.len == b.len && (a.len == 0 || __builtin_memcmp(a.ptr, b.ptr, a.len) == 0);
}

#endif
