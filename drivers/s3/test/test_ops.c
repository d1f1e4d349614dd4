/* Every answer of a server, right and wrong, and what the op makes of it. */
#include "rig.h"

#define ENTRY "etag: \"one\"\nx-amz-meta-modified: 7\nx-amz-meta-epoch: 5\n"

static struct rig_op o;

static void get(const char *key) {
    rig_op(&o, LARDER_OP_GET, key);
    s3_get(&rig.s, &o.op);
}

static void put(const char *key, uint32_t flags) {
    rig_op(&o, LARDER_OP_PUT, key);
    rig_value(&o, "value");
    o.op.flags = flags;
    s3_put(&rig.s, &o.op);
}

static void expect(int32_t status) {
    CU_ASSERT_EQUAL(o.completed, 1);
    CU_ASSERT_EQUAL(o.res.status, status);
}

/* ---- get ----------------------------------------------------------------------------------------------------- */

static void a_get_is_one_request(void) {
    rig_start();
    get("ns/b k");
    CU_ASSERT_STRING_EQUAL(rig_asked(), "GET /p/e/ns/b%3D20k~");
    rig_reply(200, ENTRY, "body");
    expect(LARDER_OK);
    CU_ASSERT_STRING_EQUAL(o.value, "body");
    CU_ASSERT(o.res.modified_ms == 7 && o.res.epoch == 5);
    get("k");
    rig_refuse(404, LARDER_INVALID, "NoSuchKey");
    expect(LARDER_MISS);
    rig_end();
}

static void what_is_over_is_a_miss(void) {
    rig_start();
    get("k");
    rig_reply(200, ENTRY "x-amz-meta-expires: 1000001\n", "");
    expect(LARDER_OK);
    get("k");
    rig_reply(200, ENTRY "x-amz-meta-expires: 1000000\n", "body");
    expect(LARDER_MISS);
    rig_end();
}

/* An outage must not look like an empty store. */
static void nothing_but_a_missing_key_is_a_miss(void) {
    static const struct {
        int http;
        int32_t from;
        const char *code;
        int32_t to;
    } cases[] = {{404, LARDER_INVALID, "NoSuchBucket", LARDER_INVALID},
                 {503, LARDER_THROTTLED, "SlowDown", LARDER_THROTTLED},
                 {403, LARDER_DENIED, "AccessDenied", LARDER_DENIED},
                 {501, LARDER_UNSUPPORTED, "NotImplemented", LARDER_UNSUPPORTED},
                 {500, LARDER_RETRY, "UnknownError", LARDER_RETRY},
                 {307, LARDER_INVALID, "", LARDER_RETRY},
                 {0, LARDER_DEADLINE, "", LARDER_DEADLINE}};
    rig_start();
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        get("k");
        rig_refuse(cases[i].http, cases[i].from, cases[i].code);
        expect(cases[i].to);
    }
    get("k");
    rig_refuse(404, LARDER_INVALID, "NoSuchBucket");
    CU_ASSERT_PTR_NOT_NULL(strstr(o.detail, "larder provision"));
    get("k");
    rig_reply(200, "content-type: text/html\n", "<html>log in</html>");
    expect(LARDER_RETRY);
    get("k");
    rig_reply(200, "etag: \"x\"\n", "somebody else's");
    expect(LARDER_CORRUPT);
    get("k");
    rig_reply(200, "etag: \"x\"\nx-amz-meta-modified: 1\nx-amz-meta-epoch: 1x\n", "");
    expect(LARDER_CORRUPT);
    rig_end();
}

static void a_value_with_another_checksum_is_corrupt(void) {
    struct s3_crc crc;
    rig_start();
    s3_crc_init(&crc);
    rig.s.crc = &crc;
    get("k");
    rig_reply(200, ENTRY "x-amz-meta-crc32: y/Q5Jg==\n", "123456789");
    expect(LARDER_OK);
    get("k");
    rig_reply(200, ENTRY "x-amz-meta-crc32: y/Q5Jg==\n", "123456780");
    expect(LARDER_CORRUPT);
    get("k");
    rig_reply(200, ENTRY, "written without one");
    expect(LARDER_OK);
    put("k", LARDER_IF_ABSENT);
    CU_ASSERT_STRING_EQUAL(rig_header("x-amz-checksum-crc32"), rig_header("x-amz-meta-crc32"));
    rig_reply(200, "etag: \"x\"\n", "");
    rig_end();
}

