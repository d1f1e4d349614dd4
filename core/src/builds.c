/*
 * The builds of a namespace: which one is current, and which were before it.  One small entry under a key
 * that is no entry's, so that nobody has to list the store to know.  Whoever changes it takes a claim on it,
 * where the driver has claims; without them one of two changes at the same moment can be lost, which costs
 * renderings after a `larder prune` and nothing else.
 */
#include "builds.h"

#include <stdlib.h>

#include "buf.h"
#include "bytes.h"
#include "frame.h"
#include "request.h"

static const struct larder_bytes BUILDS_KEY = {(const uint8_t *)"builds", 6};
static const int64_t CLAIM_MS = 5000;
static const int64_t SEEN_AGAIN_MS = 3600000; /* a process that starts writes nothing more often */
enum { LOOK_MS = 20, LOOK_MOST_MS = 200 };    /* between two looks for another's claim: longer and longer */
enum { TIMES = 2 * sizeof(int64_t) };         /* the data of a build's part: first_ms, seen_ms */

static void ask_claim(struct request *r);

/* ---- the record ------------------------------------------------------------------------------------ */

static int64_t read_time(const uint8_t *from) {
    uint64_t value = 0;
    for (size_t i = 0; i < sizeof(value); i++)
        value |= (uint64_t)from[i] << (8 * i);
    return (int64_t)value;
}

static void write_time(uint8_t *to, int64_t time_ms) {
    for (size_t i = 0; i < sizeof(time_ms); i++)
        to[i] = (uint8_t)((uint64_t)time_ms >> (8 * i));
}

/* What is no such record counts as none: it is written anew. */
static size_t read_parts(const struct larder_entry *entry, struct larder_build *builds) {
    size_t n = 0;
    for (uint32_t i = 0; i < entry->n_parts && n < LARDER_MAX_BUILDS; i++) {
        const struct larder_part *part = &entry->parts[i];
        if (part->encoding == LARDER_BINARY && part->data.len == TIMES)
            builds[n++] = (struct larder_build){part->name, read_time(part->data.ptr),
                                                read_time(part->data.ptr + sizeof(int64_t))};
    }
    return n;
}

/* Into the answer, in the arena.  LARDER_OK, also where there is no record; LARDER_UNSUPPORTED: something
 * newer wrote it. */
static int32_t take_record(struct request *r, struct larder_slice value) {
    struct larder_build *builds = arena_alloc(&r->arena, (LARDER_MAX_BUILDS + 1) * sizeof(*builds));
    struct frame frame;
    const char *why;
    if (builds == NULL)
        return LARDER_NOMEM;
    r->answer.builds = builds;
    r->answer.n_builds = 0;
    int32_t status = value.len > 0 ? frame_decode(value, BUILDS_KEY, false, &frame, &why) : LARDER_CORRUPT;
    if (status == LARDER_CORRUPT)
        return LARDER_OK;
    if (status != LARDER_OK)
        return status == LARDER_MISS ? LARDER_UNSUPPORTED : status;
    size_t n = read_parts(&frame.entry, builds);
    for (size_t i = 0; i < n && status == LARDER_OK; i++) {
        uint8_t *copy = arena_alloc(&r->arena, builds[i].id.len);
        if (copy == NULL)
            status = LARDER_NOMEM;
        else
            builds[i].id.ptr = (bytes_put(copy, builds[i].id), copy);
    }
    r->answer.n_builds = n;
    frame_done(&frame);
    return status;
}

/* ---- looking --------------------------------------------------------------------------------------------- */

static int32_t take_answer(struct request *r, const struct op *op) {
    if (op->result.status != LARDER_OK && op->result.status != LARDER_MISS)
        return op->result.status;
    return take_record(r, op->result.status == LARDER_OK ? op->result.value : (struct larder_slice){0});
}

static void looked(void *arg, struct op *op) {
    struct request *r = arg;
    if (!r->answered) {
        int32_t status = take_answer(r, op);
        request_answer(r, status, status == op->result.status ? op->result.detail : NULL);
    }
    op_free(op);
    request_unref(r);
}

void builds_start(struct request *r) {
    struct op *op = request_op(r, LARDER_OP_GET, &(struct op_inputs){.key = BUILDS_KEY}, looked);
    if (op != NULL)
        backend_call(r->store->cache.top, op);
}

/* ---- noting ------------------------------------------------------------------------------------------- */

static bool has_claims(const struct request *r) {
    return backend_can(r->store->cache.top, LARDER_OP_CLAIM);
}

static void released(void *arg, struct op *op) {
    (void)arg;
    op_free(op);
}

/* One that is lost costs others the rest of its time. */
static void release(struct request *r) {
    struct larder_store *store = r->store;
    struct op_inputs in = {.key = BUILDS_KEY, .value = store->claims.owner};
    struct op *op = has_claims(r)
                        ? op_new(store->reactor, LARDER_OP_RELEASE, &in, r->deadline_ns, released, NULL)
                        : NULL;
    if (op != NULL)
        backend_call(store->cache.top, op);
}

static void end(struct request *r, int32_t status, const char *detail) {
    if (r->answered)
        return;
    release(r);
    request_answer(r, status, detail);
}

static void noted(void *arg, struct op *op) {
    struct request *r = arg;
    end(r, op->result.status, op->result.detail);
    op_free(op);
    request_unref(r);
}

