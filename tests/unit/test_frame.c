#include <string.h>

#include "buf.h"
#include "bytes.h"
#include "frame.h"
#include "hash.h"
#include "random.h"
#include "unit.h"
#define FAILING_ALLOC_HERE
#include "failing_alloc.h"

#define BYTES(text) \
    { (const uint8_t *)(text), sizeof(text) - 1 }
#define ANY_KEY ((struct larder_bytes){0})

static const uint16_t surrogates[] = {'<', 'p', '>', 0x4E2D, 0xD83D, 0xDE00, 0xD800, 'x', 0xDC00};
static const char rsc[] = "0:[\"$\",\"main\",null]";

/* A page with every encoding, a repeat of a binary part and one of a text, and empty ones. */
static const struct larder_bytes page_tags[] = {BYTES("posts"), BYTES(""), BYTES("_N_T_/blog/\xff")};
static const struct larder_part page_parts[] = {
    {BYTES("html"), {(const uint8_t *)surrogates, sizeof(surrogates)}, LARDER_UTF16, 0},
    {BYTES("rsc"), BYTES(rsc), LARDER_BINARY, 0},
    {BYTES("ascii"), BYTES("plain text"), LARDER_UTF8, 0},
    {BYTES("utf8"), BYTES("caf\xc3\xa9 \xe4\xb8\xad"), LARDER_UTF8, 0},
    {BYTES("latin1"), BYTES("caf\xe9"), LARDER_LATIN1, 0},
    {BYTES("segment:/_full"), BYTES(rsc), LARDER_BINARY, 0},
    {BYTES("again"), {(const uint8_t *)surrogates, sizeof(surrogates)}, LARDER_UTF16, 0},
    {BYTES(""), BYTES(""), LARDER_UTF8, 0},
    {BYTES("nothing"), {NULL, 0}, LARDER_BINARY, 0},
    {BYTES("bytes"), BYTES("\x00\xff\x80\n"), LARDER_BINARY, 0},
};
static const struct larder_entry page = {
    .kind = LARDER_PAGE,
    .n_parts = N_ELEMENTS(page_parts),
    .key = BYTES("/blog/\x00hello"),
    .meta = BYTES("{\"status\":200}"),
    .epoch = 1763780000123,
    .modified_ms = 1763780000456,
    .revalidate_ms = 60000,
    .expire_ms = LARDER_FOREVER,
    .tags = page_tags,
    .n_tags = N_ELEMENTS(page_tags),
    .parts = page_parts,
};

static struct larder_slice encoded(const struct larder_entry *entry) {
    struct larder_slice out = {0};
    CU_ASSERT_EQUAL_FATAL(frame_encode(entry, UINT64_MAX, &out), LARDER_OK);
    return out;
}

static int32_t decoded(struct larder_slice bytes, struct larder_bytes key, bool v8, struct frame *ret) {
    const char *detail = NULL;
    int32_t status = frame_decode(bytes, key, v8, ret, &detail);
    CU_ASSERT_EQUAL(status == LARDER_CORRUPT, detail != NULL);
    return status;
}

/* A copy whose bytes may be changed. */
static struct larder_slice copied(struct larder_slice from, size_t len, uint8_t **ret) {
    struct larder_slice out = {0};
    *ret = buf_new(len, &out);
    CU_ASSERT_PTR_NOT_NULL_FATAL(*ret);
    memcpy(*ret, from.ptr, len < from.len ? len : from.len);
    return out;
}

static void put64(uint8_t *to, uint64_t value) {
    for (int i = 0; i < 8; i++)
        to[i] = (uint8_t)(value >> 8 * i);
}

/* Makes the checksum right again, so that what stands behind it is looked at. */
static void sealed(uint8_t *frame, size_t len) {
    put64(frame + 16, hash_64(frame + 24, len - 24));
}

