#include "store.h"

#include <stdio.h>
#include <stdlib.h>

#include "bytes.h"
#include "error.h"
#include "log.h"
#include "request.h"
#include "runtime.h"

static const uint64_t MS = 1000000u;
enum {
    CLOSE_LOOK_MS = 5,   /* how often a closing store looks whether it is quiet */
    CLOSE_WAIT_MS = 5000 /* then a driver that still holds ops is left behind */
};

/* ---- stacks --------------------------------------------------------------------- */

static void mark_fed(void *arg, const struct larder_mark *mark) {
    struct larder_store *store = arg;
    marks_seen(&store->marks, mark);
}

/* One driver for both is one stack; see stack.h for what stands on it. */
static bool build_stacks(struct larder_store *store) {
    const struct store_config *config = store->config;
    bool separate = config->tags.driver != NULL;

    if (!stack_build(&store->cache, store->reactor, &config->cache, store->settings,
                     separate ? "cache" : "cache+tags", true))
        return false;
    if (separate && !stack_build(&store->tags, store->reactor, &config->tags, store->settings, "tags", false))
        return false;
    if (!separate)
        store->tags.top = store->cache.top;
    store->feed = mark_feed_new(store->reactor, store->settings->ns, mark_fed, store);
    if (store->feed == NULL)
        return false;
    (separate ? &store->tags : &store->cache)->levels[0]->sink = mark_feed_sink(store->feed);
    return true;
}

int32_t store_ready(struct larder_store *store, const char **ret_detail) {
    struct backend *tops[] = {store->cache.top, store->tags.top};
    for (size_t i = 0; i < N_ELEMENTS(tops); i++) {
        int32_t status = backend_open(tops[i]);
        if (status != LARDER_OK) {
            *ret_detail = tops[i]->open_error;
            return status;
        }
    }
    return LARDER_OK;
}

/* ---- the epoch ---------------------------------------------------------------------- */

struct epoch_question {
    struct larder_store *store;
    struct epoch_wait *waits;
    uint64_t asked_ns, deadline_ns;
};

static void answer_waits(struct epoch_wait *w, int32_t status) {
    while (w != NULL) {
        struct epoch_wait *next = w->next;
        w->fn(w->arg, status);
        w = next;
    }
}

static void epoch_told(void *arg, struct op *op) {
    struct epoch_question *question = arg;
    struct larder_store *store = question->store;
    struct epoch_wait *waits = question->waits;
    int32_t status = op->result.status;
    if (status == LARDER_OK) {
        epoch_learn(&store->epoch, op->result.epoch, reactor_now_ns(store->reactor));
        epoch_heard(&store->epoch, question->asked_ns);
    }
    op_free(op);
    if (store->question == question)
        store->question = NULL;
    store->n_questions--;
    free(question);
    answer_waits(waits, status);
}

static void answer_unasked(void *arg) {
    struct larder_store *store = arg;
    struct epoch_wait *waits = store->unasked;
    store->unasked = NULL;
    answer_waits(waits, LARDER_NOMEM);
}

/* For wait; false: no memory. */
static bool ask_epoch(struct larder_store *store, struct epoch_wait *wait, uint64_t deadline_ns) {
    struct op_inputs in = {.key = EPOCH_KEY, .add = store_needs_epoch(store) ? 1 : 0};
    struct epoch_question *question = malloc(sizeof(*question));
    struct op *op = NULL;
    if (question != NULL)
        op = op_new(store->reactor, LARDER_OP_ADVANCE, &in, deadline_ns, epoch_told, question);
    if (op == NULL) {
        free(question);
        return false;
    }
    *question = (struct epoch_question){.store = store,
                                        .waits = wait,
                                        .asked_ns = reactor_now_ns(store->reactor),
                                        .deadline_ns = deadline_ns};
    store->question = question;
    store->n_questions++;
    STAT(store, epoch_reads);
    op->trace = trace_ref(wait->trace);
    backend_call(store->tags.top, op);
    return true;
}

void store_ask_epoch(struct larder_store *store, struct epoch_wait *wait, uint64_t deadline_ns) {
    struct epoch_question *question = store->question;
    wait->next = NULL;
    if (question != NULL && question->deadline_ns > reactor_now_ns(store->reactor)) {
        wait->next = question->waits;
        question->waits = wait;
        return;
    }
    if (ask_epoch(store, wait, deadline_ns))
        return;
    if (store->unasked == NULL) {
        store->unasked_task = (struct task){.fn = answer_unasked, .arg = store};
        reactor_post(store->reactor, &store->unasked_task);
    }
    wait->next = store->unasked;
    store->unasked = wait;
}

/* ---- open ------------------------------------------------------------------------------ */

static uint32_t parse_kinds(const char *list) {
    uint32_t kinds = 0;
    for (uint32_t kind = 1; kind < LARDER_N_KINDS; kind++) {
        const char *name = larder_kind_name(kind), *at = list;
        size_t len = strlen(name);
        while ((at = strstr(at, name)) != NULL) {
            bool begins = at == list || at[-1] == ',' || at[-1] == ' ';
            bool ends = at[len] == 0 || at[len] == ',' || at[len] == ' ';
            if (begins && ends)
                kinds |= 1u << kind;
            at += len;
        }
    }
    return kinds;
}

