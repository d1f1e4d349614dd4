/* larder tags: marks, and the index between tags and keys. */
#include <inttypes.h>
#include <string.h>

#include "bytes.h"
#include "cli.h"

static const struct option options[] = {
    {"prefix", "PREFIX", "list the marks of tags that begin with this"},
    {"of", "KEY", "the tags that this entry was linked with (needs the index)"},
    {"keys", "TAG", "the entries that carry this tag (needs the index)"},
    {"kind", "KIND", "with --of: kind of the entry, page if not given; with --keys: only this kind"},
    {"build", "ID", "with --of: build of the entry; with --keys: only this build"},
    {NULL, NULL, NULL},
};

static void print_number(int64_t number) {
    if (number == LARDER_UNSET)
        printf("%-16s", "-");
    else
        printf("%-16" PRId64, number);
}

static void json_mark_number(struct json *out, const char *name, int64_t number) {
    if (number != LARDER_UNSET)
        json_number(out, name, number);
}

static void print_mark(struct cli *cli, const struct larder_mark *mark) {
    char text[TIME_TEXT];
    if (cli->json) {
        json_object(&cli->out, NULL);
        json_bytes(&cli->out, "tag", mark->tag);
        if (mark->tag.len == 0)
            json_bool(&cli->out, "all", true);
        json_mark_number(&cli->out, "expiredEpoch", mark->expired_epoch);
        json_mark_number(&cli->out, "staleEpoch", mark->stale_epoch);
        json_mark_number(&cli->out, "expireAtMs", mark->expire_at_ms);
        json_end(&cli->out);
        return;
    }
    print_number(mark->expired_epoch);
    print_number(mark->stale_epoch);
    printf("%-26s", mark->expire_at_ms == LARDER_UNSET ? "-" : time_text(mark->expire_at_ms, text));
    if (mark->tag.len == 0)
        fputs("(everything)", stdout);
    else
        escape_print(stdout, mark->tag);
    putchar('\n');
}

static void print_tag(struct cli *cli, const struct larder_mark *mark) {
    if (cli->json) {
        json_object(&cli->out, NULL);
        json_bytes(&cli->out, "tag", mark->tag);
        json_end(&cli->out);
        return;
    }
    escape_print(stdout, mark->tag);
    putchar('\n');
}

/* Every page of an answer made of marks; *ret_n: how many. */
static int each_mark(struct cli *cli, struct larder_request *request,
                     void (*print)(struct cli *cli, const struct larder_mark *mark), uint64_t *ret_n) {
    const struct larder_answer *last = NULL; /* the cursor is inside */
    int code = CODE_DONE;
    *ret_n = 0;
    do {
        const struct larder_answer *answer;
        int32_t status = cli_call(cli, request, &answer);
        larder_answer_unref(last);
        last = answer;
        if (status == LARDER_MISS)
            break;
        if (status != LARDER_OK) {
            code = cli_failed_answer(cli, status, answer);
            break;
        }
        for (size_t i = 0; i < answer->n_marks; i++)
            print(cli, &answer->marks[i]);
        *ret_n += answer->n_marks;
        request->cursor = answer->cursor;
    } while (request->cursor.len > 0);
    larder_answer_unref(last);
    return code;
}

/* "No" is an answer, but it should say of what. */
static int say_none(struct cli *cli, const char *what) {
    if (!cli->json)
        fprintf(stderr, "larder tags: %s\n", what);
    return CODE_NEGATIVE;
}

static const char no_link[] = "the index knows of none (it is kept where the setting `index` is on)";

/* The marks of the tags given as words, or of all that begin with --prefix. */
static int show_marks(struct cli *cli) {
    struct larder_bytes *tags = NULL, prefix = {0};
    size_t n_tags = 0;
    uint64_t n = 0;
    const char *written = args_value(&cli->args, "prefix");
    int code = cli_bytes_list(cli, NULL, 0, &tags, &n_tags);
    if (code == CODE_DONE && written)
        code = cli_bytes(cli, written, &prefix);
    if (code == CODE_DONE)
        code = cli_open(cli);
    if (code == CODE_DONE) {
        struct larder_request request = {.code = n_tags ? LARDER_DO_READ_TAGS : LARDER_DO_LIST_TAGS,
                                         .key = prefix,
                                         .tags = tags,
                                         .n_tags = n_tags};
        code = each_mark(cli, &request, print_mark, &n);
    }
    if (code == CODE_DONE && n_tags && n == 0)
        code = say_none(cli, "no mark: nothing with such a tag was revalidated");
    bytes_free(prefix);
    bytes_list_free(tags, n_tags);
    return code;
}

