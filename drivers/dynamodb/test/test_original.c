/* A table of OpenNext's original mode: how its items are named, what is looked for, and what is told. */
#include <stdio.h>
#include <string.h>

#include "rig.h"

static const int64_t none = LARDER_UNSET;
static struct rig_op o;
static struct larder_mark marks[4];

static void begin_op(struct rig_op *op, const char *tag) {
    rig_op(op, "");
    marks[0] = rig_mark(tag, none, none, none);
    op->op.marks = marks;
    op->op.n_marks = 1;
}

static void begin(const char *tag) {
    rig_start();
    rig.d.names.pk = "tag";
    rig.d.names.sk = "path";
    rig.d.names.build_id = "b";
    rig.d.names.build_prefix = "b/";
    rig.d.names.original = true;
    begin_op(&o, tag);
}

static bool mark_is(const struct larder_mark *mark, int64_t expired, int64_t stale, int64_t at_ms) {
    return mark->expired_epoch == expired && mark->stale_epoch == stale && mark->expire_at_ms == at_ms;
}

#define KEY(tag, path) "'tag':{'S':'" tag "'},'path':{'S':'" path "'}"
#define N(name, number) "'" name "':{'N':'" number "'}"

/* ---- names ----------------------------------------------------------------------------------------------- */

static bool is(struct larder_bytes bytes, const char *text) {
    return ddb_bytes_same(bytes, ddb_bytes_of(text));
}

static void a_tag_has_a_path_of_its_own(void) {
    static char longest[DDB_MAX_NAME] = "ns/";
    char prefix[OPENNEXT_MAX_KEY];
    struct opennext_key key;
    begin("");
    const struct ddb_names *names = &rig.d.names;
    opennext_prefix("x/../b", true, prefix);
    CU_ASSERT_STRING_EQUAL(prefix, "b/");
    CU_ASSERT(opennext_twin(names, ddb_bytes_of("ns/t"), &key));
    CU_ASSERT(is(key.tag, "b/t") && is(key.path, "b/!larder/t"));
    CU_ASSERT(opennext_is_twin_path(names, key.path) && !opennext_is_twin_path(names, key.tag));
    CU_ASSERT(opennext_twin(names, ddb_bytes_of("ns/_N_T_/a//./b/"), &key));
    CU_ASSERT(is(key.tag, "b/_N_T_/a/b/") && is(key.path, "b/!larder/_N_T_/a/b/"));
    CU_ASSERT(opennext_is_soft(names, key.tag) && !opennext_is_soft(names, ddb_bytes_of("b/t")));
    CU_ASSERT(!opennext_twin(names, ddb_bytes_of("ns/../x"), &key));
    CU_ASSERT(!opennext_twin(names, ddb_bytes_of("ns/."), &key));
    CU_ASSERT(!opennext_twin(names, ddb_bytes_of("ns/"), &key));
    memset(longest + 3, 'x', OPENNEXT_MAX_KEY - 10);
    CU_ASSERT(opennext_twin(names, ddb_bytes_of(longest), &key));
    CU_ASSERT_EQUAL(key.path.len, OPENNEXT_MAX_KEY);
    longest[OPENNEXT_MAX_KEY - 7] = 'x';
    CU_ASSERT(!opennext_twin(names, ddb_bytes_of(longest), &key));
}

static void an_entry_of_an_op_has_the_path_that_opennext_gives_it(void) {
    static const struct {
        const char *key, *path;
    } rows[] = {
        {"ns/b/page//about", "b/about"},
        {"ns/b/page/index", "b/index"},
        {"ns/shared/fetch/0a1b", "b/0a1b"},
        {"ns/b/page/../x", NULL},
        {"ns/b/page/", NULL},
        {"ns/b/page", NULL},
        {"ns/b/~0123456789abcdef0123456789abcdef", NULL},
        {"ns/b/page/~0123456789abcdef0123456789abcdef", NULL},
        {"", NULL},
    };
    begin("");
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct opennext_key key;
        bool has = opennext_member(&rig.d.names, ddb_bytes_of(rows[i].key), ddb_bytes_of("ns/t"), &key);
        CU_ASSERT_EQUAL(has, rows[i].path != NULL);
        CU_ASSERT(!has || (is(key.tag, "b/t") && is(key.path, rows[i].path)));
    }
}

