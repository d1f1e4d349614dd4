/*
 * A program that uses an installed Larder: program CACHE TAGS.  Stores an entry, reads it, revalidates
 * its tag, and reads it again.  Prints what it got, one word a line.
 */
#include <larder/larder.h>
#include <stdio.h>
#include <string.h>

static struct larder_bytes bytes(const char *text) {
    return (struct larder_bytes){(const uint8_t *)text, strlen(text)};
}

static int get(struct larder_store *store, struct larder_bytes key) {
    const struct larder_request request = {.code = LARDER_DO_GET, .kind = LARDER_FETCH, .key = key};
    const struct larder_answer *answer = NULL;
    const int32_t status = larder_call(store, &request, &answer);
    printf("get:%s", larder_status_name(status));
    if (status == LARDER_OK && answer->entry->n_parts == 1)
        printf(":%.*s", (int)answer->entry->parts[0].data.len,
               (const char *)answer->entry->parts[0].data.ptr);
    printf("\n");
    larder_answer_unref(answer);
    return status;
}

int main(int argc, char **argv) {
    if (argc != 3)
        return 2;
    struct larder_error error = {0};
    struct larder_store *store = NULL;
    struct larder_config *config = larder_config_new();
    if (config == NULL || larder_config_set(config, "cache", argv[1], "argv[1]", &error) != LARDER_OK ||
        larder_config_set(config, "tags", argv[2], "argv[2]", &error) != LARDER_OK ||
        larder_open(config, &store, &error) != LARDER_OK) {
        fprintf(stderr, "%s\n", error.text);
        larder_config_free(config);
        return 1;
    }
    larder_config_free(config);

    const struct larder_bytes tag = bytes("posts");
    const struct larder_part part = {bytes("body"), bytes("hello"), LARDER_UTF8, 0};
    const struct larder_request ask_epoch = {.code = LARDER_DO_EPOCH};
    const struct larder_answer *answer = NULL;
    int32_t status = larder_call(store, &ask_epoch, &answer);
    const struct larder_entry entry = {.kind = LARDER_FETCH,
                                       .n_parts = 1,
                                       .key = bytes("a key"),
                                       .meta = bytes("{}"),
                                       .epoch = status == LARDER_OK ? answer->epoch : 0,
                                       .modified_ms = 1,
                                       .revalidate_ms = LARDER_UNSET,
                                       .expire_ms = LARDER_UNSET,
                                       .tags = &tag,
                                       .n_tags = 1,
                                       .parts = &part};
    larder_answer_unref(answer);

    const struct larder_request put = {.code = LARDER_DO_PUT, .entry = &entry};
    printf("put:%s\n", larder_status_name(larder_call(store, &put, NULL)));
    get(store, entry.key);
    const struct larder_request revalidate = {
        .code = LARDER_DO_REVALIDATE, .tags = &tag, .n_tags = 1, .mode = LARDER_EXPIRE};
    printf("revalidate:%s\n", larder_status_name(larder_call(store, &revalidate, NULL)));
    get(store, entry.key);
    larder_close(store);
    return 0;
}
