#include "marks.h"

#include "larder/merge.h"

struct larder_mark mark_merge(const struct larder_mark *stored, const struct larder_mark *add,
                              int64_t now_ms) {
    return larder_merge_mark(stored, add, now_ms);
}

uint32_t mark_verdict(const struct larder_mark *mark, int64_t epoch, int64_t now_ms) {
    /* LARDER_UNSET is the least number: no epoch is below it. */
    if (epoch < mark->expired_epoch)
        return LARDER_GONE;
    if (epoch >= mark->stale_epoch)
        return LARDER_FRESH;
    return mark->expire_at_ms != LARDER_UNSET && mark->expire_at_ms <= now_ms ? LARDER_GONE : LARDER_STALE;
}

int64_t mark_epoch(const struct larder_mark *mark) {
    int64_t epoch = mark->expired_epoch > mark->stale_epoch ? mark->expired_epoch : mark->stale_epoch;

    return epoch > 0 ? epoch : 0;
}
