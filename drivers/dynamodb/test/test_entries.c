/* Entries and claims: what is asked of DynamoDB, and what its answers come to. */
#include <string.h>

#include "rig.h"

#define GENERATION "0123456789abcdef0123456789abcdef"
#define OTHER "fedcba9876543210fedcba9876543210"
#define CHUNK 393216

/* A head of two chunks: one whole, and one of three bytes. */
#define HEAD(generation) \
    "{'Item':{'m':{'N':'3'},'e':{'N':'5'},'g':{'S':'" generation "'},'n':{'N':'2'},'l':{'N':'393219'}}}"

static struct rig_op o;

/* The value of a get, given back. */
static void give_back(void) {
    rig.d.host->buf_unref(o.res.value.owner);
}

static void reply_with_bytes(size_t len, char fill) {
    static uint8_t bytes[CHUNK];
    struct ddb_text t = {0};
    memset(bytes, fill, len);
    ddb_text_json(&t, "{'Item':{'v':{'B':'");
    ddb_text_base64(&t, (struct larder_bytes){bytes, len});
    ddb_text_json(&t, "'}}}");
    ddb_text_add(&t, (struct larder_bytes){(const uint8_t *)"", 1});
    rig_reply((const char *)t.ptr);
    ddb_text_done(&t);
}

static void begin_get(void) {
    rig_start();
    rig_op(&o, "k");
    ddb_get(&rig.d, &o.op);
}

static void a_get_reads_the_head_consistently(void) {
    begin_get();
    CU_ASSERT_STRING_EQUAL(rig_operation(), "GetItem");
    CU_ASSERT(rig_asks("'Key':{'pk':{'S':'p#e#k'},'sk':{'S':'#'}}"));
    CU_ASSERT(rig_asks("'ConsistentRead':true"));
    rig_reply("{'Item':{'v':{'B':'Zm8='},'m':{'N':'3'},'e':{'N':'5'}}}");
    CU_ASSERT_EQUAL(o.res.status, LARDER_OK);
    CU_ASSERT_EQUAL(o.res.modified_ms, 3);
    CU_ASSERT_EQUAL(o.res.epoch, 5);
    CU_ASSERT(o.res.value.len == 2 && memcmp(o.res.value.ptr, "fo", 2) == 0);
    give_back();
    rig_end();
}

static void an_item_that_is_over_is_a_miss(void) {
    begin_get();
    rig_reply("{'Item':{'v':{'B':'Zm8='},'m':{'N':'3'},'e':{'N':'5'},'x':{'N':'1000000'}}}");
    CU_ASSERT_EQUAL(o.res.status, LARDER_MISS);
    rig_end();
}

static void chunks_are_read_by_reads_that_may_lag(void) {
    begin_get();
    rig_reply(HEAD(GENERATION));
    CU_ASSERT_EQUAL(rig_n_requests(), 2);
    CU_ASSERT(rig_asks("'S':'p#v#" GENERATION "#0000'"));
    CU_ASSERT_PTR_NULL(strstr(rig_body(), "ConsistentRead"));
    reply_with_bytes(CHUNK, 'a');
    CU_ASSERT(rig_asks("'S':'p#v#" GENERATION "#0001'"));
    reply_with_bytes(3, 'b');
    CU_ASSERT_EQUAL(o.res.status, LARDER_OK);
    CU_ASSERT_EQUAL_FATAL(o.res.value.len, CHUNK + 3);
    CU_ASSERT(o.res.value.ptr[0] == 'a' && o.res.value.ptr[CHUNK - 1] == 'a' &&
              o.res.value.ptr[CHUNK] == 'b');
    give_back();
    rig_end();
}

static void a_chunk_that_is_not_found_is_looked_for_again_consistently(void) {
    begin_get();
    rig_reply(HEAD(GENERATION));
    rig_reply("{}"); /* of the first; its second look goes behind the other chunk */
    reply_with_bytes(3, 'b');
    CU_ASSERT(rig_asks("#0000'"));
    CU_ASSERT(rig_asks("'ConsistentRead':true"));
    reply_with_bytes(CHUNK, 'a');
    CU_ASSERT_EQUAL(o.res.status, LARDER_OK);
    give_back();
    rig_end();
}