static void check_rest_of_page(const struct larder_entry *e) {
    CU_ASSERT_EQUAL(e->kind, page.kind);
    CU_ASSERT_EQUAL(e->epoch, page.epoch);
    CU_ASSERT_EQUAL(e->modified_ms, page.modified_ms);
    CU_ASSERT_EQUAL(e->revalidate_ms, page.revalidate_ms);
    CU_ASSERT_EQUAL(e->expire_ms, page.expire_ms);
    CU_ASSERT(bytes_equal(e->key, page.key));
    CU_ASSERT(bytes_equal(e->meta, page.meta));
    CU_ASSERT_EQUAL_FATAL(e->n_tags, page.n_tags);
    for (size_t i = 0; i < e->n_tags; i++)
        CU_ASSERT(bytes_equal(e->tags[i], page.tags[i]));
    CU_ASSERT_EQUAL_FATAL(e->n_parts, page.n_parts);
    for (uint32_t i = 0; i < e->n_parts; i++)
        CU_ASSERT(bytes_equal(e->parts[i].name, page.parts[i].name));
}

static const struct larder_bytes html_utf8 = BYTES(
    "<p>\xe4\xb8\xad\xf0\x9f\x98\x80\xed\xa0\x80x\xed\xb0\x80");

static void an_entry_comes_back_as_utf8(void) {
    struct larder_slice bytes = encoded(&page);
    struct frame frame;
    CU_ASSERT_EQUAL_FATAL(decoded(bytes, page.key, false, &frame), LARDER_OK);
    check_rest_of_page(&frame.entry);
    const struct larder_part *p = frame.entry.parts;
    const struct larder_bytes want[] = {
        html_utf8,
        BYTES(rsc),
        BYTES("plain text"),
        BYTES("caf\xc3\xa9 \xe4\xb8\xad"),
        BYTES("caf\xc3\xa9"),
        BYTES(rsc),
        html_utf8,
        BYTES(""),
        BYTES(""),
        BYTES("\x00\xff\x80\n"),
    };
    for (uint32_t i = 0; i < page.n_parts; i++) {
        CU_ASSERT(bytes_equal(p[i].data, want[i]));
        CU_ASSERT_EQUAL(p[i].encoding, page_parts[i].encoding == LARDER_BINARY ? LARDER_BINARY : LARDER_UTF8);
    }
    frame_done(&frame);
    slice_done(&bytes);
    CU_ASSERT_EQUAL(buf_live(), 0);
}

static void an_entry_comes_back_as_v8_takes_it(void) {
    struct larder_slice bytes = encoded(&page);
    struct frame frame;
    CU_ASSERT_EQUAL_FATAL(decoded(bytes, page.key, true, &frame), LARDER_OK);
    check_rest_of_page(&frame.entry);
    const struct larder_part *p = frame.entry.parts;
    static const uint16_t utf8_as_16[] = {'c', 'a', 'f', 0xE9, ' ', 0x4E2D};
    const struct larder_part want[] = {
        page_parts[0],
        page_parts[1],
        {{0}, BYTES("plain text"), LARDER_LATIN1, 0},
        {{0}, {(const uint8_t *)utf8_as_16, sizeof(utf8_as_16)}, LARDER_UTF16, 0},
        {{0}, BYTES("caf\xe9"), LARDER_LATIN1, 0},
        page_parts[1],
        page_parts[0],
        {{0}, BYTES(""), LARDER_LATIN1, 0},
        {{0}, BYTES(""), LARDER_BINARY, 0},
        {{0}, BYTES("\x00\xff\x80\n"), LARDER_BINARY, 0},
    };
    for (uint32_t i = 0; i < page.n_parts; i++) {
        CU_ASSERT(bytes_equal(p[i].data, want[i].data));
        CU_ASSERT_EQUAL(p[i].encoding, want[i].encoding);
        if (p[i].encoding == LARDER_UTF16)
            CU_ASSERT_EQUAL((uintptr_t)p[i].data.ptr % 2, 0);
    }
    CU_ASSERT_PTR_EQUAL(p[6].data.ptr, p[0].data.ptr);
    frame_done(&frame);
    slice_done(&bytes);
    CU_ASSERT_EQUAL(buf_live(), 0);
}

