/*
 * Keys by their beginning: ListObjectsV2, a request for each page.  The cursor is the last name of the
 * page, without what all begin with, and the next page starts behind it: a continuation token of S3's is
 * good for its own list alone, and for how long nobody says.
 * https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html
 *
 * With layout=opennext there are three places to look in, one after the other; a letter in front of the cursor
 * says which.
 */
#include <stdio.h>
#include <string.h>

#include "aws_uri.h"
#include "s3.h"
#include "xml.h"

enum { MOST_NAMES = 1000 };

enum place { OWN, BUILD, FETCH, N_PLACES };
static const char letters[] = "obf";

struct list {
    struct s3_task task;
    enum place place;
    struct larder_bytes cursor; /* in that place */
    size_t root;                /* bytes of a name that all in that place have */
};

static enum opennext_folder folder_of(enum place place) {
    return place == FETCH ? OPENNEXT_FETCH : OPENNEXT_BUILD;
}

/* What names in that place begin with, into s->name; *ret_root of it is the place itself.  False: no memory. */
static bool make_root(struct list *list, size_t *ret_root) {
    struct s3 *s = list->task.s;
    if (list->place == OWN) {
        const bool ok = s3_name(s, "e", list->task.op->key);
        s->name.len -= ok;                 /* without the `~` */
        *ret_root = strlen(s->prefix) + 3; /* PREFIX/e/ */
        return ok;
    }
    aws_text_clear(&s->name);
    opennext_add_folder(&s->opennext, folder_of(list->place), &s->name);
    *ret_root = s->name.len;
    return !s->name.failed;
}

/* NAMESPACE/BUILD/KIND/KEY, if it begins as is asked for; *ret_emitted. */
static int32_t emit_below(struct list *list, struct larder_bytes ns, const char *build, uint32_t kind,
                          struct larder_bytes key, bool *ret_emitted) {
    static const char *const kinds[] = {
        [FRAME_PAGE] = "/page/", [FRAME_FETCH] = "/fetch/", [FRAME_USE_CACHE] = "/use-cache/"};
    const struct larder_bytes begins = list->task.op->key;
    struct aws_text text = {0};
    int32_t status = LARDER_OK;
    aws_text_add(&text, ns.ptr, ns.len);
    aws_text_adds(&text, build);
    aws_text_adds(&text, kinds[kind]);
    aws_text_add(&text, key.ptr, key.len);
    *ret_emitted = !text.failed && text.len >= begins.len && memcmp(text.ptr, begins.ptr, begins.len) == 0;
    if (text.failed)
        status = LARDER_NOMEM;
    else if (*ret_emitted)
        status = list->task.s->host->emit_key(list->task.op,
                                              (struct larder_bytes){(const uint8_t *)text.ptr, text.len});
    aws_text_done(&text);
    return status;
}

/* The key as the core makes it, of an entry of OpenNext's.  Its namespace is the one that is asked for: OpenNext
 * knows none.  Kinds that builds share (setting shared-kinds) are under another name there. */
static int32_t emit_opennext(struct list *list, struct larder_bytes name) {
    const char *build = list->task.s->opennext.build;
    const struct larder_bytes begins = list->task.op->key;
    const uint8_t *slash = begins.len > 0 ? memchr(begins.ptr, '/', begins.len) : NULL;
    uint8_t bytes[S3_MAX_NAME + 2];
    uint32_t kind;
    size_t len;
    bool emitted = false;
    int32_t status = LARDER_OK;
    if (!slash || name.len > S3_MAX_NAME ||
        !opennext_read_name(folder_of(list->place), name, &kind, bytes, &len))
        return LARDER_OK;
    const struct larder_bytes ns = {begins.ptr, (size_t)(slash - begins.ptr) + 1}, key = {bytes, len};
    if (kind != FRAME_PAGE)
        status = emit_below(list, ns, "shared", kind, key, &emitted);
    if (status == LARDER_OK && !emitted)
        status = emit_below(list, ns, build, kind, key, &emitted);
    return status;
}

static int32_t emit_key(struct list *list, struct larder_bytes name) {
    uint8_t key[S3_MAX_NAME];
    size_t len;
    if (list->place != OWN)
        return emit_opennext(list, name);
    if (name.len > sizeof(key) || !s3_name_read_key(name, key, &len))
        return LARDER_OK; /* somebody else's */
    return list->task.s->host->emit_key(list->task.op, (struct larder_bytes){key, len});
}

