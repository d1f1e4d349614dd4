/* Marks, counters, the index and pages: what is asked of DynamoDB, and what its answers come to. */
#include <stdio.h>
#include <string.h>

#include "rig.h"

static struct rig_op o;
static struct larder_mark marks[130];
static char tags[130][24];

static void begin(const char *key, size_t n_marks) {
    rig_start();
    rig_op(&o, key);
    for (size_t i = 0; i < n_marks; i++) {
        snprintf(tags[i], sizeof(tags[i]), "t%zu", i);
        marks[i] = rig_mark(tags[i], LARDER_UNSET, LARDER_UNSET, LARDER_UNSET);
    }
    o.op.marks = marks;
    o.op.n_marks = n_marks;
}

/* ---- marks: reading ---------------------------------------------------------------------------------- */

static void marks_are_read_together_and_consistently_a_hundred_at_a_time(void) {
    begin("", 130);
    ddb_read(&rig.d, &o.op);
    CU_ASSERT_EQUAL(rig_n_requests(), 2);
    CU_ASSERT_STRING_EQUAL(rig_operation(), "BatchGetItem");
    CU_ASSERT(rig_asks("{'RequestItems':{'t':{'ConsistentRead':true,'Keys':[{'pk':{'S':'p#m#t0'}"));
    CU_ASSERT(rig_asks("'p#m#t99'"));
    CU_ASSERT_PTR_NULL(strstr(rig_body(), "t100"));
    rig_reply("{'Responses':{'t':[{'gs':{'S':'#t7'},'xe':{'N':'5'}}]}}");
    CU_ASSERT(rig_asks("'p#m#t129'"));
    rig_reply("{'Responses':{'t':[{'gs':{'S':'#t129'},'se':{'N':'6'},'xa':{'N':'9'}}]}}");
    CU_ASSERT_EQUAL(o.res.status, LARDER_OK);
    CU_ASSERT_EQUAL_FATAL(o.n_records, 2);
    CU_ASSERT_STRING_EQUAL(o.records[0], "t7");
    CU_ASSERT_EQUAL(o.marks[0].expired_epoch, 5);
    CU_ASSERT_EQUAL(o.marks[0].stale_epoch, LARDER_UNSET);
    CU_ASSERT_EQUAL(o.marks[1].stale_epoch, 6);
    CU_ASSERT_EQUAL(o.marks[1].expire_at_ms, 9);
    rig_end();
}

static void what_dynamodb_leaves_of_a_batch_is_asked_for_again(void) {
    begin("", 3);
    ddb_read(&rig.d, &o.op);
    rig_reply("{'Responses':{'t':[{'gs':{'S':'#t0'},'xe':{'N':'5'}}]},"
              "'UnprocessedKeys':{'t':{'Keys':[{'pk':{'S':'p#m#t1'},'sk':{'S':'#'}}]}}}");
    CU_ASSERT_EQUAL(o.completed, 0);
    CU_ASSERT_EQUAL(rig_n_requests(), 0);
    CU_ASSERT(rig_pass_time());
    CU_ASSERT(rig_asks("'ConsistentRead':true,'Keys':[{'pk':{'S':'p#m#t1'},'sk':{'S':'#'}}]"));
    rig_reply("{'Responses':{'t':[{'gs':{'S':'#t1'},'xe':{'N':'6'}}]},'UnprocessedKeys':{}}");
    CU_ASSERT_EQUAL(o.res.status, LARDER_OK);
    CU_ASSERT_EQUAL(o.n_records, 2);
    rig_end();
}

/* And not with the marks that did come: one that is missing would count as none. */
static void a_batch_that_is_never_done_ends_at_the_deadline_as_throttled(void) {
    begin("", 1);
    ddb_read(&rig.d, &o.op);
    for (int i = 0; i < 10000 && !o.completed; i++) {
        if (rig_n_requests() > 0)
            rig_reply("{'Responses':{},'UnprocessedKeys':{'t':{'Keys':[{'pk':{'S':'p#m#t0'}}]}}}");
        else
            rig_pass_time();
    }
    CU_ASSERT_EQUAL(o.completed, 1);
    CU_ASSERT_EQUAL(o.res.status, LARDER_THROTTLED);
    CU_ASSERT(o.res.retry_after_ms > 0);
    CU_ASSERT(rig.now_ns < o.op.deadline_ns);
    rig_end();
}