static void ascii_needs_no_second_buffer(void) {
    const struct larder_part part = {BYTES("html"), BYTES("<p>hello</p>"), LARDER_LATIN1, 0};
    struct larder_entry entry = page;
    entry.parts = &part;
    entry.n_parts = 1;
    struct larder_slice bytes = encoded(&entry);
    struct frame frame;
    CU_ASSERT_EQUAL_FATAL(decoded(bytes, entry.key, true, &frame), LARDER_OK);
    CU_ASSERT_PTR_NULL(frame.text.owner);
    CU_ASSERT_EQUAL(frame.entry.parts[0].encoding, LARDER_LATIN1);
    CU_ASSERT(bytes_equal(frame.entry.parts[0].data, part.data));
    CU_ASSERT(frame.entry.parts[0].data.ptr > bytes.ptr &&
              frame.entry.parts[0].data.ptr < bytes.ptr + bytes.len);
    frame_done(&frame);
    slice_done(&bytes);
}

static void an_entry_with_nothing_in_it_is_one(void) {
    const struct larder_entry empty = {
        .kind = LARDER_FETCH, .revalidate_ms = LARDER_UNSET, .expire_ms = LARDER_UNSET};
    struct larder_slice bytes = encoded(&empty);
    struct frame frame;
    CU_ASSERT_EQUAL(bytes.len, 120);
    CU_ASSERT_EQUAL_FATAL(decoded(bytes, (struct larder_bytes)BYTES(""), true, &frame), LARDER_OK);
    CU_ASSERT_EQUAL(frame.entry.key.len + frame.entry.meta.len + frame.entry.n_tags + frame.entry.n_parts, 0);
    CU_ASSERT_EQUAL(frame.entry.revalidate_ms, LARDER_UNSET);
    frame_done(&frame);
    slice_done(&bytes);
}

static void parts_with_the_same_memory_are_stored_once(void) {
    static uint8_t data[1000];
    struct larder_part parts[40];
    struct larder_entry entry = {.kind = LARDER_PAGE, .n_parts = N_ELEMENTS(parts), .parts = parts};
    for (uint32_t i = 0; i < entry.n_parts; i++)
        parts[i] = (struct larder_part){BYTES("s"), {data, sizeof(data)}, LARDER_BINARY, 0};
    struct larder_slice once = encoded(&entry);
    CU_ASSERT_EQUAL(once.len, 120 + 40 * (32 + 1) + sizeof(data));
    /* A part of the same memory, another length or another encoding is another part. */
    parts[20].data.len--;
    parts[30].encoding = LARDER_LATIN1;
    struct larder_slice other = encoded(&entry);
    CU_ASSERT_EQUAL(other.len, once.len + 2 * sizeof(data) - 1);
    struct frame frame;
    CU_ASSERT_EQUAL_FATAL(decoded(other, ANY_KEY, true, &frame), LARDER_OK);
    CU_ASSERT_EQUAL(frame.entry.parts[20].data.len, sizeof(data) - 1);
    CU_ASSERT_EQUAL(frame.entry.parts[30].encoding, LARDER_LATIN1);
    CU_ASSERT_PTR_EQUAL(frame.entry.parts[39].data.ptr, frame.entry.parts[0].data.ptr);
    frame_done(&frame);
    slice_done(&once);
    slice_done(&other);
}

static void binary_parts_are_one_block_behind_the_texts(void) {
    struct larder_slice bytes = encoded(&page);
    struct frame frame;
    CU_ASSERT_EQUAL_FATAL(decoded(bytes, ANY_KEY, false, &frame), LARDER_OK);
    const struct larder_part *p = frame.entry.parts;
    const uint8_t *end = bytes.ptr + bytes.len, *block = end - p[1].data.len - p[9].data.len;
    CU_ASSERT_PTR_EQUAL(p[1].data.ptr, block);
    CU_ASSERT_PTR_EQUAL(p[9].data.ptr + p[9].data.len, end);
    CU_ASSERT_PTR_EQUAL(p[4].data.ptr + p[4].data.len, block);
    frame_done(&frame);
    slice_done(&bytes);
}

static void another_key_is_a_miss(void) {
    struct larder_slice bytes = encoded(&page);
    struct frame frame;
    CU_ASSERT_EQUAL(decoded(bytes, (struct larder_bytes)BYTES("/blog/hello"), false, &frame), LARDER_MISS);
    CU_ASSERT_EQUAL(decoded(bytes, (struct larder_bytes)BYTES(""), false, &frame), LARDER_MISS);
    slice_done(&bytes);
    CU_ASSERT_EQUAL(buf_live(), 0);
}

