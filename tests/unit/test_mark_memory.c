/* Marks that were read lately. */
#include "bytes.h"
#include "mark_memory.h"
#include "unit.h"

static struct mark_memory memory;

static struct larder_mark mark_of(int64_t expired) {
    return (struct larder_mark){{NULL, 0}, expired, LARDER_UNSET, LARDER_UNSET};
}

static struct larder_bytes tag_of(unsigned n) {
    static char text[16];
    snprintf(text, sizeof(text), "t%u", n);
    return bytes_of(text);
}

static void a_mark_is_found_while_it_is_young(void) {
    struct larder_mark mark = mark_of(7);
    mark_memory_init(&memory, 100);
    mark_memory_put(&memory, tag_of(1), &mark, 1000);
    mark_memory_put(&memory, tag_of(2), NULL, 1000); /* that there is none is known as well */
    mark_memory_put(&memory, bytes_of(""), &mark, 1000);
    const struct marked *found = mark_memory_find(&memory, tag_of(1), 1100);
    CU_ASSERT_FATAL(found != NULL);
    CU_ASSERT(found->mark.expired_epoch == 7 && found->asked_ns == 1000);
    found = mark_memory_find(&memory, tag_of(2), 1100);
    CU_ASSERT_FATAL(found != NULL);
    CU_ASSERT(found->mark.expired_epoch == LARDER_UNSET);
    CU_ASSERT(mark_memory_find(&memory, bytes_of(""), 1100) != NULL);
    CU_ASSERT(mark_memory_find(&memory, tag_of(3), 1100) == NULL);
    CU_ASSERT(mark_memory_find(&memory, tag_of(1), 1101) == NULL);
    mark_memory_done(&memory);
}

static void of_two_reads_the_one_that_was_sent_later_counts(void) {
    struct larder_mark early = mark_of(7), late = mark_of(8);
    mark_memory_init(&memory, 100);
    mark_memory_put(&memory, tag_of(1), &late, 1001);
    mark_memory_put(&memory, tag_of(1), &early, 1000);
    const struct marked *found = mark_memory_find(&memory, tag_of(1), 1001);
    CU_ASSERT_FATAL(found != NULL);
    CU_ASSERT(found->mark.expired_epoch == 8);
    mark_memory_done(&memory);
}

static void what_was_forgotten_is_not_found_until_it_is_read_again(void) {
    struct larder_mark mark = mark_of(7);
    mark_memory_init(&memory, 100);
    mark_memory_forget(&memory, tag_of(1));
    mark_memory_put(&memory, tag_of(1), &mark, 50); /* as young as the clock itself */
    mark_memory_forget(&memory, tag_of(1));
    CU_ASSERT(mark_memory_find(&memory, tag_of(1), 60) == NULL);
    mark_memory_put(&memory, tag_of(1), &mark, 40);
    CU_ASSERT(mark_memory_find(&memory, tag_of(1), 60) != NULL);
    mark_memory_done(&memory);
}

/* P5 */
static void it_holds_so_many_tags_and_no_more(void) {
    struct larder_mark mark = mark_of(7);
    mark_memory_init(&memory, 100);
    for (unsigned i = 0; i < 3 * MARK_MEMORY_TAGS; i++) {
        mark_memory_put(&memory, tag_of(i), &mark, 1000);
        CU_ASSERT_FATAL(memory.n <= MARK_MEMORY_TAGS);
        CU_ASSERT_FATAL(mark_memory_find(&memory, tag_of(i), 1000) != NULL);
    }
    mark_memory_done(&memory);
}

static void without_an_age_nothing_is_remembered(void) {
    struct larder_mark mark = mark_of(7);
    mark_memory_init(&memory, 0);
    mark_memory_put(&memory, tag_of(1), &mark, 1000);
    CU_ASSERT(mark_memory_find(&memory, tag_of(1), 1000) == NULL && memory.slots == NULL);
    mark_memory_done(&memory);
}

UNIT_MAIN("mark_memory", UNIT(a_mark_is_found_while_it_is_young),
          UNIT(of_two_reads_the_one_that_was_sent_later_counts),
          UNIT(what_was_forgotten_is_not_found_until_it_is_read_again),
          UNIT(it_holds_so_many_tags_and_no_more), UNIT(without_an_age_nothing_is_remembered))