static void a_mark_that_nobody_asked_for_is_no_answer(void) {
    static const char *const replies[] = {
        "{'Responses':{'t':[{'gs':{'S':'#other'},'xe':{'N':'5'}}]}}",
        "{'Responses':{'t':[{'gs':{'S':'t0'},'xe':{'N':'5'}}]}}",
        "{'Responses':{'t':[{'xe':{'N':'5'}}]}}",
        "{'Responses':{'t':[{'gs':{'S':'#t0'},'xe':{'S':'5'}}]}}",
        "{'Responses':{'t':[5]}}",
    };
    for (size_t i = 0; i < sizeof(replies) / sizeof(replies[0]); i++) {
        begin("", 1);
        ddb_read(&rig.d, &o.op);
        rig_reply(replies[i]);
        CU_ASSERT_EQUAL(o.res.status, LARDER_CORRUPT);
        rig_end();
    }
}

/* ---- marks: writing ------------------------------------------------------------------------------------- */

static void begin_write(struct larder_mark mark, uint32_t flags) {
    begin("", 1);
    marks[0] = mark;
    o.op.flags = flags;
    ddb_write(&rig.d, &o.op);
}

static void a_newer_mark_is_one_update_and_no_read(void) {
    begin_write(rig_mark("t0", 7, LARDER_UNSET, LARDER_UNSET), 0);
    CU_ASSERT_STRING_EQUAL(rig_operation(), "UpdateItem");
    CU_ASSERT(rig_asks("expiresAt = :t, xe = :xe'"));
    CU_ASSERT(rig_asks("(attribute_not_exists(xa) OR (attribute_exists(se) AND xa > :now)) AND "
                       "(attribute_not_exists(xe) OR xe <= :xe)"));
    CU_ASSERT(rig_asks("':xe':{'N':'7'},':now':{'N':'1000000'}"));
    rig_reply("{}");
    CU_ASSERT_EQUAL(o.res.status, LARDER_OK);
    rig_end();
}

static void a_newer_pair_is_one_update_unless_it_would_be_gone_later(void) {
    begin_write(rig_mark("t0", LARDER_UNSET, 9, 2000000), 0);
    CU_ASSERT(rig_asks("'(attribute_not_exists(xa) OR (attribute_exists(se) AND xa >= :xa)) AND "
                       "(attribute_not_exists(se) OR se <= :se)'"));
    CU_ASSERT_PTR_NULL(strstr(rig_body(), ":now"));
    rig_reply("{}");
    CU_ASSERT_EQUAL(o.res.status, LARDER_OK);
    rig_end();
}

/* Stored as it came where there is none, and settled where there is one: so it must be known which. */
static void a_pair_that_is_due_when_it_arrives_is_merged_with_what_is_read(void) {
    begin_write(rig_mark("t0", LARDER_UNSET, 9, 100), 0);
    CU_ASSERT_STRING_EQUAL(rig_operation(), "GetItem");
    rig_reply("{}");
    CU_ASSERT(rig_asks("'attribute_not_exists(gk)'"));
    CU_ASSERT(rig_asks("':se':{'N':'9'},':xa':{'N':'100'}"));
    rig_reply("{}");
    CU_ASSERT_EQUAL(o.res.status, LARDER_OK);
    rig_end();
}

