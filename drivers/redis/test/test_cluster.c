/* What the router for clusters does with what nodes say, and with their silence. */
#include <stdio.h>
#include <string.h>

#include "route_rig.h"
#include "unit.h"

#define NODE(port) "*3\r\n$1\r\nh\r\n:" #port "\r\n$2\r\nid\r\n"
/* h:1 has the slots up to 99, h:2 the others; each has a replica. */
#define MAP "*2\r\n*4\r\n:0\r\n:99\r\n" NODE(1) NODE(11) "*4\r\n:100\r\n:16383\r\n" NODE(2) NODE(12)
/* h:11 has taken over from h:1. */
#define FAILED_OVER "*2\r\n*3\r\n:0\r\n:99\r\n" NODE(11) "*4\r\n:100\r\n:16383\r\n" NODE(2) NODE(12)
/* ... and h:1 is back as its replica. */
#define SWAPPED "*2\r\n*4\r\n:0\r\n:99\r\n" NODE(11) NODE(1) "*4\r\n:100\r\n:16383\r\n" NODE(2) NODE(12)

static void begin(const char *read_from) {
    rig_begin(&rds_cluster, "redis+cluster://seed:7,spare:7", read_from);
}

/* The node that was asked for the map just now; NULL: nobody. */
static struct rds_node *asked_for_map(void) {
    for (size_t i = 0; i < RIG_NODES; i++)
        if (rig.nodes[i] && rig.nodes[i]->given.first && strstr(rig_written(rig.nodes[i]), "SLOTS"))
            return rig.nodes[i];
    return NULL;
}

static struct rds_node *must_be_asked(void) {
    struct rds_node *node = asked_for_map();
    if (!node)
        abort(); /* clang-tidy does not know that FATAL does not come back */
    return node;
}

/* How often the map is asked for in so many milliseconds, when the answer is always this. */
static unsigned count_questions(uint64_t ms, const char *answer) {
    unsigned n = 0;
    for (uint64_t i = 0; i < ms; i++) {
        struct rds_node *node;
        rig_pass_ms(1);
        while ((node = asked_for_map())) {
            n++;
            rig_reply(node, answer);
        }
    }
    return n;
}

static void begin_with_map(const char *read_from) {
    begin(read_from);
    struct asked *a = rig_ask(5, 1, 0);
    rig_pass_ms(1);
    struct rds_node *node = must_be_asked();
    rig_reply(node, MAP);
    rig_reply(rig_node("h:1", false), "+OK\r\n");
    CU_ASSERT_EQUAL(a->status, LARDER_OK);
    rig_pass_ms(20000); /* no pause is left */
    CU_ASSERT(asked_for_map() == NULL);
}

/* ---- the map ---------------------------------------------------------------------------------------------- */

static void the_first_request_waits_for_the_map_of_any_seed(void) {
    begin("primary");
    struct asked *a = rig_ask(5, 1, 0), *b = rig_ask(100, 1, 0);
    rig_pass_ms(1);
    struct rds_node *first = must_be_asked();
    CU_ASSERT(strncmp(first->at, "s", 1) == 0);
    rig_lose(first, "refused");
    rig_pass_ms(1);
    CU_ASSERT_EQUAL(a->n + b->n, 0);
    struct rds_node *second = must_be_asked();
    CU_ASSERT(second != first);
    rig_reply(second, MAP);
    CU_ASSERT_EQUAL(rig_given("h:1", false), 1);
    CU_ASSERT_EQUAL(rig_given("h:2", false), 1);
    rig_reply(rig_node("h:1", false), "+one\r\n");
    rig_reply(rig_node("h:2", false), "+two\r\n");
    CU_ASSERT_STRING_EQUAL(a->text, "one");
    CU_ASSERT_STRING_EQUAL(b->text, "two");
    rig_end();
}

