/*
 * What the stored form costs: encoding and decoding a page of 300 KB, with memcpy of the same
 * bytes in the same run to compare with.  Rounds take turns, the median counts.
 *
 *     bench_frame [--json] [--rounds N]
 */

#include "../bench.h"
#include "buf.h"
#include "bytes.h"
#include "frame.h"
#include "hash.h"
#include "squeeze.h"

enum { HTML_UNITS = 200 * 1024, RSC_LEN = 60 * 1024, SEGMENT_LEN = 2 * 1024, N_SEGMENTS = 20 };
enum { N_PARTS = 3 + N_SEGMENTS };
static const uint64_t ROUND_NS = 2000000;

struct page {
    const char *name;
    struct larder_part parts[N_PARTS];
    struct larder_entry entry;
    struct larder_slice frame, squeezed;
    uint8_t *copy; /* room for memcpy */
    struct squeezer *squeezer;
};

static volatile uint64_t sink; /* keeps results alive */

/* ---- the page ---------------------------------------------------------------------- */

/* Markup whose words repeat about as often as those of a real page: zstd 1 makes a fifth of it. */
static void fill_markup(uint8_t *to, size_t len) {
    static const char *const tags[] = {"<div class=\"card\">", "</div>", "<p>",  "</p>",
                                       "<a href=\"/blog/",     "\">",    "<li>", "</li>"};
    uint64_t state = 88172645463325252u;
    size_t at = 0;

    while (at < len) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        char word[32];
        const char *text = tags[state % N_ELEMENTS(tags)];
        if (state >> 32 & 1) {
            snprintf(word, sizeof(word), "%llx ",
                     (unsigned long long)(state >> 40 & 0xFFF) * 2654435761u % 0xFFFFFF);
            text = word;
        }
        for (; *text != '\0' && at < len; text++)
            to[at++] = (uint8_t)*text;
    }
}

static uint8_t *bytes_new(size_t len) {
    uint8_t *bytes = malloc(len);
    bench_check(bytes != NULL, "out of memory");
    return bytes;
}

/* one_in: every so many letters are not ASCII; 0: none are. */
static void page_init(struct page *page, const char *name, unsigned one_in) {
    static const struct larder_bytes tags[] = {{(const uint8_t *)"_N_T_/blog/layout", 17},
                                               {(const uint8_t *)"posts", 5}};
    uint8_t *html = bytes_new(HTML_UNITS), *rsc = bytes_new(RSC_LEN),
            *segments = bytes_new(N_SEGMENTS * SEGMENT_LEN);
    struct larder_part *part = page->parts;

    fill_markup(html, HTML_UNITS);
    fill_markup(rsc, RSC_LEN);
    fill_markup(segments, N_SEGMENTS * SEGMENT_LEN);
    *part = (struct larder_part){bytes_of("html"), {html, HTML_UNITS}, LARDER_LATIN1, 0};
    if (one_in > 0) {
        uint16_t *wide = (void *)bytes_new(HTML_UNITS * sizeof(*wide));
        for (size_t i = 0; i < HTML_UNITS; i++)
            wide[i] = i % one_in == 0 ? (uint16_t)(0x4E00 + i % 2000) : html[i];
        part->data = (struct larder_bytes){(const uint8_t *)wide, HTML_UNITS * sizeof(*wide)};
        part->encoding = LARDER_UTF16;
        free(html);
    }
    part++;
    *part++ = (struct larder_part){bytes_of("rscData"), {rsc, RSC_LEN}, LARDER_BINARY, 0};
    *part++ = (struct larder_part){bytes_of("segmentData:/_full"), {rsc, RSC_LEN}, LARDER_BINARY, 0};
    for (size_t i = 0; i < N_SEGMENTS; i++)
        *part++ = (struct larder_part){
            bytes_of("segmentData:/_tree"), {segments + i * SEGMENT_LEN, SEGMENT_LEN}, LARDER_BINARY, 0};
    page->name = name;
    page->entry = (struct larder_entry){
        .kind = LARDER_PAGE,
        .n_parts = N_PARTS,
        .key = bytes_of("/blog/hello"),
        .meta = bytes_of(
            "{\"kind\":\"APP_PAGE\",\"status\":200,\"headers\":{\"x-next-cache-tags\":\"posts\"}}"),
        .tags = tags,
        .n_tags = N_ELEMENTS(tags),
        .parts = page->parts,
    };
    page->squeezer = squeezer_new(1);
    bench_check(page->squeezer != NULL, "out of memory");
    bench_check(frame_encode(&page->entry, UINT64_MAX, &page->frame) == LARDER_OK, "cannot encode");
    bench_check(squeeze(page->squeezer, page->frame, 0, &page->squeezed) == LARDER_OK, "cannot compress");
    page->copy = bytes_new(page->frame.len);
}

