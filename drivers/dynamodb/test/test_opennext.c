/* A table of OpenNext's: names and marks of its items, and what is asked of DynamoDB for both. */
#include <stdio.h>
#include <string.h>

#include "rig.h"

enum { T0 = 100000, T1 = 110000 }; /* an entry, and a revalidation 10 s later */

static const int64_t none = LARDER_UNSET;
static struct rig_op o;
static struct larder_mark marks[60];
static char tags[60][32];

static void begin(size_t n_marks) {
    rig_start();
    rig.d.names.pk = "tag";
    rig.d.names.sk = "path";
    rig.d.names.build_id = "b";
    rig.d.names.build_prefix = "b/_tag/";
    rig_op(&o, "");
    for (size_t i = 0; i < n_marks; i++) {
        snprintf(tags[i], sizeof(tags[i]), "ns/t%zu", i);
        marks[i] = rig_mark(tags[i], none, none, none);
    }
    o.op.marks = marks;
    o.op.n_marks = n_marks;
}

static bool mark_is(const struct larder_mark *mark, int64_t expired, int64_t stale, int64_t at_ms) {
    return mark->expired_epoch == expired && mark->stale_epoch == stale && mark->expire_at_ms == at_ms;
}

/* ---- names ----------------------------------------------------------------------------------------------- */

static bool key_is(const char *build_id, const char *tag, const char *expected) {
    char prefix[OPENNEXT_MAX_KEY];
    struct opennext_key key;
    opennext_prefix(build_id, false, prefix);
    const struct ddb_names names = {.build_id = build_id, .build_prefix = prefix};
    bool has = opennext_twin(&names, ddb_bytes_of(tag), &key);
    bool good = expected ? has && ddb_bytes_same(key.tag, ddb_bytes_of(expected)) &&
                               ddb_bytes_same(key.path, key.tag)
                         : !has;
    if (!good)
        printf("    %s, %s: %.*s\n", build_id, tag, has ? (int)key.tag.len : 4,
               has ? (const char *)key.tag.ptr : "none");
    return good;
}

/* Expected: what path.posix.join(build, "_tag", tag) of Node.js 20 answers. */
static void a_key_is_joined_as_node_joins_paths(void) {
    CU_ASSERT(key_is("b", "ns/posts", "b/_tag/posts"));
    CU_ASSERT(key_is("b", "ns/_N_T_/layout", "b/_tag/_N_T_/layout"));
    CU_ASSERT(key_is("b", "ns/_N_T_/", "b/_tag/_N_T_/"));
    CU_ASSERT(key_is("b", "ns/a//b", "b/_tag/a/b"));
    CU_ASSERT(key_is("b", "ns//a", "b/_tag/a"));
    CU_ASSERT(key_is("b", "ns/a/./b/", "b/_tag/a/b/"));
    CU_ASSERT(key_is("b", "ns/a/../c", "b/_tag/c"));
    CU_ASSERT(key_is("b", "ns/a/..", NULL));
    CU_ASSERT(key_is("b", "ns/a/../", "b/_tag/"));
    CU_ASSERT(key_is("b", "ns/...", "b/_tag/..."));
    CU_ASSERT(key_is("b", "ns/..a", "b/_tag/..a"));
    CU_ASSERT(key_is("b", "ns/\xc3\xa9 ?#%2F", "b/_tag/\xc3\xa9 ?#%2F"));
    CU_ASSERT(key_is("x/../y", "ns/t", "y/_tag/t"));
    CU_ASSERT(key_is("/x/", "ns/t", "/x/_tag/t"));
    CU_ASSERT(key_is("../x", "ns/t", "../x/_tag/t"));
    CU_ASSERT(key_is("b", "ns/../../../../b/_tag/t", NULL)); /* ../../b/_tag/t */
}

