#include "sys.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/vfs.h>
#include <unistd.h>

/* ---- the real table ---------------------------------------------------------- */

static int real_openat(int dir, const char *path, int flags, mode_t mode) {
    return openat(dir, path, flags, mode);
}

static int real_setlk(int fd, struct flock *lock) {
    return fcntl(fd, F_OFD_SETLK, lock);
}

static ssize_t real_getdents(int fd, void *buf, size_t len) {
    return getdents64(fd, buf, len);
}

static int real_reserve(int fd, off_t at, off_t len) {
    return fallocate(fd, FALLOC_FL_KEEP_SIZE, at, len);
}

static int real_fstype(int fd, uint64_t *ret_magic) {
    struct statfs st;
    if (fstatfs(fd, &st) != 0)
        return -1;
    *ret_magic = (uint64_t)st.f_type;
    return 0;
}

static ssize_t real_random(void *buf, size_t len) {
    return getrandom(buf, len, 0);
}

const struct fs_sys fs_sys_real = {
    .openat = real_openat,
    .close = close,
    .pread = pread,
    .pwrite = pwrite,
    .writev = writev,
    .fstat = fstat,
    .fstatat = fstatat,
    .mkdirat = mkdirat,
    .unlinkat = unlinkat,
    .renameat2 = renameat2,
    .ftruncate = ftruncate,
    .fsync = fsync,
    .fdatasync = fdatasync,
    .futimens = futimens,
    .setlk = real_setlk,
    .getdents = real_getdents,
    .reserve = real_reserve,
    .fstype = real_fstype,
    .random = real_random,
};

/* ---- helpers ------------------------------------------------------------------- */

int sys_open(const struct fs_sys *sys, int dir, const char *path, int flags, mode_t mode, int *ret_fd) {
    int fd;
    do {
        fd = sys->openat(dir, path, flags | O_CLOEXEC | O_NOFOLLOW, mode);
    } while (fd < 0 && errno == EINTR);
    if (fd < 0)
        return errno;
    *ret_fd = fd;
    return 0;
}

/* On Linux the descriptor is gone even when close() fails, EINTR included: never repeated. */
int sys_close(const struct fs_sys *sys, int *fd) {
    int was = *fd;
    *fd = -1;
    if (was < 0 || sys->close(was) == 0 || errno == EINTR)
        return 0;
    return errno;
}

int sys_read(const struct fs_sys *sys, int fd, void *buf, size_t len, uint64_t at, size_t *ret_len) {
    size_t done = 0;
    while (done < len) {
        ssize_t n = sys->pread(fd, (char *)buf + done, len - done, (off_t)(at + done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno;
        if (n == 0)
            break;
        done += (size_t)n;
    }
    *ret_len = done;
    return 0;
}

int sys_write(const struct fs_sys *sys, int fd, const void *buf, size_t len, uint64_t at) {
    size_t done = 0;
    while (done < len) {
        ssize_t n = sys->pwrite(fd, (const char *)buf + done, len - done, (off_t)(at + done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno;
        if (n == 0)
            return EIO; /* a file that takes nothing and gives no reason */
        done += (size_t)n;
    }
    return 0;
}

int sys_writev(const struct fs_sys *sys, int fd, struct iovec *parts, int n) {
    for (;;) {
        while (n > 0 && parts->iov_len == 0) {
            parts++;
            n--;
        }
        if (n == 0)
            return 0;
        ssize_t done = sys->writev(fd, parts, n);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return errno;
        if (done == 0)
            return EIO;
        for (size_t left = (size_t)done; left > 0;) {
            size_t step = left < parts->iov_len ? left : parts->iov_len;
            parts->iov_base = (char *)parts->iov_base + step;
            parts->iov_len -= step;
            left -= step;
            if (parts->iov_len == 0 && left > 0) {
                parts++;
                n--;
            }
        }
    }
}

int sys_fsync(const struct fs_sys *sys, int fd) {
    while (sys->fsync(fd) != 0)
        if (errno != EINTR)
            return errno;
    return 0;
}

int sys_fdatasync(const struct fs_sys *sys, int fd) {
    while (sys->fdatasync(fd) != 0)
        if (errno != EINTR)
            return errno;
    return 0;
}

int sys_truncate(const struct fs_sys *sys, int fd, uint64_t len) {
    while (sys->ftruncate(fd, (off_t)len) != 0)
        if (errno != EINTR)
            return errno;
    return 0;
}

int sys_mkdir(const struct fs_sys *sys, int dir, const char *path, mode_t mode, bool *ret_made) {
    bool made = sys->mkdirat(dir, path, mode) == 0;
    if (!made && errno != EEXIST)
        return errno;
    if (ret_made)
        *ret_made = made;
    return 0;
}

int sys_fsync_dir(const struct fs_sys *sys, int dir, const char *path) {
    int fd = -1;
    int err = sys_open(sys, dir, path, O_RDONLY | O_DIRECTORY, 0, &fd);
    if (err == 0)
        err = sys_fsync(sys, fd);
    sys_close(sys, &fd);
    return err == EINVAL ? 0 : err; /* a file system whose directories cannot be synced has nothing to sync */
}

int sys_each(const struct fs_sys *sys, int dir, const char *path, sys_name_fn *fn, void *arg) {
    enum { SIZE = 32 * 1024 };
    int fd = -1;
    char *buf = NULL;
    int err = sys_open(sys, dir, path, O_RDONLY | O_DIRECTORY, 0, &fd);
    if (err != 0)
        return err;
    buf = malloc(SIZE);
    if (buf == NULL) {
        err = ENOMEM;
        goto out;
    }
    for (bool more = true; more;) {
        ssize_t n = sys->getdents(fd, buf, SIZE);
        if (n < 0) {
            if (errno == EINTR)
                continue;
            err = errno;
            break;
        }
        if (n == 0)
            break;
        for (size_t at = 0; more && at < (size_t)n;) {
            unsigned short record_len;
            memcpy(&record_len, buf + at + offsetof(struct dirent64, d_reclen), sizeof(record_len));
            const char *name = buf + at + offsetof(struct dirent64, d_name);
            if (strcmp(name, ".") != 0 && strcmp(name, "..") != 0)
                more = fn(arg, name);
            at += record_len;
        }
    }
out:
    free(buf);
    sys_close(sys, &fd);
    return err;
}
