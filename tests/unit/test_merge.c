/* The merge rule over every small mark: epochs 1 to 3 or unset, times 1 to 3 or unset. */
#include <stdbool.h>
#include <string.h>

#include "larder/merge.h"
#include "marks.h"
#include "unit.h"

enum { LAST = 4, N_MARKS = LAST * LAST * LAST };

static int64_t value_of(int i) {
    return i == 0 ? LARDER_UNSET : i;
}

static struct larder_mark mark_no(int i) {
    return (struct larder_mark){
        .expired_epoch = value_of(i % LAST),
        .stale_epoch = value_of(i / LAST % LAST),
        .expire_at_ms = value_of(i / LAST / LAST),
    };
}

static bool same(const struct larder_mark *a, const struct larder_mark *b) {
    return a->expired_epoch == b->expired_epoch && a->stale_epoch == b->stale_epoch &&
           a->expire_at_ms == b->expire_at_ms;
}

/* The rule of docs/semantics.md once more, from the other end: of all that the two marks say of
 * an entry, the worst, and no more. */
static uint32_t worse_of(const struct larder_mark *a, const struct larder_mark *b, int64_t epoch,
                         int64_t now_ms) {
    uint32_t one = mark_verdict(a, epoch, now_ms), other = mark_verdict(b, epoch, now_ms);
    return one > other ? one : other;
}

static void the_core_and_the_drivers_merge_by_one_rule(void) {
    unsigned compared = 0;
    for (int i = 0; i < N_MARKS; i++) {
        for (int j = 0; j < N_MARKS; j++) {
            for (int64_t now_ms = 0; now_ms <= LAST; now_ms++) {
                struct larder_mark stored = mark_no(i), add = mark_no(j);
                struct larder_mark core = mark_merge(&stored, &add, now_ms);
                struct larder_mark driver = larder_merge_mark(&stored, &add, now_ms);
                CU_ASSERT(same(&core, &driver));
                compared++;
            }
        }
    }
    CU_ASSERT_EQUAL(compared, N_MARKS * N_MARKS * (LAST + 1));
}

static void the_first_mark_reads_back_as_it_was_written(void) {
    for (int i = 0; i < N_MARKS; i++) {
        for (int64_t now_ms = 0; now_ms <= LAST; now_ms++) {
            struct larder_mark add = mark_no(i);
            struct larder_mark core = mark_merge(NULL, &add, now_ms),
                               driver = larder_merge_mark(NULL, &add, now_ms);
            CU_ASSERT(same(&core, &add));
            CU_ASSERT(same(&driver, &add));
        }
    }
}

static void at_the_time_of_merging_the_result_says_what_the_worse_mark_says(void) {
    for (int i = 0; i < N_MARKS; i++) {
        for (int j = 0; j < N_MARKS; j++) {
            for (int64_t now_ms = 0; now_ms <= LAST; now_ms++) {
                struct larder_mark stored = mark_no(i), add = mark_no(j);
                struct larder_mark out = larder_merge_mark(&stored, &add, now_ms);
                for (int64_t epoch = 0; epoch <= LAST; epoch++)
                    CU_ASSERT_EQUAL(mark_verdict(&out, epoch, now_ms),
                                    worse_of(&stored, &add, epoch, now_ms));
            }
        }
    }
}

static void nothing_that_was_gone_or_due_to_go_comes_back(void) {
    for (int i = 0; i < N_MARKS; i++) {
        for (int j = 0; j < N_MARKS; j++) {
            for (int64_t now_ms = 0; now_ms <= LAST; now_ms++) {
                struct larder_mark stored = mark_no(i), add = mark_no(j);
                struct larder_mark out = larder_merge_mark(&stored, &add, now_ms);
                for (int64_t later_ms = now_ms; later_ms <= LAST; later_ms++) {
                    for (int64_t epoch = 0; epoch <= LAST; epoch++)
                        CU_ASSERT(mark_verdict(&out, epoch, later_ms) >=
                                  worse_of(&stored, &add, epoch, later_ms));
                }
            }
        }
    }
}

static void marks_merge_to_the_same_in_any_order(void) {
    for (int i = 0; i < N_MARKS; i++) {
        for (int j = 0; j < N_MARKS; j++) {
            for (int64_t now_ms = 0; now_ms <= LAST; now_ms++) {
                struct larder_mark a = mark_no(i), b = mark_no(j);
                struct larder_mark ab = larder_merge_mark(&a, &b, now_ms),
                                   ba = larder_merge_mark(&b, &a, now_ms);
                struct larder_mark again = larder_merge_mark(&ab, &b, now_ms);
                CU_ASSERT(same(&ab, &ba));
                CU_ASSERT(same(&ab, &again));
            }
        }
    }
}

static void a_pair_that_is_due_makes_room_for_the_new_one(void) {
    struct larder_mark stored = {.expired_epoch = 3, .stale_epoch = 10, .expire_at_ms = 1000};
    struct larder_mark add = {.expired_epoch = LARDER_UNSET, .stale_epoch = 20, .expire_at_ms = 5000};
    struct larder_mark early = larder_merge_mark(&stored, &add, 999);
    CU_ASSERT_EQUAL(early.expired_epoch, 3);
    CU_ASSERT_EQUAL(early.stale_epoch, 20);
    CU_ASSERT_EQUAL(early.expire_at_ms, 1000);
    struct larder_mark due = larder_merge_mark(&stored, &add, 1000);
    CU_ASSERT_EQUAL(due.expired_epoch, 10);
    CU_ASSERT_EQUAL(due.stale_epoch, 20);
    CU_ASSERT_EQUAL(due.expire_at_ms, 5000);
}

static void the_tag_is_that_of_the_mark_that_arrives(void) {
    struct larder_mark stored = {.tag = {(const uint8_t *)"old", 3}};
    struct larder_mark add = {.tag = {(const uint8_t *)"new", 3}};
    CU_ASSERT_PTR_EQUAL(larder_merge_mark(&stored, &add, 0).tag.ptr, add.tag.ptr);
    CU_ASSERT_PTR_EQUAL(larder_merge_mark(NULL, &add, 0).tag.ptr, add.tag.ptr);
}

UNIT_MAIN("merge", UNIT(the_core_and_the_drivers_merge_by_one_rule),
          UNIT(the_first_mark_reads_back_as_it_was_written),
          UNIT(at_the_time_of_merging_the_result_says_what_the_worse_mark_says),
          UNIT(nothing_that_was_gone_or_due_to_go_comes_back), UNIT(marks_merge_to_the_same_in_any_order),
          UNIT(a_pair_that_is_due_makes_room_for_the_new_one), UNIT(the_tag_is_that_of_the_mark_that_arrives))
