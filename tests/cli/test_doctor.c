/* larder doctor: each finding, brought about on purpose. */
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"

#define OK_OF(what) "ok   " what
static const char ARROW[] = "\xe2\x86\x92 ";

static void has_not(const char *text, const char *part) {
    if (strstr(text, part))
        printf("\n  '%s' in: %s\n", part, text);
    CU_ASSERT_PTR_NULL(strstr(text, part));
}

/* Deadlines that no machine misses, however busy it is. */
#define PATIENT "--set=get-deadline=5min", "--set=write-deadline=5min"

static void a_good_store_has_nothing_wrong(void) {
    const struct ran *r = run("doctor", "--cache=fs:examined", "--rounds=3", PATIENT);
    CODE(r, 0);
    HAS(r->out, OK_OF("put             4096 bytes"));
    HAS(r->out, OK_OF("get             the same bytes"));
    HAS(r->out, OK_OF("list            "));
    HAS(r->out, OK_OF("second store    has what the first one put"));
    HAS(r->out, OK_OF("revalidated     what carries the tag is gone for this process"));
    HAS(r->out, OK_OF("revalidated     what carries the tag is gone for another process"));
    HAS(r->out, OK_OF("times of get    p50 "));
    HAS(r->out, " ms of 3\n");
    HAS(r->out, OK_OF("disk            examined: "));
    HAS(r->out, "\nNothing is wrong.\n");
    has_not(r->out, ARROW);
}

/* One mark on a tag of its own, however often it runs, and no entry. */
static void it_leaves_one_mark_and_no_entry(void) {
    CODE(run("doctor", "--cache=fs:left"), 0);
    CODE(run("doctor", "--cache=fs:left", "--set=memory=0"), 0);
    CU_ASSERT_EQUAL(count_lines(run("ls", "--cache=fs:left")), 0);
    const struct ran *r = run("tags", "--cache=fs:left", "--prefix=l");
    CODE(r, 0);
    CU_ASSERT_EQUAL(count_lines(r), 1);
    HAS(r->out, "larder-doctor\n");
}

static void everything_that_is_refused_is_told_at_once(void) {
    const struct ran *r = run("doctor", "--cache=fs:refused", PATIENT,
                              "--set=fault=put,get,bump,remove:error=denied");
    CODE(r, 3);
    HAS(r->out, "FAIL put             denied: ");
    HAS(r->out, "give the application's user or role this right; without it nothing is stored");
    HAS(r->out, "FAIL get             denied: ");
    HAS(r->out, "FAIL revalidate      denied: ");
    HAS(r->out, "without it revalidateTag() reaches no other process");
    HAS(r->out, "FAIL remove          denied: ");
    HAS(r->out, "warn fault           faults are injected on purpose: put,get,bump,remove:error=denied\n");
    HAS(r->out, "\n4 failed, 1 to look at.\n");
}

static void a_store_that_is_away_is_told_as_json_too(void) {
    write_file("a-file", "", 0);
    const struct ran *r = run("doctor", "--cache=fs:a-file/x", "--json");
    CODE(r, 3);
    bool failed = false;
    for (int i = 0; i < count_lines(r); i++) {
        cJSON *json = json_line(r, i);
        bool bad = strcmp(member(json, "verdict"), "ok") != 0;
        CU_ASSERT_EQUAL(bad, strcmp(member(json, "toDo"), "(none)") != 0);
        failed = failed || strcmp(member(json, "verdict"), "FAIL") == 0;
        cJSON_Delete(json);
    }
    CU_ASSERT_TRUE(failed);
    CODE(run("doctor", "--cache=fs:x?nope=1"), 2);
    CODE(run("doctor", "--rounds=0"), 2);
}

static void processes_that_share_nothing_are_told(void) {
    const struct ran *r = run("doctor", "--cache=memory");
    CODE(r, 0);
    HAS(r->out,
        "warn second store    does not have what the first one put: each process has a cache of its own");
    has_not(r->out, "another process,");
    HAS(run("doctor", "--cache=memory?name=x")->out, OK_OF("second store    has what the first one put"));
}

static void a_mark_that_another_process_does_not_see_is_a_failure(void) {
    const struct ran *r = run("doctor", "--cache=" WRONG_DRIVERS "/reads_a_replica.so?name=x");
    CODE(r, 3);
    HAS(r->out, OK_OF("revalidated     what carries the tag is gone for this process"));
    HAS(r->out, "FAIL revalidated     what carries the tag is still served to another process");
    HAS(r->out, "use no replica or cache before the tag store");
}

static void a_clock_that_is_ahead_is_told(void) {
    const struct ran *r = run("doctor", "--cache=" WRONG_DRIVERS "/clock_ahead.so");
    CODE(r, 0);
    HAS(r->out, " s ahead of this machine's clock: one of the clocks is wrong\n");
    HAS(r->out, "run NTP on every machine that uses the store\n");
}

