/* Checksums as S3 wants them: in base64.  Pure. */
#ifndef S3_SUM_H
#define S3_SUM_H

#include <stdbool.h>
#include <stdint.h>

#include "larder/driver.h"

enum { S3_MD5_SIZE = 25, S3_CRC_SIZE = 9 }; /* with their NUL */

/* For Content-MD5. */
void s3_md5(struct larder_bytes bytes, char out[S3_MD5_SIZE]);

struct s3_crc { /* 8 KB of tables: eight bytes at a time */
    uint32_t table[8][256];
};
void s3_crc_init(struct s3_crc *crc);
/* CRC-32 of IEEE 802.3, as in x-amz-checksum-crc32. */
void s3_crc_of(const struct s3_crc *crc, struct larder_bytes bytes, char out[S3_CRC_SIZE]);

#endif
