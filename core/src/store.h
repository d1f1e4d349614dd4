/*
 * A store: two stacks of backends, what this process knows of its epoch, and the requests that
 * are under way.  store.c opens and closes it, request.c takes requests in and answers them;
 * get.c, put.c, revalidate.c and enumerate.c are what requests do.  Everything but the entry
 * points of larder.h runs on the reactor's thread.
 */
#ifndef CORE_STORE_H
#define CORE_STORE_H

#include <pthread.h>

#include "claim.h"
#include "config.h"
#include "entry_reader.h"
#include "epoch.h"
#include "failing.h"
#include "guess.h"
#include "journal.h"
#include "key.h"
#include "live.h"
#include "mark_feed.h"
#include "mark_reader.h"
#include "outage.h"
#include "stack.h"
#include "trace.h"

struct request;

struct epoch_wait { /* the asker's memory until fn */
    struct epoch_wait *next;
    void (*fn)(void *arg, int32_t status);
    void *arg;
    struct trace *trace; /* the asker's; NULL: none */
};

struct larder_store {
    struct reactor *reactor;
    bool on_runtime; /* the reactor is the runtime's */
    struct store_config *config;
    const struct store_settings *settings;
    uint32_t shared_kinds; /* bit (1 << kind) */

    struct stack cache;
    struct stack tags; /* n 0: tags.top is cache.top */

    struct epoch_book epoch;
    struct entry_reader entries;
    struct mark_reader marks;
    struct mark_feed *feed; /* to marks, of what the tag store's driver hears */
    struct journal journal;
    struct outage outage;
    struct live live;
    struct claim_table claims;
    struct guess_table guesses;
    struct failing failing[N_FAILING];
    struct trace_gate trace_gate;
    struct epoch_question *question; /* the latest that is under way; NULL: none is */
    uint32_t n_questions;            /* that are, overdue ones too */
    struct epoch_wait *unasked;      /* for whom there was no memory */
    struct task unasked_task, begin_task;

    uint64_t opened_ns;
    struct larder_stats stats;                        /* relaxed atomics: written here, read anywhere */
    struct larder_histogram requests[LARDER_N_TIMED]; /* as count.h: written on the reactor's thread */

    pthread_mutex_t lock; /* of what follows; idle is signalled when inflight falls to 0 */
    pthread_cond_t idle;
    uint64_t inflight;
    bool closing;
    struct task close_task;
    struct larder_timer close_timer;
    uint64_t close_by_ns;
    larder_fn *close_fn;
    void *close_arg;
};

/* Tests: a store on a reactor that is stepped by hand.  Takes config over, also on failure. */
int32_t store_open_on(struct reactor *r, struct store_config *config, struct larder_store **ret,
                      struct larder_error *error);
/* Refuses new requests; when the running ones have ended, closes everything, frees the store
 * and calls fn(arg) on the reactor's thread.  Any thread. */
void store_close_begin(struct larder_store *store, larder_fn *fn, void *arg);

/* Opens both stacks if need be; LARDER_OK or the first failure, with its text. */
int32_t store_ready(struct larder_store *store, const char **ret_detail);

static inline struct key_rules store_rules(const struct larder_store *store, const struct backend *top) {
    return (struct key_rules){.max_key = top->info.max_key,
                              .key_bytes = top->info.key_bytes,
                              .shared_kinds = store->shared_kinds,
                              .fold = (top->info.traits & LARDER_LOSSY) != 0};
}

/* After an outage: what would be rendered now could not be told from what was built of what was served
 * in it, before the counter is raised. */
static inline bool store_needs_epoch(const struct larder_store *store) {
    return store->outage.number == 0 && outage_is_unsure(&store->outage, epoch_known(&store->epoch));
}

/* Ask the counter (advance 0; 1 where a new epoch is needed), or join a question that is under way and not
 * overdue; fn is called later, never inside.  What it said is in store->epoch by then. */
void store_ask_epoch(struct larder_store *store, struct epoch_wait *wait, uint64_t deadline_ns);

#define STAT_ADD(store, member, n) __atomic_fetch_add(&(store)->stats.member, (n), __ATOMIC_RELAXED)
#define STAT(store, member) STAT_ADD(store, member, 1)

#endif
