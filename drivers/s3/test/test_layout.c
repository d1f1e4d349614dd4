/* layout=opennext: what is asked of a server, and what becomes of its answers. */
#include "frame_of_core.h"
#include "rig.h"

#define BLOG "ns/b/page//blog"
#define JSON                                                                                                 \
    "{\"type\":\"app\",\"html\":\"<p>\",\"rsc\":\"0:x\",\"meta\":{\"headers\":{\"x-next-cache-tags\":\"t\"}" \
    "},\"revalidate\":60}"

static struct rig_op o;
static struct json_memory memory;
static struct frame_entry entry;

static void begin(void) {
    rig_start();
    rig.s.is_opennext = true;
    rig.s.opennext = (struct opennext){.prefix = "_cache", .build = "BID"};
}

static void end(void) {
    json_memory_done(&memory);
    rig_end();
}

static void get(const char *key) {
    rig_op(&o, LARDER_OP_GET, key);
    s3_get(&rig.s, &o.op);
}

static void expect(int32_t status) {
    CU_ASSERT_EQUAL(o.completed, 1);
    CU_ASSERT_EQUAL(o.res.status, status);
}

static void expect_frame(void) {
    const struct larder_bytes frame = {(const uint8_t *)o.value, o.value_len};
    expect(LARDER_OK);
    json_memory_done(&memory);
    CU_ASSERT_TRUE(core_reads(frame));
    CU_ASSERT_TRUE_FATAL(frame_read(frame, &memory, &entry));
    CU_ASSERT(entry.epoch == o.res.epoch && entry.modified_ms == o.res.modified_ms);
}

/* So much older than its upload that no revalidation since its rendering began is older. */
static void an_entry_of_opennext_has_the_epoch_of_a_time_before_its_rendering(void) {
    begin();
    get(BLOG);
    CU_ASSERT_STRING_EQUAL(rig_asked(), "GET /_cache/BID/blog.cache");
    rig_reply(200, "etag: \"x\"\nlast-modified: Fri, 02 Jan 2026 03:04:05 GMT\n", JSON);
    CU_ASSERT_EQUAL(o.completed, 0);
    rig_work();
    expect_frame();
    CU_ASSERT_EQUAL(o.res.modified_ms, 1767323045000);
    CU_ASSERT_EQUAL(o.res.epoch, 1767323045000 - 3600000);
    CU_ASSERT(aws_is(entry.key, "/blog") && entry.kind == FRAME_PAGE && entry.n_tags == 1);
    get(BLOG); /* of which the time is not known, the oldest there can be */
    rig_reply(200, "etag: \"x\"\n", JSON);
    rig_work();
    expect_frame();
    CU_ASSERT(o.res.modified_ms == 0 && o.res.epoch == 0);
    end();
}

static void an_entry_of_larders_has_its_own(void) {
    begin();
    get(BLOG);
    rig_reply(200,
              "etag: \"x\"\nlast-modified: Fri, 02 Jan 2026 03:04:05 GMT\nx-amz-meta-modified: "
              "7\nx-amz-meta-epoch: 5\n",
              JSON);
    rig_work();
    expect_frame();
    CU_ASSERT(o.res.modified_ms == 7 && o.res.epoch == 5);
    get(BLOG);
    rig_reply(200, "etag: \"x\"\nx-amz-meta-modified: 7\nx-amz-meta-epoch: 5\nx-amz-meta-expires: 5\n", JSON);
    expect(LARDER_MISS);
    end();
}

static void what_cannot_be_read_is_no_entry(void) {
    begin();
    get(BLOG);
    rig_refuse(404, LARDER_INVALID, "NoSuchKey");
    expect(LARDER_MISS);
    get(BLOG);
    rig_reply(200, "etag: \"x\"\n", "{\"type\":\"new\"}");
    rig_work();
    expect(LARDER_MISS);
    get(BLOG);
    rig_reply(200, "etag: \"x\"\n", "{");
    rig_work();
    expect(LARDER_CORRUPT);
    get(BLOG);
    rig_reply(200, "content-type: text/html\n", JSON);
    expect(LARDER_RETRY);
    rig.no_pool = true;
    get(BLOG);
    rig_reply(200, "etag: \"x\"\n", JSON);
    expect(LARDER_NOMEM);
    end();
}