static void a_get_that_is_given_up_ends_at_once(void) {
    rig_start();
    get("k");
    s3_cancel(&rig.s, &o.op);
    expect(LARDER_CANCELLED);
    rig_end();
}

/* ---- what is under way ------------------------------------------------------------------------------------------ */

static void values_beyond_the_room_wait_for_it(void) {
    static struct rig_op ops[12];
    rig_start();
    for (size_t i = 0; i < 12; i++) {
        rig_op(&ops[i], LARDER_OP_GET, "k");
        s3_get(&rig.s, &ops[i].op);
    }
    CU_ASSERT_EQUAL(rig_n_requests(), 10); /* of 100 bytes, as the last ones were; 1000 may be */
    rig_refuse(404, LARDER_INVALID, "NoSuchKey");
    CU_ASSERT_EQUAL(rig_n_requests(), 10);
    s3_cancel(&rig.s, &ops[11].op); /* it has no request yet, and stays */
    while (rig_n_requests() > 0)
        rig_refuse(404, LARDER_INVALID, "NoSuchKey");
    for (size_t i = 0; i < 12; i++)
        CU_ASSERT_EQUAL(ops[i].res.status, LARDER_MISS);
    rig.config.bytes_under_way = 1; /* what is larger than all the room goes alone */
    put("k", LARDER_IF_ABSENT);
    CU_ASSERT_EQUAL(rig_n_requests(), 1);
    rig_reply(200, "etag: \"x\"\n", "");
    expect(LARDER_OK);
    rig_end();
}

static void what_cannot_be_sent_gives_its_room_back(void) {
    rig_start();
    rig.next_status = LARDER_NOMEM;
    get("k");
    expect(LARDER_NOMEM);
    rig_end();
}

/* ---- put ------------------------------------------------------------------------------------------------------- */

static void a_put_looks_and_writes_on_the_condition_of_what_it_saw(void) {
    rig_start();
    put("k", 0);
    CU_ASSERT_STRING_EQUAL(rig_asked(), "HEAD /p/e/k~");
    rig_refuse(404, LARDER_INVALID, "");
    CU_ASSERT_STRING_EQUAL(rig_asked(), "PUT /p/e/k~");
    CU_ASSERT_STRING_EQUAL(rig_header("if-none-match"), "*");
    CU_ASSERT_STRING_EQUAL(rig_header("x-amz-meta-epoch"), "5");
    CU_ASSERT_STRING_EQUAL(rig_header("x-amz-meta-modified"), "7");
    CU_ASSERT_PTR_NULL(rig_header("x-amz-meta-expires"));
    CU_ASSERT_STRING_EQUAL(rig_body(), "value");
    rig_refuse(412, LARDER_INVALID, "PreconditionFailed"); /* somebody was faster */
    CU_ASSERT_STRING_EQUAL(rig_asked(), "HEAD /p/e/k~");
    rig_reply(200, ENTRY, "");
    CU_ASSERT_STRING_EQUAL(rig_header("if-match"), "\"one\"");
    rig_refuse(404, LARDER_INVALID, "NoSuchKey"); /* and removed it */
    rig_refuse(404, LARDER_INVALID, "");
    rig_refuse(404, LARDER_INVALID, "NoSuchKey"); /* Ceph: it is being removed */
    rig_refuse(404, LARDER_INVALID, "");
    rig_reply(200, "etag: \"x\"\n", "");
    expect(LARDER_OK);
    rig_end();
}

static void an_entry_of_a_greater_epoch_stays(void) {
    rig_start();
    put("k", 0);
    rig_reply(200, "etag: \"x\"\nx-amz-meta-modified: 7\nx-amz-meta-epoch: 6\n", "");
    expect(LARDER_OK);
    put("k", 0); /* unless it is over */
    rig_reply(200, "etag: \"x\"\nx-amz-meta-modified: 7\nx-amz-meta-epoch: 6\nx-amz-meta-expires: 1\n", "");
    CU_ASSERT_STRING_EQUAL(rig_header("if-match"), "\"x\"");
    rig_reply(200, "etag: \"y\"\n", "");
    expect(LARDER_OK);
    put("k", 0); /* or nobody's */
    rig_reply(200, "etag: \"x\"\n", "");
    rig_reply(200, "etag: \"y\"\n", "");
    expect(LARDER_OK);
    rig_end();
}

