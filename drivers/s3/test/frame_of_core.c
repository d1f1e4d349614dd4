#include "frame_of_core.h"

#include <stdlib.h>
#include <string.h>

#include "larder/larder.h"

bool core_reads(struct larder_bytes bytes) {
    struct larder_frame *frame = NULL;
    const int32_t status = larder_frame_decode(bytes, &frame);
    larder_frame_free(frame);
    return status == LARDER_OK;
}

#define OF(text) \
    { (const uint8_t *)(text), sizeof(text) - 1 }

struct larder_bytes core_writes(uint8_t *room, size_t size) {
    static const uint16_t wide[] = {'<', 'p', '>', 0x4E2D};
    static const struct larder_bytes tags[] = {OF("a"), OF("b")};
    static const struct larder_part parts[] = {
        {OF("html"), {(const uint8_t *)wide, sizeof(wide)}, LARDER_UTF16, 0},
        {OF("rscData"), OF("bytes"), LARDER_BINARY, 0},
        {OF("again"), {(const uint8_t *)wide, sizeof(wide)}, LARDER_UTF16, 0},
        {OF("plain"), OF("plain"), LARDER_UTF8, 0},
    };
    const struct larder_entry entry = {.kind = LARDER_PAGE,
                                       .n_parts = 4,
                                       .key = OF("/blog"),
                                       .meta = OF("{}"),
                                       .epoch = 5,
                                       .tags = tags,
                                       .n_tags = 2,
                                       .parts = parts};
    struct larder_frame *frame = NULL;
    if (larder_frame_encode(&entry, &frame) != LARDER_OK)
        abort();
    const struct larder_bytes bytes = larder_frame_bytes(frame);
    if (bytes.len > size)
        abort();
    memcpy(room, bytes.ptr, bytes.len);
    larder_frame_free(frame);
    return (struct larder_bytes){room, bytes.len};
}