static void a_tag_that_leaves_its_build_or_is_none_has_no_key(void) {
    static char longest[DDB_MAX_NAME] = "ns/";
    CU_ASSERT(key_is("b", "ns/..", NULL));
    CU_ASSERT(key_is("b", "ns/../x", NULL));
    CU_ASSERT(key_is("b", "ns/../../other/_tag/t", NULL));
    CU_ASSERT(key_is("b", "ns/.", NULL));
    CU_ASSERT(key_is("b", "ns/", NULL));
    CU_ASSERT(key_is("b", "/t", NULL));
    CU_ASSERT(key_is("b", "t", NULL));
    CU_ASSERT(key_is("b", "", NULL));
    CU_ASSERT(key_is("b", "ns/~0123456789abcdef0123456789abcdef", NULL));
    CU_ASSERT(
        key_is("b", "ns/~0123456789abcdef0123456789abcdeF", "b/_tag/~0123456789abcdef0123456789abcdeF"));
    memset(longest + 3, 'x', OPENNEXT_MAX_KEY - 7);
    CU_ASSERT(!key_is("b", longest, NULL)); /* with b/_tag/ just as long as a key may be */
    CU_ASSERT(key_is("bb", longest, NULL)); /* OpenNext could not write it either */
}

/* ---- what items say --------------------------------------------------------------------------------------- */

enum verdict { FRESH, STALE, MISS };

static enum verdict verdict_of(const struct larder_mark *mark, int64_t epoch, int64_t now_ms) {
    bool due = mark->expire_at_ms != none && mark->expire_at_ms <= now_ms;
    if (epoch < mark->expired_epoch || (epoch < mark->stale_epoch && due))
        return MISS;
    return epoch < mark->stale_epoch ? STALE : FRESH;
}

/* As an OpenNext process writes them; the rows that its tag caches and Next.js are compared by.  In the last one
 * Next.js renders what was rendered after the revalidation once more; an entry that is not older stays. */
static void what_opennext_writes_is_judged_as_next_judges(void) {
    static const struct {
        const char *row;
        int64_t revalidated_at, stale, expire, entry, now;
        enum verdict verdict;
    } rows[] = {
        {"expired", T1, LARDER_UNSET, T1, T0, T1 + 1000, MISS},
        {"stale", T1, T1, T1 + 60000, T0, T1 + 1000, STALE},
        {"stale, written a moment later", T1 + 3, T1, T1 + 60000, T1 + 1, T1 + 1000, STALE},
        {"stale, and due", T1, T1, T1 + 60000, T0, T1 + 61000, MISS},
        {"stale for ever", T1, T1, LARDER_UNSET, T0, T1 + 1000, STALE},
        {"expire: 0", T1, T1, T1, T0, T1, MISS},
        {"a plain tag", T1, LARDER_UNSET, LARDER_UNSET, T0, T1 + 1000, MISS},
        {"rendered since", T1, T1, T1 + 60000, T1 + 5000, T1 + 6000, FRESH},
        {"rendered at the same time", T1, LARDER_UNSET, T1, T1, T1 + 1000, FRESH},
        {"membership alone", 1, LARDER_UNSET, LARDER_UNSET, T0, T1, FRESH},
        {"rendered since, and due", T1, T1, T1 + 60000, T1 + 5000, T1 + 61000, FRESH},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct ddb_twin item = DDB_NO_TWIN;
        struct larder_mark mark;
        item.revalidated_at = rows[i].revalidated_at;
        item.stale = rows[i].stale;
        item.expire = rows[i].expire;
        CU_ASSERT_EQUAL(opennext_mark(&item, ddb_bytes_of("ns/t"), rows[i].now, &mark),
                        rows[i].revalidated_at > OPENNEXT_MEMBER);
        enum verdict verdict = verdict_of(&mark, rows[i].entry, rows[i].now);
        if (verdict != rows[i].verdict)
            printf("    %s: %d\n", rows[i].row, (int)verdict);
        CU_ASSERT_EQUAL(verdict, rows[i].verdict);
    }
}

/* As OpenNext's readers judge: dynamodb-nextMode, and those that keep to Next.js. */
static enum verdict next_mode_reads(const struct ddb_twin *item, int64_t modified_ms, int64_t now_ms) {
    if (item->expire != none && item->expire <= now_ms && item->expire > modified_ms)
        return MISS;
    return item->revalidated_at > modified_ms ? MISS : FRESH;
}

