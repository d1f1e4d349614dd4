/*
 * The load: as many callers as --inflight says, each of which sends its next request when the last one is
 * answered, on the core's I/O thread.  The main thread waits for a phase to end, shows how far it is, and
 * listens to signals.
 */
#include <inttypes.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "clock.h"

enum phase { FILL, WARM_UP, MEASURE, CLEAN };
enum { NAME_TEXT = 48, BODY_SHIFT = 4096, LIFE_MS = 3600 * 1000 };

struct load;

struct caller {
    struct load *load;
    enum bench_op op;
    uint64_t key, sent_ns;
    char name[NAME_TEXT], tag_names[BENCH_TAGS][NAME_TEXT];
    struct larder_bytes tags[BENCH_TAGS];
    struct larder_part part;
    struct larder_entry entry;
};

struct load {
    struct cli *cli;
    const struct bench_plan *plan;
    const uint8_t *body; /* size_max and BODY_SHIFT bytes */
    struct caller *callers;
    pthread_mutex_t lock; /* for all below */
    pthread_cond_t idle;  /* nobody is out */
    enum phase phase;
    uint64_t sent, limit, until_ns;
    uint32_t n_out;
    bool stop;
    uint64_t random;
    struct bench_result *result; /* of the phase MEASURE, and what failed in any */
};

/* ---- chance: the same for the same seed --------------------------------------------------------------- */