static void page_done(struct page *page) {
    slice_done(&page->frame);
    slice_done(&page->squeezed);
    squeezer_free(page->squeezer);
    free(page->copy);
    for (size_t i = 0; i < 4; i++) {
        if (i != 2) /* which has the memory of 1 */
            free((void *)(uintptr_t)page->parts[i].data.ptr);
    }
}

/* ---- what is measured ------------------------------------------------------------------ */

static void run_memcpy(struct page *page) {
    memcpy(page->copy, page->frame.ptr, page->frame.len);
    sink += page->copy[page->frame.len - 1];
}

static void run_hash(struct page *page) {
    sink += hash_64(page->frame.ptr, page->frame.len);
}

static void run_encode(struct page *page) {
    struct larder_slice out = {0};
    bench_check(frame_encode(&page->entry, UINT64_MAX, &out) == LARDER_OK, "cannot encode");
    slice_done(&out);
}

static void decode(struct page *page, bool v8) {
    struct frame frame;
    const char *detail;
    bench_check(frame_decode(page->frame, page->entry.key, v8, &frame, &detail) == LARDER_OK,
                "cannot decode");
    sink += frame.entry.parts[0].data.len;
    frame_done(&frame);
}

static void run_decode_v8(struct page *page) {
    decode(page, true);
}

static void run_decode_utf8(struct page *page) {
    decode(page, false);
}

static void run_squeeze(struct page *page) {
    struct larder_slice out = {0};
    bench_check(squeeze(page->squeezer, page->frame, 0, &out) == LARDER_OK, "cannot compress");
    slice_done(&out);
}

static void run_expand(struct page *page) {
    struct larder_slice out = {0};
    const char *detail;
    bench_check(expand(page->squeezer, page->squeezed, page->frame.len, &out, &detail) == LARDER_OK,
                "cannot expand");
    slice_done(&out);
}

static const struct {
    const char *name;
    void (*run)(struct page *page);
} steps[] = {
    {"memcpy", run_memcpy},
    {"checksum", run_hash},
    {"encode", run_encode},
    {"decode for V8", run_decode_v8},
    {"decode as UTF-8", run_decode_utf8},
    {"zstd 1", run_squeeze},
    {"zstd expand", run_expand},
};

/* Nanoseconds of one run, measured over about ROUND_NS. */
static double round_of(struct page *page, void (*run)(struct page *page)) {
    uint64_t begin = bench_cpu_ns(), end = begin;
    unsigned n = 0;

    while (end - begin < ROUND_NS) {
        run(page);
        n++;
        end = bench_cpu_ns();
    }
    return (double)(end - begin) / n;
}

static void measure(struct page *page, unsigned rounds, double medians[N_ELEMENTS(steps)]) {
    static double times[N_ELEMENTS(steps)][BENCH_MAX_ROUNDS];

    for (unsigned i = 0; i < rounds; i++) {
        for (size_t s = 0; s < N_ELEMENTS(steps); s++)
            times[s][i] = round_of(page, steps[s].run);
    }
    for (size_t s = 0; s < N_ELEMENTS(steps); s++) {
        medians[s] = bench_median(times[s], rounds);
    }
}

static void print(const struct page *page, const double *medians, bool json, bool last) {
    double bytes = (double)page->frame.len;

    if (json)
        printf("    {\"page\": \"%s\", \"frame_bytes\": %zu, \"zstd_bytes\": %zu, \"steps\": [\n", page->name,
               page->frame.len, page->squeezed.len);
    else
        printf("%s: a frame of %zu bytes, %zu behind zstd\n", page->name, page->frame.len,
               page->squeezed.len);
    for (size_t s = 0; s < N_ELEMENTS(steps); s++) {
        double mb_per_s = bytes * 1000 / medians[s], times = medians[s] / medians[0];
        if (json)
            printf("      {\"name\": \"%s\", \"us\": %.2f, \"mb_per_s\": %.0f, \"times_memcpy\": %.2f}%s\n",
                   steps[s].name, medians[s] / 1000, mb_per_s, times, s + 1 < N_ELEMENTS(steps) ? "," : "");
        else
            printf("  %-16s %9.1f us %9.0f MB/s %7.1f x memcpy\n", steps[s].name, medians[s] / 1000, mb_per_s,
                   times);
    }
    if (json)
        printf("    ]}%s\n", last ? "" : ",");
}

int main(int argc, char **argv) {
    const struct bench_options options = bench_options("bench_frame", argc, argv, 101);
    struct page pages[2] = {0};
    page_init(&pages[0], "ASCII", 0);
    page_init(&pages[1], "one letter in 20 Chinese", 20);
    if (options.json)
        printf("{\"bench\": \"frame\", \"rounds\": %u, \"pages\": [\n", options.rounds);
    for (size_t i = 0; i < N_ELEMENTS(pages); i++) {
        double medians[N_ELEMENTS(steps)];
        measure(&pages[i], options.rounds, medians);
        print(&pages[i], medians, options.json, i + 1 == N_ELEMENTS(pages));
        page_done(&pages[i]);
    }
    if (options.json)
        printf("]}\n");
    return 0;
}
