/* expand() over any bytes: never more than its bound, and what it gives survives squeeze(). */
#include "buf.h"
#include "bytes.h"
#include "fuzz.h"
#include "squeeze.h"

enum { MAX_RAW = 1 << 18 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct squeezer *s; /* libFuzzer calls this for as long as the process lives */
    struct larder_slice stored = {0}, raw = {0}, again = {0}, back = {0};
    const char *detail = NULL;
    uint64_t raw_len = 0;
    bool coded = false;
    if (s == NULL)
        s = squeezer_new(1);
    CHECK(s != NULL);
    uint8_t *copy = buf_new(size, &stored);
    CHECK(copy != NULL);
    bytes_put(copy, (struct larder_bytes){data, size});

    int32_t look = squeeze_look(slice_bytes(stored), MAX_RAW, &raw_len, &coded, &detail);
    CHECK((look == LARDER_CORRUPT) == (detail != NULL));
    detail = NULL;
    int32_t status = expand(s, stored, MAX_RAW, &raw, &detail);
    CHECK(status == LARDER_OK || status == LARDER_CORRUPT || status == LARDER_MISS);
    CHECK((status == LARDER_CORRUPT) == (detail != NULL));
    CHECK(look == LARDER_OK || look == status);
    if (status == LARDER_OK) {
        CHECK(raw.len == raw_len && (coded || raw.len == size || raw.len + SQUEEZE_HEADER_LEN == size));
        CHECK(squeeze(s, raw, 0, &again) == LARDER_OK);
        CHECK(expand(s, again, raw.len, &back, &detail) == LARDER_OK);
        CHECK(bytes_equal(slice_bytes(raw), slice_bytes(back)));
    }
    slice_done(&stored);
    slice_done(&raw);
    slice_done(&again);
    slice_done(&back);
    CHECK(buf_live() == 0);
    return 0;
}
