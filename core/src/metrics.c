/* A store's counters as one table that can be kept: larder_metrics(). */
#include <stdlib.h>
#include <unistd.h>

#include "bytes.h"
#include "store.h"

struct larder_metrics *larder_metrics(const struct larder_store *store) {
    const struct stack *stacks[] = {&store->cache, &store->tags};
    struct larder_metrics *m = calloc(1, sizeof(*m) + N_ELEMENTS(stacks) * sizeof(m->instances[0]));
    if (m == NULL)
        return NULL;
    m->instances = (struct larder_instance_metrics *)(m + 1);
    m->ns = store->settings->ns;
    m->pid = getpid();
    m->up_ms = (int64_t)((reactor_now_ns(store->reactor) - store->opened_ns) / 1000000u);
    larder_stats(store, &m->stats);
    count_copy(m->requests, store->requests, sizeof(m->requests));
    for (size_t i = 0; i < N_ELEMENTS(stacks); i++)
        if (stacks[i]->n > 0)
            stack_metrics(stacks[i], &m->instances[m->n_instances++]);
    return m;
}

struct larder_metrics *larder_metrics_free(struct larder_metrics *metrics) {
    free(metrics);
    return NULL;
}
