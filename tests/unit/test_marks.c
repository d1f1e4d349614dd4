/*
 * The arithmetic of marks over every mark of a small domain: epochs 1 to 3 or unset, times 1 to
 * 3 or unset.  What must hold is said once, by ideal(), from the marks alone; the merged mark
 * is compared with it.  (test_merge.c compares the drivers' rule with the core's.)
 */
#include <string.h>

#include "bytes.h"
#include "marks.h"
#include "unit.h"

enum { LAST = 3, N_VALUES = LAST + 1, N_MARKS = N_VALUES * N_VALUES * N_VALUES };

static int64_t value_of(int i) {
    return i == 0 ? LARDER_UNSET : i;
}

static struct larder_mark mark_no(int i) {
    return (struct larder_mark){
        .expired_epoch = value_of(i % N_VALUES),
        .stale_epoch = value_of(i / N_VALUES % N_VALUES),
        .expire_at_ms = value_of(i / N_VALUES / N_VALUES),
    };
}

static bool same(const struct larder_mark *a, const struct larder_mark *b) {
    return a->expired_epoch == b->expired_epoch && a->stale_epoch == b->stale_epoch &&
           a->expire_at_ms == b->expire_at_ms;
}

/* The worst that any of the marks says. */
static uint32_t ideal(const struct larder_mark *marks, size_t n, int64_t epoch, int64_t now_ms) {
    uint32_t worst = LARDER_FRESH;
    for (size_t i = 0; i < n; i++) {
        uint32_t one = mark_verdict(&marks[i], epoch, now_ms);
        worst = one > worst ? one : worst;
    }
    return worst;
}

/* marks[order[0]], then marks[order[1]] ..., arriving at nows[0], nows[1] ... */
static struct larder_mark merged(const struct larder_mark *marks, const int *order, const int64_t *nows,
                                 size_t n) {
    struct larder_mark stored = mark_merge(NULL, &marks[order[0]], nows[0]);
    for (size_t i = 1; i < n; i++)
        stored = mark_merge(&stored, &marks[order[i]], nows[i]);
    return stored;
}

static const int orders[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};

static void an_entry_is_judged_by_its_epoch_and_the_time(void) {
    const struct larder_mark unset = {{0}, LARDER_UNSET, LARDER_UNSET, LARDER_UNSET};
    const struct larder_mark expired = {{0}, 5, LARDER_UNSET, LARDER_UNSET};
    const struct larder_mark stale = {{0}, LARDER_UNSET, 5, LARDER_UNSET};
    const struct larder_mark due = {{0}, 3, 5, 1000};
    CU_ASSERT_EQUAL(mark_verdict(&unset, 0, 0), LARDER_FRESH);
    CU_ASSERT_EQUAL(mark_verdict(&unset, INT64_MIN, INT64_MAX), LARDER_FRESH);
    CU_ASSERT_EQUAL(mark_verdict(&expired, 4, 0), LARDER_GONE);
    CU_ASSERT_EQUAL(mark_verdict(&expired, 5, 0), LARDER_FRESH);
    CU_ASSERT_EQUAL(mark_verdict(&stale, 4, INT64_MAX), LARDER_STALE);
    CU_ASSERT_EQUAL(mark_verdict(&stale, 5, INT64_MAX), LARDER_FRESH);
    CU_ASSERT_EQUAL(mark_verdict(&due, 2, 0), LARDER_GONE);
    CU_ASSERT_EQUAL(mark_verdict(&due, 3, 999), LARDER_STALE);
    CU_ASSERT_EQUAL(mark_verdict(&due, 3, 1000), LARDER_GONE);
    CU_ASSERT_EQUAL(mark_verdict(&due, 5, 1000), LARDER_FRESH);
}

static void a_mark_mentions_its_greatest_epoch(void) {
    CU_ASSERT_EQUAL(mark_epoch(&(struct larder_mark){{0}, LARDER_UNSET, LARDER_UNSET, 9}), 0);
    CU_ASSERT_EQUAL(mark_epoch(&(struct larder_mark){{0}, 4, LARDER_UNSET, 9}), 4);
    CU_ASSERT_EQUAL(mark_epoch(&(struct larder_mark){{0}, LARDER_UNSET, 6, 9}), 6);
    CU_ASSERT_EQUAL(mark_epoch(&(struct larder_mark){{0}, 4, 6, 9}), 6);
    CU_ASSERT_EQUAL(mark_epoch(&(struct larder_mark){{0}, -4, LARDER_UNSET, 9}), 0);
}

/* The same for three marks, whichever; they are taken in every order here. */
static bool one_result(const struct larder_mark *marks, int64_t now_ms) {
    const int64_t nows[3] = {now_ms, now_ms, now_ms};
    const struct larder_mark first = merged(marks, orders[0], nows, 3);
    bool all_same = true;
    for (size_t o = 1; o < N_ELEMENTS(orders); o++) {
        struct larder_mark other = merged(marks, orders[o], nows, 3);
        all_same = all_same && same(&first, &other);
    }
    return all_same;
}

static void marks_merge_to_the_same_in_any_order(void) {
    for (int i = 0; i < N_MARKS; i++) {
        for (int j = i; j < N_MARKS; j++) {
            for (int k = j; k < N_MARKS; k++) {
                const struct larder_mark marks[3] = {mark_no(i), mark_no(j), mark_no(k)};
                for (int64_t now_ms = 0; now_ms <= LAST; now_ms++)
                    CU_ASSERT_FATAL(one_result(marks, now_ms));
            }
        }
    }
}

