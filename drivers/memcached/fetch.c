/* Many items by one round trip; storing one. */
#include <string.h>

#include "mc.h"

struct fetch {
    const struct mc_ask *asks;
    size_t n;
    mc_found_fn *fn;
    void *arg;
};

/*
 * What a fetch ended with.  The library says "not found" of keys behind an error as well: only its list
 * of errors tells the two apart.  What even that does not have (a bare ERROR, a server without memory for
 * the answer) looks like a miss, and nothing here rests on a miss: a mark that seems to be missing counts
 * as lost, and add and cas say what is really there.
 */
static memcached_return_t ended(memcached_st *st, memcached_return_t rc) {
    memcached_return_t said = memcached_last_error(st);
    return rc == MEMCACHED_NOTFOUND || rc == MEMCACHED_END || rc == MEMCACHED_SUCCESS ? said : rc;
}

/* What sending came to; the library knows better than rc, which may be "some errors". */
static memcached_return_t sent(memcached_st *st, memcached_return_t rc) {
    memcached_return_t said = memcached_last_error(st);
    return rc == MEMCACHED_SUCCESS || said == MEMCACHED_SUCCESS ? rc : said;
}

/*
 * The first words on a new connection, about one name.  Where there is none to be had the library would try
 * again for each further name, and of all failures tell the last: that it has tried just now.
 */
static memcached_return_t greet(struct mc_conn *conn, const char *key, size_t len) {
    memcached_return_t rc = sent(conn->st, memcached_mget(conn->st, &key, &len, 1));
    if (rc != MEMCACHED_SUCCESS)
        return rc;
    while (memcached_fetch_result(conn->st, &conn->result, &rc))
        ;
    return ended(conn->st, rc);
}

/* Sends what is asked of this server.  Nothing is waited for but a connection. */
static int32_t ask(struct mc_call *c, const struct fetch *f, size_t server) {
    const char *keys[MC_WINDOW];
    size_t lens[MC_WINDOW], n = 0;
    for (size_t i = 0; i < f->n; i++)
        if (f->asks[i].server == server) {
            keys[n] = f->asks[i].name.text;
            lens[n++] = f->asks[i].name.len;
        }
    for (;;) {
        struct mc_conn *conn;
        memcached_return_t rc = MEMCACHED_SUCCESS;
        int32_t status = mc_connect(c, server, &conn);
        if (status != LARDER_OK)
            return status;
        if (!conn->answered && n > 1)
            rc = greet(conn, keys[0], lens[0]);
        if (rc == MEMCACHED_SUCCESS) {
            mc_set_waits(c, conn);
            rc = sent(conn->st, memcached_mget(conn->st, keys, lens, n));
        }
        if (rc == MEMCACHED_SUCCESS)
            return LARDER_OK;
        if (!mc_again(c, server, rc))
            return mc_judge(c, server, rc);
    }
}

/* Which one this is.  They come in the order in which they were asked for, without those that are not
 * there.  f->n: none of them. */
static size_t find(const struct fetch *f, size_t server, size_t from, const memcached_result_st *result) {
    const char *key = memcached_result_key_value(result);
    size_t len = memcached_result_key_length(result);
    for (size_t i = from; key && i < f->n; i++) {
        const struct mc_ask *a = &f->asks[i];
        if (a->server == server && a->name.len == len && memcmp(a->name.text, key, len) == 0)
            return i;
    }
    return f->n;
}

/* Reads all that the server answers, also where nobody wants it any more: the connection is good then. */
static int32_t take(struct mc_call *c, const struct fetch *f, size_t server) {
    struct mc_conn *conn = &c->lane->conns[server];
    int32_t status = LARDER_OK;
    memcached_return_t rc;
    size_t at = 0;
    for (;;) {
        mc_set_waits(c, conn);
        memcached_result_st *result = memcached_fetch_result(conn->st, &conn->result, &rc);
        if (!result)
            break;
        if (status != LARDER_OK)
            continue;
        at = find(f, server, at, result);
        if (at == f->n) {
            mc_disconnect(conn);
            return mc_fail(c, LARDER_RETRY, "%s: it answers what it was not asked for",
                           c->mc->servers[server].address.shown);
        }
        struct mc_found found = {.cas = memcached_result_cas(result), .result = result};
        found.item.ptr = (const uint8_t *)memcached_result_value(result);
        found.item.len = memcached_result_length(result);
        status = f->fn(c, f->arg, at++, &found);
    }
    rc = ended(conn->st, rc);
    if (at == 0 && mc_again(c, server, rc)) {
        status = ask(c, f, server);
        return status != LARDER_OK ? status : take(c, f, server);
    }
    int32_t ending = mc_judge(c, server, rc);
    return status != LARDER_OK ? status : ending;
}

int32_t mc_fetch(struct mc_call *c, const struct mc_ask *asks, size_t n, mc_found_fn *fn, void *arg) {
    struct fetch f = {asks, n, fn, arg};
    int32_t status = LARDER_OK;
    bool asked[MC_MAX_SERVERS] = {0}, under_way[MC_MAX_SERVERS] = {0};
    for (size_t i = 0; i < n; i++) {
        size_t server = asks[i].server;
        if (asked[server])
            continue;
        asked[server] = true;
        int32_t sent = ask(c, &f, server);
        under_way[server] = sent == LARDER_OK;
        status = status != LARDER_OK ? status : sent;
    }
    for (size_t server = 0; server < c->mc->n_servers; server++) {
        if (!under_way[server])
            continue;
        int32_t taken = take(c, &f, server);
        status = status != LARDER_OK ? status : taken;
    }
    return status;
}

static memcached_return_t store(memcached_st *st, enum mc_how how, const struct mc_name *name,
                                struct larder_bytes item, int64_t expiration_s, uint64_t cas) {
    const char *value = item.len > 0 ? (const char *)item.ptr : "";
    switch (how) {
    case MC_ADD: return memcached_add(st, name->text, name->len, value, item.len, expiration_s, 0);
    case MC_CAS: return memcached_cas(st, name->text, name->len, value, item.len, expiration_s, 0, cas);
    default: return memcached_set(st, name->text, name->len, value, item.len, expiration_s, 0);
    }
}

int32_t mc_store(struct mc_call *c, enum mc_how how, const struct mc_ask *where, struct larder_bytes item,
                 int64_t expiration_s, uint64_t cas) {
    struct mc_conn *conn;
    memcached_return_t rc;
    int32_t status;
    do {
        status = mc_connect(c, where->server, &conn);
        if (status != LARDER_OK)
            return status;
        rc = store(conn->st, how, &where->name, item, expiration_s, cas);
    } while (mc_again(c, where->server, rc));
    status = mc_judge(c, where->server, rc);
    if (status != LARDER_OK || rc == MEMCACHED_SUCCESS || rc == MEMCACHED_STORED)
        return status;
    if (how == MC_SET)
        return mc_fail(c, LARDER_RETRY, "%s: it did not store the item",
                       c->mc->servers[where->server].address.shown);
    return LARDER_MISS;
}

int32_t mc_delete(struct mc_call *c, const struct mc_ask *where) {
    struct mc_conn *conn;
    memcached_return_t rc;
    do {
        int32_t status = mc_connect(c, where->server, &conn);
        if (status != LARDER_OK)
            return status;
        rc = memcached_delete(conn->st, where->name.text, where->name.len, 0);
    } while (mc_again(c, where->server, rc));
    return mc_judge(c, where->server, rc);
}
