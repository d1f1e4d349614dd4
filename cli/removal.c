#include "removal.h"

#include <inttypes.h>

int remove_key(struct cli *cli, uint32_t kind, struct larder_bytes build, struct larder_bytes key,
               uint32_t flags) {
    const struct larder_answer *answer;
    struct larder_request request = {
        .code = LARDER_DO_REMOVE, .flags = flags, .kind = kind, .build = build, .key = key};
    int32_t status = cli_call(cli, &request, &answer);
    int code = status == LARDER_OK ? CODE_DONE : cli_failed_answer(cli, status, answer);
    larder_answer_unref(answer);
    return code;
}

int remove_listed(struct cli *cli, const struct larder_listed *key, void *arg) {
    struct removal *removal = arg;
    if (args_has(&cli->args, "dry-run")) {
        if (cli->json)
            json_object(&cli->out, NULL);
        cli_print_key(cli, key);
        if (cli->json)
            json_end(&cli->out);
        else
            putchar('\n');
    } else {
        int code = remove_key(cli, key->kind, key->build, key->key, LARDER_F_LISTED);
        if (code != CODE_DONE)
            return code;
    }
    removal->n++;
    progress_add(&removal->progress, 1);
    return CODE_DONE;
}

void removal_tell(struct cli *cli, const struct removal *removal) {
    if (args_has(&cli->args, "dry-run"))
        return;
    if (cli->json) {
        json_object(&cli->out, NULL);
        json_text(&cli->out, "status", "ok");
        json_number(&cli->out, "removed", (int64_t)removal->n);
        json_end(&cli->out);
    } else {
        printf("%" PRIu64 " removed\n", removal->n);
    }
}
