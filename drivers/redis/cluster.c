/*
 * A Redis Cluster: who has which slot, as some node said last, and what nodes say besides.
 *
 *   MOVED          the slot is elsewhere: the map is told, and asked for anew; the request goes there
 *   ASK            this once the request goes elsewhere, behind ASKING
 *   TRYAGAIN       the keys of a request are in two places, while a slot is moved: in a moment again
 *   CLUSTERDOWN, READONLY, LOADING, MASTERDOWN, a lost connection, silence
 *                  the request fails (the core repeats it, in its own time), and the map is asked for
 *
 * The map is asked for by one question at a time, of a node that is not in trouble; where that one does not answer
 * soon, of another.  After a question there is a pause that grows, whatever happens: a failover makes no storm
 * of questions, nor do redirections.  A request is redirected a few times and then fails.
 *
 * What the map does not tell of any more is given up, and so is what became a replica: replies that are due from
 * there, which may be dead without a word, are not waited for.
 *
 * Replicas answer on connections of their own (READONLY): a primary that becomes a replica must not go on answering
 * about marks.
 */
#include "cluster.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    TROUBLE_MS = 10000,  /* after a sign of trouble the map is asked for from time to time, for so long */
    LOOK_EVERY_MS = 100, /* for silent nodes, while there are requests under way */
    SILENT_MS = 300,     /* a node that says nothing for so long may have been replaced */
    AGAIN_MS = 20,       /* TRYAGAIN */
    HOLD_MS = 20,
    MAX_REDIRECTIONS = 8,
    MAX_TRYAGAIN = 100
};

/* ---- nodes ---------------------------------------------------------------------------------------------- */

static void on_reply(void *owner, struct rds_node *node, struct rds_request *r, struct rds_answer *answer);

void cluster_trouble(struct cluster *c) {
    c->trouble_until_ns = c->d->host->now_ns() + TROUBLE_MS * MS;
    cluster_want_map(c);
}

void cluster_doubt(struct place *place) {
    place->is_doubted = true;
    place->doubt = place->c->turn_of_query;
    cluster_trouble(place->c);
}

static void on_down(void *owner, struct rds_node *node, int32_t status, const char *detail) {
    struct place *place = owner;
    (void)status;
    (void)detail;
    if (node == place->node)
        cluster_doubt(place);
    else
        cluster_trouble(place->c);
}

static const struct rds_node_events events = {.reply = on_reply, .down = on_down};

/* The place of each node of the map, at its number. */
bool cluster_make_places(struct cluster *c) {
    if (c->n_places >= c->map.n_nodes)
        return true;
    struct place **places = realloc(c->places, c->map.n_nodes * sizeof(*places));
    if (!places)
        return false;
    c->places = places;
    while (c->n_places < c->map.n_nodes) {
        struct place *place = calloc(1, sizeof(*place));
        if (!place)
            return false;
        place->c = c;
        place->number = (uint16_t)c->n_places;
        c->places[c->n_places++] = place;
    }
    return true;
}

/* The connections of a node, which are made when somebody needs them; NULL: no memory. */
static struct rds_node *node_of(struct cluster *c, uint16_t number, bool reading) {
    char port[8];
    if (!cluster_make_places(c))
        return NULL;
    struct place *place = c->places[number];
    struct rds_node **at = reading ? &place->reader : &place->node, *node = *at;
    if (node)
        return node;
    const struct rds_map_node *named = &c->map.nodes[number];
    snprintf(port, sizeof(port), "%u", (unsigned)named->port);
    node = rds_node_new(c->d, named->host, port, NULL, &events, place);
    if (node && reading)
        rds_node_readonly(node);
    *at = node;
    return node;
}

void cluster_give(struct cluster *c, uint16_t number, bool reading, struct rds_request *r) {
    struct rds_node *node = node_of(c, number, reading);
    if (!node) {
        rds_request_fail(r, LARDER_NOMEM, NULL);
        return;
    }
    c->asked_for = true;
    cluster_set_timer(c);
    rds_node_send(node, r);
}