static void a_mark_that_changes_nothing_is_read_and_not_written(void) {
    begin_write(rig_mark("t0", 7, LARDER_UNSET, LARDER_UNSET), 0);
    rig_refuse(DDB_CONDITION);
    CU_ASSERT_STRING_EQUAL(rig_operation(), "GetItem");
    CU_ASSERT(rig_asks("'ConsistentRead':true"));
    rig_reply("{'Item':{'xe':{'N':'8'}}}");
    CU_ASSERT_EQUAL(o.res.status, LARDER_OK);
    rig_end();
}

/* stale 5, due at 100, meets stale 9, due at 2000000, at 1000000: expired 5, stale 9. */
static void a_pair_that_is_due_is_settled_when_another_arrives(void) {
    begin_write(rig_mark("t0", LARDER_UNSET, 9, 2000000), 0);
    rig_refuse(DDB_CONDITION);
    rig_reply("{'Item':{'se':{'N':'5'},'xa':{'N':'100'}}}");
    CU_ASSERT(rig_asks("xe = :xe, se = :se, xa = :xa'"));
    CU_ASSERT(rig_asks("attribute_exists(gk) AND attribute_not_exists(xe) AND se = :oldse AND xa = :oldxa"));
    CU_ASSERT(rig_asks("':xe':{'N':'5'},':se':{'N':'9'},':xa':{'N':'2000000'},':oldse':{'N':'5'},"
                       "':oldxa':{'N':'100'}"));
    rig_reply("{}");
    CU_ASSERT_EQUAL(o.res.status, LARDER_OK);
    rig_end();
}

static void what_a_merged_mark_has_no_more_is_removed(void) {
    begin_write(rig_mark("t0", 7, LARDER_UNSET, LARDER_UNSET), 0);
    rig_refuse(DDB_CONDITION);
    rig_reply("{'Item':{'se':{'N':'9'},'xa':{'N':'100'}}}");
    CU_ASSERT(rig_asks("xe = :xe REMOVE se, xa'"));
    CU_ASSERT(rig_asks("':xe':{'N':'9'}"));
    rig_reply("{}");
    CU_ASSERT_EQUAL(o.res.status, LARDER_OK);
    rig_end();
}

/* Each time from what is stored then, after a wait. */
static void who_is_overtaken_merges_again(void) {
    begin_write(rig_mark("t0", LARDER_UNSET, 9, 2000000), 0);
    rig_refuse(DDB_CONDITION);
    rig_reply("{'Item':{'se':{'N':'5'},'xa':{'N':'1500000'}}}");
    CU_ASSERT(rig_asks("':se':{'N':'9'},':xa':{'N':'1500000'}"));
    rig_refuse(DDB_CONDITION);
    CU_ASSERT_EQUAL(rig_n_requests(), 0);
    CU_ASSERT(rig_pass_time());
    rig_reply("{'Item':{'se':{'N':'6'},'xa':{'N':'1400000'}}}");
    CU_ASSERT(rig_asks("':xa':{'N':'1400000'}"));
    CU_ASSERT(rig_asks("':oldse':{'N':'6'}"));
    rig_reply("{}");
    CU_ASSERT_EQUAL(o.res.status, LARDER_OK);
    rig_end();
}

static void a_mark_that_is_always_overtaken_is_given_up(void) {
    begin_write(rig_mark("t0", LARDER_UNSET, 9, 100), 0); /* due: never by one update */
    rig_overtake(&o);
    CU_ASSERT_EQUAL(o.completed, 1);
    CU_ASSERT_EQUAL(o.res.status, LARDER_RETRY);
    rig_end();
}

static void a_mark_if_absent_is_written_where_there_is_none(void) {
    begin_write(rig_mark("t0", 7, LARDER_UNSET, LARDER_UNSET), LARDER_IF_ABSENT);
    CU_ASSERT(rig_asks("'ConditionExpression':'attribute_not_exists(gk)'"));
    rig_refuse(DDB_CONDITION);
    CU_ASSERT_EQUAL(o.res.status, LARDER_MISS);
    rig_end();
}