static void store_free(struct larder_store *store) {
    stack_done(&store->tags);
    stack_done(&store->cache);
    mark_feed_free(store->feed);
    guess_table_done(&store->guesses);
    claim_table_done(&store->claims);
    epoch_book_done(&store->epoch);
    store_config_free(store->config);
    pthread_cond_destroy(&store->idle);
    pthread_mutex_destroy(&store->lock);
    free(store);
}

static void init_wait(struct larder_store *store) {
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_mutex_init(&store->lock, NULL);
    pthread_cond_init(&store->idle, &attr);
    pthread_condattr_destroy(&attr);
}

/* The reader adds a hook to the reactor, which only its own thread may do. */
static void begin(void *arg) {
    struct larder_store *store = arg;
    struct larder_stats *stats = &store->stats;
    bool serves = strcmp(store->settings->on_outage, "serve") == 0;
    outage_init(&store->outage, serves ? (uint64_t)store->settings->outage_max_ms * MS : 0);
    entry_reader_init(&store->entries, store->cache.top, store->tags.top, &store->epoch, &store->outage,
                      (size_t)store->settings->memory_bytes, (uint64_t)store->settings->memory_age_ms * MS,
                      &(struct entry_reader_stats){&stats->bytes_read, &stats->corrupt, &stats->joined,
                                                   &stats->memory_entries, &stats->memory_bytes});
    mark_reader_init(&store->marks, store->tags.top, &store->epoch, &store->outage,
                     (uint64_t)store->settings->mark_age_ms * MS);
    store->marks.stat_reads = &store->stats.mark_reads;
    store->marks.stat_marks = &store->stats.marks_read;
    store->marks.stat_made = &store->stats.marks_made;
    journal_init(&store->journal, store, store->settings->journal);
    live_init(&store->live, store);
}

int32_t store_open_on(struct reactor *r, struct store_config *config, struct larder_store **ret,
                      struct larder_error *error) {
    struct larder_store *store = calloc(1, sizeof(*store));
    if (store == NULL) {
        store_config_free(config);
        return error_set(error, LARDER_NOMEM, "out of memory");
    }
    store->reactor = r;
    store->config = config;
    store->settings = config->settings;
    store->opened_ns = reactor_now_ns(r);
    store->shared_kinds = parse_kinds(config->settings->shared_kinds);
    log_set_level(store->settings->log);
    init_wait(store);
    epoch_book_init(&store->epoch);
    store->epoch.trust_ns = (uint64_t)store->settings->mark_age_ms * MS;
    if (!build_stacks(store)) {
        store_free(store);
        return error_set(error, LARDER_NOMEM, "out of memory");
    }
    store->begin_task = (struct task){.fn = begin, .arg = store};
    reactor_post(r, &store->begin_task);
    *ret = store;
    return LARDER_OK;
}

int32_t larder_open(const struct larder_config *config, struct larder_store **ret_store,
                    struct larder_error *error) {
    struct store_config *typed = NULL;
    struct larder_store *store = NULL;
    int32_t status = store_config_new(config, &typed, error);
    if (status != LARDER_OK)
        return status;
    struct reactor *r = runtime_acquire();
    if (r == NULL) {
        store_config_free(typed);
        return error_set(error, LARDER_NOMEM, "the I/O thread could not be started");
    }
    status = store_open_on(r, typed, &store, error);
    if (status != LARDER_OK) {
        runtime_release();
        return status;
    }
    /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): LARDER_OK: it is set */
    store->on_runtime = true;
    *ret_store = store;
    return LARDER_OK;
}

/* ---- close --------------------------------------------------------------------------------- */

static bool is_quiet(const struct larder_store *store) {
    return !stack_busy(&store->cache) && !stack_busy(&store->tags) && store->marks.first == NULL &&
           store->marks.n_reads == 0 && store->entries.n_flights == 0 && store->n_questions == 0 &&
           store->unasked == NULL;
}

/* Looks again and again, because nobody tells when the last late op has come back.  A driver
 * that never completes one keeps its memory: freeing it would be worse. */
static void try_close(void *arg) {
    struct larder_store *store = arg;
    uint64_t now_ns = reactor_now_ns(store->reactor);
    pthread_mutex_lock(&store->lock);
    bool answered = store->inflight == 0;
    pthread_mutex_unlock(&store->lock);
    bool quiet = answered && is_quiet(store);
    if (answered && store->close_by_ns == 0)
        store->close_by_ns = now_ns + CLOSE_WAIT_MS * MS;
    if (!quiet && (store->close_by_ns == 0 || now_ns < store->close_by_ns)) {
        if (timer_set(&store->close_timer, now_ns + CLOSE_LOOK_MS * MS) == LARDER_OK)
            return;
    }
    larder_fn *fn = store->close_fn;
    void *fn_arg = store->close_arg;
    timer_done(&store->close_timer);
    mark_feed_stop(store->feed);
    mark_reader_done(&store->marks);
    entry_reader_done(&store->entries);
    journal_done(&store->journal);
    outage_done(&store->outage);
    if (quiet) {
        store_free(store);
    } else {
        log_line(LARDER_LOG_ERROR, "a driver never answered: its store is left behind at close");
        if (store->on_runtime)
            runtime_acquire(); /* the late completion will still need the thread */
    }
    fn(fn_arg);
}

