/* Walking over the stored keys. */
#include <string.h>

#include "bytes.h"
#include "cli.h"

static bool is_text(struct larder_bytes bytes, const char *text) {
    return bytes.len == strlen(text) && memcmp(bytes.ptr, text, bytes.len) == 0;
}

/* What the store cannot select itself: it lists all, all of a build, or a prefix of one build's
 * keys of one kind. */
static bool is_wanted(const struct listing *listing, const struct larder_listed *key) {
    if (listing->kind && key->kind != listing->kind)
        return false;
    if (is_text(listing->build, "shared") && !is_text(key->build, "shared"))
        return false;
    return bytes_begin_with(key->key, listing->prefix);
}

int cli_each_key(struct cli *cli, const struct listing *listing,
                 int (*fn)(struct cli *cli, const struct larder_listed *key, void *arg), void *arg) {
    struct larder_request request = {.code = LARDER_DO_LIST};
    const struct larder_answer *last = NULL; /* the cursor is inside */
    uint64_t n = 0;
    int code = CODE_DONE;
    if (listing->build.len > 0 && !is_text(listing->build, "shared")) {
        request.build = listing->build;
        request.kind = listing->kind;
        request.key = listing->prefix;
    }
    do {
        const struct larder_answer *answer;
        int32_t status = cli_call(cli, &request, &answer);
        larder_answer_unref(last);
        last = answer;
        if (status != LARDER_OK) {
            code = cli_failed_answer(cli, status, answer);
            break;
        }
        for (size_t i = 0; i < answer->n_keys && code == CODE_DONE; i++) {
            if (!is_wanted(listing, &answer->keys[i]))
                continue;
            if (listing->limit && n == listing->limit)
                break;
            n++;
            code = fn(cli, &answer->keys[i], arg);
        }
        if (listing->progress)
            progress_add(listing->progress, answer->n_keys);
        request.cursor = answer->cursor;
    } while (code == CODE_DONE && request.cursor.len > 0 && !(listing->limit && n == listing->limit));
    larder_answer_unref(last);
    return code;
}

int cli_listing(struct cli *cli, struct listing *ret) {
    int64_t limit = 0;
    *ret = (struct listing){.build = cli_build(cli)};
    int code = cli_kind(cli, 0, &ret->kind);
    if (code == CODE_DONE)
        code = cli_number(cli, "limit", LARDER_P_INT, 1, INT64_MAX, &limit);
    ret->limit = (uint64_t)limit;
    return code;
}

void cli_print_key(struct cli *cli, const struct larder_listed *key) {
    if (cli->json) {
        json_bytes(&cli->out, "build", key->build);
        json_text(&cli->out, "kind", larder_kind_name(key->kind));
        json_bytes(&cli->out, "key", key->key);
        if (key->hashed)
            json_bool(&cli->out, "hashed", true);
        return;
    }
    printf("%-10s", larder_kind_name(key->kind));
    escape_print(stdout, key->build);
    fputs("  ", stdout);
    escape_print(stdout, key->key);
}
