/*
 * Writes inputs that a fuzzer would hardly find: seeds FOLDER.  Frames and compressed values are
 * written by the code itself, so they follow the format when it changes.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "bytes.h"
#include "frame.h"
#include "fuzz.h"
#include "squeeze.h"

#define BYTES(text) \
    { (const uint8_t *)(text), sizeof(text) - 1 }

static void save(const char *folder, const char *name, const char *first, struct larder_bytes bytes) {
    char path[4096];
    int len = snprintf(path, sizeof(path), "%s/%s", folder, name);
    CHECK(len > 0 && (size_t)len < sizeof(path));
    FILE *file = fopen(path, "wb");
    CHECK(file != NULL);
    CHECK(fwrite(first, 1, strlen(first), file) == strlen(first));
    CHECK(fwrite(bytes.ptr, 1, bytes.len, file) == bytes.len);
    CHECK(fclose(file) == 0);
}

int main(int argc, char **argv) {
    CHECK(argc == 2);
    static const uint16_t wide[] = {'<', 'p', '>', 0x4E2D, 0xD83D, 0xDE00, 0xD800, 'x'};
    static const struct larder_bytes tags[] = {BYTES("posts"), BYTES("_N_T_/blog")};
    static const struct larder_part parts[] = {
        {BYTES("html"), {(const uint8_t *)wide, sizeof(wide)}, LARDER_UTF16, 0},
        {BYTES("rscData"), BYTES("0:[\"$\",\"main\"]"), LARDER_BINARY, 0},
        {BYTES("again"), {(const uint8_t *)wide, sizeof(wide)}, LARDER_UTF16, 0},
        {BYTES("plain"), BYTES("plain"), LARDER_UTF8, 0},
        {BYTES("latin1"), BYTES("caf\xe9"), LARDER_LATIN1, 0},
    };
    const struct larder_entry page = {.kind = LARDER_PAGE,
                                      .n_parts = N_ELEMENTS(parts),
                                      .key = BYTES("/blog/hello"),
                                      .meta = BYTES("{\"status\":200}"),
                                      .epoch = 5,
                                      .modified_ms = 6,
                                      .revalidate_ms = 7,
                                      .expire_ms = LARDER_FOREVER,
                                      .tags = tags,
                                      .n_tags = N_ELEMENTS(tags),
                                      .parts = parts};
    const struct larder_entry empty = {.kind = LARDER_FETCH};
    struct larder_slice frame = {0}, squeezed = {0};

    CHECK(frame_encode(&empty, UINT64_MAX, &frame) == LARDER_OK);
    save(argv[1], "frame-empty", "\x02", slice_bytes(frame));
    slice_done(&frame);
    CHECK(frame_encode(&page, UINT64_MAX, &frame) == LARDER_OK);
    save(argv[1], "frame-page-v8", "\x03", slice_bytes(frame));
    save(argv[1], "frame-page-utf8", "\x02", slice_bytes(frame));
    save(argv[1], "expand-raw", "", slice_bytes(frame));
    struct squeezer *s = squeezer_new(1);
    CHECK(s != NULL);
    struct larder_slice markup = {0};
    uint8_t *to = buf_new(4000, &markup);
    CHECK(to != NULL);
    for (size_t i = 0; i < 4000; i++)
        to[i] = (uint8_t) "<p>a card</p>"[i * i % 13];
    CHECK(squeeze(s, markup, 0, &squeezed) == LARDER_OK);
    save(argv[1], "expand-zstd", "", slice_bytes(squeezed));
    static const char looks[] = "\xc1LDZ but raw";
    slice_done(&markup);
    slice_done(&squeezed);
    to = buf_new(sizeof(looks), &markup);
    CHECK(to != NULL);
    memcpy(to, looks, sizeof(looks));
    CHECK(squeeze(s, markup, 0, &squeezed) == LARDER_OK);
    save(argv[1], "expand-header", "", slice_bytes(squeezed));
    slice_done(&markup);
    slice_done(&squeezed);
    slice_done(&frame);
    squeezer_free(s);
    return 0;
}
