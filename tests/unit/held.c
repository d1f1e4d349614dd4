#include "held.h"

#include "bytes.h"

enum { MAX_HELD = 4096 };

struct fake_clock test_clock = {1000000000000u, 1700000000000};
struct held_info held_info;

static struct larder_op *held[MAX_HELD];
static size_t n_held;
static const struct larder_host *held_host;
static struct larder_home *held_home;

/* ---- time ------------------------------------------------------------------- */

struct reactor *held_reactor(void) {
    struct reactor_clock clock = fake_clock_of(&test_clock);
    struct reactor *r = reactor_new(&clock);
    backend_host_clock(r);
    return r;
}

void settle(struct reactor *r) {
    while (reactor_step(r, false, 0) > 0) {}
}

void pass_ms(struct reactor *r, int64_t ms) {
    fake_clock_pass_ms(&test_clock, ms);
    settle(r);
}

/* ---- the driver ------------------------------------------------------------------ */

static void hold(void *instance, struct larder_op *op) {
    (void)instance;
    if (n_held < MAX_HELD)
        held[n_held++] = op;
    else
        op_fail(op, LARDER_INTERNAL, "too many ops held");
}

static int32_t held_open(const struct larder_host *host, struct larder_home *home, const void *config,
                         struct larder_info *info, void **instance, char *error) {
    (void)config;
    held_host = host;
    held_home = home;
    if (held_info.open_status != LARDER_OK) {
        memcpy(error, "held shut", sizeof("held shut"));
        return held_info.open_status;
    }
    info->traits = held_info.traits;
    info->max_marks = held_info.max_marks;
    info->max_inflight = held_info.max_inflight;
    info->max_key = held_info.max_key;
    info->max_value = held_info.max_value;
    info->max_attempts = held_info.max_attempts;
    held_info.opened++;
    *instance = &held_info;
    return LARDER_OK;
}

static void held_close(void *instance) {
    (void)instance;
    held_info.closed++;
}

static void held_flush(void *instance) {
    (void)instance;
    held_info.flushed++;
}

static const struct larder_cache_ops cache = {.size = sizeof(cache),
                                              .get = hold,
                                              .put = hold,
                                              .remove = hold,
                                              .list = hold,
                                              .claim = hold,
                                              .release = hold};
static const struct larder_tag_ops tags = {.size = sizeof(tags),
                                           .read = hold,
                                           .write = hold,
                                           .advance = hold,
                                           .bump = hold,
                                           .link = hold,
                                           .keys_of = hold,
                                           .tags_of = hold,
                                           .list_marks = hold};
static const struct larder_tag_ops tags_without_bump = {.size = sizeof(tags_without_bump),
                                                        .read = hold,
                                                        .write = hold,
                                                        .advance = hold,
                                                        .link = hold,
                                                        .keys_of = hold,
                                                        .tags_of = hold,
                                                        .list_marks = hold};

#define HELD_DRIVER(its_name, its_tags)                                                            \
    {                                                                                              \
        .size = sizeof(struct larder_driver), .abi = LARDER_ABI, .name = its_name, .version = "0", \
        .summary = "Holds every op.", .param_size = sizeof(struct larder_param), .config_size = 8, \
        .cache = &cache, .tags = its_tags, .open = held_open, .close = held_close, .ping = hold,   \
        .provision = hold, .explain = hold, .flush = held_flush                                    \
    }
const struct larder_driver held_driver = HELD_DRIVER("held", &tags);
const struct larder_driver held_driver_two_rounds = HELD_DRIVER("held-two-rounds", &tags_without_bump);

void held_hear(struct larder_mark mark) {
    held_host->mark_seen(held_home, &mark);
}

/* ---- what is held ------------------------------------------------------------------- */

size_t held_count(uint32_t code) {
    size_t n = 0;
    for (size_t i = 0; i < n_held; i++)
        n += code == 0 || held[i]->code == code;
    return n;
}

struct larder_op *held_take(uint32_t code) {
    for (size_t i = 0; i < n_held; i++) {
        struct larder_op *op = held[i];
        if (code != 0 && op->code != code)
            continue;
        memmove(&held[i], &held[i + 1], (n_held - i - 1) * sizeof(held[0]));
        n_held--;
        return op;
    }
    return NULL;
}

void answer_status(struct larder_op *op, int32_t status) {
    op_fail(op, status, status < 0 ? "as the test said" : NULL);
}

void answer_value(struct larder_op *op, struct larder_slice value, int64_t epoch) {
    struct larder_result res = {.size = sizeof(res), .value = value, .epoch = epoch};
    op_complete(op, &res);
}

void answer_epoch(struct larder_op *op, int64_t epoch) {
    struct larder_result res = {.size = sizeof(res), .epoch = epoch};
    op_complete(op, &res);
}

void answer_marks(struct larder_op *op, const struct larder_mark *marks, size_t n) {
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < op->n_marks; k++)
            if (bytes_equal(op->marks[k].tag, marks[i].tag))
                op_emit_mark(op, &marks[i]);
    answer_status(op, LARDER_OK);
}
