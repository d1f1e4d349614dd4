/* Revalidations that failed: what they mean meanwhile, and that they come through at last. */
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "marks.h"
#include "store_over_held.h"

static char folder[64];

static struct larder_mark ns_mark(void) {
    return mark_of("ns/", namespace_mark.expired_epoch);
}

static struct larder_request revalidation(struct larder_bytes *tag, const char *name, uint32_t mode) {
    *tag = bytes_of(name);
    return (struct larder_request){.code = LARDER_DO_REVALIDATE,
                                   .flags = LARDER_F_KEEP_TRYING,
                                   .mode = mode,
                                   .tags = tag,
                                   .n_tags = 1,
                                   .expire_in_ms = LARDER_UNSET};
}

static void fail_revalidation(struct larder_request request, int32_t status) {
    struct seen seen = {0};
    submit(&seen, request);
    settle(reactor);
    struct larder_op *op = held_take(LARDER_OP_BUMP);
    CU_ASSERT_FATAL(op != NULL);
    answer_status(op, status);
    settle(reactor);
    CU_ASSERT(seen.times == 1 && seen.answer->status == status); /* the caller is told */
    forget(&seen);
}

static uint64_t pending(void) {
    struct larder_stats stats;
    larder_stats(store, &stats);
    return stats.journal_pending;
}

/* Lets the next attempt come, within its longest wait. */
static struct larder_op *next_attempt(void) {
    struct larder_op *op = NULL;
    for (int i = 0; i < 400 && (op = held_take(LARDER_OP_BUMP)) == NULL; i++)
        pass_ms(reactor, 100);
    CU_ASSERT_FATAL(op != NULL);
    return op;
}

/* What a get of an entry of epoch 50 with tag t is told, while the store has no mark of t. */
static uint32_t verdict(void) {
    struct seen seen = {0};
    struct larder_mark ns = ns_mark();
    submit(&seen, get_of("k", 0));
    settle(reactor);
    answer_value(held_take(LARDER_OP_GET), frame_of("k", 50, "t"), 50);
    settle(reactor);
    while (held_count(LARDER_OP_TAGS_READ) > 0) {
        answer_marks(held_take(LARDER_OP_TAGS_READ), &ns, 1);
        settle(reactor);
    }
    CU_ASSERT_FATAL(seen.times == 1);
    uint32_t answer = seen.answer->verdict;
    forget(&seen);
    return answer;
}

static void what_failed_is_tried_again_until_it_succeeds(void) {
    struct larder_bytes tag;
    open_store();
    fail_revalidation(revalidation(&tag, "t", LARDER_EXPIRE), LARDER_RETRY);
    CU_ASSERT(pending() == 1);
    for (int i = 0; i < 5; i++) {
        struct larder_op *op = next_attempt();
        CU_ASSERT(op->n_marks == 1 && bytes_equal(op->marks[0].tag, BYTES("ns/t")));
        answer_status(op, i % 2 ? LARDER_THROTTLED : LARDER_DENIED);
        settle(reactor);
        CU_ASSERT(pending() == 1);
    }
    answer_epoch(next_attempt(), 70);
    settle(reactor);
    CU_ASSERT(pending() == 0);
    CU_ASSERT(*larder_epoch_cell(store) == 70);
    pass_ms(reactor, 60000);
    CU_ASSERT(held_count(0) == 0);
    close_store();
}

/* P1 */
static void meanwhile_its_tags_count_as_marked_here(void) {
    struct larder_bytes tag;
    open_store();
    CU_ASSERT(verdict() == LARDER_FRESH);
    fail_revalidation(revalidation(&tag, "t", LARDER_EXPIRE), LARDER_RETRY);
    CU_ASSERT(verdict() == LARDER_GONE);
    answer_epoch(next_attempt(), 40);
    settle(reactor);
    CU_ASSERT(verdict() == LARDER_FRESH); /* from here on the store says */
    fail_revalidation(revalidation(&tag, "other", LARDER_EXPIRE), LARDER_RETRY);
    CU_ASSERT(verdict() == LARDER_FRESH);
    answer_epoch(next_attempt(), 41);
    settle(reactor);
    close_store();
}