/* ---- reading ----------------------------------------------------------------------------------------------- */

static const char *const known = "{'Responses':{'t':[{" KEY("b/t", "b/!larder/t") "," N(
    "revalidatedAt", "1") "," N("lk", "1") "," N("expiresAt", "99999999") "}]}}";

static void a_tag_that_is_known_is_one_request(void) {
    begin("ns/t");
    ddb_read(&rig.d, &o.op);
    CU_ASSERT(rig_asks("'Keys':[{" KEY("p#m#ns/t", "#") "},{" KEY("b/t", "b/!larder/t") "}]"));
    rig_reply(known);
    CU_ASSERT_EQUAL(o.completed, 1);
    CU_ASSERT_EQUAL(o.n_records, 0);
    rig_end();
}

static void a_twin_is_made_before_the_items_of_its_tag_are_looked_at(void) {
    begin("ns/t");
    ddb_read(&rig.d, &o.op);
    rig_reply("{}");
    CU_ASSERT_STRING_EQUAL(rig_operation(), "UpdateItem");
    CU_ASSERT(rig_asks(
        "'Key':{" KEY("b/t", "b/!larder/t") "},'UpdateExpression':'SET revalidatedAt = "
                                            "if_not_exists(revalidatedAt, :member), expiresAt = "
                                            ":t','ExpressionAttributeValues':{" N(":member", "1") ",':t':"));
    rig_reply("{}");
    CU_ASSERT_STRING_EQUAL(rig_operation(), "Query");
    CU_ASSERT(rig_asks("'KeyConditionExpression':'#tag = :tag','ConsistentRead':true"));
    CU_ASSERT(rig_asks("{':tag':{'S':'b/t'}}}"));
    rig_reply("{'Items':[{" KEY("b/t", "b/!larder/t") "," N("revalidatedAt", "1") "}]}");
    CU_ASSERT(rig_asks("'SET lk = :lk','ExpressionAttributeValues':{" N(":lk", "1") "}}"));
    rig_reply("{}");
    CU_ASSERT_EQUAL(o.res.status, LARDER_OK);
    CU_ASSERT_EQUAL(o.n_records, 0);
    rig_end();
}

static void what_was_said_before_is_found_on_every_page_and_kept(void) {
    begin("ns/t");
    ddb_read(&rig.d, &o.op);
    rig_reply("{}");
    rig_reply("{}");
    rig_reply("{'Items':[{" KEY("b/t", "b/a") "," N("revalidatedAt", "700") "},{" KEY("b/t", "b/c") "," N(
        "revalidatedAt",
        "950") "," N("lw", "950") "," N("fs", "800") "," N("fa", "2000000") "}],"
                                                                            "'LastEvaluatedKey':{" KEY(
                                                                                "b/t", "b/c") "}}");
    CU_ASSERT(rig_asks("'ExclusiveStartKey':{" KEY("b/t", "b/c") "}"));
    rig_reply("{'Items':[{" KEY("b/t", "b/d") "," N("revalidatedAt", "600") "}]}");
    CU_ASSERT(rig_asks("'SET lk = :lk, fx = :fx, fs = :fs, fa = :fa','ConditionExpression':"
                       "'attribute_not_exists(fx) AND attribute_not_exists(fs)'"));
    CU_ASSERT(rig_asks(N(":fx", "700") "," N(":fs", "800") "," N(":fa", "2000000")));
    rig_refuse(DDB_CONDITION); /* another process has noted it */
    CU_ASSERT_EQUAL(o.completed, 0);
    rig_reply("{}"); /* the counter */
    CU_ASSERT_EQUAL(o.res.status, LARDER_OK);
    CU_ASSERT_EQUAL_FATAL(o.n_records, 1);
    CU_ASSERT(mark_is(&o.marks[0], 700, 800, 2000000));
    rig_end();
}