static void when_no_node_tells_the_map_what_waits_is_told_why_and_so_is_what_comes_before_the_next_attempt(
    void) {
    begin("primary");
    struct asked *a = rig_ask(5, 1, 0);
    for (int i = 0; i < 2; i++) {
        rig_pass_ms(1);
        CU_ASSERT_FATAL(asked_for_map() != NULL);
        rig_lose(asked_for_map(), "connection refused");
    }
    rig_pass_ms(1);
    CU_ASSERT_EQUAL(a->status, LARDER_RETRY);
    CU_ASSERT_STRING_EQUAL(a->text, "connection refused");
    struct asked *b = rig_ask(5, 1, 0);
    CU_ASSERT_EQUAL(b->n, 1);
    CU_ASSERT_STRING_EQUAL(b->text, "connection refused");
    rig_node("seed:7", false)->is_ill = rig_node("spare:7", false)->is_ill = false;
    rig_pass_ms(200);
    CU_ASSERT_FATAL(asked_for_map() != NULL);
    struct asked *c = rig_ask(5, 1, 0);
    rig_reply(asked_for_map(), MAP);
    rig_reply(rig_node("h:1", false), "+OK\r\n");
    CU_ASSERT_EQUAL(c->status, LARDER_OK);
    rig_end();
}

static void a_server_that_is_no_cluster_is_told_of(void) {
    begin("primary");
    struct asked *a = rig_ask(5, 1, 0);
    for (int i = 0; i < 2; i++) {
        rig_pass_ms(1);
        CU_ASSERT_FATAL(asked_for_map() != NULL);
        rig_reply(asked_for_map(), "-ERR This instance has cluster support disabled\r\n");
    }
    rig_pass_ms(1);
    CU_ASSERT_EQUAL(a->status, LARDER_INVALID);
    CU_ASSERT(strstr(a->text, "cluster support disabled") != NULL);
    rig_end();
}

static void what_waits_for_the_map_ends_by_its_deadline(void) {
    begin("primary");
    struct asked *a = rig_ask(5, 1, 0);
    rig_pass_ms(499);
    CU_ASSERT_EQUAL(a->n, 0);
    rig_pass_ms(2);
    CU_ASSERT_EQUAL(a->n, 1);
    CU_ASSERT_EQUAL(a->status, LARDER_DEADLINE);
    rig_end();
}

static void a_node_that_does_not_answer_about_the_map_is_not_waited_for(void) {
    begin("primary");
    struct asked *a = rig_ask(5, 1, 0);
    rig_pass_ms(1);
    struct rds_node *silent = must_be_asked();
    rig_pass_ms(300);
    struct rds_node *other = rig_node(strcmp(silent->at, "seed:7") == 0 ? "spare:7" : "seed:7", false);
    CU_ASSERT_FATAL(other != NULL);
    rig_reply(other, MAP);
    CU_ASSERT_EQUAL(rig_given("h:1", false), 1);
    rig_reply(rig_node("h:1", false), "+OK\r\n");
    CU_ASSERT_EQUAL(a->status, LARDER_OK);
    rig_end();
}

static void an_answer_to_an_earlier_question_is_older_than_what_is_known(void) {
    begin("primary");
    (void)rig_ask(5, 1, 0);
    rig_pass_ms(1);
    struct rds_node *late = must_be_asked();
    rig_pass_ms(300);
    rig_reply(rig_node(strcmp(late->at, "seed:7") == 0 ? "spare:7" : "seed:7", false), FAILED_OVER);
    CU_ASSERT_EQUAL(rig_given("h:11", false), 1);
    rig_reply(late, MAP);
    struct asked *b = rig_ask(6, 1, 0);
    CU_ASSERT_EQUAL(b->n, 0);
    CU_ASSERT_EQUAL(rig_given("h:11", false), 2);
    rig_end();
}

static void a_slot_that_nobody_has_fails_at_once_and_the_map_is_asked_for(void) {
    begin_with_map("primary");
    struct asked *a = rig_ask(5, 1, 0);
    rig_reply(rig_node("h:1", false), "-CLUSTERDOWN Hash slot not served\r\n");
    CU_ASSERT_EQUAL(a->n, 1);
    rig_pass_ms(1);
    CU_ASSERT_FATAL(asked_for_map() != NULL);
    rig_reply(asked_for_map(), "*1\r\n*3\r\n:100\r\n:16383\r\n" NODE(2));
    struct asked *b = rig_ask(5, 1, 0);
    CU_ASSERT_EQUAL(b->n, 1);
    CU_ASSERT_EQUAL(b->status, LARDER_RETRY);
    rig_end();
}