static void marks_are_written_so_many_at_once_and_the_first_failure_ends_it(void) {
    begin("", 130);
    for (size_t i = 0; i < 130; i++)
        marks[i].expired_epoch = 7;
    ddb_write(&rig.d, &o.op);
    CU_ASSERT_EQUAL(rig_n_requests(), DDB_WINDOW);
    rig_reply("{}");
    CU_ASSERT_EQUAL(rig_n_requests(), DDB_WINDOW);
    rig_refuse(LARDER_DENIED);
    CU_ASSERT_EQUAL(rig_n_requests(), DDB_WINDOW - 1);
    rig_refuse(LARDER_RETRY);
    while (rig_n_requests() > 0)
        rig_reply("{}");
    CU_ASSERT_EQUAL(o.res.status, LARDER_DENIED);
    rig_end();
}

static void fewer_are_written_at_once_where_that_is_set(void) {
    begin("", 130);
    rig.config.write_concurrency = 3;
    for (size_t i = 0; i < 130; i++)
        marks[i].expired_epoch = 7;
    ddb_write(&rig.d, &o.op);
    CU_ASSERT_EQUAL(rig_n_requests(), 3);
    rig_reply("{}");
    CU_ASSERT_EQUAL(rig_n_requests(), 3);
    for (int i = 0; i < 129; i++)
        rig_reply("{}");
    CU_ASSERT_EQUAL(o.res.status, LARDER_OK);
    begin("k", 130);
    rig.config.write_concurrency = 2;
    ddb_link(&rig.d, &o.op);
    rig_reply("{}");
    CU_ASSERT_EQUAL(rig_n_requests(), 2); /* of 25 */
    for (int i = 0; i < 6; i++)
        rig_reply("{}");
    CU_ASSERT_EQUAL(o.res.status, LARDER_OK);
    begin("", 130);
    rig.config.write_concurrency = 1000;
    for (size_t i = 0; i < 130; i++)
        marks[i].expired_epoch = 7;
    ddb_write(&rig.d, &o.op);
    CU_ASSERT_EQUAL(rig_n_requests(), DDB_WINDOW);
    while (rig_n_requests() > 0)
        rig_reply("{}");
    rig_end();
}

/* ---- counters --------------------------------------------------------------------------------------------- */

static void begin_advance(int64_t add, int64_t seen) {
    begin("c", 0);
    o.op.add = add;
    rig.d.seen_epoch = seen;
    ddb_advance(&rig.d, &o.op);
}

static void a_counter_behind_the_clock_is_set_to_it_in_one_update(void) {
    begin_advance(1, LARDER_UNSET);
    CU_ASSERT(rig_asks("'SET c = :new','ConditionExpression':'attribute_not_exists(c) OR c < :floor'"));
    CU_ASSERT(rig_asks("{':new':{'N':'1000000'},':floor':{'N':'999999'}}"));
    rig_reply("{'Attributes':{'c':{'N':'1000000'}}}");
    CU_ASSERT_EQUAL(o.res.status, LARDER_OK);
    CU_ASSERT_EQUAL(o.res.epoch, 1000000);
    CU_ASSERT_EQUAL(rig.d.seen_epoch, 1000000);
    rig_end();
}

static void a_counter_that_was_ahead_of_the_clock_is_raised_in_one_update(void) {
    begin_advance(1, 999999);
    CU_ASSERT(rig_asks("'SET c = c + :add','ConditionExpression':'c >= :floor AND c <= :top'"));
    CU_ASSERT(rig_asks("{':add':{'N':'1'},':floor':{'N':'999999'},':top':{'N':'9223372036854775805'}}"));
    rig_reply("{'Attributes':{'c':{'N':'1000000'}}}");
    CU_ASSERT_EQUAL(o.res.epoch, 1000000);
    rig_end();
}

static void a_guess_that_was_wrong_costs_one_update_more(void) {
    begin_advance(1, LARDER_UNSET);
    rig_refuse(DDB_CONDITION);
    CU_ASSERT(rig_asks("'SET c = c + :add'"));
    rig_reply("{'Attributes':{'c':{'N':'1000007'}}}");
    CU_ASSERT_EQUAL(o.res.epoch, 1000007);
    rig_end();
}

