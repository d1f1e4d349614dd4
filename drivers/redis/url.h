/*
 * Where the servers are, from the setting `url`; pure.
 *
 *     redis://[USER[:PASSWORD]@]HOST[:PORT][/DB]         rediss:// the same over TLS
 *     redis://:PASSWORD@HOST                             for servers without users
 *     unix:///PATH/TO/SOCKET                             unix://[USER[:PASSWORD]@]/PATH
 *     redis+cluster://[USER[:PASSWORD]@]HOST[:PORT][,HOST[:PORT]...]                  rediss+cluster://
 *     redis+sentinel://[USER[:PASSWORD]@]HOST[:PORT][,HOST[:PORT]...]/MASTER[/DB]     rediss+sentinel://
 *
 * User, password, path and master are percent-decoded.  An IPv6 address stands in [].
 */
#ifndef REDIS_URL_H
#define REDIS_URL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { RDS_MAX_HOSTS = 32, RDS_MAX_URL = 4096 };

enum rds_mode { RDS_ONE, RDS_CLUSTER, RDS_SENTINEL };

struct rds_host_port {
    const char *host; /* without [] */
    const char *port; /* "6379"; of sentinels "26379" */
};

struct rds_url {
    enum rds_mode mode;
    bool tls;
    const char *path;     /* unix: the socket; else NULL */
    const char *user;     /* NULL: none */
    const char *password; /* NULL: none */
    const char *master;   /* sentinel: the name of what it watches; else NULL */
    int64_t db;           /* 0 where there is none */
    size_t n_hosts;
    struct rds_host_port hosts[RDS_MAX_HOSTS];
    char text[2 * RDS_MAX_URL]; /* what the others point to: it is not to be copied */
};

/* false: error says what is wrong, without the password. */
bool rds_url_read(const char *text, struct rds_url *ret, char *error, size_t error_size);

#endif
