/* Times as AWS writes them.  All are UTC, in milliseconds since 1970. */
#ifndef AWS_TIME_H
#define AWS_TIME_H

#include <stdbool.h>
#include <stdint.h>

#include "larder/driver.h"

enum { AWS_STAMP_SIZE = 17 }; /* "20150830T123600Z" and its NUL */

/* The form of x-amz-date.  A time before 1970 or after 9999 is written as the nearest one within. */
void aws_stamp(char out[AWS_STAMP_SIZE], int64_t ms);
/* "2026-01-02T03:04:05Z", with or without a fraction, or an offset as "+00:00". */
bool aws_time_iso(struct larder_bytes text, int64_t *ret_ms);
/* The first form of RFC 9110, 5.6.7: "Sun, 06 Nov 1994 08:49:37 GMT". */
bool aws_time_http(struct larder_bytes text, int64_t *ret_ms);

#endif
