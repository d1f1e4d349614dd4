#include "outage.h"

#include "log.h"
#include "marks.h"

/* The table's clock stands still: what is known of marks does not age, it is only added to. */
static const uint64_t NO_TIME = 0;

void outage_init(struct outage *outage, uint64_t max_ns) {
    *outage = (struct outage){.max_ns = max_ns, .served_epoch = LARDER_UNSET, .lost_epoch = LARDER_UNSET};
    mark_memory_init(&outage->known, UINT64_MAX);
}

void outage_done(struct outage *outage) {
    mark_memory_done(&outage->known);
}

/* ---- what is known ------------------------------------------------------------------ */

const struct larder_mark *outage_mark(const struct outage *outage, struct larder_bytes tag) {
    const struct marked *marked = mark_memory_find(&outage->known, tag, NO_TIME);
    return marked != NULL ? &marked->mark : NULL;
}

static void lose(struct outage *outage, const struct larder_mark *mark) {
    int64_t epoch = mark_epoch(mark);
    if (epoch > outage->lost_epoch)
        outage->lost_epoch = epoch;
}

/* The table is about to begin anew. */
static void lose_all(struct outage *outage) {
    for (size_t i = 0; i < outage->known.n_slots; i++)
        if (outage->known.slots[i].mark.tag.ptr != NULL)
            lose(outage, &outage->known.slots[i].mark);
}

static void learn(struct outage *outage, const struct larder_mark *mark, int64_t now_ms) {
    const struct larder_mark *stored = outage_mark(outage, mark->tag);
    struct larder_mark merged = mark_merge(stored, mark, now_ms);
    if (stored == NULL && outage->known.n == MARK_MEMORY_TAGS)
        lose_all(outage);
    mark_memory_put(&outage->known, mark->tag, &merged, NO_TIME);
    if (outage_mark(outage, mark->tag) == NULL)
        lose(outage, mark); /* no memory */
}

void outage_learn(struct outage *outage, const struct larder_mark *marks, size_t n, int64_t now_ms) {
    for (size_t i = 0; outage->max_ns > 0 && i < n; i++)
        learn(outage, &marks[i], now_ms);
}

uint32_t outage_verdict(const struct outage *outage, struct larder_bytes tag, int64_t epoch, int64_t now_ms) {
    const struct larder_mark *mark = outage_mark(outage, tag);
    if (epoch < outage->lost_epoch)
        return LARDER_GONE;
    return mark != NULL ? mark_verdict(mark, epoch, now_ms) : LARDER_FRESH;
}

/* ---- beginning and end ----------------------------------------------------------------- */

void outage_begins(struct outage *outage, const char *why) {
    if (outage->max_ns == 0 || outage->number != 0)
        return;
    outage->number = ++outage->n_begun;
    outage->n_served = 0;
    log_line(LARDER_LOG_WARN,
             "marks of tags cannot be read (%s): what this process knows is served, for at most %llu s "
             "after they last could (on-outage)",
             why, (unsigned long long)(outage->max_ns / 1000000000u));
}

void outage_over(struct outage *outage, uint64_t asked_ns) {
    if (asked_ns > outage->read_ns)
        outage->read_ns = asked_ns;
    if (outage->number == 0)
        return;
    outage->number = 0;
    log_line(LARDER_LOG_WARN, "marks of tags can be read again; %llu answers were given without them",
             (unsigned long long)outage->n_served);
}

/* ---- serving ------------------------------------------------------------------------------- */

bool outage_may_serve(const struct outage *outage, uint64_t now_ns) {
    return outage->max_ns > 0 && outage->read_ns != 0 && now_ns - outage->read_ns <= outage->max_ns;
}

void outage_served(struct outage *outage, int64_t known) {
    outage->n_served++;
    if (known > outage->served_epoch)
        outage->served_epoch = known;
}

bool outage_is_unsure(const struct outage *outage, int64_t epoch) {
    return epoch <= outage->served_epoch;
}
