/*
 * A reactor under a clock of the test's own, and a driver that completes nothing by itself: it
 * holds every op until the test answers it.  So a test can look at what the core sends, and
 * when, and choose every order of answers.
 */
#ifndef TESTS_UNIT_HELD_H
#define TESTS_UNIT_HELD_H

#include "backend.h"
#include "fake_clock.h"

extern struct fake_clock test_clock; /* starts at 1,000 s and 1,700,000,000,000 ms */

/* A reactor that tells test_clock's time, also to drivers. */
struct reactor *held_reactor(void);
/* Steps until nothing happens any more, timers that are due included. */
void settle(struct reactor *r);
/* Lets time pass, then settles. */
void pass_ms(struct reactor *r, int64_t ms);

/* What the driver says of itself at open; open_status other than LARDER_OK makes opening fail,
 * with the text "held shut". */
struct held_info {
    uint32_t traits, max_marks, max_inflight, max_attempts;
    uint64_t max_key, max_value;
    int32_t open_status;
    unsigned opened, closed, flushed;
};
extern struct held_info held_info;
/* The same without bump: revalidation takes two rounds. */
extern const struct larder_driver held_driver, held_driver_two_rounds; /* "held", "held-two-rounds" */

/* As if the driver had heard that a mark was written: host->mark_seen().  Any thread. */
void held_hear(struct larder_mark mark);

/* How many ops are held; of one code (0: any). */
size_t held_count(uint32_t code);
/* Takes the oldest held op of a code out; NULL: none. */
struct larder_op *held_take(uint32_t code);

/* Answers for taken ops. */
void answer_status(struct larder_op *op, int32_t status);
void answer_value(struct larder_op *op, struct larder_slice value, int64_t epoch); /* passes the reference */
void answer_epoch(struct larder_op *op, int64_t epoch);
/* tags read: those of marks[] that were asked for. */
void answer_marks(struct larder_op *op, const struct larder_mark *marks, size_t n);

#endif