static void if_absent_is_one_request_unless_something_is_there(void) {
    rig_start();
    put("k", LARDER_IF_ABSENT);
    CU_ASSERT_STRING_EQUAL(rig_header("if-none-match"), "*");
    rig_reply(200, "etag: \"y\"\n", "");
    expect(LARDER_OK);
    put("k", LARDER_IF_ABSENT);
    rig_refuse(412, LARDER_INVALID, "PreconditionFailed");
    rig_reply(200, ENTRY, "");
    expect(LARDER_MISS);
    put("k", LARDER_IF_ABSENT);
    rig_refuse(412, LARDER_INVALID, "PreconditionFailed");
    rig_reply(200, ENTRY "x-amz-meta-expires: 5\n", "");
    CU_ASSERT_STRING_EQUAL(rig_header("if-match"), "\"one\"");
    rig_reply(200, "etag: \"y\"\n", "");
    expect(LARDER_OK);
    rig_end();
}

/* Ceph holds If-Match by the ETag without its quotes alone. */
static void the_form_of_an_etag_is_learned_from_a_refusal_without_reason(void) {
    static struct rig_op ops[2];
    rig_start();
    for (size_t i = 0; i < 2; i++) {
        rig_op(&ops[i], LARDER_OP_PUT, "k");
        s3_put(&rig.s, &ops[i].op);
    }
    for (size_t i = 0; i < 2; i++)
        rig_reply(200, ENTRY, "");
    for (size_t i = 0; i < 2; i++) { /* two at once do not undo each other's lesson */
        CU_ASSERT_STRING_EQUAL(rig_header("if-match"), "\"one\"");
        rig_refuse(412, LARDER_INVALID, "PreconditionFailed");
    }
    for (size_t i = 0; i < 2; i++)
        rig_reply(200, ENTRY, "");
    CU_ASSERT_STRING_EQUAL(rig_header("if-match"), "one");
    rig_reply(200, "etag: \"y\"\n", "");
    CU_ASSERT_EQUAL(ops[0].res.status, LARDER_OK);
    rig_refuse(412, LARDER_INVALID, "PreconditionFailed"); /* now it has a reason */
    rig_reply(200, ENTRY, "");                             /* though by the same bytes */
    CU_ASSERT_STRING_EQUAL(rig_header("if-match"), "one");
    rig_reply(200, "etag: \"y\"\n", "");
    CU_ASSERT_EQUAL(ops[1].res.status, LARDER_OK);
    rig_end();
}

static void a_server_without_conditions_is_asked_without_from_then_on(void) {
    rig_start();
    put("k", LARDER_IF_ABSENT);
    rig_refuse(501, LARDER_UNSUPPORTED, "NotImplemented");
    CU_ASSERT_EQUAL(rig.warnings, 1);
    rig_refuse(404, LARDER_INVALID, "");
    CU_ASSERT_PTR_NULL(rig_header("if-none-match"));
    rig_reply(200, "etag: \"y\"\n", "");
    expect(LARDER_OK);
    put("k", 0);
    rig_reply(200, ENTRY, "");
    CU_ASSERT_PTR_NULL(rig_header("if-match"));
    rig_refuse(501, LARDER_UNSUPPORTED, "NotImplemented"); /* of something else */
    expect(LARDER_UNSUPPORTED);
    rig_op(&o, LARDER_OP_CLAIM, "k");
    s3_claim(&rig.s, &o.op);
    expect(LARDER_UNSUPPORTED);
    CU_ASSERT_EQUAL(rig.warnings, 1);
    rig_end();
}

static void without_conditions_by_setting_a_put_is_one_request(void) {
    rig_start();
    rig.config.conditional = "off";
    rig.s.conditional = false;
    put("k", 0);
    CU_ASSERT_STRING_EQUAL(rig_asked(), "PUT /p/e/k~");
    CU_ASSERT_PTR_NULL(rig_header("if-none-match"));
    rig_reply(200, "etag: \"y\"\n", "");
    expect(LARDER_OK);
    rig_end();
}

