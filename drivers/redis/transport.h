/* Bytes to and from a server: over a socket (tcp.c), or TLS on one (tls.c).  Nothing here waits. */
#ifndef REDIS_TRANSPORT_H
#define REDIS_TRANSPORT_H

#include <stdbool.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "larder/driver.h"

struct rds_transport;

enum { RDS_BLOCKED = 0, RDS_LOST = -1 };

struct rds_transport_ops {
    /* After the socket is connected.  1: bytes may flow; RDS_BLOCKED; RDS_LOST. */
    int (*start)(struct rds_transport *t);
    /* How many bytes, at least 1; RDS_BLOCKED; RDS_LOST, with t->status and t->detail. */
    ssize_t (*recv)(struct rds_transport *t, const struct iovec *iov, int n);
    ssize_t (*send)(struct rds_transport *t, const struct iovec *iov, int n);
    /* Whether bytes have come that the socket no longer tells of. */
    bool (*has_more)(const struct rds_transport *t);
    /* Everything but the socket. */
    void (*done)(struct rds_transport *t);
};

struct rds_transport {
    const struct rds_transport_ops *ops;
    int fd;
    uint32_t wants;   /* after RDS_BLOCKED of start(): LARDER_READ or LARDER_WRITE */
    bool recv_writes; /* recv() waits for room to write, send() for bytes to read: a new key of TLS */
    bool send_reads;
    int32_t status;
    char detail[160];
    void *ssl;        /* tls.c */
    const char *name; /* tls.c: of the server, for its certificate */
    struct rds_tls *tls;
};

extern const struct rds_transport_ops rds_plain, rds_over_tls;

/* ---- tcp.c ------------------------------------------------------------------------------------------------ */

struct rds_address {
    struct sockaddr_storage socket;
    socklen_t len;
};
enum { RDS_MAX_ADDRESSES = 8 };

/* Begins to connect; a descriptor that does not block, or -1 with the reason in t->detail.  keepalive_ms 0: none. */
int rds_socket_open(struct rds_transport *t, const struct rds_address *address, int64_t keepalive_ms);
/* When it has become writable: whether it is connected. */
bool rds_socket_is_connected(struct rds_transport *t);
/* An address of a unix socket, or one that needs no look-up.  false: it is none. */
bool rds_address_of_path(const char *path, struct rds_address *ret);
bool rds_address_of_number(const char *host, const char *port, struct rds_address *ret);

/* Looks a name up on another thread.  fn(arg, addresses, n, NULL), or with n 0 and the reason, on the I/O thread,
 * unless rds_lookup_drop() comes before.  NULL: no memory. */
struct rds_lookup;
typedef void rds_lookup_fn(void *arg, const struct rds_address *addresses, size_t n, const char *why);
struct rds_lookup *rds_lookup_start(const struct larder_host *host, struct larder_home *home,
                                    const char *name, const char *port, rds_lookup_fn *fn, void *arg);
void rds_lookup_drop(struct rds_lookup *lookup); /* accepts NULL */

/* ---- tls.c ------------------------------------------------------------------------------------------------ */

struct rds_tls;
/* Certificates are read now.  server_name NULL or "": the name that is connected to.  NULL: error says why. */
struct rds_tls *rds_tls_new(const char *ca_file, const char *cert_file, const char *key_file,
                            const char *server_name, char *error, size_t size);
void rds_tls_free(struct rds_tls *tls);

#endif
