/*
 * The seam between what is asked (entry.c, mark.c ...) and who is asked.  A router is one way to find the server
 * for a request: single.c knows one server, cluster.c a map of slots, sentinel.c the master of the moment.
 *
 * HOW A ROUTER IS WRITTEN.
 * - It has one or several nodes (node.h: the connections to one server, with their pauses after failures).
 * - submit(r) gives r to a node by rds_node_send(), or keeps it in a list of its own until it knows which, or ends
 *   it by rds_request_fail(r, LARDER_RETRY, "why").  r->slot, r->kind and r->flags (RDS_MAY_LAG) say what for.  It
 *   must not forget one, and must end what it keeps when r->deadline_ns has passed or it has given up.
 * - It is told of every reply by rds_node_events.reply: it looks whether the reply is an error of its own
 *   (MOVED, ASK, TRYAGAIN, CLUSTERDOWN, READONLY ...; rds_begins()), and hands on all others by
 *   rds_node_answer().  A request of several commands gets all its replies, whatever they are, before it may be
 *   sent again: set RDS_ELSEWHERE in r->flags at the first such error, do not hand on replies any more, and with the
 *   last reply (r->seen == r->replies - 1) call rds_request_again(r) and send it anew.  (So done() of a verb with
 *   several commands may see its first replies twice.)  A reply that is dropped may have a value: buf_unref() it.
 * - A request with `on` != 0 belongs to one connection: send it to the node where it was before.  (Nodes refuse it
 *   where the connection is gone.  Which node: by the slot, or keep a list.)
 * - Commands of its own (CLUSTER SLOTS, SENTINEL get-master-addr-by-name) are requests with a verb of the router's,
 *   in memory of the router's.
 * - It uses host->timer() for what it does by itself.  close() ends everything that it has.
 *
 * An op never talks to a node, and a router never looks at an op.
 */
#ifndef REDIS_ROUTE_H
#define REDIS_ROUTE_H

#include "node.h"

struct rds_url;

struct rds_router_ops {
    /* From the settings; does not wait for the network.  LARDER_OK, or a status with the reason in error. */
    int32_t (*open)(struct rds *d, const struct rds_url *url, void **ret, char *error);
    void (*close)(void *router);
    void (*submit)(void *router, struct rds_request *r);
    /* For what goes over all servers that have keys (SCAN): a slot of the server whose first slot is the next one
     * at or behind `from`; UINT32_MAX: there is none.  One server: 0 for 0.  Where the map is not known yet it is
     * fetched: the answer is RDS_PARTS_UNKNOWN, and ready(arg) is called when it is worth asking again, or
     * (status < 0) with why it cannot be known. */
    uint32_t (*part)(void *router, uint32_t from,
                     void (*ready)(void *arg, int32_t status, const char *detail), void *arg);
    /* How many replicas the primary of the slot has, as others than it say.  NULL: nobody says. */
    uint32_t (*replicas)(void *router, uint16_t slot);
    /* What it knows may be wrong: it asks anew, in its own time.  NULL: there is nothing to ask. */
    void (*doubt)(void *router);
    bool is_slotted; /* requests need their slot (rds_slot_of()) */
};

#define RDS_NO_PART UINT32_MAX
#define RDS_PARTS_UNKNOWN (UINT32_MAX - 1)

extern const struct rds_router_ops rds_single, rds_cluster, rds_sentinel;

/* The slot of a key, by its hash tag: CRC16 of what is between the first { and the next }, if that is not
 * empty, else of all (https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/). */
uint16_t rds_slot_of(struct larder_bytes key);

/* As if it had never been sent. */
static inline void rds_request_again(struct rds_request *r) {
    r->flags &= (uint8_t) ~(RDS_AGAIN | RDS_ELSEWHERE | RDS_LATER | RDS_TO_ASK);
    r->seen = 0;
    r->got = 0;
    r->sent_ns = 0;
    r->attempts++;
}

#endif
