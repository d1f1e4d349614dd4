/* MD5_Init() and its kind for the reason that drivers/aws/aws_sign.c gives for SHA256_Init(). */
#define OPENSSL_SUPPRESS_DEPRECATED /* lint: see above */

#include "sum.h"

#include <openssl/md5.h>
#include <string.h>

static void base64(char *out, const uint8_t *bytes, size_t len) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < len; i += 3) {
        const uint32_t three = (uint32_t)bytes[i] << 16 | (i + 1 < len ? (uint32_t)bytes[i + 1] << 8 : 0) |
                               (i + 2 < len ? bytes[i + 2] : 0);
        *out++ = digits[three >> 18];
        *out++ = digits[three >> 12 & 63];
        *out++ = digits[three >> 6 & 63];
        *out++ = digits[three & 63];
        if (i + 2 >= len)
            out[-1] = '=';
        if (i + 1 >= len)
            out[-2] = '=';
    }
    *out = '\0';
}

void s3_md5(struct larder_bytes bytes, char out[S3_MD5_SIZE]) {
    MD5_CTX md5;
    uint8_t sum[MD5_DIGEST_LENGTH];
    MD5_Init(&md5);
    MD5_Update(&md5, bytes.ptr, bytes.len);
    MD5_Final(sum, &md5);
    base64(out, sum, sizeof(sum));
}

void s3_crc_init(struct s3_crc *crc) {
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t c = i;
        for (int bit = 0; bit < 8; bit++)
            c = c & 1 ? c >> 1 ^ 0xEDB88320u : c >> 1;
        crc->table[0][i] = c;
    }
    for (unsigned t = 1; t < 8; t++)
        for (unsigned i = 0; i < 256; i++)
            crc->table[t][i] = crc->table[t - 1][i] >> 8 ^ crc->table[0][crc->table[t - 1][i] & 255];
}

static uint32_t little(const uint8_t *at) {
    return at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

void s3_crc_of(const struct s3_crc *crc, struct larder_bytes bytes, char out[S3_CRC_SIZE]) {
    const uint32_t(*t)[256] = crc->table;
    uint32_t c = 0xFFFFFFFFu;
    size_t i = 0;
    for (; bytes.len - i >= 8; i += 8) {
        const uint32_t low = c ^ little(bytes.ptr + i), high = little(bytes.ptr + i + 4);
        c = t[7][low & 255] ^ t[6][low >> 8 & 255] ^ t[5][low >> 16 & 255] ^ t[4][low >> 24] ^
            t[3][high & 255] ^ t[2][high >> 8 & 255] ^ t[1][high >> 16 & 255] ^ t[0][high >> 24];
    }
    for (; i < bytes.len; i++)
        c = c >> 8 ^ t[0][(c ^ bytes.ptr[i]) & 255];
    c = ~c;
    base64(out, (const uint8_t[]){(uint8_t)(c >> 24), (uint8_t)(c >> 16), (uint8_t)(c >> 8), (uint8_t)c}, 4);
}
