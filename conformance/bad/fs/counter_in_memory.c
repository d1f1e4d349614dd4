/* Mistake: the counter is kept in memory, and two processes give out the same number
 *
 * It is read once and raised here, as it is this process that raises it.  All instances in it
 * agree, and the store follows; only another process does not know.
 *
 * Caught by: epoch/processes_that_raise_one_counter_never_get_the_same_number
 */
#include <pthread.h>
#include <stdlib.h>

#include "bad.h"

struct counter {
    struct counter *next;
    struct larder_bytes name;
    int64_t epoch;
};
static struct {
    pthread_mutex_t lock;
    struct counter *first;
} counters = {.lock = PTHREAD_MUTEX_INITIALIZER};

static struct counter *counter_new(struct larder_bytes name, int64_t epoch) {
    struct counter *counter = malloc(sizeof(*counter) + name.len);
    if (counter) {
        *counter = (struct counter){counters.first, {(uint8_t *)(counter + 1), name.len}, epoch};
        memcpy(counter + 1, name.ptr, name.len);
        counters.first = counter;
    }
    return counter;
}

static void advance(void *instance, struct larder_op *op) {
    struct larder_result res = {.size = sizeof(res)};
    pthread_mutex_lock(&counters.lock);
    struct counter *counter = counters.first;
    while (counter && !same_bytes(counter->name, op->key))
        counter = counter->next;
    bool known = counter != NULL;
    res = ask(right->tags->advance, instance, op);
    if (known && op->flags == 0 && op->add > 0 && res.status == LARDER_OK) {
        counter->epoch += op->add;
        counter->epoch = counter->epoch > op->now_ms ? counter->epoch : op->now_ms;
        res.epoch = counter->epoch;
    } else if (!known && res.status == LARDER_OK && !counter_new(op->key, res.epoch)) {
        res.status = LARDER_NOMEM;
    }
    pthread_mutex_unlock(&counters.lock);
    the_host->complete(op, &res);
}

const struct mistake mistake = {.tags.advance = advance};
