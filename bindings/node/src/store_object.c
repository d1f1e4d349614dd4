/*
 * The functions of a store.  Each takes the slot of its promise first, and answers undefined
 * when the call is under way, or [status, text] when it is not.
 */
#include "store_object.h"

#include <stdlib.h>
#include <string.h>

#include "args.h"
#include "store_metrics.h"

/* ---- making calls ----------------------------------------------------------------- */

static napi_value refusal(struct args *args, int32_t status, const char *text) {
    napi_value pair, value;
    if (napi_create_array_with_length(args->env, 2, &pair) != napi_ok ||
        napi_create_int32(args->env, status, &value) != napi_ok ||
        napi_set_element(args->env, pair, 0, value) != napi_ok ||
        napi_create_string_utf8(args->env, text, NAPI_AUTO_LENGTH, &value) != napi_ok ||
        napi_set_element(args->env, pair, 1, value) != napi_ok)
        return NULL;
    return pair;
}

/* Takes over the call (NULL: no memory); answers what JavaScript gets. */
static napi_value submit(struct args *args, struct call *call, uint32_t slot,
                         struct larder_request *request) {
    struct handle *handle = args->data;
    if (!call)
        args_fail(args, LARDER_NOMEM, "the call", "does not fit into memory");
    if (!call || args->status != LARDER_OK) {
        if (call)
            call_free(call);
        return refusal(args, args->status, args->complaint);
    }
    call->code = request->code;
    call->slot = slot;
    request->flags |= LARDER_F_DELIVERS;
    client_begin(handle->client, call);
    int32_t status = larder_submit(handle->shared->store, request, client_answered, call);
    if (status == LARDER_OK)
        return NULL;
    client_cancel(handle->client, call);
    call_free(call);
    return refusal(args, status, larder_status_name(status));
}

static struct call *call_new(void) {
    return calloc(1, sizeof(struct call));
}

/* The store is gone once the environment has ended, when nothing should call any more. */
static bool begin(struct args *args, napi_env env, napi_callback_info info, struct scratch *scratch) {
    scratch_init(scratch);
    args_init(args, env, info, scratch);
    const struct handle *handle = args->data;
    if (handle && !handle->shared)
        args_fail(args, LARDER_INVALID, "the store", "is closed");
    return args->status == LARDER_OK;
}

/* get(slot, kind, build, key, tags, flags) */
static napi_value js_get(napi_env env, napi_callback_info info) {
    struct args args;
    struct scratch scratch;
    (void)begin(&args, env, info, &scratch);
    struct larder_request request = {.code = LARDER_DO_GET};
    uint32_t slot = args_u32(&args, 0, "slot");
    request.kind = args_u32(&args, 1, "kind");
    request.build = args_text(&args, 2, "build");
    request.key = args_text(&args, 3, "key");
    request.tags = args_texts(&args, 4, "tags", &request.n_tags);
    /* JavaScript can write into any Buffer. */
    request.flags = args_u32(&args, 5, "flags") | LARDER_F_V8 | LARDER_F_OWN_BINARY;
    napi_value ret = submit(&args, call_new(), slot, &request);
    scratch_done(&scratch);
    return ret;
}

/* put(slot, kind, build, key, epoch, modified, revalidate, expire, tags, meta, parts, names, flags):
 * JavaScript keeps the parts' memory until the promise is resolved. */
static napi_value js_put(napi_env env, napi_callback_info info) {
    struct args args;
    struct scratch unused;
    struct put *put = begin(&args, env, info, &unused) ? malloc(sizeof(*put)) : NULL;
    if (!put)
        return submit(&args, NULL, 0, &(struct larder_request){0});

    put->call = (struct call){.code = LARDER_DO_PUT, .borrows = true};
    scratch_init(&put->scratch);
    args.scratch = &put->scratch;
    struct larder_request request = {.code = LARDER_DO_PUT, .entry = &put->entry};
    struct larder_entry *entry = &put->entry;
    *entry = (struct larder_entry){0};
    uint32_t slot = args_u32(&args, 0, "slot");
    entry->kind = args_u32(&args, 1, "kind");
    request.build = args_text(&args, 2, "build");
    entry->key = args_text(&args, 3, "key");
    entry->epoch = args_epoch(&args, 4, "epoch");
    entry->modified_ms = args_ms(&args, 5, "modified");
    entry->revalidate_ms = args_ms(&args, 6, "revalidate");
    entry->expire_ms = args_ms(&args, 7, "expire");
    entry->tags = args_texts(&args, 8, "tags", &entry->n_tags);
    entry->meta = args_text(&args, 9, "meta");
    entry->parts = args_parts(&args, 10, 11, &entry->n_parts);
    request.flags = args_u32(&args, 12, "flags");
    return submit(&args, &put->call, slot, &request);
}