/* The delay is the driver's, and a lower bound: no matter how fast this machine is. */
static void a_deadline_that_is_too_near_is_told(void) {
    const struct ran *r = run("doctor", "--cache=fs:slow", "--rounds=1", "--set=get-deadline=40ms",
                              "--set=write-deadline=40ms", "--set=fault=get,bump:delay=30ms");
    CODE(r, 0);
    HAS(r->out, "warn deadlines       the p99 of gets, ");
    HAS(r->out, " ms, is above half of get-deadline (40ms)\n");
    HAS(r->out, "raise `get-deadline`, or bring the store nearer: what takes longer is a miss\n");
    HAS(r->out, "warn deadlines       the p99 of revalidations, ");
    has_not(run("doctor", "--cache=fs:slow", PATIENT)->out, "deadlines");
}

static void what_no_production_should_have_is_told(void) {
    const struct ran *r = run("doctor", "--cache=fs:odd", "--set=breaker=0", "--set=retries=0",
                              "--set=mark-age=5s", "--set=fault=get:error=retry@0%");
    CODE(r, 0);
    HAS(r->out, "warn breaker         off: ");
    HAS(r->out, "warn retries         0: ");
    HAS(r->out, "warn fault           ");
    HAS(r->out, OK_OF("mark-age        5s: "));
}

static void calls_that_were_repeated_are_told(void) {
    const struct ran *r = run("doctor", "--cache=fs:shaky", "--set=fault=seed=1;get:error=retry@30%");
    HAS(r->out, "warn repeated        ");
    HAS(r->out, " calls of fs (cache+tags) were sent again\n");
}

static void a_disk_that_cannot_hold_max_size_is_told(void) {
    HAS(run("doctor", "--cache=fs:disk?max-size=1000000TB", "--rounds=1")->out,
        "warn disk            disk: cache.max-size is ");
}

static void a_journal_that_cannot_be_written_is_a_failure(void) {
    write_file("no-folder", "", 0);
    const struct ran *r = run("doctor", "--cache=fs:j", "--set=journal=no-folder");
    CODE(r, 3);
    HAS(r->out, "FAIL journal         no-folder cannot be written");
    HAS(run("doctor", "--cache=fs:j")->out, OK_OF("journal         not set: "));
    HAS(run("doctor", "--cache=fs:j", "--set=journal=new")->out,
        OK_OF("journal         new (made when first needed)\n"));
    CU_ASSERT(access("new", F_OK) != 0);
}

/* As a process leaves it that ended while the store was away; the line is one of journal_file.c's, whose
 * own test has the format. */
static void what_the_journal_holds_is_taken_over_and_told(void) {
    static const char waiting[] = "+ 1 0 - posts #164c7529678bdf51\n";
    CU_ASSERT_EQUAL(mkdir("journal", 0777), 0);
    write_file("journal/default.0123456789abcdef.journal", waiting, sizeof waiting - 1);
    const struct ran *r = run("doctor", "--cache=fs:j", "--set=journal=journal");
    CODE(r, 0);
    HAS(r->out, "warn journal         left by processes that have ended, and taken over now: 1\n");
    HAS(r->out, OK_OF("journal         taken over, and done: 1\n"));
    CODE(run("tags", "--cache=fs:j", "posts"), 0);
    has_not(run("doctor", "--cache=fs:j", "--set=journal=journal")->out, "left by");
    write_file("journal/default.0123456789abcdef.journal", waiting, sizeof waiting - 1);
    r = run("doctor", "--cache=fs:j", "--set=journal=journal", "--set=fault=bump:error=denied");
    CODE(r, 3);
    HAS(r->out, "warn journal         still waiting: 1 of 1\n");
}

static const struct unit_test tests[] = {
    UNIT(a_good_store_has_nothing_wrong),
    UNIT(it_leaves_one_mark_and_no_entry),
    UNIT(everything_that_is_refused_is_told_at_once),
    UNIT(a_store_that_is_away_is_told_as_json_too),
    UNIT(processes_that_share_nothing_are_told),
    UNIT(a_mark_that_another_process_does_not_see_is_a_failure),
    UNIT(a_clock_that_is_ahead_is_told),
    UNIT(a_deadline_that_is_too_near_is_told),
    UNIT(what_no_production_should_have_is_told),
    UNIT(calls_that_were_repeated_are_told),
    UNIT(a_disk_that_cannot_hold_max_size_is_told),
    UNIT(a_journal_that_cannot_be_written_is_a_failure),
    UNIT(what_the_journal_holds_is_taken_over_and_told),
};

int main(int argc, char **argv) {
    return check_main(argc, argv, "doctor", tests, sizeof tests / sizeof tests[0]);
}
