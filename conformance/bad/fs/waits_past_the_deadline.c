/* Mistake: a blocking driver waits as long as its own timeout says, not until the deadline
 *
 * The socket has a timeout, so nothing hangs; but the lane is taken meanwhile, and a few requests
 * to a store that is gone take all of them.
 *
 * Caught by: flight/a_process_that_stands_still_keeps_nobody_beyond_his_deadline (deadline ignored)
 * Patience: 30s
 */
#include <stdatomic.h>
#include <unistd.h>

#include "bad.h"

#ifdef __SANITIZE_ADDRESS__
enum { TIMEOUT_S = 12 }; /* the host allows for ten times as slow a machine */
#else
enum { TIMEOUT_S = 2 };
#endif
enum { HURRY_NS = 1000 * 1000 * 1000 };

static atomic_flag gone_before = ATOMIC_FLAG_INIT;

static void get(void *instance, struct larder_op *op) {
    /* The store is gone for one op that has little time; it is enough. */
    bool hurry = op->deadline_ns < the_host->now_ns() + HURRY_NS;
    if (hurry && !atomic_flag_test_and_set(&gone_before))
        sleep(TIMEOUT_S);
    right->cache->get(instance, op);
}

const struct mistake mistake = {.cache.get = get};
