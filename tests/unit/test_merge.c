/* The merge rule over every small mark: epochs 1 to 3 or unset, times 1 to 3 or unset. */
#include <stdbool.h>
#include <string.h>

#include "marks.h"
#include "merge.h"
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

static bool is_due(const struct larder_mark *m, int64_t now_ms) {
    return m->expire_at_ms != LARDER_UNSET && m->expire_at_ms <= now_ms;
}

static bool same(const struct larder_mark *a, const struct larder_mark *b) {
    return a->expired_epoch == b->expired_epoch && a->stale_epoch == b->stale_epoch &&
           a->expire_at_ms == b->expire_at_ms;
}

/* The rule of docs/semantics.md once more, sentence by sentence, to compare with: a pair that
 * is due is an expired epoch, an expiry without a stale epoch is nothing ... */
static struct larder_mark settled_by_the_book(struct larder_mark mark, int64_t now_ms) {
    if (mark.stale_epoch == LARDER_UNSET) {
        mark.expire_at_ms = LARDER_UNSET;
    } else if (is_due(&mark, now_ms)) {
        if (mark.expired_epoch == LARDER_UNSET || mark.stale_epoch > mark.expired_epoch)
            mark.expired_epoch = mark.stale_epoch;
        mark.stale_epoch = mark.expire_at_ms = LARDER_UNSET;
    }
    return mark;
}

/* ... and the stricter of each member wins. */
static struct larder_mark merged_by_the_book(struct larder_mark stored, struct larder_mark add,
                                             int64_t now_ms) {
    stored = settled_by_the_book(stored, now_ms);
    add = settled_by_the_book(add, now_ms);
    struct larder_mark out = stored;
    if (add.expired_epoch != LARDER_UNSET &&
        (stored.expired_epoch == LARDER_UNSET || add.expired_epoch > stored.expired_epoch))
        out.expired_epoch = add.expired_epoch;
    if (add.stale_epoch != LARDER_UNSET &&
        (stored.stale_epoch == LARDER_UNSET || add.stale_epoch > stored.stale_epoch))
        out.stale_epoch = add.stale_epoch;
    if (add.expire_at_ms != LARDER_UNSET &&
        (stored.expire_at_ms == LARDER_UNSET || add.expire_at_ms < stored.expire_at_ms))
        out.expire_at_ms = add.expire_at_ms;
    return out;
}

static void the_core_and_the_drivers_merge_by_one_rule(void) {
    unsigned compared = 0;
    for (int i = 0; i < N_MARKS; i++) {
        for (int j = 0; j < N_MARKS; j++) {
            for (int64_t now_ms = 0; now_ms <= LAST; now_ms++) {
                struct larder_mark stored = mark_no(i), add = mark_no(j);
                struct larder_mark core = mark_merge(&stored, &add, now_ms);
                struct larder_mark driver = larder_merge_mark(&stored, &add, now_ms);
                struct larder_mark book = merged_by_the_book(stored, add, now_ms);
                CU_ASSERT(same(&core, &driver));
                CU_ASSERT(same(&core, &book));
                compared++;
            }
        }
        struct larder_mark add = mark_no(i), first = settled_by_the_book(add, 1);
        struct larder_mark core = mark_merge(NULL, &add, 1), driver = larder_merge_mark(NULL, &add, 1);
        CU_ASSERT(same(&core, &first));
        CU_ASSERT(same(&driver, &first));
    }
    CU_ASSERT_EQUAL(compared, N_MARKS * N_MARKS * (LAST + 1));
}

static void nothing_that_was_gone_or_due_to_go_comes_back(void) {
    for (int i = 0; i < N_MARKS; i++) {
        for (int j = 0; j < N_MARKS; j++) {
            for (int64_t now_ms = 0; now_ms <= LAST; now_ms++) {
                struct larder_mark stored = mark_no(i), add = mark_no(j);
                struct larder_mark out = larder_merge_mark(&stored, &add, now_ms);
                for (int64_t later_ms = now_ms; later_ms <= LAST; later_ms++) {
                    for (int64_t epoch = 0; epoch <= LAST; epoch++) {
                        uint32_t after = mark_verdict(&out, epoch, later_ms);
                        CU_ASSERT(after >= mark_verdict(&stored, epoch, later_ms));
                        CU_ASSERT(after >= mark_verdict(&add, epoch, later_ms));
                    }
                }
            }
        }
    }
}

static void marks_merge_to_the_same_in_any_order(void) {
    for (int i = 0; i < N_MARKS; i++) {
        for (int j = 0; j < N_MARKS; j++) {
            for (int k = 0; k < N_MARKS; k++) {
                struct larder_mark a = mark_no(i), b = mark_no(j), c = mark_no(k);
                struct larder_mark ab = larder_merge_mark(&a, &b, 0), ba = larder_merge_mark(&b, &a, 0);
                struct larder_mark bc = larder_merge_mark(&b, &c, 0);
                struct larder_mark left = larder_merge_mark(&ab, &c, 0),
                                   right = larder_merge_mark(&bc, &a, 0);
                CU_ASSERT(same(&ab, &ba));
                CU_ASSERT(same(&left, &right));
            }
        }
    }
}

static void a_mark_that_arrives_twice_changes_nothing_the_second_time(void) {
    for (int i = 0; i < N_MARKS; i++) {
        for (int j = 0; j < N_MARKS; j++) {
            for (int64_t now_ms = 0; now_ms <= LAST; now_ms++) {
                struct larder_mark stored = mark_no(i), add = mark_no(j);
                struct larder_mark once = larder_merge_mark(&stored, &add, now_ms);
                struct larder_mark twice = larder_merge_mark(&once, &add, now_ms);
                for (int64_t epoch = 0; epoch <= LAST; epoch++)
                    CU_ASSERT_EQUAL(mark_verdict(&once, epoch, now_ms), mark_verdict(&twice, epoch, now_ms));
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
          UNIT(nothing_that_was_gone_or_due_to_go_comes_back), UNIT(marks_merge_to_the_same_in_any_order),
          UNIT(a_mark_that_arrives_twice_changes_nothing_the_second_time),
          UNIT(a_pair_that_is_due_makes_room_for_the_new_one), UNIT(the_tag_is_that_of_the_mark_that_arrives))
