#include "rig.h"

#include <stdio.h>
#include <stdlib.h>

struct rig rig;

struct larder_buf {
    int refs;
};

struct aws_call {
    char asked[512], body[4096];
    char *headers; /* "name: value\n" */
    aws_client_done *done;
    void *arg;
};
static struct aws_call *requests[4 * RIG_RECORDS];
static size_t n_requests;

static _Noreturn void die(const char *what) {
    fprintf(stderr, "rig: %s\n", what);
    abort();
}

static void *must(void *p) {
    if (!p)
        die("out of memory");
    return p;
}

/* ---- the host ---------------------------------------------------------------------------------------- */

static void buf_ref(struct larder_buf *buf) {
    buf->refs++;
}

static void buf_unref(struct larder_buf *buf) {
    if (buf && --buf->refs == 0) {
        rig.bufs--;
        free(buf);
    }
}

static uint8_t *buf_new(size_t len, struct larder_slice *out) {
    struct larder_buf *buf = must(malloc(sizeof(*buf) + len));
    buf->refs = 1;
    rig.bufs++;
    *out = (struct larder_slice){(uint8_t *)(buf + 1), len, buf};
    return (uint8_t *)(buf + 1);
}

static void complete(struct larder_op *op, const struct larder_result *res) {
    struct rig_op *o = (struct rig_op *)(void *)op;
    if (o->completed++)
        die("an op was completed twice");
    if (res->size != sizeof(*res) || res->status > LARDER_MISS || res->status < LARDER_INTERNAL)
        die("a result makes no sense");
    o->res = *res;
    snprintf(o->detail, sizeof(o->detail), "%s", res->detail ? res->detail : "");
    snprintf(o->cursor, sizeof(o->cursor), "%.*s", (int)res->cursor.len, (const char *)res->cursor.ptr);
    o->value_len = res->value.len < sizeof(o->value) - 1 ? res->value.len : sizeof(o->value) - 1;
    if (o->value_len > 0)
        memcpy(o->value, res->value.ptr, o->value_len);
    buf_unref(res->cursor.owner);
    buf_unref(res->value.owner);
}

static int32_t emit(struct larder_op *op, struct larder_bytes bytes) {
    struct rig_op *o = (struct rig_op *)(void *)op;
    if (o->n_records == RIG_RECORDS)
        die("too many records");
    snprintf(o->records[o->n_records++], sizeof(o->records[0]), "%.*s", (int)bytes.len,
             (const char *)bytes.ptr);
    return LARDER_OK;
}

static void log_line(struct larder_home *home, int32_t level, const char *line) {
    (void)home;
    (void)line;
    rig.warnings += level == LARDER_LOG_WARN;
}

static struct {
    larder_fn *work, *done;
    void *arg;
} offloaded;

static int32_t offload(struct larder_home *home, larder_fn *work, larder_fn *done, void *arg) {
    (void)home;
    if (rig.no_pool)
        return LARDER_NOMEM;
    if (offloaded.work)
        die("one thing at a time");
    offloaded.work = work;
    offloaded.done = done;
    offloaded.arg = arg;
    return LARDER_OK;
}

void rig_work(void) {
    larder_fn *done = offloaded.done;
    if (!offloaded.work)
        die("nothing was offloaded");
    offloaded.work(offloaded.arg);
    offloaded.work = NULL;
    done(offloaded.arg);
}

static const struct larder_host host = {.size = sizeof(host),
                                        .abi = LARDER_ABI,
                                        .complete = complete,
                                        .emit_key = emit,
                                        .emit_text = emit,
                                        .buf_new = buf_new,
                                        .buf_ref = buf_ref,
                                        .buf_unref = buf_unref,
                                        .log = log_line,
                                        .offload = offload};

/* ---- in the place of drivers/aws ---------------------------------------------------------------------- */

int32_t aws_client_send(struct aws_client *client, const struct aws_request *r, aws_client_done *done,
                        void *arg, struct aws_call **ret_call) {
    struct aws_text headers = {0};
    (void)client;
    if (rig.next_status != LARDER_OK) {
        const int32_t status = rig.next_status;
        rig.next_status = LARDER_OK;
        return status;
    }
    struct aws_call *call = must(calloc(1, sizeof(*call)));
    snprintf(call->asked, sizeof(call->asked), "%s %s%s%s", r->method, r->path, r->query ? "?" : "",
             r->query ? r->query : "");
    snprintf(call->body, sizeof(call->body), "%.*s", (int)r->body.len, (const char *)r->body.ptr);
    aws_text_adds(&headers, "");
    for (size_t i = 0; i < r->n_headers; i++) {
        aws_text_adds(&headers, r->headers[i].name);
        aws_text_adds(&headers, ": ");
        aws_text_adds(&headers, r->headers[i].value);
        aws_text_adds(&headers, "\n");
    }
    call->headers = must(headers.ptr);
    call->done = done;
    call->arg = arg;
    requests[n_requests++] = call;
    if (ret_call)
        *ret_call = call;
    return LARDER_OK;
}