/* ---- redirections --------------------------------------------------------------------------------------------- */

static void a_request_follows_MOVED_and_later_ones_go_there_at_once(void) {
    begin_with_map("primary");
    struct asked *a = rig_ask(5, 1, 0);
    rig_reply(rig_node("h:1", false), "-MOVED 5 h:2\r\n");
    CU_ASSERT_EQUAL(a->n, 0);
    CU_ASSERT_EQUAL(rig_given("h:2", false), 1);
    rig_reply(rig_node("h:2", false), "+there\r\n");
    CU_ASSERT_STRING_EQUAL(a->text, "there");
    (void)rig_ask(5, 1, 0);
    CU_ASSERT_EQUAL(rig_given("h:2", false), 1);
    (void)rig_ask(6, 1, 0);
    CU_ASSERT_EQUAL(rig_given("h:1", false), 1);
    rig_end();
}

static void MOVED_without_a_host_is_another_port_of_the_one_that_answers(void) {
    begin_with_map("primary");
    (void)rig_ask(5, 1, 0);
    rig_reply(rig_node("h:1", false), "-MOVED 5 :99\r\n");
    CU_ASSERT_EQUAL(rig_given("h:99", false), 1);
    rig_end();
}

static void many_redirections_ask_for_the_map_once(void) {
    begin_with_map("primary");
    for (uint16_t slot = 0; slot < 20; slot++) {
        char wire[40];
        snprintf(wire, sizeof(wire), "-MOVED %u h:2\r\n", (unsigned)slot);
        (void)rig_ask(slot, 1, 0);
        rig_reply(rig_node("h:1", false), wire);
    }
    CU_ASSERT_EQUAL(count_questions(50, MAP), 1);
    rig_end();
}

static void nodes_that_do_not_agree_cost_a_bounded_number_of_redirections(void) {
    begin_with_map("primary");
    struct asked *a = rig_ask(5, 1, 0);
    unsigned n = 0;
    while (a->n == 0 && n < 100) {
        const bool first = rig_given("h:1", false) > 0;
        rig_reply(rig_node(first ? "h:1" : "h:2", false), first ? "-MOVED 5 h:2\r\n" : "-MOVED 5 h:1\r\n");
        n++;
    }
    CU_ASSERT_EQUAL(a->status, LARDER_RETRY);
    CU_ASSERT(n > 2 && n < 12);
    rig_end();
}

static void a_request_follows_ASK_once_and_the_slot_stays_where_it_was(void) {
    begin_with_map("primary");
    struct asked *a = rig_ask(5, 1, 0);
    rig_reply(rig_node("h:1", false), "-ASK 5 h:2\r\n");
    CU_ASSERT_EQUAL(rig_given("h:2", false), 1);
    CU_ASSERT(a->r.flags & RDS_ASKING);
    rig_reply(rig_node("h:2", false), "+there\r\n");
    CU_ASSERT_STRING_EQUAL(a->text, "there");
    struct asked *b = rig_ask(5, 1, 0);
    CU_ASSERT_EQUAL(rig_given("h:1", false), 1);
    CU_ASSERT_FALSE(b->r.flags & RDS_ASKING);
    rig_pass_ms(1);
    CU_ASSERT(asked_for_map() == NULL);
    rig_end();
}

static void after_ASK_a_redirection_goes_without_ASKING(void) {
    begin_with_map("primary");
    struct asked *a = rig_ask(5, 1, 0);
    rig_reply(rig_node("h:1", false), "-ASK 5 h:2\r\n");
    rig_reply(rig_node("h:2", false), "-MOVED 5 h:1\r\n");
    CU_ASSERT_EQUAL(rig_given("h:1", false), 1);
    CU_ASSERT_FALSE(a->r.flags & RDS_ASKING);
    rig_end();
}