/* ---- put --------------------------------------------------------------------------------------------------------- */

static uint8_t room[2048];

static void put(uint32_t flags) {
    static const char meta[] = "{\"kind\":\"REDIRECT\",\"props\":{\"a\":1}}";
    const struct frame_entry e = {.kind = FRAME_PAGE,
                                  .key = aws_bytes("/blog"),
                                  .meta = aws_bytes(meta),
                                  .epoch = 5,
                                  .modified_ms = 7,
                                  .revalidate_ms = LARDER_UNSET,
                                  .expire_ms = LARDER_UNSET};
    rig_op(&o, LARDER_OP_PUT, BLOG);
    frame_write(&e, room);
    o.op.value = (struct larder_slice){room, frame_len(&e), NULL};
    o.op.flags = flags;
    s3_put(&rig.s, &o.op);
}

static void a_put_writes_json_and_the_epoch_beside_it(void) {
    begin();
    put(0);
    CU_ASSERT_EQUAL(rig_n_requests(), 0);
    rig_work();
    CU_ASSERT_STRING_EQUAL(rig_asked(), "HEAD /_cache/BID/blog.cache");
    rig_refuse(404, LARDER_INVALID, "");
    CU_ASSERT_STRING_EQUAL(rig_asked(), "PUT /_cache/BID/blog.cache");
    CU_ASSERT_PTR_EQUAL(strstr(rig_body(), "{\"type\":\"redirect\",\"props\":{\"a\":1},\"larder\":"),
                        rig_body());
    CU_ASSERT_STRING_EQUAL(rig_header("x-amz-meta-epoch"), "5");
    CU_ASSERT_STRING_EQUAL(rig_header("content-type"), "application/json");
    rig_reply(200, "etag: \"x\"\n", "");
    expect(LARDER_OK);
    end();
}

/* Whatever its time is: a rendering of Larder's replaces it, unless that is to fill a gap alone. */
static void what_opennext_has_written_is_replaced_but_is_not_absent(void) {
    begin();
    put(0);
    rig_work();
    rig_reply(200, "etag: \"x\"\nlast-modified: Fri, 02 Jan 2026 03:04:05 GMT\n", "");
    CU_ASSERT_STRING_EQUAL(rig_header("if-match"), "\"x\"");
    rig_reply(200, "etag: \"y\"\n", "");
    expect(LARDER_OK);
    put(LARDER_IF_ABSENT);
    rig_work();
    rig_refuse(412, LARDER_INVALID, "PreconditionFailed");
    rig_reply(200, "etag: \"x\"\nlast-modified: Fri, 02 Jan 2026 03:04:05 GMT\n", "");
    expect(LARDER_MISS);
    end();
}

static void what_is_no_frame_is_refused(void) {
    begin();
    put(0);
    room[40] ^= 1;
    rig_work();
    expect(LARDER_INVALID);
    rig_op(&o, LARDER_OP_PUT, BLOG);
    o.op.value = (struct larder_slice){room, OPENNEXT_MAX_JSON + 1, NULL};
    s3_put(&rig.s, &o.op);
    expect(LARDER_TOO_BIG);
    rig.no_pool = true;
    put(0);
    expect(LARDER_NOMEM);
    end();
}

/* ---- what OpenNext has no name for ---------------------------------------------------------------------------------- */

static void other_keys_are_in_larders_own_layout(void) {
    begin();
    get("ns/shared/image/abc");
    CU_ASSERT_STRING_EQUAL(rig_asked(), "GET /p/e/ns/shared/image/abc~");
    rig_reply(200, "etag: \"x\"\nx-amz-meta-modified: 7\nx-amz-meta-epoch: 5\n", "value");
    expect(LARDER_OK);
    get("ns/b/page//../x");
    CU_ASSERT_STRING_EQUAL(rig_asked(), "GET /p/e/ns/b/page/%3D2F%3D2E./x~");
    rig_refuse(404, LARDER_INVALID, "NoSuchKey");
    end();
}

