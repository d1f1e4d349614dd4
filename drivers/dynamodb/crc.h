/* CRC-32 as zlib and DynamoDB's x-amz-crc32 have it (ISO 3309; the polynomial 0x04C11DB7, reflected). */
#ifndef DYNAMODB_CRC_H
#define DYNAMODB_CRC_H

#include "larder/driver.h"

struct ddb_crc { /* for processors without an instruction for it, and for ends */
    uint32_t table[8][256];
};

void ddb_crc_init(struct ddb_crc *crc);
/* Of these bytes; 0 of none. */
uint32_t ddb_crc32(const struct ddb_crc *crc, struct larder_bytes bytes);
/* The same, by the table alone. */
uint32_t ddb_crc32_by_table(const struct ddb_crc *crc, struct larder_bytes bytes);

#endif