static void a_newer_version_is_a_miss_and_an_older_one_corrupt(void) {
    struct larder_slice bytes = encoded(&page);
    struct frame frame;
    uint8_t *at;
    struct larder_slice copy = copied(bytes, bytes.len, &at);
    CU_ASSERT_EQUAL(at[4], 1);
    at[4] = 2;
    CU_ASSERT_EQUAL(decoded(copy, ANY_KEY, false, &frame), LARDER_MISS);
    at[4] = 1;
    at[7] = 1;
    CU_ASSERT_EQUAL(decoded(copy, ANY_KEY, false, &frame), LARDER_MISS);
    at[7] = 0;
    at[4] = 0;
    CU_ASSERT_EQUAL(decoded(copy, ANY_KEY, false, &frame), LARDER_CORRUPT);
    slice_done(&copy);
    slice_done(&bytes);
}

static void every_flipped_bit_is_noticed(void) {
    struct larder_slice bytes = encoded(&page);
    uint8_t *at;
    struct larder_slice copy = copied(bytes, bytes.len, &at);
    for (size_t i = 0; i < bytes.len * 8; i++) {
        struct frame frame;
        at[i / 8] ^= (uint8_t)(1 << i % 8);
        int32_t status = decoded(copy, ANY_KEY, i % 2 == 0, &frame);
        /* The four bytes of the version may say "newer". */
        CU_ASSERT(status == LARDER_CORRUPT || (i / 8 >= 4 && i / 8 < 8 && status == LARDER_MISS));
        at[i / 8] ^= (uint8_t)(1 << i % 8);
    }
    slice_done(&copy);
    slice_done(&bytes);
    CU_ASSERT_EQUAL(buf_live(), 0);
}

static void every_truncation_and_extension_is_noticed(void) {
    struct larder_slice bytes = encoded(&page);
    for (size_t len = 0; len <= bytes.len + 40; len++) {
        struct frame frame;
        uint8_t *at;
        if (len == bytes.len)
            continue;
        struct larder_slice copy = copied(bytes, len, &at);
        if (len > bytes.len)
            memset(at + bytes.len, 0, len - bytes.len);
        CU_ASSERT_EQUAL(decoded(copy, ANY_KEY, false, &frame), LARDER_CORRUPT);
        /* Also when it says that this is its length, with a good checksum. */
        if (len >= 24) {
            put64(at + 8, len);
            sealed(at, len);
            CU_ASSERT_EQUAL(decoded(copy, ANY_KEY, true, &frame), LARDER_CORRUPT);
        }
        slice_done(&copy);
    }
    slice_done(&bytes);
    CU_ASSERT_EQUAL(buf_live(), 0);
}

/* Lengths, offsets and counts set to every interesting number, with a good checksum: what is
 * accepted must lie inside the frame. */
static void no_number_leads_outside_of_the_frame(void) {
    struct larder_slice bytes = encoded(&page);
    size_t tables_end = 120 + N_ELEMENTS(page_parts) * 32 + N_ELEMENTS(page_tags) * 4;
    static const uint64_t numbers[] = {0,
                                       1,
                                       2,
                                       3,
                                       9,
                                       119,
                                       120,
                                       0x7F,
                                       0xFF,
                                       0x7FFF,
                                       0xFFFF,
                                       0x7FFFFFFF,
                                       0x80000000,
                                       0xFFFFFFFF,
                                       0x7FFFFFFFFFFFFFFF,
                                       0x8000000000000000,
                                       0xFFFFFFFFFFFFFFF0,
                                       UINT64_MAX};
    unsigned accepted = 0, refused = 0;
    for (size_t field = 24; field < tables_end; field += 4) {
        for (size_t n = 0; n < N_ELEMENTS(numbers); n++) {
            for (size_t width = 4; width <= 8; width += 4) {
                struct frame frame;
                uint8_t *at;
                struct larder_slice copy = copied(bytes, bytes.len, &at);
                for (size_t i = 0; i < width; i++)
                    at[field + i] = (uint8_t)(numbers[n] >> 8 * i);
                sealed(at, copy.len);
                int32_t status = decoded(copy, ANY_KEY, true, &frame);
                CU_ASSERT(status == LARDER_OK || status == LARDER_CORRUPT);
                if (status == LARDER_OK) {
                    /* Encoding it again reads every byte that it points to. */
                    struct larder_slice again = {0};
                    struct larder_entry entry = frame.entry;
                    entry.kind = LARDER_PAGE;
                    CU_ASSERT_EQUAL(frame_encode(&entry, UINT64_MAX, &again), LARDER_OK);
                    slice_done(&again);
                    frame_done(&frame);
                    accepted++;
                } else {
                    refused++;
                }
                slice_done(&copy);
            }
        }
    }
    CU_ASSERT(accepted > 0 && refused > 0); /* times and the like may be anything */
    slice_done(&bytes);
    CU_ASSERT_EQUAL(buf_live(), 0);
}