/* As far as is known: one that nobody has asked yet may be. */
bool cluster_is_well(const struct rds_node *node) {
    return !node || (rds_node_is_well(node) && rds_node_silent_ns(node) < SILENT_MS * MS);
}

/* ---- which node ----------------------------------------------------------------------------------------- */

/* A replica that does not answer costs its readers nothing but this question. */
static uint16_t reader_of(struct cluster *c, const struct rds_shard *shard) {
    for (uint16_t i = 0; i < shard->n_replicas; i++) {
        uint16_t number = shard->replicas[(c->turn + i) % shard->n_replicas];
        const struct rds_node *node = number < c->n_places ? c->places[number]->reader : NULL;
        if (cluster_is_well(node)) {
            c->turn++;
            return number;
        }
    }
    return RDS_NOBODY;
}

/* For a primary that is doubted: a map will tell in a moment, or else it is not waited for. */
static void hold(struct cluster *c, struct rds_request *r) {
    cluster_want_map(c);
    c->asked_for = true;
    if (c->in_round || c->next_query_ns <= c->d->host->now_ns() + HOLD_MS * MS)
        rds_requests_add(&c->waiting, r);
    else
        rds_request_fail(r, LARDER_RETRY, "the primary was silent or lost, and may have been replaced");
    cluster_set_timer(c);
}

static void submit(void *router, struct rds_request *r) {
    struct cluster *c = router;
    const struct rds_shard *shard = rds_map_find(&c->map, r->slot);
    r->flags &= (uint8_t)~RDS_ASKING;
    if (shard) {
        uint16_t reader = RDS_NOBODY;
        if ((r->flags & RDS_MAY_LAG) && c->reads_replicas && r->on == 0)
            reader = reader_of(c, shard);
        if (reader != RDS_NOBODY)
            cluster_give(c, reader, true, r);
        else if (r->kind != RDS_BIG && shard->primary < c->n_places && c->places[shard->primary]->is_doubted)
            hold(c, r);
        else
            cluster_give(c, shard->primary, false, r);
        return;
    }
    cluster_want_map(c);
    if (c->map.n_covered > 0) {
        rds_request_fail(r, LARDER_RETRY, "no node of the cluster has the slot");
    } else if (c->failed_ns != 0 && !c->in_round) { /* and it is not yet time to try again */
        rds_request_fail(r, c->failed_status, c->failed_detail);
    } else {
        rds_requests_add(&c->waiting, r);
        cluster_set_timer(c);
    }
}

void cluster_resubmit(struct cluster *c, struct rds_requests *list) {
    struct rds_requests taken = *list;
    struct rds_request *r;
    *list = (struct rds_requests){0};
    while ((r = rds_requests_take(&taken)))
        submit(c, r);
}

void cluster_fail_all(struct rds_requests *list, int32_t status, const char *detail) {
    struct rds_requests taken = *list;
    struct rds_request *r;
    *list = (struct rds_requests){0};
    while ((r = rds_requests_take(&taken)))
        rds_request_fail(r, status, detail);
}

/* ---- what nodes answer ------------------------------------------------------------------------------------ */

static uint64_t again_ms(struct cluster *c, unsigned attempts) {
    const uint64_t ms = AGAIN_MS * (attempts < 10 ? attempts : 10);
    return ms / 2 + rds_random(c->d) % ms;
}