/* remove(slot, kind, build, key) */
static napi_value js_remove(napi_env env, napi_callback_info info) {
    struct args args;
    struct scratch scratch;
    (void)begin(&args, env, info, &scratch);
    struct larder_request request = {.code = LARDER_DO_REMOVE};
    uint32_t slot = args_u32(&args, 0, "slot");
    request.kind = args_u32(&args, 1, "kind");
    request.build = args_text(&args, 2, "build");
    request.key = args_text(&args, 3, "key");
    napi_value ret = submit(&args, call_new(), slot, &request);
    scratch_done(&scratch);
    return ret;
}

/* revalidate(slot, tags, mode, expire_in_ms) */
static napi_value js_revalidate(napi_env env, napi_callback_info info) {
    struct args args;
    struct scratch scratch;
    (void)begin(&args, env, info, &scratch);
    /* Next.js looks at no result: what fails must not be lost. */
    struct larder_request request = {.code = LARDER_DO_REVALIDATE, .flags = LARDER_F_KEEP_TRYING};
    uint32_t slot = args_u32(&args, 0, "slot");
    request.tags = args_texts(&args, 1, "tags", &request.n_tags);
    request.mode = args_u32(&args, 2, "mode");
    int64_t expire_in_ms = args_ms(&args, 3, "expireInMs");
    request.expire_in_ms = expire_in_ms == LARDER_FOREVER ? LARDER_UNSET : expire_in_ms;
    napi_value ret = submit(&args, call_new(), slot, &request);
    scratch_done(&scratch);
    return ret;
}

/* check(slot, tags, epoch) */
static napi_value js_check(napi_env env, napi_callback_info info) {
    struct args args;
    struct scratch scratch;
    (void)begin(&args, env, info, &scratch);
    struct larder_request request = {.code = LARDER_DO_CHECK};
    uint32_t slot = args_u32(&args, 0, "slot");
    request.tags = args_texts(&args, 1, "tags", &request.n_tags);
    request.epoch = args_epoch(&args, 2, "epoch");
    napi_value ret = submit(&args, call_new(), slot, &request);
    scratch_done(&scratch);
    return ret;
}

/* epoch(slot) */
static napi_value js_epoch(napi_env env, napi_callback_info info) {
    struct args args;
    struct scratch scratch;
    (void)begin(&args, env, info, &scratch);
    struct larder_request request = {.code = LARDER_DO_EPOCH};
    uint32_t slot = args_u32(&args, 0, "slot");
    napi_value ret = submit(&args, call_new(), slot, &request);
    scratch_done(&scratch);
    return ret;
}

/* noteBuild(slot, build) */
static napi_value js_note_build(napi_env env, napi_callback_info info) {
    struct args args;
    struct scratch scratch;
    (void)begin(&args, env, info, &scratch);
    struct larder_request request = {.code = LARDER_DO_NOTE_BUILD, .mode = LARDER_BUILD_SEEN};
    uint32_t slot = args_u32(&args, 0, "slot");
    request.build = args_text(&args, 1, "build");
    napi_value ret = submit(&args, call_new(), slot, &request);
    scratch_done(&scratch);
    return ret;
}

/* ---- what is answered at once ------------------------------------------------------ */

typedef const double *cell_fn(const struct larder_store *store);

static double load(const double *cell) {
    double value;
    __atomic_load(cell, &value, __ATOMIC_ACQUIRE);
    return value;
}

static double epoch_to_note(const struct larder_store *store) {
    return load(larder_epoch_cell(store));
}

static double changes(const struct larder_store *store) {
    return load(larder_changes_cell(store));
}

static double latest_epoch(const struct larder_store *store) {
    return (double)larder_epoch_known(store);
}

/* 0 once the store is closed. */
static napi_value answer_number(napi_env env, napi_callback_info info,
                                double (*of)(const struct larder_store *store)) {
    struct args args;
    struct scratch scratch;
    bool open = begin(&args, env, info, &scratch);
    const struct handle *handle = args.data;
    napi_value ret;
    return napi_create_double(env, open ? of(handle->shared->store) : 0, &ret) == napi_ok ? ret : NULL;
}

/* known(), changes(): for a Node.js that takes no external memory; elsewhere the cells are read. */
static napi_value js_known(napi_env env, napi_callback_info info) {
    return answer_number(env, info, epoch_to_note);
}

static napi_value js_changes(napi_env env, napi_callback_info info) {
    return answer_number(env, info, changes);
}

/* latest() */
static napi_value js_latest(napi_env env, napi_callback_info info) {
    return answer_number(env, info, latest_epoch);
}

/* countKept(n) */
static napi_value js_count_kept(napi_env env, napi_callback_info info) {
    struct args args;
    struct scratch scratch;
    (void)begin(&args, env, info, &scratch);
    uint32_t n = args_u32(&args, 0, "n");
    const struct handle *handle = args.data;
    if (args.status == LARDER_OK)
        larder_count_kept(handle->shared->store, n);
    return NULL;
}

