#include "rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct rig rig;

struct larder_buf {
    int refs;
};

struct larder_timer {
    larder_fn *fn;
    void *arg;
    uint64_t due_ns;
    bool freed; /* while it fires */
};

static struct larder_timer *timers[RIG_RECORDS];

static struct request {
    const char *operation;
    char *body;
    ddb_reply_fn *fn;
    void *arg;
} requests[2 * RIG_RECORDS];
static size_t n_requests;
static int32_t next_status;

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

static void complete(struct larder_op *op, const struct larder_result *res) {
    struct rig_op *o = (struct rig_op *)(void *)op;
    if (o->completed++)
        die("an op was completed twice");
    if (res->size != sizeof(*res) || res->status > LARDER_MISS || res->status < LARDER_INTERNAL)
        die("a result makes no sense");
    o->res = *res;
    snprintf(o->detail, sizeof(o->detail), "%s", res->detail ? res->detail : "");
    if (res->cursor.len > 0) {
        snprintf(o->cursor, sizeof(o->cursor), "%.*s", (int)res->cursor.len, (const char *)res->cursor.ptr);
        rig.d.host->buf_unref(res->cursor.owner);
    }
}

static void record(struct larder_op *op, struct larder_bytes bytes) {
    struct rig_op *o = (struct rig_op *)(void *)op;
    if (o->n_records == RIG_RECORDS)
        die("too many records");
    snprintf(o->records[o->n_records++], sizeof(o->records[0]), "%.*s", (int)bytes.len,
             (const char *)bytes.ptr);
}

static int32_t emit(struct larder_op *op, struct larder_bytes bytes) {
    record(op, bytes);
    return LARDER_OK;
}

static int32_t emit_mark(struct larder_op *op, const struct larder_mark *mark) {
    struct rig_op *o = (struct rig_op *)(void *)op;
    record(op, mark->tag);
    o->marks[o->n_records - 1] = *mark;
    return LARDER_OK;
}

static uint8_t *buf_new(size_t len, struct larder_slice *out) {
    struct larder_buf *buf = must(malloc(sizeof(*buf) + len));
    buf->refs = 1;
    rig.bufs++;
    *out = (struct larder_slice){(uint8_t *)(buf + 1), len, buf};
    return (uint8_t *)(buf + 1);
}

static void buf_unref(struct larder_buf *buf) {
    if (buf && --buf->refs == 0) {
        rig.bufs--;
        free(buf);
    }
}

static uint64_t now_ns(void) {
    return rig.now_ns;
}

static struct larder_timer *timer(struct larder_home *home, larder_fn *fn, void *arg) {
    (void)home;
    for (size_t i = 0; i < RIG_RECORDS; i++) {
        if (timers[i])
            continue;
        timers[i] = must(calloc(1, sizeof(*timers[i])));
        *timers[i] = (struct larder_timer){.fn = fn, .arg = arg, .due_ns = UINT64_MAX};
        rig.timers++;
        return timers[i];
    }
    die("too many timers");
}

static void timer_set(struct larder_timer *t, uint64_t due_ns) {
    t->due_ns = due_ns;
}

static void timer_free(struct larder_timer *t) {
    for (size_t i = 0; i < RIG_RECORDS; i++) {
        if (timers[i] == t)
            timers[i] = NULL;
    }
    rig.timers--;
    free(t);
}

static void log_line(struct larder_home *home, int32_t level, const char *line) {
    (void)home;
    if (level != LARDER_LOG_WARN || line[0] == '\0')
        die("a line makes no sense");
    rig.lines++;
}

static const struct larder_host host = {
    .size = sizeof(host),
    .abi = LARDER_ABI,
    .complete = complete,
    .emit_mark = emit_mark,
    .emit_key = emit,
    .emit_text = emit,
    .buf_new = buf_new,
    .buf_unref = buf_unref,
    .now_ns = now_ns,
    .log = log_line,
    .timer = timer,
    .timer_set = timer_set,
    .timer_free = timer_free,
};

bool rig_pass_time(void) {
    struct larder_timer *next = NULL;
    for (size_t i = 0; i < RIG_RECORDS; i++) {
        if (timers[i] && timers[i]->due_ns != UINT64_MAX && (!next || timers[i]->due_ns < next->due_ns))
            next = timers[i];
    }
    if (!next)
        return false;
    rig.now_ns = next->due_ns;
    next->due_ns = UINT64_MAX;
    next->fn(next->arg);
    return true;
}