static enum verdict next_reads(const struct ddb_twin *item, int64_t modified_ms, int64_t now_ms) {
    if (item->expire == none && item->stale == none)
        return item->revalidated_at > modified_ms ? MISS : FRESH;
    if (item->expire != none && item->expire <= now_ms && item->expire > modified_ms)
        return MISS;
    return item->stale != none && item->stale > modified_ms ? STALE : FRESH;
}

/* All marks over a small domain, in two steps. */
static void no_reader_of_opennexts_finds_an_entry_better_off_than_a_mark_says(void) {
    static const int64_t epochs[] = {LARDER_UNSET, 3, 5, 7}, times[] = {LARDER_UNSET, 20, 30};
    enum { E = 4, T = 3, N = E * E * T };
    for (size_t pair = 0; pair < (size_t)N * N; pair++) {
        struct ddb_twin item = DDB_NO_TWIN;
        struct larder_mark written[2];
        for (size_t step = 0; step < 2; step++) {
            size_t code = step == 0 ? pair % N : pair / N;
            written[step] = rig_mark("ns/t", epochs[code % E], epochs[code / E % E], times[code / E / E]);
            struct ddb_twin next;
            if (opennext_merge(&item, &written[step], 10, &next))
                item = next;
        }
        for (int64_t now = 10; now <= 30; now += 10) {
            for (int64_t entry = 2; entry <= 8; entry++) {
                enum verdict first = verdict_of(&written[0], entry, now);
                enum verdict second = verdict_of(&written[1], entry, now);
                enum verdict worst = first > second ? first : second;
                if (item.revalidated_at == none) {
                    CU_ASSERT_EQUAL(worst, FRESH);
                } else {
                    CU_ASSERT(next_mode_reads(&item, entry, now) >= worst);
                    CU_ASSERT(next_reads(&item, entry, now) >= worst);
                }
            }
        }
    }
}

static void what_opennext_said_survives_what_larder_writes_over_it(void) {
    struct ddb_twin item = DDB_NO_TWIN, next;
    struct larder_mark mark = rig_mark("ns/t", none, 9000, 50000), read;
    item.revalidated_at = T1;
    CU_ASSERT(opennext_wrote_last(&item));
    CU_ASSERT(!opennext_merge(&item, &mark, 1000, &next)); /* it says more already */
    mark.stale_epoch = T1 + 5;
    mark.expire_at_ms = T1 + 9000;
    CU_ASSERT(opennext_merge(&item, &mark, 1000, &next));
    CU_ASSERT(!opennext_wrote_last(&next));
    CU_ASSERT_EQUAL(next.revalidated_at, T1 + 5);
    CU_ASSERT_EQUAL(next.stale, none); /* there is room for one revalidation: the harder kind */
    CU_ASSERT(opennext_mark(&next, mark.tag, 1000, &read));
    CU_ASSERT(mark_is(&read, T1, none, none));
    next.revalidated_at = T1 + 7; /* by a writer that keeps attributes it does not know */
    CU_ASSERT(opennext_wrote_last(&next));
    CU_ASSERT(opennext_mark(&next, mark.tag, 1000, &read));
    CU_ASSERT(mark_is(&read, T1 + 7, none, none));
}

/* ---- reading ----------------------------------------------------------------------------------------------- */

#define OWN(tag) "{'tag':{'S':'p#m#" tag "'},'path':{'S':'#'}}"
#define TWIN(key) "{'tag':{'S':'" key "'},'path':{'S':'" key "'}}"