static void a_put_that_others_always_overtake_ends(void) {
    rig_start();
    put("k", 0);
    for (unsigned i = 0; o.completed == 0 && i < 1000; i++) {
        if (strncmp(rig_asked(), "HEAD", 4) == 0)
            rig_refuse(404, LARDER_INVALID, "");
        else
            rig_refuse(i % 3 ? 500 : 412, LARDER_RETRY, i % 3 ? "UnknownError" : "PreconditionFailed");
    }
    expect(LARDER_RETRY);
    rig_end();
}

static void a_page_in_place_of_an_answer_is_no_success(void) {
    rig_start();
    put("k", 0);
    rig_reply(200, "content-type: text/html\n", "");
    expect(LARDER_RETRY);
    put("k", LARDER_IF_ABSENT);
    rig_reply(200, "content-type: text/html\n", "<html>");
    expect(LARDER_RETRY);
    rig_end();
}

static void settings_of_storage_are_headers_of_a_put(void) {
    rig_start();
    rig.config.sse = "aws:kms";
    rig.config.kms_key = "arn:aws:kms:eu-west-1:1:key/2";
    rig.config.storage_class = "INTELLIGENT_TIERING";
    rig_op(&o, LARDER_OP_PUT, "k");
    o.op.ttl_ms = 5;
    o.op.flags = LARDER_IF_ABSENT;
    s3_put(&rig.s, &o.op);
    CU_ASSERT_STRING_EQUAL(rig_header("x-amz-server-side-encryption"), "aws:kms");
    CU_ASSERT_STRING_EQUAL(rig_header("x-amz-server-side-encryption-aws-kms-key-id"), rig.config.kms_key);
    CU_ASSERT_STRING_EQUAL(rig_header("x-amz-storage-class"), "INTELLIGENT_TIERING");
    CU_ASSERT_STRING_EQUAL(rig_header("x-amz-meta-expires"), "1000005");
    rig_reply(200, "etag: \"y\"\n", "");
    expect(LARDER_OK);
    rig_end();
}

/* ---- remove ------------------------------------------------------------------------------------------------------ */

static struct rig_op many[5];

static void remove_five(void) {
    static const char *const keys[] = {"a", "b/c", "", "b", "~"};
    for (size_t i = 0; i < 5; i++) {
        rig_op(&many[i], LARDER_OP_REMOVE, keys[i]);
        s3_remove(&rig.s, &many[i].op);
    }
    CU_ASSERT_EQUAL(rig_n_requests(), 0);
    s3_flush(&rig.s);
}

static void expect_five(int32_t a, int32_t b, int32_t c, int32_t d, int32_t e) {
    const int32_t wanted[] = {a, b, c, d, e};
    for (size_t i = 0; i < 5; i++) {
        CU_ASSERT_EQUAL(many[i].completed, 1);
        CU_ASSERT_EQUAL(many[i].res.status, wanted[i]);
    }
}

static void removes_of_a_burst_are_one_request(void) {
    rig_start();
    remove_five();
    CU_ASSERT_EQUAL(rig_n_requests(), 1);
    CU_ASSERT_STRING_EQUAL(rig_asked(), "POST /?delete=");
    CU_ASSERT_EQUAL(strlen(rig_header("content-md5")), 24);
    CU_ASSERT_PTR_NOT_NULL(
        strstr(rig_body(), "<Object><Key>p/e/b/c~</Key></Object><Object><Key>p/e/~</Key></Object>"));
    rig_reply(200, "", "<DeleteResult></DeleteResult>");
    expect_five(LARDER_OK, LARDER_OK, LARDER_OK, LARDER_OK, LARDER_OK);
    rig_end();
}