/* ---- DynamoDB ------------------------------------------------------------------------------------------ */

int32_t ddb_call_init(struct ddb *d, char *error) {
    (void)d;
    error[0] = '\0';
    return LARDER_OK;
}

void ddb_call_done(struct ddb *d) {
    (void)d;
}

int32_t ddb_call(struct ddb *d, const struct larder_op *op, const char *operation, struct ddb_text *body,
                 ddb_reply_fn *fn, void *arg) {
    (void)d;
    (void)op;
    int32_t status = body->failed ? LARDER_NOMEM : next_status;
    next_status = LARDER_OK;
    if (status == LARDER_OK) {
        if (n_requests == 2 * RIG_RECORDS)
            die("too many requests");
        struct request *r = &requests[n_requests++];
        *r = (struct request){.operation = operation, .fn = fn, .arg = arg};
        r->body = must(calloc(1, body->len + 1)); /* strndup() of bytes that no NUL ends, ASan refuses */
        memcpy(r->body, body->ptr, body->len);
        struct ddb_json j = ddb_json_of(ddb_bytes_of(r->body));
        if (!ddb_json_skip(&j, NULL) || !ddb_json_ended(&j))
            die("a request is no JSON");
    }
    ddb_text_done(body);
    return status;
}

void rig_fail_next_call(int32_t status) {
    next_status = status;
}

const char *rig_operation(void) {
    return n_requests > 0 ? requests[0].operation : "";
}

const char *rig_body(void) {
    return n_requests > 0 ? requests[0].body : "";
}

size_t rig_n_requests(void) {
    return n_requests;
}

static void answer(const struct ddb_reply *reply) {
    if (n_requests == 0)
        die("nothing was asked");
    struct request r = requests[0];
    memmove(requests, requests + 1, --n_requests * sizeof(requests[0]));
    r.fn(r.arg, reply);
    free(r.body);
}

static char *with_quotes(const char *json) {
    char *text = must(strdup(json));
    for (char *c = text; *c; c++)
        *c = *c == '\'' ? '"' : *c;
    return text;
}

/* The bytes end where the memory ends, so that AddressSanitizer sees whoever reads on. */
void rig_reply(const char *json) {
    char *text = with_quotes(json);
    size_t len = strlen(text);
    uint8_t *bytes = must(malloc(len + 1));
    memcpy(bytes + 1, text, len);
    free(text);
    answer(&(struct ddb_reply){.status = LARDER_OK, .body = {bytes + 1, len}});
    free(bytes);
}

void rig_refuse(int32_t status) {
    answer(&(struct ddb_reply){.status = status, .detail = status < 0 ? "refused by the test" : NULL});
}

void rig_overtake(struct rig_op *o) {
    o->op.deadline_ns = UINT64_MAX;
    for (int i = 0; i < 1000 && !o->completed; i++) {
        if (n_requests == 0)
            rig_pass_time();
        else if (strcmp(rig_operation(), "GetItem") == 0)
            rig_reply("{}");
        else
            rig_refuse(DDB_CONDITION);
    }
}

bool rig_asks(const char *json) {
    char *text = with_quotes(json);
    bool has = strstr(rig_body(), text) != NULL;
    if (!has)
        printf("    no %s in %s %s\n", text, rig_operation(), rig_body());
    free(text);
    return has;
}

/* ---- ops ------------------------------------------------------------------------------------------------- */

void rig_start(void) {
    rig = (struct rig){.config = {.mark_max_age_ms = 366 * INT64_C(86400000), .shards = 2},
                       .now_ns = 1,
                       .d = {.host = &host, .seen_epoch = LARDER_UNSET}};
    rig.d.config = &rig.config;
    rig.d.names = (struct ddb_names){.table = "t", .prefix = "p", .shards = 2, .pk = "pk", .sk = "sk"};
}

void rig_end(void) {
    CU_ASSERT_EQUAL(n_requests, 0);
    CU_ASSERT_EQUAL(rig.bufs, 0);
    CU_ASSERT_EQUAL(rig.timers, 0);
}

void rig_op(struct rig_op *o, const char *key) {
    *o = (struct rig_op){.op = {.size = sizeof(o->op),
                                .deadline_ns = rig.now_ns + 10000000000u,
                                .now_ms = 1000000,
                                .modified_ms = 3,
                                .epoch = 5,
                                .key = ddb_bytes_of(key)}};
}
