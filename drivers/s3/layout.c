/*
 * layout=opennext: which object a key has, and the conversion of its body, on a pool thread.  What
 * OpenNext has no name for is in Larder's own layout, under the same bucket.
 */
#include <stdlib.h>
#include <string.h>

#include "aws_error.h"
#include "s3.h"

bool s3_object(struct s3 *s, struct larder_bytes key, uint32_t *ret_kind, struct larder_bytes *ret_key) {
    *ret_kind = 0;
    aws_text_clear(&s->name);
    if (s->is_opennext && opennext_name(&s->opennext, key, &s->name, ret_kind, ret_key))
        return !s->name.failed;
    *ret_kind = 0;
    return s3_name(s, "e", key);
}

/* ---- reading ------------------------------------------------------------------------------------------- */

struct reading {
    struct larder_slice body;
    struct frame_entry entry; /* what is known before */
    struct larder_slice frame;
    int32_t status;
};

static void read_body(void *arg) {
    const struct s3_task *task = arg;
    struct reading *r = task->conversion;
    struct json_memory memory = {0};
    struct aws_text text = {0};
    struct frame_entry entry = r->entry;
    r->status = opennext_entry((struct larder_bytes){r->body.ptr, r->body.len}, &memory, &text, &entry);
    entry.epoch = r->entry.epoch; /* they are told beside the value as well, and must not differ */
    entry.modified_ms = r->entry.modified_ms;
    if (r->status == LARDER_OK) {
        uint8_t *to = task->s->host->buf_new(frame_len(&entry), &r->frame);
        if (to)
            frame_write(&entry, to);
        else
            r->status = LARDER_NOMEM;
    }
    json_memory_done(&memory);
    aws_text_done(&text);
}

static void on_read(void *arg) {
    struct s3_task *task = arg;
    const struct reading *r = task->conversion;
    const int32_t status = r->status;
    task->s->host->buf_unref(r->body.owner);
    if (status == LARDER_OK) {
        task->res.value = r->frame;
        task->res.modified_ms = r->entry.modified_ms;
        task->res.epoch = r->entry.epoch;
    }
    if (status == LARDER_CORRUPT)
        s3_task_refuse(task, status, "the object is no JSON of OpenNext's");
    else
        s3_task_end(task, status);
}

/*
 * An entry of OpenNext's has no epoch.  A revalidation after its rendering began has one that is at least the time
 * then, so a time before that can stand for it; what S3 tells is when it was uploaded, to the second and by its
 * own clock.  The setting upload-lag is what lies between the two at most, with what clocks differ by.
 */
static void meta_of(const struct s3 *s, const struct aws_answer *answer, struct s3_meta *meta) {
    int64_t ms;
    if (s3_meta_read(answer->headers, meta))
        return;
    if (!aws_time_http(aws_header_of(answer->headers, "last-modified"), &ms))
        ms = 0;
    *meta = (struct s3_meta){.modified_ms = ms, .expires_ms = LARDER_UNSET};
    if (ms > s->config->upload_lag_ms)
        meta->epoch = ms - s->config->upload_lag_ms;
}

void s3_read_opennext(struct s3_task *task, const struct aws_answer *answer, uint32_t kind,
                      struct larder_bytes key) {
    const struct larder_host *host = task->s->host;
    struct s3_meta meta;
    struct reading *r;
    meta_of(task->s, answer, &meta);
    if (s3_is_over(meta.expires_ms, task->op->now_ms)) {
        s3_task_end(task, LARDER_MISS);
        return;
    }
    task->conversion = r = calloc(1, sizeof(*r));
    if (!r) {
        s3_task_end(task, LARDER_NOMEM);
        return;
    }
    r->body = answer->body;
    r->entry = (struct frame_entry){
        .kind = kind, .key = key, .epoch = meta.epoch, .modified_ms = meta.modified_ms};
    if (answer->body.owner)
        host->buf_ref(answer->body.owner);
    task->call = NULL;
    if (host->offload(task->s->home, read_body, on_read, task) == LARDER_OK)
        return;
    host->buf_unref(answer->body.owner);
    s3_task_end(task, LARDER_NOMEM);
}

/* ---- writing ------------------------------------------------------------------------------------------- */

struct writing {
    void (*done)(struct s3_task *task);
    int32_t status;
};

static void make_body(void *arg) {
    struct s3_task *task = arg;
    struct writing *w = task->conversion;
    struct json_memory memory = {0};
    const struct larder_bytes value = {task->op->value.ptr, task->op->value.len};
    if (!opennext_json(value, &memory, &task->body))
        w->status = memory.failed || task->body.failed ? LARDER_NOMEM : LARDER_INVALID;
    json_memory_done(&memory);
}

static void on_made(void *arg) {
    struct s3_task *task = arg;
    const struct writing *w = task->conversion;
    if (w->status == LARDER_OK)
        w->done(task);
    else if (w->status == LARDER_INVALID)
        s3_task_refuse(task, w->status, "layout opennext: the value is no frame; is compress set to on?");
    else
        s3_task_end(task, w->status);
}

void s3_make_opennext(struct s3_task *task, void (*done)(struct s3_task *task)) {
    struct writing *w;
    if (task->op->value.len > OPENNEXT_MAX_JSON) {
        s3_task_refuse(task, LARDER_TOO_BIG, "the value is larger than 11 MB, the most in OpenNext's form");
        return;
    }
    task->conversion = w = calloc(1, sizeof(*w));
    if (w)
        w->done = done;
    if (!w || task->s->host->offload(task->s->home, make_body, on_made, task) != LARDER_OK)
        s3_task_end(task, LARDER_NOMEM);
}
