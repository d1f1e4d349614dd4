/* The driver's table and its settings; opening and closing an instance. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "push.h"
#include "rds.h"
#include "transport.h"

static const struct larder_param params[] = {
    {.name = "url",
     .type = LARDER_P_TEXT,
     .offset = LARDER_AT(struct rds_config, url),
     .preset = "redis://127.0.0.1:6379",
     .env = "REDIS_URL",
     .help = "redis://, rediss:// (TLS), unix:///PATH, redis+cluster://, redis+sentinel://.../MASTER"},
    {.name = "username",
     .type = LARDER_P_TEXT,
     .offset = LARDER_AT(struct rds_config, username),
     .preset = "",
     .env = "REDIS_USERNAME",
     .help = "the user, unless the URL names one"},
    {.name = "password",
     .type = LARDER_P_SECRET,
     .offset = LARDER_AT(struct rds_config, password),
     .preset = "",
     .env = "REDIS_PASSWORD",
     .help = "the password, which need not be in the URL then"},
    {.name = "sentinel-username",
     .type = LARDER_P_TEXT,
     .offset = LARDER_AT(struct rds_config, sentinel_username),
     .preset = "",
     .env = "REDIS_SENTINEL_USERNAME",
     .help = "the user at the sentinels"},
    {.name = "sentinel-password",
     .type = LARDER_P_SECRET,
     .offset = LARDER_AT(struct rds_config, sentinel_password),
     .preset = "",
     .env = "REDIS_SENTINEL_PASSWORD",
     .help = "the password of the sentinels, which is not that of the servers"},
    {.name = "read-from",
     .type = LARDER_P_TEXT,
     .offset = LARDER_AT(struct rds_config, read_from),
     .preset = "primary",
     .choices = "primary|replica",
     .help = "where entries are read; replica: what was just written may be missed"},
    {.name = "wait-replicas",
     .type = LARDER_P_TEXT,
     .offset = LARDER_AT(struct rds_config, wait_replicas),
     .preset = "auto",
     .choices = "auto|0|1|2|3|4|5",
     .help =
         "so many replicas must have a revalidation before it is acknowledged; auto: 1 where there are any"},
    {.name = "wait-timeout",
     .type = LARDER_P_MS,
     .offset = LARDER_AT(struct rds_config, wait_timeout_ms),
     .preset = "500ms",
     .min = 1,
     .max = 600000,
     .help = "if they do not have it after this, the revalidation is tried again"},
    {.name = "prefix",
     .type = LARDER_P_TEXT,
     .offset = LARDER_AT(struct rds_config, prefix),
     .preset = "larder",
     .help = "what all keys begin with: several applications on one server"},
    {.name = "ca-file",
     .type = LARDER_P_TEXT,
     .offset = LARDER_AT(struct rds_config, ca_file),
     .preset = "",
     .help = "certificates (PEM) that the server's must descend from; else the system's"},
    {.name = "cert-file",
     .type = LARDER_P_TEXT,
     .offset = LARDER_AT(struct rds_config, cert_file),
     .preset = "",
     .help = "a certificate (PEM) to show to the server"},
    {.name = "key-file",
     .type = LARDER_P_TEXT,
     .offset = LARDER_AT(struct rds_config, key_file),
     .preset = "",
     .help = "its key (PEM), where that is not in cert-file"},
    {.name = "server-name",
     .type = LARDER_P_TEXT,
     .offset = LARDER_AT(struct rds_config, server_name),
     .preset = "",
     .help = "the name in the server's certificate, where it is not the URL's"},
    {.name = "client-name",
     .type = LARDER_P_TEXT,
     .offset = LARDER_AT(struct rds_config, client_name),
     .preset = "larder",
     .help = "what CLIENT LIST shows; empty: nothing"},
    {.name = "push",
     .type = LARDER_P_BOOL,
     .offset = LARDER_AT(struct rds_config, push),
     .preset = "false",
     .help = "publish revalidations, and listen to those of others: with mark-age they are seen at once"},
    {.name = "scripts",
     .type = LARDER_P_BOOL,
     .offset = LARDER_AT(struct rds_config, scripts),
     .preset = "true",
     .help = "no: transactions (WATCH, MULTI) in the place of scripts, as where the server allows none"},
    {.name = "connections",
     .type = LARDER_P_INT,
     .offset = LARDER_AT(struct rds_config, connections),
     .preset = "2",
     .min = 1,
     .max = 32,
     .help = "connections for entries; one more is for marks, lists and claims"},
    {.name = "connect-timeout",
     .type = LARDER_P_MS,
     .offset = LARDER_AT(struct rds_config, connect_timeout_ms),
     .preset = "3s",
     .min = 10,
     .max = 600000,
     .help = "for a connection: name, TLS and password included"},
    {.name = "server-timeout",
     .type = LARDER_P_MS,
     .offset = LARDER_AT(struct rds_config, server_timeout_ms),
     .preset = "3s",
     .min = 100,
     .max = 3600000,
     .help = "a connection on which an answer is due and nothing comes for so long is given up"},
    {.name = "keepalive",
     .type = LARDER_P_MS,
     .offset = LARDER_AT(struct rds_config, keepalive_ms),
     .preset = "60s",
     .min = 0,
     .max = 3600000,
     .help = "an idle connection is probed after this (TCP keepalive); 0: never"},
    {.name = "mark-max-age",
     .type = LARDER_P_MS,
     .offset = LARDER_AT(struct rds_config, mark_max_age_ms),
     .preset = "366d",
     .min = 60000,
     .max = 3153600000000,
     .help = "links of the index that are not written again for so long are forgotten"},
};

/* ---- numbers that nobody foresees -------------------------------------------------------------------------------- */

