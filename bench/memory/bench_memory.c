/*
 * Memory held against memory configured: the setting `memory` filled with pages of mixed sizes.
 *
 *     bench_memory [--json]
 */
#include <ftw.h>
#include <unistd.h>

#include "../bench.h"
#include "larder/larder.h"

enum { CONFIGURED_MB = 64, N_TAGS = 4, LARGEST = 300 * 1024 };
static const uint64_t CONFIGURED = (uint64_t)CONFIGURED_MB << 20;
static const size_t sizes[] = {500, 2000, 4000, 12000, 40000, 120000, LARGEST};
enum { N_SIZES = sizeof(sizes) / sizeof(sizes[0]) };

static char folder[] = "/tmp/larder-bench-XXXXXX";
static char text[LARGEST];

/* ---- the process ---------------------------------------------------------------------- */

static uint64_t own_bytes(void) {
    static const char name[] = "RssAnon:";
    unsigned long kb = 0;
    char line[128];
    FILE *status = fopen("/proc/self/status", "r");
    bench_check(status != NULL, "no /proc/self/status");
    while (kb == 0 && fgets(line, sizeof(line), status))
        if (strncmp(line, name, sizeof(name) - 1) == 0)
            kb = strtoul(line + sizeof(name) - 1, NULL, 10);
    (void)fclose(status);
    bench_check(kb > 0, "no RssAnon in /proc/self/status");
    return (uint64_t)kb << 10;
}

static int remove_one(const char *path, const struct stat *about, int type, struct FTW *ftw) {
    (void)about, (void)type, (void)ftw;
    return remove(path);
}

static void remove_folder(void) {
    if (nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS) != 0)
        fprintf(stderr, "bench_memory: %s stays\n", folder);
}

/* ---- the store -------------------------------------------------------------------------- */

static struct larder_store *store_new(void) {
    struct larder_error error;
    struct larder_store *store = NULL;
    struct larder_config *config = larder_config_new();
    char cache[sizeof(folder) + 8], memory[16];
    bench_check(config != NULL && mkdtemp(folder) != NULL, "no folder");
    bench_check(atexit(remove_folder) == 0, "no room");
    snprintf(cache, sizeof(cache), "fs:%s", folder);
    snprintf(memory, sizeof(memory), "%dMB", CONFIGURED_MB);
    const char *const settings[][2] = {{"cache", cache}, {"memory", memory}, {"memory-age", "1h"}};
    for (size_t i = 0; i < 3; i++)
        bench_check(larder_config_set(config, settings[i][0], settings[i][1], "bench", &error) == LARDER_OK,
                    error.text);
    bench_check(larder_open(config, &store, &error) == LARDER_OK, error.text);
    larder_config_free(config);
    return store;
}

static struct larder_bytes bytes_of_text(const char *s) {
    return (struct larder_bytes){(const uint8_t *)s, strlen(s)};
}

static struct larder_bytes key_of(unsigned n, char room[32]) {
    snprintf(room, 32, "/blog/a-page-%u", n);
    return bytes_of_text(room);
}

/* Two thirds HTML, one third RSC payload. */
static void put(struct larder_store *store, unsigned n) {
    char key[32];
    size_t size = sizes[n % N_SIZES], rsc = size / 3;
    struct larder_bytes tags[N_TAGS] = {bytes_of_text("_N_T_/layout"), bytes_of_text("_N_T_/blog/layout"),
                                        bytes_of_text("_N_T_/blog/page"), bytes_of_text("posts")};
    struct larder_part parts[] = {
        {.name = bytes_of_text("html"), .data = {(uint8_t *)text, size - rsc}, .encoding = LARDER_UTF8},
        {.name = bytes_of_text("rscData"), .data = {(uint8_t *)text, rsc}, .encoding = LARDER_BINARY},
    };
    struct larder_entry entry = {.kind = LARDER_PAGE,
                                 .n_parts = 2,
                                 .key = key_of(n, key),
                                 .meta = bytes_of_text("{\"kind\":\"APP_PAGE\",\"status\":200}"),
                                 .epoch = INT64_C(1) << 50, /* newer than any mark */
                                 .modified_ms = 1,
                                 .revalidate_ms = LARDER_UNSET,
                                 .expire_ms = LARDER_UNSET,
                                 .tags = tags,
                                 .n_tags = N_TAGS,
                                 .parts = parts};
    struct larder_request request = {
        .code = LARDER_DO_PUT, .entry = &entry, .build = bytes_of_text("bench"), .deadline_ms = 30000};
    bench_check(larder_call(store, &request, NULL) == LARDER_OK, "a put fails");
}

static void get(struct larder_store *store, unsigned n) {
    char key[32];
    struct larder_request request = {.code = LARDER_DO_GET,
                                     .flags = LARDER_F_V8,
                                     .kind = LARDER_PAGE,
                                     .key = key_of(n, key),
                                     .build = bytes_of_text("bench"),
                                     .deadline_ms = 30000};
    bench_check(larder_call(store, &request, NULL) == LARDER_OK, "a get is no hit");
}

/* Three times as much as fits; every other page is read at once, and again: it moves up. */
static void fill(struct larder_store *store) {
    uint64_t put_bytes = 0;
    for (unsigned n = 0; put_bytes < 3 * CONFIGURED; n++) {
        put(store, n);
        put_bytes += sizes[n % N_SIZES];
        for (int times = 0; n % 2 == 0 && times < 2; times++)
            get(store, n);
        if (n % 3 == 0)
            get(store, n / 3);
    }
}

int main(int argc, char **argv) {
    enum { POOL_S = 5 }; /* by then the I/O thread has given back what it keeps of large buffers */
    const struct bench_options options = bench_options("bench_memory", argc, argv, 1);
    struct larder_stats stats;
    for (size_t i = 0; i < sizeof(text); i++)
        text[i] = (char)('a' + i % 26);
    struct larder_store *store = store_new();
    for (unsigned n = 0; n < N_SIZES; n++) {
        put(store, n);
        get(store, n);
    }
    sleep(POOL_S);
    larder_stats(store, &stats);
    uint64_t before = own_bytes(), counted_before = stats.memory_bytes;
    fill(store);
    sleep(POOL_S);
    larder_stats(store, &stats);
    uint64_t held = own_bytes() - before + counted_before;
    if (options.json)
        printf("{\"bench\": \"memory\", \"configured_bytes\": %llu, \"counted_bytes\": %llu, \"held_bytes\": "
               "%llu, "
               "\"entries\": %llu}\n",
               (unsigned long long)CONFIGURED, (unsigned long long)stats.memory_bytes,
               (unsigned long long)held, (unsigned long long)stats.memory_entries);
    else
        printf("configured %.1f MB, counted %.1f MB in %llu entries, held %.1f MB: %+.1f %% of what is "
               "configured\n",
               (double)CONFIGURED / 1048576, (double)stats.memory_bytes / 1048576,
               (unsigned long long)stats.memory_entries, (double)held / 1048576,
               100.0 * ((double)held / (double)CONFIGURED - 1));
    larder_close(store);
    return 0;
}