static void TRYAGAIN_is_tried_again_in_a_moment_until_the_deadline(void) {
    begin_with_map("primary");
    struct asked *a = rig_ask(5, 1, 0);
    rig_reply(rig_node("h:1", false), "-TRYAGAIN Multiple keys request during rehashing of slot\r\n");
    CU_ASSERT_EQUAL(rig_given("h:1", false), 0);
    rig_pass_ms(30);
    CU_ASSERT_EQUAL(rig_given("h:1", false), 1);
    rig_reply(rig_node("h:1", false), "+OK\r\n");
    CU_ASSERT_STRING_EQUAL(a->text, "OK");
    a = rig_ask(5, 1, 0);
    for (int i = 0; i < 200 && a->n == 0; i++) {
        if (rig_given("h:1", false) > 0)
            rig_reply(rig_node("h:1", false), "-TRYAGAIN Multiple keys request during rehashing of slot\r\n");
        rig_pass_ms(10);
    }
    CU_ASSERT_EQUAL(a->n, 1);
    CU_ASSERT_EQUAL(a->status, LARDER_DEADLINE);
    rig_end();
}

static void all_replies_of_a_request_come_before_it_goes_elsewhere(void) {
    begin_with_map("primary");
    struct asked *a = rig_ask(5, 2, 0);
    struct rds_node *node = rig_node("h:1", false);
    rig_reply(node, "-MOVED 5 h:2\r\n");
    CU_ASSERT_EQUAL(rig_given("h:2", false), 0);
    rig_reply(node, ":0\r\n");
    CU_ASSERT_EQUAL(rig_given("h:2", false), 1);
    CU_ASSERT_EQUAL(a->n, 0);
    rig_reply(rig_node("h:2", false), "+OK\r\n:1\r\n");
    CU_ASSERT_EQUAL(a->n, 2);
    rig_end();
}

static void a_request_of_which_a_part_was_answered_is_sent_again_as_a_whole(void) {
    begin_with_map("primary");
    struct asked *a = rig_ask(5, 2, 0);
    rig_reply(rig_node("h:1", false), "+OK\r\n-ASK 5 h:2\r\n");
    CU_ASSERT_EQUAL(a->n, 1);
    rig_reply(rig_node("h:2", false), "+OK\r\n:1\r\n");
    CU_ASSERT_EQUAL(a->n, 3);
    CU_ASSERT_STRING_EQUAL(a->text, "1");
    rig_end();
}

static void a_redirection_of_another_slot_is_no_answer_of_ours_to_follow(void) {
    begin_with_map("primary");
    struct asked *a = rig_ask(5, 1, 0);
    rig_reply(rig_node("h:1", false), "-MOVED 6 h:2\r\n");
    CU_ASSERT_EQUAL(a->n, 1);
    CU_ASSERT_STRING_EQUAL(a->text, "MOVED 6 h:2");
    rig_end();
}

/* ---- failovers ---------------------------------------------------------------------------------------------------- */

static void a_lost_connection_asks_for_the_map_from_somebody_else_until_it_is_new(void) {
    begin_with_map("primary");
    struct asked *a = rig_ask(5, 1, 0);
    rig_lose(rig_node("h:1", false), "the server hung up");
    CU_ASSERT_EQUAL(a->status, LARDER_RETRY);
    for (int i = 0; i < 3; i++) {
        for (int k = 0; k < 2000 && !asked_for_map(); k++) {
            (void)rig_ask(5, 1, 0);
            rig_pass_ms(1);
        }
        CU_ASSERT_FATAL(asked_for_map() != NULL);
        CU_ASSERT(asked_for_map() != rig_node("h:1", false));
        rig_reply(asked_for_map(), i < 2 ? MAP : FAILED_OVER);
    }
    CU_ASSERT(rig_node("h:1", false) == NULL);
    struct asked *b = rig_ask(5, 1, 0);
    rig_reply(rig_node("h:11", false), "+OK\r\n");
    CU_ASSERT_EQUAL(b->status, LARDER_OK);
    rig_end();
}

static void a_silent_node_is_asked_about_and_what_it_owes_is_answered_when_it_was_replaced(void) {
    begin_with_map("primary");
    struct asked *a = rig_ask(5, 1, 0);
    rig_node("h:1", false)->silent_ns = 1;
    rig_pass_ms(100);
    CU_ASSERT(asked_for_map() == NULL);
    rig_node("h:1", false)->silent_ns = 400000000;
    rig_pass_ms(120);
    struct rds_node *asked = must_be_asked();
    CU_ASSERT_STRING_NOT_EQUAL(asked->at, "h:1");
    CU_ASSERT_EQUAL(a->n, 0);
    rig_reply(asked, FAILED_OVER);
    CU_ASSERT_EQUAL(a->n, 1);
    CU_ASSERT_EQUAL(a->status, LARDER_RETRY);
    CU_ASSERT(rig_node("h:1", false) == NULL);
    rig_end();
}