/* Of a twin: whether it is looked behind. */
static bool is_looked_behind(const char *attributes) {
    char reply[512];
    begin("ns/t");
    ddb_read(&rig.d, &o.op);
    snprintf(reply, sizeof(reply), "{'Responses':{'t':[{" KEY("b/t", "b/!larder/t") ",%s}]}}", attributes);
    rig_reply(reply);
    bool looks = strcmp(rig_operation(), "UpdateItem") == 0 && strstr(rig_body(), "if_not_exists") != NULL;
    if (rig_n_requests() > 0)
        rig_refuse(LARDER_RETRY);
    CU_ASSERT_EQUAL(o.completed, 1);
    rig_end();
    return looks;
}

static void a_tag_is_looked_at_once_and_again_before_its_twin_may_be_deleted(void) {
    CU_ASSERT(is_looked_behind(N("revalidatedAt", "1")));
    CU_ASSERT(!is_looked_behind(N("revalidatedAt", "1") "," N("lk", "1")));
    CU_ASSERT(!is_looked_behind(N("revalidatedAt", "5"))); /* OpenNext was here, and at all other items */
    CU_ASSERT(is_looked_behind(N("revalidatedAt", "5") "," N("lw", "5")));
    CU_ASSERT(is_looked_behind(N("revalidatedAt", "1") "," N("lk", "1") "," N("expiresAt", "15800000")));
    CU_ASSERT(!is_looked_behind(N("revalidatedAt", "1") "," N("lk", "1") "," N("expiresAt", "15900000")));
}

static void a_look_that_fails_fails_the_read(void) {
    for (int step = 0; step < 3; step++) {
        begin("ns/t");
        ddb_read(&rig.d, &o.op);
        rig_reply("{}");
        for (int i = 0; i < step; i++)
            rig_reply("{}");
        rig_refuse(LARDER_RETRY);
        CU_ASSERT_EQUAL(o.res.status, LARDER_RETRY);
        rig_end();
    }
    begin("ns/t");
    ddb_read(&rig.d, &o.op);
    rig_reply("{}");
    rig_reply("{}");
    rig_reply("{'Items':[{'revalidatedAt':{'S':'5'}}]}");
    CU_ASSERT_EQUAL(o.res.status, LARDER_CORRUPT);
    rig_end();
}

/* ---- telling ------------------------------------------------------------------------------------------------ */

/* A write of a mark, up to where OpenNext's items are asked for. */
static void begin_write(const char *tag, struct larder_mark mark) {
    begin(tag);
    mark.tag = marks[0].tag;
    marks[0] = mark;
    ddb_write(&rig.d, &o.op);
    rig_reply("{}");
    CU_ASSERT(rig_asks("'attribute_not_exists(revalidatedAt) OR revalidatedAt = :member OR (lw = "));
    rig_reply("{}");
    CU_ASSERT_EQUAL(o.completed, 0);
    CU_ASSERT_STRING_EQUAL(rig_operation(), "Query");
}

#define MEMBER(path, rest) "{" KEY("b/t", path) "," rest "}"