/* SplitMix64 (Steele, Lea and Flood 2014): one step, and a hash of one number. */
static uint64_t mix(uint64_t x) {
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

static uint64_t chance(struct load *load, uint64_t below) {
    load->random += 0x9e3779b97f4a7c15u;
    return mix(load->random) % below;
}

/* Sizes are spread evenly over orders of magnitude, as those of pages are. */
static size_t size_of(const struct bench_plan *plan, uint64_t key) {
    const double low = (double)plan->size_min, high = (double)plan->size_max;
    const double at = (double)(mix(plan->seed ^ mix(key)) >> 11) / (double)(UINT64_C(1) << 53);
    if (plan->size_min == plan->size_max)
        return (size_t)plan->size_min;
    return (size_t)(exp(log(low + 1) + at * (log(high + 1) - log(low + 1))) - 1);
}

/* Half of it repeats itself, so that it compresses as text does. */
static uint8_t *make_body(const struct bench_plan *plan) {
    enum { HALF = 16 };
    const size_t len = (size_t)plan->size_max + BODY_SHIFT;
    uint8_t *body = malloc(len);
    for (size_t i = 0; body && i < len; i++)
        body[i] = (uint8_t)(i % (2 * HALF) < HALF ? 'a' + i % HALF : mix(plan->seed + i));
    return body;
}

/* ---- requests --------------------------------------------------------------------------------------------- */

static struct larder_bytes write_name(char out[NAME_TEXT], const char *what, uint64_t run, uint64_t n) {
    int len = snprintf(out, NAME_TEXT, "%s-%016" PRIx64 "-%" PRIu64, what, run, n);
    return (struct larder_bytes){(const uint8_t *)out, (size_t)len};
}

/* Tags are the same in each run, so that their marks are no more with each. */
static struct larder_bytes tag_of(struct caller *caller, uint32_t i) {
    const uint64_t keys = caller->load->plan->keys;
    return write_name(caller->tag_names[i], "tag", 0, (caller->key + i) % keys);
}

static void make_entry(struct caller *caller, struct larder_bytes key) {
    const struct load *load = caller->load;
    const struct bench_plan *plan = load->plan;
    for (uint32_t i = 0; i < plan->entry_tags; i++)
        caller->tags[i] = tag_of(caller, i);
    caller->part = (struct larder_part){
        .name = {(const uint8_t *)"body", 4},
        .data = {load->body + mix(caller->sent_ns) % BODY_SHIFT, size_of(plan, caller->key)}};
    caller->entry = (struct larder_entry){.kind = LARDER_FETCH,
                                          .n_parts = 1,
                                          .key = key,
                                          .epoch = cli_epoch_to_note(load->cli->store),
                                          .modified_ms = clock_wall_ms(),
                                          .revalidate_ms = LARDER_UNSET,
                                          .expire_ms = LIFE_MS,
                                          .tags = caller->tags,
                                          .n_tags = plan->entry_tags,
                                          .parts = &caller->part};
}

static struct larder_request make_request(struct caller *caller) {
    struct larder_request request = {.kind = LARDER_FETCH, .deadline_ms = caller->load->plan->deadline_ms};
    request.key = write_name(caller->name, "bench", caller->load->plan->run, caller->key);
    switch (caller->op) {
    case BENCH_GET:
        request.code = LARDER_DO_GET;
        request.flags = LARDER_F_RENDER;
        break;
    case BENCH_PUT:
        request.code = LARDER_DO_PUT;
        make_entry(caller, request.key);
        request.entry = &caller->entry;
        break;
    case BENCH_REVALIDATE:
        request.code = LARDER_DO_REVALIDATE;
        caller->tags[0] = tag_of(caller, 0);
        request.tags = caller->tags;
        request.n_tags = 1;
        request.expire_in_ms = LARDER_UNSET;
        break;
    default: request.code = LARDER_DO_REMOVE;
    }
    return request;
}

/* ---- answers ------------------------------------------------------------------------------------------------ */

static void count_get(struct bench_result *result, const struct caller *caller,
                      const struct larder_answer *answer) {
    if (answer->status == LARDER_MISS) {
        ++*(answer->verdict == LARDER_GONE ? &result->gone : &result->missing);
        return;
    }
    const struct larder_entry *entry = answer->entry;
    size_t size = size_of(caller->load->plan, caller->key);
    if (entry->n_parts != 1 || entry->parts[0].data.len != size)
        result->wrong++;
    ++*(answer->verdict == LARDER_FRESH ? &result->fresh : &result->stale);
}

static void note_failure(struct bench_result *result, const struct larder_answer *answer) {
    if (result->first_failure != LARDER_OK)
        return;
    result->first_failure = answer->status;
    snprintf(result->why, sizeof result->why, "%s", answer->detail ? answer->detail : "");
}

static void count(struct load *load, const struct caller *caller, const struct larder_answer *answer,
                  uint64_t took_ns) {
    struct bench_result *result = load->result;
    struct bench_counts *counts = &result->ops[caller->op];
    if (answer->status < 0)
        note_failure(result, answer);
    if (load->phase == FILL)
        result->stored += answer->status >= 0;
    if (load->phase == CLEAN)
        result->left += answer->status < 0;
    if (load->phase != MEASURE)
        return;
    const uint32_t class = LARDER_CLASS(answer->status);
    counts->classes[class < LARDER_N_CLASSES ? class : LARDER_CLASS(LARDER_INTERNAL)]++;
    larder_histogram_record(&counts->times, took_ns);
    if (answer->status < 0)
        return;
    if (caller->op == BENCH_GET)
        count_get(result, caller, answer);
    if (caller->op == BENCH_PUT || answer->entry)
        counts->bytes += size_of(load->plan, caller->key);
}

/* ---- a caller's turn ------------------------------------------------------------------------------------------- */

/* With the lock held.  False: the phase is over for it. */
static bool choose(struct load *load, struct caller *caller) {
    const struct bench_plan *plan = load->plan;
    caller->sent_ns = clock_ns();
    if (load->stop || load->sent >= load->limit || caller->sent_ns >= load->until_ns)
        return false;
    if (load->phase == FILL || load->phase == CLEAN) {
        caller->op = load->phase == FILL ? BENCH_PUT : BENCH_REMOVE;
        caller->key = load->sent;
    } else {
        const uint64_t percent = chance(load, 100);
        caller->op = percent < plan->gets                         ? BENCH_GET
                     : percent < plan->gets + plan->revalidations ? BENCH_REVALIDATE
                                                                  : BENCH_PUT;
        caller->key = chance(load, plan->keys);
    }
    load->sent++;
    return true;
}

static void answered(void *arg, const struct larder_answer *answer);

static void take_turn(struct caller *caller) {
    struct load *load = caller->load;
    pthread_mutex_lock(&load->lock);
    bool more = choose(load, caller);
    pthread_mutex_unlock(&load->lock);
    if (more) {
        const struct larder_request request = make_request(caller);
        more = larder_submit(load->cli->store, &request, answered, caller) == LARDER_OK;
    }
    if (more)
        return;
    pthread_mutex_lock(&load->lock);
    if (--load->n_out == 0)
        pthread_cond_signal(&load->idle);
    pthread_mutex_unlock(&load->lock);
}

static void answered(void *arg, const struct larder_answer *answer) {
    struct caller *caller = arg;
    const uint64_t took_ns = clock_ns() - caller->sent_ns;
    pthread_mutex_lock(&caller->load->lock);
    count(caller->load, caller, answer, took_ns);
    pthread_mutex_unlock(&caller->load->lock);
    take_turn(caller);
}

/* ---- phases --------------------------------------------------------------------------------------------------- */

/* The first signal ends the phase, and so the load; the second the cleaning, too. */
static void listen(struct load *load) {
    sigset_t signals;
    const struct timespec now = {0};
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    if (sigtimedwait(&signals, NULL, &now) > 0) {
        load->stop = true;
        load->result->interrupted = true;
    }
}

static struct timespec in_a_tick(void) {
    const uint64_t TICK_NS = 100000000, at_ns = clock_ns() + TICK_NS;
    return (struct timespec){.tv_sec = (time_t)(at_ns / 1000000000), .tv_nsec = (long)(at_ns % 1000000000)};
}

static void run_phase(struct load *load, enum phase phase, const char *what, uint64_t limit,
                      uint64_t time_ns) {
    struct progress progress;
    uint64_t shown = 0;
    const uint64_t began_ns = clock_ns();
    if (time_ns == 0 || (load->result->interrupted && phase != CLEAN))
        return;
    progress_begin(&progress, what, false);
    pthread_mutex_lock(&load->lock);
    load->phase = phase;
    load->sent = 0;
    load->limit = limit;
    load->until_ns = began_ns + time_ns;
    load->stop = false;
    load->n_out = load->plan->inflight;
    pthread_mutex_unlock(&load->lock);
    for (uint32_t i = 0; i < load->plan->inflight; i++)
        take_turn(&load->callers[i]);
    pthread_mutex_lock(&load->lock);
    while (load->n_out > 0) {
        const struct timespec until = in_a_tick();
        pthread_cond_timedwait(&load->idle, &load->lock, &until);
        listen(load);
        progress_add(&progress, load->sent - shown);
        shown = load->sent;
    }
    if (phase == MEASURE)
        load->result->took_ns = clock_ns() - began_ns;
    if (phase == CLEAN)
        load->result->left += limit - load->sent; /* those that were never asked for */
    pthread_mutex_unlock(&load->lock);
    progress_end(&progress);
}

static void run_phases(struct load *load) {
    const struct bench_plan *plan = load->plan;
    const uint64_t HOUR_NS = UINT64_C(3600) * 1000000000;
    load->random = plan->seed;
    run_phase(load, FILL, "entries stored", plan->keys, HOUR_NS);
    const uint64_t filled = load->sent;
    if (load->result->stored > 0) {
        run_phase(load, WARM_UP, "requests to warm up", UINT64_MAX, plan->warm_up_ns);
        load->random = plan->seed;
        run_phase(load, MEASURE, "requests", plan->ops, plan->measure_ns);
    }
    run_phase(load, CLEAN, "entries removed", filled, HOUR_NS);
}

static bool init_lock(struct load *load) {
    pthread_condattr_t attr;
    if (pthread_mutex_init(&load->lock, NULL) != 0)
        return false;
    bool good = pthread_condattr_init(&attr) == 0;
    if (good) {
        good = pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) == 0 &&
               pthread_cond_init(&load->idle, &attr) == 0;
        pthread_condattr_destroy(&attr);
    }
    if (!good)
        pthread_mutex_destroy(&load->lock);
    return good;
}

int bench_run(struct cli *cli, const struct bench_plan *plan, struct bench_result *ret) {
    struct load load = {.cli = cli, .plan = plan, .result = ret};
    uint8_t *body = make_body(plan);
    load.body = body;
    load.callers = calloc(plan->inflight, sizeof *load.callers);
    int code = CODE_DONE;
    *ret = (struct bench_result){0};
    if (body == NULL || load.callers == NULL || !init_lock(&load)) {
        code = cli_failed(cli, LARDER_NOMEM, "out of memory");
        goto out;
    }
    for (uint32_t i = 0; i < plan->inflight; i++)
        load.callers[i].load = &load;
    run_phases(&load);
    pthread_cond_destroy(&load.idle);
    pthread_mutex_destroy(&load.lock);
out:
    free(load.callers);
    free(body);
    return code;
}
