/* larder bench: that it counts what it does, keeps to itself, and leaves nothing behind. */
#include <signal.h>
#include <string.h>

#include "check.h"

/* No deadline that a busy machine could miss. */
#define QUICK STORE, "--keys=40", "--warm-up=0", "--inflight=8", "--timeout=1min"
#define ITS_OWN "--set=namespace=larder-bench"

static double in(const cJSON *json, const char *object, const char *name) {
    return number(cJSON_GetObjectItemCaseSensitive(json, object), name);
}

static cJSON *measured(const struct ran *r) {
    CODE(r, 0);
    return json_only(r);
}

static void every_request_is_counted_once(void) {
    cJSON *json = measured(run("bench", QUICK, "--ops=1500", "--gets=70", "--revalidations=5", "--json"));
    double gets = in(json, "get", "answers");
    CU_ASSERT(gets + in(json, "put", "answers") + in(json, "revalidate", "answers") == 1500);
    CU_ASSERT(gets > 900 && gets < 1200 && in(json, "revalidate", "answers") > 20);
    CU_ASSERT(number(json, "fresh") + number(json, "stale") + number(json, "gone") +
                  number(json, "notStored") ==
              gets);
    CU_ASSERT(number(json, "gone") > 0 && number(json, "fresh") > 0); /* the marks do what they should */
    CU_ASSERT(in(json, "get", "bytes") == 4096 * (number(json, "fresh") + number(json, "stale")));
    CU_ASSERT(in(json, "put", "bytes") == 4096 * in(json, "put", "answers"));
    CU_ASSERT(number(json, "wrong") == 0 && number(json, "left") == 0);
    CU_ASSERT(in(json, "get", "p50Us") <= in(json, "get", "p99Us"));
    CU_ASSERT(in(json, "get", "p99Us") <= in(json, "get", "maxUs"));
    cJSON_Delete(json);
}

static void the_same_seed_sends_the_same_requests(void) {
    double puts[3];
    for (int i = 0; i < 3; i++) {
        cJSON *json = measured(
            run("bench", QUICK, "--ops=400", "--gets=50", "--json", i < 2 ? "--seed=7" : "--seed=8"));
        puts[i] = in(json, "put", "answers");
        cJSON_Delete(json);
    }
    CU_ASSERT(puts[0] == puts[1]);
    CU_ASSERT(puts[0] != puts[2]);
}

static void sizes_are_spread_between_the_bounds(void) {
    cJSON *json = measured(run("bench", QUICK, "--ops=300", "--gets=0", "--revalidations=0",
                               "--size=1KB..64KB", "--entry-tags=0", "--json"));
    double mean = in(json, "put", "bytes") / in(json, "put", "answers");
    CU_ASSERT(in(json, "put", "answers") == 300);
    CU_ASSERT(mean > 4 * 1024 && mean < 40 * 1024); /* of equal orders of magnitude: 15 KB */
    CU_ASSERT(number(json, "wrong") == 0);
    cJSON_Delete(json);
}

static void what_the_application_has_is_not_touched(void) {
    write_file("a.txt", "a", 1);
    CODE(run("put", STORE, "--kind=fetch", "mine", "--text=body=a.txt", "--tag=tag-0000000000000000-0"), 0);
    CODE(run("bench", QUICK, "--ops=500", "--revalidations=50", "--gets=10"), 0);
    CODE(run("get", STORE, "--kind=fetch", "mine"), 0);
    CU_ASSERT_EQUAL(count_lines(run("ls", STORE)), 1);
    CU_ASSERT_EQUAL(count_lines(run("ls", STORE, ITS_OWN)), 0);
    HAS(run("tags", STORE, ITS_OWN)->out, "tag-0000000000000000-"); /* there the marks were */
    CODE(run("bench", QUICK, "--ops=5", "--namespace=other"), 0);
    HAS(run("tags", STORE, "--set=namespace=other")->out, "(everything)");
}