static void a_revalidation_is_told_to_each_path_of_the_tag(void) {
    begin_write("ns/t", rig_mark("", 5000, none, none));
    rig_reply("{'Items':[" MEMBER("b/!larder/t", N("revalidatedAt", "5000") "," N("lw", "5000")) "," MEMBER(
        "b/x", N("revalidatedAt",
                 "1")) "," MEMBER("b/y", N("revalidatedAt",
                                           "6000")) "],'LastEvaluatedKey':{" KEY("b/t", "b/y") "}}");
    CU_ASSERT_EQUAL(rig_n_requests(), 1); /* one is Larder's, another says so already */
    CU_ASSERT(rig_asks("'Key':{" KEY(
        "b/t",
        "b/x") "},'UpdateExpression':'SET revalidatedAt = :revalidatedAt, "
               "lw = :lw REMOVE stale, expire, fx, fs, fa','ConditionExpression':'revalidatedAt = "
               ":oldrevalidatedAt AND attribute_not_exists(stale) AND attribute_not_exists(expire) AND "
               "attribute_not_exists(lw)'"));
    CU_ASSERT(rig_asks(N(":revalidatedAt", "7000")));
    rig_reply("{}");
    CU_ASSERT(rig_asks("'ExclusiveStartKey':{" KEY("b/t", "b/y") "}"));
    CU_ASSERT_EQUAL(o.completed, 0);
    rig_reply("{'Items':[]}");
    CU_ASSERT_EQUAL(o.completed, 1);
    CU_ASSERT_EQUAL(o.res.status, LARDER_OK);
    rig_end();
}

static void an_item_that_opennext_wrote_meanwhile_is_merged_once_more(void) {
    begin_write("ns/t", rig_mark("", none, 5000, 2000000));
    rig_reply("{'Items':[" MEMBER("b/x", N("revalidatedAt", "1")) "]}");
    rig_refuse(DDB_CONDITION);
    CU_ASSERT(rig_pass_time());
    CU_ASSERT_STRING_EQUAL(rig_operation(), "GetItem");
    rig_reply("{'Item':" MEMBER("b/x", N("revalidatedAt", "6000")) "}");
    CU_ASSERT(rig_asks(N(":revalidatedAt", "7000") "," N(":lw", "7000") "," N(":fx", "6000")));
    rig_reply("{}");
    CU_ASSERT_EQUAL(o.res.status, LARDER_OK);
    rig_end();
}

static void a_route_takes_the_other_tags_of_its_paths_with_it(void) {
    begin_write("ns/_N_T_/r", rig_mark("", 5000, none, none));
    rig_reply("{'Items':[{" KEY("b/_N_T_/r", "b/!larder/_N_T_/r") "," N("revalidatedAt", "5000") "},{" KEY(
        "b/_N_T_/r", "b/r") "," N("revalidatedAt", "9000") "}]}");
    CU_ASSERT(rig_asks("'IndexName':'revalidate','KeyConditionExpression':'#path = :path'"));
    CU_ASSERT(rig_asks("{':path':{'S':'b/r'}}"));
    rig_reply("{'Items':[{'tag':{'S':'b/_N_T_/r'}},{'tag':{'S':'b/t'}},{'tag':{'S':'b/_N_T_/layout'}},"
              "{'tag':{'S':'b/t'}}]}");
    CU_ASSERT(rig_asks("{':tag':{'S':'b/t'}}"));
    rig_reply("{'Items':[" MEMBER("b/x", N("revalidatedAt", "1")) "]}");
    CU_ASSERT(rig_asks("'Key':{" KEY("b/t", "b/x") "}"));
    rig_reply("{}");
    CU_ASSERT_EQUAL(o.res.status, LARDER_OK);
    rig_end();
}

/* Half of the op's 10 s. */
static void an_op_does_not_wait_for_all_that_is_told(void) {
    begin_write("ns/t", rig_mark("", 5000, none, none));
    CU_ASSERT(rig_pass_time());
    CU_ASSERT_EQUAL(rig.now_ns, 5000000001);
    CU_ASSERT_EQUAL(o.completed, 1);
    CU_ASSERT_EQUAL(o.res.status, LARDER_OK);
    rig_reply("{'Items':[" MEMBER("b/x", N("revalidatedAt", "1")) "]}");
    rig_refuse(LARDER_THROTTLED);
    CU_ASSERT(rig_pass_time());
    CU_ASSERT_STRING_EQUAL(rig_operation(), "GetItem");
    rig_refuse(LARDER_DENIED);
    CU_ASSERT_EQUAL(rig.lines, 1);
    CU_ASSERT_PTR_NULL(rig.d.tellings);
    rig_end();
}

