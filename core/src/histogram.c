#include "histogram.h"

uint64_t larder_bucket_limit_ns(size_t i) {
    const uint64_t subs = UINT64_C(1) << HISTOGRAM_SUB_BITS;
    if (i == 0)
        return UINT64_C(1) << HISTOGRAM_LOW_BITS;
    if (i >= LARDER_N_BUCKETS - 1)
        return UINT64_MAX;
    uint64_t power = ((i - 1) >> HISTOGRAM_SUB_BITS) + HISTOGRAM_LOW_BITS, sub = (i - 1) & (subs - 1);
    return (subs + sub + 1) << (power - HISTOGRAM_SUB_BITS);
}

void larder_histogram_record(struct larder_histogram *h, uint64_t ns) {
    histogram_note(h, ns);
}

void larder_histogram_add(struct larder_histogram *to, const struct larder_histogram *from) {
    to->count += from->count;
    to->sum_ns += from->sum_ns;
    if (from->max_ns > to->max_ns)
        to->max_ns = from->max_ns;
    for (size_t i = 0; i < LARDER_N_BUCKETS; i++)
        to->buckets[i] += from->buckets[i];
}

uint64_t larder_histogram_quantile(const struct larder_histogram *h, double q) {
    uint64_t below = 0;
    if (h->count == 0)
        return 0;
    /* The smallest value that at least this many do not exceed; NaN and below: the first one. */
    double wanted = q >= 1 ? (double)h->count : q * (double)h->count;
    uint64_t rank = wanted >= 1 ? (uint64_t)wanted : 1;
    if ((double)rank < wanted)
        rank++;
    for (size_t i = 0; i < LARDER_N_BUCKETS; i++) {
        below += h->buckets[i];
        if (below >= rank) {
            uint64_t limit = larder_bucket_limit_ns(i);
            return limit < h->max_ns ? limit : h->max_ns;
        }
    }
    return h->max_ns;
}
