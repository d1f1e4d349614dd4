/* Mistake: a blocking driver sets a timer from a lane
 *
 * Op functions of a blocking driver run on pool threads; timers and watches belong to the I/O
 * thread and have no lock.
 *
 * Caught by: basic/what_was_put_is_there_each_time_that_it_is_read (io function on another thread)
 */
#include "bad.h"

static void due(void *arg) {
    (void)arg;
}

static void put(void *instance, struct larder_op *op) {
    struct larder_timer *timer = the_host->timer(home_of(instance), due, NULL);
    right->cache->put(instance, op);
    the_host->timer_free(timer);
}

const struct mistake mistake = {.cache.put = put};
