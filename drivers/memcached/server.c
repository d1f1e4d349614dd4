/* A server that is silent is cut off; the connections of a lane. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mc.h"

static const uint64_t MS = 1000000u;
/* A failure that came sooner cost nobody anything, and one after less time than this says nothing about the
 * server: whoever asked was in a hurry. */
static const uint64_t COSTLY_NS = 20 * 1000000u;

/* ---- the breaker of a server ----------------------------------------------------------------------- */

/*
 * A server that is stopped, or behind a network that drops, takes each wait to its end; and the waits of a
 * few ops fill all lanes.  So after `failures` of them in a row, of all lanes together, what is at home
 * there fails at once.  Every probe-interval one op is let through as a probe; an answer ends it.  A server
 * that refuses connections is not cut off: it costs no time, and is in use again as soon as it is back.
 *
 * Never is a name given to another server meanwhile: what is written there would be unknown to this one
 * when it comes back, and its old marks would count again.
 */
static int32_t admit(struct mc_call *c, size_t server) {
    struct mc *mc = c->mc;
    struct mc_server *s = &mc->servers[server];
    uint64_t until = atomic_load_explicit(&s->closed_until_ns, memory_order_relaxed);
    if (until == 0)
        return LARDER_OK;
    uint64_t now = mc->host->now_ns();
    if (now >= until && atomic_compare_exchange_strong(&s->closed_until_ns, &until,
                                                       now + (uint64_t)mc->config->probe_interval_ms * MS))
        return LARDER_OK;
    return mc_fail(c, LARDER_RETRY, "%s: cut off, since it let %u ops in a row wait in vain",
                   s->address.shown, atomic_load_explicit(&s->silent, memory_order_relaxed));
}

void mc_server_good(struct mc *mc, size_t server) {
    struct mc_server *s = &mc->servers[server];
    if (atomic_load_explicit(&s->silent, memory_order_relaxed) == 0)
        return;
    atomic_store(&s->silent, 0);
    if (atomic_exchange(&s->closed_until_ns, 0) != 0) {
        char line[128];
        snprintf(line, sizeof(line), "%s answers again", s->address.shown);
        mc->host->log(mc->home, LARDER_LOG_INFO, line);
    }
}

void mc_server_bad(struct mc *mc, size_t server, uint64_t since_ns, const char *how) {
    struct mc_server *s = &mc->servers[server];
    uint64_t now = mc->host->now_ns();
    if (now - since_ns < COSTLY_NS)
        return;
    uint32_t silent = atomic_fetch_add(&s->silent, 1) + 1;
    if (silent < mc->config->failures)
        return;
    uint64_t until = now + (uint64_t)mc->config->probe_interval_ms * MS;
    if (atomic_exchange(&s->closed_until_ns, until) == 0) {
        char line[300];
        snprintf(line, sizeof(line), "%s is cut off: %s; what is at home there fails until it answers",
                 s->address.shown, how);
        mc->host->log(mc->home, LARDER_LOG_WARN, line);
    }
}

/* ---- connections ------------------------------------------------------------------------------------ */

/* By its name in the ring, by an address in a connection. */
static bool add_server(memcached_st *st, const struct mc_address *a, const char *host) {
    memcached_return_t rc = mc_address_is_socket(a)
                                ? memcached_server_add_unix_socket_with_weight(st, host, a->weight)
                                : memcached_server_add_with_weight(st, host, a->port, a->weight);
    return rc == MEMCACHED_SUCCESS;
}

/*
 * A handle of one server.  The library can hold all servers in one, and then reports of a request to many
 * of them that some were not found, without a word about a server that could not be reached; so each has its
 * own, and a failure is the failure of that server alone.  Every handle ends with its first failure, and
 * with it what the library remembers of it: it would take no second try within a second.
 */
static memcached_st *new_handle(const struct mc *mc, const struct mc_address *a, const char *host) {
    const bool sasl = mc->config->username[0] != 0;
    memcached_st *st = memcached_create(NULL);
    if (!st)
        return NULL;
    bool ok = memcached_behavior_set(st, MEMCACHED_BEHAVIOR_TCP_NODELAY, 1) == MEMCACHED_SUCCESS &&
              memcached_behavior_set(st, MEMCACHED_BEHAVIOR_SUPPORT_CAS, 1) == MEMCACHED_SUCCESS;
#if defined(LIBMEMCACHED_WITH_SASL_SUPPORT) && LIBMEMCACHED_WITH_SASL_SUPPORT
    if (sasl) /* and with it the binary protocol, without which there is none */
        ok = ok && memcached_set_sasl_auth_data(st, mc->config->username, mc->config->password) ==
                       MEMCACHED_SUCCESS;
#endif
    /* No name of ours could do harm in the text protocol; this is to stay so. */
    if (!sasl)
        ok = ok && memcached_behavior_set(st, MEMCACHED_BEHAVIOR_VERIFY_KEY, 1) == MEMCACHED_SUCCESS;
    if (ok && add_server(st, a, host))
        return st;
    memcached_free(st);
    return NULL;
}

