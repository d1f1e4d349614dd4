/*
 * The system calls of this driver, as a table, so that a test can make any of them fail, fall
 * short or be interrupted.  The members are the calls of the manual, errno and all; the helpers
 * below add what every caller wants: whole transfers, and no EINTR.
 */
#ifndef FS_SYS_H
#define FS_SYS_H

#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>

struct fs_sys {
    int (*openat)(int dir, const char *path, int flags, mode_t mode);
    int (*close)(int fd);
    ssize_t (*pread)(int fd, void *buf, size_t len, off_t at);
    ssize_t (*pwrite)(int fd, const void *buf, size_t len, off_t at);
    ssize_t (*writev)(int fd, const struct iovec *parts, int n);
    int (*fstat)(int fd, struct stat *ret);
    int (*fstatat)(int dir, const char *path, struct stat *ret, int flags);
    int (*mkdirat)(int dir, const char *path, mode_t mode);
    int (*unlinkat)(int dir, const char *path, int flags);
    int (*renameat2)(int from_dir, const char *from, int to_dir, const char *to, unsigned flags);
    int (*ftruncate)(int fd, off_t len);
    int (*fsync)(int fd);
    int (*fdatasync)(int fd);
    int (*futimens)(int fd, const struct timespec times[2]);
    int (*setlk)(int fd, struct flock *lock);           /* fcntl(F_OFD_SETLK): never waits */
    ssize_t (*getdents)(int fd, void *buf, size_t len); /* struct dirent64s */
    int (*reserve)(int fd, off_t at, off_t len);        /* fallocate(FALLOC_FL_KEEP_SIZE) */
    int (*fstype)(int fd, uint64_t *ret_magic);         /* fstatfs(), f_type */
    ssize_t (*random)(void *buf, size_t len);           /* getrandom() */
};

extern const struct fs_sys fs_sys_real;

/* All return 0, or an errno value (never -1). */

/* *ret_fd: close-on-exec; a last component that is a symbolic link is refused (ELOOP). */
int sys_open(const struct fs_sys *sys, int dir, const char *path, int flags, mode_t mode, int *ret_fd);
/* Closes *fd if it is one and sets it to -1.  The error matters after writing: the last chance
 * of a network file system to tell that the bytes did not arrive. */
int sys_close(const struct fs_sys *sys, int *fd);
/* Up to len bytes; *ret_len is smaller only at the end of the file. */
int sys_read(const struct fs_sys *sys, int fd, void *buf, size_t len, uint64_t at, size_t *ret_len);
int sys_write(const struct fs_sys *sys, int fd, const void *buf, size_t len, uint64_t at);
/* All bytes of all parts, which are consumed. */
int sys_writev(const struct fs_sys *sys, int fd, struct iovec *parts, int n);
int sys_fsync(const struct fs_sys *sys, int fd);
int sys_fdatasync(const struct fs_sys *sys, int fd);
int sys_truncate(const struct fs_sys *sys, int fd, uint64_t len);
/* Makes the directory unless it is there. */
int sys_mkdir(const struct fs_sys *sys, int dir, const char *path, mode_t mode, bool *ret_made);
/* Makes sure that the names in a directory are on the disk. */
int sys_fsync_dir(const struct fs_sys *sys, int dir, const char *path);

/* Calls fn for each name in the directory but "." and ".."; stops when fn returns false. */
typedef bool sys_name_fn(void *arg, const char *name);
int sys_each(const struct fs_sys *sys, int dir, const char *path, sys_name_fn *fn, void *arg);

#endif
