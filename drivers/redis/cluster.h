/* The inside of a cluster's router: cluster.c (requests, and the clock) and cluster_map.c (who has which slot). */
#ifndef REDIS_CLUSTER_H
#define REDIS_CLUSTER_H

#include <string.h>

#include "error.h"
#include "rds.h"
#include "slot.h"

enum {
    CLUSTER_QUERIES = 3, /* questions for the map that may be under way at once */
    CLUSTER_ASKS = 16    /* slots that are on the move, and known to be */
};

struct cluster;

struct place { /* a node of the map, at its number */
    struct cluster *c;
    struct rds_node *node;   /* NULL until it is needed: for what a primary is asked, and for the map */
    struct rds_node *reader; /* the same as a replica */
    uint64_t round;          /* in which it was last asked for the map */
    uint16_t number;
    bool is_seed;    /* from the settings: is asked for the map for ever */
    bool is_primary; /* by the last map */
    bool is_asked;   /* for the map, just now */
    bool is_doubted; /* it was silent, or lost: it may have been replaced, and not know it ... */
    uint64_t doubt;  /* ... until a map says otherwise that was asked for after this one */
};

struct query {            /* a question for the map */
    struct rds_request r; /* first */
    struct cluster *c;
    uint64_t turn; /* the greater, the later it was asked */
    uint16_t number;
    bool is_out;
};

struct curious { /* waits for part() to know */
    struct curious *next;
    void (*ready)(void *arg, int32_t status, const char *detail);
    void *arg;
};

struct cluster {
    struct rds *d;
    struct rds_map map;
    struct place **places;
    size_t n_places;
    bool reads_replicas;
    bool is_closing;
    bool in_timer;
    unsigned turn; /* among replicas */
    struct {
        uint16_t slot, number;
    } asks[CLUSTER_ASKS]; /* where ASK sent requests of a slot; at slot modulo their number */

    struct rds_requests waiting; /* for a map */
    struct rds_requests later;   /* for later_ns */
    uint64_t later_ns;
    struct curious *curious;

    struct query queries[CLUSTER_QUERIES];
    unsigned queries_out;
    uint64_t turn_of_query, heard_turn;
    bool is_wanted, in_round; /* a map */
    uint64_t round;
    size_t first_candidate;
    uint64_t ask_next_ns, next_query_ns, pause_ms, trouble_until_ns;
    uint64_t failed_ns; /* when nobody answered; 0: somebody did */
    int32_t failed_status;
    char failed_detail[160];

    struct larder_timer *timer;
    uint64_t timer_ns; /* what it is set to */
    uint64_t look_ns;  /* when silent nodes are looked for */
    bool asked_for;    /* there were requests since then */
};

static const uint64_t MS = 1000000; /* in ns */

/* ---- cluster.c ---- */

/* That somebody tells who has which slots. */
void cluster_want_map(struct cluster *c);
/* The same, from time to time for a while: something is wrong with a node. */
void cluster_trouble(struct cluster *c);
void cluster_set_timer(struct cluster *c);
/* What this node says is not believed before a map that is asked for from now on tells that it is still who it was. */
void cluster_doubt(struct place *place);
/* The places of all nodes of the map.  false: no memory. */
bool cluster_make_places(struct cluster *c);
/* As far as is known: one that nobody has asked yet (NULL) may be. */
bool cluster_is_well(const struct rds_node *node);
/* To the node of this number, as a primary or (reading) as a replica. */
void cluster_give(struct cluster *c, uint16_t number, bool reading, struct rds_request *r);
void cluster_resubmit(struct cluster *c, struct rds_requests *list);
void cluster_fail_all(struct rds_requests *list, int32_t status, const char *detail);

/* ---- cluster_map.c ---- */

/* One more question: the first of a round, or where the last one has not been answered. */
void cluster_ask_for_map(struct cluster *c);
bool cluster_is_query(const struct rds_request *r);

#endif
