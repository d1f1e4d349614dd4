/* What sentinels say, and what the router makes of it. */
#include <stdio.h>
#include <string.h>

#include "../sentinel.h"
#include "route_rig.h"
#include "unit.h"

#define ADDRESS(port) "*2\r\n$1\r\nm\r\n$" port "\r\n"
#define PAIR(name, len, value) "$" name "\r\n$" len "\r\n" value "\r\n"
#define MASTER(port, epoch) \
    "*6\r\n" PAIR("2\r\nip", "1", "m") "$4\r\nport\r\n$" port "\r\n" PAIR("12\r\nconfig-epoch", "1", epoch)
#define ONE "1\r\n1"
#define TWO "1\r\n2"
#define SAYS(port, epoch) ADDRESS(port) MASTER(port, epoch) "*0\r\n"
#define SWITCH "*3\r\n$7\r\nmessage\r\n$14\r\n+switch-master\r\n$16\r\nmymaster m 1 m 2\r\n"

static void begin(const char *read_from) {
    rig_begin(&rds_sentinel, "redis+sentinel://a,b,c/mymaster", read_from);
}

static void say(const char *who, const char *wire) {
    rig_reply(rig_node(who, false), wire);
}

static bool are_asked(void) {
    return rig_given("a:26379", false) + rig_given("b:26379", false) + rig_given("c:26379", false) > 0;
}

static void all_say(const char *wire) {
    say("a:26379", wire);
    say("b:26379", wire);
    say("c:26379", wire);
}

static void begin_with_master(const char *read_from) {
    begin(read_from);
    struct asked *a = rig_ask(0, 1, 0);
    rig_pass_ms(1);
    all_say(SAYS(ONE, "3"));
    rig_reply(rig_node("m:1", false), "+OK\r\n");
    CU_ASSERT_EQUAL(a->status, LARDER_OK);
    rig_pass_ms(20000); /* no pause is left */
    CU_ASSERT_FALSE(are_asked());
}

/* ---- what is said ----------------------------------------------------------------------------------------------- */

static const struct rds_reply *read(struct rds_reader *reader, const char *wire) {
    return rig_read(reader, wire, NULL);
}

static void an_address_is_a_host_and_a_port(void) {
    static const char *const wrong[] = {"*-1\r\n",
                                        "+OK\r\n",
                                        "*1\r\n$1\r\nm\r\n",
                                        "*2\r\n$1\r\nm\r\n$1\r\nx\r\n",
                                        "*2\r\n$1\r\nm\r\n$1\r\n0\r\n",
                                        "*2\r\n$1\r\nm\r\n$5\r\n65536\r\n",
                                        "*2\r\n$0\r\n\r\n$1\r\n1\r\n",
                                        "*2\r\n:1\r\n:1\r\n",
                                        "-ERR no\r\n"};
    struct rds_reader reader = {0};
    struct rds_told told = {.config_epoch = 9};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        CU_ASSERT_FALSE(rds_told_address(read(&reader, wrong[i]), &told));
    CU_ASSERT_EQUAL(told.config_epoch, 9);
    CU_ASSERT(rds_told_address(read(&reader, ADDRESS(ONE)), &told));
    CU_ASSERT_STRING_EQUAL(told.master.host, "m");
    CU_ASSERT_STRING_EQUAL(told.master.port, "1");
    CU_ASSERT_EQUAL(told.config_epoch, -1);
    CU_ASSERT_FALSE(rds_told_master(read(&reader, "*2\r\n$2\r\nip\r\n$1\r\nm\r\n"), &told));
    CU_ASSERT(rds_told_master(read(&reader, MASTER(TWO, "7")), &told));
    CU_ASSERT_STRING_EQUAL(told.master.port, "2");
    CU_ASSERT_EQUAL(told.config_epoch, 7);
    rds_reader_done(&reader);
}

#define REPLICA(port, flags, link)                                                                \
    "*8\r\n" PAIR("2\r\nip", "1", "r") "$4\r\nport\r\n$" port "\r\n$5\r\nflags\r\n$" flags "\r\n" \
                                       "$18\r\nmaster-link-status\r\n$" link "\r\n"

