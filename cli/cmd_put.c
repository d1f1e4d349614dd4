/* larder put: an entry made of files. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "clock.h"

static const struct option options[] = {
    {"kind", "KIND", "page, fetch, image or use-cache; page if not given"},
    {"build", "ID", "build id of the entry"},
    {"part", "NAME=FILE", "a part of bytes; - is stdin; may be repeated"},
    {"text", "NAME=FILE", "a part of text (UTF-8); may be repeated"},
    {"meta", "JSON", "what the handler keeps beside the parts"},
    {"tag", "TAG", "a tag of the entry; may be repeated"},
    {"epoch", "NUMBER", "the epoch that rendering noted; the store's present one if not given"},
    {"revalidate", "TIME", "the entry turns stale by itself after this"},
    {"expire", "TIME", "the store may drop the entry after this"},
    {"if-absent", NULL, "leave an entry that is there"},
    {NULL, NULL, NULL},
};

enum { FIRST_READ = 65536 };

/* The whole of a file (- is stdin), malloc()ed. */
static int read_file(struct cli *cli, const char *path, struct larder_bytes *ret) {
    FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "rb");
    if (file == NULL)
        return cli_usage(cli, "%s cannot be read: %s", path, cli_errno());
    uint8_t *bytes = NULL;
    size_t size = 0, len = 0;
    int code = CODE_DONE;
    while (code == CODE_DONE) {
        if (len == size) {
            size_t grown_size = size ? 2 * size : FIRST_READ;
            uint8_t *grown = realloc(bytes, grown_size);
            if (grown == NULL) {
                code = cli_failed(cli, LARDER_NOMEM, "out of memory");
                break;
            }
            bytes = grown;
            size = grown_size;
        }
        size_t n = fread(bytes + len, 1, size - len, file);
        len += n;
        if (n == 0)
            break;
    }
    if (code == CODE_DONE && ferror(file))
        code = cli_usage(cli, "%s cannot be read: %s", path, cli_errno());
    if (file != stdin)
        fclose(file);
    if (code == CODE_DONE)
        *ret = (struct larder_bytes){bytes, len};
    else
        free(bytes);
    return code;
}

/* NAME=FILE */
static int read_part(struct cli *cli, const struct given *given, struct larder_part *ret) {
    const char *equals = strchr(given->value, '=');
    if (equals == NULL)
        return cli_usage(cli, "--%s takes NAME=FILE, not '%s'", given->option->name, given->value);
    char *name = strndup(given->value, (size_t)(equals - given->value));
    if (name == NULL)
        return cli_failed(cli, LARDER_NOMEM, "out of memory");
    struct larder_part part = {.encoding = strcmp(given->option->name, "text") == 0 ? LARDER_UTF8
                                                                                    : LARDER_BINARY};
    int code = cli_bytes(cli, name, &part.name);
    free(name);
    if (code == CODE_DONE)
        code = read_file(cli, equals + 1, &part.data);
    if (code == CODE_DONE)
        *ret = part;
    else
        bytes_free(part.name);
    return code;
}

static void free_parts(struct larder_part *parts, size_t n) {
    for (size_t i = 0; parts && i < n; i++) {
        bytes_free(parts[i].name);
        bytes_free(parts[i].data);
    }
    free(parts);
}

static int read_parts(struct cli *cli, struct larder_part **ret, uint32_t *ret_n) {
    struct larder_part *parts = calloc(cli->args.n_given + 1, sizeof *parts);
    uint32_t n = 0;
    int code = CODE_DONE;
    if (parts == NULL)
        return cli_failed(cli, LARDER_NOMEM, "out of memory");
    for (size_t i = 0; i < cli->args.n_given && code == CODE_DONE; i++) {
        const char *name = cli->args.given[i].option->name;
        if (strcmp(name, "part") != 0 && strcmp(name, "text") != 0)
            continue;
        code = read_part(cli, &cli->args.given[i], &parts[n]);
        n += code == CODE_DONE;
    }
    if (code != CODE_DONE) {
        free_parts(parts, n);
        return code;
    }
    *ret = parts;
    *ret_n = n;
    return CODE_DONE;
}