static void each_of_them_has_its_own_answer(void) {
    rig_start();
    remove_five();
    rig_reply(
        200, "",
        "<DeleteResult xmlns=\"x\"><Error><Key>p/e/b~</Key><Code>InternalError</Code></Error>"
        "<Error><Key>p/e/~</Key><Code>AccessDenied</Code></Error><Error><Key>p/e/a~</Key><Code>NoSuchKey</"
        "Code>"
        "</Error><Error><Key>not ours</Key><Code>AccessDenied</Code></Error><Error><Key>p/e/=7E~</Key><Code>"
        "SlowDown</Code></Error></DeleteResult>");
    CU_ASSERT_STRING_EQUAL(rig_asked(), "DELETE /p/e/b~"); /* it is tried alone */
    rig_refuse(500, LARDER_RETRY, "InternalError");
    expect_five(LARDER_OK, LARDER_OK, LARDER_DENIED, LARDER_RETRY, LARDER_THROTTLED);
    remove_five();
    rig_reply(200, "", "<html>log in</html>");
    expect_five(LARDER_RETRY, LARDER_RETRY, LARDER_RETRY, LARDER_RETRY, LARDER_RETRY);
    remove_five();
    rig_refuse(403, LARDER_DENIED, "AccessDenied");
    expect_five(LARDER_DENIED, LARDER_DENIED, LARDER_DENIED, LARDER_DENIED, LARDER_DENIED);
    rig.next_status = LARDER_NOMEM;
    remove_five();
    expect_five(LARDER_NOMEM, LARDER_NOMEM, LARDER_NOMEM, LARDER_NOMEM, LARDER_NOMEM);
    rig_end();
}

static void one_by_one_where_the_server_or_a_setting_wants_it(void) {
    rig_start();
    remove_five();
    rig_refuse(501, LARDER_UNSUPPORTED, "NotImplemented");
    CU_ASSERT_EQUAL(rig_n_requests(), 5);
    CU_ASSERT_STRING_EQUAL(rig_asked(), "DELETE /p/e/a~");
    rig_refuse(404, LARDER_INVALID, "NoSuchKey");
    rig_reply(204, "", "");
    rig_reply(200, "", "<html>");
    rig_refuse(500, LARDER_RETRY, "InternalError");
    rig_reply(204, "", "");
    expect_five(LARDER_OK, LARDER_OK, LARDER_RETRY, LARDER_RETRY, LARDER_OK);
    rig.config.batch_removes = 0;
    remove_five();
    CU_ASSERT_EQUAL(rig_n_requests(), 5);
    for (size_t i = 0; i < 5; i++)
        rig_reply(204, "", "");
    rig_end();
}

/* ---- list -------------------------------------------------------------------------------------------------------- */

static void list(const char *begins, const char *cursor) {
    rig_op(&o, LARDER_OP_LIST, begins);
    o.op.cursor = aws_bytes(cursor);
    o.op.limit = 3;
    s3_list(&rig.s, &o.op);
}

static void a_page_ends_with_its_last_name(void) {
    rig_start();
    list("n/.x", "");
    CU_ASSERT_STRING_EQUAL(rig_asked(),
                           "GET /?encoding-type=url&list-type=2&max-keys=3&prefix=p%2Fe%2Fn%2F%3D2Ex");
    rig_reply(200, "",
              "<ListBucketResult><EncodingType>url</EncodingType><IsTruncated>true</IsTruncated>"
              "<Contents><Key>p/e/n/%3D2Ex~</Key></Contents><Contents><Key>p/e/not+ours</Key></Contents>"
              "</ListBucketResult>");
    expect(LARDER_OK);
    CU_ASSERT_EQUAL(o.n_records, 1);
    CU_ASSERT_STRING_EQUAL(o.records[0], "n/.x");
    CU_ASSERT_STRING_EQUAL(o.cursor, "not ours");
    list("", "not ours");
    CU_ASSERT_STRING_EQUAL(
        rig_asked(),
        "GET /?encoding-type=url&list-type=2&max-keys=3&prefix=p%2Fe%2F&start-after=p%2Fe%2Fnot%20ours");
    rig_reply(200, "", "<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>");
    expect(LARDER_OK);
    CU_ASSERT_STRING_EQUAL(o.cursor, "");
    rig_end();
}

static void what_is_no_list_is_no_empty_list(void) {
    rig_start();
    list("", "");
    rig_reply(200, "", "<html>log in</html>");
    expect(LARDER_RETRY);
    list("", "");
    rig_reply(200, "", "<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>");
    expect(LARDER_RETRY);
    rig_end();
}