static void what_cannot_be_stored_is_refused(void) {
    struct larder_part part = {BYTES("p"), BYTES("abc"), LARDER_UTF16, 0};
    struct larder_entry entry = {.kind = LARDER_PAGE, .n_parts = 1, .parts = &part};
    struct larder_slice out = {0};
    static const uint16_t aligned[4];
    CU_ASSERT_EQUAL(frame_encode(&entry, UINT64_MAX, &out), LARDER_INVALID); /* odd length */
    part.data = (struct larder_bytes){(const uint8_t *)aligned + 1, 4};
    CU_ASSERT_EQUAL(frame_encode(&entry, UINT64_MAX, &out), LARDER_INVALID); /* odd address */
    part.data = (struct larder_bytes)BYTES("caf\xe9");
    part.encoding = LARDER_UTF8;
    CU_ASSERT_EQUAL(frame_encode(&entry, UINT64_MAX, &out), LARDER_INVALID); /* not UTF-8 */
    part.encoding = 4;
    CU_ASSERT_EQUAL(frame_encode(&entry, UINT64_MAX, &out), LARDER_INVALID);
    part.encoding = LARDER_BINARY;
    entry.kind = 0;
    CU_ASSERT_EQUAL(frame_encode(&entry, UINT64_MAX, &out), LARDER_INVALID);
    entry.kind = LARDER_N_KINDS;
    CU_ASSERT_EQUAL(frame_encode(&entry, UINT64_MAX, &out), LARDER_INVALID);
    entry.kind = LARDER_PAGE;
    entry.n_parts = 65536;
    CU_ASSERT_EQUAL(frame_encode(&entry, UINT64_MAX, &out), LARDER_INVALID);
    CU_ASSERT_PTR_NULL(out.owner);
    CU_ASSERT_EQUAL(buf_live(), 0);
}

static void the_bound_is_on_the_whole_frame(void) {
    struct larder_slice whole = encoded(&page), out = {0};
    CU_ASSERT_EQUAL(frame_encode(&page, whole.len - 1, &out), LARDER_TOO_BIG);
    CU_ASSERT_PTR_NULL(out.owner);
    CU_ASSERT_EQUAL(frame_encode(&page, whole.len, &out), LARDER_OK);
    slice_done(&out);
    slice_done(&whole);
}

static void as_many_parts_as_allowed_take_no_quadratic_time(void) {
    enum { N = 65535 };
    static uint8_t data[N];
    struct larder_part *parts = calloc(N, sizeof(*parts));
    CU_ASSERT_PTR_NOT_NULL_FATAL(parts);
    for (uint32_t i = 0; i < N; i++)
        parts[i] = (struct larder_part){.data = {data + i / 2, 1}, .encoding = LARDER_UTF8};
    struct larder_entry entry = {.kind = LARDER_PAGE, .n_parts = N, .parts = parts};
    struct larder_slice bytes = encoded(&entry);
    CU_ASSERT_EQUAL(bytes.len, 120 + N * 32 + (N + 1) / 2);
    struct frame frame;
    CU_ASSERT_EQUAL_FATAL(decoded(bytes, ANY_KEY, true, &frame), LARDER_OK);
    CU_ASSERT_PTR_EQUAL(frame.entry.parts[N - 2].data.ptr, frame.entry.parts[N - 3].data.ptr);
    frame_done(&frame);
    slice_done(&bytes);
    free(parts);
}

