/* Histories made by hand, for the tests of the model's checks. */
#ifndef CONFORMANCE_TEST_MODEL_H
#define CONFORMANCE_TEST_MODEL_H

#include <string.h>

#include "model.h"
#include "unit.h"

static struct model_history h;

static inline void begin(bool in_order, uint32_t traits) {
    memset(&h, 0, sizeof(h));
    h.in_order = in_order;
    h.traits = traits;
}

/* One more event, called and returned at these moments; later ones in the order of their calls. */
static inline struct model_event *during(const char *step, uint64_t called, uint64_t returned,
                                         int32_t status) {
    char text[256], error[128];
    struct model_program p;
    snprintf(text, sizeof(text), "window 1; %s", step);
    struct model_event *e = &h.events[h.n++];
    CU_ASSERT_TRUE_FATAL(model_parse(text, &p, error));
    *e = (struct model_event){.step = p.steps[0],
                              .called = called,
                              .returned = returned,
                              .status = status,
                              .got = MODEL_NONE,
                              .whole = true};
    return e;
}

/* One more event, after all before. */
static inline struct model_event *then(const char *step, int32_t status) {
    uint64_t at = 10 * h.n + 1;
    return during(step, at, at + 5, status);
}

static inline void got(struct model_event *e, int put) {
    e->got = put;
}

static inline void saw(struct model_event *e, unsigned tag, int64_t expired, int64_t stale,
                       int64_t expire_at_ms) {
    e->seen |= 1u << tag;
    e->marks[tag] = (struct model_mark){(uint8_t)tag, expired, stale, expire_at_ms};
}

static inline bool holds(void) {
    return model_check(&h).outcome == MODEL_HOLDS;
}

/* Whether it fails at the event that was added last. */
static inline bool fails_at_the_end(void) {
    struct model_verdict v = model_check(&h);
    if (v.outcome == MODEL_FAILS && v.at != h.n - 1)
        printf("(fails at %zu: %s) ", v.at, v.why);
    return v.outcome == MODEL_FAILS && v.at == h.n - 1;
}

enum { OK = LARDER_OK, MISS = LARDER_MISS, LOST = LARDER_RETRY };
#define UNSET LARDER_UNSET

#endif
