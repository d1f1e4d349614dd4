/*
 * The objects of OpenNext's incremental cache `s3`: their names, and their JSON beside Larder's frame.  README.md
 * ("A bucket of OpenNext's") has what stands for what.  Pure.
 */
#ifndef S3_OPENNEXT_H
#define S3_OPENNEXT_H

#include "frame.h"
#include "name.h"

enum { OPENNEXT_MAX_JSON = 11 << 20 }; /* of a frame, so that its JSON stays below 16 MB */

struct opennext {
    const char *prefix; /* CACHE_BUCKET_KEY_PREFIX, without slashes around it; "" */
    const char *build;  /* OPEN_NEXT_BUILD_ID: A-Z a-z 0-9 . _ - */
};

/*
 * The name of the object for a key as the core makes it, NAMESPACE/BUILD/KIND/KEY, added to `name`; *ret_kind and
 * *ret_key are taken from it.  False: OpenNext has none that is this key's own - an image, a hash, a key
 * that path.posix.join() would change (with ".." in it, it could leave its build), or one that is too long.
 */
bool opennext_name(const struct opennext *o, struct larder_bytes key, struct aws_text *name,
                   uint32_t *ret_kind, struct larder_bytes *ret_key);

enum opennext_folder { OPENNEXT_BUILD, OPENNEXT_FETCH }; /* where objects of a build are */
/* "PREFIX/BUILD/" or "PREFIX/__fetch/BUILD/". */
void opennext_add_folder(const struct opennext *o, enum opennext_folder folder, struct aws_text *out);
/* Kind and key of the object with this name behind its folder; the key into out (name.len + 1 bytes).  False:
 * it is no entry. */
bool opennext_read_name(enum opennext_folder folder, struct larder_bytes name, uint32_t *ret_kind,
                        uint8_t *out, size_t *ret_len);

/* The body of the object for an entry.  What OpenNext has no form for is kept as it is, in a form that is a miss
 * there.  False: no memory, or it is no frame. */
bool opennext_json(struct larder_bytes frame, struct json_memory *memory, struct aws_text *out);

/* The entry in a body, lent from it and from memory: kind, key and the times of the caller's are in *ret already,
 * but for an entry of Larder's, which brings its own `revalidate` and `expire`.  LARDER_OK; LARDER_MISS: nothing
 * that can be served; LARDER_CORRUPT: no JSON; LARDER_NOMEM.  `text` holds what is put together. */
int32_t opennext_entry(struct larder_bytes json, struct json_memory *memory, struct aws_text *text,
                       struct frame_entry *ret);

#endif
