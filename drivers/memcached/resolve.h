/*
 * Names of hosts.  The library would ask for them itself, on the lane, and wait for as long as the system's
 * resolver likes; and of a host with two addresses it would report the first one's refusal when the second
 * one had answered.  So it is only ever given an address.
 *
 * The asking is done by a thread that lives no longer than that: a lane waits for it until its op's
 * deadline, and nobody waits when the instance is closed.
 */
#ifndef MEMCACHED_RESOLVE_H
#define MEMCACHED_RESOLVE_H

#include <arpa/inet.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

enum { MC_ADDRESSES = 8, MC_ADDRESS = INET6_ADDRSTRLEN + 16 };

struct mc_lookup;

struct mc_resolver {
    char host[256];
    pthread_mutex_t lock; /* of all below */
    struct mc_lookup *good, *running;
    uint64_t good_ns; /* since when it is known */
    unsigned turn;    /* which of the addresses is tried next */
};

void mc_resolver_init(struct mc_resolver *r, const char *host);
void mc_resolver_done(struct mc_resolver *r);

/* An address of the host, and how many it has.  Waits at most wait_ms, and not where one is known.  0, or
 * the reason in why[size]: ETIMEDOUT, ENOMEM, ENOENT. */
int mc_resolve(struct mc_resolver *r, uint32_t wait_ms, char out[MC_ADDRESS], unsigned *ret_n, char *why,
               size_t size);
/* That one did not work. */
void mc_resolve_next(struct mc_resolver *r);

/* Neither a path nor an address: something to look for. */
bool mc_is_name(const char *host);

#endif
