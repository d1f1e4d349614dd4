/*
 * The layers: each has the shape of a driver, stands on another backend (struct layer_config),
 * and changes one thing on the way.  In-tree only: no ABI promise.
 */
#ifndef CORE_LAYERS_H
#define CORE_LAYERS_H

#include <pthread.h>
#include <stdbool.h>

#include "count.h"
#include "larder/larder.h"

/* Puts "<namespace>/" before keys, tags and counters, and takes it off again in answers. */
struct layer_namespace_settings {
    const char *ns;
};
extern const struct larder_driver layer_namespace;

/* Compresses values of min_bytes and more with zstd where that saves at least an eighth. */
struct layer_compress_settings {
    int64_t min_bytes;
    int64_t level;
    uint64_t max_value;
    bool spare_local; /* write nothing compressed to what is LARDER_LOCAL */
};
extern const struct larder_driver layer_compress;

/*
 * The layers between the driver and compress, from below: fault, meter, breaker, retry.  Their
 * counters are memory of the store's, at least as old and as long-lived as the layer: written on the reactor's
 * thread, read by any with relaxed atomic loads.
 */

/* Measures what passes: the driver, its queue and injected faults. */
struct meter {
    uint64_t inflight;
    uint64_t late; /* came back when their deadline had passed */
    struct larder_op_metrics ops[LARDER_N_OPS];
};
struct layer_meter_settings {
    struct meter *meter;
};
extern const struct larder_driver layer_meter;

/* Answers at once for a driver that fails or hangs, until a ping says that it is back. */
struct layer_breaker_settings {
    int64_t rate;      /* percent of failures that open it */
    int64_t calls;     /* in the window: fewer say nothing */
    int64_t window_ms; /* how far it looks back */
    int64_t pause_ms;  /* until the first ping; the next ones come later and later */
    int64_t ping_ms;   /* deadline of a ping */
    uint64_t seed;     /* of the jitter */
    struct breaker_counters *counters;
};
struct breaker_counters {
    struct larder_breaker_metrics m; /* but for reason, which lock guards */
    pthread_mutex_t lock;
};
extern const struct larder_driver layer_breaker;

/* Repeats what failed in passing, as long as there is time and the bucket has tokens. */
struct layer_retry_settings {
    int64_t retries; /* attempts after the first */
    int64_t base_ms, cap_ms;
    uint64_t seed; /* of the jitter */
    struct larder_retry_metrics *counters;
};
extern const struct larder_driver layer_retry;

/* Does harm on purpose, by a plan: fault.h. */
struct layer_fault_settings {
    const char *plan; /* the setting `fault`; checked */
    const char *role; /* for the log */
    uint64_t *counter;
};
extern const struct larder_driver layer_fault;

#endif