static struct aws_call *take(size_t at) {
    struct aws_call *call = requests[at];
    n_requests--;
    memmove(requests + at, requests + at + 1, (n_requests - at) * sizeof(requests[0]));
    return call;
}

static void call_free(struct aws_call *call) {
    free(call->headers);
    free(call);
}

void aws_client_cancel(struct aws_call *call) {
    for (size_t i = 0; i < n_requests; i++) {
        if (requests[i] == call) {
            call_free(take(i));
            return;
        }
    }
    die("what is cancelled is not under way");
}

int32_t aws_client_new(const struct aws_client_options *options, struct aws_client **ret_client,
                       char error[LARDER_ERROR_SIZE]) {
    (void)options;
    error[0] = '\0';
    *ret_client = NULL;
    return LARDER_OK;
}

void aws_client_free(struct aws_client *client) {
    (void)client;
}

const char *aws_client_region(const struct aws_client *client, bool *ret_is_own) {
    (void)client;
    *ret_is_own = true;
    return "eu-west-1";
}

/* ---- what tests call ------------------------------------------------------------------------------------ */

void rig_start(void) {
    rig = (struct rig){.config = {.url = "",
                                  .bucket = "bucket",
                                  .prefix = "p",
                                  .default_region = "",
                                  .addressing = "auto",
                                  .conditional = "on",
                                  .checksum = "none",
                                  .sse = "",
                                  .kms_key = "",
                                  .storage_class = "",
                                  .batch_removes = 1,
                                  .bytes_under_way = 1000,
                                  .max_age_ms = INT64_C(366) * 86400000,
                                  .upload_lag_ms = 3600000}};
    rig.s = (struct s3){
        .host = &host, .config = &rig.config, .bucket = "bucket", .prefix = "p", .conditional = true};
    rig.s.usual_bytes = 100;
}

void rig_end(void) {
    CU_ASSERT_EQUAL(n_requests, 0);
    CU_ASSERT_EQUAL(rig.bufs, 0);
    CU_ASSERT_EQUAL(rig.s.bytes_under_way, 0);
    CU_ASSERT_PTR_NULL(rig.s.waiting.first);
    CU_ASSERT_PTR_NULL(rig.s.removes.first);
    s3_call_done(&rig.s);
}

void rig_op(struct rig_op *o, uint32_t code, const char *key) {
    *o = (struct rig_op){.op = {.size = sizeof(o->op),
                                .code = code,
                                .now_ms = 1000000,
                                .deadline_ns = 10000000000,
                                .key = aws_bytes(key),
                                .modified_ms = 7,
                                .epoch = 5}};
}

void rig_value(struct rig_op *o, const char *value) {
    o->op.value = (struct larder_slice){(const uint8_t *)value, strlen(value), NULL};
}

const char *rig_asked(void) {
    return n_requests > 0 ? requests[0]->asked : "";
}

const char *rig_body(void) {
    return n_requests > 0 ? requests[0]->body : "";
}

size_t rig_n_requests(void) {
    return n_requests;
}

const char *rig_header(const char *name) {
    static char value[256];
    const size_t len = strlen(name);
    for (const char *line = n_requests > 0 ? requests[0]->headers : ""; *line;
         line += strcspn(line, "\n") + 1) {
        if (strncmp(line, name, len) == 0 && line[len] == ':') {
            snprintf(value, sizeof(value), "%.*s", (int)(strcspn(line, "\n") - len - 2), line + len + 2);
            return value;
        }
    }
    return NULL;
}

static void answer(const struct aws_answer *a) {
    if (n_requests == 0)
        die("nothing was asked");
    struct aws_call *call = take(0);
    call->done(call->arg, a);
    call_free(call);
}

void rig_reply(int http_status, const char *headers, const char *body) {
    struct larder_slice slice = {0};
    if (body[0] != '\0')
        memcpy(buf_new(strlen(body), &slice), body, strlen(body));
    answer(&(struct aws_answer){
        .http_status = http_status, .code = "", .headers = aws_bytes(headers), .body = slice});
    buf_unref(slice.owner);
}

void rig_refuse(int http_status, int32_t status, const char *code) {
    answer(&(struct aws_answer){
        .status = status, .http_status = http_status, .code = code, .detail = "HTTP of the test"});
}