/* knownAt(age_ms) */
static napi_value js_known_at(napi_env env, napi_callback_info info) {
    struct args args;
    struct scratch scratch;
    (void)begin(&args, env, info, &scratch);
    double age_ms = args_double(&args, 0, "ageMs");
    const struct handle *handle = args.data;
    double known = args.status == LARDER_OK ? (double)larder_epoch_at(handle->shared->store, age_ms) : 0;
    napi_value ret;
    return napi_create_double(env, known, &ret) == napi_ok ? ret : NULL;
}

/* drain(ms): the answers themselves come when the event loop turns again. */
static napi_value js_drain(napi_env env, napi_callback_info info) {
    struct args args;
    struct scratch scratch;
    (void)begin(&args, env, info, &scratch);
    double ms = args_double(&args, 0, "ms");
    const struct handle *handle = args.data;
    bool drained = false;
    if (args.status == LARDER_OK) {
        uint32_t wait = ms > 0 ? ms < UINT32_MAX ? (uint32_t)ms : UINT32_MAX : 0;
        drained = larder_drain(handle->shared->store, wait) != 0;
    }
    napi_value ret;
    return napi_get_boolean(env, drained, &ret) == napi_ok ? ret : NULL;
}

/* ---- the object --------------------------------------------------------------------- */

/* A number of the store, read without a call into C.  The store stays open for as long as
 * JavaScript of this environment runs, so the memory outlives every reader. */
static napi_status cell_array(napi_env env, const struct handle *handle, cell_fn *cell_of, napi_value *ret) {
    void *cell = (void *)(uintptr_t)cell_of(handle->shared->store);
    napi_value buffer;
    if (handle->client->copies)
        return napi_get_undefined(env, ret);
    napi_status status = napi_create_external_arraybuffer(env, cell, sizeof(double), NULL, NULL, &buffer);
    if (status == napi_ok)
        return napi_create_typedarray(env, napi_float64_array, 1, buffer, 0, ret);
    return status == napi_no_external_buffers_allowed ? napi_get_undefined(env, ret) : status;
}

static napi_status set_cells(napi_env env, const struct handle *handle, napi_value object) {
    napi_value value;
    napi_status status = cell_array(env, handle, larder_epoch_cell, &value);
    if (status == napi_ok)
        status = napi_set_named_property(env, object, "cell", value);
    if (status == napi_ok)
        status = cell_array(env, handle, larder_changes_cell, &value);
    return status == napi_ok ? napi_set_named_property(env, object, "changesCell", value) : status;
}

/* What JavaScript may keep, as larder_keeping() has it, and how long it lets Next.js wait. */
static napi_status set_numbers(napi_env env, const struct handle *handle, napi_value object) {
    struct larder_keeping keeping;
    larder_keeping(handle->shared->store, &keeping);
    const struct {
        const char *name;
        double number;
    } members[] = {{"keepBytes", (double)keeping.max_bytes},
                   {"keepMs", (double)keeping.max_ms},
                   {"shareBinary", keeping.share_binary},
                   {"setWaitMs", (double)larder_set_wait_ms(handle->shared->store)}};
    napi_status status = napi_ok;
    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]) && status == napi_ok; i++) {
        napi_value value;
        status = napi_create_double(env, members[i].number, &value);
        if (status == napi_ok)
            status = napi_set_named_property(env, object, members[i].name, value);
    }
    return status;
}

napi_status store_object_new(struct handle *handle, napi_value *ret) {
    static const struct {
        const char *name;
        napi_callback fn;
    } functions[] = {
        {"get", js_get},
        {"put", js_put},
        {"remove", js_remove},
        {"revalidate", js_revalidate},
        {"check", js_check},
        {"epoch", js_epoch},
        {"noteBuild", js_note_build},
        {"known", js_known},
        {"knownAt", js_known_at},
        {"drain", js_drain},
        {"stats", js_stats},
        {"metrics", js_metrics},
        {"changes", js_changes},
        {"countKept", js_count_kept},
        {"latest", js_latest},
    };
    napi_env env = handle->client->env;
    napi_value object, value;
    napi_status status = napi_create_object(env, &object);
    for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]) && status == napi_ok; i++) {
        status = napi_create_function(env, functions[i].name, NAPI_AUTO_LENGTH, functions[i].fn, handle,
                                      &value);
        if (status == napi_ok)
            status = napi_set_named_property(env, object, functions[i].name, value);
    }
    if (status == napi_ok)
        status = set_cells(env, handle, object);
    if (status == napi_ok)
        status = set_numbers(env, handle, object);
    if (status == napi_ok)
        *ret = object;
    return status;
}