static void a_mark_is_read_with_its_twin(void) {
    begin(2);
    ddb_read(&rig.d, &o.op);
    CU_ASSERT_STRING_EQUAL(rig_operation(), "BatchGetItem");
    CU_ASSERT(rig_asks("{'RequestItems':{'t':{'ConsistentRead':true,'Keys':[" OWN("ns/t0") "," TWIN(
        "b/_tag/t0") "," OWN("ns/t1") "," TWIN("b/_tag/t1") "]}}}"));
    rig_reply(
        "{'Responses':{'t':[{'gs':{'S':'#ns/t0'},'path':{'S':'#'},'se':{'N':'6'},'xa':{'N':'9'}},"
        "{'tag':{'S':'b/_tag/t0'},'path':{'S':'b/_tag/t0'},'revalidatedAt':{'N':'8'},'lw':{'N':'8'}}]}}");
    CU_ASSERT_EQUAL(o.res.status, LARDER_OK);
    CU_ASSERT_EQUAL_FATAL(o.n_records, 1);
    CU_ASSERT_STRING_EQUAL(o.records[0], "ns/t0");
    CU_ASSERT(mark_is(&o.marks[0], none, 6, 9)); /* as it was written: the twin has no news */
    rig_end();
}

static void fifty_tags_are_read_at_once_for_each_is_two_items(void) {
    begin(51);
    ddb_read(&rig.d, &o.op);
    CU_ASSERT_EQUAL(rig_n_requests(), 2);
    rig_reply("{}");
    CU_ASSERT(rig_asks("'Keys':[" OWN("ns/t50") "," TWIN("b/_tag/t50") "]"));
    rig_reply("{}");
    CU_ASSERT_EQUAL(o.res.status, LARDER_OK);
    CU_ASSERT_EQUAL(o.n_records, 0);
    rig_end();
}

static void tags_with_one_twin_ask_for_it_once_and_both_hear_of_it(void) {
    begin(2);
    marks[0].tag = ddb_bytes_of("ns/a//b");
    marks[1].tag = ddb_bytes_of("ns/a/b");
    ddb_read(&rig.d, &o.op);
    CU_ASSERT(rig_asks("[" OWN("ns/a//b") "," TWIN("b/_tag/a/b") "," OWN("ns/a/b") "]"));
    rig_reply("{'Responses':{'t':[{'path':{'S':'b/_tag/a/b'},'revalidatedAt':{'N':'8'}}]}}");
    rig_reply("{}"); /* the counter */
    CU_ASSERT_EQUAL_FATAL(o.n_records, 2);
    CU_ASSERT(mark_is(&o.marks[0], 8, none, none));
    CU_ASSERT(mark_is(&o.marks[1], 8, none, none));
    rig_end();
}

static void the_worse_of_both_counts(void) {
    begin(1);
    ddb_read(&rig.d, &o.op);
    rig_reply("{'Responses':{'t':[{'path':{'S':'b/_tag/t0'},'revalidatedAt':{'N':'8'},'stale':{'N':'7'},"
              "'expire':{'N':'2000000'}},{'gs':{'S':'#ns/t0'},'xe':{'N':'5'}}]}}");
    rig_reply("{}");
    CU_ASSERT_EQUAL_FATAL(o.n_records, 1);
    CU_ASSERT(mark_is(&o.marks[0], 5, 8, 2000000));
    rig_end();
}

/* Else an entry rendered with that time as its epoch would be newer than revalidations that come after. */
static void the_counter_is_raised_to_what_opennext_wrote_before_anybody_hears_of_it(void) {
    static const char *const news =
        "{'Responses':{'t':[{'path':{'S':'b/_tag/t0'},'revalidatedAt':{'N':'1000500'}}]}}";
    begin(1);
    ddb_read(&rig.d, &o.op);
    rig_reply(news);
    CU_ASSERT_EQUAL(o.completed, 0);
    CU_ASSERT_STRING_EQUAL(rig_operation(), "UpdateItem");
    CU_ASSERT(
        rig_asks("'Key':{'tag':{'S':'p#n#ns/epoch'},'path':{'S':'#'}},'UpdateExpression':'SET c = :new',"
                 "'ConditionExpression':'attribute_not_exists(c) OR c < :floor',"
                 "'ExpressionAttributeValues':{':new':{'N':'1000500'},':floor':{'N':'1000500'}}"));
    rig_refuse(DDB_CONDITION); /* it is as far */
    CU_ASSERT_EQUAL(o.res.status, LARDER_OK);
    CU_ASSERT(mark_is(&o.marks[0], 1000500, none, none));
    rig_op(&o, ""); /* and is known to be */
    o.op.marks = marks;
    o.op.n_marks = 1;
    ddb_read(&rig.d, &o.op);
    rig_reply(news);
    CU_ASSERT_EQUAL(o.res.status, LARDER_OK);
    CU_ASSERT_EQUAL(o.n_records, 1);
    rig_end();
}

