/* A tag store that may lose single marks (LARDER_LOSSY): a tag without a mark is unknown, not fresh. */
#include "store_with_memory.h"

static void open_lossy(const char *setting, const char *value) {
    held_info.traits = LARDER_LOSSY;
    open_with("held", setting, value);
}

static bool is_of(const struct larder_op *op, size_t i, const char *tag) {
    return i < op->n_marks && bytes_equal(op->marks[i].tag, bytes_of(tag));
}

static void answer_read(const struct larder_mark *marks, size_t n) {
    struct larder_op *op = held_take(LARDER_OP_TAGS_READ);
    CU_ASSERT_FATAL(op != NULL);
    answer_marks(op, marks, n);
    settle(reactor);
}

/* Takes the op that makes one mark, looks at it, and answers it. */
static void answer_making(const char *tag, int32_t status) {
    struct larder_op *op = held_take(LARDER_OP_TAGS_WRITE);
    CU_ASSERT_FATAL(op != NULL);
    CU_ASSERT(op->flags == LARDER_IF_ABSENT);
    CU_ASSERT(bytes_equal(op->key, bytes_of("ns/epoch"))); /* the counter that the driver heeds */
    CU_ASSERT(op->n_marks == 1 && is_of(op, 0, tag));
    CU_ASSERT(op->marks[0].stale_epoch == LARDER_UNSET && op->marks[0].expire_at_ms == LARDER_UNSET);
    answer_status(op, status);
    settle(reactor);
}

/* Up to where t's mark was asked for in vain, and is being made. */
static void find_no_mark(struct seen *seen, uint32_t flags) {
    const struct larder_mark ns = mark_of("ns/", 10);
    submit(seen, get_of("k", flags));
    settle(reactor);
    answer_read(&ns, 1);
    answer_get(frame_of("k", 12, "t"), 12);
    answer_read(&ns, 1);
    CU_ASSERT(seen->times == 0);
    CU_ASSERT(held_count(LARDER_OP_TAGS_WRITE) == 1 && held_count(LARDER_OP_TAGS_READ) == 0);
}

/* P1 */
static void a_tag_without_a_mark_is_not_fresh_until_it_has_one(void) {
    struct seen seen = {0};
    const struct larder_mark made = mark_of("ns/t", 12);
    open_lossy(NULL, NULL);
    find_no_mark(&seen, 0);
    answer_making("ns/t", LARDER_OK);
    CU_ASSERT(seen.times == 0);
    answer_read(&made, 1);
    CU_ASSERT(seen.times == 1 && seen.answer->status == LARDER_OK && seen.answer->verdict == LARDER_FRESH);
    forget(&seen);
    close_store();
}

/* P1 */
static void what_is_older_than_the_mark_that_was_made_is_gone(void) {
    struct seen seen = {0};
    const struct larder_mark made = mark_of("ns/t", 13);
    open_lossy(NULL, NULL);
    find_no_mark(&seen, 0);
    answer_making("ns/t", LARDER_OK);
    answer_read(&made, 1);
    CU_ASSERT(seen.times == 1 && seen.answer->status == LARDER_MISS && seen.answer->verdict == LARDER_GONE);
    CU_ASSERT(seen.answer->epoch == 13); /* P6: what is rendered now is newer */
    forget(&seen);
    close_store();
}

static void a_mark_that_another_made_first_is_read(void) {
    struct seen seen = {0};
    const struct larder_mark theirs = mark_of("ns/t", 11);
    open_lossy(NULL, NULL);
    find_no_mark(&seen, 0);
    answer_making("ns/t", LARDER_MISS);
    answer_read(&theirs, 1);
    CU_ASSERT(seen.times == 1 && seen.answer->verdict == LARDER_FRESH);
    forget(&seen);
    close_store();
}

static void only_what_was_missing_is_read_again(void) {
    struct seen seen = {0};
    struct larder_bytes tags[] = {BYTES("a"), BYTES("b")};
    const struct larder_mark there[] = {mark_of("ns/", 10), mark_of("ns/a", 11)}, made = mark_of("ns/b", 12);
    struct larder_request check = {.code = LARDER_DO_CHECK, .tags = tags, .n_tags = 2, .epoch = 12};
    open_lossy(NULL, NULL);
    submit(&seen, check);
    settle(reactor);
    answer_read(there, 2);
    answer_making("ns/b", LARDER_OK);
    struct larder_op *op = held_take(LARDER_OP_TAGS_READ);
    CU_ASSERT_FATAL(op != NULL && op->n_marks == 1);
    answer_marks(op, &made, 1);
    settle(reactor);
    CU_ASSERT(seen.times == 1 && seen.answer->status == LARDER_OK && seen.answer->verdict == LARDER_FRESH);
    forget(&seen);
    check.epoch = 10; /* a's mark, from the first read, counts as well */
    submit(&seen, check);
    settle(reactor);
    answer_read(there, 2);
    answer_making("ns/b", LARDER_OK);
    answer_read(&made, 1);
    CU_ASSERT(seen.times == 1 && seen.answer->verdict == LARDER_GONE);
    forget(&seen);
    close_store();
}

