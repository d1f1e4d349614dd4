/*
 * The JSON of a build output, as `larder seed` reads it and makes entries of it: as something that was fetched,
 * and as the .meta, page data and HTML of a page, in the manner that the first byte chooses.
 */
#include <stdlib.h>
#include <string.h>

#include "../../cli/seed_entry.h"
#include "bytes.h"
#include "fuzz.h"

static uint64_t touched;

/* Every byte is looked at: a sanitizer tells of what is outside. */
static void touch(struct larder_bytes bytes) {
    for (size_t i = 0; i < bytes.len; i++)
        touched += bytes.ptr[i];
}

static void walk_all(struct span value, int depth) {
    struct span_walk walk = {0};
    double number;
    touch(value.text);
    if (value.type == SPAN_NUMBER)
        span_number(value, &number);
    (void)seed_life_ms(value);
    if (value.type == SPAN_TEXT) {
        uint8_t *out = malloc(value.text.len);
        CHECK(out != NULL);
        touch((struct larder_bytes){out, span_characters(value, out)});
        free(out);
    }
    while (depth < 200 && span_next(value, &walk)) {
        CHECK(walk.value.type != SPAN_NONE);
        CHECK(walk.value.text.ptr >= value.text.ptr &&
              walk.value.text.ptr + walk.value.text.len <= value.text.ptr + value.text.len);
        if (value.type == SPAN_OBJECT)
            walk_all(walk.name, depth + 1);
        walk_all(walk.value, depth + 1);
    }
}

/* What is made is JSON again, refers to parts that there are, and can be stored where its texts are texts. */
static void make(const struct seed_source *source) {
    struct seed_entry made = {0};
    struct larder_frame *frame = NULL;
    struct span meta;
    size_t at;
    seed_entry_make(&made, source);
    if (!made.too_deep) {
        CHECK(span_document(made.entry.meta, &meta, &at));
        CHECK(source->shape == SEED_FETCH || meta.type == SPAN_OBJECT);
    }
    for (size_t i = 0; i < made.entry.n_tags; i++)
        touch(made.tags[i]);
    made.entry.revalidate_ms = made.entry.expire_ms = LARDER_UNSET;
    int32_t status = larder_frame_encode(&made.entry, &frame);
    CHECK(status == LARDER_OK || status == LARDER_INVALID);
    larder_frame_free(frame);
    seed_entry_done(&made);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct span root;
    size_t at;
    if (size == 0)
        return 0;
    const uint8_t how = data[0];
    const struct larder_bytes text = {data + 1, size - 1};
    if (!span_document(text, &root, &at)) {
        CHECK(at <= text.len && root.type == SPAN_NONE);
        return 0;
    }
    walk_all(root, 0);
    const struct seed_segment segment = {{(const uint8_t *)"/_tree", 6}, text};
    const struct seed_source source = {.shape = (enum seed_shape)(how & 3),
                                       .next_major = how & 4 ? 14 : 16,
                                       .key = bytes_of(how & 8 ? "/index" : "/route-cache/PAGES/0/$/a"),
                                       .meta = root,
                                       .page_data = root,
                                       .fetch = root,
                                       .html = {text, true},
                                       .rsc = {text, true},
                                       .body = {text, true},
                                       .has_segments = (how & 16) != 0,
                                       .segments = &segment,
                                       .n_segments = 1};
    make(&source);
    return 0;
}