static void a_counter_that_cannot_be_raised_fails_the_read(void) {
    begin(1);
    ddb_read(&rig.d, &o.op);
    rig_reply("{'Responses':{'t':[{'path':{'S':'b/_tag/t0'},'revalidatedAt':{'N':'8'}}]}}");
    CU_ASSERT(
        rig_asks("':new':{'N':'1000000'},':floor':{'N':'8'}")); /* one that is lost begins with the time */
    rig_refuse(LARDER_RETRY);
    CU_ASSERT_EQUAL(o.res.status, LARDER_RETRY);
    CU_ASSERT_EQUAL(o.n_records, 0);
    rig_end();
}

static void each_namespace_has_its_counter(void) {
    begin(3);
    marks[1].tag = ddb_bytes_of("other/t1");
    ddb_read(&rig.d, &o.op);
    rig_reply("{'Responses':{'t':[{'path':{'S':'b/_tag/t0'},'revalidatedAt':{'N':'5'}},"
              "{'path':{'S':'b/_tag/t1'},'revalidatedAt':{'N':'9'}},"
              "{'path':{'S':'b/_tag/t2'},'revalidatedAt':{'N':'7'}}]}}");
    CU_ASSERT(rig_asks("p#n#ns/epoch"));
    CU_ASSERT(rig_asks("':floor':{'N':'7'}"));
    rig_reply("{}");
    CU_ASSERT(rig_asks("p#n#other/epoch"));
    CU_ASSERT(rig_asks("':floor':{'N':'9'}"));
    rig_reply("{}");
    CU_ASSERT(rig_asks("p#n#ns/epoch")); /* one is remembered: the last */
    rig_reply("{}");
    CU_ASSERT_EQUAL(o.n_records, 3);
    rig_end();
}

static void a_namespace_too_long_to_remember_is_raised_each_time(void) {
    static char longest[310];
    begin(1);
    memset(longest, 'n', 300);
    memcpy(longest + 300, "/t0", 4);
    marks[0].tag = ddb_bytes_of(longest);
    for (int i = 0; i < 2; i++) {
        rig_op(&o, "");
        o.op.marks = marks;
        o.op.n_marks = 1;
        ddb_read(&rig.d, &o.op);
        rig_reply("{'Responses':{'t':[{'path':{'S':'b/_tag/t0'},'revalidatedAt':{'N':'5'}}]}}");
        rig_reply("{}");
        CU_ASSERT_EQUAL(o.completed, 1);
        CU_ASSERT_EQUAL(o.res.status, LARDER_OK);
    }
    rig_end();
}

static void a_revalidation_of_the_day_after_tomorrow_is_not_believed(void) {
    begin(1);
    ddb_read(&rig.d, &o.op);
    rig_reply("{'Responses':{'t':[{'path':{'S':'b/_tag/t0'},'revalidatedAt':{'N':'87400001'}}]}}");
    CU_ASSERT_EQUAL(o.res.status, LARDER_CORRUPT);
    CU_ASSERT_EQUAL(o.n_records, 0);
    begin(1);
    ddb_read(&rig.d, &o.op);
    rig_reply("{'Responses':{'t':[{'path':{'S':'b/_tag/t0'},'revalidatedAt':{'N':'87400000'}}]}}");
    rig_reply("{}");
    CU_ASSERT_EQUAL(o.res.status, LARDER_OK);
    rig_end();
}

