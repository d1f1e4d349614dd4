#include "pool.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "bytes.h"

/* Four sizes for each power of two, so that at most a fifth of a block is never used. */
enum { STEPS = 4, N_CLASSES = 7 * STEPS + 1 };
_Static_assert((size_t)POOL_MIN_BYTES << (N_CLASSES - 1) / STEPS == POOL_MAX_BYTES, "the last class");

struct block { /* kept: written into its first bytes */
    struct block *next;
};

struct size_class {
    struct block *first; /* the one given last, whose pages are most likely in a CPU's cache */
    size_t n;
    size_t low; /* the least n since the last trim: as many were not needed */
};

static struct {
    pthread_mutex_t lock;
    pool_wake_fn *wake; /* NULL: nothing is kept */
    void *arg;
    bool trim_expected, shrink_expected;
    size_t kept_bytes;
    struct size_class classes[N_CLASSES];
} pool = {.lock = PTHREAD_MUTEX_INITIALIZER};

static size_t class_bytes(size_t i) {
    return ((size_t)POOL_MIN_BYTES << i / STEPS) / STEPS * (STEPS + i % STEPS);
}

/* The smallest class that size fits; size is in the pool's range. */
static size_t class_of(size_t size) {
    size_t i = 0;
    while (class_bytes(i) < size)
        i++;
    return i;
}

static struct block *block_unlink(struct size_class *c) {
    struct block *block = c->first;
    c->first = block->next;
    if (--c->n < c->low)
        c->low = c->n;
    return block;
}

/* Not malloc(): blocks of this size would be cut out of an arena, and go back to the system only
 * when everything behind them does. */
static void *map(size_t bytes) {
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return memory != MAP_FAILED ? memory : NULL;
}

/* The blocks of one class. */
static void unmap_all(struct block *first, size_t bytes) {
    while (first != NULL) {
        struct block *next = first->next;
        (void)munmap(first, bytes);
        first = next;
    }
}

void *pool_take(size_t size, size_t *ret_capacity) {
    if (size < POOL_MIN_BYTES || size > POOL_MAX_BYTES)
        return NULL;
    size_t i = class_of(size), bytes = class_bytes(i);
    void *memory = NULL;
    pthread_mutex_lock(&pool.lock);
    bool works = pool.wake != NULL;
    if (pool.classes[i].n > 0) {
        memory = block_unlink(&pool.classes[i]);
        pool.kept_bytes -= bytes;
    }
    pthread_mutex_unlock(&pool.lock);
    if (memory == NULL && works)
        memory = map(bytes);
    if (memory != NULL)
        *ret_capacity = bytes;
    return memory;
}

void pool_give(void *memory, size_t capacity) {
    struct block *block = memory;
    pthread_mutex_lock(&pool.lock);
    if (pool.wake != NULL) {
        struct size_class *c = &pool.classes[class_of(capacity)];
        block->next = c->first;
        c->first = block;
        c->n++;
        pool.kept_bytes += capacity;
        block = NULL;
        if (!pool.trim_expected) {
            pool.trim_expected = true;
            pool.wake(pool.arg, false);
        }
        if (!pool.shrink_expected && pool.kept_bytes > POOL_KEPT_BYTES) {
            pool.shrink_expected = true;
            pool.wake(pool.arg, true);
        }
    }
    pthread_mutex_unlock(&pool.lock);
    if (block != NULL)
        (void)munmap(block, capacity);
}

void pool_start(pool_wake_fn *wake, void *arg) {
    pthread_mutex_lock(&pool.lock);
    pool.wake = wake;
    pool.arg = arg;
    pool.trim_expected = pool.shrink_expected = false;
    pthread_mutex_unlock(&pool.lock);
}

/* Takes n blocks of the class out, to be unmapped without the lock. */
static struct block *take_out(size_t i, size_t n) {
    struct block *taken = NULL;
    for (; n > 0; n--) {
        struct block *block = block_unlink(&pool.classes[i]);
        pool.kept_bytes -= class_bytes(i);
        block->next = taken;
        taken = block;
    }
    return taken;
}

void pool_stop(void) {
    pthread_mutex_lock(&pool.lock);
    pool.wake = NULL;
    pthread_mutex_unlock(&pool.lock);
    for (size_t i = 0; i < N_CLASSES; i++) {
        pthread_mutex_lock(&pool.lock);
        struct block *taken = take_out(i, pool.classes[i].n);
        pthread_mutex_unlock(&pool.lock);
        unmap_all(taken, class_bytes(i));
    }
}

bool pool_trim(void) {
    for (size_t i = 0; i < N_CLASSES; i++) {
        struct size_class *c = &pool.classes[i];
        pthread_mutex_lock(&pool.lock);
        struct block *taken = take_out(i, c->low);
        c->low = c->n;
        pthread_mutex_unlock(&pool.lock);
        unmap_all(taken, class_bytes(i));
    }
    pthread_mutex_lock(&pool.lock);
    pool.trim_expected = pool.kept_bytes > 0;
    bool again = pool.trim_expected;
    pthread_mutex_unlock(&pool.lock);
    return again;
}

void pool_shrink(void) {
    /* The largest first: they are asked for least. */
    for (size_t i = N_CLASSES; i-- > 0;) {
        size_t bytes = class_bytes(i);
        pthread_mutex_lock(&pool.lock);
        size_t excess = pool.kept_bytes > POOL_KEPT_BYTES ? pool.kept_bytes - POOL_KEPT_BYTES : 0;
        size_t n = (excess + bytes - 1) / bytes, have = pool.classes[i].n;
        struct block *taken = take_out(i, n < have ? n : have);
        if (i == 0)
            pool.shrink_expected = false;
        pthread_mutex_unlock(&pool.lock);
        unmap_all(taken, bytes);
    }
}

size_t pool_kept_bytes(void) {
    pthread_mutex_lock(&pool.lock);
    size_t bytes = pool.kept_bytes;
    pthread_mutex_unlock(&pool.lock);
    return bytes;
}
