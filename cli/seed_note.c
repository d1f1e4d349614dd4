#include "seed_note.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "span.h"

enum { MOST_BYTES = 1 << 20 };

/* ---- reading ------------------------------------------------------------------------------------------ */

static int64_t number_of(struct span record, const char *name) {
    double value;
    return span_number(span_member(record, name), &value) && value > 0 && value < 9.0e15 ? (int64_t)value : 0;
}

static bool next_line(struct larder_bytes *rest, struct span *ret) {
    size_t at;
    while (rest->len > 0) {
        const uint8_t *end = memchr(rest->ptr, '\n', rest->len);
        struct larder_bytes line = {rest->ptr, end ? (size_t)(end - rest->ptr) : rest->len};
        size_t taken = line.len + (end != NULL);
        *rest = (struct larder_bytes){rest->ptr + taken, rest->len - taken};
        if (line.len > 0) {
            *ret = (struct span){0};
            span_document(line, ret, &at);
            return true;
        }
    }
    return false;
}

/* Where several processes of one build wrote, the smallest epoch counts; what an earlier build wrote does
 * not.  false: a line is none. */
static bool read_lines(struct larder_bytes text, struct seed_note *note) {
    struct larder_bytes rest = text;
    struct span record, last = {0};
    while (next_line(&rest, &record)) {
        if (record.type != SPAN_OBJECT)
            return false;
        last = record;
    }
    const int64_t build = number_of(last, "build");
    for (rest = text; next_line(&rest, &record);) {
        if (number_of(record, "build") != build)
            continue;
        const int64_t epoch = number_of(record, "epoch"), at_ms = number_of(record, "at");
        struct span tag = span_member(record, "tag");
        if (note->at_ms == 0 || at_ms < note->at_ms)
            note->at_ms = at_ms;
        if (note->tag[0] != '\0' && epoch >= note->epoch)
            continue;
        if (tag.type != SPAN_TEXT || span_has_escapes(tag) || tag.text.len - 2 >= sizeof note->tag ||
            tag.text.len == 2)
            return false;
        note->epoch = epoch;
        snprintf(note->tag, sizeof note->tag, "%.*s", (int)(tag.text.len - 2),
                 (const char *)tag.text.ptr + 1);
    }
    return note->at_ms > 0;
}

void seed_note_read(const char *path, struct seed_note *ret) {
    *ret = (struct seed_note){0};
    FILE *file = fopen(path, "rb");
    uint8_t *text = file ? malloc(MOST_BYTES) : NULL;
    if (text) {
        struct seed_note note = {0};
        if (read_lines((struct larder_bytes){text, fread(text, 1, MOST_BYTES, file)}, &note))
            *ret = note;
    }
    free(text);
    if (file)
        fclose(file);
}

/* ---- proving -------------------------------------------------------------------------------------------- */

static struct larder_bytes tag_of(const struct seed_note *note) {
    return bytes_of_text(note->tag);
}

/* Its own mark, and not the verdict: a store that is younger than the build has a mark of the namespace that
 * makes all of it gone, and says nothing of where the epoch is from.  And that epoch exactly: a store that may
 * lose marks makes one for each tag that it is asked for, of an epoch of its own. */
int seed_note_prove(struct cli *cli, const struct seed_note *note, bool *ret) {
    const struct larder_bytes tag = tag_of(note);
    const struct larder_answer *answer;
    struct larder_request request = {.code = LARDER_DO_READ_TAGS, .tags = &tag, .n_tags = 1};
    int32_t status = cli_call(cli, &request, &answer);
    int code = status >= 0 ? CODE_DONE : cli_failed_answer(cli, status, answer);
    *ret = code == CODE_DONE && answer->n_marks == 1 && answer->marks[0].expired_epoch == note->epoch;
    larder_answer_unref(answer);
    return code;
}

/* ---- writing --------------------------------------------------------------------------------------------- */

static int make_tag(struct cli *cli, struct seed_note *note) {
    uint64_t random[2];
    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
        return cli_failed(cli, LARDER_INTERNAL, "the system gives no random bytes");
    snprintf(note->tag, sizeof note->tag, "larder:build:%016" PRIx64 "%016" PRIx64, random[0], random[1]);
    return CODE_DONE;
}

static int ask(struct cli *cli, struct larder_request *request, const struct larder_answer **ret) {
    int32_t status = cli_call(cli, request, ret);
    return status == LARDER_OK ? CODE_DONE : cli_failed_answer(cli, status, *ret);
}

/* The mark of the namespace comes first: in a new store looking makes it, which raises the epoch.  The
 * epoch is read back, since other revalidations may raise what the answer tells. */
static int mark(struct cli *cli, struct seed_note *note) {
    const struct larder_bytes tag = tag_of(note);
    const struct larder_answer *answer;
    struct larder_request look = {.code = LARDER_DO_CHECK},
                          write = {.code = LARDER_DO_REVALIDATE, .tags = &tag, .n_tags = 1},
                          read = {.code = LARDER_DO_READ_TAGS, .tags = &tag, .n_tags = 1};
    int code = ask(cli, &look, &answer);
    larder_answer_unref(answer);
    note->at_ms = clock_wall_ms();
    if (code == CODE_DONE) {
        code = ask(cli, &write, &answer);
        larder_answer_unref(answer);
    }
    if (code != CODE_DONE)
        return code;
    code = ask(cli, &read, &answer);
    if (code == CODE_DONE && answer->n_marks == 1)
        note->epoch = answer->marks[0].expired_epoch;
    else if (code == CODE_DONE)
        code = cli_failed(cli, LARDER_INTERNAL, "the mark that was just written is not there");
    larder_answer_unref(answer);
    return code;
}

static void make_folders(const char *path) {
    char *copy = strdup(path);
    for (char *slash = copy ? strchr(copy + 1, '/') : NULL; slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        (void)mkdir(copy, 0777); /* what does not work shows when the file is opened */
        *slash = '/';
    }
    free(copy);
}

int seed_note_write(struct cli *cli, const char *path) {
    struct seed_note note = {0};
    int code = make_tag(cli, &note);
    if (code == CODE_DONE)
        code = mark(cli, &note);
    if (code != CODE_DONE)
        return code;
    make_folders(path);
    FILE *file = fopen(path, "wb");
    if (file == NULL)
        return cli_failed(cli, LARDER_INTERNAL, "%s cannot be written: %s", path, cli_errno());
    fprintf(file, "{\"build\":%ld,\"epoch\":%" PRId64 ",\"tag\":\"%s\",\"at\":%" PRId64 "}\n", (long)getpid(),
            note.epoch, note.tag, note.at_ms);
    if (fclose(file) != 0)
        return cli_failed(cli, LARDER_INTERNAL, "%s cannot be written: %s", path, cli_errno());
    return CODE_DONE;
}
