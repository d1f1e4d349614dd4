/* larder revalidate: what revalidateTag() and revalidatePath() do. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "cli.h"

static const struct option options[] = {
    {"path", "PATH", "what revalidatePath(PATH) means; may be repeated"},
    {"all", NULL, "every entry of the namespace"},
    {"stale", NULL, "not gone but stale: served once more, and rendered in the background"},
    {"expire-in", "TIME", "stale, and gone after this"},
    {"trace", NULL, "tell on stderr (with --json: in the answer) what happened on the way, and when"},
    {NULL, NULL, NULL},
};

/* The tags that Next.js derives from paths (NEXT_CACHE_IMPLICIT_TAG_ID in its constants). */
#define PATH_TAG "_N_T_"

struct tag_list {
    struct larder_bytes *tags;
    size_t n;
};

static bool add_text(struct tag_list *list, const char *text) {
    uint8_t *copy = (uint8_t *)strdup(text);
    if (copy == NULL)
        return false;
    list->tags[list->n++] = (struct larder_bytes){copy, strlen(text)};
    return true;
}

/* As Next.js 15.5 and 16 do it: without a trailing slash, and / and /index are one page.  Next.js
 * writes other characters in a way that depends on its version: those are refused. */
static int add_path(struct cli *cli, struct tag_list *list, const char *path) {
    size_t len = strlen(path);
    for (const char *p = path; *p; p++) {
        if (*p <= ' ' || *p > '~')
            return cli_usage(cli, "--path takes printable ASCII: give the tag itself, %s and the path",
                             PATH_TAG);
    }
    if (path[0] != '/')
        return cli_usage(cli, "--path '%s' does not begin with a slash", path);
    if (len > 1 && path[len - 1] == '/')
        len--;
    char *tag = malloc(sizeof PATH_TAG + len);
    if (tag == NULL)
        return cli_failed(cli, LARDER_NOMEM, "out of memory");
    memcpy(tag, PATH_TAG, sizeof PATH_TAG - 1);
    memcpy(tag + sizeof PATH_TAG - 1, path, len);
    tag[sizeof PATH_TAG - 1 + len] = '\0';
    bool good = add_text(list, tag);
    if (strcmp(tag, PATH_TAG "/") == 0)
        good = good && add_text(list, PATH_TAG "/index");
    else if (strcmp(tag, PATH_TAG "/index") == 0)
        good = good && add_text(list, PATH_TAG "/");
    free(tag);
    return good ? CODE_DONE : cli_failed(cli, LARDER_NOMEM, "out of memory");
}

/* The words, the paths, or the empty tag, which is the namespace's; each once. */
static int make_tags(struct cli *cli, struct tag_list *list) {
    struct larder_bytes *words = NULL;
    size_t n_words = 0;
    int code = cli_bytes_list(cli, NULL, 0, &words, &n_words);
    if (code != CODE_DONE)
        return code;
    list->tags = calloc(n_words + 2 * cli->args.n_given + 1, sizeof *list->tags);
    for (size_t i = 0; i < n_words; i++) {
        if (list->tags)
            list->tags[list->n++] = words[i];
        else
            bytes_free(words[i]);
    }
    free(words);
    if (list->tags == NULL)
        return cli_failed(cli, LARDER_NOMEM, "out of memory");
    for (size_t i = 0; code == CODE_DONE && args_value_at(&cli->args, "path", i); i++)
        code = add_path(cli, list, args_value_at(&cli->args, "path", i));
    if (code == CODE_DONE && args_has(&cli->args, "all") && !add_text(list, ""))
        code = cli_failed(cli, LARDER_NOMEM, "out of memory");
    for (size_t i = 0; i < list->n; i++) {
        for (size_t k = i + 1; k < list->n;) {
            if (bytes_equal(list->tags[i], list->tags[k])) {
                bytes_free(list->tags[k]);
                list->tags[k] = list->tags[--list->n];
            } else {
                k++;
            }
        }
    }
    return code;
}

static int tell(struct cli *cli, const struct tag_list *list, int32_t status,
                const struct larder_answer *answer) {
    if (status != LARDER_OK)
        return cli_failed_answer(cli, status, answer);
    if (!cli->json) {
        printf("%zu tag%s revalidated, epoch %" PRId64 "\n", list->n, list->n == 1 ? "" : "s", answer->epoch);
        return CODE_DONE;
    }
    json_object(&cli->out, NULL);
    json_text(&cli->out, "status", larder_status_name(status));
    json_number(&cli->out, "epoch", answer->epoch);
    json_array(&cli->out, "tags");
    for (size_t i = 0; i < list->n; i++)
        json_bytes(&cli->out, NULL, list->tags[i]);
    json_end(&cli->out);
    cli_json_trace(cli, answer);
    json_end(&cli->out);
    return CODE_DONE;
}

static int run(struct cli *cli) {
    bool all = args_has(&cli->args, "all"), path = args_has(&cli->args, "path");
    if (!all && !path && cli->args.n_words == 0)
        return cli_usage(cli, "it takes tags, --path or --all");
    if (all && (path || cli->args.n_words))
        return cli_usage(cli, "--all is everything: give no tags or paths beside it");
    for (size_t i = 0; i < cli->args.n_words; i++) {
        if (*cli->args.words[i] == '\0')
            return cli_usage(cli, "a tag is empty: to revalidate everything give --all");
    }
    struct larder_request request = {.code = LARDER_DO_REVALIDATE, .expire_in_ms = LARDER_UNSET};
    struct tag_list list = {0};
    int code = cli_number(cli, "expire-in", LARDER_P_MS, 0, INT64_MAX - 1, &request.expire_in_ms);
    bool stale = args_has(&cli->args, "stale") || args_has(&cli->args, "expire-in");
    request.mode = stale ? LARDER_MAKE_STALE : LARDER_EXPIRE;
    if (code == CODE_DONE)
        code = make_tags(cli, &list);
    if (code == CODE_DONE)
        code = cli_open(cli);
    if (code == CODE_DONE) {
        const struct larder_answer *answer;
        request.tags = list.tags;
        request.n_tags = list.n;
        int32_t status = cli_call(cli, &request, &answer);
        code = tell(cli, &list, status, answer);
        larder_answer_unref(answer);
    }
    bytes_list_free(list.tags, list.n);
    return code;
}

const struct command command_revalidate = {
    .name = "revalidate",
    .words = "[TAG...]",
    .min_words = 0,
    .max_words = SIZE_MAX,
    .summary = "Make entries gone or stale, as revalidateTag() does",
    .help = "Writes one mark for each tag.  When the command ends, no process that uses the store serves an\n"
            "entry with such a tag that was rendered before; nothing is deleted, and it takes as long for a\n"
            "million entries as for one.\n"
            "\n"
            "Exit codes: 0 done; 2, 3 as larder --help says - with 3 the mark may not have been written.\n"
            "\n"
            "Examples:\n"
            "  larder revalidate posts authors\n"
            "  larder revalidate posts --expire-in 5min    # revalidateTag with a profile\n"
            "  larder revalidate --path /blog/hello\n"
            "  larder revalidate --all                     # after a change of everything\n",
    .options = options,
    .run = run,
};