static void a_counter_at_its_end_stays_there(void) {
    begin_advance(1, LARDER_UNSET);
    rig_refuse(DDB_CONDITION);
    rig_refuse(DDB_CONDITION);
    CU_ASSERT(rig_asks("'SET c = :new','ConditionExpression':'c > :top'"));
    CU_ASSERT(rig_asks("':new':{'N':'9223372036854775806'}"));
    rig_reply("{'Attributes':{'c':{'N':'9223372036854775806'}}}");
    CU_ASSERT_EQUAL(o.res.epoch, LARDER_NEW_EPOCH - 1);
    rig_end();
}

static void looking_at_a_counter_reads_it(void) {
    begin_advance(0, LARDER_UNSET);
    CU_ASSERT_STRING_EQUAL(rig_operation(), "GetItem");
    CU_ASSERT(rig_asks("'ConsistentRead':true"));
    rig_reply("{'Item':{'c':{'N':'77'}}}");
    CU_ASSERT_EQUAL(o.res.epoch, 77);
    rig_end();
}

static void looking_at_an_absent_counter_creates_it_unless_somebody_else_has(void) {
    begin_advance(0, LARDER_UNSET);
    rig_reply("{}");
    CU_ASSERT(rig_asks("'SET c = if_not_exists(c, :now)'"));
    rig_reply("{'Attributes':{'c':{'N':'999'}}}");
    CU_ASSERT_EQUAL(o.res.epoch, 999);
    rig_end();
}

/* ---- the index ---------------------------------------------------------------------------------------------- */

static void linking_writes_what_differs_and_nothing_else(void) {
    begin("k", 3);
    ddb_link(&rig.d, &o.op);
    CU_ASSERT_STRING_EQUAL(rig_operation(), "Query");
    CU_ASSERT(rig_asks("':pk':{'S':'p#l#k'}"));
    CU_ASSERT(rig_asks("'ConsistentRead':true"));
    rig_reply("{'Items':[{'sk':{'S':'#gone'},'expiresAt':{'N':'40000000'}},"
              "{'sk':{'S':'#t1'},'expiresAt':{'N':'40000000'}}]}");
    CU_ASSERT_STRING_EQUAL(rig_operation(), "BatchWriteItem");
    CU_ASSERT(rig_asks("[{'PutRequest':{'Item':{'pk':{'S':'p#l#k'},'sk':{'S':'#t0'}"));
    CU_ASSERT(rig_asks("'sk':{'S':'#t2'}"));
    CU_ASSERT(rig_asks("{'DeleteRequest':{'Key':{'pk':{'S':'p#l#k'},'sk':{'S':'#gone'}}}}]"));
    CU_ASSERT_PTR_NULL(strstr(rig_body(), "\"#t1\""));
    rig_reply("{'UnprocessedItems':{}}");
    CU_ASSERT_EQUAL(o.res.status, LARDER_OK);
    rig_end();
}

static void linking_again_writes_nothing(void) {
    begin("k", 1);
    ddb_link(&rig.d, &o.op);
    rig_reply("{'Items':[{'sk':{'S':'#t0'},'expiresAt':{'N':'40000000'}}]}");
    CU_ASSERT_EQUAL(o.res.status, LARDER_OK);
    rig_end();
}

/* Of 366 days: its time ends in 100. */
static void a_link_is_written_again_when_half_of_its_time_is_over(void) {
    begin("k", 1);
    ddb_link(&rig.d, &o.op);
    rig_reply("{'Items':[{'sk':{'S':'#gone'},'expiresAt':{'N':'8641000'}},"
              "{'sk':{'S':'#t0'},'expiresAt':{'N':'8641000'}}]}");
    CU_ASSERT(rig_asks("'sk':{'S':'#t0'}"));
    CU_ASSERT(rig_asks("'DeleteRequest':{'Key':{'pk':{'S':'p#l#k'},'sk':{'S':'#gone'}"));
    rig_reply("{}");
    CU_ASSERT_EQUAL(o.res.status, LARDER_OK);
    rig_end();
}

