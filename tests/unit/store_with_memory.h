/* A store over the driver that holds every op, with memory: entries that are read or put into it.  The
 * entries are of tag t. */
#ifndef TESTS_STORE_WITH_MEMORY_H
#define TESTS_STORE_WITH_MEMORY_H

#include "store_over_held.h"

static inline struct larder_mark ns_mark(void) {
    return mark_of("ns/", namespace_mark.expired_epoch);
}

/* The marks that are asked for: the namespace's, and t's where it is not LARDER_UNSET. */
static inline void answer_tag(int64_t expired) {
    struct larder_mark marks[] = {ns_mark(), mark_of("ns/t", expired)};
    struct larder_op *op = held_take(LARDER_OP_TAGS_READ);
    CU_ASSERT_FATAL(op != NULL);
    answer_marks(op, marks, expired == LARDER_UNSET ? 1 : 2);
    settle(reactor);
}

static inline void answer_get(struct larder_slice value, int64_t epoch) {
    struct larder_op *op = held_take(LARDER_OP_GET);
    CU_ASSERT_FATAL(op != NULL);
    answer_value(op, value, epoch);
    settle(reactor);
}

/* A get from the store, which leaves entry `key` with tag t and epoch 12 in memory. */
static inline void read_in(const char *key) {
    struct seen seen = {0};
    submit(&seen, get_of(key, 0));
    settle(reactor);
    answer_get(frame_of(key, 12, "t"), 12);
    while (held_count(LARDER_OP_TAGS_READ) > 0)
        answer_tag(LARDER_UNSET);
    CU_ASSERT_FATAL(seen.times == 1 && seen.answer->status == LARDER_OK);
    CU_ASSERT(held_count(0) == 0);
    forget(&seen);
}

static inline uint64_t memory_hits(void) {
    struct larder_stats stats;
    larder_stats(store, &stats);
    return stats.memory_hits;
}

static inline struct larder_entry entry_of(const char *key, int64_t epoch, const char *body) {
    static struct larder_part part;
    static struct larder_bytes tag;
    part = (struct larder_part){.name = BYTES("body"), .data = bytes_of(body), .encoding = LARDER_BINARY};
    tag = BYTES("t");
    return (struct larder_entry){.kind = LARDER_FETCH,
                                 .n_parts = 1,
                                 .key = bytes_of(key),
                                 .meta = BYTES("{}"),
                                 .epoch = epoch,
                                 .modified_ms = test_clock.ms,
                                 .revalidate_ms = LARDER_UNSET,
                                 .expire_ms = LARDER_UNSET,
                                 .tags = &tag,
                                 .n_tags = 1,
                                 .parts = &part};
}

static inline struct larder_request put_of(const struct larder_entry *entry, uint32_t flags) {
    return (struct larder_request){.code = LARDER_DO_PUT, .entry = entry, .flags = flags};
}

static inline void finish_put(struct seen *seen) {
    struct larder_op *op = held_take(LARDER_OP_PUT);
    CU_ASSERT_FATAL(op != NULL);
    answer_status(op, LARDER_OK);
    settle(reactor);
    CU_ASSERT(seen->times == 1 && seen->answer->status == LARDER_OK);
    forget(seen);
}

#endif