static void what_a_node_says_after_a_silence_is_not_believed_before_somebody_else_confirms_it(void) {
    for (int replaced = 0; replaced < 2; replaced++) {
        begin_with_map("primary");
        struct asked *a = rig_ask(5, 1, 0), *b = rig_ask(6, 1, 0);
        rig.silence_ns = 400000000;
        rig_reply(rig_node("h:1", false), "+old\r\n");
        CU_ASSERT_EQUAL(a->status, LARDER_RETRY);
        rig_reply(rig_node("h:1", false), "+old, too\r\n");
        CU_ASSERT_EQUAL(b->status, LARDER_RETRY);
        struct asked *c = rig_ask(5, 1, 0);
        CU_ASSERT_EQUAL(rig_given("h:1", false), 0);
        rig_pass_ms(1);
        struct rds_node *asked = must_be_asked();
        CU_ASSERT_STRING_NOT_EQUAL(asked->at, "h:1");
        rig_reply(asked, replaced ? FAILED_OVER : MAP);
        rig_reply(rig_node(replaced ? "h:11" : "h:1", false), "+new\r\n");
        CU_ASSERT_STRING_EQUAL(c->text, "new");
        rig_end();
    }
}

static void a_large_value_may_take_its_time_and_entries_of_a_doubted_primary_count(void) {
    begin_with_map("primary");
    struct asked *a = rig_ask(5, 1, 0), *b = rig_ask(5, 1, 0);
    a->r.kind = RDS_BIG;
    rig.silence_ns = 400000000;
    rig_reply(rig_node("h:1", false), "+stored\r\n");
    CU_ASSERT_STRING_EQUAL(a->text, "stored");
    rig_reply(rig_node("h:1", false), "+marks\r\n");
    CU_ASSERT_STRING_EQUAL(b->text, "marks");
    rig_end();
}

static void a_map_that_was_asked_for_before_a_node_was_lost_does_not_confirm_it(void) {
    begin_with_map("primary");
    (void)rig_ask(105, 1, 0);
    rig_reply(rig_node("h:2", false), "-CLUSTERDOWN The cluster is down\r\n");
    rig_pass_ms(1);
    struct rds_node *asked = must_be_asked();
    const bool is_first = strcmp(asked->at, "h:1") == 0;
    const char *lost = is_first ? "h:2" : "h:1";
    const uint16_t slot = is_first ? 105 : 5;
    (void)rig_ask(slot, 1, 0);
    rig_lose(rig_node(lost, false), "the server hung up");
    rig_node(lost, false)->is_ill = false;
    rig_reply(asked, MAP);
    struct asked *a = rig_ask(slot, 1, 0);
    CU_ASSERT_EQUAL(rig_given(lost, false), 0);
    CU_ASSERT_EQUAL(a->status, LARDER_RETRY); /* the next question is too far away to wait for */
    rig_pass_ms(200);
    rig_reply(must_be_asked(), MAP);
    (void)rig_ask(slot, 1, 0);
    CU_ASSERT_EQUAL(rig_given(lost, false), 1);
    rig_end();
}

static void what_became_a_replica_is_not_spoken_to_as_before(void) {
    begin_with_map("replica");
    struct asked *a = rig_ask(5, 1, 0);
    rig_reply(rig_node("h:1", false), "-MOVED 5 h:11\r\n");
    rig_reply(rig_node("h:11", false), "+OK\r\n");
    CU_ASSERT_EQUAL(a->status, LARDER_OK);
    rig_pass_ms(1);
    CU_ASSERT_FATAL(asked_for_map() != NULL);
    rig_reply(asked_for_map(), SWAPPED);
    CU_ASSERT(rig_node("h:1", false) == NULL);
    (void)rig_ask(5, 1, RDS_MAY_LAG);
    CU_ASSERT_EQUAL(rig_given("h:1", true), 1);
    rig_end();
}

