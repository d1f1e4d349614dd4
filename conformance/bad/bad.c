/* A right driver with one mistake in it: see bad.h. */
#include "bad.h"

#include <pthread.h>
#include <stdlib.h>

/* The right driver's larder_driver_v1(), renamed where its files are compiled for this. */
const struct larder_driver *right_driver_v1(void);

const struct larder_driver *right;
const struct larder_host *the_host;

static struct larder_driver driver;
static struct larder_cache_ops cache;
static struct larder_tag_ops tags;
static struct larder_host lent; /* to the right driver */

/* ---- instances ------------------------------------------------------------------------- */

enum { MAX_INSTANCES = 256 };
static struct {
    pthread_mutex_t lock;
    struct {
        void *instance;
        struct larder_home *home;
    } known[MAX_INSTANCES];
} instances = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* Replaces what is known of `was` by an instance and its home.  Beyond MAX_INSTANCES nothing is. */
static void note(void *was, void *instance, struct larder_home *home) {
    pthread_mutex_lock(&instances.lock);
    for (size_t i = 0; i < MAX_INSTANCES; i++) {
        if (instances.known[i].instance == was) {
            instances.known[i].instance = instance;
            instances.known[i].home = home;
            break;
        }
    }
    pthread_mutex_unlock(&instances.lock);
}

struct larder_home *home_of(void *instance) {
    struct larder_home *home = NULL;
    pthread_mutex_lock(&instances.lock);
    for (size_t i = 0; i < MAX_INSTANCES && !home; i++) {
        if (instances.known[i].instance == instance)
            home = instances.known[i].home;
    }
    pthread_mutex_unlock(&instances.lock);
    return home;
}

/* ---- time ------------------------------------------------------------------------------- */

enum { ROUND_TRIP_NS = 20 * 1000 * 1000 };

struct trip {
    struct larder_timer *timer;
    larder_fn *fn;
    void *arg;
};

static void back(void *arg) {
    struct trip trip = *(struct trip *)arg;
    free(arg);
    the_host->timer_free(trip.timer);
    trip.fn(trip.arg);
}

bool later(void *instance, larder_fn *fn, void *arg) {
    struct trip *trip = malloc(sizeof(*trip));
    struct larder_timer *timer = trip ? the_host->timer(home_of(instance), back, trip) : NULL;
    if (!timer) {
        free(trip);
        return false;
    }
    *trip = (struct trip){timer, fn, arg};
    the_host->timer_set(timer, the_host->now_ns() + ROUND_TRIP_NS);
    return true;
}

/* ---- the host that the right driver sees -------------------------------------------------- */

/* scratch[2]: whom an answer is kept for (ask()); scratch[3]: what an op is a copy of. */
static struct larder_op *original(struct larder_op *op) {
    while (op->scratch[3])
        op = op->scratch[3];
    return op;
}

static void lent_complete(struct larder_op *op, const struct larder_result *res) {
    if (op->scratch[2]) {
        struct larder_result *kept = op->scratch[2];
        *kept = *res;
        kept->detail = NULL; /* it need not outlive this call */
        return;
    }
    (mistake.host.complete ? mistake.host.complete : the_host->complete)(original(op), res);
}

static int32_t lent_emit_mark(struct larder_op *op, const struct larder_mark *mark) {
    if (op->scratch[2])
        return LARDER_OK;
    return (mistake.host.emit_mark ? mistake.host.emit_mark : the_host->emit_mark)(original(op), mark);
}

static int32_t lent_emit_key(struct larder_op *op, struct larder_bytes key) {
    if (op->scratch[2])
        return LARDER_OK;
    return (mistake.host.emit_key ? mistake.host.emit_key : the_host->emit_key)(original(op), key);
}

static int32_t lent_emit_text(struct larder_op *op, struct larder_bytes text) {
    if (op->scratch[2])
        return LARDER_OK;
    return (mistake.host.emit_text ? mistake.host.emit_text : the_host->emit_text)(original(op), text);
}

struct larder_result ask(larder_op_fn *fn, void *instance, const struct larder_op *op) {
    struct larder_result res = {.size = sizeof(res)};
    struct larder_op copy = *op;
    copy.scratch[2] = &res;
    fn(instance, &copy);
    return res;
}

/* ---- the tables ------------------------------------------------------------------------------ */

#define REPLACE(table, member)                     \
    do {                                           \
        if (mistake.table.member)                  \
            (table).member = mistake.table.member; \
    } while (0)

static int32_t open_wrong(const struct larder_host *host, struct larder_home *home, const void *config,
                          struct larder_info *info, void **instance, char *error) {
    if (the_host != host) { /* of all instances the same */
        the_host = host;
        lent = *host;
        lent.complete = lent_complete;
        lent.emit_mark = lent_emit_mark;
        lent.emit_key = lent_emit_key;
        lent.emit_text = lent_emit_text;
        if (mistake.host.buf_new)
            lent.buf_new = mistake.host.buf_new;
        if (mistake.host.buf_ref)
            lent.buf_ref = mistake.host.buf_ref;
        if (mistake.host.buf_unref)
            lent.buf_unref = mistake.host.buf_unref;
    }
    int32_t (*fn)(const struct larder_host *, struct larder_home *, const void *, struct larder_info *,
                  void **, char *) = mistake.driver.open ? mistake.driver.open : right->open;
    int32_t status = fn(&lent, home, config, info, instance, error);
    if (status == LARDER_OK) {
        info->traits = (info->traits | mistake.claims_more) & ~mistake.claims_less;
        note(NULL, *instance, home);
    }
    return status;
}

static void close_wrong(void *instance) {
    void (*fn)(void *) = mistake.driver.close ? mistake.driver.close : right->close;
    fn(instance);
    note(instance, NULL, NULL);
}

static void make_tables(void) {
    right = right_driver_v1();
    driver = *right;
    cache = *right->cache;
    tags = *right->tags;

    REPLACE(cache, get);
    REPLACE(cache, put);
    REPLACE(cache, remove);
    REPLACE(cache, list);
    REPLACE(cache, claim);
    REPLACE(cache, release);
    REPLACE(tags, read);
    REPLACE(tags, write);
    REPLACE(tags, advance);
    REPLACE(tags, bump);
    REPLACE(tags, link);
    REPLACE(tags, keys_of);
    REPLACE(tags, tags_of);
    REPLACE(tags, list_marks);
    REPLACE(driver, ping);
    REPLACE(driver, provision);
    REPLACE(driver, explain);
    REPLACE(driver, cancel);
    REPLACE(driver, flush);
    if (mistake.driver.params) {
        driver.params = mistake.driver.params;
        driver.n_params = mistake.driver.n_params;
        driver.config_size = mistake.driver.config_size;
    }
    driver.cache = &cache;
    driver.tags = &tags;
    driver.open = open_wrong;
    driver.close = close_wrong;
}

LARDER_PUBLIC const struct larder_driver *larder_driver_v1(void) {
    if (!right)
        make_tables();
    return &driver;
}