static void replicas_that_are_down_or_without_their_master_are_left_out(void) {
    struct rds_reader reader = {0};
    struct rds_server got[SENTINEL_REPLICAS];
    CU_ASSERT_EQUAL(rds_told_replicas(read(&reader, "*4\r\n" REPLICA(ONE, "5\r\nslave", "2\r\nok")
                                                        REPLICA(TWO, "12\r\ns_down,slave", "2\r\nok") REPLICA(
                                                            "1\r\n3", "18\r\nslave,disconnected", "2\r\nok")
                                                            REPLICA("1\r\n4", "5\r\nslave", "3\r\nerr")),
                                      got),
                    1);
    CU_ASSERT_STRING_EQUAL(got[0].port, "1");
    CU_ASSERT_EQUAL(rds_told_replicas(read(&reader, "-ERR no\r\n"), got), 0);
    rds_reader_done(&reader);
}

static void an_announcement_is_of_one_master(void) {
    static const char *const wrong[] = {
        "", "mymaster", "mymaster a 1 b", "other a 1 b 2", "mymaster2 a 1 b 2", "mymaster a 1 b x"};
    struct rds_server got;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        CU_ASSERT_FALSE(rds_told_switch((struct larder_bytes){(const uint8_t *)wrong[i], strlen(wrong[i])},
                                        "mymaster", &got));
    CU_ASSERT(
        rds_told_switch((struct larder_bytes){(const uint8_t *)"mymaster a 1 b 2", 16}, "mymaster", &got));
    CU_ASSERT_STRING_EQUAL(got.host, "b");
    CU_ASSERT_STRING_EQUAL(got.port, "2");
}

static void only_a_master_has_the_right_role(void) {
    struct rds_reader reader = {0};
    char detail[80];
    CU_ASSERT_EQUAL(
        rds_is_master(NULL, read(&reader, "*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n"), detail, sizeof(detail)),
        LARDER_OK);
    CU_ASSERT_EQUAL(rds_is_master(NULL, read(&reader, "*1\r\n$5\r\nslave\r\n"), detail, sizeof(detail)),
                    LARDER_RETRY);
    CU_ASSERT_EQUAL(rds_is_master(NULL, read(&reader, "+OK\r\n"), detail, sizeof(detail)), LARDER_RETRY);
    rds_reader_done(&reader);
}

/* ---- the master --------------------------------------------------------------------------------------------------- */

static void the_first_request_waits_until_the_sentinels_have_told_the_master(void) {
    begin("primary");
    struct asked *a = rig_ask(0, 1, 0);
    rig_pass_ms(1);
    CU_ASSERT_STRING_EQUAL(rig_written(rig_node("a:26379", false)),
                           "*3\r\n$8\r\nSENTINEL\r\n$23\r\nGET-MASTER-ADDR-BY-NAME\r\n$8\r\nmymaster\r\n"
                           "*3\r\n$8\r\nSENTINEL\r\n$6\r\nMASTER\r\n$8\r\nmymaster\r\n"
                           "*3\r\n$8\r\nSENTINEL\r\n$8\r\nREPLICAS\r\n$8\r\nmymaster\r\n");
    all_say(SAYS(ONE, "3"));
    CU_ASSERT_FATAL(rig_node("m:1", false) != NULL);
    CU_ASSERT(rig_node("m:1", false)->has_question);
    rig_reply(rig_node("m:1", false), "+OK\r\n");
    CU_ASSERT_EQUAL(a->status, LARDER_OK);
    rig_end();
}

static void sentinels_have_a_password_of_their_own(void) {
    begin("primary");
    CU_ASSERT(rig_node("b:26379", false)->user == NULL);
    CU_ASSERT_STRING_EQUAL(rig_node("b:26379", false)->password, "sesame");
    (void)rig_ask(0, 1, 0);
    rig_pass_ms(1);
    const struct rds_peer *peer = rig.conns[0]->peer;
    CU_ASSERT(peer && strcmp(peer->password, "sesame") == 0 && !peer->user && peer->db == 0);
    rig_end();
}