uint64_t rds_random(struct rds *d) { /* splitmix64 */
    uint64_t z = d->random_state += 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

void rds_random_hex(struct rds *d, char *to, size_t n) {
    static const char digits[] = "0123456789abcdef";
    uint64_t random = 0;
    for (size_t i = 0; i < n; i++) {
        random = i % 16 == 0 ? rds_random(d) : random >> 4;
        to[i] = digits[random & 15];
    }
}

/* ---- settings ------------------------------------------------------------------------------------------------------ */

static const char *either(const char *first, const char *second) {
    return first ? first : (second[0] != '\0' ? second : NULL);
}

void rds_peer_of(const struct rds *d, struct rds_peer *ret) {
    const struct rds_config *config = d->config;
    *ret = (struct rds_peer){
        .user = either(d->url.user, config->username),
        .password = either(d->url.password, config->password),
        .name = config->client_name[0] != '\0' ? config->client_name : NULL,
        .db = d->url.db,
        .tls = d->tls,
        .connect_ns = (uint64_t)config->connect_timeout_ms * 1000000,
        .silence_ns = (uint64_t)config->server_timeout_ms * 1000000,
        .keepalive_ms = config->keepalive_ms,
    };
}

static bool is_plain(const char *text, size_t least, size_t most) {
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    const size_t len = strlen(text);
    return len >= least && len <= most && strspn(text, allowed) == len;
}

static int32_t take_settings(struct rds *d, char *error) {
    const struct rds_config *config = d->config;
    struct rds_peer peer;
    if (!rds_url_read(config->url, &d->url, error, LARDER_ERROR_SIZE))
        return LARDER_INVALID;
    if (!is_plain(config->prefix, 1, RDS_MAX_PREFIX) || !is_plain(config->client_name, 0, 64)) {
        snprintf(error, LARDER_ERROR_SIZE, "prefix and client-name: up to 64 of a-z A-Z 0-9 . _ -");
        return LARDER_INVALID;
    }
    rds_peer_of(d, &peer);
    if (peer.user && !peer.password) {
        snprintf(error, LARDER_ERROR_SIZE,
                 "there is a user, and no password: REDIS_PASSWORD, or the setting password");
        return LARDER_INVALID;
    }
    if (!d->url.tls && config->ca_file[0] + config->cert_file[0] + config->server_name[0] != 0) {
        snprintf(error, LARDER_ERROR_SIZE,
                 "ca-file, cert-file and server-name are for TLS: a url of rediss://");
        return LARDER_INVALID;
    }
    d->has_no_scripts = !config->scripts;
    d->wait_replicas = strcmp(config->wait_replicas, "auto") == 0 ? -1 : config->wait_replicas[0] - '0';
    d->names.prefix_len = strlen(config->prefix);
    memcpy(d->names.prefix, config->prefix, d->names.prefix_len + 1);
    d->names.mark_slot = rds_slot_of(
        (struct larder_bytes){(const uint8_t *)config->prefix, d->names.prefix_len});
    if (!rds_script_shas(d->shas)) {
        snprintf(error, LARDER_ERROR_SIZE, "OpenSSL has no SHA-1, by which the server knows scripts");
        return LARDER_UNSUPPORTED;
    }
    if (!d->url.tls)
        return LARDER_OK;
    d->tls = rds_tls_new(config->ca_file, config->cert_file, config->key_file, config->server_name, error,
                         LARDER_ERROR_SIZE);
    return d->tls ? LARDER_OK : LARDER_INVALID;
}

static const struct rds_router_ops *router_of(enum rds_mode mode) {
    return mode == RDS_CLUSTER ? &rds_cluster : mode == RDS_SENTINEL ? &rds_sentinel : &rds_single;
}

/* ---- open, close ---------------------------------------------------------------------------------------------------- */

void rds_flush(void *instance) {
    struct rds *d = instance;
    rds_burst_send(&d->burst);
    rds_node_reap(d);
}

static int32_t open_push(struct rds *d, char *error) {
    if (d->url.mode == RDS_SENTINEL) {
        snprintf(error, LARDER_ERROR_SIZE, "push: not with sentinels");
        return LARDER_UNSUPPORTED;
    }
    d->push = rds_push_new(d);
    if (d->push)
        return LARDER_OK;
    snprintf(error, LARDER_ERROR_SIZE, "out of memory");
    return LARDER_NOMEM;
}

static void rds_close(void *instance) {
    struct rds *d = instance;
    if (d->router)
        d->router_ops->close(d->router);
    rds_push_free(d->push);
    rds_node_reap(d);
    rds_tasks_done(d);
    rds_tls_free(d->tls);
    free(d);
}

static int32_t rds_open(const struct larder_host *host, struct larder_home *home, const void *config,
                        struct larder_info *info, void **instance, char *error) {
    struct rds *d = calloc(1, sizeof(*d));
    if (!d) {
        snprintf(error, LARDER_ERROR_SIZE, "out of memory");
        return LARDER_NOMEM;
    }
    d->host = host;
    d->home = home;
    d->config = config;
    if (getrandom(&d->random_state, sizeof(d->random_state), GRND_NONBLOCK) != sizeof(d->random_state))
        d->random_state = host->now_ns() ^ (uintptr_t)d;
    int32_t status = take_settings(d, error);
    if (status == LARDER_OK) {
        d->router_ops = router_of(d->url.mode);
        status = d->router_ops->open(d, &d->url, &d->router, error);
    }
    if (status == LARDER_OK && d->config->push)
        status = open_push(d, error);
    if (status != LARDER_OK) {
        rds_close(d);
        return status;
    }
    info->traits = LARDER_SHARED | LARDER_PERSISTENT | LARDER_TTL | LARDER_NEWEST;
    info->max_value = RDS_MAX_BULK - RDS_HEAD;
    *instance = d;
    return LARDER_OK;
}

/* ---- the table -------------------------------------------------------------------------------------------------------- */

static const struct larder_cache_ops cache_ops = {
    .size = sizeof(cache_ops),
    .get = rds_get,
    .put = rds_put,
    .remove = rds_remove,
    .list = rds_list,
    .claim = rds_claim,
    .release = rds_release,
};

static const struct larder_tag_ops tag_ops = {
    .size = sizeof(tag_ops),
    .read = rds_read,
    .write = rds_write,
    .advance = rds_advance,
    .bump = rds_bump,
    .link = rds_link,
    .keys_of = rds_keys_of,
    .tags_of = rds_tags_of,
    .list_marks = rds_list_marks,
};

static const struct larder_driver redis_driver = {
    .size = sizeof(redis_driver),
    .abi = LARDER_ABI,
    .name = "redis",
    .schemes = "rediss|unix|redis+unix|redis+cluster|rediss+cluster|redis+sentinel|rediss+sentinel",
    .version = "0.1.0",
    .summary = "Redis, Valkey and what speaks their protocol",
    .params = params,
    .n_params = sizeof(params) / sizeof(params[0]),
    .param_size = sizeof(params[0]),
    .config_size = sizeof(struct rds_config),
    .cache = &cache_ops,
    .tags = &tag_ops,
    .open = rds_open,
    .close = rds_close,
    .ping = rds_ping,
    .provision = rds_provision,
    .explain = rds_explain,
    .flush = rds_flush,
};

LARDER_EXPORT_DRIVER(redis_driver);