/* With the last reply of a request that has to go elsewhere. */
static void again(struct cluster *c, struct rds_request *r) {
    const uint8_t flags = r->flags;
    rds_request_again(r); /* only now: RDS_ASKING tells the connection how many replies come */
    r->flags &= (uint8_t)~RDS_ASKING;
    if (r->attempts > (flags & RDS_LATER ? MAX_TRYAGAIN : MAX_REDIRECTIONS)) {
        rds_request_fail(r, LARDER_RETRY, "the nodes of the cluster do not agree about who has the slot");
    } else if (c->d->host->now_ns() >= r->deadline_ns) {
        rds_request_fail(r, LARDER_DEADLINE, "a slot of the cluster is on the move");
    } else if (flags & RDS_LATER) {
        if (!c->later.first)
            c->later_ns = c->d->host->now_ns() + again_ms(c, r->attempts) * MS;
        rds_requests_add(&c->later, r);
        cluster_set_timer(c);
    } else if (flags & RDS_TO_ASK) {
        const uint16_t number = c->asks[r->slot % CLUSTER_ASKS].number;
        if (c->asks[r->slot % CLUSTER_ASKS].slot != r->slot || number >= c->map.n_nodes) {
            submit(c, r);
            return;
        }
        r->flags |= RDS_ASKING;
        cluster_give(c, number, false, r);
    } else {
        submit(c, r);
    }
}

/* Whether a redirection can be followed; then the map, or the list of ASK, says where. */
static bool note_redirection(struct cluster *c, const struct rds_node *node, const struct rds_redirect *to) {
    const char *host = to->host[0] ? to->host : rds_node_host(node);
    if (!to->ask) {
        if (rds_map_move(&c->map, to->slot, host, to->port) != LARDER_OK)
            return false;
        cluster_want_map(c);
        return cluster_make_places(c);
    }
    uint16_t number = rds_map_node(&c->map, host, to->port);
    if (number == RDS_NOBODY || !cluster_make_places(c))
        return false;
    c->asks[to->slot % CLUSTER_ASKS].slot = to->slot;
    c->asks[to->slot % CLUSTER_ASKS].number = number;
    return true;
}

/* What has to be done because of an error; RDS_ELSEWHERE among it: all of the request goes elsewhere. */
static uint8_t look_at_error(struct cluster *c, const struct rds_node *node, const struct rds_request *r,
                             struct larder_bytes error) {
    struct rds_redirect to;
    if (rds_redirect_read(error, &to)) {
        if (to.slot != r->slot || !note_redirection(c, node, &to))
            return 0;
        return to.ask ? RDS_ELSEWHERE | RDS_TO_ASK : RDS_ELSEWHERE;
    }
    if (rds_begins(error, "TRYAGAIN"))
        return RDS_ELSEWHERE | RDS_LATER;
    if (rds_begins(error, "CLUSTERDOWN") || rds_begins(error, "READONLY") || rds_begins(error, "LOADING") ||
        rds_begins(error, "MASTERDOWN"))
        cluster_trouble(c);
    return 0;
}

/* What a node says about marks that may have been replaced.  (Entries are judged by marks: they may be old.) */
static void disbelieve(struct cluster *c, struct rds_request *r, struct rds_answer *answer) {
    c->d->host->buf_unref(answer->value.owner);
    if (r->seen == r->replies - 1)
        rds_request_fail(r, LARDER_RETRY, "the primary was silent or lost, and may have been replaced");
}

static void on_reply(void *owner, struct rds_node *node, struct rds_request *r, struct rds_answer *answer) {
    struct place *place = owner;
    struct cluster *c = place->c;
    if (node == place->node && r->kind == RDS_SMALL && answer->silence_ns > SILENT_MS * MS)
        cluster_doubt(place);
    if (node == place->node && place->is_doubted && r->kind != RDS_BIG && !cluster_is_query(r)) {
        disbelieve(c, r, answer);
        return;
    }
    if (!(r->flags & RDS_ELSEWHERE)) {
        /* What NOSCRIPT repeats finds out for itself where it has to go. */
        const bool is_error = !(r->flags & RDS_AGAIN) && answer->reply && answer->reply->type == RDS_ERROR;
        const bool lags = node == place->reader && is_error && r->seen == 0;
        uint8_t todo = is_error ? look_at_error(c, node, r, answer->reply->text) : 0;
        if (lags) { /* what a replica cannot answer its primary can */
            r->flags &= (uint8_t)~RDS_MAY_LAG;
            todo |= RDS_ELSEWHERE;
        }
        if (!(todo & RDS_ELSEWHERE)) {
            rds_node_answer(node, r, answer);
            return;
        }
        r->flags |= todo;
    } else {
        c->d->host->buf_unref(answer->value.owner);
    }
    if (r->seen == r->replies - 1)
        again(c, r);
}