/* Neither half of two values: the head is read again, and all of what it names then. */
static void an_entry_that_is_replaced_while_it_is_read_is_read_anew(void) {
    begin_get();
    rig_reply(HEAD(GENERATION));
    reply_with_bytes(CHUNK, 'a');
    rig_reply("{}");
    rig_reply("{}");
    CU_ASSERT(rig_asks("'S':'p#e#k'"));
    rig_reply(HEAD(OTHER));
    CU_ASSERT(rig_asks("'S':'p#v#" OTHER "#0000'"));
    reply_with_bytes(CHUNK, 'c');
    reply_with_bytes(3, 'c');
    CU_ASSERT_EQUAL(o.res.status, LARDER_OK);
    CU_ASSERT_EQUAL_FATAL(o.res.value.len, CHUNK + 3);
    CU_ASSERT(o.res.value.ptr[0] == 'c' && o.res.value.ptr[CHUNK + 2] == 'c');
    give_back();
    rig_end();
}

static void an_entry_that_becomes_small_while_it_is_read_is_read_anew(void) {
    begin_get();
    rig_reply(HEAD(GENERATION));
    reply_with_bytes(CHUNK, 'a');
    rig_reply("{}");
    rig_reply("{}");
    rig_reply("{'Item':{'v':{'B':'Zm8='},'m':{'N':'3'},'e':{'N':'5'}}}");
    CU_ASSERT_EQUAL(o.res.status, LARDER_OK);
    CU_ASSERT_EQUAL(o.res.value.len, 2);
    give_back();
    rig_end();
}

static void an_entry_whose_chunk_is_gone_is_corrupt(void) {
    begin_get();
    rig_reply(HEAD(GENERATION));
    rig_reply("{}");
    reply_with_bytes(3, 'b');
    rig_reply("{}");
    rig_reply(HEAD(GENERATION));
    CU_ASSERT_EQUAL(o.res.status, LARDER_CORRUPT);
    CU_ASSERT(o.detail[0] != '\0');
    rig_end();
}

static void an_entry_that_changes_for_ever_is_given_up(void) {
    begin_get();
    for (int i = 0; i < 100 && !o.completed; i++) {
        rig_reply(i % 2 ? HEAD(GENERATION) : HEAD(OTHER));
        while (!o.completed && rig_n_requests() > 0 && strstr(rig_body(), "p#v#"))
            rig_reply("{}");
    }
    CU_ASSERT_EQUAL(o.completed, 1);
    CU_ASSERT_EQUAL(o.res.status, LARDER_RETRY);
    rig_end();
}

static void a_chunk_of_another_length_is_corrupt(void) {
    begin_get();
    rig_reply(HEAD(GENERATION));
    reply_with_bytes(CHUNK, 'a');
    reply_with_bytes(4, 'b');
    CU_ASSERT_EQUAL(o.res.status, LARDER_CORRUPT);
    rig_end();
    begin_get();
    rig_reply(HEAD(GENERATION));
    reply_with_bytes(CHUNK, 'a');
    reply_with_bytes(2, 'b');
    CU_ASSERT_EQUAL(o.res.status, LARDER_CORRUPT);
    rig_end();
}

static void what_is_in_the_head_is_not_believed(void) {
    static const char *const heads[] = {
        "{'Item':{'m':{'N':'3'},'e':{'N':'5'}}}",
        "{'Item':{'v':{'B':'***='}}}",
        "{'Item':{'v':{'B':'Zm8'}}}",
        "{'Item':{'g':{'S':'" GENERATION "'}}}",
        "{'Item':{'g':{'S':'" GENERATION "'},'n':{'N':'1'},'l':{'N':'393219'}}}",
        "{'Item':{'g':{'S':'" GENERATION "'},'n':{'N':'-1'},'l':{'N':'-1'}}}",
        "{'Item':{'g':{'S':'" GENERATION "'},'n':{'N':'23456248059222'},'l':{'N':'9223372036854775807'}}}",
        "{'Item':{'g':{'S':'../../etc'},'n':{'N':'1'},'l':{'N':'3'}}}",
        "{'Item':{'g':{'S':'0123456789ABCDEF0123456789abcdef'},'n':{'N':'1'},'l':{'N':'3'}}}",
    };
    for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
        begin_get();
        rig_reply(heads[i]);
        CU_ASSERT_EQUAL(o.res.status, LARDER_CORRUPT);
        rig_end();
    }
}