static void the_namespaces_mark_is_made_in_the_same_way(void) {
    struct seen seen = {0};
    const struct larder_mark made = mark_of("ns/", 10);
    open_lossy(NULL, NULL);
    submit(&seen, (struct larder_request){.code = LARDER_DO_CHECK, .epoch = 10});
    settle(reactor);
    answer_read(NULL, 0);
    CU_ASSERT(held_count(LARDER_OP_ADVANCE) == 0);
    answer_making("ns/", LARDER_OK);
    answer_read(&made, 1);
    CU_ASSERT(seen.times == 1 && seen.answer->verdict == LARDER_FRESH);
    forget(&seen);
    close_store();
}

static void a_mark_is_made_with_no_less_than_this_process_knows(void) {
    struct seen seen = {0};
    open_lossy(NULL, NULL);
    find_no_mark(&seen, 0);
    struct larder_op *op = held_take(LARDER_OP_TAGS_WRITE);
    CU_ASSERT_FATAL(op != NULL && op->n_marks == 1);
    CU_ASSERT(op->marks[0].expired_epoch == 10); /* from the namespace's mark */
    answer_status(op, LARDER_OK);
    settle(reactor);
    const struct larder_mark made = mark_of("ns/t", 12), ns = mark_of("ns/", 10);
    answer_read(&made, 1);
    CU_ASSERT(seen.times == 1);
    forget(&seen);
    submit(&seen, (struct larder_request){.code = LARDER_DO_READ_TAGS, .tags = &BYTES("u"), .n_tags = 1});
    settle(reactor);
    answer_read(&ns, 1);
    op = held_take(LARDER_OP_TAGS_WRITE);
    CU_ASSERT_FATAL(op != NULL && is_of(op, 0, "ns/u"));
    CU_ASSERT(op->marks[0].expired_epoch == 12);
    answer_status(op, LARDER_OK);
    settle(reactor);
    const struct larder_mark u = mark_of("ns/u", 12);
    answer_read(&u, 1);
    CU_ASSERT(seen.times == 1 && seen.answer->n_marks == 1);
    forget(&seen);
    close_store();
}

static void a_mark_that_cannot_be_made_fails_the_get(void) {
    struct seen seen = {0};
    open_lossy(NULL, NULL);
    find_no_mark(&seen, 0);
    answer_making("ns/t", LARDER_RETRY);
    CU_ASSERT(seen.times == 1 && seen.answer->status == LARDER_RETRY);
    forget(&seen);
    close_store();
}

static void a_store_that_keeps_no_mark_is_not_asked_for_ever(void) {
    struct seen seen = {0};
    unsigned made = 0;
    open_lossy(NULL, NULL);
    find_no_mark(&seen, 0);
    while (seen.times == 0 && made < 100) {
        answer_making("ns/t", LARDER_OK);
        answer_read(NULL, 0);
        made++;
    }
    CU_ASSERT(made == 3);
    CU_ASSERT(seen.times == 1 && seen.answer->status == LARDER_RETRY);
    CU_ASSERT(strstr(seen.answer->detail, "does not keep") != NULL);
    forget(&seen);
    close_store();
}

static void marks_are_made_in_as_many_calls_as_the_limit_of_the_store_asks_for(void) {
    struct seen seen = {0};
    struct larder_bytes tags[] = {BYTES("a"), BYTES("b"), BYTES("c")};
    held_info.max_marks = 2;
    open_lossy(NULL, NULL);
    submit(&seen, (struct larder_request){.code = LARDER_DO_CHECK, .tags = tags, .n_tags = 3, .epoch = 12});
    settle(reactor);
    CU_ASSERT(held_count(LARDER_OP_TAGS_READ) == 2);
    answer_read(NULL, 0);
    answer_read(NULL, 0);
    CU_ASSERT(held_count(LARDER_OP_TAGS_WRITE) == 2);
    for (int i = 0; i < 2; i++) {
        struct larder_op *op = held_take(LARDER_OP_TAGS_WRITE);
        CU_ASSERT_FATAL(op != NULL && op->n_marks == 2);
        answer_status(op, LARDER_OK);
    }
    settle(reactor);
    const struct larder_mark marks[] = {mark_of("ns/", 12), mark_of("ns/a", 12), mark_of("ns/b", 12),
                                        mark_of("ns/c", 12)};
    CU_ASSERT(held_count(LARDER_OP_TAGS_READ) == 2);
    answer_read(marks, 4);
    answer_read(marks, 4);
    CU_ASSERT(seen.times == 1 && seen.answer->verdict == LARDER_FRESH);
    forget(&seen);
    struct larder_stats stats;
    larder_stats(store, &stats);
    CU_ASSERT(stats.marks_made == 4 && stats.marks_read == 8);
    close_store();
}

