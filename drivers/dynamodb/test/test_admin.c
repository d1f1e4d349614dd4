/* ping, provision, explain. */
#include <stdio.h>
#include <string.h>

#include "rig.h"

static struct rig_op o;

#define KEYS "'KeySchema':[{'AttributeName':'pk','KeyType':'HASH'},{'AttributeName':'sk','KeyType':'RANGE'}]"
#define TYPES                                                                                    \
    "'AttributeDefinitions':[{'AttributeName':'gs','AttributeType':'S'},{'AttributeName':'pk','" \
    "AttributeType':'S'},"                                                                       \
    "{'AttributeName':'sk','AttributeType':'S'},{'AttributeName':'gk','AttributeType':'S'}]"
#define OWN_TYPES "{'AttributeName':'pk','AttributeType':'S'},{'AttributeName':'sk','AttributeType':'S'}"
#define INDEX_KEYS \
    "'KeySchema':[{'AttributeName':'gk','KeyType':'HASH'},{'AttributeName':'gs','KeyType':'RANGE'}]"
#define INCLUDES_X "'Projection':{'ProjectionType':'INCLUDE','NonKeyAttributes':['y','x']}"
#define INDEX(status, rest)                                                                                  \
    "'GlobalSecondaryIndexes':[{'IndexName':'other'},{'IndexName':'larder','IndexStatus':'" status "'," rest \
    "}]"
#define TABLE(rest) "{'Table':{'TableName':'t','ItemCount':0," rest "}}"
#define GOOD TABLE("'TableStatus':'ACTIVE'," KEYS "," TYPES "," INDEX("ACTIVE", INDEX_KEYS "," INCLUDES_X))

static void begin(uint32_t flags) {
    rig_start();
    rig_op(&o, "");
    o.op.flags = flags;
    ddb_provision(&rig.d, &o.op);
}

static bool said(const char *what) {
    for (size_t i = 0; i < o.n_records; i++) {
        if (strstr(o.records[i], what))
            return true;
    }
    return false;
}

static void a_table_that_is_not_there_is_made_and_waited_for(void) {
    begin(0);
    CU_ASSERT_STRING_EQUAL(rig_operation(), "DescribeTable");
    rig_refuse(DDB_NO_TABLE);
    CU_ASSERT_STRING_EQUAL(rig_operation(), "CreateTable");
    CU_ASSERT(rig_asks("'BillingMode':'PAY_PER_REQUEST'"));
    rig_reply("{'TableDescription':{}}");
    CU_ASSERT(rig_pass_time());
    CU_ASSERT_STRING_EQUAL(rig_operation(), "DescribeTable");
    rig_reply(
        TABLE("'TableStatus':'CREATING'," KEYS "," TYPES "," INDEX("CREATING", INDEX_KEYS "," INCLUDES_X)));
    CU_ASSERT(rig_pass_time());
    rig_reply(
        TABLE("'TableStatus':'ACTIVE'," KEYS "," TYPES "," INDEX("CREATING", INDEX_KEYS "," INCLUDES_X)));
    CU_ASSERT(rig_pass_time());
    rig_reply(GOOD);
    CU_ASSERT_STRING_EQUAL(rig_operation(), "DescribeTimeToLive");
    rig_reply("{'TimeToLiveDescription':{'TimeToLiveStatus':'DISABLED'}}");
    CU_ASSERT_STRING_EQUAL(rig_operation(), "UpdateTimeToLive");
    CU_ASSERT(rig_asks("{'AttributeName':'expiresAt','Enabled':true}"));
    rig_reply("{}");
    CU_ASSERT_EQUAL(o.res.status, LARDER_OK);
    CU_ASSERT(said("was created"));
    rig_end();
}

static void doing_it_again_changes_nothing(void) {
    begin(0);
    rig_reply(GOOD);
    rig_reply("{'TimeToLiveDescription':{'AttributeName':'expiresAt','TimeToLiveStatus':'ENABLED'}}");
    CU_ASSERT_EQUAL(o.res.status, LARDER_OK);
    CU_ASSERT(said("as it must be"));
    rig_end();
}

static const char *const without_index = TABLE("'TableStatus':'ACTIVE'," KEYS
                                               ",'AttributeDefinitions':[" OWN_TYPES "]");