static void removes_of_both_go_their_ways(void) {
    struct rig_op ops[3];
    static const char *const keys[] = {BLOG, "ns/shared/image/a", "ns/shared/image/b"};
    begin();
    for (size_t i = 0; i < 3; i++) {
        rig_op(&ops[i], LARDER_OP_REMOVE, keys[i]);
        s3_remove(&rig.s, &ops[i].op);
    }
    CU_ASSERT_STRING_EQUAL(rig_asked(), "DELETE /_cache/BID/blog.cache");
    rig_reply(204, "", "");
    s3_flush(&rig.s);
    CU_ASSERT_STRING_EQUAL(rig_asked(), "POST /?delete=");
    rig_reply(200, "", "<DeleteResult/>");
    for (size_t i = 0; i < 3; i++)
        CU_ASSERT_EQUAL(ops[i].res.status, LARDER_OK);
    end();
}

/* ---- list --------------------------------------------------------------------------------------------------------- */

static void list(const char *begins, const char *cursor) {
    rig_op(&o, LARDER_OP_LIST, begins);
    o.op.cursor = aws_bytes(cursor);
    s3_list(&rig.s, &o.op);
}

#define LISTED(keys) "<ListBucketResult><IsTruncated>false</IsTruncated>" keys "</ListBucketResult>"
#define KEY(key) "<Contents><Key>" key "</Key></Contents>"

static void a_list_looks_in_three_places(void) {
    begin();
    list("ns/", "");
    CU_ASSERT_PTR_NOT_NULL(strstr(rig_asked(), "prefix=p%2Fe%2Fns%2F"));
    rig_reply(200, "", LISTED(KEY("p/e/ns/shared/image/a~")));
    CU_ASSERT_STRING_EQUAL(o.records[0], "ns/shared/image/a");
    CU_ASSERT_STRING_EQUAL(o.cursor, "b");
    list("ns/", "b");
    CU_ASSERT_PTR_NOT_NULL(strstr(rig_asked(), "prefix=_cache%2FBID%2F"));
    rig_reply(200, "",
              LISTED(KEY("_cache/BID/blog.cache") KEY("_cache/BID/[1].composable") KEY("_cache/BID/other")));
    CU_ASSERT_EQUAL(o.n_records, 2);
    CU_ASSERT_STRING_EQUAL(o.records[0], "ns/BID/page//blog");
    CU_ASSERT_STRING_EQUAL(o.records[1], "ns/shared/use-cache/[1]");
    CU_ASSERT_STRING_EQUAL(o.cursor, "f");
    list("ns/", "fa");
    CU_ASSERT_PTR_NOT_NULL(strstr(rig_asked(), "start-after=_cache%2F__fetch%2FBID%2Fa"));
    rig_reply(200, "", LISTED(KEY("_cache/__fetch/BID/abc")));
    CU_ASSERT_STRING_EQUAL(o.records[0], "ns/shared/fetch/abc");
    CU_ASSERT_STRING_EQUAL(o.cursor, "");
    list("ns/BID/fetch/", "f"); /* where builds do not share them */
    rig_reply(200, "", LISTED(KEY("_cache/__fetch/BID/abc")));
    CU_ASSERT_STRING_EQUAL(o.records[0], "ns/BID/fetch/abc");
    list("ns/", "x");
    expect(LARDER_INVALID);
    end();
}

UNIT_MAIN("s3 layout", UNIT(an_entry_of_opennext_has_the_epoch_of_a_time_before_its_rendering),
          UNIT(an_entry_of_larders_has_its_own), UNIT(what_cannot_be_read_is_no_entry),
          UNIT(a_put_writes_json_and_the_epoch_beside_it),
          UNIT(what_opennext_has_written_is_replaced_but_is_not_absent), UNIT(what_is_no_frame_is_refused),
          UNIT(other_keys_are_in_larders_own_layout), UNIT(removes_of_both_go_their_ways),
          UNIT(a_list_looks_in_three_places))