static void the_latest_failover_counts_whoever_says_so(void) {
    begin("primary");
    (void)rig_ask(0, 1, 0);
    rig_pass_ms(1);
    say("a:26379", SAYS(ONE, "3"));
    say("b:26379", SAYS(TWO, "4"));
    CU_ASSERT(rig_node("m:2", false) == NULL);
    say("c:26379", SAYS(ONE, "3"));
    CU_ASSERT_EQUAL(rig_given("m:2", false), 1);
    CU_ASSERT(rig_node("m:1", false) == NULL);
    rig_end();
}

static void a_sentinel_that_does_not_answer_is_not_waited_for_long(void) {
    begin("primary");
    (void)rig_ask(0, 1, 0);
    rig_pass_ms(1);
    say("b:26379", SAYS(ONE, "3"));
    rig_pass_ms(99);
    CU_ASSERT(rig_node("m:1", false) == NULL);
    rig_pass_ms(2);
    CU_ASSERT_EQUAL(rig_given("m:1", false), 1);
    rig_end();
}

static void an_epoch_that_goes_back_is_not_believed(void) {
    begin_with_master("primary");
    rig_lose(rig_node("m:1", false), "gone");
    rig_pass_ms(200);
    all_say(SAYS(TWO, "2"));
    CU_ASSERT(rig_node("m:2", false) == NULL);
    rig_end();
}

static void sentinels_that_begin_anew_are_believed_when_the_master_is_long_gone(void) {
    begin_with_master("primary");
    rig_lose(rig_node("m:1", false), "gone");
    unsigned ms = 0;
    for (; ms < 20000 && !rig_node("m:2", false); ms++) {
        if (ms % 100 == 0)
            (void)rig_ask(0, 1, 0);
        rig_pass_ms(1);
        if (rig_given("a:26379", false) > 0)
            all_say(SAYS(TWO, "0"));
    }
    CU_ASSERT(ms > 10000 && ms < 13000);
    rig_end();
}

static void where_epochs_are_not_told_the_address_has_to_do(void) {
    begin("primary");
    (void)rig_ask(0, 1, 0);
    rig_pass_ms(1);
    all_say(ADDRESS(ONE) "-NOPERM this user has no permissions\r\n-NOPERM this user has no permissions\r\n");
    CU_ASSERT_EQUAL(rig_given("m:1", false), 1);
    rig_end();
}

static void a_name_that_nobody_watches_is_told_of(void) {
    begin("primary");
    struct asked *a = rig_ask(0, 1, 0);
    rig_pass_ms(1);
    all_say("*-1\r\n-ERR No such master with that name\r\n-ERR No such master with that name\r\n");
    CU_ASSERT_EQUAL(a->status, LARDER_INVALID);
    CU_ASSERT(strstr(a->text, "no master of that name") != NULL);
    rig_end();
}

static void when_no_sentinel_can_be_reached_it_is_told_at_once_and_tried_again(void) {
    begin("primary");
    struct asked *a = rig_ask(0, 1, 0);
    rig_pass_ms(1);
    rig_lose(rig_node("a:26379", false), "refused");
    rig_lose(rig_node("b:26379", false), "refused");
    CU_ASSERT_EQUAL(a->n, 0);
    rig_lose(rig_node("c:26379", false), "refused");
    CU_ASSERT_EQUAL(a->status, LARDER_RETRY);
    CU_ASSERT_STRING_EQUAL(a->text, "refused");
    CU_ASSERT_EQUAL(rig_ask(0, 1, 0)->n, 1);
    rig_node("c:26379", false)->is_ill = false;
    rig_pass_ms(200);
    struct asked *b = rig_ask(0, 1, 0);
    rig_pass_ms(1);
    say("c:26379", SAYS(ONE, "3"));
    rig_reply(rig_node("m:1", false), "+OK\r\n");
    CU_ASSERT_EQUAL(b->status, LARDER_OK);
    rig_end();
}

static void what_waits_for_silent_sentinels_ends_by_its_deadline(void) {
    begin("primary");
    struct asked *a = rig_ask(0, 1, 0);
    rig_pass_ms(499);
    CU_ASSERT_EQUAL(a->n, 0);
    rig_pass_ms(2);
    CU_ASSERT_EQUAL(a->status, LARDER_DEADLINE);
    rig_end();
}