static void people_get_a_table(void) {
    const struct ran *r = run("bench", QUICK, "--ops=200", "--memory");
    CODE(r, 0);
    HAS(r->out, "8 callers, 40 keys of 4096 bytes, ");
    HAS(r->out, "p50       p90       p99     p99.9  max (ms)\nget  ");
    HAS(r->out, "\nhits of gets: ");
    TEXT(r->err, "");
    run_on_terminal();
    HAS(run("bench", QUICK, "--ops=200")->err, "\r\x1b[K");
}

static void failures_are_counted_by_class(void) {
    const struct ran *r = run("bench", QUICK, "--ops=400", "--set=retries=0", "--set=breaker=0", "--json",
                              "--set=fault=seed=3;get:error=throttled@20%;put:error=denied@20%");
    CODE(r, 1);
    cJSON *json = json_only(r);
    const cJSON *get = cJSON_GetObjectItem(json, "get");
    double failed = in(get, "failures", "throttled");
    CU_ASSERT(failed > 20 && failed < 200);
    CU_ASSERT(number(json, "fresh") + number(json, "stale") + number(json, "gone") +
                  number(json, "notStored") + failed ==
              number(get, "answers"));
    cJSON_Delete(json);
    HAS(run("bench", QUICK, "--ops=400", "--set=retries=0", "--set=fault=get:error=retry@5%")->out,
        "\nfailed get: retry ");
}

static void a_store_that_takes_nothing_is_a_failure(void) {
    const struct ran *r = run("bench", QUICK, "--ops=10", "--set=fault=put:error=denied");
    CODE(r, 3);
    TEXT(r->err, "larder bench: nothing could be stored: denied: fault: as the plan says\n");
    TEXT(r->out, "");
}

static void an_interruption_tells_what_was_measured_and_cleans_up(void) {
    static const int signals[] = {SIGINT, SIGTERM};
    for (size_t i = 0; i < 2; i++) {
        pid_t pid = start("bench", QUICK, "--seconds=120", "--json");
        int n = 0;
        for (int k = 0; k < 2000 && n < 40; k++)
            n = count_lines(run("ls", STORE, ITS_OWN));
        CU_ASSERT_EQUAL(n, 40);
        const struct ran *r = stop_program(pid, signals[i]);
        CODE(r, 1);
        cJSON *json = json_only(r);
        CU_ASSERT_TRUE(cJSON_IsTrue(cJSON_GetObjectItem(json, "interrupted")));
        CU_ASSERT(number(json, "left") == 0);
        cJSON_Delete(json);
        CU_ASSERT_EQUAL(count_lines(run("ls", STORE, ITS_OWN)), 0);
    }
}

static void what_makes_no_sense_is_refused(void) {
    HAS(run("bench", STORE, "--gets=60", "--revalidations=50")->err, "are more than 100 percent");
    HAS(run("bench", STORE, "--size=2KB..1KB")->err, "--size 2KB..1KB: the smaller one comes first");
    HAS(run("bench", STORE, "--size=big")->err, "--size: 'big' is not");
    CODE(run("bench", STORE, "--inflight=0"), 2);
    CODE(run("bench", STORE, "--keys=0"), 2);
    CODE(run("bench", STORE, "--namespace=a/b"), 2);
    CODE(run("bench", QUICK, "--ops=10", "--gets=100"), 0); /* then there is no room for revalidations */
}

static const struct unit_test tests[] = {
    UNIT(every_request_is_counted_once),
    UNIT(the_same_seed_sends_the_same_requests),
    UNIT(sizes_are_spread_between_the_bounds),
    UNIT(what_the_application_has_is_not_touched),
    UNIT(people_get_a_table),
    UNIT(failures_are_counted_by_class),
    UNIT(a_store_that_takes_nothing_is_a_failure),
    UNIT(an_interruption_tells_what_was_measured_and_cleans_up),
    UNIT(what_makes_no_sense_is_refused),
};

int main(int argc, char **argv) {
    return check_main(argc, argv, "bench", tests, sizeof tests / sizeof tests[0]);
}
