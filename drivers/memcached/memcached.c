/* The driver's table, its settings, the frame around every op; ping, provision, explain. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mc.h"

static const struct larder_param params[] = {
    {.name = "url",
     .type = LARDER_P_TEXT,
     .offset = LARDER_AT(struct mc_config, url),
     .preset = "memcached://127.0.0.1:11211",
     .help = "the servers: memcached://a:11211,b:11211:2 (port, weight) or memcached:///run/memcached.sock"},
    {.name = "prefix",
     .type = LARDER_P_TEXT,
     .offset = LARDER_AT(struct mc_config, prefix),
     .preset = "larder",
     .help = "what the keys of this store begin with, at most 100 characters without a space"},
    {.name = "username",
     .type = LARDER_P_TEXT,
     .offset = LARDER_AT(struct mc_config, username),
     .preset = "",
     .env = "MEMCACHED_USERNAME",
     .help = "for servers that want SASL; with it the binary protocol is spoken"},
    {.name = "password",
     .type = LARDER_P_SECRET,
     .offset = LARDER_AT(struct mc_config, password),
     .preset = "",
     .env = "MEMCACHED_PASSWORD",
     .help = "belongs to username"},
    {.name = "chunk-size",
     .type = LARDER_P_BYTES,
     .offset = LARDER_AT(struct mc_config, chunk_bytes),
     .preset = "1023KB",
     .min = MC_LEAST_CHUNK,
     .max = 32 << 20,
     .help = "larger entries are split; 1 KB less than the servers' -I (1m)"},
    {.name = "timeout",
     .type = LARDER_P_MS,
     .offset = LARDER_AT(struct mc_config, timeout_ms),
     .preset = "1s",
     .min = 1,
     .max = 3600000,
     .help = "no wait for a server is longer, whatever the deadline of the op"},
    {.name = "failures",
     .type = LARDER_P_INT,
     .offset = LARDER_AT(struct mc_config, failures),
     .preset = "3",
     .min = 1,
     .max = 1000000,
     .help = "a server that fails so often in a row is cut off until it answers again"},
    {.name = "probe-interval",
     .type = LARDER_P_MS,
     .offset = LARDER_AT(struct mc_config, probe_interval_ms),
     .preset = "1s",
     .min = 10,
     .max = 3600000,
     .help = "how often an op tries a server that is cut off"},
    {.name = "lanes",
     .type = LARDER_P_INT,
     .offset = LARDER_AT(struct mc_config, lanes),
     .preset = "8",
     .min = 1,
     .max = 64,
     .help = "calls at once, each on a thread and connections of its own"},
};

/* ---- the frame of an op ---------------------------------------------------------------------- */

static void complete(struct mc_call *c, int32_t status) {
    struct larder_result res = c->res;
    res.status = status;
    if (status < 0 || status == LARDER_MISS) {
        c->mc->host->buf_unref(res.value.owner);
        res.value = (struct larder_slice){0};
    }
    if (status < 0)
        res.detail = c->detail[0] != 0 ? c->detail : NULL;
    else
        res.native_code = 0;
    c->mc->host->complete(c->op, &res);
}

/* `flags` are those this op knows.  A miss is no answer for ops that need not find anything. */
static void run(struct mc *mc, struct larder_op *op, uint32_t flags, bool may_miss, mc_fn *fn) {
    struct mc_call c = {.mc = mc, .op = op, .res = {.size = sizeof(c.res)}};
    int32_t status;
    if ((op->flags & ~flags) != 0)
        status = mc_fail(&c, LARDER_UNSUPPORTED, "a flag that this op does not know");
    else if (op->lane >= mc->n_lanes)
        status = mc_fail(&c, LARDER_INTERNAL, "lane %u of %u", op->lane, mc->n_lanes);
    else {
        c.lane = &mc->lanes[op->lane];
        status = fn(&c);
    }
    complete(&c, status == LARDER_MISS && !may_miss ? LARDER_OK : status);
}

#define OP(name, flags, may_miss, fn)                             \
    static void op_##name(void *instance, struct larder_op *op) { \
        run(instance, op, flags, may_miss, fn);                   \
    }

OP(get, 0, true, mc_get)
OP(put, LARDER_IF_ABSENT, true, mc_put)
OP(remove, 0, false, mc_remove)
OP(claim, 0, true, mc_claim)
OP(release, 0, false, mc_release)
OP(tags_read, 0, false, mc_read)
OP(tags_write, LARDER_IF_ABSENT, true, mc_write)
OP(advance, 0, false, mc_advance)

/* ---- ping, provision, explain ------------------------------------------------------------------ */

static int32_t on_ping(struct mc_call *c, void *arg, size_t i, const struct mc_found *found) {
    (void)c;
    (void)arg;
    (void)i;
    (void)found;
    return LARDER_OK;
}

/* An item that is not there is asked for.  The failure stays in c. */
static int32_t ping_one(struct mc_call *c, size_t server) {
    struct mc_ask ask = {.server = server};
    mc_name_of(&c->mc->names, MC_PING, (struct larder_bytes){0}, &ask.name);
    return mc_fetch(c, &ask, 1, on_ping, NULL);
}

/* The store answers as long as one server does: what is at home on the others fails by itself. */
static int32_t ping(struct mc_call *c) {
    struct mc_call first = *c;
    for (size_t i = 0; i < c->mc->n_servers; i++) {
        struct mc_call one = *c;
        int32_t status = ping_one(&one, i);
        if (status == LARDER_OK)
            return LARDER_OK;
        if (first.res.status == LARDER_OK)
            first = one;
    }
    *c = first;
    return first.res.status;
}

