/*
 * A process with a store, for larder stats and larder top to look at:
 *
 *     live_process NAMESPACE FOLDER
 *
 * Puts one entry, then gets it 9 times, and one that is not there, and says so with a line on stdout.
 * From then on it gets the entry again for each byte that comes on stdin, and ends with stdin.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "larder/larder.h"

static struct larder_bytes bytes(const char *text) {
    return (struct larder_bytes){(const uint8_t *)text, strlen(text)};
}

static int32_t get(struct larder_store *store, const char *key) {
    struct larder_request request = {.code = LARDER_DO_GET, .kind = LARDER_FETCH, .key = bytes(key)};
    return larder_call(store, &request, NULL);
}

static int32_t put(struct larder_store *store, const char *key) {
    const struct larder_part part = {.name = bytes("body"), .data = bytes("hello")};
    const struct larder_entry entry = {.kind = LARDER_FETCH,
                                       .key = bytes(key),
                                       .n_parts = 1,
                                       .parts = &part,
                                       .meta = bytes("{}"),
                                       .epoch = INT64_C(1) << 50,
                                       .revalidate_ms = LARDER_UNSET,
                                       .expire_ms = LARDER_UNSET};
    struct larder_request request = {.code = LARDER_DO_PUT, .entry = &entry};
    return larder_call(store, &request, NULL);
}

static struct larder_store *open_store(const char *ns, const char *folder) {
    struct larder_error error;
    struct larder_store *store = NULL;
    struct larder_config *config = larder_config_new();
    if (config == NULL || larder_config_set(config, "cache", "memory", "test", &error) != LARDER_OK ||
        larder_config_set(config, "memory-age", "1h", "test", &error) != LARDER_OK ||
        larder_config_set(config, "namespace", ns, "test", &error) != LARDER_OK ||
        larder_config_set(config, "live", folder, "test", &error) != LARDER_OK ||
        larder_open(config, &store, &error) != LARDER_OK)
        fprintf(stderr, "live_process: %s\n", error.text);
    larder_config_free(config);
    return store;
}

int main(int argc, char **argv) {
    char byte;
    struct larder_store *store = argc == 3 ? open_store(argv[1], argv[2]) : NULL;
    if (store == NULL || put(store, "k") != LARDER_OK || get(store, "nothing") != LARDER_MISS)
        return 1;
    for (int i = 0; i < 9; i++)
        if (get(store, "k") != LARDER_OK)
            return 1;
    puts("ready");
    fflush(stdout);
    while (read(STDIN_FILENO, &byte, 1) == 1)
        get(store, "k");
    larder_close(store);
    return 0;
}