static void one_that_makes_stale_does_so_until_its_time(void) {
    struct larder_bytes tag;
    struct larder_request request = revalidation(&tag, "t", LARDER_MAKE_STALE);
    request.expire_in_ms = 5000;
    open_store();
    fail_revalidation(request, LARDER_RETRY);
    CU_ASSERT(verdict() == LARDER_STALE);
    struct larder_op *op = next_attempt();
    CU_ASSERT(op->marks[0].expire_at_ms > test_clock.ms && op->marks[0].expire_at_ms <= test_clock.ms + 5000);
    answer_status(op, LARDER_RETRY);
    pass_ms(reactor, 6000);
    while (held_count(LARDER_OP_BUMP) > 0) {
        answer_status(held_take(LARDER_OP_BUMP), LARDER_RETRY);
        settle(reactor);
    }
    CU_ASSERT(verdict() == LARDER_GONE);
    op = next_attempt();
    CU_ASSERT(op->marks[0].expired_epoch == LARDER_NEW_EPOCH); /* it is too late for stale */
    answer_epoch(op, 40);
    settle(reactor);
    CU_ASSERT(pending() == 0);
    close_store();
}

static void what_hangs_is_kept_as_well(void) {
    struct larder_bytes tag;
    struct seen seen = {0};
    open_store();
    submit(&seen, revalidation(&tag, "t", LARDER_EXPIRE));
    settle(reactor);
    struct larder_op *stuck = held_take(LARDER_OP_BUMP);
    pass_ms(reactor, 2001);
    CU_ASSERT(seen.times == 1 && seen.answer->status == LARDER_DEADLINE);
    forget(&seen);
    CU_ASSERT(pending() == 1);
    answer_status(stuck, LARDER_RETRY);
    answer_epoch(next_attempt(), 40);
    settle(reactor);
    CU_ASSERT(pending() == 0);
    close_store();
}

static void without_the_flag_or_without_hope_nothing_is_kept(void) {
    struct larder_bytes tag;
    struct larder_request request = revalidation(&tag, "t", LARDER_EXPIRE);
    open_store();
    fail_revalidation(request, LARDER_INVALID);
    CU_ASSERT(pending() == 0);
    request.flags = 0;
    fail_revalidation(request, LARDER_RETRY);
    CU_ASSERT(pending() == 0);
    close_store();
}

static void equal_ones_are_one(void) {
    struct larder_bytes tag;
    open_store();
    fail_revalidation(revalidation(&tag, "t", LARDER_EXPIRE), LARDER_RETRY);
    fail_revalidation(revalidation(&tag, "t", LARDER_EXPIRE), LARDER_RETRY);
    CU_ASSERT(pending() == 1);
    fail_revalidation(revalidation(&tag, "t", LARDER_MAKE_STALE), LARDER_RETRY);
    CU_ASSERT(pending() == 2);
    CU_ASSERT(verdict() == LARDER_GONE);
    answer_epoch(next_attempt(), 40);
    settle(reactor);
    answer_epoch(held_take(LARDER_OP_BUMP), 41); /* the next one follows at once */
    settle(reactor);
    CU_ASSERT(pending() == 0);
    close_store();
}

