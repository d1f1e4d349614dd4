/* Claims.  An item says who holds one and until when; it is never deleted, since by then it may be
 * somebody else's, but replaced under its cas by one that says that it was given back. */
#include <stdlib.h>
#include <string.h>

#include "mc.h"

struct seen {
    bool there, mine;
    struct mc_claim claim; /* without owner, which is compared on the way */
    uint64_t cas;
};

static int32_t on_claim(struct mc_call *c, void *arg, size_t i, const struct mc_found *found) {
    struct seen *seen = arg;
    struct larder_bytes owner = {c->op->value.ptr, c->op->value.len};
    (void)i;
    seen->there = true;
    seen->cas = found->cas;
    if (!mc_claim_parse(found->item, &seen->claim)) /* advice that cannot be read is none */
        seen->claim = (struct mc_claim){0};
    seen->mine = seen->claim.owner.len == owner.len &&
                 (owner.len == 0 || memcmp(seen->claim.owner.ptr, owner.ptr, owner.len) == 0);
    seen->claim.owner = (struct larder_bytes){0};
    return LARDER_OK;
}

static bool is_held(const struct seen *seen, int64_t now_ms) {
    return seen->there && seen->claim.held &&
           (seen->claim.expires_ms == LARDER_UNSET || seen->claim.expires_ms > now_ms);
}

static int32_t store_claim(struct mc_call *c, enum mc_how how, const struct mc_ask *where, uint64_t cas) {
    const struct larder_op *op = c->op;
    struct mc_claim claim = {.held = true, .expires_ms = mc_expires_ms(op->now_ms, op->ttl_ms)};
    size_t len = MC_CLAIM_BYTES + op->value.len;
    uint8_t *item = malloc(len);
    if (!item)
        return mc_fail(c, LARDER_NOMEM, "out of memory for the claim");
    mc_claim_put(&claim, item);
    if (op->value.len > 0)
        memcpy(item + MC_CLAIM_BYTES, op->value.ptr, op->value.len);
    int32_t status = mc_store(c, how, where, (struct larder_bytes){item, len},
                              mc_expiration_s(op->now_ms, op->ttl_ms), cas);
    free(item);
    return status;
}

int32_t mc_claim(struct mc_call *c) {
    struct mc_ask where;
    mc_ask(c->mc, MC_CLAIM, c->op->key, &where);
    for (uint32_t n = 1;; n++) {
        struct seen seen = {0};
        int32_t status = store_claim(c, MC_ADD, &where, 0);
        if (status != LARDER_MISS)
            return status;
        status = mc_fetch(c, &where, 1, on_claim, &seen);
        if (status != LARDER_OK)
            return status;
        if (is_held(&seen, c->op->now_ms) && !seen.mine)
            return LARDER_MISS;
        if (seen.there) {
            status = store_claim(c, MC_CAS, &where, seen.cas);
            if (status != LARDER_MISS)
                return status;
        }
        mc_back_off(c, n);
    }
}

int32_t mc_release(struct mc_call *c) {
    const struct mc_claim back = {.held = false, .expires_ms = 0};
    uint8_t item[MC_CLAIM_BYTES];
    struct mc_ask where;
    struct seen seen = {0};
    mc_ask(c->mc, MC_CLAIM, c->op->key, &where);
    int32_t status = mc_fetch(c, &where, 1, on_claim, &seen);
    if (status != LARDER_OK || !seen.there || !seen.claim.held || !seen.mine)
        return status;
    mc_claim_put(&back, item);
    return mc_store(c, MC_CAS, &where, (struct larder_bytes){item, sizeof(item)}, 1, seen.cas);
}
