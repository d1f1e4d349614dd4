/*
 * The items of OpenNext's tag caches `dynamodb-nextMode` and `dynamodb` (the original mode): how they are named, and
 * how what they say goes together with marks.  README.md ("A table of OpenNext's") has the reasons.  Pure.
 */
#ifndef DYNAMODB_OPENNEXT_H
#define DYNAMODB_OPENNEXT_H

#include "item.h"

enum {
    OPENNEXT_MAX_BUILD_ID = 255,
    OPENNEXT_MAX_KEY = 1024, /* of a sort key */
    OPENNEXT_MEMBER = 1,     /* revalidatedAt of an item that says that the path has the tag, and no more */
    OPENNEXT_MAX_AHEAD_MS = 86400000
};

/* The primary key of an item. */
struct opennext_key {
    struct larder_bytes tag, path; /* both in room */
    uint8_t room[2][OPENNEXT_MAX_KEY];
};

/* path.posix.join(build_id, "_tag", "") of Node.js, in the original mode path.posix.join(build_id, ""), and the "/"
 * behind it, into out as a C string: what the tags of this build begin with.  build_id is a C string of at most
 * OPENNEXT_MAX_BUILD_ID bytes. */
void opennext_prefix(const char *build_id, bool original, char out[OPENNEXT_MAX_KEY]);

/* The tag of an op is NAMESPACE/TAG (docs/semantics.md, "Keys"): the part before the slash; len 0 where there is
 * no slash. */
struct larder_bytes opennext_namespace(struct larder_bytes tag);

/*
 * The twin of the tag of an op: the item that OpenNext has for the tag; in the original mode, where it has one for
 * each path, that of a path of Larder's own.  False: it has none that is the tag's own: the mark of a namespace, a
 * tag that the core hashed, a key that is too long for DynamoDB, or one that leaves the tags of its build ("../x").
 */
bool opennext_twin(const struct ddb_names *names, struct larder_bytes tag, struct opennext_key *ret);
/* Original mode: whether a path is that of a twin. */
bool opennext_is_twin_path(const struct ddb_names *names, struct larder_bytes path);
/* Original mode: whether a tag, as it stands in an item, is one of a route. */
bool opennext_is_soft(const struct ddb_names *names, struct larder_bytes tag);
/* Original mode: the item that says that the entry `key` of an op has the tag of an op.  False: there is none. */
bool opennext_member(const struct ddb_names *names, struct larder_bytes key, struct larder_bytes tag,
                     struct opennext_key *ret);

/* 'tag':{'S':..},'path':{'S':..} */
void opennext_text_key(struct ddb_text *t, const struct opennext_key *key);

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