static void without_memory_nothing_is_left_behind(void) {
    struct larder_slice bytes = encoded(&page);
    unsigned failed = 0;
    for (unsigned long n = 1;; n++) {
        struct larder_slice out = {0};
        struct frame frame = {0};
        alloc_failures = 0;
        alloc_countdown = n;
        int32_t made = frame_encode(&page, UINT64_MAX, &out);
        int32_t read = frame_decode(bytes, page.key, true, &frame, &(const char *){NULL});
        alloc_countdown = 0;
        if (alloc_failures == 0) {
            CU_ASSERT(made == LARDER_OK && read == LARDER_OK);
            frame_done(&frame);
            slice_done(&out);
            break;
        }
        failed++;
        CU_ASSERT((made == LARDER_NOMEM) != (read == LARDER_NOMEM));
        CU_ASSERT_EQUAL(made == LARDER_OK, out.owner != NULL);
        CU_ASSERT_EQUAL(read == LARDER_OK, frame.arrays != NULL);
        frame_done(&frame);
        slice_done(&out);
        CU_ASSERT_EQUAL(buf_live(), 1);
    }
    CU_ASSERT_EQUAL(failed, 4); /* plan and frame; arrays and text */
    slice_done(&bytes);
}

/* A random entry: encode, decode both ways, compare with what went in. */
static void random_entries_come_back(void) {
    uint64_t seed = 42, state = seed;
    static uint16_t pool[4096];
    for (size_t i = 0; i < N_ELEMENTS(pool); i++)
        pool[i] = (uint16_t)(random_below(&state, 9) > 0 ? 32 + random_below(&state, 90)
                                                         : random_next(&state) & 0xFFFF);
    for (int round = 0; round < 500; round++) {
        struct larder_part parts[12];
        struct larder_bytes tags[6];
        struct larder_entry entry = {.kind = 1 + random_below(&state, 4), .parts = parts, .tags = tags};
        entry.n_parts = random_below(&state, N_ELEMENTS(parts) + 1);
        entry.n_tags = random_below(&state, N_ELEMENTS(tags) + 1);
        entry.epoch = (int64_t)random_next(&state);
        entry.modified_ms = (int64_t)random_next(&state);
        entry.revalidate_ms = (int64_t)random_next(&state);
        entry.expire_ms = (int64_t)random_next(&state);
        entry.key = (struct larder_bytes){(const uint8_t *)pool, random_below(&state, 300)};
        entry.meta = (struct larder_bytes){(const uint8_t *)pool + 5, random_below(&state, 300)};
        for (size_t i = 0; i < entry.n_tags; i++)
            tags[i] = (struct larder_bytes){(const uint8_t *)pool + random_below(&state, 99),
                                            random_below(&state, 40)};
        for (uint32_t i = 0; i < entry.n_parts; i++) {
            static const uint32_t encodings[] = {LARDER_BINARY, LARDER_LATIN1, LARDER_UTF16};
            parts[i].name = (struct larder_bytes){(const uint8_t *)pool + i, random_below(&state, 20)};
            parts[i].encoding = encodings[random_below(&state, 3)];
            parts[i].reserved = 0;
            parts[i].data = (struct larder_bytes){(const uint8_t *)(pool + random_below(&state, 2000)),
                                                  2 * (size_t)random_below(&state, 2000)};
            if (i > 0 && random_below(&state, 3) == 0)
                parts[i] = parts[random_below(&state, i)];
        }
        struct larder_slice bytes = encoded(&entry);
        struct frame frame;
        CU_ASSERT_EQUAL_FATAL(decoded(bytes, entry.key, true, &frame), LARDER_OK);
        const struct larder_entry *e = &frame.entry;
        bool good = e->kind == entry.kind && e->n_parts == entry.n_parts && e->n_tags == entry.n_tags &&
                    e->epoch == entry.epoch && e->modified_ms == entry.modified_ms &&
                    e->revalidate_ms == entry.revalidate_ms && e->expire_ms == entry.expire_ms &&
                    bytes_equal(e->meta, entry.meta);
        for (size_t i = 0; good && i < e->n_tags; i++)
            good = bytes_equal(e->tags[i], entry.tags[i]);
        for (uint32_t i = 0; good && i < e->n_parts; i++) {
            const struct larder_part *in = &entry.parts[i], *out = &e->parts[i];
            good = bytes_equal(in->name, out->name);
            if (in->encoding == LARDER_UTF16 && out->encoding == LARDER_LATIN1) {
                good = good && out->data.len * 2 == in->data.len;
                for (size_t j = 0; good && j < out->data.len; j++)
                    good = ((const uint16_t *)(const void *)in->data.ptr)[j] == out->data.ptr[j];
            } else {
                good = good && in->encoding == out->encoding && bytes_equal(in->data, out->data);
            }
        }
        CU_ASSERT(good);
        if (!good)
            printf("seed %llu, round %d\n", (unsigned long long)seed, round);
        frame_done(&frame);
        slice_done(&bytes);
    }
    CU_ASSERT_EQUAL(buf_live(), 0);
}