/* What is left of the op's time, in whole milliseconds; 0 would not even look. */
static uint32_t wait_of(const struct mc_call *c) {
    uint64_t most_ms = (uint64_t)c->mc->config->timeout_ms;
    if (c->op->deadline_ns != UINT64_MAX) {
        uint64_t now = c->mc->host->now_ns();
        uint64_t left_ms = c->op->deadline_ns > now ? (c->op->deadline_ns - now) / MS : 0;
        most_ms = left_ms < most_ms ? left_ms : most_ms;
    }
    return most_ms > 0 ? (uint32_t)most_ms : 1;
}

void mc_set_waits(struct mc_call *c, struct mc_conn *conn) {
    conn->wait_ms = wait_of(c);
    memcached_behavior_set(conn->st, MEMCACHED_BEHAVIOR_POLL_TIMEOUT, conn->wait_ms);
    memcached_behavior_set(conn->st, MEMCACHED_BEHAVIOR_CONNECT_TIMEOUT, conn->wait_ms);
}

/* A handle that will connect when it is used, to an address that is known. */
static int32_t make(struct mc_call *c, size_t server, struct mc_conn *conn) {
    struct mc_server *s = &c->mc->servers[server];
    const char *host = s->address.host;
    char address[MC_ADDRESS], why[96];
    if (s->has_name) {
        unsigned n = 0;
        int error = mc_resolve(&s->resolver, wait_of(c), address, &n, why, sizeof(why));
        if (error == ETIMEDOUT)
            mc_server_bad(c->mc, server, conn->since_ns, why);
        if (error != 0)
            return mc_fail(c, error == ENOMEM ? LARDER_NOMEM : LARDER_RETRY, "%s: %s", s->address.shown, why);
        c->addresses_left = c->addresses_left > 0 ? c->addresses_left - 1 : n - 1;
        host = address;
    }
    conn->st = new_handle(c->mc, &s->address, host);
    if (!conn->st)
        return mc_fail(c, LARDER_NOMEM, "out of memory for a connection");
    memcached_result_create(conn->st, &conn->result);
    return LARDER_OK;
}

int32_t mc_connect(struct mc_call *c, size_t server, struct mc_conn **ret) {
    struct mc_conn *conn = &c->lane->conns[server];
    int32_t status = mc_in_time(c);
    if (status == LARDER_OK)
        status = admit(c, server);
    conn->since_ns = c->mc->host->now_ns();
    if (status == LARDER_OK && !conn->st)
        status = make(c, server, conn);
    if (status != LARDER_OK)
        return status;
    mc_set_waits(c, conn);
    *ret = conn;
    return LARDER_OK;
}

void mc_disconnect(struct mc_conn *conn) {
    if (!conn->st)
        return;
    /* It says goodbye, for which nobody waits. */
    memcached_behavior_set(conn->st, MEMCACHED_BEHAVIOR_POLL_TIMEOUT, 0);
    memcached_result_free(&conn->result);
    memcached_free(conn->st);
    conn->st = NULL;
    conn->answered = false;
}

/* ---- open, close ------------------------------------------------------------------------------------- */

/* Weighted, so that the places are those of libketama whatever the weights are; no server is ever taken off it. */
static memcached_st *new_ring(const struct mc *mc) {
    memcached_st *ring = memcached_create(NULL);
    if (!ring)
        return NULL;
    bool ok = memcached_behavior_set(ring, MEMCACHED_BEHAVIOR_KETAMA_WEIGHTED, 1) == MEMCACHED_SUCCESS;
    for (size_t i = 0; ok && i < mc->n_servers; i++)
        ok = add_server(ring, &mc->servers[i].address, mc->servers[i].address.host);
    if (ok)
        return ring;
    memcached_free(ring);
    return NULL;
}

int32_t mc_servers_init(struct mc *mc, struct mc_list *list, char *error) {
    mc->n_servers = list->n;
    mc->servers = calloc(list->n, sizeof(*mc->servers));
    mc->lanes = calloc(mc->n_lanes, sizeof(*mc->lanes));
    bool ok = mc->servers && mc->lanes;
    for (size_t i = 0; ok && i < list->n; i++) {
        mc->servers[i].address = list->servers[i];
        mc->servers[i].has_name = mc_is_name(list->servers[i].host);
        mc_resolver_init(&mc->servers[i].resolver, list->servers[i].host);
    }
    for (uint32_t i = 0; ok && i < mc->n_lanes; i++)
        ok = (mc->lanes[i].conns = calloc(list->n, sizeof(struct mc_conn))) != NULL;
    if (ok)
        mc->ring = new_ring(mc);
    if (mc->ring)
        return LARDER_OK;
    snprintf(error, LARDER_ERROR_SIZE, "out of memory, or libmemcached does not take the list of servers");
    return LARDER_NOMEM;
}

void mc_servers_done(struct mc *mc) {
    for (uint32_t i = 0; mc->lanes && i < mc->n_lanes; i++) {
        for (size_t s = 0; mc->lanes[i].conns && s < mc->n_servers; s++)
            mc_disconnect(&mc->lanes[i].conns[s]);
        free(mc->lanes[i].conns);
    }
    free(mc->lanes);
    for (size_t i = 0; mc->servers && i < mc->n_servers; i++)
        mc_resolver_done(&mc->servers[i].resolver);
    free(mc->servers);
    if (mc->ring)
        memcached_free(mc->ring);
}
