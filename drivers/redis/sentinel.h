/* The inside of sentinel.c, and of told.c: what sentinels say. */
#ifndef REDIS_SENTINEL_H
#define REDIS_SENTINEL_H

#include "error.h"
#include "rds.h"

enum {
    RDS_HOST_ROOM = 256, /* a host's name or address, with its NUL */
    RDS_PORT_ROOM = 8,
    SENTINEL_REPLICAS = 8 /* more are not used */
};

struct rds_server {
    char host[RDS_HOST_ROOM];
    char port[RDS_PORT_ROOM];
};

bool rds_server_same(const struct rds_server *a, const struct rds_server *b);

/* What one sentinel says about a master. */
struct rds_told {
    struct rds_server master;
    int64_t
        config_epoch; /* of the failover that made it the master: the greater, the later; -1: it does not say */
};

/* SENTINEL GET-MASTER-ADDR-BY-NAME: [host, port].  false: it knows none, or this is no such reply. */
bool rds_told_address(const struct rds_reply *reply, struct rds_told *ret);
/* SENTINEL MASTER: names and values in turn.  false, and ret as it was: it is no such reply. */
bool rds_told_master(const struct rds_reply *reply, struct rds_told *ret);
/* SENTINEL REPLICAS: those that can be asked; how many. */
size_t rds_told_replicas(const struct rds_reply *reply, struct rds_server ret[SENTINEL_REPLICAS]);
/* A message "+switch-master": "NAME OLD-HOST OLD-PORT HOST PORT".  false: it is about another master. */
bool rds_told_switch(struct larder_bytes message, const char *name, struct rds_server *ret);
/* ROLE: LARDER_OK from a master; LARDER_RETRY from what is none any more, or not yet. */
int32_t rds_is_master(void *arg, const struct rds_reply *reply, char *detail, size_t size);

#endif