/* ---- the clock ------------------------------------------------------------------------------------------------- */

void cluster_want_map(struct cluster *c) {
    c->is_wanted = true;
    cluster_set_timer(c);
}

static uint64_t earliest_deadline(const struct rds_requests *list) {
    uint64_t earliest = UINT64_MAX;
    for (const struct rds_request *r = list->first; r; r = r->next)
        if (r->deadline_ns < earliest)
            earliest = r->deadline_ns;
    return earliest;
}

static void end_overdue(struct cluster *c) {
    struct rds_requests waiting = c->waiting;
    struct rds_request *r;
    const uint64_t now_ns = c->d->host->now_ns();
    c->waiting = (struct rds_requests){0};
    while ((r = rds_requests_take(&waiting))) {
        if (r->deadline_ns <= now_ns)
            rds_request_fail(r, LARDER_DEADLINE, "no node of the cluster has told yet who has the slot");
        else
            rds_requests_add(&c->waiting, r);
    }
}

/* Whether anything is under way; a node that is silent about it may be dead, and replaced. */
static bool look_for_silence(struct cluster *c) {
    bool is_busy = false;
    for (size_t i = 0; i < c->n_places; i++) {
        const struct rds_node *node = c->places[i]->node;
        const uint64_t silent_ns = node ? rds_node_silent_ns(node) : 0;
        is_busy = is_busy || silent_ns > 0;
        if (silent_ns > SILENT_MS * MS)
            cluster_trouble(c);
        if (node && rds_node_marks_silent_ns(node) > SILENT_MS * MS)
            cluster_doubt(c->places[i]);
    }
    return is_busy;
}

void cluster_set_timer(struct cluster *c) {
    uint64_t due_ns = UINT64_MAX;
    if (c->is_closing || c->in_timer)
        return;
    if (c->in_round)
        due_ns = c->ask_next_ns;
    else if (c->is_wanted)
        due_ns = c->next_query_ns;
    if (c->later.first && c->later_ns < due_ns)
        due_ns = c->later_ns;
    if (c->waiting.first) {
        const uint64_t deadline_ns = earliest_deadline(&c->waiting);
        due_ns = deadline_ns < due_ns ? deadline_ns : due_ns;
    }
    if (c->asked_for && c->look_ns == UINT64_MAX)
        c->look_ns = c->d->host->now_ns() + LOOK_EVERY_MS * MS;
    due_ns = c->look_ns < due_ns ? c->look_ns : due_ns;
    if (due_ns != c->timer_ns)
        c->d->host->timer_set(c->timer, due_ns);
    c->timer_ns = due_ns;
}

static void on_timer(void *arg) {
    struct cluster *c = arg;
    const uint64_t now_ns = c->d->host->now_ns();
    c->timer_ns = UINT64_MAX;
    c->in_timer = true;
    if (now_ns >= c->look_ns) {
        const bool is_busy = look_for_silence(c);
        if (c->asked_for && now_ns < c->trouble_until_ns)
            c->is_wanted = true;
        c->asked_for = is_busy;
        c->look_ns = UINT64_MAX;
    }
    if (c->waiting.first)
        end_overdue(c);
    if (c->later.first && now_ns >= c->later_ns)
        cluster_resubmit(c, &c->later);
    if (c->in_round ? now_ns >= c->ask_next_ns : c->is_wanted && now_ns >= c->next_query_ns)
        cluster_ask_for_map(c);
    c->in_timer = false;
    cluster_set_timer(c);
    rds_burst_send(&c->d->burst);
}