static void trouble_asks_for_the_map_a_few_times_a_second_and_not_for_ever(void) {
    begin_with_map("primary");
    (void)rig_ask(5, 1, 0);
    rig_reply(rig_node("h:1", false), "-CLUSTERDOWN The cluster is down\r\n");
    unsigned busy = 0;
    for (int i = 0; i < 100; i++) { /* somebody goes on asking */
        (void)rig_ask(105, 1, 0);
        rig_reply(rig_node("h:2", false), "+OK\r\n");
        busy += count_questions(100, MAP);
    }
    CU_ASSERT(busy >= 10 && busy <= 40);
    (void)rig_ask(105, 1, 0);
    rig_reply(rig_node("h:2", false), "+OK\r\n");
    CU_ASSERT(count_questions(2000, MAP) <= 1);
    rig_end();
}

/* ---- replicas ----------------------------------------------------------------------------------------------------- */

static void only_what_may_lag_is_asked_of_replicas_and_only_where_that_is_set(void) {
    begin_with_map("primary");
    (void)rig_ask(5, 1, RDS_MAY_LAG);
    CU_ASSERT_EQUAL(rig_given("h:1", false), 1);
    CU_ASSERT_EQUAL(rig_given("h:11", true), 0);
    rig_end();
    begin_with_map("replica");
    (void)rig_ask(5, 1, 0);
    CU_ASSERT_EQUAL(rig_given("h:1", false), 1);
    (void)rig_ask(5, 1, RDS_MAY_LAG);
    CU_ASSERT_EQUAL(rig_given("h:11", true), 1);
    rig_end();
}

static void what_a_replica_cannot_answer_its_primary_is_asked(void) {
    static const char *const errors[] = {
        "-MOVED 5 h:1\r\n", "-LOADING Redis is loading the dataset in memory\r\n",
        "-MASTERDOWN Link with MASTER is down\r\n", "-CLUSTERDOWN The cluster is down\r\n"};
    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        begin_with_map("replica");
        struct asked *a = rig_ask(5, 1, RDS_MAY_LAG);
        rig_reply(rig_node("h:11", true), errors[i]);
        CU_ASSERT_EQUAL(a->n, 0);
        CU_ASSERT_EQUAL(rig_given("h:1", false), 1);
        rig_reply(rig_node("h:1", false), "+OK\r\n");
        CU_ASSERT_EQUAL(a->status, LARDER_OK);
        rig_end();
    }
}

static void a_replica_that_is_silent_or_gone_is_not_asked(void) {
    begin_with_map("replica");
    (void)rig_ask(5, 1, RDS_MAY_LAG);
    rig_reply(rig_node("h:11", true), "+OK\r\n");
    rig_node("h:11", true)->silent_ns = 400000000;
    (void)rig_ask(5, 1, RDS_MAY_LAG);
    CU_ASSERT_EQUAL(rig_given("h:1", false), 1);
    rig_node("h:11", true)->silent_ns = 0;
    rig_lose(rig_node("h:11", true), "gone");
    (void)rig_ask(5, 1, RDS_MAY_LAG);
    CU_ASSERT_EQUAL(rig_given("h:1", false), 2);
    rig_end();
}

/* ---- parts ----------------------------------------------------------------------------------------------------------- */

static int32_t heard;

static void on_parts(void *arg, int32_t status, const char *detail) {
    (void)detail;
    CU_ASSERT(arg == &heard);
    heard = status;
}

static void parts_are_the_first_slots_of_the_primaries(void) {
    begin("primary");
    heard = 99;
    CU_ASSERT_EQUAL(rds_cluster.part(rig.router, 0, on_parts, &heard), RDS_PARTS_UNKNOWN);
    rig_pass_ms(1);
    CU_ASSERT_EQUAL(heard, 99);
    rig_reply(asked_for_map(), "*3\r\n*3\r\n:0\r\n:9\r\n" NODE(1) "*3\r\n:10\r\n:10\r\n" NODE(
                                   2) "*3\r\n:11\r\n:16383\r\n" NODE(1));
    CU_ASSERT_EQUAL(heard, LARDER_OK);
    CU_ASSERT_EQUAL(rds_cluster.part(rig.router, 0, on_parts, &heard), 0);
    CU_ASSERT_EQUAL(rds_cluster.part(rig.router, 1, on_parts, &heard), 10);
    CU_ASSERT_EQUAL(rds_cluster.part(rig.router, 11, on_parts, &heard), RDS_NO_PART);
    rig_end();
}