/* ---- put ------------------------------------------------------------------------------------------------- */

static void begin_put(size_t len, uint32_t flags) {
    static uint8_t bytes[CHUNK + 3];
    rig_start();
    rig_op(&o, "k");
    o.op.value = (struct larder_slice){bytes, len, NULL};
    o.op.flags = flags;
    o.op.ttl_ms = 1500;
    ddb_put(&rig.d, &o.op);
}

static void a_small_put_is_one_request(void) {
    begin_put(3, 0);
    CU_ASSERT_STRING_EQUAL(rig_operation(), "PutItem");
    CU_ASSERT(rig_asks("'v':{'B':'AAAA'}"));
    CU_ASSERT(rig_asks("'m':{'N':'3'},'e':{'N':'5'},'x':{'N':'1001500'},'expiresAt':{'N':'1002'}"));
    rig_reply("{}");
    CU_ASSERT_EQUAL(o.res.status, LARDER_OK);
    rig_end();
}

/* The head comes last: before it nobody knows of the chunks. */
static void chunks_are_written_before_the_head_that_names_them(void) {
    begin_put(CHUNK + 3, 0);
    CU_ASSERT_STRING_EQUAL(rig_operation(), "GetItem");
    rig_reply("{}");
    CU_ASSERT_EQUAL(rig_n_requests(), 2);
    CU_ASSERT(rig_asks("#0000'}"));
    CU_ASSERT(rig_asks("'expiresAt':{'N':'4602'}")); /* they outlive the head */
    rig_reply("{}");
    CU_ASSERT_EQUAL(rig_n_requests(), 1);
    rig_reply("{}");
    CU_ASSERT(rig_asks("'S':'p#e#k'"));
    CU_ASSERT(rig_asks("'n':{'N':'2'},'l':{'N':'393219'}"));
    rig_reply("{}");
    CU_ASSERT_EQUAL(o.res.status, LARDER_OK);
    rig_end();
}

static void what_replaces_chunks_deletes_them_afterwards(void) {
    begin_put(3, 0);
    rig_refuse(DDB_CONDITION);
    rig_reply(HEAD(OTHER));
    CU_ASSERT_STRING_EQUAL(rig_operation(), "PutItem");
    CU_ASSERT(
        rig_asks("'ConditionExpression':'g = :g','ExpressionAttributeValues':{':g':{'S':'" OTHER "'}}"));
    rig_reply("{}");
    CU_ASSERT_EQUAL(o.completed, 0);
    CU_ASSERT_STRING_EQUAL(rig_operation(), "DeleteItem");
    CU_ASSERT(rig_asks("'S':'p#v#" OTHER "#0000'"));
    rig_reply("{}");
    rig_refuse(LARDER_RETRY); /* that one stays until its time is up */
    CU_ASSERT_EQUAL(o.res.status, LARDER_OK);
    rig_end();
}

static void a_put_that_is_refused_deletes_the_chunks_it_wrote(void) {
    begin_put(CHUNK + 3, LARDER_IF_ABSENT);
    rig_reply("{}");
    rig_reply("{}");
    rig_reply("{}");
    rig_refuse(DDB_CONDITION); /* somebody else was faster */
    rig_reply("{'Item':{'e':{'N':'5'}}}");
    CU_ASSERT_STRING_EQUAL(rig_operation(), "DeleteItem");
    CU_ASSERT(rig_asks("#0000'"));
    rig_reply("{}");
    CU_ASSERT(rig_asks("#0001'"));
    rig_reply("{}");
    CU_ASSERT_EQUAL(o.res.status, LARDER_MISS);
    rig_end();
}

