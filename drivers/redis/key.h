/*
 * Names of keys, and the numbers in what is stored; pure.  P is the setting `prefix`, N a namespace: what stands before
 * the first slash of a tag or a counter.
 *
 *     P:e:{KEY}            an entry: head and value, one string
 *     P:s:{KEY}:RANDOM     a large value that is on its way to P:e:{KEY}
 *     P:c:{KEY}            a claim
 *     P:l:{KEY}            the tags that KEY carries
 *     P:x:{TAG}            the keys that carry TAG, each with the time when it was linked: a sorted set
 *     P:t:{P}:N            a hash: the marks (mTAG) and counters (cNAME) of a namespace, in one, see README.md
 *     P:n:{P}:1:NAME       the counter NAME once more; and P:n:{P}:2:NAME
 *
 * What is between { and } decides about the slot in a cluster.  A KEY or TAG that is empty, or begins with }, is no
 * hash tag: it is written as P:E:{-}KEY, and so on: the letter in capitals.
 */
#ifndef REDIS_KEY_H
#define REDIS_KEY_H

#include <string.h>

#include "out.h"

enum rds_name { RDS_ENTRY = 'e', RDS_STAGED = 's', RDS_CLAIMED = 'c', RDS_LINKS = 'l', RDS_CARRIERS = 'x' };

enum { RDS_MAX_PREFIX = 64, RDS_STAGE_BYTES = 16, RDS_NUMBER_BYTES = 8 };

struct rds_names {
    char prefix[RDS_MAX_PREFIX + 1];
    size_t prefix_len;
    uint16_t mark_slot;
};

/* The key as an argument.  suffix: RDS_STAGED alone; else empty. */
void rds_arg_key(struct rds_out *out, const struct rds_names *names, enum rds_name kind,
                 struct larder_bytes key, struct larder_bytes suffix);
uint16_t rds_key_slot(struct larder_bytes key);
/* Of a key of the server, the KEY in it; false: it is none of this kind. */
bool rds_key_read(const struct rds_names *names, enum rds_name kind, struct larder_bytes stored,
                  struct larder_bytes *ret_key);
/* A pattern (MATCH) for all keys of the kind whose KEY begins with `beginning`, and maybe others. */
void rds_arg_pattern(struct rds_out *out, const struct rds_names *names, enum rds_name kind,
                     struct larder_bytes beginning);
/* c for the letter, beginning: what a field begins with. */
void rds_arg_field_pattern(struct rds_out *out, char c, struct larder_bytes beginning);

/* The namespace of a tag or counter. */
static inline struct larder_bytes rds_group_of(struct larder_bytes tag) {
    const uint8_t *slash = tag.len > 0 ? memchr(tag.ptr, '/', tag.len) : NULL;
    return (struct larder_bytes){tag.ptr, slash ? (size_t)(slash - tag.ptr) : 0};
}
static inline bool rds_same(struct larder_bytes a, struct larder_bytes b) {
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}
static inline bool rds_starts(struct larder_bytes text, struct larder_bytes with) {
    return text.len >= with.len && (with.len == 0 || memcmp(text.ptr, with.ptr, with.len) == 0);
}
void rds_arg_group(struct rds_out *out, const struct rds_names *names, struct larder_bytes group);
/* The other two keys of a counter: '1' and '2'. */
void rds_arg_counter(struct rds_out *out, const struct rds_names *names, char which,
                     struct larder_bytes name);
/* A pattern for the hashes of all namespaces, which are few. */
void rds_arg_group_pattern(struct rds_out *out, const struct rds_names *names);
bool rds_group_read(const struct rds_names *names, struct larder_bytes stored,
                    struct larder_bytes *ret_group);
/* The field of a mark ('m') or a counter ('c'). */
void rds_arg_field(struct rds_out *out, char c, struct larder_bytes name);

/* Numbers are stored in eight bytes whose order as bytes is that of the numbers; LARDER_UNSET is the least. */
void rds_number_write(int64_t n, uint8_t to[RDS_NUMBER_BYTES]);
int64_t rds_number_read(const uint8_t from[RDS_NUMBER_BYTES]);
void rds_arg_sortable(struct rds_out *out, int64_t n);

#endif
