#include "claim.h"

#include <sys/random.h>

#include "buf.h"
#include "bytes.h"
#include "hash.h"
#include "request.h"

static const uint64_t MS = 1000000u;
enum { LOOK_MS = 20, LOOK_MOST_MS = 200 }; /* between two looks for their entry: longer and longer */

/* ---- what is ours ------------------------------------------------------------------- */

void claim_table_done(struct claim_table *table) {
    slice_done(&table->owner);
}

bool claim_has_owner(struct claim_table *table) {
    uint8_t *bytes = table->owner.len == 0 ? buf_new(CLAIM_OWNER, &table->owner) : NULL;
    if (bytes != NULL && getrandom(bytes, CLAIM_OWNER, 0) != CLAIM_OWNER)
        slice_done(&table->owner);
    return table->owner.len > 0;
}

static uint64_t *slot_of(struct claim_table *table, struct larder_bytes key, uint64_t *ret_hash) {
    *ret_hash = hash_64(key.ptr, key.len) | 1;
    return &table->hashes[(*ret_hash >> 1) % CLAIM_SLOTS];
}

/* A release that is lost, or not sent because another key took the slot, costs the rest of the
 * claim's time. */
static void released(void *arg, struct op *op) {
    (void)arg;
    op_free(op);
}

void claim_put_over(struct larder_store *store, struct larder_bytes key) {
    uint64_t hash, *slot = slot_of(&store->claims, key, &hash);
    struct op_inputs in = {.key = key, .value = store->claims.owner};
    if (*slot != hash || store->claims.owner.len == 0)
        return;
    *slot = 0;
    uint64_t deadline_ns = reactor_now_ns(store->reactor) + (uint64_t)store->settings->write_deadline_ms * MS;
    struct op *op = op_new(store->reactor, LARDER_OP_RELEASE, &in, deadline_ns, released, NULL);
    if (op != NULL)
        backend_call(store->cache.top, op);
}

/* ---- waiting for theirs --------------------------------------------------------------- */

static void look_again(void *arg) {
    struct request *r = arg;
    r->claim_waits = false;
    r->claim_state = CLAIM_NONE;
    r->read_again(r);
    request_unref(r);
}

/* Its own time to wait, on top of the deadline of a get: a render takes longer than a read. */
static void begin_waiting(struct request *r, uint64_t now_ns) {
    const struct store_settings *settings = r->store->settings;
    r->claim_until_ns = now_ns + (uint64_t)settings->claim_wait_ms * MS;
    r->deadline_ns = r->claim_until_ns + (uint64_t)settings->get_deadline_ms * MS;
    r->claim_look_ms = LOOK_MS;
    timer_init(&r->claim_timer, r->store->reactor, look_again, r);
    if (timer_set(&r->timer, r->deadline_ns) != LARDER_OK)
        r->claim_until_ns = now_ns;
}

/* True: we wait. */
static bool wait_for_theirs(struct request *r) {
    uint64_t now_ns = reactor_now_ns(r->store->reactor);
    if (r->claim_until_ns == 0)
        begin_waiting(r, now_ns);
    if (now_ns >= r->claim_until_ns)
        return false;
    uint64_t look_ns = now_ns + r->claim_look_ms * MS;
    if (timer_set(&r->claim_timer, look_ns < r->claim_until_ns ? look_ns : r->claim_until_ns) != LARDER_OK)
        return false;
    r->claim_look_ms = r->claim_look_ms * 2 < LOOK_MOST_MS ? r->claim_look_ms * 2 : LOOK_MOST_MS;
    r->claim_waits = true;
    request_ref(r);
    return true;
}

void claim_give_up(struct request *r) {
    if (!r->claim_waits)
        return;
    r->claim_waits = false;
    timer_done(&r->claim_timer);
    request_unref(r);
}

/* ---- asking ------------------------------------------------------------------------------ */

static bool can_serve(const struct request *r) {
    return r->kept != NULL && r->verdict != LARDER_GONE;
}

static void claimed(void *arg, struct op *op) {
    struct request *r = arg;
    int32_t status = op->result.status;
    op_free(op);
    if (!r->answered) {
        uint64_t hash, *slot = slot_of(&r->store->claims, request_key(r), &hash);
        r->claim_state = CLAIM_OVER;
        if (status == LARDER_OK)
            *slot = hash;
        else if (status == LARDER_MISS && can_serve(r))
            r->renewing = true;
        else if (status == LARDER_MISS && wait_for_theirs(r))
            r->claim_state = CLAIM_THEIRS;
        TRACE(r->trace, "claim: %s",
              status == LARDER_OK              ? "ours, so this process renders"
              : status != LARDER_MISS          ? larder_status_name(status)
              : r->renewing                    ? "another process renders: what is old is served"
              : r->claim_state == CLAIM_THEIRS ? "another process renders: its entry is waited for"
                                               : "another process has rendered for too long");
        if (r->claim_state == CLAIM_OVER)
            r->go_on(r);
    }
    request_unref(r);
}

static bool ask(struct request *r) {
    struct larder_store *store = r->store;
    struct op_inputs in = {
        .key = request_key(r), .value = store->claims.owner, .ttl_ms = store->settings->claim_ms};
    struct op *op = op_new(store->reactor, LARDER_OP_CLAIM, &in, r->deadline_ns, claimed, r);
    if (op == NULL)
        return false;
    TRACE(r->trace, "claim: asked for");
    op->trace = trace_ref(r->trace);
    r->claim_state = CLAIM_ASKED;
    request_ref(r);
    backend_call(store->cache.top, op);
    return true;
}

bool claim_comes_first(struct request *r, void (*go_on)(struct request *r),
                       void (*read_again)(struct request *r)) {
    struct larder_store *store = r->store;
    if (r->claim_state != CLAIM_NONE)
        return r->claim_state != CLAIM_OVER;
    r->claim_state = CLAIM_OVER;
    r->go_on = go_on;
    r->read_again = read_again;
    return store->settings->claim_ms > 0 && (r->in.flags & LARDER_F_RENDER) &&
           backend_can(store->cache.top, LARDER_OP_CLAIM) && claim_has_owner(&store->claims) && ask(r);
}
