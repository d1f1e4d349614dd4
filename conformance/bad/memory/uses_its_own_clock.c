/* Mistake: the time of day comes from the machine, not from the op
 *
 * It is the same nearly always.  Where it is not - clocks that were put right, tests, a process
 * that was stopped - marks and entries of one op are of two times.
 *
 * Caught by: times/a_ttl_counts_from_the_time_of_the_op
 */
#include <time.h>

#include "bad.h"

static void with_time(larder_op_fn *fn, void *instance, struct larder_op *op) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    struct larder_op copy = disguised(op);
    copy.now_ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
    fn(instance, &copy);
}

static void get(void *instance, struct larder_op *op) {
    with_time(right->cache->get, instance, op);
}

static void put(void *instance, struct larder_op *op) {
    with_time(right->cache->put, instance, op);
}

const struct mistake mistake = {.cache = {.get = get, .put = put}};
