/*
 * For LD_PRELOAD: makes one allocation of the addon, of the core in it or of a driver fail, and
 * leaves node's own alone.  TEST_FAILING names a file of three 64-bit numbers, which the test
 * writes while the process runs (native-faults.test.js).
 */
#include <fcntl.h>
#include <link.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct control {
    _Atomic int64_t left;  /* the allocation after this many - 1 fails; 0: none */
    _Atomic int64_t fired; /* how many have failed */
    _Atomic int64_t round; /* counts what the test began: what is loaded may have changed */
};

enum { MAX_RANGES = 16 };
struct range {
    uintptr_t from, to;
};

/* glibc's own, below these. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *ptr, size_t size);

static struct control *control;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct range ranges[MAX_RANGES];
static atomic_size_t n_ranges;
static _Atomic int64_t ranges_round;
static _Thread_local bool looking;

__attribute__((constructor)) static void begin(void) {
    const char *name = getenv("TEST_FAILING");
    int fd = name ? open(name, O_RDWR | O_CLOEXEC) : -1;
    if (fd < 0)
        return;
    void *mapped = mmap(NULL, sizeof(*control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (mapped != MAP_FAILED)
        control = mapped;
    close(fd);
}

static int note_code(struct dl_phdr_info *info, size_t size, void *arg) {
    (void)size;
    size_t *n = arg;
    const char *name = info->dlpi_name;
    if (!strstr(name, "/larder.node") && !strstr(name, "/larder/"))
        return 0;
    for (size_t i = 0; i < info->dlpi_phnum && *n < MAX_RANGES; i++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[i];
        uintptr_t from = info->dlpi_addr + part->p_vaddr;
        if (part->p_type == PT_LOAD && (part->p_flags & PF_X))
            ranges[(*n)++] = (struct range){from, from + part->p_memsz};
    }
    return 0;
}

static void look(void) {
    looking = true;
    pthread_mutex_lock(&lock);
    int64_t round = atomic_load(&control->round);
    if (atomic_load(&ranges_round) != round) {
        size_t n = 0;
        atomic_store(&n_ranges, 0);
        dl_iterate_phdr(note_code, &n);
        atomic_store(&n_ranges, n);
        atomic_store(&ranges_round, round);
    }
    pthread_mutex_unlock(&lock);
    looking = false;
}

static bool fails(const void *caller) {
    if (!control || looking || atomic_load(&control->left) <= 0)
        return false;
    if (atomic_load(&ranges_round) != atomic_load(&control->round))
        look();
    uintptr_t at = (uintptr_t)caller;
    size_t i = 0, n = atomic_load(&n_ranges);
    while (i < n && (at < ranges[i].from || at >= ranges[i].to))
        i++;
    if (i == n || atomic_fetch_sub(&control->left, 1) != 1)
        return false;
    atomic_fetch_add(&control->fired, 1);
    return true;
}

__attribute__((visibility("default"))) void *malloc(size_t size) {
    return fails(__builtin_return_address(0)) ? NULL : __libc_malloc(size);
}

__attribute__((visibility("default"))) void *calloc(size_t n, size_t size) {
    return fails(__builtin_return_address(0)) ? NULL : __libc_calloc(n, size);
}

__attribute__((visibility("default"))) void *realloc(void *ptr, size_t size) {
    return fails(__builtin_return_address(0)) ? NULL : __libc_realloc(ptr, size);
}
