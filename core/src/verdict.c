#include "verdict.h"

#include "bytes.h"
#include "marks.h"
#include "request.h"

static uint32_t worse(uint32_t a, uint32_t b) {
    return a > b ? a : b; /* FRESH < STALE < GONE */
}

const struct larder_mark *mark_told(const struct mark_want *want, struct larder_bytes tag) {
    bool read = want->batch != NULL && want->status == LARDER_OK;
    return read ? mark_batch_find(want->batch, tag) : NULL;
}

/* Of a tag that both reads had - the namespace's, as a rule - both count: the tag store may have
 * been wiped in between, and then only the second one's tells. */
static uint32_t verdict_of_tag(const struct request *r, struct larder_bytes tag, int64_t epoch) {
    const struct larder_mark *const marks[] = {mark_told(&r->want, tag), mark_told(&r->more, tag)};
    int64_t now_ms = reactor_now_ms(r->store->reactor);
    uint32_t verdict = journal_verdict(&r->store->journal, tag, now_ms);
    for (size_t i = 0; i < N_ELEMENTS(marks); i++)
        if (marks[i] != NULL)
            verdict = worse(verdict, mark_verdict(marks[i], epoch, now_ms));
    if (r->in_outage)
        verdict = worse(verdict, outage_verdict(&r->store->outage, tag, epoch, now_ms));
    return verdict;
}

/* ---- for a trace --------------------------------------------------------------------------- */

/* Why this tag says so: of the first mark that does. */
static void tell_of_tag(const struct request *r, struct larder_bytes tag, const char *name, int64_t epoch,
                        uint32_t verdict) {
    const struct larder_mark *const marks[] = {mark_told(&r->want, tag), mark_told(&r->more, tag),
                                               r->in_outage ? outage_mark(&r->store->outage, tag) : NULL};
    const char *of = tag.len > 0 ? "tag " : "";
    const char *word = verdict == LARDER_GONE ? "gone" : "stale";
    int64_t now_ms = reactor_now_ms(r->store->reactor);
    for (size_t i = 0; i < N_ELEMENTS(marks); i++) {
        const struct larder_mark *mark = marks[i];
        if (mark == NULL || mark_verdict(mark, epoch, now_ms) != verdict)
            continue;
        bool expired = mark->expired_epoch != LARDER_UNSET && epoch < mark->expired_epoch;
        trace_step(r->trace, "verdict: %s by %s%s, %s at epoch %lld%s; the entry is of %lld", word, of, name,
                   expired ? "expired" : "made stale",
                   (long long)(expired ? mark->expired_epoch : mark->stale_epoch),
                   verdict == LARDER_GONE && !expired ? ", and its time is over" : "", (long long)epoch);
        return;
    }
    bool waits = journal_verdict(&r->store->journal, tag, now_ms) == verdict;
    trace_step(r->trace, "verdict: %s by %s%s, %s", word, of, name,
               waits ? "whose revalidation waits for the store"
                     : "of which this process has forgotten what it knew");
}

/* Of the first of these that made it so; false: none did. */
static bool tell_of_tags(const struct request *r, const struct larder_bytes *tags,
                         const struct larder_bytes *names, size_t n, int64_t epoch, uint32_t verdict) {
    for (size_t i = 0; i < n; i++) {
        if (verdict_of_tag(r, tags[i], epoch) == verdict) {
            tell_of_tag(r, tags[i], trace_name(names[i]).text, epoch, verdict);
            return true;
        }
    }
    return false;
}

/* Names the tag that made it so. */
static void tell(const struct request *r, int64_t epoch, uint32_t verdict) {
    const struct larder_bytes ns = {0};
    if (verdict == LARDER_FRESH)
        trace_step(r->trace, "verdict: fresh, no tag has a mark that is later than epoch %lld",
                   (long long)epoch);
    else if (verdict_of_tag(r, ns, epoch) == verdict)
        tell_of_tag(r, ns, "the whole namespace", epoch, verdict);
    else if (!tell_of_tags(r, r->tags, r->in.tags, r->n_own_tags, epoch, verdict) && r->kept != NULL)
        tell_of_tags(r, r->kept->tags, r->kept->frame.entry.tags, r->kept->frame.entry.n_tags, epoch,
                     verdict);
}

/* ---- the whole ---------------------------------------------------------------------------------- */

uint32_t verdict_over(const struct request *r, int64_t epoch) {
    uint32_t verdict = verdict_of_tag(r, (struct larder_bytes){0}, epoch);
    for (size_t i = 0; i < r->n_own_tags; i++)
        verdict = worse(verdict, verdict_of_tag(r, r->tags[i], epoch));
    for (size_t i = 0; r->kept != NULL && i < r->kept->frame.entry.n_tags; i++)
        verdict = worse(verdict, verdict_of_tag(r, r->kept->tags[i], epoch));
    if (r->trace != NULL)
        tell(r, epoch, verdict);
    return verdict;
}
