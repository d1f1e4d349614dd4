/*
 * The inside of the memcached driver.  README.md has the items and what is promised; each part says
 * here what it does:
 *
 *     servers.h    the list of servers in a URL; pure
 *     item.h       what is in an item, how it is named, when it ends; pure
 *     call.c       one op on its way: its failure, in words and as a class
 *     resolve.h    the addresses of a host
 *     server.c     a server that is silent is cut off; the connections of a lane
 *     fetch.c      many items by one round trip; storing one
 *     entry.c      entries, and values that need several items; claim.c: claims
 *     tags.c       marks and counters
 *     memcached.c  the driver's table, ping, provision, explain
 *
 * THREADS.  Ops run on lanes, several at once.  Lanes share struct mc, which does not change, but for
 * what a server was last seen to do (atomics) and the last counter (a lock).  A lane's connections are
 * its own.
 */
#ifndef MEMCACHED_MC_H
#define MEMCACHED_MC_H

#include <libmemcached/memcached.h>
#include <pthread.h>
#include <stdatomic.h>

#include "item.h"
#include "resolve.h"
#include "servers.h"

struct mc_config { /* table: params[] in memcached.c */
    const char *url;
    const char *prefix;
    const char *username;
    const char *password;
    int64_t chunk_bytes;
    int64_t timeout_ms;
    int64_t failures;
    int64_t probe_interval_ms;
    int64_t lanes;
};

struct mc_server {
    struct mc_address address;
    /* How often it let an op wait in vain since it last answered one, in any lane ... */
    _Atomic uint32_t silent;
    /* ... and, where that is too often, when the next op may look whether it is back.  0: in use. */
    _Atomic uint64_t closed_until_ns;
    bool has_name; /* and so a resolver */
    struct mc_resolver resolver;
};

struct mc_conn {      /* one lane's connection to one server */
    memcached_st *st; /* NULL: none */
    memcached_result_st result;
    bool answered;     /* before: it is not new */
    uint64_t since_ns; /* when this op turned to it ... */
    uint32_t wait_ms;  /* ... and the longest wait that it allows */
};

struct mc_lane {
    struct mc_conn *conns; /* one for each server */
};

struct mc {
    const struct larder_host *host;
    struct larder_home *home;
    const struct mc_config *config;
    struct mc_names names;
    memcached_st *ring; /* where the names are at home: a continuum, and never a connection */
    size_t n_servers;
    struct mc_server *servers;
    uint32_t n_lanes;
    struct mc_lane *lanes;

    pthread_mutex_t lock; /* of last */
    struct {
        struct mc_name name; /* len 0: none */
        int64_t number;
    } last; /* the counter that was asked last, and the greatest number that it answered */
};

struct mc_call { /* one op on its way */
    struct mc *mc;
    struct larder_op *op;
    struct mc_lane *lane;
    unsigned addresses_left; /* of the server that a connection was made to last, for another try */
    struct larder_result res;
    char detail[224];
};

/* ---- call.c ------------------------------------------------------------------------------------ */

/* Keeps the first failure of an op, and returns its status, so that `return mc_fail(...)` reads well. */
int32_t mc_fail(struct mc_call *c, int32_t status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* What a command on this server came to.  LARDER_OK where the server answered, whatever it said: the
 * caller looks at rc.  Else the connection is given up, since what comes on it next may belong to the
 * command before, and the failure is kept. */
int32_t mc_judge(struct mc_call *c, size_t server, memcached_return_t rc);
/* Whether the command is worth another try, on a new connection; this one is closed then.  A connection that
 * was good once and broke says that the server was restarted, or closed it for being idle; and a host
 * may have more addresses than the one that was tried. */
bool mc_again(struct mc_call *c, size_t server, memcached_return_t rc);
/* LARDER_OK, or LARDER_DEADLINE when the op's time is up. */
int32_t mc_in_time(struct mc_call *c);
/* After the n-th time that somebody else was quicker: a short while that grows, and differs. */
void mc_back_off(struct mc_call *c, uint32_t n);
/* Random bits that nobody else has. */
int32_t mc_new_id(struct mc_call *c, struct mc_id *ret);

/* ---- server.c ---------------------------------------------------------------------------------- */

/* The lane's connection to a server (no command is under way on it), with the op's deadline for its
 * waits.  A failure where the server is cut off, no time is left, or there is no memory. */
int32_t mc_connect(struct mc_call *c, size_t server, struct mc_conn **ret);
/* Waits on this connection from now on end by the op's deadline. */
void mc_set_waits(struct mc_call *c, struct mc_conn *conn);
/* Closes it; the next op makes another one. */
void mc_disconnect(struct mc_conn *conn);
/* The server has answered; or has not, to an op that turned to it at since_ns. */
void mc_server_good(struct mc *mc, size_t server);
void mc_server_bad(struct mc *mc, size_t server, uint64_t since_ns, const char *how);
/* The server that this name is at home on.  The list is fixed: a dead server's names stay its own. */
static inline size_t mc_home_of(const struct mc *mc, const struct mc_name *name) {
    return memcached_generate_hash(mc->ring, name->text, name->len);
}

/* open() and close().  LARDER_OK, or a status and why. */
int32_t mc_servers_init(struct mc *mc, struct mc_list *list, char *error);
void mc_servers_done(struct mc *mc);

/* ---- fetch.c ----------------------------------------------------------------------------------- */

enum { MC_WINDOW = 64 }; /* items that are asked for at once */

struct mc_ask {
    struct mc_name name;
    size_t server;
};

struct mc_found {
    struct larder_bytes item; /* as long as the call of mc_found_fn */
    uint64_t cas;
    memcached_result_st *result; /* whose value may be taken */
};
/* What is stored under the name of asks[i]. */
typedef int32_t mc_found_fn(struct mc_call *c, void *arg, size_t i, const struct mc_found *found);

static inline void mc_ask(const struct mc *mc, enum mc_kind kind, struct larder_bytes key,
                          struct mc_ask *ret) {
    mc_name_of(&mc->names, kind, key, &ret->name);
    ret->server = mc_home_of(mc, &ret->name);
}

/*
 * Asks for n items, at most MC_WINDOW, all servers at once, and calls fn for each that is there.
 * LARDER_OK: fn was called for all of them.  Else a server failed, or fn did.
 */
int32_t mc_fetch(struct mc_call *c, const struct mc_ask *asks, size_t n, mc_found_fn *fn, void *arg);

enum mc_how { MC_SET, MC_ADD, MC_CAS };
/* Stores one item.  LARDER_MISS: with MC_ADD there is one; with MC_CAS it is not the one any more that
 * had that cas. */
int32_t mc_store(struct mc_call *c, enum mc_how how, const struct mc_ask *where, struct larder_bytes item,
                 int64_t expiration_s, uint64_t cas);
int32_t mc_delete(struct mc_call *c, const struct mc_ask *where);

/* ---- the ops: a status; what is to be answered besides is in c->res ---------------------------------- */

typedef int32_t mc_fn(struct mc_call *c);
mc_fn mc_get, mc_put, mc_remove, mc_claim, mc_release;
mc_fn mc_read, mc_write, mc_advance;

#endif
