/*
 * larder/merge.h - how a mark that arrives joins the one that is stored.
 *
 * For drivers written in C or C++: a driver links against nothing of ours, so the rule
 * (docs/semantics.md, "Marks") comes as a header.  The core calls it too; there is no second
 * version.  A driver that merges inside its store, in SQL or Lua say, writes the same rule down
 * there, and the conformance suite compares the two.
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
 * A mark as it counts at now_ms.  stale_epoch and expire_at_ms are a pair.  A pair that is due
 * says no more than "older than stale_epoch is gone", so it moves into expired_epoch; an expiry
 * without a stale epoch says nothing.
 */
static inline struct larder_mark larder_merge_settled(struct larder_mark mark, int64_t now_ms) {
    if (mark.stale_epoch == LARDER_UNSET)
        mark.expire_at_ms = LARDER_UNSET;
    if (mark.expire_at_ms != LARDER_UNSET && mark.expire_at_ms <= now_ms) {
        mark.expired_epoch = larder_merge_max(mark.expired_epoch, mark.stale_epoch);
        mark.stale_epoch = LARDER_UNSET;
        mark.expire_at_ms = LARDER_UNSET;
    }
    return mark;
}

/*
 * What is stored after `add` arrives at now_ms (op->now_ms); stored NULL: nothing was.  The tag
 * of the result is add's.  In bump() the driver replaces LARDER_NEW_EPOCH before it calls this.
 *
 * The first mark is stored as it came, so that it reads back as it was written.  Otherwise both
 * are settled, then the stricter of each member wins.  So the result is the same whatever the
 * order of arrival, and nothing that was gone, or due to go, comes back.
 */
static inline struct larder_mark larder_merge_mark(const struct larder_mark *stored,
                                                   const struct larder_mark *add, int64_t now_ms) {
    if (!stored)
        return *add;

    struct larder_mark out = larder_merge_settled(*add, now_ms);
    struct larder_mark old = larder_merge_settled(*stored, now_ms);
    out.expired_epoch = larder_merge_max(old.expired_epoch, out.expired_epoch);
    out.stale_epoch = larder_merge_max(old.stale_epoch, out.stale_epoch);
    out.expire_at_ms = larder_merge_sooner(old.expire_at_ms, out.expire_at_ms);
    return out;
}

#endif /* LARDER_MERGE_H */
