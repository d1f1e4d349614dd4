/* What drivers/s3 reads from outside: answers of S3, names of objects, numbers in metadata. */
#include <string.h>

#include "fuzz.h"
#include "s3/name.h"
#include "s3/opennext.h"
#include "s3/sum.h"
#include "s3/xml.h"

static void check_page(struct larder_bytes xml) {
    struct s3_page page;
    struct aws_text name = {0};
    size_t all = 0;
    if (!s3_page_read(xml, &page))
        return;
    while (s3_page_next(&page, &name)) { /* names do not grow, and none is told twice */
        CHECK(!name.failed && page.at <= xml.len);
        all += name.len;
        CHECK(all <= xml.len);
    }
    aws_text_done(&name);
}

static void check_deleted(struct larder_bytes xml) {
    struct aws_text name = {0}, code = {0};
    size_t at = 0, before = 0;
    while (s3_deleted_read(xml) && s3_deleted_next(xml, &at, &name, &code)) {
        CHECK(at > before && at <= xml.len && name.len <= xml.len && code.len <= xml.len);
        before = at;
    }
    aws_text_done(&name);
    aws_text_done(&code);
}

/* What is written is a configuration, and one with the rule in it. */
static void check_lifecycle(struct larder_bytes xml) {
    const struct s3_rule rule = {.id = "larder-p", .prefix = "p/", .days = 9};
    struct aws_text first = {0}, second = {0};
    bool changed;
    if (s3_lifecycle_with(xml, &rule, &first, &changed) && changed) {
        CHECK(!first.failed);
        const struct larder_bytes written = {(const uint8_t *)first.ptr, first.len};
        CHECK(s3_lifecycle_with(written, &rule, &second, &changed) && !changed);
    }
    aws_text_done(&first);
    aws_text_done(&second);
}

/* Any bytes as a key come back from their name; a name that is read is the one that is written. */
static void check_names(struct larder_bytes bytes) {
    struct aws_text name = {0};
    uint8_t room[4096];
    size_t len;
    if (bytes.len > sizeof(room) / 4)
        return;
    s3_name_add_key(&name, bytes);
    aws_text_adds(&name, "~");
    CHECK(!name.failed && name.len <= 3 * bytes.len + 1);
    CHECK(s3_name_read_key((struct larder_bytes){(const uint8_t *)name.ptr, name.len}, room, &len));
    CHECK(len == bytes.len && (len == 0 || memcmp(room, bytes.ptr, len) == 0));
    if (s3_name_read_key(bytes, room, &len)) {
        aws_text_clear(&name);
        s3_name_add_key(&name, (struct larder_bytes){room, len});
        aws_text_adds(&name, "~");
        CHECK(name.len == bytes.len && memcmp(name.ptr, bytes.ptr, name.len) == 0);
    }
    aws_text_done(&name);
}

static void check_sums(struct larder_bytes bytes) {
    static struct s3_crc crc;
    char md5[S3_MD5_SIZE], sum[S3_CRC_SIZE];
    int64_t number;
    if (crc.table[0][1] == 0)
        s3_crc_init(&crc);
    s3_crc_of(&crc, bytes, sum);
    s3_md5(bytes, md5);
    CHECK(strlen(sum) == S3_CRC_SIZE - 1 && strlen(md5) == S3_MD5_SIZE - 1);
    (void)s3_number(bytes, &number);
}

/* What is read of OpenNext's JSON can be written as a frame, that as JSON, and that reads the same. */
static void check_opennext(struct larder_bytes json) {
    for (uint32_t kind = FRAME_PAGE; kind <= FRAME_USE_CACHE; kind++) {
        struct json_memory memory = {0};
        struct aws_text text = {0}, again = {0}, meta = {0};
        struct frame_entry entry = {.kind = kind, .key = {(const uint8_t *)"k", 1}}, second = entry,
                           third = entry;
        if (opennext_entry(json, &memory, &text, &entry) == LARDER_OK) {
            const size_t len = frame_len(&entry);
            uint8_t *frame = malloc(len);
            CHECK(frame != NULL);
            frame_write(&entry, frame);
            CHECK(frame_read((struct larder_bytes){frame, len}, &memory, &second));
            CHECK(second.n_parts == entry.n_parts && second.n_tags == entry.n_tags);
            CHECK(opennext_json((struct larder_bytes){frame, len}, &memory, &again));
            CHECK(opennext_entry((struct larder_bytes){(const uint8_t *)again.ptr, again.len}, &memory, &meta,
                                 &third) == LARDER_OK);
            CHECK(third.revalidate_ms == entry.revalidate_ms && third.n_tags == entry.n_tags);
            free(frame);
        }
        aws_text_done(&text);
        aws_text_done(&again);
        aws_text_done(&meta);
        json_memory_done(&memory);
    }
}

/* As a frame that was stored; as a key. */
static void check_stored(struct larder_bytes bytes) {
    static const struct opennext place = {.prefix = "c", .build = "b"};
    struct json_memory memory = {0};
    struct aws_text text = {0};
    struct larder_bytes key;
    uint8_t room[1200];
    uint32_t kind, read;
    size_t len;
    if (opennext_json(bytes, &memory, &text))
        CHECK(text.len > 0);
    aws_text_clear(&text);
    if (opennext_name(&place, bytes, &text, &kind, &key)) {
        const size_t folder = kind == FRAME_FETCH ? strlen("c/__fetch/b/") : strlen("c/b/");
        CHECK(text.len > folder && text.len <= S3_MAX_NAME && memmem(text.ptr, text.len, "/../", 4) == NULL);
        const struct larder_bytes name = {(const uint8_t *)text.ptr + folder, text.len - folder};
        CHECK(opennext_read_name(kind == FRAME_FETCH ? OPENNEXT_FETCH : OPENNEXT_BUILD, name, &read, room,
                                 &len));
        CHECK(read == kind && len == key.len && memcmp(room, key.ptr, len) == 0);
    }
    aws_text_done(&text);
    json_memory_done(&memory);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const struct larder_bytes bytes = {data, size};
    check_page(bytes);
    check_deleted(bytes);
    check_lifecycle(bytes);
    check_names(bytes);
    check_sums(bytes);
    check_opennext(bytes);
    check_stored(bytes);
    return 0;
}
