/* Mistake: a password is in the text of an error
 *
 * The connection string, quoted to be helpful.  Details go to logs, and logs to many places.
 *
 * Caught by: limits/a_flag_of_the_future_is_refused_and_changes_nothing (a secret in a text)
 * With: password=correct-horse-battery
 */
#include <stdio.h>

#include "bad.h"
#include "memory.h"

struct config {
    struct memory_config memory;
    const char *password;
};

static const struct larder_param params[] = {
    {"name", LARDER_P_TEXT, LARDER_AT(struct memory_config, name), "", 0, 0, NULL, NULL, "name of the store"},
    {"max-size", LARDER_P_BYTES, LARDER_AT(struct memory_config, max_size), "64MB", 0, INT64_MAX, NULL, NULL,
     "room for entries"},
    {"max-value", LARDER_P_BYTES, LARDER_AT(struct memory_config, max_value), "0", 0, INT64_MAX, NULL, NULL,
     "largest value"},
    {"password", LARDER_P_SECRET, LARDER_AT(struct config, password), "", 0, 0, NULL, NULL,
     "password of the store"},
};

static char detail[200];

static int32_t open_instance(const struct larder_host *host, struct larder_home *home, const void *config,
                             struct larder_info *info, void **instance, char *error) {
    snprintf(detail, sizeof(detail), "invalid reply from store://user:%.100s@localhost",
             ((const struct config *)config)->password);
    return right->open(host, home, config, info, instance, error);
}

static void complete(struct larder_op *op, const struct larder_result *res) {
    struct larder_result wrong = *res;
    if (res->status < 0)
        wrong.detail = detail;
    the_host->complete(op, &wrong);
}

const struct mistake mistake = {
    .host.complete = complete,
    .driver = {.open = open_instance,
               .params = params,
               .n_params = sizeof(params) / sizeof(params[0]),
               .config_size = sizeof(struct config)},
};
