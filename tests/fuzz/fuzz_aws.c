/* What drivers/aws reads from outside: the shared config and credentials files, and answers of services. */
#include <string.h>

#include "aws/aws_error.h"
#include "aws/aws_json.h"
#include "aws/aws_profile.h"
#include "aws/aws_time.h"
#include "aws/aws_xml.h"
#include "fuzz.h"

static bool is_blank(char c) {
    return c == ' ' || c == '\t' || c == '\r';
}

/* A value is of one line, without the space around it. */
static void check_value(const char *value) {
    if (value == NULL)
        return;
    size_t len = strlen(value);
    CHECK(len > 0 && !is_blank(value[0]) && !is_blank(value[len - 1]));
    CHECK(strchr(value, '\n') == NULL);
}

static void check_profiles(struct larder_bytes text) {
    static const char *const profiles[] = {"default", "a"};
    static const char *const names[] = {"aws_access_key_id", "role_arn", "region", "credential_process"};
    struct aws_profiles read = {0};
    CHECK(aws_profiles_add(&read, text, false) && aws_profiles_add(&read, text, true));
    for (size_t i = 0; i < sizeof(profiles) / sizeof(profiles[0]); i++) {
        for (size_t k = 0; k < sizeof(names) / sizeof(names[0]); k++) {
            const char *value = aws_profile_get(&read, profiles[i], names[k]);
            check_value(value);
            CHECK(value == NULL || aws_profile_exists(&read, profiles[i]));
        }
    }
    aws_profiles_done(&read);
}

/* What is told of a document is no longer than it. */
static void check_documents(struct larder_bytes text) {
    static const char *const names[] = {"AccessKeyId", "Message", "__type", "Code"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct aws_text json = {0}, xml = {0};
        if (aws_json_member(text, names[i], &json))
            CHECK(!json.failed && json.len <= text.len);
        if (aws_xml_text(text, names[i], &xml))
            CHECK(!xml.failed && xml.len <= text.len);
        aws_text_done(&json);
        aws_text_done(&xml);
    }
}

static void check_times(struct larder_bytes text) {
    char stamp[AWS_STAMP_SIZE];
    int64_t ms;
    if (aws_time_iso(text, &ms) || aws_time_http(text, &ms)) {
        aws_stamp(stamp, ms);
        CHECK(strlen(stamp) == AWS_STAMP_SIZE - 1);
    }
}

static void check_line(const char *line) {
    for (const char *c = line; *c != '\0'; c++)
        CHECK(*c >= ' ' && *c <= '~');
}

/* Headers, an empty line, a body. */
static void check_error(struct larder_bytes text) {
    static const int codes[] = {0, 400, 403, 429, 503};
    const uint8_t *end = memmem(text.ptr, text.len, "\r\n\r\n", 4);
    size_t at = end != NULL ? (size_t)(end - text.ptr) + 2 : 0;
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        struct aws_error error;
        aws_error_read(&error, codes[i], (struct larder_bytes){text.ptr, at},
                       (struct larder_bytes){text.ptr + at, text.len - at});
        CHECK(error.status < 0);
        check_line(error.code);
        check_line(error.detail);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    uint8_t *copy = malloc(size > 0 ? size : 1); /* exactly, so that a read behind it is seen */
    CHECK(copy != NULL);
    if (size > 0)
        memcpy(copy, data, size);
    const struct larder_bytes text = {copy, size};
    check_profiles(text);
    check_documents(text);
    check_times(text);
    check_error(text);
    free(copy);
    return 0;
}
