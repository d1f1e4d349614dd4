#include "live_folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bytes.h"
#include "config_parts.h"
#include "error.h"

/* What a socket is called once it is listened on.  Before that it has another name, so that none that
 * refuses a connection belongs to a process that is alive. */
static const char SUFFIX[] = ".sock";

bool live_folder_is_valid(const char *setting) {
    return strcmp(setting, "off") == 0 || strcmp(setting, "auto") == 0 || strchr(setting, '/') != NULL;
}

/* Not TMPDIR: the process that asks has another environment than the one that is asked. */
char *live_folder_path(const char *setting) {
    char path[64];
    if (strchr(setting, '/') != NULL)
        return strdup(setting);
    snprintf(path, sizeof(path), "%s/larder-%u", P_tmpdir, (unsigned)geteuid());
    return strdup(path);
}

/* ---- trust ---------------------------------------------------------------------- */

static int32_t refuse_errno(struct larder_error *error, const char *path) {
    char why[64];
    int cause = errno;
    const char *text = cause == ELOOP || cause == ENOTDIR ? "it is a symbolic link, or no folder"
                                                          : strerror_r(cause, why, sizeof(why));
    int32_t status = cause == ENOENT ? LARDER_MISS : LARDER_DENIED;
    return error_set(error, status, "folder '%s' (setting live): %s", path, text);
}

int32_t live_folder_open(const char *path, bool make, int *ret_fd, struct larder_error *error) {
    struct stat st;
    if (make && mkdir(path, 0700) != 0 && errno != EEXIST)
        return refuse_errno(error, path);
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return refuse_errno(error, path);
    const char *why = NULL;
    if (fstat(fd, &st) != 0)
        why = "it cannot be looked at";
    else if (st.st_uid != geteuid() && (make || geteuid() != 0))
        why = "it belongs to another user";
    else if (st.st_mode & (S_IWGRP | S_IWOTH))
        why = "others may write there";
    if (why != NULL) {
        close(fd);
        return error_set(error, LARDER_DENIED, "folder '%s' (setting live): %s", path, why);
    }
    *ret_fd = fd;
    return LARDER_OK;
}

/* ---- sockets -------------------------------------------------------------------- */

struct sockaddr_un live_folder_address(int folder_fd, const char *name) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/%.60s", folder_fd, name);
    return address;
}

static bool is_socket(int folder_fd, const char *name) {
    struct stat st;
    size_t len = strlen(name);
    if (len < sizeof(SUFFIX) || len > 60 || strcmp(name + len - sizeof(SUFFIX) + 1, SUFFIX) != 0)
        return false;
    /* In somebody else's folder, where root may look, a link could lead anywhere. */
    return fstatat(folder_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISSOCK(st.st_mode);
}

/* Whether who listens is who the folder belongs to: for root, who looks at others' folders. */
static bool is_owners(int folder_fd, int fd) {
    struct stat st;
    struct ucred peer;
    socklen_t len = sizeof(peer);
    return fstat(folder_fd, &st) == 0 && getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 &&
           peer.uid == st.st_uid;
}

static void look_at(int folder_fd, const char *name, void (*fn)(void *arg, int fd), void *arg) {
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return;
    struct sockaddr_un address = live_folder_address(folder_fd, name);
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
        if (errno == ECONNREFUSED)
            unlinkat(folder_fd, name, 0);
    } else if (fn != NULL && is_owners(folder_fd, fd)) {
        fn(arg, fd); /* and it is fn's */
        return;
    }
    close(fd);
}

void live_folder_each(int folder_fd, unsigned most, void (*fn)(void *arg, int fd), void *arg) {
    /* A description of its own: the position in a folder belongs to that. */
    int fd = openat(folder_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *folder = fd >= 0 ? fdopendir(fd) : NULL;
    if (folder == NULL) {
        if (fd >= 0)
            close(fd);
        return;
    }
    for (struct dirent *entry; most > 0 && (entry = readdir(folder)) != NULL;) {
        if (!is_socket(folder_fd, entry->d_name))
            continue;
        most--;
        look_at(folder_fd, entry->d_name, fn, arg);
    }
    closedir(folder);
}

/* ---- for whoever asks --------------------------------------------------------------- */

static char *path_of(const struct larder_config *config) {
    const char *setting = "auto";
    for (size_t i = 0; i < config->n; i++)
        if (strcmp(config->settings[i].name, "live") == 0)
            setting = config->settings[i].value;
    return live_folder_path(setting);
}

int32_t larder_live_folder(const struct larder_config *config, char **ret_path, struct larder_error *error) {
    char *path = path_of(config);
    if (path == NULL)
        return error_set(error, LARDER_NOMEM, "out of memory");
    *ret_path = path;
    return LARDER_OK;
}

int32_t larder_live_each(const struct larder_config *config, void (*fn)(void *arg, int fd), void *arg,
                         struct larder_error *error) {
    int fd = -1;
    char *path = path_of(config);
    if (path == NULL)
        return error_set(error, LARDER_NOMEM, "out of memory");
    int32_t status = live_folder_open(path, false, &fd, error);
    free(path);
    if (status != LARDER_OK)
        return status;
    live_folder_each(fd, UINT_MAX, fn, arg);
    close(fd);
    return LARDER_OK;
}
