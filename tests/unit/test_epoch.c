#include <string.h>

#include "epoch.h"
#include "unit.h"

static void an_empty_book_knows_nothing(void) {
    struct epoch_book book;
    epoch_book_init(&book);
    CU_ASSERT_EQUAL(epoch_known(&book), 0);
    CU_ASSERT_EQUAL(epoch_known_at(&book, UINT64_MAX), 0);
    CU_ASSERT_EQUAL(book.asked_ns, 0);
    CU_ASSERT_DOUBLE_EQUAL(book.cell, 0.0, 0.0);
    epoch_book_done(&book);
}

static void only_a_greater_epoch_is_learned(void) {
    struct epoch_book book;
    epoch_book_init(&book);
    epoch_learn(&book, 50, 100);
    epoch_learn(&book, 40, 200);
    epoch_learn(&book, 50, 300);
    CU_ASSERT_EQUAL(epoch_known(&book), 50);
    CU_ASSERT_EQUAL(book.n, 1);
    CU_ASSERT_EQUAL(epoch_known_at(&book, 300), 50);
    epoch_learn(&book, -5, 400);
    epoch_learn(&book, INT64_MIN, 400);
    CU_ASSERT_EQUAL(epoch_known(&book), 50);
    epoch_book_done(&book);
}

static void the_cell_is_the_known_epoch_as_a_double(void) {
    struct epoch_book book;
    epoch_book_init(&book);
    epoch_learn(&book, 1763780000123, 1);
    CU_ASSERT_DOUBLE_EQUAL(book.cell, 1763780000123.0, 0.0);
    CU_ASSERT_EQUAL((uintptr_t)&book.cell % 8, 0);
    epoch_book_done(&book);
}

static void a_rendering_notes_what_was_known_before_any_mark_that_is_trusted(void) {
    struct epoch_book book;
    epoch_book_init(&book);
    epoch_learn(&book, 50, 1000);
    CU_ASSERT_EQUAL(epoch_to_note(&book, 1000), 50);
    epoch_book_done(&book);
    epoch_book_init(&book);
    book.trust_ns = 200;
    epoch_learn(&book, 50, 1000);
    CU_ASSERT_EQUAL(epoch_to_note(&book, 100), 0);
    CU_ASSERT_EQUAL(epoch_to_note(&book, 1199), 0);
    CU_ASSERT_DOUBLE_EQUAL(book.cell, 0.0, 0.0);
    CU_ASSERT_EQUAL(epoch_to_note(&book, 1200), 50);
    CU_ASSERT_DOUBLE_EQUAL(book.cell, 50.0, 0.0);
    epoch_learn(&book, 60, 1300);
    CU_ASSERT_EQUAL(epoch_known(&book), 60); /* for judging what is read */
    CU_ASSERT_EQUAL(epoch_to_note(&book, 1400), 50);
    CU_ASSERT_DOUBLE_EQUAL(book.cell, 50.0, 0.0);
    epoch_book_done(&book);
}

static void the_past_is_told_as_it_was_known_then(void) {
    struct epoch_book book;
    epoch_book_init(&book);
    for (uint64_t i = 1; i <= 10; i++)
        epoch_learn(&book, (int64_t)(100 * i), 1000 * i);
    CU_ASSERT_EQUAL(epoch_known_at(&book, 0), 0);
    CU_ASSERT_EQUAL(epoch_known_at(&book, 999), 0);
    for (uint64_t i = 1; i <= 10; i++) {
        CU_ASSERT_EQUAL(epoch_known_at(&book, 1000 * i), (int64_t)(100 * i));
        CU_ASSERT_EQUAL(epoch_known_at(&book, 1000 * i + 999), (int64_t)(100 * i));
    }
    CU_ASSERT_EQUAL(epoch_known_at(&book, UINT64_MAX), 1000);
    epoch_book_done(&book);
}

static void the_greater_of_two_in_one_instant_counts_only_after_it(void) {
    struct epoch_book book;
    epoch_book_init(&book);
    epoch_learn(&book, 5, 100);
    epoch_learn(&book, 6, 100);
    epoch_learn(&book, 7, 90); /* a clock read before, told of after */
    CU_ASSERT_EQUAL(epoch_known_at(&book, 99), 0);
    CU_ASSERT_EQUAL(epoch_known_at(&book, 100), 5);
    CU_ASSERT_EQUAL(epoch_known_at(&book, 101), 6);
    CU_ASSERT_EQUAL(epoch_known_at(&book, 102), 7);
    CU_ASSERT_EQUAL(epoch_known(&book), 7);
    epoch_book_done(&book);
}

/* One record per tick, epoch = time: the truth at any time is the time itself. */
static void a_full_ring_never_tells_an_epoch_too_great_and_keeps_its_first(void) {
    struct epoch_book book;
    epoch_book_init(&book);
    for (uint64_t t = 1; t <= 20 * EPOCH_RING; t++) {
        epoch_learn(&book, (int64_t)t, t);
        CU_ASSERT(book.n <= EPOCH_RING);
    }
    int64_t before = 0;
    for (uint64_t t = 1; t <= 20 * EPOCH_RING; t++) {
        int64_t told = epoch_known_at(&book, t);
        CU_ASSERT(told >= 1 && told <= (int64_t)t && told >= before);
        before = told;
    }
    /* The newer half is told exactly. */
    for (uint64_t t = 20 * EPOCH_RING - EPOCH_RING / 2 + 1; t <= 20 * EPOCH_RING; t++)
        CU_ASSERT_EQUAL(epoch_known_at(&book, t), (int64_t)t);
    epoch_book_done(&book);
}

static void what_is_known_is_as_young_as_the_latest_question(void) {
    struct epoch_book book;
    epoch_book_init(&book);
    epoch_heard(&book, 500);
    epoch_heard(&book, 300);
    CU_ASSERT_EQUAL(book.asked_ns, 500);
    epoch_book_done(&book);
}

/* For ThreadSanitizer, and for the order in which the two are published. */
static void *reader(void *arg) {
    struct epoch_book *book = arg;
    int64_t last = 0;
    while (last < 20000) {
        int64_t known = epoch_known(book);
        if (known < last || epoch_known_at(book, UINT64_MAX) < known)
            return arg;
        last = known;
    }
    return NULL;
}

static void readers_on_other_threads_see_epochs_rise(void) {
    struct epoch_book book;
    pthread_t threads[2];
    void *failed[2] = {NULL, NULL};
    epoch_book_init(&book);
    for (int i = 0; i < 2; i++)
        CU_ASSERT_EQUAL_FATAL(pthread_create(&threads[i], NULL, reader, &book), 0);
    for (int64_t epoch = 1; epoch <= 20000; epoch++)
        epoch_learn(&book, epoch, (uint64_t)epoch);
    for (int i = 0; i < 2; i++) {
        pthread_join(threads[i], &failed[i]);
        CU_ASSERT_PTR_NULL(failed[i]);
    }
    epoch_book_done(&book);
}

UNIT_MAIN("epoch", UNIT(an_empty_book_knows_nothing), UNIT(only_a_greater_epoch_is_learned),
          UNIT(the_cell_is_the_known_epoch_as_a_double),
          UNIT(a_rendering_notes_what_was_known_before_any_mark_that_is_trusted),
          UNIT(the_past_is_told_as_it_was_known_then),
          UNIT(the_greater_of_two_in_one_instant_counts_only_after_it),
          UNIT(a_full_ring_never_tells_an_epoch_too_great_and_keeps_its_first),
          UNIT(what_is_known_is_as_young_as_the_latest_question),
          UNIT(readers_on_other_threads_see_epochs_rise))