static void all_pages_of_links_are_read(void) {
    begin("k", 0);
    ddb_tags_of(&rig.d, &o.op);
    rig_reply("{'Items':[{'sk':{'S':'#a\\u0000'}}],'LastEvaluatedKey':{'sk':{'S':'#a\\u0000'}}}");
    CU_ASSERT(rig_asks("'ExclusiveStartKey':{'pk':{'S':'p#l#k'},'sk':{'S':'#a\\u0000'}}"));
    rig_reply("{'Items':[{'sk':{'S':'#b'}}]}");
    CU_ASSERT_EQUAL(o.res.status, LARDER_OK);
    CU_ASSERT_EQUAL(o.n_records, 2);
    rig_end();
}

static void links_without_end_are_given_up(void) {
    begin("k", 0);
    ddb_tags_of(&rig.d, &o.op);
    for (int i = 0; i < 2000 && !o.completed; i++)
        rig_reply("{'Items':[],'LastEvaluatedKey':{'sk':{'S':'#a'}}}");
    CU_ASSERT_EQUAL(o.completed, 1);
    CU_ASSERT_EQUAL(o.res.status, LARDER_INTERNAL);
    rig_end();
}

static void requests_that_were_left_are_sent_again(void) {
    begin("k", 1);
    ddb_link(&rig.d, &o.op);
    rig_reply("{'Items':[]}");
    rig_reply("{'UnprocessedItems':{'t':[{'PutRequest':{'Item':{'pk':{'S':'p#l#k'}}}}]}}");
    CU_ASSERT(rig_pass_time());
    CU_ASSERT(rig_asks("{'RequestItems':{'t':[{'PutRequest':{'Item':{'pk':{'S':'p#l#k'}}}}]}}"));
    rig_reply("{'UnprocessedItems':{}}");
    CU_ASSERT_EQUAL(o.res.status, LARDER_OK);
    rig_end();
}

/* ---- pages ----------------------------------------------------------------------------------------------------- */

static void a_list_walks_the_shards_of_the_index(void) {
    begin("ns/", 0);
    ddb_list(&rig.d, &o.op);
    CU_ASSERT(rig_asks("':gk':{'S':'p#e#00'},':gs':{'S':'#ns/'}"));
    rig_reply("{'Items':[{'gs':{'S':'#ns/a'}},{'gs':{'S':'#ns/old'},'x':{'N':'1000000'}}]}");
    CU_ASSERT(rig_asks("':gk':{'S':'p#e#01'}"));
    rig_reply("{'Items':[{'gs':{'S':'#ns/b'}}]}");
    CU_ASSERT_EQUAL(o.res.status, LARDER_OK);
    CU_ASSERT_EQUAL(o.res.cursor.len, 0);
    CU_ASSERT_EQUAL_FATAL(o.n_records, 2);
    CU_ASSERT_STRING_EQUAL(o.records[1], "ns/b");
    rig_end();
}

static void a_page_ends_at_its_limit_and_goes_on_from_its_cursor(void) {
    begin("", 0);
    o.op.limit = 1;
    ddb_list(&rig.d, &o.op);
    CU_ASSERT(rig_asks("'Limit':1"));
    rig_reply("{'Items':[{'gs':{'S':'#a'}}],'LastEvaluatedKey':{'gs':{'S':'#a'}}}");
    CU_ASSERT_STRING_EQUAL(o.cursor, "00#a");
    rig_op(&o, "");
    o.op.cursor = ddb_bytes_of("00#a");
    ddb_list(&rig.d, &o.op);
    CU_ASSERT(rig_asks("'ExclusiveStartKey':{'pk':{'S':'p#e#a'},'sk':{'S':'#'},"
                       "'gk':{'S':'p#e#00'},'gs':{'S':'#a'}}"));
    rig_reply("{'Items':[]}");
    CU_ASSERT_PTR_NULL(strstr(rig_body(), "ExclusiveStartKey"));
    rig_reply("{'Items':[]}");
    CU_ASSERT_EQUAL(o.res.cursor.len, 0);
    rig_end();
}

