/*
 * A right driver with every limit that a driver may declare, as the stores of others have them: the
 * memory driver, which refuses what is beyond.  It is put together like the wrong ones (bad/bad.h);
 * the suite must find nothing here, and try nothing that the driver has said it cannot do.
 */
#include "bad.h"

enum { MAX_KEY = 200, MAX_MARKS = 25, MAX_VALUE = 300000 };

static int32_t limited_open(const struct larder_host *host, struct larder_home *home, const void *config,
                            struct larder_info *info, void **instance, char *error) {
    int32_t status = right->open(host, home, config, info, instance, error);
    info->max_key = MAX_KEY;
    info->max_marks = MAX_MARKS;
    info->max_value = MAX_VALUE;
    info->key_bytes = 2; /* printable ASCII */
    return status;
}

static bool is_name(struct larder_bytes text) {
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < 0x20 || text.ptr[i] > 0x7e)
            return false;
    }
    return text.len <= MAX_KEY;
}

static bool is_within(const struct larder_op *op) {
    bool within = is_name(op->key) && op->n_marks <= MAX_MARKS && op->value.len <= MAX_VALUE;
    for (size_t i = 0; i < op->n_marks && within; i++)
        within = is_name(op->marks[i].tag);
    return within;
}

static void pass(larder_op_fn *fn, void *instance, struct larder_op *op) {
    if (is_within(op))
        fn(instance, op);
    else
        answer(op, LARDER_TOO_BIG, "beyond a limit");
}

#define LIMITED(ops, name)                                           \
    static void ops##_##name(void *instance, struct larder_op *op) { \
        pass(right->ops->name, instance, op);                        \
    }
LIMITED(cache, get)
LIMITED(cache, put)
LIMITED(cache, remove)
LIMITED(cache, list)
LIMITED(cache, claim)
LIMITED(cache, release)
LIMITED(tags, read)
LIMITED(tags, write)
LIMITED(tags, advance)
LIMITED(tags, bump)
LIMITED(tags, link)
LIMITED(tags, keys_of)
LIMITED(tags, tags_of)
LIMITED(tags, list_marks)

const struct mistake mistake = {
    .cache = {.get = cache_get,
              .put = cache_put,
              .remove = cache_remove,
              .list = cache_list,
              .claim = cache_claim,
              .release = cache_release},
    .tags = {.read = tags_read,
             .write = tags_write,
             .advance = tags_advance,
             .bump = tags_bump,
             .link = tags_link,
             .keys_of = tags_keys_of,
             .tags_of = tags_tags_of,
             .list_marks = tags_list_marks},
    .driver.open = limited_open,
};