/* P5 */
static void too_many_become_one_of_everything(void) {
    struct larder_bytes *tags = calloc(JOURNAL_TAGS + 1, sizeof(*tags));
    char(*names)[16] = calloc(JOURNAL_TAGS + 1, sizeof(*names));
    CU_ASSERT_FATAL(tags != NULL && names != NULL);
    for (int i = 0; i <= JOURNAL_TAGS; i++) {
        snprintf(names[i], sizeof(names[i]), "tag%d", i);
        tags[i] = bytes_of(names[i]);
    }
    struct larder_request request = revalidation(&(struct larder_bytes){0}, "", LARDER_EXPIRE);
    open_store();
    request.tags = tags;
    request.n_tags = JOURNAL_TAGS;
    fail_revalidation(request, LARDER_RETRY);
    CU_ASSERT(verdict() == LARDER_FRESH);
    request.tags = tags + JOURNAL_TAGS;
    request.n_tags = 1;
    fail_revalidation(request, LARDER_RETRY);
    CU_ASSERT(pending() == 1);
    CU_ASSERT(verdict() == LARDER_GONE); /* whatever its tags */
    struct larder_op *op = next_attempt();
    CU_ASSERT(op->n_marks == 1 && bytes_equal(op->marks[0].tag, BYTES("ns/")));
    answer_epoch(op, 40);
    settle(reactor);
    CU_ASSERT(pending() == 0);
    close_store();
    free(tags);
    free(names);
}

/* ---- on disk ------------------------------------------------------------------------------ */

static unsigned files(void) {
    unsigned n = 0;
    DIR *dir = opendir(folder);
    for (const struct dirent *e; dir != NULL && (e = readdir(dir)) != NULL;)
        n += e->d_name[0] != '.';
    if (dir != NULL)
        closedir(dir);
    return n;
}

static void new_folder(void) {
    snprintf(folder, sizeof(folder), "/tmp/larder-journal-XXXXXX");
    CU_ASSERT_FATAL(mkdtemp(folder) != NULL);
}

static void remove_folder(void) {
    char path[512];
    DIR *dir = opendir(folder);
    for (const struct dirent *e; dir != NULL && (e = readdir(dir)) != NULL;) {
        snprintf(path, sizeof(path), "%s/%s", folder, e->d_name);
        unlink(path);
    }
    if (dir != NULL)
        closedir(dir);
    rmdir(folder);
}

static void the_next_process_takes_over_what_was_pending(void) {
    struct larder_bytes tags[] = {{(const uint8_t *)"a b%/\n\0", 7}, {NULL, 0}, bytes_of("plain")}, tag;
    struct larder_request request = revalidation(&tag, "", LARDER_MAKE_STALE);
    new_folder();
    open_with("held", "journal", folder);
    fail_revalidation(revalidation(&tag, "done", LARDER_EXPIRE), LARDER_RETRY);
    answer_epoch(next_attempt(), 40);
    settle(reactor);
    request.tags = tags;
    request.n_tags = 3;
    request.expire_in_ms = 3600000;
    fail_revalidation(request, LARDER_RETRY);
    CU_ASSERT(files() == 1);
    close_store();
    CU_ASSERT(files() == 1);

    open_with("held", "journal", folder);
    CU_ASSERT(pending() == 1);
    struct larder_op *op = next_attempt();
    CU_ASSERT_FATAL(op->n_marks == 3);
    CU_ASSERT(bytes_equal(op->marks[0].tag, (struct larder_bytes){(const uint8_t *)"ns/a b%/\n\0", 10}));
    CU_ASSERT(bytes_equal(op->marks[1].tag, BYTES("ns/")));
    CU_ASSERT(bytes_equal(op->marks[2].tag, BYTES("ns/plain")));
    CU_ASSERT(op->marks[0].stale_epoch == LARDER_NEW_EPOCH && op->marks[0].expire_at_ms != LARDER_UNSET);
    answer_epoch(op, 41);
    settle(reactor);
    CU_ASSERT(pending() == 0);
    close_store();
    CU_ASSERT(files() == 0);
    remove_folder();
}