static void an_item_that_nobody_asked_for_is_no_answer(void) {
    static const char *const replies[] = {
        "{'Responses':{'t':[{'path':{'S':'b/_tag/other'},'revalidatedAt':{'N':'5'}}]}}",
        "{'Responses':{'t':[{'gs':{'S':'#ns/other'},'xe':{'N':'5'}}]}}",
        "{'Responses':{'t':[{'revalidatedAt':{'N':'5'}}]}}",
        "{'Responses':{'t':[{'path':{'S':'b/_tag/t0'},'revalidatedAt':{'S':'5'}}]}}",
        "{'Responses':{'t':[{'path':{'S':'b/_tag/t0'},'revalidatedAt':{'N':'5.5'}}]}}",
    };
    for (size_t i = 0; i < sizeof(replies) / sizeof(replies[0]); i++) {
        begin(1);
        ddb_read(&rig.d, &o.op);
        rig_reply(replies[i]);
        CU_ASSERT_EQUAL(o.res.status, LARDER_CORRUPT);
        rig_end();
    }
}

/* ---- writing ------------------------------------------------------------------------------------------------ */

static void begin_write(struct larder_mark mark, uint32_t flags) {
    begin(1);
    marks[0] = mark;
    o.op.flags = flags;
    ddb_write(&rig.d, &o.op);
}

static void a_mark_and_its_twin_are_written_side_by_side(void) {
    begin_write(rig_mark("ns/t0", 7, none, none), 0);
    CU_ASSERT_EQUAL(rig_n_requests(), 2);
    CU_ASSERT(rig_asks("'Key':{'tag':{'S':'p#m#ns/t0'},'path':{'S':'#'}}"));
    rig_reply("{}");
    CU_ASSERT(rig_asks("'Key':{'tag':{'S':'b/_tag/t0'},'path':{'S':'b/_tag/t0'}},"
                       "'UpdateExpression':'SET revalidatedAt = :revalidatedAt, lw = :lw',"
                       "'ConditionExpression':'attribute_not_exists(revalidatedAt) OR "
                       "(lw = revalidatedAt AND revalidatedAt <= :revalidatedAt AND "
                       "attribute_not_exists(stale) AND attribute_not_exists(expire))',"
                       "'ExpressionAttributeValues':{':revalidatedAt':{'N':'7'},':lw':{'N':'7'}}}"));
    rig_reply("{}");
    CU_ASSERT_EQUAL(o.res.status, LARDER_OK);
    rig_end();
}

static void a_stale_mark_is_shown_as_opennext_shows_one(void) {
    begin_write(rig_mark("ns/t0", none, 9, 2000000), 0);
    rig_reply("{}");
    CU_ASSERT(rig_asks("'SET revalidatedAt = :revalidatedAt, lw = :lw, stale = :stale, expire = :expire'"));
    CU_ASSERT(rig_asks("stale <= :stale AND expire >= :expire)"));
    CU_ASSERT(rig_asks(
        "{':revalidatedAt':{'N':'9'},':stale':{'N':'9'},':expire':{'N':'2000000'},':lw':{'N':'9'}}"));
    rig_reply("{}");
    CU_ASSERT_EQUAL(o.res.status, LARDER_OK);
    rig_end();
}

static void the_marks_of_namespaces_have_no_twin(void) {
    begin_write(rig_mark("ns/", 7, none, none), 0);
    CU_ASSERT_EQUAL(rig_n_requests(), 1);
    rig_reply("{}");
    CU_ASSERT_EQUAL(o.res.status, LARDER_OK);
    rig_end();
}

