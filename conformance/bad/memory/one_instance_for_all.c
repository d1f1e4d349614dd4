/* Mistake: state of an instance is static, and the first close() takes it from all
 *
 * A connection that "there is only one of".  A process has several stores: two caches, or a cache
 * and a tag cache on one server.
 *
 * Caught by: life/instances_come_and_go_a_thousand_times_beside_those_that_stay
 */
#include "bad.h"

static void *connection;

static int32_t open_instance(const struct larder_host *host, struct larder_home *home, const void *config,
                             struct larder_info *info, void **instance, char *error) {
    int32_t status = right->open(host, home, config, info, instance, error);
    if (status == LARDER_OK)
        connection = *instance;
    return status;
}

static void close_instance(void *instance) {
    connection = NULL;
    right->close(instance);
}

static void get(void *instance, struct larder_op *op) {
    (void)instance;
    if (connection)
        right->cache->get(connection, op);
    else
        answer(op, LARDER_RETRY, "not connected");
}

const struct mistake mistake = {.cache.get = get, .driver = {.open = open_instance, .close = close_instance}};