static void a_mark_arriving_again_changes_nothing(void) {
    for (int i = 0; i < N_MARKS * N_MARKS; i++) {
        const struct larder_mark a = mark_no(i % N_MARKS), b = mark_no(i / N_MARKS);
        for (int64_t now_ms = 0; now_ms <= LAST; now_ms++) {
            struct larder_mark one = mark_merge(NULL, &a, now_ms);
            struct larder_mark two = mark_merge(&one, &b, now_ms);
            struct larder_mark again = mark_merge(&two, &a, now_ms);
            CU_ASSERT(same(&two, &again));
        }
    }
}

/* Three marks, every order, every time at which each may arrive (also by clocks that differ),
 * every entry, every later look. */
static void merging_never_makes_an_entry_better_than_a_mark_says(void) {
    for (int i = 0; i < N_MARKS * N_MARKS * N_MARKS; i += 13) { /* each mark in each place */
        const struct larder_mark marks[3] = {mark_no(i % N_MARKS), mark_no(i / N_MARKS % N_MARKS),
                                             mark_no(i / N_MARKS / N_MARKS)};
        static const int in_order[3] = {0, 1, 2}; /* i takes every order by itself */
        for (int t = 0; t < N_VALUES * N_VALUES * N_VALUES; t++) {
            const int64_t nows[3] = {t % N_VALUES, t / N_VALUES % N_VALUES, t / N_VALUES / N_VALUES};
            struct larder_mark out = merged(marks, in_order, nows, 3);
            bool holds = true;
            for (int64_t epoch = 0; epoch <= LAST; epoch++) {
                for (int64_t look = 0; look <= LAST; look++) {
                    uint32_t verdict = mark_verdict(&out, epoch, look);
                    holds = holds && verdict >= ideal(marks, 3, epoch, look);
                }
            }
            CU_ASSERT_FATAL(holds);
        }
    }
}

/* An entry that no mark is greater than stays fresh, and none is gone while no expiry has come
 * by any clock that was asked. */
static void merging_never_makes_an_entry_worse_without_a_reason(void) {
    for (int i = 0; i < N_MARKS * N_MARKS; i++) {
        const struct larder_mark marks[2] = {mark_no(i % N_MARKS), mark_no(i / N_MARKS)};
        static const int in_order[2] = {0, 1};
        for (int t = 0; t < N_VALUES * N_VALUES; t++) {
            const int64_t nows[2] = {t % N_VALUES, t / N_VALUES};
            struct larder_mark out = merged(marks, in_order, nows, 2);
            for (int64_t epoch = 0; epoch <= LAST; epoch++) {
                for (int64_t look = 0; look <= LAST; look++) {
                    int64_t latest = nows[0] > nows[1] ? nows[0] : nows[1];
                    latest = look > latest ? look : latest;
                    bool older = epoch < mark_epoch(&marks[0]) || epoch < mark_epoch(&marks[1]);
                    bool due = false;
                    for (int m = 0; m < 2; m++)
                        due = due ||
                              (marks[m].expire_at_ms != LARDER_UNSET && marks[m].expire_at_ms <= latest);
                    uint32_t verdict = mark_verdict(&out, epoch, look);
                    if (!older)
                        CU_ASSERT_EQUAL(verdict, LARDER_FRESH);
                    if (!due)
                        CU_ASSERT_EQUAL(verdict, ideal(marks, 2, epoch, look));
                }
            }
        }
    }
}

static void an_expiry_without_a_stale_epoch_says_nothing(void) {
    const struct larder_mark half = {{0}, LARDER_UNSET, LARDER_UNSET, 10};
    const struct larder_mark whole = {{0}, LARDER_UNSET, 5, 100};
    struct larder_mark out = mark_merge(&whole, &half, 0);
    CU_ASSERT_EQUAL(mark_verdict(&out, 4, 50), LARDER_STALE);
    struct larder_mark stored = mark_merge(NULL, &half, 0);
    out = mark_merge(&stored, &whole, 0);
    CU_ASSERT_EQUAL(mark_verdict(&out, 4, 50), LARDER_STALE);
}

static void the_tag_of_a_merged_mark_is_the_new_ones(void) {
    struct larder_mark a = mark_no(1), b = mark_no(2);
    a.tag = bytes_of("a");
    b.tag = bytes_of("b");
    CU_ASSERT(bytes_equal(mark_merge(&a, &b, 0).tag, b.tag));
    CU_ASSERT(bytes_equal(mark_merge(NULL, &b, 0).tag, b.tag));
}

UNIT_MAIN("marks", UNIT(an_entry_is_judged_by_its_epoch_and_the_time),
          UNIT(a_mark_mentions_its_greatest_epoch), UNIT(marks_merge_to_the_same_in_any_order),
          UNIT(a_mark_arriving_again_changes_nothing),
          UNIT(merging_never_makes_an_entry_better_than_a_mark_says),
          UNIT(merging_never_makes_an_entry_worse_without_a_reason),
          UNIT(an_expiry_without_a_stale_epoch_says_nothing), UNIT(the_tag_of_a_merged_mark_is_the_new_ones))
