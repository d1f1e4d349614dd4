/* What drivers/s3 reads from outside: answers of S3, names of objects, numbers in metadata. */
#include <string.h>

#include "fuzz.h"
#include "s3/name.h"
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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const struct larder_bytes bytes = {data, size};
    check_page(bytes);
    check_deleted(bytes);
    check_lifecycle(bytes);
    check_names(bytes);
    check_sums(bytes);
    return 0;
}
