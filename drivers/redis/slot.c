#include "slot.h"

#include <stdlib.h>
#include <string.h>

#include "route.h"

/* ---- slots of keys -------------------------------------------------------------------------------------- */

/* Four bits at a time: a table of 16, and keys are short. */
uint16_t rds_crc16(struct larder_bytes bytes) {
    static const uint16_t of_nibble[16] = {0x0000, 0x1021, 0x2042, 0x3063, 0x4084, 0x50a5, 0x60c6, 0x70e7,
                                           0x8108, 0x9129, 0xa14a, 0xb16b, 0xc18c, 0xd1ad, 0xe1ce, 0xf1ef};
    unsigned crc = 0;
    for (size_t i = 0; i < bytes.len; i++) {
        crc = (crc << 4 & 0xffff) ^ of_nibble[(crc >> 12 ^ bytes.ptr[i] >> 4) & 15];
        crc = (crc << 4 & 0xffff) ^ of_nibble[(crc >> 12 ^ bytes.ptr[i]) & 15];
    }
    return (uint16_t)crc;
}

struct larder_bytes rds_slot_part(struct larder_bytes key) {
    const uint8_t *open = key.len > 0 ? memchr(key.ptr, '{', key.len) : NULL;
    if (!open)
        return key;
    const uint8_t *inside = open + 1;
    const uint8_t *close = memchr(inside, '}', key.len - (size_t)(inside - key.ptr));
    if (!close || close == inside)
        return key;
    return (struct larder_bytes){inside, (size_t)(close - inside)};
}

uint16_t rds_slot_of(struct larder_bytes key) {
    return rds_crc16(rds_slot_part(key)) % RDS_SLOTS;
}

/* ---- the map -------------------------------------------------------------------------------------------- */

void rds_map_done(struct rds_map *map) {
    free(map->nodes);
    free(map->shards);
    free(map->shard_of);
    *map = (struct rds_map){0};
}

/* One more of `size` bytes, all zero; NULL without memory, or beyond what a cluster can have. */
static void *grow(void **array, size_t *n, size_t *room, size_t size) {
    if (*n == *room) {
        size_t wanted = *room ? 2 * *room : 8;
        void *more = *n < RDS_MAX_NODES ? realloc(*array, wanted * size) : NULL;
        if (!more)
            return NULL;
        *array = more;
        *room = wanted;
    }
    void *added = (char *)*array + (*n)++ * size;
    memset(added, 0, size);
    return added;
}

uint16_t rds_map_node(struct rds_map *map, const char *host, uint16_t port) {
    size_t len = strlen(host), unused = RDS_NOBODY;
    for (size_t i = 0; i < map->n_nodes; i++) {
        struct rds_map_node *node = &map->nodes[i];
        if (node->port == port && strcmp(node->host, host) == 0) {
            node->gone = node->unused = false;
            return (uint16_t)i;
        }
        if (node->unused)
            unused = i;
    }
    if (len >= RDS_HOST_SIZE)
        return RDS_NOBODY;
    if (unused == RDS_NOBODY) {
        void *nodes = map->nodes;
        if (!grow(&nodes, &map->n_nodes, &map->room_nodes, sizeof(*map->nodes)))
            return RDS_NOBODY;
        map->nodes = nodes;
        unused = map->n_nodes - 1;
    }
    struct rds_map_node *node = &map->nodes[unused];
    *node = (struct rds_map_node){.port = port};
    memcpy(node->host, host, len + 1);
    return (uint16_t)unused;
}

/* A shard's number, in `shards` of `n`, or RDS_NOBODY. */
static uint16_t shard_with(const struct rds_shard *shards, size_t n, uint16_t primary) {
    for (size_t i = 0; i < n; i++)
        if (shards[i].primary == primary)
            return (uint16_t)i;
    return RDS_NOBODY;
}

/* What is being read, in place of what the map says. */
struct reading {
    struct rds_map *map;
    const char *from;
    struct rds_shard *shards;
    size_t n_shards, room_shards;
    uint16_t *shard_of;
    size_t n_covered;
};

