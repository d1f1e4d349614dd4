/*
 * Reading JavaScript arguments.  The first thing that is wrong is kept and every later read
 * answers zeroes, so a caller reads all it needs and looks at `status` once.  Texts become
 * WTF-8 without loss, lone surrogates included.  JavaScript thread only.
 */
#ifndef NODE_ARGS_H
#define NODE_ARGS_H

#include <node_api.h>

#include "larder/larder.h"
#include "scratch.h"

enum { MAX_ARGS = 14, COMPLAINT_TEXT = 96 };

struct args {
    napi_env env;
    void *data; /* the function's own */
    size_t n;
    napi_value values[MAX_ARGS]; /* missing ones: undefined */
    struct scratch *scratch;     /* where texts and arrays go */
    int32_t status;              /* LARDER_OK, LARDER_INVALID or LARDER_NOMEM */
    char complaint[COMPLAINT_TEXT];
};

void args_init(struct args *args, napi_env env, napi_callback_info info, struct scratch *scratch);

/* `name` is for the complaint ("key is not a string"). */
void args_fail(struct args *args, int32_t status, const char *name, const char *what);

uint32_t args_u32(struct args *args, size_t i, const char *name);
double args_double(struct args *args, size_t i, const char *name);
/* Milliseconds: NaN is LARDER_UNSET, Infinity LARDER_FOREVER. */
int64_t args_ms(struct args *args, size_t i, const char *name);
/* What is no epoch is 0: one that is too small costs a render, one too large would hide a
 * revalidation. */
int64_t args_epoch(struct args *args, size_t i, const char *name);
struct larder_bytes args_text(struct args *args, size_t i, const char *name);
/* An array of strings; null and undefined are empty. */
const struct larder_bytes *args_texts(struct args *args, size_t i, const char *name, size_t *ret_n);
/* An array of strings (copied, as UTF-16) and Uint8Arrays (borrowed: the caller keeps them alive
 * and unchanged).  names: an array of strings as long as this one, or nothing. */
const struct larder_part *args_parts(struct args *args, size_t i, size_t names, uint32_t *ret_n);

/* One string as WTF-8 with a NUL behind it (not counted); ptr NULL on failure. */
struct larder_bytes args_read_text(struct args *args, napi_value value, const char *name);

#endif
