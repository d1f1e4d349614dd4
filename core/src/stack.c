#include "stack.h"

#include <string.h>

#include "bytes.h"

static bool push(struct stack *stack, struct reactor *r, const struct larder_driver *driver,
                 const void *config) {
    struct backend *b = backend_new(r, driver, config, stack->top);
    if (b == NULL)
        return false;
    stack->levels[stack->n++] = b;
    stack->top = b;
    return true;
}

static void fill_settings(struct stack *stack, struct reactor *r, const struct store_settings *settings) {
    /* Jitter is to differ between processes, no more. */
    uint64_t seed = reactor_now_ns(r) ^ (uint64_t)(uintptr_t)stack;
    stack->fault = (struct layer_fault_settings){
        .plan = settings->fault, .role = stack->role, .counter = &stack->faults};
    stack->metering = (struct layer_meter_settings){.meter = &stack->meter};
    stack->breaking = (struct layer_breaker_settings){
        .rate = settings->breaker_percent,
        .calls = settings->breaker_calls,
        .window_ms = settings->breaker_window_ms,
        .pause_ms = settings->breaker_pause_ms,
        .ping_ms = settings->get_deadline_ms,
        .seed = seed,
        .counters = &stack->breaker,
    };
    stack->retrying = (struct layer_retry_settings){
        .retries = settings->retries,
        .base_ms = settings->retry_base_ms,
        .cap_ms = settings->retry_cap_ms,
        .seed = seed + 1,
        .counters = &stack->retry,
    };
    stack->compress = (struct layer_compress_settings){
        /* Off means writing: what is compressed already is still read. */
        .min_bytes = strcmp(settings->compress, "off") == 0 ? INT64_MAX : settings->compress_min_bytes,
        .level = settings->compress_level,
        .max_value = (uint64_t)settings->max_value_bytes,
        .spare_local = strcmp(settings->compress, "auto") == 0,
    };
    stack->ns = (struct layer_namespace_settings){.ns = settings->ns};
}

bool stack_build(struct stack *stack, struct reactor *r, const struct backend_spec *spec,
                 const struct store_settings *settings, const char *role, bool has_entries) {
    stack->role = role;
    pthread_mutex_init(&stack->breaker.lock, NULL);
    fill_settings(stack, r, settings);
    const struct {
        bool wanted;
        const struct larder_driver *driver;
        const void *config;
    } levels[] = {
        {true, spec->driver, param_set_config(spec->params)},
        {settings->fault[0] != '\0', &layer_fault, &stack->fault},
        {true, &layer_meter, &stack->metering},
        {settings->breaker_percent > 0, &layer_breaker, &stack->breaking},
        {settings->retries > 0, &layer_retry, &stack->retrying},
        {has_entries, &layer_compress, &stack->compress},
        {true, &layer_namespace, &stack->ns},
    };
    _Static_assert(N_ELEMENTS(levels) <= MAX_STACK, "they fit");
    for (size_t i = 0; i < N_ELEMENTS(levels); i++)
        if (levels[i].wanted && !push(stack, r, levels[i].driver, levels[i].config))
            return false;
    return true;
}

void stack_done(struct stack *stack) {
    if (stack->role == NULL)
        return;
    while (stack->n > 0)
        backend_free(stack->levels[--stack->n]);
    pthread_mutex_destroy(&stack->breaker.lock);
}

bool stack_busy(const struct stack *stack) {
    for (size_t i = 0; i < stack->n; i++)
        if (backend_busy(stack->levels[i]))
            return true;
    return false;
}

/* ---- counters ------------------------------------------------------------------------- */

void stack_metrics(const struct stack *stack, struct larder_instance_metrics *ret) {
    _Static_assert(sizeof(stack->meter.ops) == sizeof(ret->ops), "the same counters");
    _Static_assert(sizeof(stack->retry) % 8 == 0 && sizeof(ret->ops) % 8 == 0, "all are 64 bits wide");
    const size_t before_reason = offsetof(struct larder_breaker_metrics, reason);
    pthread_mutex_t *lock = (pthread_mutex_t *)(uintptr_t)&stack->breaker.lock;

    ret->role = stack->role;
    ret->driver = stack->levels[0]->driver->name;
    ret->inflight = COUNT_GET(stack->meter.inflight);
    ret->queued = COUNT_GET(stack->levels[0]->n_waiting);
    ret->faults = COUNT_GET(stack->faults);
    count_copy(&ret->retry, &stack->retry, sizeof(ret->retry));
    count_copy(&ret->breaker, &stack->breaker.m, before_reason);
    pthread_mutex_lock(lock);
    memcpy(ret->breaker.reason, stack->breaker.m.reason, sizeof(ret->breaker.reason));
    pthread_mutex_unlock(lock);
    count_copy(ret->ops, stack->meter.ops, sizeof(ret->ops));
}