/* ---- claims ------------------------------------------------------------------------------------------------------ */

static void claim(uint32_t code, const char *owner) {
    rig_op(&o, code, "k");
    rig_value(&o, owner);
    o.op.ttl_ms = 50;
    (code == LARDER_OP_CLAIM ? s3_claim : s3_release)(&rig.s, &o.op);
}

static void a_claim_is_one_request_where_nobody_holds_it(void) {
    rig_start();
    claim(LARDER_OP_CLAIM, "me");
    CU_ASSERT_STRING_EQUAL(rig_asked(), "PUT /p/c/k~");
    CU_ASSERT_STRING_EQUAL(rig_header("if-none-match"), "*");
    CU_ASSERT_STRING_EQUAL(rig_body(), "1000050\nme");
    rig_reply(200, "etag: \"c\"\n", "");
    expect(LARDER_OK);
    rig_end();
}

static void what_another_holds_is_a_miss_until_it_is_over(void) {
    static const struct {
        const char *body;
        int32_t status;
    } cases[] = {{"1000001\nyou", LARDER_MISS},
                 {"1000000\nyou", LARDER_OK},
                 {"1000001\nme", LARDER_OK},
                 {"nonsense", LARDER_OK}};
    rig_start();
    rig.s.etags_held = true;
    for (size_t i = 0; i < 4; i++) {
        claim(LARDER_OP_CLAIM, "me");
        rig_refuse(412, LARDER_INVALID, "PreconditionFailed");
        CU_ASSERT_STRING_EQUAL(rig_asked(), "GET /p/c/k~");
        rig_reply(200, "etag: \"c\"\n", cases[i].body);
        if (cases[i].status == LARDER_OK) {
            CU_ASSERT_STRING_EQUAL(rig_header("if-match"), "\"c\"");
            rig_reply(200, "etag: \"d\"\n", "");
        }
        expect(cases[i].status);
    }
    rig_end();
}

static void the_owner_alone_gives_it_back(void) {
    rig_start();
    claim(LARDER_OP_RELEASE, "me");
    rig_reply(200, "etag: \"c\"\n", "1\nyou");
    expect(LARDER_OK);
    claim(LARDER_OP_RELEASE, "me");
    rig_reply(200, "etag: \"c\"\n", "1\nme");
    CU_ASSERT_STRING_EQUAL(rig_asked(), "DELETE /p/c/k~");
    CU_ASSERT_STRING_EQUAL(rig_header("if-match"), "\"c\"");
    rig_refuse(501, LARDER_UNSUPPORTED, "NotImplemented");
    CU_ASSERT_PTR_NULL(rig_header("if-match"));
    rig_reply(204, "", "");
    expect(LARDER_OK);
    claim(LARDER_OP_RELEASE, "me");
    rig_refuse(404, LARDER_INVALID, "NoSuchKey");
    expect(LARDER_OK);
    rig_end();
}

/* ---- the bucket -------------------------------------------------------------------------------------------------- */

static void provision(uint32_t flags) {
    rig_op(&o, LARDER_OP_PROVISION, "");
    o.op.flags = flags;
    s3_provision(&rig.s, &o.op);
}

static void a_bucket_that_is_missing_is_made_in_its_region(void) {
    rig_start();
    provision(0);
    CU_ASSERT_STRING_EQUAL(rig_asked(), "HEAD /");
    rig_refuse(404, LARDER_INVALID, "");
    CU_ASSERT_STRING_EQUAL(rig_asked(), "PUT /");
    CU_ASSERT_PTR_NOT_NULL(strstr(rig_body(), "<LocationConstraint>eu-west-1</LocationConstraint>"));
    rig_reply(200, "", "");
    CU_ASSERT_STRING_EQUAL(rig_asked(), "GET /?lifecycle=");
    rig_refuse(404, LARDER_INVALID, "NoSuchLifecycleConfiguration");
    CU_ASSERT_STRING_EQUAL(rig_asked(), "PUT /?lifecycle=");
    CU_ASSERT_PTR_NOT_NULL(strstr(rig_body(), "<Prefix>p/</Prefix>"));
    CU_ASSERT_PTR_NOT_NULL(strstr(rig_body(), "<Days>366</Days>"));
    rig_reply(200, "", "");
    expect(LARDER_OK);
    CU_ASSERT_STRING_EQUAL(o.records[0], "bucket bucket was created\n");
    rig_end();
}

