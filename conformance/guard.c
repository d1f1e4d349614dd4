#include "guard.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

/* The kernel gives a process 65,530 areas of memory by default; each piece takes about two. */
enum { MAX_GUARDS = 1 << 15, MAX_AREAS = 40000, FILL = 0xa5, TAKEN_AWAY = 0xdd };

/* All mappings, for the signal handler, which may take no lock: slots are written under it, and
 * read without. */
static struct {
    pthread_mutex_t lock;
    _Atomic(const struct guard *) guards[MAX_GUARDS];
    size_t next; /* where the search for a free slot begins */
    size_t areas;
    guard_fault_fn *on_fault;
    struct sigaction before_segv, before_bus;
} all = {.lock = PTHREAD_MUTEX_INITIALIZER};

static size_t page_size(void) {
    static _Atomic size_t known;
    size_t size = atomic_load_explicit(&known, memory_order_relaxed);
    if (size == 0) {
        size = (size_t)sysconf(_SC_PAGESIZE);
        atomic_store_explicit(&known, size, memory_order_relaxed);
    }
    return size;
}

static size_t whole_pages(size_t len) {
    return (len + page_size() - 1) / page_size() * page_size();
}

/* ---- slots ---------------------------------------------------------------------------- */

static size_t areas_of(const struct guard *g) {
    return 2 * g->n + 1;
}

static bool slot_take(struct guard *g) {
    bool taken = false;
    pthread_mutex_lock(&all.lock);
    if (all.areas + areas_of(g) <= MAX_AREAS) {
        for (size_t i = 0; i < MAX_GUARDS && !taken; i++) {
            size_t slot = (all.next + i) % MAX_GUARDS;
            if (atomic_load_explicit(&all.guards[slot], memory_order_relaxed))
                continue;
            g->slot = slot;
            atomic_store(&all.guards[slot], g);
            all.next = slot + 1;
            all.areas += areas_of(g);
            taken = true;
        }
    }
    pthread_mutex_unlock(&all.lock);
    return taken;
}

static void slot_give(struct guard *g) {
    pthread_mutex_lock(&all.lock);
    atomic_store(&all.guards[g->slot], NULL);
    all.areas -= areas_of(g);
    pthread_mutex_unlock(&all.lock);
}

/* ---- pieces ----------------------------------------------------------------------------- */

static bool new_plain(struct guard *g, const size_t *lens) {
    size_t size = 16;
    for (size_t i = 0; i < g->n; i++)
        size += (lens[i] + 15) / 16 * 16;
    g->plain = true;
    g->size = size;
    g->base = aligned_alloc(16, size);
    if (!g->base)
        return false;
    memset(g->base, FILL, size);
    uint8_t *at = g->base;
    for (size_t i = 0; i < g->n; i++) {
        g->piece[i] = (struct guard_piece){at, lens[i]};
        at += (lens[i] + 15) / 16 * 16;
    }
    return true;
}

static bool new_mapping(struct guard *g, const size_t *lens) {
    const size_t page = page_size();
    g->size = page;
    for (size_t i = 0; i < g->n; i++)
        g->size += lens[i] > 0 ? whole_pages(lens[i]) + page : 0;
    void *base = mmap(NULL, g->size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (base == MAP_FAILED)
        return false;
    g->base = base;
    uint8_t *at = g->base + page;
    for (size_t i = 0; i < g->n; i++) {
        if (lens[i] == 0) {
            g->piece[i] = (struct guard_piece){at - page, 0};
            continue;
        }
        size_t pages = whole_pages(lens[i]);
        if (mprotect(at, pages, PROT_READ | PROT_WRITE) != 0) {
            munmap(g->base, g->size);
            return false;
        }
        memset(at, FILL, pages);
        g->piece[i] = (struct guard_piece){at + pages - lens[i], lens[i]};
        at += pages + page;
    }
    return true;
}

bool guard_new(struct guard *ret, const size_t *lens, size_t n, unsigned kind, const void *owner) {
    *ret = (struct guard){.n = n, .kind = kind, .owner = owner};
    if (slot_take(ret)) {
        if (new_mapping(ret, lens))
            return true;
        slot_give(ret);
    }
    return new_plain(ret, lens);
}

static uint8_t *page_of(const uint8_t *ptr) {
    return (uint8_t *)((uintptr_t)ptr / page_size() * page_size());
}

void guard_read_only(struct guard *g, size_t piece) {
    const struct guard_piece *p = &g->piece[piece];
    if (!g->plain && p->len > 0)
        mprotect(page_of(p->ptr), whole_pages(p->len), PROT_READ);
}

void guard_read_only_inside(struct guard *g, const uint8_t *ptr, size_t len) {
    uint8_t *first = page_of(ptr + page_size() - 1), *end = page_of(ptr + len);
    if (!g->plain && first < end)
        mprotect(first, (size_t)(end - first), PROT_READ);
}

void guard_close(struct guard *g) {
    if (g->closed)
        return;
    g->closed = true;
    if (g->plain) {
        memset(g->base, TAKEN_AWAY, g->size);
    } else {
        /* A new mapping in its place gives the memory back and is one area again. */
        (void)!mmap(g->base, g->size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1,
                    0);
    }
}

void guard_free(struct guard *g) {
    if (g->plain) {
        free(g->base);
    } else {
        slot_give(g);
        munmap(g->base, g->size);
    }
    *g = (struct guard){0};
}

bool guard_is_whole(const struct guard *g, size_t piece) {
    const struct guard_piece *p = &g->piece[piece];
    if (g->plain || p->len == 0)
        return true;
    for (const uint8_t *at = page_of(p->ptr); at < p->ptr; at++) {
        if (*at != FILL)
            return false;
    }
    return true;
}

/* ---- faults --------------------------------------------------------------------------------- */

static enum guard_access access_of(const void *context) {
#if defined(__x86_64__)
    const ucontext_t *u = context;
    enum { PAGE_FAULT_WRITE = 2 }; /* bit 1 of the error code, Intel SDM volume 3, 4.7 */
    return (u->uc_mcontext.gregs[REG_ERR] & PAGE_FAULT_WRITE) ? GUARD_WRITE : GUARD_READ;
#else
    (void)context;
    return GUARD_EITHER;
#endif
}

static void on_fault(int signo, siginfo_t *info, void *context) {
    const uint8_t *at = info->si_addr;
    for (size_t i = 0; i < MAX_GUARDS; i++) {
        const struct guard *g = atomic_load(&all.guards[i]);
        if (g && at >= g->base && at < g->base + g->size) {
            all.on_fault(g, at, access_of(context));
            _exit(EXIT_FAILURE);
        }
    }
    /* Not ours: the instruction runs again, into whatever was there before (a sanitizer's report,
     * or death). */
    sigaction(signo, signo == SIGSEGV ? &all.before_segv : &all.before_bus, NULL);
}

void guard_on_fault(guard_fault_fn *fn) {
    all.on_fault = fn;
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    sigemptyset(&action.sa_mask);
    sigaction(SIGSEGV, &action, &all.before_segv);
    sigaction(SIGBUS, &action, &all.before_bus);
}