/* The layout is a promise to stores that are filled: this frame must read for ever. */
static void a_frame_of_version_1_is_these_bytes(void) {
    static const struct larder_bytes tag = BYTES("t");
    static const struct larder_part part = {BYTES("n"), BYTES("x"), LARDER_UTF8, 0};
    const struct larder_entry entry = {.kind = LARDER_FETCH,
                                       .n_parts = 1,
                                       .key = BYTES("k"),
                                       .meta = BYTES("{}"),
                                       .epoch = 1,
                                       .modified_ms = 2,
                                       .revalidate_ms = 3,
                                       .expire_ms = 4,
                                       .tags = &tag,
                                       .n_tags = 1,
                                       .parts = &part};
    static const uint8_t
        want[] =
            {
                0xC1, 'L', 'D', 'F', 1, 0, 0, 0, 162, 0, 0, 0, 0, 0, 0, 0, 0, 0,   0,   0,   0,   0,   0,
                0, /* the checksum, compared below */
                1,    0,   0,   0,   0, 0, 0, 0, 2,   0, 0, 0, 0, 0, 0, 0, 3, 0,   0,   0,   0,   0,   0,
                0,    4,   0,   0,   0, 0, 0, 0, 0,   2, 0, 0, 0, 1, 0, 0, 0, 1,   0,   0,   0,   0,   0,
                0,    0,   1,   0,   0, 0, 0, 0, 0,   0, 2, 0, 0, 0, 0, 0, 0, 0,   1,   0,   0,   0,   0,
                0,    0,   0,   1,   0, 0, 0, 0, 0,   0, 0, 1, 0, 0, 0, 0, 0, 0,   0,   0,   0,   0,   0,
                0,    0,   0,   0,   0, 0, 0, 0, 0,   0, 0, 0, 1, 0, 0, 0, 0, 0,   0,   0,   2,   0,   0,
                0,    1,   0,   0,   0, 0, 0, 0, 0,   0, 0, 0, 0, 1, 0, 0, 0, 'k', '{', '}', 'n', 't', 'x',
            };
    struct larder_slice bytes = encoded(&entry);
    CU_ASSERT_EQUAL_FATAL(bytes.len, sizeof(want));
    CU_ASSERT_EQUAL(memcmp(bytes.ptr, want, 16), 0);
    CU_ASSERT_EQUAL(memcmp(bytes.ptr + 24, want + 24, sizeof(want) - 24), 0);
    uint8_t checksum[8];
    put64(checksum, hash_64(want + 24, sizeof(want) - 24));
    CU_ASSERT_EQUAL(memcmp(bytes.ptr + 16, checksum, 8), 0);
    slice_done(&bytes);
}