/* What is put would be outdated by the first revalidation of anything else, before anybody has read it. */
static void what_is_put_has_marks(void) {
    struct seen seen = {0};
    struct larder_entry entry = entry_of("k", 12, "hello");
    open_lossy(NULL, NULL);
    submit(&seen, put_of(&entry, 0));
    settle(reactor);
    finish_put(&seen); /* and does not wait for them */
    answer_making("ns/t", LARDER_RETRY);
    CU_ASSERT(held_count(0) == 0);
    close_store();
}

/* ---- marks that are shared ------------------------------------------------------------------- */

static struct larder_bytes only_tag_of(struct larder_op *op, uint8_t copy[64]) {
    size_t at = 0;
    while (at < op->n_marks && op->marks[at].tag.len == 3)
        at++; /* the namespace's */
    CU_ASSERT_FATAL(at < op->n_marks && op->marks[at].tag.len <= 64);
    bytes_put(copy, op->marks[at].tag);
    return (struct larder_bytes){copy, op->marks[at].tag.len};
}

static struct larder_bytes read_as(const char *tag, uint8_t copy[64]) {
    struct seen seen = {0};
    struct larder_bytes tags[] = {bytes_of(tag)};
    submit(&seen, (struct larder_request){.code = LARDER_DO_CHECK, .tags = tags, .n_tags = 1, .epoch = 12});
    settle(reactor);
    struct larder_op *op = held_take(LARDER_OP_TAGS_READ);
    CU_ASSERT_FATAL(op != NULL);
    struct larder_bytes as = only_tag_of(op, copy);
    const struct larder_mark marks[] = {mark_of("ns/", 10), {as, 12, LARDER_UNSET, LARDER_UNSET}};
    answer_marks(op, marks, 2);
    settle(reactor);
    CU_ASSERT(seen.times == 1 && seen.answer->verdict == LARDER_FRESH);
    forget(&seen);
    return as;
}

static void the_tags_of_paths_share_few_marks(void) {
    uint8_t read[64], written[64], other[64];
    struct seen seen = {0};
    struct larder_bytes path = BYTES("_N_T_/blog/hello");
    open_lossy(NULL, NULL);
    struct larder_bytes as = read_as("_N_T_/blog/hello", read);
    CU_ASSERT(as.len == strlen("ns/_N_T_~123"));
    CU_ASSERT(bytes_begin_with(as, BYTES("ns/_N_T_~")));
    CU_ASSERT(!bytes_equal(as, read_as("_N_T_/blog/other", other))); /* as it happens */
    CU_ASSERT(bytes_equal(read_as("posts", other), BYTES("ns/posts")));

    submit(&seen, (struct larder_request){.code = LARDER_DO_REVALIDATE, .tags = &path, .n_tags = 1});
    settle(reactor);
    struct larder_op *op = held_take(LARDER_OP_BUMP);
    CU_ASSERT_FATAL(op != NULL);
    CU_ASSERT(bytes_equal(only_tag_of(op, written), as));
    answer_epoch(op, 20);
    settle(reactor);
    CU_ASSERT(seen.times == 1 && seen.answer->status == LARDER_OK);
    forget(&seen);
    close_store();
}

static void in_the_index_each_path_has_its_own_name(void) {
    struct seen seen = {0};
    struct larder_bytes path = BYTES("_N_T_/blog/hello");
    open_lossy("index", "on");
    submit(&seen,
           (struct larder_request){
               .code = LARDER_DO_LINK, .kind = LARDER_PAGE, .key = BYTES("k"), .tags = &path, .n_tags = 1});
    submit(&seen, (struct larder_request){.code = LARDER_DO_KEYS_OF, .tags = &path, .n_tags = 1});
    settle(reactor);
    struct larder_op *link = held_take(LARDER_OP_LINK), *keys_of = held_take(LARDER_OP_KEYS_OF);
    CU_ASSERT_FATAL(link != NULL && keys_of != NULL);
    CU_ASSERT(is_of(link, 0, "ns/_N_T_/blog/hello"));
    CU_ASSERT(bytes_equal(keys_of->key, bytes_of("ns/_N_T_/blog/hello")));
    answer_status(link, LARDER_OK);
    answer_status(keys_of, LARDER_OK);
    settle(reactor);
    CU_ASSERT(seen.times == 2);
    forget(&seen);
    close_store();
}

static void a_store_that_loses_none_has_a_mark_for_each_path(void) {
    uint8_t copy[64];
    open_store();
    CU_ASSERT(bytes_equal(read_as("_N_T_/blog/hello", copy), BYTES("ns/_N_T_/blog/hello")));
    close_store();
}