static void what_is_refused_in_passing_is_told_again(void) {
    begin_write("ns/t", rig_mark("", 5000, none, none));
    rig_refuse(LARDER_RETRY);
    CU_ASSERT(rig_pass_time());
    rig_reply("{'Items':[]}");
    CU_ASSERT_EQUAL(o.res.status, LARDER_OK);
    rig_end();
}

static void what_cannot_be_told_while_the_op_waits_fails_it(void) {
    begin_write("ns/t", rig_mark("", 5000, none, none));
    rig_refuse(LARDER_DENIED);
    CU_ASSERT_EQUAL(o.res.status, LARDER_DENIED);
    CU_ASSERT_EQUAL(rig.lines, 0);
    begin_write("ns/t", rig_mark("", 5000, none, none));
    rig_reply("{'Items':[{'path':{'S':'b/x'},'revalidatedAt':{'S':'5'}}]}");
    CU_ASSERT_EQUAL(o.res.status, LARDER_CORRUPT);
    rig_end();
}

static void an_instance_that_is_closed_tells_nobody_any_more(void) {
    begin_write("ns/t", rig_mark("", 5000, none, none));
    CU_ASSERT(rig_pass_time());
    rig_refuse(LARDER_RETRY); /* it waits to ask again */
    CU_ASSERT_EQUAL(rig.timers, 2);
    ddb_tell_done(&rig.d);
    CU_ASSERT_EQUAL(rig.d.n_tellings, 0);
    rig_end();
}

static void so_many_are_told_at_once_and_others_wait(void) {
    begin("ns/t");
    marks[0].expired_epoch = 5000;
    rig.d.n_telling = 15;
    ddb_write(&rig.d, &o.op);
    rig_reply("{}");
    rig_reply("{}");
    struct rig_op second;
    rig_op(&second, "");
    second.op.marks = marks;
    second.op.n_marks = 1;
    ddb_write(&rig.d, &second.op);
    CU_ASSERT_EQUAL(rig_n_requests(), 3);
    rig_reply("{'LastEvaluatedKey':{" KEY("b/t", "b/y") "}}");
    rig_reply("{}");
    rig_reply("{}");
    CU_ASSERT_EQUAL(rig_n_requests(), 1); /* the second has not begun */
    rig_reply("{}");
    CU_ASSERT_EQUAL(o.completed, 1);
    CU_ASSERT_EQUAL(second.completed, 0);
    rig_reply("{}");
    CU_ASSERT_EQUAL(second.completed, 1);
    CU_ASSERT_EQUAL(rig.d.n_telling, 15);
    rig_end();
}

static void what_waits_to_be_told_is_bounded(void) {
    begin("ns/t");
    marks[0].expired_epoch = 5000;
    rig.d.n_tellings = 512;
    ddb_write(&rig.d, &o.op);
    rig_reply("{}");
    rig_reply("{}");
    CU_ASSERT_EQUAL(o.res.status, LARDER_THROTTLED);
    rig_end();
}

static void a_mark_that_is_to_be_absent_is_told_to_the_twin_alone(void) {
    begin("ns/t");
    marks[0].expired_epoch = 5000;
    o.op.flags = LARDER_IF_ABSENT;
    ddb_write(&rig.d, &o.op);
    rig_reply("{}");
    rig_reply("{}");
    CU_ASSERT_EQUAL(o.res.status, LARDER_OK);
    rig_end();
}

/* ---- linking ------------------------------------------------------------------------------------------------ */