static void what_opennext_wrote_is_read_and_kept(void) {
    begin_write(rig_mark("ns/t0", 900, none, none), 0);
    rig_reply("{}");
    rig_refuse(DDB_CONDITION);
    CU_ASSERT_STRING_EQUAL(rig_operation(), "GetItem");
    CU_ASSERT(rig_asks("'Key':" TWIN("b/_tag/t0") ",'ConsistentRead':true"));
    rig_reply("{'Item':{'path':{'S':'b/_tag/t0'},'revalidatedAt':{'N':'500'},'stale':{'N':'500'},"
              "'expire':{'N':'2000000'}}}");
    CU_ASSERT(rig_asks("'UpdateExpression':'SET revalidatedAt = :revalidatedAt, lw = :lw, fs = :fs, fa = :fa "
                       "REMOVE stale, expire, fx'"));
    CU_ASSERT(rig_asks("'ConditionExpression':'revalidatedAt = :oldrevalidatedAt AND stale = :oldstale AND "
                       "expire = :oldexpire AND attribute_not_exists(lw)'"));
    CU_ASSERT(
        rig_asks("{':revalidatedAt':{'N':'900'},':lw':{'N':'900'},':fs':{'N':'500'},':fa':{'N':'2000000'},"
                 "':oldrevalidatedAt':{'N':'500'},':oldstale':{'N':'500'},':oldexpire':{'N':'2000000'}}"));
    rig_refuse(DDB_CONDITION); /* OpenNext again */
    CU_ASSERT(rig_pass_time());
    rig_reply("{'Item':{'path':{'S':'b/_tag/t0'},'revalidatedAt':{'N':'901'}}}");
    CU_ASSERT_EQUAL(o.res.status, LARDER_OK); /* and has said it all */
    rig_end();
}

static void an_item_that_is_always_overtaken_is_given_up(void) {
    begin_write(rig_mark("ns/t0", 900, none, none), 0);
    rig_reply("{}"); /* the mark */
    rig_overtake(&o);
    CU_ASSERT_EQUAL(o.completed, 1);
    CU_ASSERT_EQUAL(o.res.status, LARDER_RETRY);
    rig_end();
}

static void with_if_absent_the_twin_is_written_only_where_the_mark_was(void) {
    begin_write(rig_mark("ns/t0", 7, none, none), LARDER_IF_ABSENT);
    CU_ASSERT_EQUAL(rig_n_requests(), 1);
    rig_refuse(DDB_CONDITION);
    CU_ASSERT_EQUAL(o.res.status, LARDER_MISS);
    begin_write(rig_mark("ns/t0", 7, none, none), LARDER_IF_ABSENT);
    rig_reply("{}");
    CU_ASSERT(rig_asks(TWIN("b/_tag/t0")));
    rig_reply("{}");
    CU_ASSERT_EQUAL(o.res.status, LARDER_OK);
    rig_end();
}

static void a_twin_that_fails_fails_the_write(void) {
    begin_write(rig_mark("ns/t0", 7, none, none), 0);
    rig_reply("{}");
    rig_refuse(LARDER_DENIED);
    CU_ASSERT_EQUAL(o.res.status, LARDER_DENIED);
    rig_end();
}

/* ---- the table ---------------------------------------------------------------------------------------------- */

#define KEYS \
    "'KeySchema':[{'AttributeName':'tag','KeyType':'HASH'},{'AttributeName':'path','KeyType':'RANGE'}]"
#define TYPES(more)                                                                                \
    "'AttributeDefinitions':[{'AttributeName':'tag','AttributeType':'S'},{'AttributeName':'path'," \
    "'AttributeType':'S'},{'AttributeName':'revalidatedAt','AttributeType':'N'}" more "]"
#define OURS                                                                                             \
    "{'IndexName':'larder','IndexStatus':'ACTIVE','KeySchema':[{'AttributeName':'gk','KeyType':'HASH'}," \
    "{'AttributeName':'gs','KeyType':'RANGE'}],'Projection':{'ProjectionType':'ALL'}}"
#define TABLE(types, indexes)                          \
    "{'Table':{'TableStatus':'ACTIVE'," KEYS "," types \
    ",'GlobalSecondaryIndexes':[{'IndexName':'revalidate'}" indexes "]}}"

