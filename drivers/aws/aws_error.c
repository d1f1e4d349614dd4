#include "aws_error.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "aws_json.h"
#include "aws_time.h"
#include "aws_xml.h"

/* Codes that say more than the HTTP status.  A name stands without the "Exception" that some
 * services add to it. */
static const struct {
    const char *name;
    int32_t status;
    enum aws_cure cure;
} codes[] = {
    {"BandwidthLimitExceeded", LARDER_THROTTLED, AWS_CURE_NONE},
    {"LimitExceeded", LARDER_THROTTLED, AWS_CURE_NONE},
    {"ProvisionedThroughputExceeded", LARDER_THROTTLED, AWS_CURE_NONE},
    {"RequestLimitExceeded", LARDER_THROTTLED, AWS_CURE_NONE},
    {"RequestThrottled", LARDER_THROTTLED, AWS_CURE_NONE},
    {"SlowDown", LARDER_THROTTLED, AWS_CURE_NONE},
    {"Throttled", LARDER_THROTTLED, AWS_CURE_NONE},
    {"Throttling", LARDER_THROTTLED, AWS_CURE_NONE},
    {"TooManyRequests", LARDER_THROTTLED, AWS_CURE_NONE},

    {"ConditionalRequestConflict", LARDER_RETRY, AWS_CURE_NONE},
    {"IDPCommunicationError", LARDER_RETRY, AWS_CURE_NONE},
    {"InternalError", LARDER_RETRY, AWS_CURE_NONE},
    {"InternalFailure", LARDER_RETRY, AWS_CURE_NONE},
    {"InternalServerError", LARDER_RETRY, AWS_CURE_NONE},
    {"OperationAborted", LARDER_RETRY, AWS_CURE_NONE},
    {"PriorRequestNotComplete", LARDER_RETRY, AWS_CURE_NONE},
    {"ReplicatedWriteConflict", LARDER_RETRY, AWS_CURE_NONE},
    {"RequestTimeout", LARDER_RETRY, AWS_CURE_NONE},
    {"ServiceUnavailable", LARDER_RETRY, AWS_CURE_NONE},
    {"TransactionConflict", LARDER_RETRY, AWS_CURE_NONE},
    {"TransactionInProgress", LARDER_RETRY, AWS_CURE_NONE},

    {"AccessDenied", LARDER_DENIED, AWS_CURE_NONE},
    {"IncompleteSignature", LARDER_DENIED, AWS_CURE_NONE},
    {"MissingAuthenticationToken", LARDER_DENIED, AWS_CURE_NONE},
    {"NotSignedUp", LARDER_DENIED, AWS_CURE_NONE},
    {"OptInRequired", LARDER_DENIED, AWS_CURE_NONE},
    {"ExpiredToken", LARDER_DENIED, AWS_CURE_KEYS},
    {"InvalidAccessKeyId", LARDER_DENIED, AWS_CURE_KEYS},
    {"InvalidClientTokenId", LARDER_DENIED, AWS_CURE_KEYS},
    {"InvalidToken", LARDER_DENIED, AWS_CURE_KEYS},
    {"TokenRefreshRequired", LARDER_DENIED, AWS_CURE_KEYS},
    {"UnrecognizedClient", LARDER_DENIED, AWS_CURE_KEYS},
    {"AuthFailure", LARDER_DENIED, AWS_CURE_CLOCK},
    {"InvalidSignature", LARDER_DENIED, AWS_CURE_CLOCK},
    {"RequestExpired", LARDER_DENIED, AWS_CURE_CLOCK},
    {"RequestInTheFuture", LARDER_DENIED, AWS_CURE_CLOCK},
    {"RequestTimeTooSkewed", LARDER_DENIED, AWS_CURE_CLOCK},
    {"SignatureDoesNotMatch", LARDER_DENIED, AWS_CURE_CLOCK},

    {"EntityTooLarge", LARDER_TOO_BIG, AWS_CURE_NONE},
    {"ItemCollectionSizeLimitExceeded", LARDER_TOO_BIG, AWS_CURE_NONE},
    {"RequestEntityTooLarge", LARDER_TOO_BIG, AWS_CURE_NONE},
    {"RequestTooLarge", LARDER_TOO_BIG, AWS_CURE_NONE},

    {"NotImplemented", LARDER_UNSUPPORTED, AWS_CURE_NONE},
    {"UnknownOperation", LARDER_UNSUPPORTED, AWS_CURE_NONE},
};

struct larder_bytes aws_header_of(struct larder_bytes headers, const char *name) {
    const size_t name_len = strlen(name);
    struct larder_bytes found = {0};
    for (size_t at = 0; at < headers.len;) {
        const uint8_t *line = headers.ptr + at;
        const uint8_t *end = memchr(line, '\n', headers.len - at);
        size_t len = end ? (size_t)(end - line) : headers.len - at;
        at += len + 1;
        if (len <= name_len || line[name_len] != ':' || strncasecmp((const char *)line, name, name_len) != 0)
            continue;
        size_t from = name_len + 1;
        while (from < len && (line[from] == ' ' || line[from] == '\t'))
            from++;
        while (len > from && (line[len - 1] == '\r' || line[len - 1] == ' ' || line[len - 1] == '\t'))
            len--;
        found = (struct larder_bytes){line + from, len - from};
    }
    return found;
}

