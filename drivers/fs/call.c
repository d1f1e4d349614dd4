#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "fs.h"

void fs_call_init(struct fs_call *c, struct fs *fs, struct larder_op *op) {
    *c = (struct fs_call){.fs = fs,
                          .op = op,
                          .sys = fs->sys,
                          .lane = op != NULL ? op->lane : fs->n_lanes,
                          .now_ms = op != NULL ? op->now_ms : atomic_load(&fs->seen_ms),
                          .deadline_ns = op != NULL ? op->deadline_ns : UINT64_MAX};
    if (op != NULL)
        atomic_store_explicit(&fs->seen_ms, op->now_ms, memory_order_relaxed);
}

int32_t fs_fail(struct fs_call *c, int32_t status, const char *format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(c->detail, sizeof(c->detail), format, args);
    va_end(args);
    for (char *p = c->detail; *p != 0; p++)
        if ((unsigned char)*p < ' ')
            *p = '?'; /* one line, whatever a path holds */
    return status;
}

/* What can be done about it, and by whom: that is what people read the line for. */
static int32_t class_of(int err, const char **ret_way_out) {
    switch (err) {
    case ENOSPC: *ret_way_out = "the disk is full: free space or lower max-size"; return LARDER_RETRY;
    case EDQUOT: *ret_way_out = "the disk quota is used up: raise it or lower max-size"; return LARDER_RETRY;
    case EACCES:
    case EPERM:
        *ret_way_out = "this process may not: give its user access to the folder";
        return LARDER_DENIED;
    case EROFS:
        *ret_way_out = "the file system is read-only: mount it writable or choose another folder";
        return LARDER_DENIED;
    case ELOOP:
        *ret_way_out = "it is a symbolic link, which is not followed inside the folder";
        return LARDER_DENIED;
    case ENOTDIR: *ret_way_out = "a file is where a folder should be: move it away"; return LARDER_DENIED;
    case EISDIR: *ret_way_out = "a folder is where a file should be: move it away"; return LARDER_DENIED;
    case ENAMETOOLONG: *ret_way_out = "the path is too long"; return LARDER_INVALID;
    case EFBIG:
        *ret_way_out = "the file would be too large for this file system or the process's limit";
        return LARDER_TOO_BIG;
    case EMFILE:
        *ret_way_out = "this process has too many open files: raise its limit (ulimit -n)";
        return LARDER_RETRY;
    case ENFILE: *ret_way_out = "the system has too many open files"; return LARDER_RETRY;
    case ENOMEM: *ret_way_out = "out of memory"; return LARDER_NOMEM;
    case ENOLCK:
        *ret_way_out = "the file system gives no locks: on NFS, is its lock service running?";
        return LARDER_RETRY;
    case ENOSYS:
    case EINVAL:
    case EOPNOTSUPP: *ret_way_out = "the file system or kernel cannot do this"; return LARDER_UNSUPPORTED;
    case ESTALE: *ret_way_out = "the network file system lost the file"; return LARDER_RETRY;
    case EIO: *ret_way_out = "the disk reports an error"; return LARDER_RETRY;
    case ENOENT: *ret_way_out = "it has been removed"; return LARDER_RETRY;
    default: *ret_way_out = NULL; return LARDER_RETRY;
    }
}

int32_t fs_fail_errno(struct fs_call *c, int err, const char *verb, const char *file) {
    enum { SHOWN = 80 };
    const char *way_out, *root = c->fs->root_path, *slash = file != NULL ? "/" : "", *dots = "";
    size_t len = strlen(root);
    int32_t status = class_of(err, &way_out);
    char number[32];
    if (file == NULL)
        file = "";
    if (len > SHOWN) { /* its end says more than its beginning */
        root += len - SHOWN;
        dots = "...";
    }
    if (way_out == NULL) {
        snprintf(number, sizeof(number), "error %d", err);
        way_out = number;
    }
    c->native_code = err;
    return fs_fail(c, status, "cannot %s %s%s%s%s: %s", verb, dots, root, slash, file, way_out);
}

int32_t fs_in_time(struct fs_call *c) {
    if (c->deadline_ns != UINT64_MAX && c->fs->host->now_ns() >= c->deadline_ns)
        return fs_fail(c, LARDER_DEADLINE, "its time was up");
    return LARDER_OK;
}

int32_t fs_with_folder(struct fs_call *c, enum fs_need need, fs_fn *fn) {
    int32_t status = FS_MOVED;
    for (int turn = 0; status == FS_MOVED && turn < 4; turn++) {
        status = fs_folder_get(c, need);
        if (status == LARDER_OK)
            status = fn(c);
        c->folder = fs_folder_unref(c->sys, c->folder);
        if (status == FS_MOVED)
            c->recheck = true;
    }
    if (status == FS_MOVED)
        return fs_fail(c, LARDER_RETRY, "the folder %.80s is being replaced again and again",
                       c->fs->root_path);
    return status;
}
