/*
 * The list of servers, as it is written in a URL: pure, and tried without a server.
 *
 *     memcached://host                         port 11211
 *     memcached://a:11211,b:11211:2,[::1]:11211
 *     memcached:///run/memcached.sock,/run/other.sock:2
 *
 * The number behind the port, or behind the path of a socket, is the weight.
 */
#ifndef MEMCACHED_SERVERS_H
#define MEMCACHED_SERVERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { MC_MAX_SERVERS = 100, MC_HOST = 256, MC_SHOWN = 80, MC_PORT = 11211 };

struct mc_address {
    char host[MC_HOST]; /* without brackets; or the path of a socket, which begins with a slash */
    uint16_t port;      /* 0: a socket */
    uint32_t weight;
    char shown[MC_SHOWN]; /* for people: "host:port", its beginning where it is longer */
};

struct mc_list {
    size_t n;
    struct mc_address *servers; /* malloc()ed, in an order that does not depend on how they were written */
};

static inline bool mc_address_is_socket(const struct mc_address *a) {
    return a->host[0] == '/';
}

/* From a url of larder_param "url".  LARDER_OK, or a status and one line in error[size], without what
 * may be a secret.  mc_list_done() what came of it. */
int32_t mc_list_parse(const char *url, struct mc_list *ret, char *error, size_t size);
void mc_list_done(struct mc_list *list);

/* The same for every way to write the same list; another list has another one. */
uint64_t mc_list_print(const struct mc_list *list, const char *prefix);

#endif
