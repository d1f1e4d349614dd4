/* The router for one server. */
#include <stdio.h>
#include <stdlib.h>

#include "rds.h"

static int32_t single_open(struct rds *d, const struct rds_url *url, void **ret, char *error) {
    const struct rds_host_port *at = &url->hosts[0];
    struct rds_node *node = url->path ? rds_node_new(d, NULL, NULL, url->path, NULL, NULL)
                                      : rds_node_new(d, at->host, at->port, NULL, NULL, NULL);
    if (!node) {
        snprintf(error, LARDER_ERROR_SIZE, "out of memory");
        return LARDER_NOMEM;
    }
    *ret = node;
    return LARDER_OK;
}

static void single_close(void *router) {
    rds_node_free(router);
}

static void single_submit(void *router, struct rds_request *r) {
    rds_node_send(router, r);
}

static uint32_t single_part(__attribute__((unused)) void *router, uint32_t from,
                            __attribute__((unused)) void (*ready)(void *arg, int32_t status,
                                                                  const char *detail),
                            __attribute__((unused)) void *arg) {
    return from == 0 ? 0 : RDS_NO_PART;
}

const struct rds_router_ops rds_single = {
    .open = single_open,
    .close = single_close,
    .submit = single_submit,
    .part = single_part,
};