static void close_here(void *arg) {
    struct larder_store *store = arg;
    timer_init(&store->close_timer, store->reactor, try_close, store);
    journal_stop(&store->journal);
    live_done(&store->live);
    try_close(store);
}

void store_close_begin(struct larder_store *store, larder_fn *fn, void *arg) {
    pthread_mutex_lock(&store->lock);
    store->closing = true;
    pthread_mutex_unlock(&store->lock);
    store->close_fn = fn;
    store->close_arg = arg;
    store->close_task = (struct task){.fn = close_here, .arg = store};
    reactor_post(store->reactor, &store->close_task);
}

struct closing {
    pthread_mutex_t lock;
    pthread_cond_t cond;
    bool over;
};

static void closed(void *arg) {
    struct closing *c = arg;
    pthread_mutex_lock(&c->lock);
    c->over = true;
    pthread_cond_signal(&c->cond);
    pthread_mutex_unlock(&c->lock);
}

void larder_close(struct larder_store *store) {
    struct closing c = {.lock = PTHREAD_MUTEX_INITIALIZER, .cond = PTHREAD_COND_INITIALIZER};
    if (store == NULL)
        return;
    store_close_begin(store, closed, &c);
    pthread_mutex_lock(&c.lock);
    while (!c.over)
        pthread_cond_wait(&c.cond, &c.lock);
    pthread_mutex_unlock(&c.lock);
    runtime_release();
}

/* ---- looking at a store ----------------------------------------------------------------------- */

int larder_drain(struct larder_store *store, uint32_t timeout_ms) {
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += timeout_ms / 1000;
    until.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    int err = 0;
    pthread_mutex_lock(&store->lock);
    while (store->inflight > 0 && err == 0)
        err = pthread_cond_timedwait(&store->idle, &store->lock, &until);
    int idle = store->inflight == 0;
    pthread_mutex_unlock(&store->lock);
    return idle;
}

const double *larder_epoch_cell(const struct larder_store *store) {
    return &store->epoch.cell;
}

const double *larder_changes_cell(const struct larder_store *store) {
    return &store->marks.changes;
}

void larder_keeping(const struct larder_store *store, struct larder_keeping *ret) {
    enum { SHARE = 2 }; /* it comes on top, where the core has dropped what is kept */
    const struct store_settings *settings = store->settings;
    int64_t ms = settings->mark_age_ms < settings->memory_age_ms ? settings->mark_age_ms
                                                                 : settings->memory_age_ms;
    *ret = (struct larder_keeping){.max_bytes = ms > 0 ? (uint64_t)settings->memory_bytes / SHARE : 0,
                                   .max_ms = (uint64_t)ms,
                                   .share_binary = strcmp(settings->memory_share, "all") == 0};
}

uint64_t larder_set_wait_ms(const struct larder_store *store) {
    return (uint64_t)store->settings->set_wait_ms;
}

void larder_count_kept(struct larder_store *store, uint64_t n) {
    STAT_ADD(store, gets, n);
    STAT_ADD(store, hits, n);
    STAT_ADD(store, memory_hits, n);
}

int64_t larder_epoch_known(const struct larder_store *store) {
    return epoch_known(&store->epoch);
}

int64_t larder_epoch_at(const struct larder_store *store, double age_ms) {
    struct epoch_book *book = (struct epoch_book *)(uintptr_t)&store->epoch;
    uint64_t now_ns = reactor_now_ns(store->reactor);
    if (!(age_ms > 0) && book->trust_ns == 0)
        return epoch_known(book);
    double age_ns = (age_ms > 0 ? age_ms * 1e6 : 0) + (double)book->trust_ns;
    if (age_ns >= (double)now_ns)
        return 0;
    return epoch_known_at(book, now_ns - (uint64_t)age_ns);
}

void larder_stats(const struct larder_store *store, struct larder_stats *ret) {
    _Static_assert(sizeof(struct larder_stats) % sizeof(uint64_t) == 0, "all members are 64 bits wide");
    count_copy(ret, &store->stats, sizeof(*ret));
    pthread_mutex_t *lock = (pthread_mutex_t *)(uintptr_t)&store->lock;
    pthread_mutex_lock(lock);
    ret->inflight = store->inflight;
    pthread_mutex_unlock(lock);
    ret->epoch = epoch_known(&store->epoch);
    ret->late = COUNT_GET(store->cache.meter.late) + COUNT_GET(store->tags.meter.late);
}