/* Where it goes on: behind `name` in this place, or at the beginning of the next. */
static int32_t make_cursor(struct list *list, struct larder_bytes name, enum place place) {
    const struct s3 *s = list->task.s;
    const size_t letter = s->is_opennext;
    struct larder_slice *cursor = &list->task.res.cursor;
    if (name.len + letter == 0)
        return LARDER_RETRY; /* more, behind nothing */
    uint8_t *to = s->host->buf_new(name.len + letter, cursor);
    if (!to) {
        *cursor = (struct larder_slice){0};
        return LARDER_NOMEM;
    }
    if (letter)
        *to++ = (uint8_t)letters[place];
    if (name.len > 0)
        memcpy(to, name.ptr, name.len);
    return LARDER_OK;
}

static int32_t emit_page(struct list *list, struct larder_bytes xml) {
    struct s3_task *task = &list->task;
    struct s3_page page;
    struct aws_text name = {0};
    int32_t status = LARDER_OK;
    struct larder_bytes last = {0};
    if (!s3_page_read(xml, &page)) {
        snprintf(task->detail, sizeof(task->detail), "the answer is none of S3's");
        return LARDER_RETRY;
    }
    while (status == LARDER_OK && s3_page_next(&page, &name)) {
        if (name.failed)
            status = LARDER_NOMEM;
        if (status != LARDER_OK || name.len <= list->root)
            continue;
        last = (struct larder_bytes){(const uint8_t *)name.ptr + list->root, name.len - list->root};
        status = emit_key(list, last);
    }
    if (status == LARDER_OK && page.is_truncated)
        status = last.len > 0 ? make_cursor(list, last, list->place) : LARDER_RETRY;
    else if (status == LARDER_OK && task->s->is_opennext && list->place + 1 < N_PLACES)
        status = make_cursor(list, (struct larder_bytes){0}, list->place + 1);
    aws_text_done(&name);
    return status;
}

static void on_listed(void *arg, const struct aws_answer *answer) {
    struct list *list = arg;
    if (s3_status(answer) != LARDER_OK)
        s3_task_fail(&list->task, answer);
    else
        s3_task_end(&list->task, emit_page(list, (struct larder_bytes){answer->body.ptr, answer->body.len}));
}

static bool make_query(struct list *list, struct aws_text *query) {
    struct s3 *s = list->task.s;
    const struct larder_op *op = list->task.op;
    struct aws_text after = {0};
    char count[24];
    const uint64_t n = op->limit > 0 && op->limit < MOST_NAMES ? op->limit : MOST_NAMES;
    snprintf(count, sizeof(count), "%llu", (unsigned long long)n);
    bool ok = make_root(list, &list->root);
    if (ok)
        aws_text_add(&after, s->name.ptr, list->root);
    aws_text_add(&after, list->cursor.ptr, list->cursor.len);
    const struct aws_param params[] = {
        {aws_bytes("list-type"), aws_bytes("2")},
        {aws_bytes("encoding-type"), aws_bytes("url")},
        {aws_bytes("max-keys"), aws_bytes(count)},
        {aws_bytes("prefix"), s3_name_bytes(s)},
        {aws_bytes("start-after"), {(const uint8_t *)after.ptr, after.len}},
    };
    ok = ok && !after.failed && aws_uri_add_query(query, params, list->cursor.len > 0 ? 5 : 4);
    aws_text_done(&after);
    return ok;
}

/* False: this driver never made that cursor. */
static bool take_cursor(struct list *list) {
    struct larder_bytes cursor = list->task.op->cursor;
    if (list->task.s->is_opennext && cursor.len > 0) {
        const char *letter = cursor.ptr[0] ? strchr(letters, cursor.ptr[0]) : NULL;
        if (!letter)
            return false;
        list->place = (enum place)(letter - letters);
        cursor = (struct larder_bytes){cursor.ptr + 1, cursor.len - 1};
    }
    list->cursor = cursor;
    return cursor.len <= S3_MAX_NAME;
}

void s3_list(void *instance, struct larder_op *op) {
    struct s3 *s = instance;
    struct list *list;
    struct aws_text query = {0};
    if (!s3_accepts(s, op, 0) || !(list = s3_task_new(s, op, sizeof(*list))))
        return;
    if (!take_cursor(list)) {
        s3_task_refuse(&list->task, LARDER_INVALID, "this driver never made that cursor");
        return;
    }
    const struct s3_request request = {
        .method = "GET", .query = make_query(list, &query) ? query.ptr : NULL, .max_body = S3_MAX_ANSWER};
    if (request.query)
        s3_task_call(&list->task, &request, on_listed);
    else
        s3_task_end(&list->task, LARDER_NOMEM);
    aws_text_done(&query);
}