static int show_tags_of(struct cli *cli, const char *written) {
    struct larder_request request = {.code = LARDER_DO_TAGS_OF, .build = cli_build(cli)};
    struct larder_bytes key = {0};
    uint64_t n = 0;
    int code = cli_kind(cli, LARDER_PAGE, &request.kind);
    if (code == CODE_DONE)
        code = cli_bytes(cli, written, &key);
    if (code == CODE_DONE)
        code = cli_open(cli);
    if (code == CODE_DONE) {
        request.key = key;
        code = each_mark(cli, &request, print_tag, &n);
    }
    bytes_free(key);
    return code == CODE_DONE && n == 0 ? say_none(cli, no_link) : code;
}

static void print_key(struct cli *cli, const struct larder_listed *key) {
    if (cli->json)
        json_object(&cli->out, NULL);
    cli_print_key(cli, key);
    if (cli->json)
        json_end(&cli->out);
    else
        putchar('\n');
}

static int show_keys_of(struct cli *cli, const char *written) {
    struct larder_bytes tag = {0};
    const struct larder_bytes build = cli_build(cli);
    uint32_t kind;
    uint64_t n = 0;
    int code = cli_kind(cli, 0, &kind);
    if (code == CODE_DONE)
        code = cli_bytes(cli, written, &tag);
    if (code == CODE_DONE)
        code = cli_open(cli);
    struct larder_request request = {.code = LARDER_DO_KEYS_OF, .tags = &tag, .n_tags = 1};
    const struct larder_answer *last = NULL; /* the cursor is inside */
    while (code == CODE_DONE) {
        const struct larder_answer *answer;
        int32_t status = cli_call(cli, &request, &answer);
        larder_answer_unref(last);
        last = answer;
        if (status != LARDER_OK) {
            code = cli_failed_answer(cli, status, answer);
            break;
        }
        for (size_t i = 0; i < answer->n_keys; i++) {
            const struct larder_listed *key = &answer->keys[i];
            if ((kind && key->kind != kind) || (build.len && !bytes_equal(build, key->build)))
                continue;
            print_key(cli, key);
            n++;
        }
        request.cursor = answer->cursor;
        if (request.cursor.len == 0)
            break;
    }
    larder_answer_unref(last);
    bytes_free(tag);
    return code == CODE_DONE && n == 0 ? say_none(cli, no_link) : code;
}

static int run(struct cli *cli) {
    const char *of = args_value(&cli->args, "of"), *keys = args_value(&cli->args, "keys");
    bool prefix = args_has(&cli->args, "prefix");
    if ((of != NULL) + (keys != NULL) + prefix + (cli->args.n_words > 0) > 1)
        return cli_usage(cli, "tags, --prefix, --of and --keys are different questions: ask one");
    if (!of && !keys && (args_has(&cli->args, "kind") || args_has(&cli->args, "build")))
        return cli_usage(cli, "--kind and --build go with --of or --keys");
    if (of)
        return show_tags_of(cli, of);
    return keys ? show_keys_of(cli, keys) : show_marks(cli);
}

const struct command command_tags = {
    .name = "tags",
    .words = "[TAG...]",
    .min_words = 0,
    .max_words = SIZE_MAX,
    .summary = "Show marks of tags, tags of an entry, entries of a tag",
    .help = "A mark says since when what carries a tag is no good.  One line for each mark:\n"
            "  entries older than this epoch are gone | older than this are stale | ... and gone from then "
            "on | tag\n"
            "Without TAG every mark is listed; (everything) is the mark of `larder revalidate --all`.\n"
            "--of and --keys ask the index, which is kept where the setting `index` is on.\n"
            "\n"
            "Exit codes: 0; 1 where none of the given tags has a mark, or the index knows nothing;\n"
            "2, 3 as larder --help says.\n"
            "\n"
            "Examples:\n"
            "  larder tags posts authors\n"
            "  larder tags --prefix _N_T_/blog --json\n"
            "  larder tags --of /blog/hello --build \"$(cat .next/BUILD_ID)\"\n"
            "  larder tags --keys posts\n",
    .options = options,
    .run = run,
};