/* ---- failovers ------------------------------------------------------------------------------------------------------ */

static void a_lost_connection_and_READONLY_and_silence_ask_the_sentinels(void) {
    for (int how = 0; how < 3; how++) {
        begin_with_master("primary");
        struct asked *a = rig_ask(0, 1, 0);
        struct rds_node *old = rig_node("m:1", false);
        if (how == 0)
            rig_lose(old, "the server hung up");
        else if (how == 1)
            rig_reply(old, "-READONLY You can't write against a read only replica.\r\n");
        else
            old->silent_ns = 400000000;
        rig_pass_ms(150);
        CU_ASSERT_FATAL(rig_given("a:26379", false) == 1);
        CU_ASSERT_EQUAL(a->n, how == 2 ? 0 : 1);
        all_say(SAYS(TWO, "4"));
        CU_ASSERT_EQUAL(a->n, 1);
        CU_ASSERT(rig_node("m:1", false) == NULL);
        struct asked *b = rig_ask(0, 1, 0);
        rig_reply(rig_node("m:2", false), "+OK\r\n");
        CU_ASSERT_EQUAL(b->status, LARDER_OK);
        rig_end();
    }
}

static void what_a_master_says_after_a_silence_is_not_believed_before_the_sentinels_confirm_it(void) {
    for (int replaced = 0; replaced < 2; replaced++) {
        begin_with_master("primary");
        struct asked *a = rig_ask(0, 1, 0);
        rig.silence_ns = 400000000;
        rig_reply(rig_node("m:1", false), "+old\r\n");
        CU_ASSERT_EQUAL(a->status, LARDER_RETRY);
        struct asked *b = rig_ask(0, 1, 0);
        CU_ASSERT_EQUAL(rig_given("m:1", false), 0);
        rig_pass_ms(1);
        if (replaced)
            all_say(SAYS(TWO, "4"));
        else
            all_say(SAYS(ONE, "3"));
        rig_reply(rig_node(replaced ? "m:2" : "m:1", false), "+new\r\n");
        CU_ASSERT_STRING_EQUAL(b->text, "new");
        rig_end();
    }
}

static void a_master_is_used_when_no_sentinel_can_be_reached_to_confirm_it(void) {
    begin_with_master("primary");
    (void)rig_ask(0, 1, 0);
    rig_lose(rig_node("m:1", false), "the server hung up");
    rig_node("m:1", false)->is_ill = false;
    struct asked *a = rig_ask(0, 1, 0);
    rig_pass_ms(1);
    CU_ASSERT_EQUAL(a->n, 0);
    rig_lose(rig_node("a:26379", false), "refused");
    rig_lose(rig_node("b:26379", false), "refused");
    rig_lose(rig_node("c:26379", false), "refused");
    rig_reply(rig_node("m:1", false), "+OK\r\n");
    CU_ASSERT_EQUAL(a->status, LARDER_OK);
    rig_end();
}

static void an_announced_failover_is_followed_though_nothing_else_tells_of_it(void) {
    begin_with_master("primary");
    rig_message(rig.conns[1], SWITCH);
    rig_pass_ms(1);
    say("a:26379", SAYS(ONE, "3"));
    say("b:26379", SAYS(TWO, "4"));
    say("c:26379", SAYS(ONE, "3"));
    CU_ASSERT(rig_node("m:1", false) == NULL);
    CU_ASSERT(rig_node("m:2", false) != NULL);
    rig_end();
}

static void what_is_announced_of_another_master_is_nothing_to_us(void) {
    begin_with_master("primary");
    rig_message(rig.conns[1], "*3\r\n$7\r\nmessage\r\n$14\r\n+switch-master\r\n$13\r\nother m 1 m 2\r\n");
    rig_pass_ms(10);
    CU_ASSERT_FALSE(are_asked());
    rig_end();
}