/* ---- memory, and marks that are trusted --------------------------------------------------------- */

/* All marks that are asked for, of this epoch. */
static void answer_all(int64_t epoch) {
    struct larder_op *op = held_take(LARDER_OP_TAGS_READ);
    CU_ASSERT_FATAL(op != NULL && op->n_marks <= 8);
    struct larder_mark marks[8];
    for (size_t i = 0; i < op->n_marks; i++)
        marks[i] = (struct larder_mark){op->marks[i].tag, epoch, LARDER_UNSET, LARDER_UNSET};
    answer_marks(op, marks, op->n_marks);
    settle(reactor);
}

static void have_in_memory(void) {
    struct seen seen = {0};
    submit(&seen, get_of("k", 0));
    settle(reactor);
    answer_get(frame_of("k", 12, "t"), 12);
    while (held_count(LARDER_OP_TAGS_READ) > 0)
        answer_all(12);
    CU_ASSERT_FATAL(seen.times == 1 && seen.answer->verdict == LARDER_FRESH);
    forget(&seen);
}

/* P1 */
static void memory_does_not_answer_by_a_mark_that_is_not_there(void) {
    struct seen seen = {0};
    const struct larder_mark there[] = {mark_of("ns/", 10), mark_of("ns/t", 12)};
    memory_setting = "1MB";
    open_lossy(NULL, NULL);
    have_in_memory();
    submit(&seen, get_of("k", 0));
    settle(reactor);
    answer_read(there, 2); /* all but that of the entry's own tag: it may have been replaced */
    CU_ASSERT(seen.times == 0);
    struct larder_op *op = held_take(LARDER_OP_TAGS_WRITE);
    CU_ASSERT_FATAL(op != NULL && op->n_marks == 1);
    CU_ASSERT(bytes_begin_with(op->marks[0].tag, BYTES("ns/\1entry/~"))); /* many entries share it */
    answer_status(op, LARDER_OK);
    settle(reactor);
    answer_all(13); /* since then, something was revalidated, or replaced */
    CU_ASSERT(seen.times == 0);
    answer_get(frame_of("k", 12, "t"), 12);
    CU_ASSERT(seen.times == 1 && seen.answer->status == LARDER_OK); /* by t's mark it is good */
    forget(&seen);
    close_store();
    memory_setting = "0";
}

static void a_mark_that_was_made_is_trusted_as_any_other(void) {
    struct seen seen = {0};
    const struct larder_mark made = mark_of("ns/t", 12);
    open_lossy("mark-age", "1s");
    find_no_mark(&seen, 0);
    pass_ms(reactor, 400); /* trust is counted from the first read */
    answer_making("ns/t", LARDER_OK);
    answer_read(&made, 1);
    CU_ASSERT(seen.times == 1 && seen.answer->verdict == LARDER_FRESH);
    forget(&seen);
    struct larder_request check = {.code = LARDER_DO_CHECK, .tags = &BYTES("t"), .n_tags = 1, .epoch = 12};
    pass_ms(reactor, 600);
    submit(&seen, check);
    settle(reactor);
    CU_ASSERT(held_count(0) == 0 && seen.times == 1 && seen.answer->verdict == LARDER_FRESH);
    forget(&seen);
    pass_ms(reactor, 1);
    submit(&seen, check);
    settle(reactor);
    CU_ASSERT(seen.times == 0);
    answer_all(12);
    CU_ASSERT(seen.times == 1);
    forget(&seen);
    close_store();
}

int main(void) {
    static const struct unit_test tests[] = {
        UNIT(a_tag_without_a_mark_is_not_fresh_until_it_has_one),
        UNIT(what_is_older_than_the_mark_that_was_made_is_gone),
        UNIT(a_mark_that_another_made_first_is_read),
        UNIT(only_what_was_missing_is_read_again),
        UNIT(the_namespaces_mark_is_made_in_the_same_way),
        UNIT(a_mark_is_made_with_no_less_than_this_process_knows),
        UNIT(a_mark_that_cannot_be_made_fails_the_get),
        UNIT(a_store_that_keeps_no_mark_is_not_asked_for_ever),
        UNIT(marks_are_made_in_as_many_calls_as_the_limit_of_the_store_asks_for),
        UNIT(what_is_put_has_marks),
        UNIT(the_tags_of_paths_share_few_marks),
        UNIT(in_the_index_each_path_has_its_own_name),
        UNIT(a_store_that_loses_none_has_a_mark_for_each_path),
        UNIT(memory_does_not_answer_by_a_mark_that_is_not_there),
        UNIT(a_mark_that_was_made_is_trusted_as_any_other),
    };
    return store_main("a tag store that loses marks", tests, N_ELEMENTS(tests));
}