static void replicas_are_those_of_the_map_and_a_doubt_asks_for_it(void) {
    begin_with_map("primary");
    CU_ASSERT_EQUAL(rds_cluster.replicas(rig.router, 5), 1);
    rds_cluster.doubt(rig.router);
    rig_pass_ms(1);
    CU_ASSERT_FATAL(asked_for_map() != NULL);
    rig_reply(asked_for_map(), FAILED_OVER);
    CU_ASSERT_EQUAL(rds_cluster.replicas(rig.router, 5), 0);
    CU_ASSERT_EQUAL(rds_cluster.replicas(rig.router, 105), 1);
    rig_end();
}

static void whoever_waits_for_parts_hears_that_they_cannot_be_known(void) {
    begin("primary");
    heard = 99;
    CU_ASSERT_EQUAL(rds_cluster.part(rig.router, 0, on_parts, &heard), RDS_PARTS_UNKNOWN);
    for (int i = 0; i < 2; i++) {
        rig_pass_ms(1);
        rig_lose(asked_for_map(), "refused");
    }
    rig_pass_ms(1);
    CU_ASSERT_EQUAL(heard, LARDER_RETRY);
    rig_end();
}

UNIT_MAIN(
    "redis: cluster", UNIT(the_first_request_waits_for_the_map_of_any_seed),
    UNIT(when_no_node_tells_the_map_what_waits_is_told_why_and_so_is_what_comes_before_the_next_attempt),
    UNIT(a_server_that_is_no_cluster_is_told_of), UNIT(what_waits_for_the_map_ends_by_its_deadline),
    UNIT(a_node_that_does_not_answer_about_the_map_is_not_waited_for),
    UNIT(an_answer_to_an_earlier_question_is_older_than_what_is_known),
    UNIT(a_slot_that_nobody_has_fails_at_once_and_the_map_is_asked_for),
    UNIT(a_request_follows_MOVED_and_later_ones_go_there_at_once),
    UNIT(MOVED_without_a_host_is_another_port_of_the_one_that_answers),
    UNIT(many_redirections_ask_for_the_map_once),
    UNIT(nodes_that_do_not_agree_cost_a_bounded_number_of_redirections),
    UNIT(a_request_follows_ASK_once_and_the_slot_stays_where_it_was),
    UNIT(after_ASK_a_redirection_goes_without_ASKING),
    UNIT(TRYAGAIN_is_tried_again_in_a_moment_until_the_deadline),
    UNIT(all_replies_of_a_request_come_before_it_goes_elsewhere),
    UNIT(a_request_of_which_a_part_was_answered_is_sent_again_as_a_whole),
    UNIT(a_redirection_of_another_slot_is_no_answer_of_ours_to_follow),
    UNIT(a_lost_connection_asks_for_the_map_from_somebody_else_until_it_is_new),
    UNIT(a_silent_node_is_asked_about_and_what_it_owes_is_answered_when_it_was_replaced),
    UNIT(what_a_node_says_after_a_silence_is_not_believed_before_somebody_else_confirms_it),
    UNIT(a_large_value_may_take_its_time_and_entries_of_a_doubted_primary_count),
    UNIT(a_map_that_was_asked_for_before_a_node_was_lost_does_not_confirm_it),
    UNIT(what_became_a_replica_is_not_spoken_to_as_before),
    UNIT(trouble_asks_for_the_map_a_few_times_a_second_and_not_for_ever),
    UNIT(only_what_may_lag_is_asked_of_replicas_and_only_where_that_is_set),
    UNIT(what_a_replica_cannot_answer_its_primary_is_asked),
    UNIT(a_replica_that_is_silent_or_gone_is_not_asked), UNIT(parts_are_the_first_slots_of_the_primaries),
    UNIT(replicas_are_those_of_the_map_and_a_doubt_asks_for_it),
    UNIT(whoever_waits_for_parts_hears_that_they_cannot_be_known))