static void a_look_counts_what_waits_and_whose_it_is(void) {
    struct larder_journal_waiting waiting;
    struct larder_error error;
    struct larder_bytes tag;
    new_folder();
    CU_ASSERT(larder_journal_look(folder, "ns", &waiting, &error) == LARDER_OK);
    CU_ASSERT(waiting.of_living == 0 && waiting.of_ended == 0);
    open_with("held", "journal", folder);
    fail_revalidation(revalidation(&tag, "a", LARDER_EXPIRE), LARDER_RETRY);
    fail_revalidation(revalidation(&tag, "b", LARDER_EXPIRE), LARDER_RETRY);
    CU_ASSERT(larder_journal_look(folder, "ns", &waiting, &error) == LARDER_OK);
    CU_ASSERT(waiting.of_living == 2 && waiting.of_ended == 0);
    CU_ASSERT(larder_journal_look(folder, "other", &waiting, &error) == LARDER_OK);
    CU_ASSERT(waiting.of_living == 0 && waiting.of_ended == 0);
    close_store();
    for (int i = 0; i < 2; i++) { /* a look takes nothing away */
        CU_ASSERT(larder_journal_look(folder, "ns", &waiting, &error) == LARDER_OK);
        CU_ASSERT(waiting.of_living == 0 && waiting.of_ended == 2);
    }
    remove_folder();
    CU_ASSERT(larder_journal_look(folder, "ns", &waiting, &error) == LARDER_OK && waiting.of_ended == 0);
    CU_ASSERT(larder_journal_look("/proc/self/comm", "ns", &waiting, &error) == LARDER_INTERNAL);
    CU_ASSERT_STRING_EQUAL(error.text, "/proc/self/comm cannot be read: Not a directory");
    CU_ASSERT(larder_journal_look("", "ns", &waiting, &error) == LARDER_INVALID);
}

static void what_is_damaged_or_of_others_is_left_alone(void) {
    struct larder_bytes tag;
    char path[512];
    new_folder();
    snprintf(path, sizeof(path), "%s/other.0123456789abcdef.journal", folder);
    int fd = open(path, O_WRONLY | O_CREAT, 0600);
    CU_ASSERT_FATAL(fd >= 0);
    close(fd);
    snprintf(path, sizeof(path), "%s/ns.0123456789abcdef.journal", folder);
    fd = open(path, O_WRONLY | O_CREAT, 0600);
    CU_ASSERT_FATAL(fd >= 0);
    static const char junk[] = "+ 1 0 - t #0000000000000000\n\n- \n+\n#\n\0\0\n+ 2 0 - t";
    CU_ASSERT(write(fd, junk, sizeof(junk) - 1) == (ssize_t)sizeof(junk) - 1);
    close(fd);
    open_with("held", "journal", folder);
    CU_ASSERT(pending() == 0 && files() == 1);
    fail_revalidation(revalidation(&tag, "t", LARDER_EXPIRE), LARDER_RETRY);
    CU_ASSERT(files() == 2);
    answer_epoch(next_attempt(), 40);
    settle(reactor);
    close_store();
    CU_ASSERT(files() == 1);
    remove_folder();
}

static void a_folder_that_cannot_be_written_costs_nothing_but_the_copy(void) {
    struct larder_bytes tag;
    open_with("held", "journal", "/proc/no/such/folder");
    fail_revalidation(revalidation(&tag, "t", LARDER_EXPIRE), LARDER_RETRY);
    CU_ASSERT(pending() == 1);
    answer_epoch(next_attempt(), 40);
    settle(reactor);
    CU_ASSERT(pending() == 0);
    close_store();
}

int main(void) {
    static const struct unit_test tests[] = {
        UNIT(what_failed_is_tried_again_until_it_succeeds),
        UNIT(meanwhile_its_tags_count_as_marked_here),
        UNIT(one_that_makes_stale_does_so_until_its_time),
        UNIT(what_hangs_is_kept_as_well),
        UNIT(without_the_flag_or_without_hope_nothing_is_kept),
        UNIT(equal_ones_are_one),
        UNIT(too_many_become_one_of_everything),
        UNIT(the_next_process_takes_over_what_was_pending),
        UNIT(a_look_counts_what_waits_and_whose_it_is),
        UNIT(what_is_damaged_or_of_others_is_left_alone),
        UNIT(a_folder_that_cannot_be_written_costs_nothing_but_the_copy)};
    return store_main("journal", tests, N_ELEMENTS(tests));
}