/* The answer was lost, and the head may be there: its chunks must be, too. */
static void a_head_of_which_nobody_knows_keeps_its_chunks(void) {
    begin_put(CHUNK + 3, 0);
    rig_reply("{}");
    rig_reply("{}");
    rig_reply("{}");
    rig_refuse(LARDER_RETRY);
    CU_ASSERT_EQUAL(o.res.status, LARDER_RETRY);
    rig_end();
}

static void a_large_put_that_would_be_refused_sends_nothing(void) {
    begin_put(CHUNK + 3, LARDER_IF_ABSENT);
    rig_reply("{'Item':{'e':{'N':'5'}}}");
    CU_ASSERT_EQUAL(o.res.status, LARDER_MISS);
    rig_end();
    begin_put(CHUNK + 3, 0);
    rig_reply("{'Item':{'e':{'N':'6'}}}");
    CU_ASSERT_EQUAL(o.res.status, LARDER_OK);
    rig_end();
}

static void what_is_over_counts_as_absent(void) {
    begin_put(3, LARDER_IF_ABSENT);
    CU_ASSERT(rig_asks("'attribute_not_exists(e) OR (attribute_not_exists(g) AND x <= :now)'"));
    CU_ASSERT(rig_asks("':now':{'N':'1000000'}"));
    rig_refuse(DDB_CONDITION);
    rig_reply("{'Item':{'e':{'N':'6'},'x':{'N':'1000000'},'g':{'S':'" OTHER
              "'},'n':{'N':'1'},'l':{'N':'3'}}}");
    CU_ASSERT_STRING_EQUAL(rig_operation(), "PutItem");
    rig_reply("{}");
    rig_reply("{}");
    CU_ASSERT_EQUAL(o.res.status, LARDER_OK);
    rig_end();
}

static void a_chunk_that_cannot_be_written_fails_the_put_and_the_others_go(void) {
    begin_put(CHUNK + 3, 0);
    rig_reply("{}");
    rig_refuse(LARDER_THROTTLED);
    rig_reply("{}");
    while (rig_n_requests() > 0) {
        CU_ASSERT_STRING_EQUAL(rig_operation(), "DeleteItem");
        rig_reply("{}");
    }
    CU_ASSERT_EQUAL(o.res.status, LARDER_THROTTLED);
    CU_ASSERT_STRING_EQUAL(o.detail, "refused by the test");
    rig_end();
}

static void a_head_of_no_known_form_can_be_replaced(void) {
    begin_put(3, 0);
    rig_refuse(DDB_CONDITION);
    rig_reply("{'Item':{'g':{'S':'of another \\u0041ge'}}}");
    CU_ASSERT(rig_asks("':g':{'S':'of another \\u0041ge'}"));
    rig_reply("{}");
    CU_ASSERT_EQUAL(o.res.status, LARDER_OK);
    rig_end();
}

static void a_remove_takes_the_chunks_along(void) {
    rig_start();
    rig_op(&o, "k");
    ddb_remove(&rig.d, &o.op);
    CU_ASSERT_STRING_EQUAL(rig_operation(), "DeleteItem");
    rig_refuse(DDB_CONDITION);
    rig_reply(HEAD(GENERATION));
    CU_ASSERT(rig_asks("':g':{'S':'" GENERATION "'}"));
    rig_reply("{}");
    CU_ASSERT_EQUAL(rig_n_requests(), 2);
    rig_reply("{}");
    rig_reply("{}");
    CU_ASSERT_EQUAL(o.res.status, LARDER_OK);
    rig_end();
}

/* ---- claims ---------------------------------------------------------------------------------------------- */

static void a_claim_is_for_who_holds_it_already_or_finds_it_over(void) {
    rig_start();
    rig_op(&o, "k");
    o.op.value = (struct larder_slice){(const uint8_t *)"me", 2, NULL};
    o.op.ttl_ms = 500;
    ddb_claim(&rig.d, &o.op);
    CU_ASSERT(rig_asks("'Item':{'pk':{'S':'p#c#k'},'sk':{'S':'#'},'o':{'B':'bWU='},'x':{'N':'1000500'}"));
    CU_ASSERT(rig_asks("'attribute_not_exists(o) OR x <= :now OR o = :o'"));
    rig_refuse(DDB_CONDITION);
    CU_ASSERT_EQUAL(o.res.status, LARDER_MISS);
    rig_end();
}

