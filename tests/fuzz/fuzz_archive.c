/*
 * The reader of archives over any bytes.  With bit 0 of the first byte, the preamble and the length and checksum
 * of each record are made right first, so that what stands behind them is reached.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../cli/archive.h"
#include "fuzz.h"
#include "hash.h"

enum { PREAMBLE = 8, SEALED_FROM = 24 };

static void put64(uint8_t *to, uint64_t value) {
    for (int i = 0; i < 8; i++)
        to[i] = (uint8_t)(value >> 8 * i);
}

static void seal(uint8_t *bytes, size_t size) {
    static const uint8_t preamble[PREAMBLE] = {0xC1, 'L', 'D', 'A', 1, 0, 0, 0};
    if (size < PREAMBLE)
        return;
    memcpy(bytes, preamble, PREAMBLE);
    for (size_t at = PREAMBLE; size - at >= SEALED_FROM;) {
        const uint64_t claimed = larder_frame_length(bytes + at);
        const size_t len = claimed >= SEALED_FROM && claimed <= size - at ? (size_t)claimed : size - at;
        put64(bytes + at + 8, len);
        put64(bytes + at + 16, hash_64(bytes + at + SEALED_FROM, len - SEALED_FROM));
        at += len;
    }
}

/* Every byte is looked at: a sanitizer tells of what is outside. */
static uint64_t touch(struct larder_bytes bytes) {
    uint64_t sum = 0;
    for (size_t i = 0; i < bytes.len; i++)
        sum += bytes.ptr[i];
    return sum;
}

static int32_t read_all(FILE *file, size_t size, struct archive_writer *copy) {
    struct archive_reader reader;
    int32_t status = archive_open(&reader, file);
    CHECK(touch(reader.proof.tag) != UINT64_MAX);
    while (status == LARDER_OK && (status = archive_next(&reader)) == LARDER_OK) {
        CHECK(touch(reader.build) != UINT64_MAX && touch(reader.entry.key) != UINT64_MAX);
        if (copy)
            archive_put(copy, reader.build, &reader.entry);
    }
    CHECK(status == LARDER_MISS || status == LARDER_CORRUPT);
    CHECK((status == LARDER_CORRUPT) == (reader.why != NULL));
    CHECK(reader.at <= size);
    archive_done(&reader);
    return status;
}

/* What was read is written, and is whole. */
static void check_again(uint8_t *bytes, size_t size) {
    char *text = NULL;
    size_t len = 0;
    struct archive_writer copy;
    const struct archive_proof proof = {{(const uint8_t *)"t", 1}, 5};
    FILE *to = open_memstream(&text, &len), *from = fmemopen(bytes, size, "rb");
    CHECK(to != NULL && from != NULL);
    CHECK(archive_begin(&copy, to, &proof, 0) == LARDER_OK);
    read_all(from, size, &copy);
    CHECK(archive_end(&copy) == LARDER_OK);
    fclose(from);
    fclose(to);
    from = fmemopen(text, len, "rb");
    CHECK(from != NULL && read_all(from, len, NULL) == LARDER_MISS);
    fclose(from);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2) /* fmemopen() takes no empty memory */
        return 0;
    const bool sealed = data[0] & 1;
    uint8_t *bytes = malloc(--size);
    CHECK(bytes != NULL);
    memcpy(bytes, data + 1, size);
    if (sealed)
        seal(bytes, size);
    check_again(bytes, size);
    free(bytes);
    return 0;
}
