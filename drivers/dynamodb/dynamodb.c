/* The driver's table and its settings; opening and closing an instance. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "ddb.h"

static const struct larder_param params[] = {
    {.name = "url",
     .type = LARDER_P_TEXT,
     .offset = LARDER_AT(struct ddb_config, url),
     .preset = "",
     .help = "dynamodb://TABLE names the table"},
    {.name = "table",
     .type = LARDER_P_TEXT,
     .offset = LARDER_AT(struct ddb_config, table),
     .preset = "larder",
     .env = "CACHE_DYNAMO_TABLE|NEXT_CACHE_DYNAMODB_TABLE",
     .help = "the table, unless the URL names it"},
    {.name = "default-region",
     .type = LARDER_P_TEXT,
     .offset = LARDER_AT(struct ddb_config, default_region),
     .preset = "",
     .env = "CACHE_BUCKET_REGION|NEXT_CACHE_AWS_REGION",
     .help = "the region where neither region nor AWS_REGION names one"},
    {.name = "prefix",
     .type = LARDER_P_TEXT,
     .offset = LARDER_AT(struct ddb_config, prefix),
     .preset = "larder",
     .help = "what all keys begin with: several applications in one table"},
    {.name = "schema",
     .type = LARDER_P_TEXT,
     .offset = LARDER_AT(struct ddb_config, schema),
     .preset = "larder",
     .help = "opennext, opennext-original: a table that OpenNext works on at the same time"},
    {.name = "build-id",
     .type = LARDER_P_TEXT,
     .offset = LARDER_AT(struct ddb_config, build_id),
     .preset = "",
     .env = "OPEN_NEXT_BUILD_ID|NEXT_BUILD_ID",
     .help = "schema opennext: what OpenNext's tags of this build begin with"},
    {.name = "shards",
     .type = LARDER_P_INT,
     .offset = LARDER_AT(struct ddb_config, shards),
     .preset = "8",
     .min = 1,
     .max = DDB_MAX_SHARDS,
     .help = "partitions of the index; may be raised, never lowered"},
    {.name = "mark-max-age",
     .type = LARDER_P_MS,
     .offset = LARDER_AT(struct ddb_config, mark_max_age_ms),
     .preset = "366d",
     .min = 60000,
     .max = 3153600000000,
     .help = "marks and links that are not written again for so long are deleted; more than any entry's age"},
    {.name = "max-attempts",
     .type = LARDER_P_INT,
     .offset = LARDER_AT(struct ddb_config, max_attempts),
     .preset = "0",
     .min = 0,
     .max = 1000,
     .env = "AWS_SDK_DYNAMODB_MAX_ATTEMPTS",
     .help = "attempts of a call that fails in passing, the first included; 0: as retries says"},
    {.name = "write-concurrency",
     .type = LARDER_P_INT,
     .offset = LARDER_AT(struct ddb_config, write_concurrency),
     .preset = "16",
     .min = 1,
     .max = 1000,
     .env = "DYNAMO_BATCH_WRITE_COMMAND_CONCURRENCY",
     .help = "requests that write for one op at once; more than 16 count as 16"},
    AWS_PARAMS(struct ddb_config, aws),
};

/* ---- open, close ---------------------------------------------------------------------------------------------- */

static bool consists_of(const char *text, size_t least, size_t most) {
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    size_t len = strlen(text);
    return len >= least && len <= most && strspn(text, allowed) == len;
}

/* dynamodb://TABLE, or what stood behind dynamodb: */
static const char *table_of(const struct ddb_config *config) {
    static const char scheme[] = "dynamodb://";
    const char *url = config->url;
    if (strncmp(url, scheme, sizeof(scheme) - 1) == 0)
        url += sizeof(scheme) - 1;
    return url[0] != '\0' ? url : config->table;
}

