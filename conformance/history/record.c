#include "record.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { FORMAT = 1, HEAD_ROOM = 4096, MAX_FILES = 1 << 16 };
static const char magic[8] = "LRDRHIST";
_Static_assert(sizeof(struct history_head) <= HEAD_ROOM, "the records begin on a page");

int64_t monotonic_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* ---- writing ------------------------------------------------------------------------- */

bool recorder_open(struct recorder *r, const char *path, const struct history_head *like, size_t room) {
    size_t len = HEAD_ROOM + room * sizeof(struct record);
    void *map = MAP_FAILED;
    int err = 0, fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (fd < 0)
        return false;
    if (ftruncate(fd, (off_t)len) == 0) /* sparse: what is not written takes no room */
        map = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    err = errno;
    close(fd);
    errno = err;
    if (map == MAP_FAILED)
        return false;
    *r = (struct recorder){.head = map,
                           .records = (struct record *)(void *)((char *)map + HEAD_ROOM),
                           .room = room,
                           .map_len = len};
    struct history_head head = *like;
    head.version = FORMAT;
    head.record_size = sizeof(struct record);
    head.n_records = 0;
    memset(head.magic, 0, sizeof(head.magic));
    *r->head = head;
    /* Last, so that a file whose maker is killed here is known to be none. */
    uint64_t word;
    memcpy(&word, magic, sizeof(word));
    __atomic_store_n((uint64_t *)(void *)r->head->magic, word, __ATOMIC_RELEASE);
    return true;
}

void recorder_close(struct recorder *r) {
    if (r->head != NULL)
        munmap(r->head, r->map_len);
    *r = (struct recorder){0};
}

struct record *recorder_begin(struct recorder *r, const struct record *call, size_t *ret_at) {
    size_t at = r->head->n_records;
    if (at == r->room)
        return NULL;
    r->records[at] = *call;
    /* Release: who sees the number sees the record, also if this process is killed right here. */
    __atomic_store_n(&r->head->n_records, at + 1, __ATOMIC_RELEASE);
    *ret_at = at;
    return &r->records[at];
}

void recorder_end(struct record *record, int64_t end_ns) {
    __atomic_store_n(&record->end_ns, end_ns, __ATOMIC_RELEASE);
}

/* ---- reading --------------------------------------------------------------------------- */

static bool add_file(struct history *h, const char *path, char error[256]) {
    struct stat st = {0};
    const char *what = NULL;
    void *map = MAP_FAILED;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) != 0)
        what = strerror(errno); /* lint: a program of one thread here */
    else if (st.st_size == 0) {
        close(fd); /* its process was killed before it had begun */
        return true;
    } else if (st.st_size < HEAD_ROOM)
        what = "is too short for a history";
    else if ((map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0)) == MAP_FAILED)
        what = "cannot be mapped";
    if (fd >= 0)
        close(fd);
    if (what == NULL && ((const char *)map)[0] == '\0') {
        munmap(map, (size_t)st.st_size); /* the same, a little later */
        return true;
    }
    if (what == NULL) {
        const struct history_head *head = map;
        size_t room = ((size_t)st.st_size - HEAD_ROOM) / sizeof(struct record);
        struct history_file *files;
        if (memcmp(head->magic, magic, sizeof(magic)) != 0 || head->version != FORMAT ||
            head->record_size != sizeof(struct record) || head->n_records > room || head->file >= MAX_FILES ||
            memchr(head->command, 0, sizeof(head->command)) == NULL || !world_is_good(&head->world)) {
            what = "is no history, or one of another version";
        } else if (head->file < h->n_files && h->files[head->file].head != NULL) {
            what = "has the number of another file: of two runs?";
        } else {
            size_t n = head->file >= h->n_files ? head->file + 1 : h->n_files;
            files = realloc(h->files, n * sizeof(*files));
            if (files != NULL) {
                memset(files + h->n_files, 0, (n - h->n_files) * sizeof(*files));
                h->files = files;
                h->n_files = n;
                files[head->file] = (struct history_file){
                    .head = head,
                    .records = (const struct record *)(const void *)((const char *)map + HEAD_ROOM),
                    .n = head->n_records,
                    .map_len = (size_t)st.st_size};
                return true;
            }
            what = "out of memory";
        }
    }
    if (map != MAP_FAILED)
        munmap(map, (size_t)st.st_size);
    snprintf(error, 256, "%.150s: %s", path, what);
    return false;
}

static bool add_folder(struct history *h, const char *path, DIR *dir, char error[256]) {
    static const char suffix[] = ".history";
    struct dirent *entry;
    bool good = true;
    while (good && (entry = readdir(dir)) != NULL) {
        char name[4096];
        size_t len = strlen(entry->d_name);
        if (len <= strlen(suffix) || strcmp(entry->d_name + len - strlen(suffix), suffix) != 0)
            continue;
        snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
        good = add_file(h, name, error);
    }
    return good;
}

bool history_open(struct history *h, const char *const *paths, size_t n, char error[256]) {
    bool good = true;
    *h = (struct history){0};
    for (size_t i = 0; i < n && good; i++) {
        DIR *dir = opendir(paths[i]);
        if (dir != NULL) {
            good = add_folder(h, paths[i], dir, error);
            closedir(dir);
        } else {
            good = add_file(h, paths[i], error);
        }
    }
    if (good && h->n_files == 0) {
        snprintf(error, 256, "there is no history in it");
        good = false;
    }
    if (!good)
        history_close(h);
    return good;
}

void history_close(struct history *h) {
    for (size_t i = 0; i < h->n_files; i++)
        if (h->files[i].map_len > 0)
            munmap((void *)(uintptr_t)h->files[i].head, h->files[i].map_len);
    free(h->files);
    *h = (struct history){0};
}

const struct record *history_put(const struct history *h, uint64_t version) {
    size_t file = (size_t)(version >> 32), at = (uint32_t)version;
    if (version == VERSION_NONE || file >= h->n_files || h->files[file].head == NULL ||
        at >= h->files[file].n)
        return NULL;
    const struct record *put = &h->files[file].records[at];
    return put->op == R_PUT && !(put->flags & R_AGAIN) ? put : NULL;
}
