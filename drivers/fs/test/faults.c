#include "faults.h"

#include <dirent.h>
#include <errno.h>

struct faults faults;

static bool fails(unsigned kind) {
    if (!(faults.kinds & kind))
        return false;
    long n = ++faults.count;
    if (faults.at == 0 || (n != faults.at && !(faults.forever && n > faults.at)))
        return false;
    faults.failed++;
    errno = faults.err;
    return true;
}

static size_t bound(size_t len) {
    return faults.most != 0 && len > faults.most ? faults.most : len;
}

static int f_openat(int dir, const char *path, int flags, mode_t mode) {
    bool writing = (flags & (O_WRONLY | O_RDWR | O_CREAT)) != 0;
    if ((writing || !faults.writing_opens) && fails(FAIL_OPENAT))
        return -1;
    return fs_sys_real.openat(dir, path, flags, mode);
}

/* A close that fails has closed all the same. */
static int f_close(int fd) {
    int result = fs_sys_real.close(fd);
    return fails(FAIL_CLOSE) ? -1 : result;
}

static ssize_t f_pread(int fd, void *buf, size_t len, off_t at) {
    return fails(FAIL_PREAD) ? -1 : fs_sys_real.pread(fd, buf, bound(len), at);
}

/* A write that fails has written half of it, if that is what the test wants to see. */
static ssize_t f_pwrite(int fd, const void *buf, size_t len, off_t at) {
    if (fails(FAIL_PWRITE)) {
        int err = errno;
        if (fs_sys_real.pwrite(fd, buf, len / 2, at) < 0)
            return -1;
        errno = err;
        return -1;
    }
    return fs_sys_real.pwrite(fd, buf, bound(len), at);
}

static ssize_t f_writev(int fd, const struct iovec *parts, int n) {
    if (fails(FAIL_WRITEV))
        return -1;
    if (faults.most == 0)
        return fs_sys_real.writev(fd, parts, n);
    struct iovec one = {parts->iov_base, bound(parts->iov_len)};
    return fs_sys_real.writev(fd, &one, 1);
}

static int f_fstat(int fd, struct stat *ret) {
    return fails(FAIL_FSTAT) ? -1 : fs_sys_real.fstat(fd, ret);
}
static int f_fstatat(int dir, const char *path, struct stat *ret, int flags) {
    return fails(FAIL_FSTATAT) ? -1 : fs_sys_real.fstatat(dir, path, ret, flags);
}
static int f_mkdirat(int dir, const char *path, mode_t mode) {
    return fails(FAIL_MKDIRAT) ? -1 : fs_sys_real.mkdirat(dir, path, mode);
}
static int f_unlinkat(int dir, const char *path, int flags) {
    return fails(FAIL_UNLINKAT) ? -1 : fs_sys_real.unlinkat(dir, path, flags);
}
static int f_rename(int from_dir, const char *from, int to_dir, const char *to, unsigned flags) {
    return fails(FAIL_RENAME) ? -1 : fs_sys_real.renameat2(from_dir, from, to_dir, to, flags);
}
static int f_ftruncate(int fd, off_t len) {
    return fails(FAIL_TRUNCATE) ? -1 : fs_sys_real.ftruncate(fd, len);
}
static int f_fsync(int fd) {
    (void)fd; /* that it syncs is not what these tests are about */
    return fails(FAIL_FSYNC) ? -1 : 0;
}
static int f_futimens(int fd, const struct timespec times[2]) {
    return fails(FAIL_FUTIMENS) ? -1 : fs_sys_real.futimens(fd, times);
}
static int f_setlk(int fd, struct flock *lock) {
    return fails(FAIL_SETLK) ? -1 : fs_sys_real.setlk(fd, lock);
}
static ssize_t f_getdents(int fd, void *buf, size_t len) {
    return fails(FAIL_GETDENTS) ? -1 : fs_sys_real.getdents(fd, buf, len);
}
static int f_reserve(int fd, off_t at, off_t len) {
    return fails(FAIL_RESERVE) ? -1 : fs_sys_real.reserve(fd, at, len);
}
static int f_fstype(int fd, uint64_t *ret_magic) {
    return fails(FAIL_FSTYPE) ? -1 : fs_sys_real.fstype(fd, ret_magic);
}
static ssize_t f_random(void *buf, size_t len) {
    return fails(FAIL_RANDOM) ? -1 : fs_sys_real.random(buf, len);
}

const struct fs_sys faults_sys = {
    .openat = f_openat,
    .close = f_close,
    .pread = f_pread,
    .pwrite = f_pwrite,
    .writev = f_writev,
    .fstat = f_fstat,
    .fstatat = f_fstatat,
    .mkdirat = f_mkdirat,
    .unlinkat = f_unlinkat,
    .renameat2 = f_rename,
    .ftruncate = f_ftruncate,
    .fsync = f_fsync,
    .fdatasync = f_fsync,
    .futimens = f_futimens,
    .setlk = f_setlk,
    .getdents = f_getdents,
    .reserve = f_reserve,
    .fstype = f_fstype,
    .random = f_random,
};

int faults_open_fds(void) {
    int n = 0;
    DIR *dir = opendir("/proc/self/fd");
    while (dir != NULL && readdir(dir) != NULL)
        n++;
    if (dir != NULL)
        closedir(dir);
    return n;
}
