/*
 * The router for one server.  Nobody but the server itself says how many replicas it has: it is asked (INFO) before the
 * first write that may have to wait for one, and from time to time after that.
 */
#include <stdio.h>
#include <stdlib.h>

#include "rds.h"

static const uint64_t ASK_EVERY_NS = UINT64_C(5000000000);

struct single {
    struct rds *d;
    struct rds_node *node;
    struct rds_request ask;
    struct rds_requests waiting; /* for the first answer */
    uint64_t asked_ns;
    uint32_t n_replicas;
    bool is_asked, is_known;
};

static void ask_write(__attribute__((unused)) const struct rds_request *r, struct rds_out *out) {
    rds_command(out, "INFO", 2);
    rds_arg_text(out, "replication");
}

/* "connected_slaves:2".  Where INFO is forbidden there are none, as far as is known. */
static uint32_t replicas_in(const struct rds_reply *reply) {
    static const char name[] = "\nconnected_slaves:";
    const struct larder_bytes text = reply->text;
    const uint8_t *at = reply->type == RDS_BULK && text.len > 0
                            ? memmem(text.ptr, text.len, name, sizeof(name) - 1)
                            : NULL;
    uint32_t n = 0;
    if (!at)
        return 0;
    for (at += sizeof(name) - 1; at < text.ptr + text.len && *at >= '0' && *at <= '9' && n < 1000; at++)
        n = n * 10 + (uint32_t)(*at - '0');
    return n;
}

static void ask_done(struct rds_request *r, const struct rds_answer *answer) {
    struct single *s = RDS_OF(struct single, ask, r);
    struct rds_requests waiting = s->waiting;
    struct rds_request *one;
    s->waiting = (struct rds_requests){0};
    s->is_asked = false;
    if (answer->status == LARDER_OK) {
        s->n_replicas = replicas_in(answer->reply);
        s->is_known = true;
    }
    while ((one = rds_requests_take(&waiting)))
        rds_node_send(s->node, one);
}

static void single_submit(void *router, struct rds_request *r) {
    static const struct rds_verb verb = {.write = ask_write, .done = ask_done};
    struct single *s = router;
    if (r->kind != RDS_SLOW || s->d->wait_replicas >= 0) { /* a number is a number */
        rds_node_send(s->node, r);
        return;
    }
    const uint64_t now_ns = s->d->host->now_ns();
    const bool is_due = !s->is_asked && (!s->is_known || now_ns - s->asked_ns >= ASK_EVERY_NS);
    if (s->is_known)
        rds_node_send(s->node, r);
    else
        rds_requests_add(&s->waiting, r);
    if (is_due) {
        s->is_asked = true;
        s->asked_ns = now_ns;
        s->ask = (struct rds_request){.verb = &verb, .deadline_ns = UINT64_MAX, .kind = RDS_SMALL};
        rds_node_send(s->node, &s->ask);
    }
}

static uint32_t single_replicas(void *router, __attribute__((unused)) uint16_t slot) {
    return ((const struct single *)router)->n_replicas;
}

static void single_doubt(void *router) {
    struct single *s = router;
    s->asked_ns = 0;
}

static void single_close(void *router) {
    struct single *s = router;
    rds_node_free(s->node);
    free(s);
}

static int32_t single_open(struct rds *d, const struct rds_url *url, void **ret, char *error) {
    const struct rds_host_port *at = &url->hosts[0];
    struct single *s = calloc(1, sizeof(*s));
    if (s) {
        s->d = d;
        s->node = url->path ? rds_node_new(d, NULL, NULL, url->path, NULL, NULL)
                            : rds_node_new(d, at->host, at->port, NULL, NULL, NULL);
    }
    if (!s || !s->node) {
        free(s);
        snprintf(error, LARDER_ERROR_SIZE, "out of memory");
        return LARDER_NOMEM;
    }
    *ret = s;
    return LARDER_OK;
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
    .replicas = single_replicas,
    .doubt = single_doubt,
};
