/*
 * Where an entry lives in its store: <build or "shared">/<kind>/<key>; the layer `namespace`
 * puts the namespace before it.  A key that the store cannot take - longer than max_key, or
 * with bytes it refuses - is stored under "~" and 32 hex digits of a hash; its full key is in
 * the frame and compared on reading.  Tags: the tag itself, or the same kind of hash.  What
 * looks like such a hash itself is hashed too, so that "~" and 32 digits always is one.
 */
#ifndef CORE_KEY_H
#define CORE_KEY_H

#include <stdbool.h>

#include "arena.h"
#include "larder/larder.h"

struct key_rules {
    uint64_t max_key;      /* bytes left for what is made here; 0: no limit */
    uint32_t key_bytes;    /* as larder_info.key_bytes */
    uint32_t shared_kinds; /* bit (1 << kind): not under the build id */
    uint32_t listed;       /* 1: a key that looks like a hash is one: it came from key_parse() */
    uint32_t fold;         /* 1: tags of which each path or entry has its own share KEY_FOLDS marks */
};

/* A build id is data as well: bytes outside [A-Za-z0-9._-], "." and ".." and the first letter
 * of "shared" are escaped as %XX, the empty one is "%", and one too long for max_key is hashed,
 * so that it is one segment.  malloc()ed into *ret (free() ptr), never longer than max_key where
 * that is KEY_LEAST or more.  LARDER_NOMEM; LARDER_INVALID: no such kind. */
enum { KEY_LEAST = 77 }; /* two hashes, the longest kind's name, two slashes */
int32_t key_make(const struct key_rules *rules, uint32_t kind, struct larder_bytes build,
                 struct larder_bytes key, struct larder_bytes *ret);
/* A name as one segment: the escaping of build ids, for the layer `namespace` as well.  put
 * writes len bytes and answers where they ended. */
size_t key_segment_len(struct larder_bytes name);
uint8_t *key_segment_put(struct larder_bytes name, uint8_t *out);
/* What that wrote, back into out (segment.len bytes of room); false: it wrote no such thing. */
bool key_segment_parse(struct larder_bytes segment, uint8_t *out, struct larder_bytes *ret);
/* The other way: fields point into `physical`, but build, which is unescaped into *ret_build
 * (malloc()ed; ret->build points there).  LARDER_INVALID: not one of ours. */
int32_t key_parse(struct larder_bytes physical, struct larder_listed *ret, uint8_t **ret_build);
/* A tag as the store can take it: *ret points to `tag` itself, or into buf.  In a lossy store every tag
 * that is read has a mark, so there must not be one for each path: with `fold` a path's own tags
 * ("_N_T_/blog/hello") and an entry's own ("\1entry/...") are "_N_T_~" or "\1entry/~" and three hex digits
 * of a hash. */
enum { KEY_HASHED_LEN = 33, KEY_FOLDS = 4096 };
#define KEY_ENTRY_TAG "\1entry/" /* no tag of Next.js begins so; one that did would cost reads */
void key_tag(const struct key_rules *rules, struct larder_bytes tag, uint8_t buf[KEY_HASHED_LEN],
             struct larder_bytes *ret);

/* The same for n tags, in the arena, which copies no more than hashes: the tags must live as long.  NULL:
 * no memory. */
struct larder_bytes *key_map_tags(const struct key_rules *rules, const struct larder_bytes *tags, size_t n,
                                  struct arena *arena);

/* Whether bytes satisfy a store's key_bytes; 2, printable ASCII, is 0x21 to 0x7E: no space. */
bool key_bytes_allowed(uint32_t key_bytes, struct larder_bytes key);

#endif
