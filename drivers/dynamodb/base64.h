/* Values in base64 (RFC 4648, with padding), as DynamoDB's JSON has them. */
#ifndef DYNAMODB_BASE64_H
#define DYNAMODB_BASE64_H

#include <stdbool.h>

#include "larder/driver.h"

/* How long bytes are in base64. */
static inline size_t ddb_base64_len(size_t len) {
    return len / 3 * 4 + (len % 3 > 0 ? 4 : 0);
}

/* Into out, which has room for ddb_base64_len(bytes.len). */
void ddb_base64_encode(struct larder_bytes bytes, uint8_t *out);

/* How many bytes a raw base64 string stands for; false: it cannot be one. */
bool ddb_base64_size(struct larder_bytes raw, size_t *ret);
/* Decodes into out, which has room for that many.  Padding is required, and nothing but the
 * alphabet allowed. */
bool ddb_base64_decode(struct larder_bytes raw, uint8_t *out);

/*
 * The same for most of a long value, on a processor that has AVX2; the rest is left to the two above.
 * Both answer how many bytes of the value (a multiple of 3) are done.  They touch no byte outside of
 * the len bytes and of their base64.  Decoding stops before what is not of the alphabet.
 */
size_t ddb_base64_encode_avx2(const uint8_t *from, size_t len, uint8_t *to);
size_t ddb_base64_decode_avx2(const uint8_t *from, uint8_t *to, size_t len);

#endif