static void provisioning_tells_what_is_in_the_way(void) {
    rig_start();
    provision(0);
    rig_refuse(403, LARDER_DENIED, "");
    expect(LARDER_DENIED);
    provision(0);
    rig_refuse(404, LARDER_INVALID, "");
    rig_refuse(409, LARDER_INVALID, "BucketAlreadyExists");
    expect(LARDER_INVALID);
    provision(0);
    rig_reply(200, "", "");
    rig_refuse(501, LARDER_UNSUPPORTED, "NotImplemented");
    expect(LARDER_OK);
    CU_ASSERT_PTR_NOT_NULL(strstr(o.records[1], "warning"));
    provision(0);
    rig_reply(200, "", "");
    rig_reply(200, "", "<html>");
    expect(LARDER_RETRY);
    provision(LARDER_DRY_RUN);
    expect(LARDER_OK);
    CU_ASSERT_PTR_NOT_NULL(strstr(o.records[0], "CreateBucket bucket"));
    rig_op(&o, LARDER_OP_PING, "");
    s3_ping(&rig.s, &o.op);
    rig_refuse(404, LARDER_INVALID, "");
    expect(LARDER_INVALID);
    CU_ASSERT_PTR_NOT_NULL(strstr(o.detail, "larder provision"));
    rig_end();
}

static void the_policy_names_the_prefix_and_the_key(void) {
    rig_start();
    rig.config.sse = "aws:kms";
    rig_op(&o, LARDER_OP_EXPLAIN, "iam");
    s3_explain(&rig.s, &o.op);
    expect(LARDER_OK);
    CU_ASSERT_PTR_NOT_NULL(strstr(o.records[0], "\"Resource\": [\"arn:*:s3:::bucket/p/*\"]"));
    rig.s.is_opennext = true;
    rig_op(&o, LARDER_OP_EXPLAIN, "iam");
    s3_explain(&rig.s, &o.op);
    CU_ASSERT_PTR_NOT_NULL(strstr(o.records[0], "[\"arn:*:s3:::bucket/p/*\", \"arn:*:s3:::bucket/*\"]"));
    rig_op(&o, LARDER_OP_EXPLAIN, "else");
    s3_explain(&rig.s, &o.op);
    expect(LARDER_INVALID);
    rig_end();
}

UNIT_MAIN("s3 ops", UNIT(a_get_is_one_request), UNIT(what_is_over_is_a_miss),
          UNIT(nothing_but_a_missing_key_is_a_miss), UNIT(a_value_with_another_checksum_is_corrupt),
          UNIT(a_get_that_is_given_up_ends_at_once), UNIT(values_beyond_the_room_wait_for_it),
          UNIT(what_cannot_be_sent_gives_its_room_back),
          UNIT(a_put_looks_and_writes_on_the_condition_of_what_it_saw),
          UNIT(an_entry_of_a_greater_epoch_stays), UNIT(if_absent_is_one_request_unless_something_is_there),
          UNIT(the_form_of_an_etag_is_learned_from_a_refusal_without_reason),
          UNIT(a_server_without_conditions_is_asked_without_from_then_on),
          UNIT(without_conditions_by_setting_a_put_is_one_request),
          UNIT(a_put_that_others_always_overtake_ends), UNIT(a_page_in_place_of_an_answer_is_no_success),
          UNIT(settings_of_storage_are_headers_of_a_put), UNIT(removes_of_a_burst_are_one_request),
          UNIT(each_of_them_has_its_own_answer), UNIT(one_by_one_where_the_server_or_a_setting_wants_it),
          UNIT(a_page_ends_with_its_last_name), UNIT(what_is_no_list_is_no_empty_list),
          UNIT(a_claim_is_one_request_where_nobody_holds_it),
          UNIT(what_another_holds_is_a_miss_until_it_is_over), UNIT(the_owner_alone_gives_it_back),
          UNIT(a_bucket_that_is_missing_is_made_in_its_region), UNIT(provisioning_tells_what_is_in_the_way),
          UNIT(the_policy_names_the_prefix_and_the_key))
