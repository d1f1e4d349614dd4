/*
 * A table of system calls in which any call can fail: the n-th, or all from the n-th on.  For one
 * thread at a time.
 */
#ifndef FS_TEST_FAULTS_H
#define FS_TEST_FAULTS_H

#include "mini.h"

enum faults_kind {
    FAIL_OPENAT = 1 << 0,
    FAIL_CLOSE = 1 << 1,
    FAIL_PREAD = 1 << 2,
    FAIL_PWRITE = 1 << 3,
    FAIL_WRITEV = 1 << 4,
    FAIL_FSTAT = 1 << 5,
    FAIL_FSTATAT = 1 << 6,
    FAIL_MKDIRAT = 1 << 7,
    FAIL_UNLINKAT = 1 << 8,
    FAIL_RENAME = 1 << 9,
    FAIL_TRUNCATE = 1 << 10,
    FAIL_FSYNC = 1 << 11,
    FAIL_FUTIMENS = 1 << 12,
    FAIL_SETLK = 1 << 13,
    FAIL_GETDENTS = 1 << 14,
    FAIL_RESERVE = 1 << 15,
    FAIL_FSTYPE = 1 << 16,
    FAIL_RANDOM = 1 << 17,
    FAIL_ALL = (1 << 18) - 1,
    /* What a signal may interrupt, by the manual. */
    FAIL_INTERRUPTED = FAIL_OPENAT | FAIL_CLOSE | FAIL_PREAD | FAIL_PWRITE | FAIL_WRITEV | FAIL_TRUNCATE |
                       FAIL_FSYNC | FAIL_SETLK | FAIL_GETDENTS,
    /* What needs the right to write. */
    FAIL_WRITES = FAIL_PWRITE | FAIL_WRITEV | FAIL_MKDIRAT | FAIL_UNLINKAT | FAIL_RENAME | FAIL_TRUNCATE |
                  FAIL_FUTIMENS
};

struct faults {
    unsigned kinds; /* calls that count and may fail */
    long at;        /* which of them, from 1; 0: none */
    bool forever;   /* and all after it */
    int err;
    bool writing_opens; /* openat() fails only when it asks to write or create */
    size_t most;        /* bytes per transfer; 0: no bound */
    long count;         /* calls seen */
    long failed;
};
extern struct faults faults;
extern const struct fs_sys faults_sys;

/* Open descriptors of this process. */
int faults_open_fds(void);

#endif
