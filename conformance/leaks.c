#include "leaks.h"

#include <ctype.h>
#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "strict.h"
#include "strict_inside.h"

enum { MAX_FDS = 4096, PATIENCE_STEPS = 200 };

static struct known {
    bool open;
    dev_t device;
    ino_t inode;
} before[MAX_FDS];
static unsigned threads_before;

/* Calls fn for each number that is the name of something in the folder. */
static void each_number(const char *folder, void (*fn)(void *arg, unsigned number), void *arg) {
    DIR *dir = opendir(folder);
    if (!dir)
        return;
    const unsigned own = (unsigned)dirfd(dir);
    const struct dirent *entry;
    while ((entry = readdir(dir))) {
        unsigned long number = strtoul(entry->d_name, NULL, 10);
        if (isdigit((unsigned char)entry->d_name[0]) && number != own)
            fn(arg, (unsigned)number);
    }
    closedir(dir);
}

static struct known look_at(unsigned fd) {
    struct stat st;
    if (fstat((int)fd, &st) != 0)
        return (struct known){0};
    return (struct known){true, st.st_dev, st.st_ino};
}

static void note_fd(void *arg, unsigned fd) {
    struct known *all = arg;
    if (fd < MAX_FDS)
        all[fd] = look_at(fd);
}

static void count(void *arg, unsigned number) {
    (void)number;
    ++*(unsigned *)arg;
}

static unsigned n_threads(void) {
    unsigned n = 0;
    each_number("/proc/self/task", count, &n);
    return n;
}

static void look_around(struct known *all) {
    memset(all, 0, MAX_FDS * sizeof(*all));
    each_number("/proc/self/fd", note_fd, all);
}

static void tell_closed(const struct known *now) {
    for (unsigned fd = 0; fd < MAX_FDS; fd++) {
        if (!before[fd].open)
            continue;
        bool other = now[fd].device != before[fd].device || now[fd].inode != before[fd].inode;
        if (!now[fd].open || other)
            violation(VIOLATION_FD_CLOSED, NULL, "descriptor %u was open before, and is %s", fd,
                      now[fd].open ? "something else now" : "not any more");
    }
}

void leaks_before(void) {
    look_around(before);
}

void leaks_begin(void) {
    static struct known now[MAX_FDS];
    look_around(now);
    tell_closed(now);
    memcpy(before, now, sizeof(before));
    threads_before = n_threads();
}

static void tell_descriptors(void) {
    static struct known after[MAX_FDS];
    look_around(after);
    tell_closed(after);
    for (unsigned fd = 0; fd < MAX_FDS; fd++) {
        char link[64], target[256] = "?";
        if (after[fd].open && !before[fd].open) {
            snprintf(link, sizeof(link), "/proc/self/fd/%u", fd);
            ssize_t n = readlink(link, target, sizeof(target) - 1);
            target[n > 0 ? n : 0] = '\0';
            violation(VIOLATION_FD_LEAKED, NULL, "%s (%u) is open after the last close()", target, fd);
        }
    }
}

static void tell_threads(void) {
    /* A thread that was joined may still be in the list for a moment. */
    for (int i = 0; i < PATIENCE_STEPS && n_threads() > threads_before; i++) {
        const struct timespec moment = {.tv_nsec = 10000000};
        nanosleep(&moment, NULL);
    }
    unsigned n = n_threads();
    if (n > threads_before)
        violation(VIOLATION_THREAD_LEAKED, NULL, "%u more than before, after the last close()",
                  n - threads_before);
}

void leaks_end(void) {
    tell_descriptors();
    tell_threads();
}