static void a_table_without_the_index_is_given_it_and_waited_for(void) {
    begin(0);
    rig_reply(without_index);
    CU_ASSERT_STRING_EQUAL(rig_operation(), "UpdateTable");
    CU_ASSERT(rig_asks("'AttributeDefinitions':[" OWN_TYPES ",{'AttributeName':'gk','AttributeType':'S'},"
                       "{'AttributeName':'gs','AttributeType':'S'}],'GlobalSecondaryIndexUpdates':[{'Create':"
                       "{'IndexName':'larder'," INDEX_KEYS));
    rig_reply("{'TableDescription':{}}");
    CU_ASSERT(rig_pass_time());
    rig_reply(
        TABLE("'TableStatus':'UPDATING'," KEYS "," TYPES "," INDEX("CREATING", INDEX_KEYS "," INCLUDES_X)));
    CU_ASSERT(rig_pass_time());
    rig_reply(
        TABLE("'TableStatus':'ACTIVE'," KEYS "," TYPES "," INDEX("CREATING", INDEX_KEYS "," INCLUDES_X)));
    CU_ASSERT(rig_pass_time());
    rig_reply(GOOD);
    rig_reply("{'TimeToLiveDescription':{'TimeToLiveStatus':'DISABLED'}}");
    CU_ASSERT_STRING_EQUAL(rig_operation(), "UpdateTimeToLive");
    rig_reply("{}");
    CU_ASSERT_EQUAL(o.res.status, LARDER_OK);
    CU_ASSERT(said("was given the index larder"));
    CU_ASSERT(said("TTL is on"));
    rig_end();
}

static void two_that_give_it_at_once_both_succeed_and_a_reason_is_told(void) {
    begin(0);
    rig_reply(without_index);
    rig_refuse(DDB_IN_USE);
    CU_ASSERT(rig_pass_time());
    rig_reply(GOOD);
    rig_reply("{'TimeToLiveDescription':{'AttributeName':'expiresAt','TimeToLiveStatus':'ENABLED'}}");
    CU_ASSERT_EQUAL(o.res.status, LARDER_OK);
    begin(0);
    rig_reply(without_index);
    rig_refuse(LARDER_INVALID); /* capacity that is not for us to say */
    CU_ASSERT_EQUAL(o.res.status, LARDER_INVALID);
    CU_ASSERT_STRING_EQUAL(o.detail, "refused by the test");
    rig_end();
}

static void two_that_make_it_at_once_both_succeed(void) {
    begin(0);
    rig_refuse(DDB_NO_TABLE);
    rig_refuse(DDB_IN_USE);
    CU_ASSERT(rig_pass_time());
    rig_reply(GOOD);
    rig_reply("{'TimeToLiveDescription':{'TimeToLiveStatus':'DISABLED'}}");
    rig_refuse(LARDER_INVALID); /* the other one has switched it on */
    rig_reply("{'TimeToLiveDescription':{'AttributeName':'expiresAt','TimeToLiveStatus':'ENABLING'}}");
    CU_ASSERT_EQUAL(o.res.status, LARDER_OK);
    rig_end();
}

static void a_server_without_ttl_is_a_warning(void) {
    begin(0);
    rig_reply(GOOD);
    rig_reply("{'TimeToLiveDescription':{'TimeToLiveStatus':'DISABLED'}}");
    rig_refuse(DDB_UNKNOWN_OPERATION);
    CU_ASSERT_EQUAL(o.res.status, LARDER_OK);
    CU_ASSERT(said("warning: this server has no TTL"));
    rig_end();
}