OP(ping, 0, false, ping)

static int32_t tell(struct mc_call *c, const char *text) {
    return c->mc->host->emit_text(c->op, (struct larder_bytes){(const uint8_t *)text, strlen(text)});
}

/* One line for each server: whether it answers, and if not, why. */
static int32_t tell_servers(struct mc_call *c) {
    int32_t status = LARDER_OK;
    for (size_t i = 0; status == LARDER_OK && i < c->mc->n_servers; i++) {
        const struct mc_address *a = &c->mc->servers[i].address;
        struct mc_call one = *c;
        char line[400];
        if (ping_one(&one, i) == LARDER_OK)
            snprintf(line, sizeof(line), "%s, weight %u: answers\n", a->shown, a->weight);
        else
            snprintf(line, sizeof(line), "%s, weight %u: fails (%s)\n", a->shown, a->weight, one.detail);
        status = tell(c, line);
    }
    return status;
}

static int32_t provision(struct mc_call *c) {
    return tell(c, "memcached needs nothing to be made\n");
}

OP(provision, LARDER_DRY_RUN, false, provision)

static const char keys_text[] =
    "PREFIX:PPPPPPPP:K...   P tells this list of servers from any other, K is one of\n"
    "e   an entry, or the manifest of one in chunks\n"
    "v   a chunk of a value\n"
    "m   a mark\n"
    "n   a counter\n"
    "c   a claim\n"
    "Behind K stands a hash; no key of yours is in a name.  flush_all may be said at any time.\n";

static int32_t explain(struct mc_call *c) {
    const struct larder_bytes *topic = &c->op->key;
    if (topic->len == 7 && memcmp(topic->ptr, "servers", 7) == 0)
        return tell_servers(c);
    if (topic->len == 4 && memcmp(topic->ptr, "keys", 4) == 0)
        return tell(c, keys_text);
    return mc_fail(c, LARDER_INVALID, "topics: servers, keys");
}

OP(explain, 0, false, explain)

/* ---- open, close --------------------------------------------------------------------------------- */

static int32_t refuse(char *error, int32_t status, const char *why) {
    snprintf(error, LARDER_ERROR_SIZE, "%s", why);
    return status;
}

static int32_t check(const struct mc_config *config, char *error) {
    if (!mc_prefix_ok(config->prefix))
        return refuse(error, LARDER_INVALID, "prefix must be 1 to 100 characters of ASCII, without a space");
    if ((config->username[0] == 0) != (config->password[0] == 0))
        return refuse(error, LARDER_INVALID, "username and password go together");
#if !defined(LIBMEMCACHED_WITH_SASL_SUPPORT) || !LIBMEMCACHED_WITH_SASL_SUPPORT
    if (config->username[0] != 0)
        return refuse(error, LARDER_UNSUPPORTED, "this driver was built with a libmemcached without SASL");
#endif
    return LARDER_OK;
}

static void mc_close(void *instance) {
    struct mc *mc = instance;
    mc_servers_done(mc);
    pthread_mutex_destroy(&mc->lock);
    free(mc);
}

static int32_t mc_open(const struct larder_host *host, struct larder_home *home, const void *config,
                       struct larder_info *info, void **instance, char *error) {
    const struct mc_config *settings = config;
    struct mc_list list = {0};
    int32_t status = check(settings, error);
    if (status == LARDER_OK)
        status = mc_list_parse(settings->url, &list, error, LARDER_ERROR_SIZE);
    if (status != LARDER_OK)
        return status;
    struct mc *mc = calloc(1, sizeof(*mc));
    if (!mc) {
        mc_list_done(&list);
        return refuse(error, LARDER_NOMEM, "out of memory");
    }
    mc->host = host;
    mc->home = home;
    mc->config = settings;
    mc->n_lanes = (uint32_t)settings->lanes;
    pthread_mutex_init(&mc->lock, NULL);
    mc_names_init(&mc->names, settings->prefix, mc_list_print(&list, settings->prefix));
    status = mc_servers_init(mc, &list, error);
    mc_list_done(&list);
    if (status != LARDER_OK) {
        mc_close(mc);
        return status;
    }
    info->traits = LARDER_BLOCKING | LARDER_SHARED | LARDER_PERSISTENT | LARDER_TTL | LARDER_LOSSY;
    info->max_value = MC_MAX_VALUE;
    info->lanes = mc->n_lanes;
    *instance = mc;
    return LARDER_OK;
}

static const struct larder_cache_ops cache_ops = {
    .size = sizeof(cache_ops),
    .get = op_get,
    .put = op_put,
    .remove = op_remove,
    .claim = op_claim,
    .release = op_release,
};

static const struct larder_tag_ops tag_ops = {
    .size = sizeof(tag_ops),
    .read = op_tags_read,
    .write = op_tags_write,
    .advance = op_advance,
};

static const struct larder_driver memcached_driver = {
    .size = sizeof(memcached_driver),
    .abi = LARDER_ABI,
    .name = "memcached",
    .version = "0.1.0",
    .summary = "one memcached or several, for entries that may be lost at any time",
    .params = params,
    .n_params = sizeof(params) / sizeof(params[0]),
    .param_size = sizeof(params[0]),
    .config_size = sizeof(struct mc_config),
    .cache = &cache_ops,
    .tags = &tag_ops,
    .open = mc_open,
    .close = mc_close,
    .ping = op_ping,
    .provision = op_provision,
    .explain = op_explain,
};

LARDER_EXPORT_DRIVER(memcached_driver);
