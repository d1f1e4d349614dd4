/* larder get: an entry, or the bytes of one of its parts. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

static const struct option options[] = {
    {"kind", "KIND", "page (also routes and redirects), fetch, image or use-cache; page if not given"},
    {"build", "ID", "build id of the entry (.next/BUILD_ID); kinds that builds share need none"},
    {"part", "NAME", "write the bytes of this part: html, rscData, body ..."},
    {"meta", NULL, "write what the handler stored beside the parts (JSON)"},
    {"output", "FILE", "write there instead of to stdout (with --part or --meta)"},
    {"tag", "TAG", "judge with this tag as well, as a request with soft tags does; may be repeated"},
    {"any", NULL, "show an entry that is gone, too"},
    {"trace", NULL, "tell on stderr (with --json: in the answer) what happened on the way, and when"},
    {NULL, NULL, NULL},
};

static const char *verdict_name(uint32_t verdict) {
    return verdict == LARDER_FRESH   ? "fresh"
           : verdict == LARDER_STALE ? "stale"
           : verdict == LARDER_GONE  ? "gone"
                                     : "";
}

static const char *encoding_name(uint32_t encoding) {
    return encoding == LARDER_BINARY ? "binary" : "text";
}

/* cacheControl: a duration, "forever", or nothing. */
static void print_duration(const char *label, int64_t ms) {
    char text[TIME_TEXT];
    if (ms != LARDER_UNSET)
        printf("%-12s%s\n", label, ms == LARDER_FOREVER ? "forever" : duration_text(ms, text));
}

static void json_duration(struct json *out, const char *name, int64_t ms) {
    if (ms == LARDER_FOREVER)
        json_text(out, name, "forever");
    else if (ms != LARDER_UNSET)
        json_number(out, name, ms);
}

static void print_entry(const struct larder_answer *answer) {
    const struct larder_entry *e = answer->entry;
    char text[TIME_TEXT];
    printf("%-12s", "key");
    escape_print(stdout, e->key);
    printf("\n%-12s%s\n%-12s%s\n", "kind", larder_kind_name(e->kind), "verdict",
           verdict_name(answer->verdict));
    printf("%-12s%" PRId64 " (now %" PRId64 ")\n", "epoch", e->epoch, answer->epoch);
    printf("%-12s%s\n", "rendered", time_text(e->modified_ms, text));
    print_duration("revalidate", e->revalidate_ms);
    print_duration("expire", e->expire_ms);
    for (size_t i = 0; i < e->n_tags; i++) {
        printf("%-12s", i ? "" : "tags");
        escape_print(stdout, e->tags[i]);
        putchar('\n');
    }
    if (e->meta.len)
        printf("%-12s%zu bytes\n", "meta", e->meta.len);
    for (uint32_t i = 0; i < e->n_parts; i++) {
        printf("%-12s%zu bytes, %s, ", i ? "" : "parts", e->parts[i].data.len,
               encoding_name(e->parts[i].encoding));
        escape_print(stdout, e->parts[i].name);
        putchar('\n');
    }
}

static void json_entry(struct cli *cli, const struct larder_answer *answer) {
    const struct larder_entry *e = answer->entry;
    struct json *out = &cli->out;
    json_object(out, NULL);
    json_text(out, "status", larder_status_name(answer->status));
    json_text(out, "verdict", verdict_name(answer->verdict));
    json_text(out, "kind", larder_kind_name(e->kind));
    json_bytes(out, "key", e->key);
    json_number(out, "epoch", e->epoch);
    json_number(out, "knownEpoch", answer->epoch);
    json_number(out, "modifiedMs", e->modified_ms);
    json_duration(out, "revalidateMs", e->revalidate_ms);
    json_duration(out, "expireMs", e->expire_ms);
    json_array(out, "tags");
    for (size_t i = 0; i < e->n_tags; i++)
        json_bytes(out, NULL, e->tags[i]);
    json_end(out);
    json_utf8(out, "meta", e->meta);
    json_array(out, "parts");
    for (uint32_t i = 0; i < e->n_parts; i++) {
        json_object(out, NULL);
        json_bytes(out, "name", e->parts[i].name);
        json_text(out, "encoding", encoding_name(e->parts[i].encoding));
        json_number(out, "bytes", (int64_t)e->parts[i].data.len);
        json_end(out);
    }
    json_end(out);
    cli_json_trace(cli, answer);
    json_end(out);
}

/* As it is stored, to --output or stdout. */
static int write_bytes(struct cli *cli, struct larder_bytes bytes) {
    const char *path = args_value(&cli->args, "output");
    FILE *file = path ? fopen(path, "wb") : stdout;
    if (file == NULL)
        return cli_failed(cli, LARDER_INTERNAL, "%s cannot be written: %s", path, cli_errno());
    bool good = bytes.len == 0 || fwrite(bytes.ptr, 1, bytes.len, file) == bytes.len;
    if (path)
        good = fclose(file) == 0 && good;
    return good || !path ? CODE_DONE
                         : cli_failed(cli, LARDER_INTERNAL, "%s cannot be written: %s", path, cli_errno());
}