static void what_does_not_fit_is_named(void) {
    static const struct {
        const char *reply, *what;
    } rows[] = {
        {TABLE("'TableStatus':'ACTIVE','KeySchema':[{'AttributeName':'tag','KeyType':'HASH'},"
               "{'AttributeName':'path','KeyType':'RANGE'}]"),
         "table t: its key is (tag HASH, path RANGE) and must be (pk HASH, sk RANGE)"},
        {TABLE("'TableStatus':'ACTIVE'," KEYS), "types of its keys are () and must all be S"},
        {TABLE("'TableStatus':'ACTIVE'," KEYS ",'AttributeDefinitions':[" OWN_TYPES
               ",{'AttributeName':'gk','AttributeType':'N'}]"),
         "types of its keys are (pk S, sk S, gk N) and must all be S"},
        {TABLE("'TableStatus':'UPDATING'," KEYS ",'AttributeDefinitions':[" OWN_TYPES "]"),
         "no global secondary index named larder (gk HASH, gs RANGE, including x)"},
        {TABLE("'TableStatus':'ACTIVE'," KEYS "," TYPES
               "," INDEX("ACTIVE", "'KeySchema':[{'AttributeName':'sk','KeyType':'HASH'}]")),
         "the key of its index larder is (sk HASH)"},
        {TABLE("'TableStatus':'ACTIVE','AttributeDefinitions':[{'AttributeName':'pk','AttributeType':'B'}]"
               "," KEYS "," INDEX("ACTIVE", INDEX_KEYS "," INCLUDES_X)),
         "types of its keys are (pk B)"},
        {TABLE("'TableStatus':'ACTIVE'," KEYS "," TYPES
               "," INDEX("ACTIVE", INDEX_KEYS ",'Projection':{'ProjectionType':'KEYS_ONLY'}")),
         "must include the attribute x"},
        {TABLE("'TableStatus':'ACTIVE','KeySchema':[{'AttributeName':'a\nb','KeyType':'HASH'}]"),
         "(a?b HASH)"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        begin(0);
        rig_reply(rows[i].reply);
        CU_ASSERT_EQUAL(o.res.status, LARDER_INVALID);
        if (!strstr(o.detail, rows[i].what))
            printf("    %s\n", o.detail);
        CU_ASSERT_PTR_NOT_NULL(strstr(o.detail, rows[i].what));
        rig_end();
    }
}

static void a_ttl_by_another_attribute_is_named(void) {
    begin(0);
    rig_reply(GOOD);
    rig_reply("{'TimeToLiveDescription':{'AttributeName':'ttl','TimeToLiveStatus':'ENABLED'}}");
    CU_ASSERT_EQUAL(o.res.status, LARDER_INVALID);
    CU_ASSERT_PTR_NOT_NULL(strstr(o.detail, "expiresAt"));
    rig_end();
}

static void a_table_that_takes_too_long_is_told_at_the_deadline(void) {
    begin(0);
    for (int i = 0; i < 1000 && !o.completed; i++) {
        if (rig_n_requests() > 0)
            rig_reply(TABLE("'TableStatus':'CREATING'," KEYS "," TYPES
                            "," INDEX("CREATING", INDEX_KEYS "," INCLUDES_X)));
        else
            rig_pass_time();
    }
    CU_ASSERT_EQUAL(o.res.status, LARDER_THROTTLED);
    CU_ASSERT_STRING_EQUAL(o.detail, "the table is still being made: try again later");
    rig_end();
}

static void a_dry_run_asks_nobody(void) {
    begin(LARDER_DRY_RUN);
    CU_ASSERT_EQUAL(o.res.status, LARDER_OK);
    CU_ASSERT(said("CreateTable {\"TableName\":\"t\""));
    rig_end();
}

static void a_ping_reads_half_a_unit(void) {
    rig_start();
    rig_op(&o, "");
    ddb_ping(&rig.d, &o.op);
    CU_ASSERT_STRING_EQUAL(rig_operation(), "GetItem");
    CU_ASSERT_PTR_NULL(strstr(rig_body(), "ConsistentRead"));
    rig_refuse(DDB_NO_TABLE);
    CU_ASSERT_EQUAL(o.res.status, LARDER_INVALID);
    CU_ASSERT_STRING_EQUAL(o.detail, "there is no table t: larder provision creates it");
    rig_end();
}

static void topics_are_explained_and_others_named(void) {
    static const char *const topics[] = {"iam", "table"};
    for (size_t i = 0; i < 2; i++) {
        rig_start();
        rig_op(&o, topics[i]);
        ddb_explain(&rig.d, &o.op);
        CU_ASSERT_EQUAL(o.res.status, LARDER_OK);
        CU_ASSERT_EQUAL(o.n_records, 1);
        rig_end();
    }
    rig_start();
    rig_op(&o, "weather");
    ddb_explain(&rig.d, &o.op);
    CU_ASSERT_EQUAL(o.res.status, LARDER_INVALID);
    CU_ASSERT_PTR_NOT_NULL(strstr(o.detail, "iam"));
    rig_end();
}

UNIT_MAIN("dynamodb: admin", UNIT(a_table_that_is_not_there_is_made_and_waited_for),
          UNIT(doing_it_again_changes_nothing), UNIT(two_that_make_it_at_once_both_succeed),
          UNIT(a_table_without_the_index_is_given_it_and_waited_for),
          UNIT(two_that_give_it_at_once_both_succeed_and_a_reason_is_told),
          UNIT(a_server_without_ttl_is_a_warning), UNIT(what_does_not_fit_is_named),
          UNIT(a_ttl_by_another_attribute_is_named),
          UNIT(a_table_that_takes_too_long_is_told_at_the_deadline), UNIT(a_dry_run_asks_nobody),
          UNIT(a_ping_reads_half_a_unit), UNIT(topics_are_explained_and_others_named))
