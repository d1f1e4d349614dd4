/* A store over the driver that holds every op until the test answers it (held.h), under a clock of
 * the test's own.  For test programs of a store. */
#ifndef TESTS_STORE_OVER_HELD_H
#define TESTS_STORE_OVER_HELD_H

#include "buf.h"
#include "bytes.h"
#include "frame.h"
#include "held.h"
#include "loader.h"
#include "store.h"
#include "unit.h"

#define BYTES(text) ((struct larder_bytes){(const uint8_t *)(text), sizeof(text) - 1})

static struct reactor *reactor;
static struct larder_store *store;
static size_t bufs_before;

struct seen { /* what `done` was told */
    unsigned times;
    const struct larder_answer *answer;
};

static inline void remember(void *arg, const struct larder_answer *answer) {
    struct seen *seen = arg;
    seen->times++;
    larder_answer_unref(seen->answer);
    seen->answer = larder_answer_ref(answer);
}

static inline void forget(struct seen *seen) {
    seen->answer = larder_answer_unref(seen->answer);
    seen->times = 0;
}

/* The stores that are opened have this much memory: what is sent is looked at without it. */
static const char *memory_setting = "0";
static const char *on_outage_setting = "miss";

static inline void open_with(const char *cache, const char *setting, const char *value) {
    struct larder_config *config = larder_config_new();
    struct store_config *typed = NULL;
    struct larder_error error = {0};
    bufs_before = buf_live();
    held_info.opened = held_info.closed = 0;
    reactor = held_reactor();
    larder_config_set(config, "cache", cache, "test", &error);
    larder_config_set(config, "compress", "off", "test", &error);
    /* What follows a failed op is the subject of test_retry.c and test_breaker.c. */
    larder_config_set(config, "retries", "0", "test", &error);
    larder_config_set(config, "breaker", "0", "test", &error);
    larder_config_set(config, "namespace", "ns", "test", &error);
    larder_config_set(config, "memory", memory_setting, "test", &error);
    larder_config_set(config, "on-outage", on_outage_setting, "test", &error);
    if (setting != NULL)
        larder_config_set(config, setting, value, "test", &error);
    store = NULL;
    if (store_config_new(config, &typed, &error) == LARDER_OK)
        store_open_on(reactor, typed, &store, &error);
    if (store == NULL) {
        printf("cannot open the store: %s\n", error.text);
        exit(2);
    }
    larder_config_free(config);
    settle(reactor);
}

static inline void open_store(void) {
    open_with("held", NULL, NULL);
}

static inline void note_closed(void *arg) {
    *(bool *)arg = true;
}

static inline void close_store(void) {
    bool closed = false;
    store_close_begin(store, note_closed, &closed);
    settle(reactor);
    for (int i = 0; i < 2000 && !closed; i++)
        pass_ms(reactor, 5);
    CU_ASSERT(closed);
    CU_ASSERT(held_count(0) == 0);
    reactor_free(reactor);
    backend_host_clock(NULL);
    CU_ASSERT(buf_live() == bufs_before);
    held_info = (struct held_info){0};
}

static inline void submit(struct seen *seen, struct larder_request request) {
    CU_ASSERT_FATAL(larder_submit(store, &request, remember, seen) == LARDER_OK);
}

static inline struct larder_request get_of(const char *key, uint32_t flags) {
    return (struct larder_request){
        .code = LARDER_DO_GET, .kind = LARDER_FETCH, .key = bytes_of(key), .flags = flags};
}

static const struct larder_mark namespace_mark = {{NULL, 0}, 10, LARDER_UNSET, LARDER_UNSET};

/* The namespace's mark as the driver below the namespace layer knows it. */
static inline struct larder_mark mark_of(const char *tag, int64_t expired) {
    return (struct larder_mark){bytes_of(tag), expired, LARDER_UNSET, LARDER_UNSET};
}

static inline void answer_namespace(struct larder_op *op) {
    struct larder_mark ns = mark_of("ns/", namespace_mark.expired_epoch);
    answer_marks(op, &ns, 1);
}

static inline struct larder_slice frame_of(const char *key, int64_t epoch, const char *tag) {
    struct larder_bytes tags[1] = {tag != NULL ? bytes_of(tag) : (struct larder_bytes){0}};
    struct larder_part part = {.name = BYTES("body"), .data = BYTES("hello"), .encoding = LARDER_BINARY};
    struct larder_entry entry = {.kind = LARDER_FETCH,
                                 .n_parts = 1,
                                 .key = bytes_of(key),
                                 .meta = BYTES("{}"),
                                 .epoch = epoch,
                                 .modified_ms = 5,
                                 .revalidate_ms = LARDER_UNSET,
                                 .expire_ms = LARDER_UNSET,
                                 .tags = tags,
                                 .n_tags = tag != NULL,
                                 .parts = &part};
    struct larder_slice slice = {0};
    CU_ASSERT_FATAL(frame_encode(&entry, 1 << 20, &slice) == LARDER_OK);
    return slice;
}

static inline int store_main(const char *suite_name, const struct unit_test *tests, size_t n) {
    loader_add_builtin(&held_driver);
    loader_add_builtin(&held_driver_two_rounds);
    return unit_main(suite_name, tests, n);
}

#endif
