/* Mistake: says that keys may have 4,096 bytes and keeps the first 255
 *
 * The limit is that of the protocol; the column, or the name of a file, holds less, and cuts off
 * silently.
 *
 * Caught by: keys/keys_of_every_length_up_to_the_longest_differ_in_their_last_byte
 */
#include "bad.h"

static int32_t open_instance(const struct larder_host *host, struct larder_home *home, const void *config,
                             struct larder_info *info, void **instance, char *error) {
    int32_t status = right->open(host, home, config, info, instance, error);
    info->max_key = 4096;
    return status;
}

static struct larder_op cut(struct larder_op *op) {
    struct larder_op copy = disguised(op);
    if (copy.key.len > 255)
        copy.key.len = 255;
    return copy;
}

static void get(void *instance, struct larder_op *op) {
    struct larder_op copy = cut(op);
    right->cache->get(instance, &copy);
}

static void put(void *instance, struct larder_op *op) {
    struct larder_op copy = cut(op);
    right->cache->put(instance, &copy);
}

const struct mistake mistake = {.cache = {.get = get, .put = put}, .driver.open = open_instance};