static void only_large_frames_and_large_texts_that_are_not_ascii_are_slow(void) {
    static uint16_t cjk[40000];
    static uint8_t ascii[500000], binary[2 << 20];
    for (size_t i = 0; i < 40000; i++)
        cjk[i] = 0x6f22;
    memset(ascii, 'x', sizeof(ascii));
    const struct {
        struct larder_part part;
        bool slow, slow_for_v8;
    } cases[] = {
        {{.data = {ascii, sizeof(ascii)}, .encoding = LARDER_UTF8}, false, false},
        {{.data = {binary, sizeof(ascii)}, .encoding = LARDER_BINARY}, false, false},
        {{.data = {binary, sizeof(binary)}, .encoding = LARDER_BINARY}, true, true},
        {{.data = {(const uint8_t *)cjk, 2000}, .encoding = LARDER_UTF16}, false, false},
        {{.data = {(const uint8_t *)cjk, sizeof(cjk)}, .encoding = LARDER_UTF16}, false, true},
    };
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        struct larder_entry entry = {.kind = LARDER_PAGE, .n_parts = 1, .parts = &cases[i].part};
        struct larder_slice slice;
        CU_ASSERT_FATAL(frame_encode(&entry, 8 << 20, &slice) == LARDER_OK);
        CU_ASSERT(frame_is_slow(slice, false) == cases[i].slow);
        CU_ASSERT(frame_is_slow(slice, true) == cases[i].slow_for_v8);
        slice_done(&slice);
    }
    /* Rubbish is only looked at: a table of parts that claims to be endless, and no frame at all. */
    struct larder_slice rubbish;
    memset(buf_new(100000, &rubbish), 0xff, 100000);
    frame_is_slow(rubbish, true);
    slice_done(&rubbish);
    memset(buf_new(10, &rubbish), 0xff, 10);
    CU_ASSERT(!frame_is_slow(rubbish, true));
    slice_done(&rubbish);
}

static void a_program_packs_and_unpacks_entries(void) {
    struct larder_frame *first = NULL, *second = NULL;
    CU_ASSERT_FATAL(larder_frame_encode(&page, &first) == LARDER_OK);
    struct larder_bytes bytes = larder_frame_bytes(first);
    CU_ASSERT(larder_frame_length(bytes.ptr) == bytes.len);
    CU_ASSERT_FATAL(larder_frame_decode(bytes, &second) == LARDER_OK);
    CU_ASSERT(bytes_equal(larder_frame_bytes(second), bytes));
    larder_frame_free(first);
    const struct larder_entry *entry = larder_frame_entry(second);
    CU_ASSERT(bytes_equal(entry->key, page.key) && entry->n_parts == page.n_parts);
    CU_ASSERT(larder_frame_encode(entry, &first) == LARDER_OK); /* what was read is stored as it was */
    CU_ASSERT(bytes_equal(larder_frame_bytes(first), larder_frame_bytes(second)));
    bytes = larder_frame_bytes(second);
    bytes.len--;
    struct larder_frame *none = NULL;
    CU_ASSERT(larder_frame_decode(bytes, &none) == LARDER_CORRUPT && none == NULL);
    CU_ASSERT(larder_frame_encode(&(struct larder_entry){.kind = 99}, &none) == LARDER_INVALID);
    CU_ASSERT(larder_frame_length((const uint8_t *)"no frame at all.") == 0);
    larder_frame_free(first);
    CU_ASSERT_PTR_NULL(larder_frame_free(second));
    CU_ASSERT_PTR_NULL(larder_frame_free(NULL));
}

UNIT_MAIN("frame", UNIT(a_program_packs_and_unpacks_entries),
          UNIT(only_large_frames_and_large_texts_that_are_not_ascii_are_slow),
          UNIT(an_entry_comes_back_as_utf8), UNIT(an_entry_comes_back_as_v8_takes_it),
          UNIT(ascii_needs_no_second_buffer), UNIT(an_entry_with_nothing_in_it_is_one),
          UNIT(parts_with_the_same_memory_are_stored_once), UNIT(binary_parts_are_one_block_behind_the_texts),
          UNIT(another_key_is_a_miss), UNIT(a_newer_version_is_a_miss_and_an_older_one_corrupt),
          UNIT(every_flipped_bit_is_noticed), UNIT(every_truncation_and_extension_is_noticed),
          UNIT(no_number_leads_outside_of_the_frame), UNIT(what_cannot_be_stored_is_refused),
          UNIT(the_bound_is_on_the_whole_frame), UNIT(as_many_parts_as_allowed_take_no_quadratic_time),
          UNIT(without_memory_nothing_is_left_behind), UNIT(random_entries_come_back),
          UNIT(a_frame_of_version_1_is_these_bytes))
