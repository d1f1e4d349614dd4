/*
 * The stores of this process, found by their settings and shared by all environments (the main
 * thread and workers) that open the same ones.  Any thread.
 */
#ifndef NODE_REGISTRY_H
#define NODE_REGISTRY_H

#include "larder/larder.h"

struct shared_store {
    struct shared_store *next;
    struct larder_store *store;
    size_t users;
    size_t len; /* of what follows, which may hold passwords: never shown */
    char settings[];
};

/* One more user of the store with these settings, opened if it is the first.  NULL: error says
 * why. */
struct shared_store *registry_open(const struct larder_config *config, struct larder_bytes settings,
                                   struct larder_error *error);

/* The last user closes the store.  Requests that are still running then get CLOSE_WAIT_MS to
 * end; whatever takes longer ends behind the caller's back. */
enum { CLOSE_WAIT_MS = 1000 };
void registry_release(struct shared_store *shared);

#endif