static void a_beginning_that_ends_within_a_character_is_looked_for_all_the_same(void) {
    begin("a\xc3", 0);
    ddb_list(&rig.d, &o.op);
    CU_ASSERT(rig_asks("':gs':{'S':'#a'}"));
    rig_reply("{'Items':[{'gs':{'S':'#a\xc3\xa9'}},{'gs':{'S':'#ab'}}]}");
    rig_reply("{'Items':[]}");
    CU_ASSERT_EQUAL(o.n_records, 1);
    CU_ASSERT_STRING_EQUAL(o.records[0], "a\xc3\xa9");
    rig_end();
}

static void cursors_of_others_are_refused(void) {
    static const char *const cursors[] = {"x", "0", "0g", "02", "ff#a", "00a", "00#\xff", "0 #a"};
    for (size_t i = 0; i < sizeof(cursors) / sizeof(cursors[0]); i++) {
        begin("", 0);
        o.op.cursor = ddb_bytes_of(cursors[i]);
        ddb_list(&rig.d, &o.op);
        CU_ASSERT_EQUAL(o.res.status, LARDER_INVALID);
        rig_end();
    }
}

static void keys_of_a_tag_are_those_of_its_own_shards(void) {
    begin("posts", 0);
    ddb_keys_of(&rig.d, &o.op);
    CU_ASSERT(rig_asks("':gk':{'S':'p#l#00#posts'},':gs':{'S':'#'}"));
    rig_reply("{'Items':[{'gs':{'S':'#k1'}}]}");
    CU_ASSERT(rig_asks("':gk':{'S':'p#l#01#posts'}"));
    rig_reply("{'Items':[]}");
    CU_ASSERT_EQUAL(o.res.status, LARDER_OK);
    CU_ASSERT_EQUAL(o.n_records, 1);
    rig_end();
}

/* The index lags; so it says which marks there are, and the table what they say. */
static void marks_are_listed_as_the_table_has_them(void) {
    begin("t", 0);
    ddb_list_marks(&rig.d, &o.op);
    rig_reply("{'Items':[{'gs':{'S':'#t1'}},{'gs':{'S':'#t2'}}]}");
    CU_ASSERT_STRING_EQUAL(rig_operation(), "BatchGetItem");
    CU_ASSERT(rig_asks("'ConsistentRead':true,'Keys':[{'pk':{'S':'p#m#t1'},'sk':{'S':'#'}},"
                       "{'pk':{'S':'p#m#t2'},'sk':{'S':'#'}}]"));
    rig_reply("{'Responses':{'t':[{'gs':{'S':'#t2'},'xe':{'N':'4'}}]}}");
    rig_reply("{'Items':[]}");
    CU_ASSERT_EQUAL(o.res.status, LARDER_OK);
    CU_ASSERT_EQUAL_FATAL(o.n_records, 1);
    CU_ASSERT_EQUAL(o.marks[0].expired_epoch, 4);
    rig_end();
}

static void a_server_that_never_comes_to_an_end_gives_a_page_all_the_same(void) {
    begin("", 0);
    ddb_list(&rig.d, &o.op);
    for (int i = 0; i < 1000 && !o.completed; i++)
        rig_reply("{'Items':[],'LastEvaluatedKey':{'gs':{'S':'#a'}}}");
    CU_ASSERT_EQUAL(o.completed, 1);
    CU_ASSERT_EQUAL(o.res.status, LARDER_OK);
    CU_ASSERT_STRING_EQUAL(o.cursor, "00#a");
    rig_end();
}

/* ---- whatever comes ----------------------------------------------------------------------------------------------- */