static void a_claim_is_given_back_by_its_owner_alone(void) {
    rig_start();
    rig_op(&o, "k");
    o.op.value = (struct larder_slice){(const uint8_t *)"me", 2, NULL};
    ddb_release(&rig.d, &o.op);
    CU_ASSERT_STRING_EQUAL(rig_operation(), "DeleteItem");
    CU_ASSERT(rig_asks("'ConditionExpression':'o = :o','ExpressionAttributeValues':{':o':{'B':'bWU='}}"));
    rig_refuse(DDB_CONDITION);
    CU_ASSERT_EQUAL(o.res.status, LARDER_OK);
    rig_end();
}

/* ---- all that is asked may fail ----------------------------------------------------------------------------- */

static void a_call_that_cannot_be_made_fails_the_op(void) {
    static larder_op_fn *const ops[] = {ddb_get, ddb_put, ddb_remove, ddb_claim, ddb_release, ddb_ping};
    for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
        rig_start();
        rig_op(&o, "k");
        rig_fail_next_call(LARDER_NOMEM);
        ops[i](&rig.d, &o.op);
        CU_ASSERT_EQUAL(o.completed, 1);
        CU_ASSERT_EQUAL(o.res.status, LARDER_NOMEM);
        rig_end();
    }
}

static void names_that_dynamodb_does_not_take_are_refused(void) {
    char longest[DDB_MAX_NAME + 2];
    memset(longest, 'k', sizeof(longest));
    longest[DDB_MAX_NAME + 1] = '\0';
    rig_start();
    rig_op(&o, longest);
    ddb_get(&rig.d, &o.op);
    CU_ASSERT_EQUAL(o.res.status, LARDER_TOO_BIG);
    rig_op(&o, "\xff");
    ddb_get(&rig.d, &o.op);
    CU_ASSERT_EQUAL(o.res.status, LARDER_INVALID);
    longest[DDB_MAX_NAME] = '\0';
    rig_op(&o, longest);
    ddb_get(&rig.d, &o.op);
    rig_reply("{}");
    CU_ASSERT_EQUAL(o.res.status, LARDER_MISS);
    rig_end();
}

UNIT_MAIN("dynamodb: entries", UNIT(a_get_reads_the_head_consistently), UNIT(an_item_that_is_over_is_a_miss),
          UNIT(chunks_are_read_by_reads_that_may_lag),
          UNIT(a_chunk_that_is_not_found_is_looked_for_again_consistently),
          UNIT(an_entry_that_is_replaced_while_it_is_read_is_read_anew),
          UNIT(an_entry_that_becomes_small_while_it_is_read_is_read_anew),
          UNIT(an_entry_whose_chunk_is_gone_is_corrupt), UNIT(an_entry_that_changes_for_ever_is_given_up),
          UNIT(a_chunk_of_another_length_is_corrupt), UNIT(what_is_in_the_head_is_not_believed),
          UNIT(a_small_put_is_one_request), UNIT(chunks_are_written_before_the_head_that_names_them),
          UNIT(what_replaces_chunks_deletes_them_afterwards),
          UNIT(a_put_that_is_refused_deletes_the_chunks_it_wrote),
          UNIT(a_head_of_which_nobody_knows_keeps_its_chunks),
          UNIT(a_large_put_that_would_be_refused_sends_nothing), UNIT(what_is_over_counts_as_absent),
          UNIT(a_claim_is_for_who_holds_it_already_or_finds_it_over),
          UNIT(a_claim_is_given_back_by_its_owner_alone),
          UNIT(a_chunk_that_cannot_be_written_fails_the_put_and_the_others_go),
          UNIT(a_head_of_no_known_form_can_be_replaced), UNIT(a_remove_takes_the_chunks_along),
          UNIT(a_call_that_cannot_be_made_fails_the_op), UNIT(names_that_dynamodb_does_not_take_are_refused))
