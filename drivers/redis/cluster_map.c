/* The map of a cluster: who is asked for it, and when it is new. */
#include "cluster.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    QUERY_PATIENCE_MS = 250, /* then another node is asked as well */
    PAUSE_MIN_MS = 100,      /* between two questions for the map */
    PAUSE_MAX_MS = 1000,
    RANKS = 4
};

static void retire(struct rds_node **node) {
    struct rds_node *old = *node;
    *node = NULL;
    if (old)
        rds_node_retire(old);
}

static void query_write(const struct rds_request *r, struct rds_out *out) {
    (void)r;
    rds_command(out, "CLUSTER", 2);
    rds_arg_text(out, "SLOTS");
}

static void query_done(struct rds_request *r, const struct rds_answer *answer);
static const struct rds_verb query_verb = {.write = query_write, .done = query_done};

bool cluster_is_query(const struct rds_request *r) {
    return r->verb == &query_verb;
}

/* Those who wait to hear which servers there are. */
static void tell_parts(struct cluster *c, int32_t status, const char *detail) {
    struct curious *curious = c->curious;
    c->curious = NULL;
    while (curious) {
        struct curious *next = curious->next;
        curious->ready(curious->arg, status, detail);
        free(curious);
        curious = next;
    }
}

static bool has_slots(const struct cluster *c, uint16_t number) {
    for (size_t i = 0; i < c->map.n_shards; i++)
        if (c->map.shards[i].primary == number)
            return true;
    return false;
}

/* After a new map: what is not in it any more, or not as before. */
static void tidy(struct cluster *c) {
    for (size_t i = 0; i < c->n_places; i++) {
        struct place *place = c->places[i];
        struct rds_map_node *at = &c->map.nodes[i];
        const bool was_primary = place->is_primary;
        place->is_primary = has_slots(c, (uint16_t)i);
        if ((at->gone || (was_primary && !place->is_primary)) && !place->is_asked)
            retire(&place->node);
        if (at->gone) {
            retire(&place->reader);
            at->unused = !place->is_seed && !place->node;
        }
    }
}

/* A pause that grows while nothing new is heard. */
static void plan_next(struct cluster *c, bool is_news) {
    uint64_t pause_ms = is_news ? PAUSE_MIN_MS : c->pause_ms * 3 / 2;
    if (pause_ms < PAUSE_MIN_MS)
        pause_ms = PAUSE_MIN_MS;
    c->pause_ms = pause_ms < PAUSE_MAX_MS ? pause_ms : PAUSE_MAX_MS;
    c->next_query_ns = c->d->host->now_ns() + (c->pause_ms / 2 + rds_random(c->d) % c->pause_ms) * MS;
}

static void have_map(struct cluster *c, uint64_t turn) {
    c->failed_ns = 0;
    c->in_round = false;
    plan_next(c, c->map.n_moved > 0);
    if (!cluster_make_places(c)) {
        cluster_fail_all(&c->waiting, LARDER_NOMEM, NULL);
        return;
    }
    for (size_t i = 0; i < c->n_places; i++)
        if (turn > c->places[i]->doubt)
            c->places[i]->is_doubted = false;
    tidy(c);
    cluster_resubmit(c, &c->waiting);
    tell_parts(c, LARDER_OK, NULL);
}

/* Nobody answered: what waits for a map is answered, and so is what comes until the next round. */
static void no_map(struct cluster *c) {
    c->in_round = false;
    c->failed_ns = c->d->host->now_ns();
    plan_next(c, false);
    cluster_fail_all(&c->waiting, c->failed_status, c->failed_detail);
    tell_parts(c, c->failed_status, c->failed_detail);
}

static void query_done(struct rds_request *r, const struct rds_answer *answer) {
    struct query *q = (struct query *)(void *)r;
    struct cluster *c = q->c;
    struct rds_error error = {.status = answer->status};
    const char *detail = answer->detail;
    char line[sizeof(c->failed_detail)];
    q->is_out = false;
    c->queries_out--;
    c->places[q->number]->is_asked = false;
    if (c->is_closing)
        return;
    if (answer->status == LARDER_OK && answer->reply->type == RDS_ERROR) {
        error = rds_error_of(answer->reply->text);
        rds_error_line(answer->reply->text, line, sizeof(line));
        detail = line;
    } else if (answer->status == LARDER_OK) {
        if (q->turn <
            c->heard_turn) /* a later question was answered before: this is older than what is known */
            return;
        char from[RDS_HOST_SIZE]; /* the map may move its names */
        snprintf(from, sizeof(from), "%s", c->map.nodes[q->number].host);
        error.status = rds_map_take(&c->map, answer->reply, from);
        detail = "what the node says about its slots makes no sense";
        if (error.status == LARDER_OK && c->map.n_covered > 0) {
            c->heard_turn = q->turn;
            have_map(c, q->turn);
            cluster_set_timer(c);
            return;
        }
        if (error.status == LARDER_OK) {
            error.status = LARDER_RETRY;
            detail = "the node belongs to no cluster";
        }
    }
    c->failed_status = error.status;
    snprintf(c->failed_detail, sizeof(c->failed_detail), "%s", detail ? detail : "");
    c->ask_next_ns = 0; /* at once */
    cluster_set_timer(c);
}

/* In this order: who is connected and well, who is in the map, whom the settings name, who is in trouble. */
static unsigned rank_of(const struct cluster *c, uint16_t number) {
    const struct place *place = c->places[number];
    const bool is_in_map = c->map.shard_of && !c->map.nodes[number].gone && !c->map.nodes[number].unused;
    if (!is_in_map && !place->is_seed)
        return RANKS;
    if (place->is_doubted || !cluster_is_well(place->node))
        return RANKS - 1;
    if (!is_in_map)
        return 2;
    return place->node ? 0 : 1;
}

/* From one place on, that is another in each round. */
static uint16_t next_candidate(struct cluster *c) {
    for (unsigned rank = 0; rank < RANKS; rank++) {
        for (size_t i = 0; i < c->n_places; i++) {
            const uint16_t number = (uint16_t)((c->first_candidate + i) % c->n_places);
            struct place *place = c->places[number];
            if (place->round != c->round && !place->is_asked && rank_of(c, number) == rank) {
                place->round = c->round;
                return number;
            }
        }
    }
    return RDS_NOBODY;
}

void cluster_ask_for_map(struct cluster *c) {
    struct query *q = NULL;
    if (!c->in_round) {
        c->in_round = true;
        c->is_wanted = false;
        c->round++;
        c->first_candidate = c->n_places > 0 ? (size_t)(rds_random(c->d) % c->n_places) : 0;
    }
    c->ask_next_ns = c->d->host->now_ns() + QUERY_PATIENCE_MS * MS;
    for (size_t i = 0; i < CLUSTER_QUERIES && !q; i++)
        if (!c->queries[i].is_out)
            q = &c->queries[i];
    if (!q)
        return;
    const uint16_t number = next_candidate(c);
    if (number == RDS_NOBODY) {
        if (c->queries_out == 0)
            no_map(c);
        return;
    }
    *q = (struct query){.r = {.verb = &query_verb, .deadline_ns = UINT64_MAX, .kind = RDS_SMALL},
                        .c = c,
                        .number = number,
                        .is_out = true,
                        .turn = ++c->turn_of_query};
    c->queries_out++;
    c->places[number]->is_asked = true;
    cluster_give(c, number, false, &q->r);
}