static int32_t status_of_http(int http_status) {
    switch (http_status) {
    case 401:
    case 403: return LARDER_DENIED;
    case 408: return LARDER_RETRY;
    case 413: return LARDER_TOO_BIG;
    case 429: return LARDER_THROTTLED;
    case 501: return LARDER_UNSUPPORTED;
    default: return http_status >= 500 ? LARDER_RETRY : LARDER_INVALID;
    }
}

/* "com.amazonaws.dynamodb.v20120810#ValidationException" in the body, "ValidationException:http://..."
 * in the header: the name alone. */
static void keep_name(char out[AWS_CODE_SIZE], struct larder_bytes code) {
    const uint8_t *hash = code.len > 0 ? memrchr(code.ptr, '#', code.len) : NULL;
    if (hash)
        code = (struct larder_bytes){hash + 1, (size_t)(code.ptr + code.len - hash - 1)};
    const uint8_t *colon = code.len > 0 ? memchr(code.ptr, ':', code.len) : NULL;
    if (colon)
        code.len = (size_t)(colon - code.ptr);
    aws_one_line(out, AWS_CODE_SIZE, code);
}

/* The first line: behind it stands the canonical request, with the session token in it. */
static struct larder_bytes first_line(const struct aws_text *message) {
    return (struct larder_bytes){(const uint8_t *)message->ptr,
                                 message->ptr ? strcspn(message->ptr, "\r\n") : 0};
}

static void read_body(struct larder_bytes body, struct aws_text *code, struct aws_text *message) {
    static const char *const json_names[] = {"__type", "code", "Code"};
    size_t skip = 0;
    while (skip < body.len && strchr(" \t\r\n", body.ptr[skip]) && body.ptr[skip])
        skip++;
    if (skip < body.len && body.ptr[skip] == '<') {
        aws_xml_text(body, "Code", code);
        aws_xml_text(body, "Message", message);
        return;
    }
    for (size_t i = 0; i < 3 && !aws_json_member(body, json_names[i], code); i++)
        aws_text_clear(code);
    if (!aws_json_member(body, "message", message)) {
        aws_text_clear(message);
        aws_json_member(body, "Message", message);
    }
}

/* Seconds, or a time: RFC 9110, 10.2.3.  At most an hour is believed. */
static uint32_t read_retry_after_ms(struct larder_bytes headers) {
    enum { MOST_S = 3600 };
    const struct larder_bytes text = aws_header_of(headers, "retry-after");
    int64_t then_ms, now_ms, s = 0;
    if (aws_time_http(text, &then_ms) && aws_time_http(aws_header_of(headers, "date"), &now_ms))
        s = (then_ms - now_ms) / 1000;
    else
        for (size_t i = 0; i < text.len && text.ptr[i] >= '0' && text.ptr[i] <= '9' && s <= MOST_S; i++)
            s = s * 10 + (text.ptr[i] - '0');
    return s <= 0 ? 0 : s > MOST_S ? MOST_S * 1000u : (uint32_t)s * 1000u;
}

void aws_error_read(struct aws_error *error, int http_status, struct larder_bytes headers,
                    struct larder_bytes body) {
    static const char suffix[] = "Exception";
    struct aws_text code = {0}, message = {0};
    char line[160];

    read_body(body, &code, &message);
    *error = (struct aws_error){.status = status_of_http(http_status),
                                .retry_after_ms = read_retry_after_ms(headers)};
    keep_name(error->code, code.len > 0 ? (struct larder_bytes){(const uint8_t *)code.ptr, code.len}
                                        : aws_header_of(headers, "x-amzn-errortype"));
    size_t len = strlen(error->code);
    if (len > sizeof(suffix) - 1 && strcmp(error->code + len - (sizeof(suffix) - 1), suffix) == 0)
        len -= sizeof(suffix) - 1;
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
        if (strlen(codes[i].name) == len && memcmp(codes[i].name, error->code, len) == 0) {
            error->status = codes[i].status;
            error->cure = codes[i].cure;
        }
    aws_one_line(line, sizeof(line), first_line(&message));
    /* "Item size has exceeded the maximum allowed size", "Item size to update has exceeded ..." */
    if (strcmp(error->code, "ValidationException") == 0 &&
        strstr(line, "has exceeded the maximum allowed size"))
        error->status = LARDER_TOO_BIG;
    snprintf(error->detail, sizeof(error->detail), "HTTP %d%s%.80s%s%s", http_status,
             error->code[0] ? " " : "", error->code, line[0] ? ": " : "", line);
    aws_text_done(&code);
    aws_text_done(&message);
}