/* --epoch, or what the store's counter says now: the entry is as new as can be. */
static int find_epoch(struct cli *cli, int64_t *ret) {
    *ret = LARDER_UNSET;
    int code = cli_number(cli, "epoch", LARDER_P_INT, 0, INT64_MAX - 1, ret);
    if (code != CODE_DONE || *ret != LARDER_UNSET)
        return code;
    const struct larder_answer *answer;
    struct larder_request request = {.code = LARDER_DO_EPOCH};
    int32_t status = cli_call(cli, &request, &answer);
    if (status == LARDER_OK)
        *ret = answer->epoch;
    else
        code = cli_failed_answer(cli, status, answer);
    larder_answer_unref(answer);
    return code;
}

static int put(struct cli *cli, struct larder_entry *entry) {
    int code = find_epoch(cli, &entry->epoch);
    if (code != CODE_DONE)
        return code;
    const struct larder_answer *answer;
    struct larder_request request = {
        .code = LARDER_DO_PUT,
        .flags = LARDER_F_TELL | (args_has(&cli->args, "if-absent") ? LARDER_F_IF_ABSENT : 0),
        .build = cli_build(cli),
        .entry = entry,
    };
    int32_t status = cli_call(cli, &request, &answer);
    if (status < 0) {
        code = cli_failed_answer(cli, status, answer);
    } else {
        if (cli->json) {
            json_object(&cli->out, NULL);
            json_text(&cli->out, "status", larder_status_name(status));
            json_number(&cli->out, "epoch", entry->epoch);
            json_end(&cli->out);
        } else if (status == LARDER_MISS) {
            fputs("larder put: an entry is there already\n", stderr);
        }
        code = status == LARDER_MISS ? CODE_NEGATIVE : CODE_DONE;
    }
    larder_answer_unref(answer);
    return code;
}

static int run(struct cli *cli) {
    const char *meta = args_value(&cli->args, "meta");
    struct larder_entry entry = {
        .meta = {(const uint8_t *)meta, meta ? strlen(meta) : 0},
        .modified_ms = clock_wall_ms(),
        .revalidate_ms = LARDER_UNSET,
        .expire_ms = LARDER_UNSET,
    };
    struct larder_bytes *tags = NULL;
    struct larder_part *parts = NULL;
    int code = cli_kind(cli, LARDER_PAGE, &entry.kind);
    if (code == CODE_DONE)
        code = cli_bytes(cli, cli->args.words[0], &entry.key);
    if (code == CODE_DONE)
        code = cli_bytes_list(cli, "tag", 0, &tags, &entry.n_tags);
    if (code == CODE_DONE)
        code = cli_number(cli, "revalidate", LARDER_P_MS, 0, INT64_MAX - 1, &entry.revalidate_ms);
    if (code == CODE_DONE)
        code = cli_number(cli, "expire", LARDER_P_MS, 0, INT64_MAX - 1, &entry.expire_ms);
    if (code == CODE_DONE)
        code = read_parts(cli, &parts, &entry.n_parts);
    if (code == CODE_DONE)
        code = cli_open(cli);
    entry.tags = tags;
    entry.parts = parts;
    if (code == CODE_DONE)
        code = put(cli, &entry);
    free_parts(parts, entry.n_parts);
    bytes_list_free(tags, entry.n_tags);
    bytes_free(entry.key);
    return code;
}

const struct command command_put = {
    .name = "put",
    .words = "KEY",
    .min_words = 1,
    .max_words = 1,
    .summary = "Store an entry made of files, for tests and repairs",
    .help = "The application stores its entries itself; this is for trying a store out.  What Next.js\n"
            "expects in an entry is the handler's business: --meta and the names of the parts are stored\n"
            "as they are given.\n"
            "\n"
            "Exit codes: 0 stored; 1 with --if-absent, something was there; 2, 3 as larder --help says.\n"
            "\n"
            "Examples:\n"
            "  larder put --kind fetch greeting --text body=hello.txt --tag greetings\n"
            "  larder put /logo --part body=logo.png --expire 1h --if-absent\n"
            "  date | larder put --kind fetch now --text body=-\n",
    .options = options,
    .run = run,
};