/* ---- parts --------------------------------------------------------------------------------------------------------- */

static uint32_t part(void *router, uint32_t from,
                     void (*ready)(void *arg, int32_t status, const char *detail), void *arg) {
    struct cluster *c = router;
    uint32_t best = RDS_NO_PART;
    if (c->map.n_covered == 0) {
        struct curious *curious = malloc(sizeof(*curious));
        if (!curious) {
            ready(arg, LARDER_NOMEM, NULL);
            return RDS_PARTS_UNKNOWN;
        }
        *curious = (struct curious){.next = c->curious, .ready = ready, .arg = arg};
        c->curious = curious;
        cluster_want_map(c);
        return RDS_PARTS_UNKNOWN;
    }
    /* The first slot of each shard; a slot counts if none before it has the same shard. */
    for (size_t shard = 0; shard < c->map.n_shards; shard++) {
        uint32_t slot = 0;
        while (slot < RDS_SLOTS && c->map.shard_of[slot] != shard)
            slot++;
        if (slot < RDS_SLOTS && slot >= from && slot < best)
            best = slot;
    }
    return best;
}

static uint32_t replicas(void *router, uint16_t slot) {
    const struct rds_shard *shard = rds_map_find(&((struct cluster *)router)->map, slot);
    return shard ? shard->n_replicas : 0;
}

static void doubt(void *router) {
    cluster_trouble(router);
}

/* ---- life ------------------------------------------------------------------------------------------------------------ */

static void cluster_close(void *router) {
    struct cluster *c = router;
    c->is_closing = true;
    cluster_fail_all(&c->waiting, LARDER_CANCELLED, NULL);
    cluster_fail_all(&c->later, LARDER_CANCELLED, NULL);
    for (size_t i = 0; i < c->n_places; i++) {
        rds_node_free(c->places[i]->node);
        rds_node_free(c->places[i]->reader);
    }
    for (size_t i = 0; i < c->n_places; i++)
        free(c->places[i]);
    while (c->curious) {
        struct curious *next = c->curious->next;
        free(c->curious);
        c->curious = next;
    }
    if (c->timer)
        c->d->host->timer_free(c->timer);
    free(c->places);
    rds_map_done(&c->map);
    free(c);
}

static int32_t cluster_open(struct rds *d, const struct rds_url *url, void **ret, char *error) {
    struct cluster *c = calloc(1, sizeof(*c));
    if (!c) {
        snprintf(error, LARDER_ERROR_SIZE, "no memory");
        return LARDER_NOMEM;
    }
    c->d = d;
    c->reads_replicas = strcmp(d->config->read_from, "replica") == 0;
    c->timer_ns = c->look_ns = UINT64_MAX;
    c->timer = d->host->timer(d->home, on_timer, c);
    bool is_good = c->timer != NULL;
    for (size_t i = 0; i < url->n_hosts && is_good; i++) {
        int64_t port = 0;
        const struct larder_bytes digits = {(const uint8_t *)url->hosts[i].port, strlen(url->hosts[i].port)};
        (void)rds_number(digits, &port);
        const uint16_t number = rds_map_node(&c->map, url->hosts[i].host, (uint16_t)port);
        is_good = number != RDS_NOBODY && cluster_make_places(c);
        if (is_good)
            c->places[number]->is_seed = true;
    }
    if (!is_good) {
        cluster_close(c);
        snprintf(error, LARDER_ERROR_SIZE, "no memory");
        return LARDER_NOMEM;
    }
    *ret = c;
    return LARDER_OK;
}

const struct rds_router_ops rds_cluster = {.open = cluster_open,
                                           .close = cluster_close,
                                           .submit = submit,
                                           .part = part,
                                           .replicas = replicas,
                                           .doubt = doubt,
                                           .is_slotted = true};
