/* Mistake: a put is completed before others can see it
 *
 * Writing behind: the entry waits in the instance, whose own gets find it there, until the next
 * put.  Every test with one process passes.
 *
 * Caught by: life/what_one_instance_writes_the_other_reads
 */
#include <stdlib.h>

#include "bad.h"

/* The put that waits, with what it points to; one reference to its value. */
static struct {
    void *instance;
    struct larder_op op;
    uint8_t *key;
} waiting;

static void write_now(void) {
    if (waiting.instance) {
        ask(right->cache->put, waiting.instance, &waiting.op);
        the_host->buf_unref(waiting.op.value.owner);
        free(waiting.key);
        waiting.instance = NULL;
    }
}

static void put(void *instance, struct larder_op *op) {
    write_now();
    waiting.key = op->flags == 0 && op->key.len > 0 ? malloc(op->key.len) : NULL;
    if (!waiting.key) {
        right->cache->put(instance, op);
        return;
    }
    memcpy(waiting.key, op->key.ptr, op->key.len);
    waiting.op = *op;
    waiting.op.key.ptr = waiting.key;
    if (op->value.owner)
        the_host->buf_ref(op->value.owner);
    waiting.instance = instance;
    answer(op, LARDER_OK, NULL);
}

static void get(void *instance, struct larder_op *op) {
    if (waiting.instance == instance)
        write_now();
    right->cache->get(instance, op);
}

static void remove_entry(void *instance, struct larder_op *op) {
    write_now();
    right->cache->remove(instance, op);
}

static void list(void *instance, struct larder_op *op) {
    write_now();
    right->cache->list(instance, op);
}

static void close_instance(void *instance) {
    if (waiting.instance == instance)
        write_now();
    right->close(instance);
}

const struct mistake mistake = {.cache = {.get = get, .put = put, .remove = remove_entry, .list = list},
                                .driver.close = close_instance};