static void no_op_takes_for_an_answer_what_is_none(void) {
    static larder_op_fn *const ops[] = {ddb_get,  ddb_read,    ddb_advance,    ddb_link,     ddb_tags_of,
                                        ddb_list, ddb_keys_of, ddb_list_marks, ddb_provision};
    static const char *const replies[] = {"",
                                          "<html>busy</html>",
                                          "{",
                                          "[]",
                                          "{'Item':{'c':{'N':'1'",
                                          "\"\\",
                                          "{'Items':[{'gs':{'S':'#a'}}],'LastEvaluatedKey':{'gs':{'S':'#a'",
                                          "{'Responses':{'t':[{'gs':{'S':'#t0'},'xe':{'N':'5'}}]},'Unproc"};
    for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
        for (size_t k = 0; k < sizeof(replies) / sizeof(replies[0]); k++) {
            begin("k", 1);
            ops[i](&rig.d, &o.op);
            rig_reply(replies[k]);
            if (!o.completed || o.res.status != (k == 3 ? LARDER_CORRUPT : LARDER_RETRY))
                printf("    op %zu, reply %zu: status %d\n", i, k, o.res.status);
            CU_ASSERT_EQUAL(o.completed, 1);
            CU_ASSERT_EQUAL(o.res.status, k == 3 ? LARDER_CORRUPT : LARDER_RETRY);
            rig_end();
        }
    }
}

UNIT_MAIN("dynamodb: tags", UNIT(marks_are_read_together_and_consistently_a_hundred_at_a_time),
          UNIT(what_dynamodb_leaves_of_a_batch_is_asked_for_again),
          UNIT(a_batch_that_is_never_done_ends_at_the_deadline_as_throttled),
          UNIT(a_mark_that_nobody_asked_for_is_no_answer), UNIT(a_newer_mark_is_one_update_and_no_read),
          UNIT(a_newer_pair_is_one_update_unless_it_would_be_gone_later),
          UNIT(a_pair_that_is_due_when_it_arrives_is_merged_with_what_is_read),
          UNIT(a_mark_that_changes_nothing_is_read_and_not_written),
          UNIT(a_pair_that_is_due_is_settled_when_another_arrives),
          UNIT(what_a_merged_mark_has_no_more_is_removed), UNIT(who_is_overtaken_merges_again),
          UNIT(a_mark_that_is_always_overtaken_is_given_up),
          UNIT(a_mark_if_absent_is_written_where_there_is_none),
          UNIT(marks_are_written_so_many_at_once_and_the_first_failure_ends_it),
          UNIT(fewer_are_written_at_once_where_that_is_set),
          UNIT(a_counter_behind_the_clock_is_set_to_it_in_one_update),
          UNIT(a_counter_that_was_ahead_of_the_clock_is_raised_in_one_update),
          UNIT(a_guess_that_was_wrong_costs_one_update_more), UNIT(a_counter_at_its_end_stays_there),
          UNIT(looking_at_a_counter_reads_it),
          UNIT(looking_at_an_absent_counter_creates_it_unless_somebody_else_has),
          UNIT(linking_writes_what_differs_and_nothing_else), UNIT(linking_again_writes_nothing),
          UNIT(a_link_is_written_again_when_half_of_its_time_is_over), UNIT(all_pages_of_links_are_read),
          UNIT(links_without_end_are_given_up), UNIT(requests_that_were_left_are_sent_again),
          UNIT(a_list_walks_the_shards_of_the_index),
          UNIT(a_page_ends_at_its_limit_and_goes_on_from_its_cursor),
          UNIT(a_beginning_that_ends_within_a_character_is_looked_for_all_the_same),
          UNIT(cursors_of_others_are_refused), UNIT(keys_of_a_tag_are_those_of_its_own_shards),
          UNIT(marks_are_listed_as_the_table_has_them),
          UNIT(a_server_that_never_comes_to_an_end_gives_a_page_all_the_same),
          UNIT(no_op_takes_for_an_answer_what_is_none))
