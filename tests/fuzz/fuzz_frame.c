/*
 * frame_decode() over any bytes.  The first byte says how: bit 0 for V8, bit 1: make the length
 * and the checksum right first, so that what stands behind them is reached.
 */
#include <string.h>

#include "buf.h"
#include "bytes.h"
#include "frame.h"
#include "fuzz.h"
#include "hash.h"

static void put64(uint8_t *to, uint64_t value) {
    for (int i = 0; i < 8; i++)
        to[i] = (uint8_t)(value >> 8 * i);
}

static void check_same(const struct larder_entry *a, const struct larder_entry *b) {
    CHECK(a->kind == b->kind && a->epoch == b->epoch && a->modified_ms == b->modified_ms);
    CHECK(a->revalidate_ms == b->revalidate_ms && a->expire_ms == b->expire_ms);
    CHECK(bytes_equal(a->key, b->key) && bytes_equal(a->meta, b->meta));
    CHECK(a->n_tags == b->n_tags && a->n_parts == b->n_parts);
    for (size_t i = 0; i < a->n_tags; i++)
        CHECK(bytes_equal(a->tags[i], b->tags[i]));
    for (uint32_t i = 0; i < a->n_parts; i++) {
        CHECK(bytes_equal(a->parts[i].name, b->parts[i].name));
        CHECK(bytes_equal(a->parts[i].data, b->parts[i].data));
        CHECK(a->parts[i].encoding == b->parts[i].encoding);
    }
}

/* What was decoded can be encoded, and reads the same. */
static void check_again(struct larder_entry entry, bool v8) {
    struct larder_slice bytes = {0};
    struct frame frame;
    const char *detail = NULL;
    if (entry.kind == 0 || entry.kind >= LARDER_N_KINDS)
        entry.kind = LARDER_PAGE;
    int32_t status = frame_encode(&entry, UINT64_MAX, &bytes);
    /* For V8 every text was looked at; else one that is not WTF-8 may have come this far. */
    CHECK(status == LARDER_OK || (!v8 && status == LARDER_INVALID));
    if (status != LARDER_OK)
        return;
    CHECK(frame_decode(bytes, entry.key, v8, &frame, &detail) == LARDER_OK);
    check_same(&entry, &frame.entry);
    frame_done(&frame);
    slice_done(&bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct larder_slice bytes = {0};
    struct frame frame;
    const char *detail = NULL;
    if (size < 1)
        return 0;
    bool v8 = data[0] & 1, seal = data[0] & 2;
    data++;
    size--;
    uint8_t *copy = buf_new(size, &bytes);
    CHECK(copy != NULL);
    bytes_put(copy, (struct larder_bytes){data, size});
    if (seal && size >= 24) {
        put64(copy + 8, size);
        put64(copy + 16, hash_64(copy + 24, size - 24));
    }
    int32_t status = frame_decode(bytes, (struct larder_bytes){0}, v8, &frame, &detail);
    CHECK(status == LARDER_OK || status == LARDER_CORRUPT || status == LARDER_MISS);
    CHECK((status == LARDER_CORRUPT) == (detail != NULL));
    if (status == LARDER_OK) {
        check_again(frame.entry, v8);
        frame_done(&frame);
    }
    slice_done(&bytes);
    CHECK(buf_live() == 0);
    return 0;
}