static bool is_text(const struct rds_reply *r) {
    return r->type == RDS_BULK || r->type == RDS_STATUS;
}

/* ret_node: RDS_NOBODY for a node that cannot be reached by what is told of it. */
static int32_t read_node(const struct reading *in, const struct rds_reply *r, uint16_t *ret_node) {
    char host[RDS_HOST_SIZE];
    if (r->type != RDS_ARRAY || r->n < 2 || r->elements[1].type != RDS_INTEGER)
        return LARDER_CORRUPT;
    const struct rds_reply *name = &r->elements[0];
    int64_t port = r->elements[1].integer;
    if (name->type != RDS_NIL && !is_text(name))
        return LARDER_CORRUPT;
    size_t len = name->type == RDS_NIL ? 0 : name->text.len;
    if (port < 0 || port > UINT16_MAX || len >= sizeof(host) || (len > 0 && memchr(name->text.ptr, 0, len)))
        return LARDER_CORRUPT;
    if (len > 0)
        memcpy(host, name->text.ptr, len);
    host[len] = 0;
    *ret_node = RDS_NOBODY;
    if (port == 0 || strcmp(host, "?") == 0)
        return LARDER_OK;
    *ret_node = rds_map_node(in->map, len > 0 ? host : in->from, (uint16_t)port);
    return *ret_node == RDS_NOBODY ? LARDER_NOMEM : LARDER_OK;
}

/* A shard may have many ranges; its replicas are those of the first. */
static int32_t read_range(struct reading *in, const struct rds_reply *r) {
    uint16_t primary;
    if (r->type != RDS_ARRAY || r->n < 3 || r->elements[0].type != RDS_INTEGER ||
        r->elements[1].type != RDS_INTEGER)
        return LARDER_CORRUPT;
    int64_t first = r->elements[0].integer, last = r->elements[1].integer;
    if (first < 0 || last < first || last >= RDS_SLOTS)
        return LARDER_CORRUPT;
    int32_t status = read_node(in, &r->elements[2], &primary);
    if (status != LARDER_OK || primary == RDS_NOBODY)
        return status;
    uint16_t number = shard_with(in->shards, in->n_shards, primary);
    if (number == RDS_NOBODY) {
        void *shards = in->shards;
        struct rds_shard *shard = grow(&shards, &in->n_shards, &in->room_shards, sizeof(*shard));
        if (!shard)
            return LARDER_NOMEM;
        in->shards = shards;
        number = (uint16_t)(in->n_shards - 1);
        shard->primary = primary;
        for (size_t i = 3; i < r->n; i++) {
            uint16_t replica;
            status = read_node(in, &r->elements[i], &replica);
            if (status != LARDER_OK)
                return status;
            if (replica != RDS_NOBODY &&
                shard->n_replicas < sizeof(shard->replicas) / sizeof(shard->replicas[0]))
                shard->replicas[shard->n_replicas++] = replica;
        }
    }
    for (int64_t slot = first; slot <= last; slot++) {
        in->n_covered += in->shard_of[slot] == RDS_NOBODY;
        in->shard_of[slot] = number;
    }
    return LARDER_OK;
}

static uint16_t *nobodys(void) {
    uint16_t *shard_of = malloc(RDS_SLOTS * sizeof(*shard_of));
    if (shard_of)
        memset(shard_of, 0xff, RDS_SLOTS * sizeof(*shard_of));
    return shard_of;
}

static void look_who_is_gone(struct rds_map *map) {
    for (size_t i = 0; i < map->n_nodes; i++)
        map->nodes[i].gone = true;
    for (size_t i = 0; i < map->n_shards; i++) {
        const struct rds_shard *shard = &map->shards[i];
        map->nodes[shard->primary].gone = false;
        for (size_t k = 0; k < shard->n_replicas; k++)
            map->nodes[shard->replicas[k]].gone = false;
    }
}

static size_t moved(const struct rds_map *map, const struct reading *in) {
    size_t n = 0;
    for (unsigned slot = 0; slot < RDS_SLOTS && in->shards; slot++) {
        const struct rds_shard *before = rds_map_find(map, (uint16_t)slot);
        const uint16_t now = in->shard_of[slot];
        n += now != RDS_NOBODY && (!before || before->primary != in->shards[now].primary);
    }
    return n;
}