/* The answer's list is changed as asked; false: there is nothing to change. */
static bool change(struct request *r, struct larder_build *builds, size_t *n) {
    size_t at = 0;
    while (at < *n && !bytes_equal(builds[at].id, r->in.build))
        at++;
    struct larder_build build = {r->in.build, r->now_ms, r->now_ms};
    if (at < *n) {
        build.first_ms = builds[at].first_ms;
        const int64_t age_ms = r->now_ms - builds[at].seen_ms;
        if (r->in.mode == LARDER_BUILD_SEEN && age_ms >= 0 && age_ms < SEEN_AGAIN_MS)
            return false;
        memmove(&builds[at], &builds[at + 1], (--*n - at) * sizeof(*builds));
    } else if (r->in.mode == LARDER_BUILD_FORGET) {
        return false;
    }
    if (r->in.mode == LARDER_BUILD_FORGET)
        return true;
    memmove(&builds[1], &builds[0], *n * sizeof(*builds));
    builds[0] = build;
    *n = *n < LARDER_MAX_BUILDS ? *n + 1 : LARDER_MAX_BUILDS;
    return true;
}

static int32_t encode(struct request *r, const struct larder_build *builds, size_t n,
                      struct larder_slice *ret) {
    struct larder_part *parts = arena_alloc(&r->arena, n * sizeof(*parts));
    uint8_t *times = arena_alloc(&r->arena, n * TIMES);
    if (parts == NULL || times == NULL)
        return LARDER_NOMEM;
    for (size_t i = 0; i < n; i++, times += TIMES) {
        write_time(times, builds[i].first_ms);
        write_time(times + sizeof(int64_t), builds[i].seen_ms);
        parts[i] = (struct larder_part){.name = builds[i].id, .data = {times, TIMES}};
    }
    const struct larder_entry entry = {.kind = LARDER_PAGE,
                                       .key = BUILDS_KEY,
                                       .modified_ms = r->now_ms,
                                       .revalidate_ms = LARDER_UNSET,
                                       .expire_ms = LARDER_UNSET,
                                       .parts = parts,
                                       .n_parts = (uint32_t)n};
    return frame_encode(&entry, UINT64_MAX, ret);
}

static void write_record(struct request *r) {
    struct larder_build *builds = (struct larder_build *)(uintptr_t)r->answer.builds;
    if (!change(r, builds, &r->answer.n_builds)) {
        end(r, LARDER_MISS, NULL);
        return;
    }
    int32_t status = encode(r, builds, r->answer.n_builds, &r->encoded);
    if (status != LARDER_OK) {
        end(r, status, "the record of builds could not be made");
        return;
    }
    struct op_inputs in = {.key = BUILDS_KEY,
                           .value = r->encoded,
                           .modified_ms = r->now_ms,
                           .ttl_ms = r->store->settings->entry_max_age_ms};
    struct op *op = request_op(r, LARDER_OP_PUT, &in, noted);
    if (op != NULL)
        backend_call(r->store->cache.top, op);
}

static void found(void *arg, struct op *op) {
    struct request *r = arg;
    if (!r->answered) {
        int32_t status = take_answer(r, op);
        if (status == LARDER_OK)
            write_record(r);
        else
            end(r, status, status == op->result.status ? op->result.detail : "a newer version wrote it");
    }
    op_free(op);
    request_unref(r);
}

static void read_record(struct request *r) {
    struct op *op = request_op(r, LARDER_OP_GET, &(struct op_inputs){.key = BUILDS_KEY}, found);
    if (op != NULL)
        backend_call(r->store->cache.top, op);
}

/* ---- one at a time ---------------------------------------------------------------------------------------- */

static void look_again(void *arg) {
    struct request *r = arg;
    r->claim_waits = false;
    ask_claim(r);
    request_unref(r);
}

/* claim_give_up() ends it where the request's deadline comes first. */
static void wait_for_others(struct request *r) {
    uint64_t due_ns = reactor_now_ns(r->store->reactor) + r->claim_look_ms * 1000000u;
    timer_init(&r->claim_timer, r->store->reactor, look_again, r);
    if (timer_set(&r->claim_timer, due_ns) != LARDER_OK) {
        request_answer(r, LARDER_NOMEM, "out of memory");
        return;
    }
    r->claim_look_ms = r->claim_look_ms * 2 < LOOK_MOST_MS ? r->claim_look_ms * 2 : LOOK_MOST_MS;
    r->claim_waits = true;
    request_ref(r);
}

static void claimed(void *arg, struct op *op) {
    struct request *r = arg;
    if (!r->answered && op->result.status == LARDER_MISS)
        wait_for_others(r);
    else if (!r->answered && op->result.status == LARDER_OK)
        read_record(r);
    else
        request_answer_op(r, op);
    op_free(op);
    request_unref(r);
}

static void ask_claim(struct request *r) {
    struct op_inputs in = {.key = BUILDS_KEY, .value = r->store->claims.owner, .ttl_ms = CLAIM_MS};
    struct op *op = request_op(r, LARDER_OP_CLAIM, &in, claimed);
    if (op != NULL)
        backend_call(r->store->cache.top, op);
}

void note_build_start(struct request *r) {
    r->claim_look_ms = LOOK_MS;
    if (r->in.build.len == 0 || r->in.build.len > LARDER_MAX_BUILD_ID)
        request_answer(r, LARDER_INVALID, "a build id is 1 to 1024 bytes");
    else if (!has_claims(r))
        read_record(r);
    else if (!claim_has_owner(&r->store->claims))
        request_answer(r, LARDER_INTERNAL, "the system gives no random bytes");
    else
        ask_claim(r);
}
