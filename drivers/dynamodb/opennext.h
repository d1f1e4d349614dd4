/*
 * The items of OpenNext's tag cache `dynamodb-nextMode`: how they are named, and how what they say
 * goes together with marks.  README.md ("A table of OpenNext's") has the reasons.  Pure.
 */
#ifndef DYNAMODB_OPENNEXT_H
#define DYNAMODB_OPENNEXT_H

#include "item.h"

enum {
    OPENNEXT_MAX_BUILD_ID = 255,
    OPENNEXT_MAX_KEY = 1024, /* it is a sort key as well */
    OPENNEXT_MAX_AHEAD_MS = 86400000
};

/* path.posix.join(build_id, "_tag", "") of Node.js, and the "/" behind it, into out as a C string: what the keys
 * of this build begin with.  build_id is a C string of at most OPENNEXT_MAX_BUILD_ID bytes. */
void opennext_prefix(const char *build_id, char out[OPENNEXT_MAX_KEY]);

/* The tag of an op is NAMESPACE/TAG (docs/semantics.md, "Keys"): the part before the slash; len 0 where there is
 * no slash. */
struct larder_bytes opennext_namespace(struct larder_bytes tag);

/*
 * The key of the item - its `tag` and its `path` - that OpenNext has for the tag of an op, into out.  False: it has
 * none that is the tag's own: the mark of a namespace, a tag that the core hashed, a key that is too long for
 * DynamoDB, or one that leaves the tags of its build ("../x").
 */
bool opennext_key(const struct ddb_names *names, struct larder_bytes tag, uint8_t out[OPENNEXT_MAX_KEY],
                  struct larder_bytes *ret);

/* Whether the item is as an OpenNext process left it, which replaces items whole. */
bool opennext_wrote_last(const struct ddb_twin *item);

/* What OpenNext processes have said in the item, as a mark of `tag`; false: nothing. */
bool opennext_mark(const struct ddb_twin *item, struct larder_bytes tag, int64_t now_ms,
                   struct larder_mark *ret);

/* The greatest epoch in a mark; LARDER_UNSET: it has none. */
static inline int64_t opennext_epoch(const struct larder_mark *mark) {
    return mark->expired_epoch > mark->stale_epoch ? mark->expired_epoch : mark->stale_epoch;
}

/* Whether an epoch that an OpenNext process made is too far ahead of the clock to be one. */
static inline bool opennext_is_absurd(int64_t epoch, int64_t now_ms) {
    return epoch > now_ms && epoch - OPENNEXT_MAX_AHEAD_MS > now_ms;
}

/* The item when add has been merged into it, so that no reader of OpenNext's finds an entry better off than before,
 * or than add says; false: it need not be written. */
bool opennext_merge(const struct ddb_twin *stored, const struct larder_mark *add, int64_t now_ms,
                    struct ddb_twin *ret);

#endif
