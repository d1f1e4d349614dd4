#include "resolve.h"

#include <errno.h>
#include <netdb.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* For so long an answer is believed; an older one still serves while a new one is looked for. */
static const uint64_t FRESH_NS = 30 * UINT64_C(1000000000);

struct mc_lookup {
    atomic_uint refs; /* of the resolver and of the thread */
    char host[256];
    pthread_mutex_t lock;
    pthread_cond_t ended;
    bool over;
    unsigned n;
    char found[MC_ADDRESSES][MC_ADDRESS];
    int error; /* of getaddrinfo() */
};

bool mc_is_name(const char *host) {
    struct in6_addr address;
    return host[0] != '/' && inet_pton(AF_INET, host, &address) != 1 &&
           inet_pton(AF_INET6, host, &address) != 1;
}

static uint64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* ---- one lookup -------------------------------------------------------------------------------------- */

static void unref(struct mc_lookup *l) {
    if (!l || atomic_fetch_sub(&l->refs, 1) != 1)
        return;
    pthread_cond_destroy(&l->ended);
    pthread_mutex_destroy(&l->lock);
    free(l);
}

static void *look(void *arg) {
    struct mc_lookup *l = arg;
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM}, *list = NULL;
    int error = getaddrinfo(l->host, NULL, &hints, &list);
    pthread_mutex_lock(&l->lock);
    for (struct addrinfo *a = list; a && l->n < MC_ADDRESSES; a = a->ai_next)
        if (getnameinfo(a->ai_addr, a->ai_addrlen, l->found[l->n], MC_ADDRESS, NULL, 0, NI_NUMERICHOST) == 0)
            l->n++;
    l->error = error == 0 && l->n == 0 ? EAI_NONAME : error;
    l->over = true;
    pthread_cond_broadcast(&l->ended);
    pthread_mutex_unlock(&l->lock);
    if (list)
        freeaddrinfo(list);
    unref(l);
    return NULL;
}

static struct mc_lookup *start(const char *host) {
    struct mc_lookup *l = calloc(1, sizeof(*l));
    pthread_condattr_t clock;
    pthread_attr_t detached;
    pthread_t thread;
    if (!l)
        return NULL;
    atomic_init(&l->refs, 2);
    snprintf(l->host, sizeof(l->host), "%s", host);
    pthread_mutex_init(&l->lock, NULL);
    pthread_condattr_init(&clock);
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    pthread_cond_init(&l->ended, &clock);
    pthread_condattr_destroy(&clock);
    pthread_attr_init(&detached);
    pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
    int failed = pthread_create(&thread, &detached, look, l);
    pthread_attr_destroy(&detached);
    if (!failed)
        return l;
    atomic_store(&l->refs, 1); /* there is no thread to have the other */
    unref(l);
    return NULL;
}

static bool wait_for(struct mc_lookup *l, uint64_t until_ns) {
    struct timespec until = {(time_t)(until_ns / 1000000000u), (long)(until_ns % 1000000000u)};
    pthread_mutex_lock(&l->lock);
    while (!l->over && pthread_cond_timedwait(&l->ended, &l->lock, &until) != ETIMEDOUT)
        ;
    bool over = l->over;
    pthread_mutex_unlock(&l->lock);
    return over;
}

/* ---- the resolver of one host -------------------------------------------------------------------------- */

void mc_resolver_init(struct mc_resolver *r, const char *host) {
    *r = (struct mc_resolver){0};
    snprintf(r->host, sizeof(r->host), "%s", host);
    pthread_mutex_init(&r->lock, NULL);
}

void mc_resolver_done(struct mc_resolver *r) {
    unref(r->good);
    unref(r->running);
    pthread_mutex_destroy(&r->lock);
}

void mc_resolve_next(struct mc_resolver *r) {
    pthread_mutex_lock(&r->lock);
    r->turn++;
    pthread_mutex_unlock(&r->lock);
}

/* Under the lock: what has ended takes the place of what was known, if it found anything. */
static void harvest(struct mc_resolver *r, struct mc_lookup *ended) {
    if (r->running != ended) /* somebody else was quicker */
        return;
    r->running = NULL;
    if (ended->n == 0 && r->good) {
        unref(ended);
        return;
    }
    unref(r->good);
    r->good = ended;
    r->good_ns = now_ns();
}

/* Under the lock, with one reference for the caller: what is to be waited for; NULL: nothing. */
static struct mc_lookup *under_way(struct mc_resolver *r) {
    if (r->running && wait_for(r->running, 0))
        harvest(r, r->running);
    bool known = r->good && r->good->n > 0;
    if (known && now_ns() - r->good_ns < FRESH_NS)
        return NULL;
    if (!r->running)
        r->running = start(r->host);
    if (known || !r->running)
        return NULL;
    atomic_fetch_add(&r->running->refs, 1);
    return r->running;
}

int mc_resolve(struct mc_resolver *r, uint32_t wait_ms, char out[MC_ADDRESS], unsigned *ret_n, char *why,
               size_t size) {
    pthread_mutex_lock(&r->lock);
    struct mc_lookup *running = under_way(r);
    if (running) {
        pthread_mutex_unlock(&r->lock);
        bool over = wait_for(running, now_ns() + (uint64_t)wait_ms * 1000000u);
        pthread_mutex_lock(&r->lock);
        if (over)
            harvest(r, running);
        /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): under_way() has given a reference for this */
        unref(running);
        if (!over) {
            pthread_mutex_unlock(&r->lock);
            snprintf(why, size, "no address of it was found within %u ms", wait_ms);
            return ETIMEDOUT;
        }
    }
    const struct mc_lookup *good = r->good;
    /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): the resolver has a reference of its own */
    int error = !good ? ENOMEM : good->n == 0 ? ENOENT : 0;
    if (error == 0) {
        snprintf(out, MC_ADDRESS, "%s", good->found[r->turn % good->n]);
        *ret_n = good->n;
    } else {
        snprintf(why, size, "%s", good ? gai_strerror(good->error) : "out of memory for a lookup");
    }
    pthread_mutex_unlock(&r->lock);
    return error;
}
