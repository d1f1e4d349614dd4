/*
 * A host as small as can be, for the tests of this driver alone: ops are called where the test
 * stands and have been completed when the call returns.  What a driver must not do - complete
 * twice or never, fail without a reason - ends the program with a line.
 *
 * Any thread may call ops, each with a lane of its own.  The clock stands still unless set.
 */
#ifndef FS_TEST_MINI_H
#define FS_TEST_MINI_H

#include <stdatomic.h>
#include <stdbool.h>

#include "../fs.h"

struct mini { /* one instance of the driver */
    struct fs_config config;
    struct larder_info info;
    void *instance;
    const struct fs_sys *sys;
    char error[LARDER_ERROR_SIZE];
};

struct mini_op { /* an op and its answer */
    struct larder_op op;
    struct larder_result result;
    char detail[256];
    char cursor[64];
    struct larder_mark *marks; /* emitted; tags are NUL-terminated copies */
    size_t n_marks;
    char **keys; /* emitted keys, or texts */
    size_t *key_lens;
    size_t n_keys;
    int completed;
};

extern const struct larder_host mini_host;
extern _Atomic int64_t mini_now_ms;       /* for new ops */
extern _Atomic uint64_t mini_now_ns;      /* of the host's clock; 0: the machine's */
extern _Atomic uint64_t mini_deadline_ns; /* from now, for new ops */
extern atomic_int mini_bufs;              /* alive */
extern atomic_int mini_warnings;          /* log lines of LARDER_LOG_WARN and worse */
extern char mini_last_warning[LARDER_ERROR_SIZE];

/* A folder under the build tree or TMPDIR that does not exist yet; the same as long as the
 * program runs with the same name. */
const char *mini_folder(const char *name);
void mini_remove_tree(const char *path);

void mini_config(struct mini *m, const char *path); /* every preset */
void mini_open(struct mini *m);
void mini_close(struct mini *m);
static inline struct fs *mini_fs(const struct mini *m) {
    return m->instance;
}
void mini_sweep(struct mini *m);
/* Runs what was posted or offloaded; how many. */
int mini_turn(void);

struct larder_bytes mini_text(const char *text);
#define MINI_MARK(tag_, expired_) \
    ((struct larder_mark){mini_text(tag_), (expired_), LARDER_UNSET, LARDER_UNSET})

void mini_op_init(struct mini_op *o, uint32_t code);
/* Calls it and returns the status; the answer stays until mini_op_done(). */
int32_t mini_call(struct mini *m, struct mini_op *o);
void mini_op_done(struct mini_op *o);

/* In one call each. */
int32_t mini_put(struct mini *m, uint32_t lane, struct larder_bytes key, struct larder_bytes value,
                 int64_t epoch);
/* The value copied into out (NUL-terminated), its length in *ret_len, the epoch in *ret_epoch. */
int32_t mini_get(struct mini *m, uint32_t lane, struct larder_bytes key, char *out, size_t size,
                 size_t *ret_len, int64_t *ret_epoch);
int32_t mini_remove(struct mini *m, struct larder_bytes key);
int32_t mini_write(struct mini *m, uint32_t lane, struct larder_mark mark);
/* The mark of a tag; LARDER_MISS: none. */
int32_t mini_read(struct mini *m, uint32_t lane, const char *tag, struct larder_mark *ret);
int32_t mini_advance(struct mini *m, uint32_t lane, const char *name, int64_t add, int64_t *ret_epoch);
int32_t mini_bump(struct mini *m, uint32_t lane, const char *name, const char *const tags[], size_t n,
                  int64_t *ret_epoch);

#endif
