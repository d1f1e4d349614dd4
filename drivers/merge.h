/*
 * The rule by which a mark that arrives joins the one that is stored (docs/semantics.md,
 * "Tags"), for drivers written in C: a driver links against nothing of ours, so the rule comes
 * as a header.  core/src/marks.c calls it too; there is no second version.
 */
#ifndef LARDER_MERGE_H
#define LARDER_MERGE_H

#include "larder/driver.h"

/* LARDER_UNSET is the smallest number, so the greater of two epochs is the set one. */
static inline int64_t larder_merge_max(int64_t a, int64_t b) {
    return a > b ? a : b;
}

/* An unset expiry never comes: it is the greater one. */
static inline int64_t larder_merge_sooner(int64_t a, int64_t b) {
    if (a == LARDER_UNSET)
        return b;
    return b == LARDER_UNSET || a < b ? a : b;
}

/*
 * What is stored after `add` arrives at now_ms (op->now_ms); stored NULL: nothing was.  The tag
 * of the result is add's.  In bump() the driver replaces LARDER_NEW_EPOCH before it calls this.
 *
 * stale_epoch and expire_at_ms are a pair.  Once the stored pair is due it says no more than
 * "older than stale_epoch is gone", so it moves into expired_epoch and makes room; until then
 * two pairs join to the stricter of both.  Nothing that was gone, or due to go, comes back.
 */
static inline struct larder_mark larder_merge_mark(const struct larder_mark *stored,
                                                   const struct larder_mark *add, int64_t now_ms) {
    if (!stored)
        return *add;

    struct larder_mark out = *stored;
    out.tag = add->tag;
    out.expired_epoch = larder_merge_max(stored->expired_epoch, add->expired_epoch);

    int due = stored->expire_at_ms != LARDER_UNSET && stored->expire_at_ms <= now_ms;
    if (due)
        out.expired_epoch = larder_merge_max(out.expired_epoch, stored->stale_epoch);

    if (add->stale_epoch == LARDER_UNSET && add->expire_at_ms == LARDER_UNSET)
        return out; /* no pair came: leave the stored one, due or not */

    if (due) {
        out.stale_epoch = add->stale_epoch;
        out.expire_at_ms = add->expire_at_ms;
    } else {
        out.stale_epoch = larder_merge_max(stored->stale_epoch, add->stale_epoch);
        out.expire_at_ms = larder_merge_sooner(stored->expire_at_ms, add->expire_at_ms);
    }
    return out;
}

#endif /* LARDER_MERGE_H */