int32_t rds_map_take(struct rds_map *map, const struct rds_reply *reply, const char *from) {
    struct reading in = {.map = map, .from = from, .shard_of = nobodys()};
    int32_t status = in.shard_of ? LARDER_OK : LARDER_NOMEM;
    if (reply->type != RDS_ARRAY)
        status = LARDER_CORRUPT;
    for (size_t i = 0; status == LARDER_OK && i < reply->n; i++)
        status = read_range(&in, &reply->elements[i]);
    if (status != LARDER_OK) {
        free(in.shards);
        free(in.shard_of);
        return status;
    }
    map->n_moved = moved(map, &in);
    free(map->shards);
    free(map->shard_of);
    map->shards = in.shards;
    map->n_shards = in.n_shards;
    map->room_shards = in.room_shards;
    map->shard_of = in.shard_of;
    map->n_covered = in.n_covered;
    look_who_is_gone(map);
    return LARDER_OK;
}

int32_t rds_map_move(struct rds_map *map, uint16_t slot, const char *host, uint16_t port) {
    uint16_t node = rds_map_node(map, host, port);
    if (node == RDS_NOBODY || slot >= RDS_SLOTS || (!map->shard_of && !(map->shard_of = nobodys())))
        return LARDER_NOMEM;
    uint16_t number = shard_with(map->shards, map->n_shards, node);
    if (number ==
        RDS_NOBODY) { /* a replica that was promoted, or a new node: the next map tells its replicas */
        void *shards = map->shards;
        struct rds_shard *shard = grow(&shards, &map->n_shards, &map->room_shards, sizeof(*shard));
        if (!shard)
            return LARDER_NOMEM;
        map->shards = shards;
        shard->primary = node;
        number = (uint16_t)(map->n_shards - 1);
    }
    map->n_covered += map->shard_of[slot] == RDS_NOBODY;
    map->shard_of[slot] = number;
    return LARDER_OK;
}

const struct rds_shard *rds_map_find(const struct rds_map *map, uint16_t slot) {
    if (!map->shard_of || slot >= RDS_SLOTS || map->shard_of[slot] == RDS_NOBODY)
        return NULL;
    return &map->shards[map->shard_of[slot]];
}

/* ---- redirections --------------------------------------------------------------------------------------- */

/* Digits up to `end`, at most `max`. */
static bool read_number(const char *p, const char *end, unsigned max, unsigned *ret) {
    unsigned n = 0;
    if (p == end || end - p > 5)
        return false;
    for (; p < end; p++) {
        if (*p < '0' || *p > '9')
            return false;
        n = n * 10 + (unsigned)(*p - '0');
    }
    if (n > max)
        return false;
    *ret = n;
    return true;
}

bool rds_redirect_read(struct larder_bytes error, struct rds_redirect *ret) {
    struct rds_redirect got = {.ask = rds_begins(error, "ASK")};
    if (!got.ask && !rds_begins(error, "MOVED"))
        return false;
    const char *text = (const char *)error.ptr, *end = text + error.len, *colon = NULL;
    const char *number = text + (got.ask ? sizeof("ASK") : sizeof("MOVED"));
    const char *space = number < end ? memchr(number, ' ', (size_t)(end - number)) : NULL;
    unsigned slot, port;
    if (!space || !read_number(number, space, RDS_SLOTS - 1, &slot))
        return false;
    for (const char *p = space + 1; p < end; p++) /* an IPv6 address has colons of its own */
        if (*p == ':')
            colon = p;
    if (!colon || !read_number(colon + 1, end, UINT16_MAX, &port) || port == 0)
        return false;
    size_t host_len = (size_t)(colon - (space + 1));
    if (host_len >= sizeof(got.host) || memchr(space + 1, 0, host_len) || (host_len == 1 && space[1] == '?'))
        return false;
    memcpy(got.host, space + 1, host_len);
    got.slot = (uint16_t)slot;
    got.port = (uint16_t)port;
    *ret = got;
    return true;
}