static void what_is_linked_becomes_an_item_of_opennexts(void) {
    begin("ns/t");
    o.op.key = ddb_bytes_of("ns/b/page//about");
    marks[1] = rig_mark("ns/old", none, none, none);
    o.op.n_marks = 2;
    ddb_link(&rig.d, &o.op);
    rig_reply("{'Items':[{'path':{'S':'#ns/gone'}},{'path':{'S':'#ns/old'}}]}");
    CU_ASSERT_STRING_EQUAL(rig_operation(), "BatchWriteItem");
    rig_reply("{}");
    CU_ASSERT_EQUAL(rig_n_requests(), 1); /* what was there is there, and what is gone stays */
    CU_ASSERT(rig_asks("'Key':{" KEY(
        "b/t", "b/about") "},'UpdateExpression':'SET revalidatedAt = "
                          "if_not_exists(revalidatedAt, :member)','ExpressionAttributeValues':{" N(
                              ":member", "1") "}}"));
    rig_reply("{}");
    CU_ASSERT_EQUAL(o.res.status, LARDER_OK);
    begin("ns/t");
    o.op.key = ddb_bytes_of("ns/b/page//about");
    ddb_link(&rig.d, &o.op);
    rig_reply("{}");
    rig_reply("{}");
    rig_refuse(LARDER_RETRY);
    CU_ASSERT_EQUAL(o.res.status, LARDER_RETRY);
    rig_end();
}

/* ---- the table ---------------------------------------------------------------------------------------------- */

static void a_table_without_the_index_of_opennext_does_not_fit(void) {
    begin("");
    ddb_provision(&rig.d, &o.op);
    rig_reply("{'Table':{'TableStatus':'UPDATING','KeySchema':[{'AttributeName':'tag','KeyType':'HASH'},"
              "{'AttributeName':'path','KeyType':'RANGE'}],'AttributeDefinitions':[{'AttributeName':'tag',"
              "'AttributeType':'S'},{'AttributeName':'path','AttributeType':'S'}],'GlobalSecondaryIndexes':["
              "{'IndexName':'revalidate','KeySchema':[{'AttributeName':'path','KeyType':'HASH'}]}]}}");
    CU_ASSERT_EQUAL(o.res.status, LARDER_INVALID);
    CU_ASSERT_PTR_NOT_NULL(strstr(o.detail, "no global secondary index named revalidate (path HASH, "
                                            "revalidatedAt RANGE)"));
    rig_end();
}

static void the_policy_covers_the_index_of_opennext(void) {
    begin("");
    o.op.key = ddb_bytes_of("iam");
    o.op.n_marks = 0;
    ddb_explain(&rig.d, &o.op);
    CU_ASSERT_EQUAL(o.res.status, LARDER_OK);
    rig_end();
}

UNIT_MAIN("dynamodb: original mode", UNIT(a_table_without_the_index_of_opennext_does_not_fit),
          UNIT(the_policy_covers_the_index_of_opennext), UNIT(a_tag_has_a_path_of_its_own),
          UNIT(an_entry_of_an_op_has_the_path_that_opennext_gives_it),
          UNIT(a_tag_that_is_known_is_one_request),
          UNIT(a_twin_is_made_before_the_items_of_its_tag_are_looked_at),
          UNIT(what_was_said_before_is_found_on_every_page_and_kept),
          UNIT(a_tag_is_looked_at_once_and_again_before_its_twin_may_be_deleted),
          UNIT(a_look_that_fails_fails_the_read), UNIT(a_revalidation_is_told_to_each_path_of_the_tag),
          UNIT(an_item_that_opennext_wrote_meanwhile_is_merged_once_more),
          UNIT(a_route_takes_the_other_tags_of_its_paths_with_it),
          UNIT(an_op_does_not_wait_for_all_that_is_told), UNIT(what_is_refused_in_passing_is_told_again),
          UNIT(what_cannot_be_told_while_the_op_waits_fails_it),
          UNIT(an_instance_that_is_closed_tells_nobody_any_more),
          UNIT(so_many_are_told_at_once_and_others_wait), UNIT(what_waits_to_be_told_is_bounded),
          UNIT(a_mark_that_is_to_be_absent_is_told_to_the_twin_alone),
          UNIT(what_is_linked_becomes_an_item_of_opennexts))
