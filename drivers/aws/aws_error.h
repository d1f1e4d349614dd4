/*
 * What an AWS service means by an answer that is no success, as a status of driver.h: from the code in
 * the body (JSON `__type`, XML `<Code>`), the header x-amzn-ErrorType, and the HTTP status.
 *
 * https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html
 * https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
 * https://docs.aws.amazon.com/STS/latest/APIReference/CommonErrors.html
 */
#ifndef AWS_ERROR_H
#define AWS_ERROR_H

#include <stdbool.h>
#include <stdint.h>

#include "aws_text.h"

/* The value of the last header `name` in a block of lines "Name: value\r\n"; len 0: none. */
struct larder_bytes aws_header_of(struct larder_bytes headers, const char *name);

enum aws_cure { /* what lets the same request succeed, if anything */
                AWS_CURE_NONE,
                AWS_CURE_KEYS, /* other keys: these have expired or were deleted */
                AWS_CURE_CLOCK /* perhaps another time in the signature: compare the answer's Date */
};

enum { AWS_CODE_SIZE = 96, AWS_DETAIL_SIZE = 256 };

struct aws_error {
    int32_t status; /* LARDER_RETRY, LARDER_THROTTLED ...; < 0 */
    uint32_t retry_after_ms;
    enum aws_cure cure;
    char code[AWS_CODE_SIZE]; /* "ValidationException", without what stands before `#`; "": none was given */
    char detail[AWS_DETAIL_SIZE]; /* one line: HTTP status, code, message */
};

/* The answer with this status (not 2xx), these headers and this body. */
void aws_error_read(struct aws_error *error, int http_status, struct larder_bytes headers,
                    struct larder_bytes body);

#endif
