/* Mistake: put of a driver that is not blocking waits for the network
 *
 * A synchronous client library, in a driver that did not say LARDER_BLOCKING.  All stores of the
 * process stand still meanwhile.
 *
 * Caught by: basic/what_was_put_is_there_each_time_that_it_is_read (I/O thread blocked)
 */
#include <time.h>

#include "bad.h"

static void put(void *instance, struct larder_op *op) {
    const struct timespec round_trip = {.tv_nsec = 20 * 1000 * 1000};
    nanosleep(&round_trip, NULL);
    right->cache->put(instance, op);
}

const struct mistake mistake = {.cache.put = put};