static int32_t take_schema(struct ddb *d, char *error) {
    const struct ddb_config *config = d->config;
    d->names.pk = "pk";
    d->names.sk = "sk";
    if (strcmp(config->schema, "larder") == 0)
        return LARDER_OK;
    bool original = strcmp(config->schema, "opennext-original") == 0;
    if (!original && strcmp(config->schema, "opennext") != 0 &&
        strcmp(config->schema, "opennext-nextmode") != 0) {
        snprintf(
            error, LARDER_ERROR_SIZE,
            "schema: larder, opennext (dynamodb-nextMode) or opennext-original (dynamodb), and not '%.100s'",
            config->schema);
        return LARDER_INVALID;
    }
    const struct larder_bytes build = ddb_bytes_of(config->build_id);
    if (build.len == 0 || build.len > OPENNEXT_MAX_BUILD_ID || ddb_utf8_len(build) < build.len) {
        snprintf(error, LARDER_ERROR_SIZE, "schema opennext needs build-id, UTF-8 of 1 to %d bytes",
                 OPENNEXT_MAX_BUILD_ID);
        return LARDER_INVALID;
    }
    if (original && build.ptr[0] == '#') { /* what the paths of Larder's own items begin with */
        snprintf(error, LARDER_ERROR_SIZE, "schema opennext-original: build-id must not begin with #");
        return LARDER_INVALID;
    }
    opennext_prefix(config->build_id, original, d->build_prefix);
    d->names.original = original;
    d->names.pk = "tag";
    d->names.sk = "path";
    d->names.build_id = config->build_id;
    d->names.build_prefix = d->build_prefix;
    return LARDER_OK;
}

static int32_t take_settings(struct ddb *d, char *error) {
    const struct ddb_config *config = d->config;
    const char *table = table_of(config);
    if (!consists_of(table, 3, 255)) {
        snprintf(error, LARDER_ERROR_SIZE,
                 "'%.100s' is not the name of a table: 3 to 255 of a-z A-Z 0-9 . _ -", table);
        return LARDER_INVALID;
    }
    if (!consists_of(config->prefix, 1, 64)) {
        snprintf(error, LARDER_ERROR_SIZE, "prefix: 1 to 64 of a-z A-Z 0-9 . _ -, and not '%.100s'",
                 config->prefix);
        return LARDER_INVALID;
    }
    snprintf(d->table, sizeof(d->table), "%s", table);
    d->names = (struct ddb_names){
        .table = d->table, .prefix = config->prefix, .shards = (uint32_t)config->shards};
    return take_schema(d, error);
}

static void ddb_close(void *instance) {
    struct ddb *d = instance;
    ddb_call_done(d);
    ddb_tell_done(d);
    free(d);
}

static int32_t ddb_open(const struct larder_host *host, struct larder_home *home, const void *config,
                        struct larder_info *info, void **instance, char *error) {
    struct ddb *d = calloc(1, sizeof(*d));
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
    if (status == LARDER_OK)
        status = ddb_call_init(d, error);
    if (status != LARDER_OK) {
        free(d);
        return status;
    }
    info->traits = LARDER_SHARED | LARDER_PERSISTENT | LARDER_TTL | LARDER_NEWEST | LARDER_DURABLE;
    info->max_key = DDB_MAX_NAME;
    info->max_value = DDB_MAX_VALUE;
    info->key_bytes = 1;
    if (LARDER_HAS(info, max_attempts))
        info->max_attempts = (uint32_t)d->config->max_attempts;
    *instance = d;
    return LARDER_OK;
}

/* ---- the table ------------------------------------------------------------------------------------------------ */

static const struct larder_cache_ops cache_ops = {
    .size = sizeof(cache_ops),
    .get = ddb_get,
    .put = ddb_put,
    .remove = ddb_remove,
    .list = ddb_list,
    .claim = ddb_claim,
    .release = ddb_release,
};

/* No bump: it would be TransactWriteItems, and a plain read may see one item of a transaction before the
 * other; the core's two rounds need no more than what plain reads promise. */
static const struct larder_tag_ops tag_ops = {
    .size = sizeof(tag_ops),
    .read = ddb_read,
    .write = ddb_write,
    .advance = ddb_advance,
    .link = ddb_link,
    .keys_of = ddb_keys_of,
    .tags_of = ddb_tags_of,
    .list_marks = ddb_list_marks,
};

static const struct larder_driver dynamodb_driver = {
    .size = sizeof(dynamodb_driver),
    .abi = LARDER_ABI,
    .name = "dynamodb",
    .version = "0.1.0",
    .summary = "a table of Amazon DynamoDB",
    .params = params,
    .n_params = sizeof(params) / sizeof(params[0]),
    .param_size = sizeof(params[0]),
    .config_size = sizeof(struct ddb_config),
    .cache = &cache_ops,
    .tags = &tag_ops,
    .open = ddb_open,
    .close = ddb_close,
    .ping = ddb_ping,
    .provision = ddb_provision,
    .explain = ddb_explain,
};

LARDER_EXPORT_DRIVER(dynamodb_driver);
