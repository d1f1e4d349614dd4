#include "registry.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "thread.h"

static struct {
    pthread_mutex_t lock;
    struct shared_store *stores;
} registry = {.lock = PTHREAD_MUTEX_INITIALIZER};

static struct shared_store *find(struct larder_bytes settings) {
    struct shared_store *shared = registry.stores;
    while (shared &&
           (shared->len != settings.len || memcmp(shared->settings, settings.ptr, settings.len) != 0))
        shared = shared->next;
    return shared;
}

struct shared_store *registry_open(const struct larder_config *config, struct larder_bytes settings,
                                   struct larder_error *error) {
    /* Held while the store opens, so that two workers that start together share one. */
    pthread_mutex_lock(&registry.lock);
    struct shared_store *shared = find(settings);
    if (shared)
        goto out;

    shared = malloc(sizeof(*shared) + settings.len);
    if (!shared) {
        *error = (struct larder_error){LARDER_NOMEM, "out of memory"};
        goto out;
    }
    *shared = (struct shared_store){.len = settings.len};
    memcpy(shared->settings, settings.ptr, settings.len);
    if (larder_open(config, &shared->store, error) != LARDER_OK) {
        free(shared);
        shared = NULL;
        goto out;
    }
    shared->next = registry.stores;
    registry.stores = shared;

out:
    if (shared)
        shared->users++;
    pthread_mutex_unlock(&registry.lock);
    return shared;
}

/* Closing waits for requests and for the driver, which may hang; so a thread of its own does
 * it, and the environment that goes away waits only for a while. */
struct closing {
    pthread_mutex_t lock;
    pthread_cond_t over;
    bool ended, abandoned;
    struct larder_store *store;
};

static void closing_free(struct closing *closing) {
    pthread_mutex_destroy(&closing->lock);
    pthread_cond_destroy(&closing->over);
    free(closing);
}

static void *closing_main(void *arg) {
    struct closing *closing = arg;
    larder_close(closing->store);
    pthread_mutex_lock(&closing->lock);
    closing->ended = true;
    bool abandoned = closing->abandoned;
    pthread_cond_signal(&closing->over);
    pthread_mutex_unlock(&closing->lock);
    if (abandoned)
        closing_free(closing);
    return NULL;
}

static struct closing *closing_new(struct larder_store *store) {
    struct closing *closing = calloc(1, sizeof(*closing));
    if (!closing)
        return NULL;
    closing->store = store;
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_mutex_init(&closing->lock, NULL);
    pthread_cond_init(&closing->over, &attr);
    pthread_condattr_destroy(&attr);
    return closing;
}

static struct timespec monotonic_in_ms(long ms) {
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    at.tv_sec += ms / 1000;
    at.tv_nsec += ms % 1000 * 1000000;
    if (at.tv_nsec >= 1000000000) {
        at.tv_sec++;
        at.tv_nsec -= 1000000000;
    }
    return at;
}

static void close_within(struct larder_store *store, long ms) {
    pthread_t thread;
    struct closing *closing = closing_new(store);
    if (!closing || !thread_start(&thread, closing_main, closing)) {
        if (closing)
            closing_free(closing);
        larder_close(store); /* nothing to wait with: every request has a deadline of its own */
        return;
    }

    struct timespec until = monotonic_in_ms(ms);
    pthread_mutex_lock(&closing->lock);
    int rc = 0;
    while (!closing->ended && rc == 0)
        rc = pthread_cond_timedwait(&closing->over, &closing->lock, &until);
    bool ended = closing->ended;
    closing->abandoned = !ended;
    pthread_mutex_unlock(&closing->lock);

    if (ended) {
        pthread_join(thread, NULL);
        closing_free(closing);
    } else {
        pthread_detach(thread);
    }
}

void registry_release(struct shared_store *shared) {
    pthread_mutex_lock(&registry.lock);
    bool last = --shared->users == 0;
    if (last) {
        struct shared_store **at = &registry.stores;
        while (*at != shared)
            at = &(*at)->next;
        *at = shared->next;
    }
    pthread_mutex_unlock(&registry.lock);
    if (!last)
        return;
    close_within(shared->store, CLOSE_WAIT_MS);
    free(shared);
}