static void a_table_of_opennexts_is_given_the_index(void) {
    begin(0);
    ddb_provision(&rig.d, &o.op);
    rig_reply(TABLE(TYPES(""), ""));
    CU_ASSERT_STRING_EQUAL(rig_operation(), "UpdateTable");
    CU_ASSERT(rig_asks("'GlobalSecondaryIndexUpdates':[{'Create':{'IndexName':'larder'"));
    rig_reply("{}");
    CU_ASSERT(rig_pass_time());
    rig_reply(
        TABLE(TYPES(",{'AttributeName':'gk','AttributeType':'S'},{'AttributeName':'gs','AttributeType':'S'}"),
              "," OURS));
    rig_reply("{'TimeToLiveDescription':{'AttributeName':'expiresAt','TimeToLiveStatus':'ENABLED'}}");
    CU_ASSERT_EQUAL(o.res.status, LARDER_OK);
    CU_ASSERT_PTR_NOT_NULL(strstr(o.records[0], "was given the index larder"));
    rig_end();
}

static void an_index_that_does_not_come_is_asked_for_once(void) {
    begin(0);
    ddb_provision(&rig.d, &o.op);
    rig_reply(TABLE(TYPES(""), ""));
    rig_reply("{}");
    CU_ASSERT(rig_pass_time());
    rig_reply(TABLE(TYPES(""), ""));
    CU_ASSERT_EQUAL(o.res.status, LARDER_INVALID);
    CU_ASSERT_PTR_NOT_NULL(strstr(o.detail, "no global secondary index named larder"));
    rig_end();
}

static void a_table_that_is_not_there_is_made_for_both(void) {
    begin(0);
    ddb_provision(&rig.d, &o.op);
    rig_refuse(DDB_NO_TABLE);
    CU_ASSERT(rig_asks(KEYS));
    CU_ASSERT(rig_asks(
        "{'IndexName':'revalidate','KeySchema':[{'AttributeName':'path','KeyType':'HASH'},"
        "{'AttributeName':'revalidatedAt','KeyType':'RANGE'}],'Projection':{'ProjectionType':'ALL'}}"));
    CU_ASSERT(rig_asks("{'AttributeName':'revalidatedAt','AttributeType':'N'}"));
    CU_ASSERT(rig_asks("'IndexName':'larder'"));
    rig_refuse(LARDER_DENIED);
    CU_ASSERT_EQUAL(o.res.status, LARDER_DENIED);
    rig_end();
}

UNIT_MAIN("dynamodb: opennext", UNIT(a_key_is_joined_as_node_joins_paths),
          UNIT(a_tag_that_leaves_its_build_or_is_none_has_no_key),
          UNIT(what_opennext_writes_is_judged_as_next_judges),
          UNIT(no_reader_of_opennexts_finds_an_entry_better_off_than_a_mark_says),
          UNIT(what_opennext_said_survives_what_larder_writes_over_it), UNIT(a_mark_is_read_with_its_twin),
          UNIT(fifty_tags_are_read_at_once_for_each_is_two_items),
          UNIT(tags_with_one_twin_ask_for_it_once_and_both_hear_of_it), UNIT(the_worse_of_both_counts),
          UNIT(the_counter_is_raised_to_what_opennext_wrote_before_anybody_hears_of_it),
          UNIT(a_counter_that_cannot_be_raised_fails_the_read), UNIT(each_namespace_has_its_counter),
          UNIT(a_namespace_too_long_to_remember_is_raised_each_time),
          UNIT(a_revalidation_of_the_day_after_tomorrow_is_not_believed),
          UNIT(an_item_that_nobody_asked_for_is_no_answer),
          UNIT(a_mark_and_its_twin_are_written_side_by_side),
          UNIT(a_stale_mark_is_shown_as_opennext_shows_one), UNIT(the_marks_of_namespaces_have_no_twin),
          UNIT(what_opennext_wrote_is_read_and_kept), UNIT(an_item_that_is_always_overtaken_is_given_up),
          UNIT(with_if_absent_the_twin_is_written_only_where_the_mark_was),
          UNIT(a_twin_that_fails_fails_the_write), UNIT(a_table_of_opennexts_is_given_the_index),
          UNIT(an_index_that_does_not_come_is_asked_for_once),
          UNIT(a_table_that_is_not_there_is_made_for_both))