static void a_subscription_that_was_lost_is_made_again_and_what_was_missed_is_asked_for(void) {
    begin_with_master("primary");
    rds_conn_cut(rig.conns[2], LARDER_RETRY, "gone");
    CU_ASSERT(rig.conns[2]->peer == NULL);
    rig_pass_ms(2000);
    CU_ASSERT_FATAL(rig.conns[2]->peer != NULL);
    rig.conns[2]->events->up(rig.conns[2]->owner, rig.conns[2]);
    CU_ASSERT_FATAL(rig.conns[2]->given != NULL);
    struct rds_reader reader = {0};
    struct rds_answer answer = {
        .reply = read(&reader, "*3\r\n$9\r\nsubscribe\r\n$14\r\n+switch-master\r\n:1\r\n")};
    rig.conns[2]->events->reply(rig.conns[2]->owner, rig.conns[2], rig.conns[2]->given, &answer);
    rds_reader_done(&reader);
    rig_pass_ms(200);
    CU_ASSERT(are_asked());
    rig_end();
}

static void the_same_master_is_kept_with_its_connections(void) {
    begin_with_master("primary");
    struct rds_node *node = rig_node("m:1", false);
    rig_reply((rig_ask(0, 1, 0), node), "-LOADING Redis is loading the dataset in memory\r\n");
    rig_pass_ms(200);
    all_say(SAYS(ONE, "3"));
    CU_ASSERT_EQUAL(rig_node("m:1", false), node);
    rig_end();
}

/* ---- replicas -------------------------------------------------------------------------------------------------------- */

static void entries_are_read_from_replicas_that_are_well_where_that_is_set(void) {
    begin("replica");
    struct asked *a = rig_ask(0, 1, RDS_MAY_LAG), *b = rig_ask(0, 1, 0);
    rig_pass_ms(1);
    all_say(ADDRESS(ONE) MASTER(ONE, "3") "*1\r\n" REPLICA(TWO, "5\r\nslave", "2\r\nok"));
    rig_reply(rig_node("r:2", false), "+lagging\r\n");
    rig_reply(rig_node("m:1", false), "+now\r\n");
    CU_ASSERT_EQUAL(rds_sentinel.replicas(rig.router, 0), 1);
    CU_ASSERT_STRING_EQUAL(a->text, "lagging");
    CU_ASSERT_STRING_EQUAL(b->text, "now");
    rig_node("r:2", false)->silent_ns = 400000000;
    (void)rig_ask(0, 1, RDS_MAY_LAG);
    CU_ASSERT_EQUAL(rig_given("m:1", false), 1);
    rig_end();
}

UNIT_MAIN("redis: sentinel", UNIT(an_address_is_a_host_and_a_port),
          UNIT(replicas_that_are_down_or_without_their_master_are_left_out),
          UNIT(an_announcement_is_of_one_master), UNIT(only_a_master_has_the_right_role),
          UNIT(the_first_request_waits_until_the_sentinels_have_told_the_master),
          UNIT(sentinels_have_a_password_of_their_own), UNIT(the_latest_failover_counts_whoever_says_so),
          UNIT(a_sentinel_that_does_not_answer_is_not_waited_for_long),
          UNIT(an_epoch_that_goes_back_is_not_believed),
          UNIT(sentinels_that_begin_anew_are_believed_when_the_master_is_long_gone),
          UNIT(where_epochs_are_not_told_the_address_has_to_do), UNIT(a_name_that_nobody_watches_is_told_of),
          UNIT(when_no_sentinel_can_be_reached_it_is_told_at_once_and_tried_again),
          UNIT(what_waits_for_silent_sentinels_ends_by_its_deadline),
          UNIT(a_lost_connection_and_READONLY_and_silence_ask_the_sentinels),
          UNIT(what_a_master_says_after_a_silence_is_not_believed_before_the_sentinels_confirm_it),
          UNIT(a_master_is_used_when_no_sentinel_can_be_reached_to_confirm_it),
          UNIT(an_announced_failover_is_followed_though_nothing_else_tells_of_it),
          UNIT(what_is_announced_of_another_master_is_nothing_to_us),
          UNIT(a_subscription_that_was_lost_is_made_again_and_what_was_missed_is_asked_for),
          UNIT(the_same_master_is_kept_with_its_connections),
          UNIT(entries_are_read_from_replicas_that_are_well_where_that_is_set))