static int write_part(struct cli *cli, const struct larder_entry *entry, const char *written) {
    struct larder_bytes name;
    int code = cli_bytes(cli, written, &name);
    if (code != CODE_DONE)
        return code;
    const struct larder_part *found = NULL;
    for (uint32_t i = 0; i < entry->n_parts && found == NULL; i++) {
        const struct larder_part *part = &entry->parts[i];
        if (part->name.len == name.len && memcmp(part->name.ptr, name.ptr, name.len) == 0)
            found = part;
    }
    bytes_free(name);
    if (found)
        return write_bytes(cli, found->data);
    cli_failed(cli, LARDER_MISS, "the entry has no part '%s'", written);
    return CODE_NEGATIVE;
}

static int say_miss(struct cli *cli, const struct larder_answer *answer) {
    bool gone = answer->verdict == LARDER_GONE;
    if (!cli->json) {
        fprintf(stderr, "larder get: %s\n",
                gone ? "gone: revalidated since it was rendered (--any shows it)" : "not stored");
        return CODE_NEGATIVE;
    }
    json_object(&cli->out, NULL);
    json_text(&cli->out, "status", larder_status_name(LARDER_MISS));
    if (gone)
        json_text(&cli->out, "verdict", verdict_name(LARDER_GONE));
    cli_json_trace(cli, answer);
    json_end(&cli->out);
    return CODE_NEGATIVE;
}

static int show(struct cli *cli, int32_t status, const struct larder_answer *answer) {
    if (status < 0)
        return cli_failed_answer(cli, status, answer);
    if (answer->entry == NULL)
        return say_miss(cli, answer);
    const char *part = args_value(&cli->args, "part");
    if (part)
        return write_part(cli, answer->entry, part);
    if (args_has(&cli->args, "meta"))
        return write_bytes(cli, answer->entry->meta);
    if (cli->json)
        json_entry(cli, answer);
    else
        print_entry(answer);
    return answer->verdict == LARDER_GONE ? CODE_NEGATIVE : CODE_DONE;
}

static int run(struct cli *cli) {
    struct larder_request request = {
        .code = LARDER_DO_GET,
        .flags = args_has(&cli->args, "any") ? LARDER_F_ANY : 0,
        .build = cli_build(cli),
    };
    struct larder_bytes key = {0}, *tags = NULL;
    size_t n_tags = 0;
    bool raw = args_has(&cli->args, "part") || args_has(&cli->args, "meta");
    if (args_has(&cli->args, "part") && args_has(&cli->args, "meta"))
        return cli_usage(cli, "--part and --meta are two answers: give one");
    if (args_has(&cli->args, "output") && !raw)
        return cli_usage(cli, "--output goes with --part or --meta");
    if (cli->json && raw)
        return cli_usage(cli, "--part and --meta write bytes: leave --json out");
    int code = cli_kind(cli, LARDER_PAGE, &request.kind);
    if (code == CODE_DONE)
        code = cli_bytes(cli, cli->args.words[0], &key);
    if (code == CODE_DONE)
        code = cli_bytes_list(cli, "tag", 0, &tags, &n_tags);
    if (code == CODE_DONE)
        code = cli_open(cli);
    if (code == CODE_DONE) {
        const struct larder_answer *answer;
        request.key = key;
        request.tags = tags;
        request.n_tags = n_tags;
        int32_t status = cli_call(cli, &request, &answer);
        code = show(cli, status, answer);
        larder_answer_unref(answer);
    }
    bytes_list_free(tags, n_tags);
    bytes_free(key);
    return code;
}

const struct command command_get = {
    .name = "get",
    .words = "KEY",
    .min_words = 1,
    .max_words = 1,
    .summary = "Show an entry, or write one of its parts",
    .help = "Reads an entry as a request of the application would, and tells whether it is fresh, stale\n"
            "or gone.  With --part the bytes of that part are written as they are stored.\n"
            "\n"
            "Exit codes: 0 fresh or stale; 1 not stored, gone, or no such part; 2, 3 as larder --help says.\n"
            "\n"
            "Examples:\n"
            "  larder get /blog/hello --build \"$(cat .next/BUILD_ID)\"\n"
            "  larder get /blog/hello --part html > hello.html\n"
            "  larder get --kind fetch 0d2d54c1 --json\n"
            "  larder get 'odd\\x00key' --any\n"
            "  larder get /blog/hello --trace             # why is it no hit?\n",
    .options = options,
    .run = run,
};
