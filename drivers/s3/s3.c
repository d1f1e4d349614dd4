/* The driver's table and its settings; opening and closing an instance. */
#include "s3.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct larder_param params[] = {
    {.name = "url",
     .type = LARDER_P_TEXT,
     .offset = LARDER_AT(struct s3_config, url),
     .preset = "",
     .help = "s3://BUCKET or s3://BUCKET/PREFIX"},
    {.name = "bucket",
     .type = LARDER_P_TEXT,
     .offset = LARDER_AT(struct s3_config, bucket),
     .preset = "",
     .env = "CACHE_BUCKET_NAME|NEXT_CACHE_S3_BUCKET",
     .help = "the bucket, unless the URL names it"},
    {.name = "prefix",
     .type = LARDER_P_TEXT,
     .offset = LARDER_AT(struct s3_config, prefix),
     .preset = "larder",
     .help = "what all names begin with, unless the URL says it: several applications in one bucket"},
    {.name = "layout",
     .type = LARDER_P_TEXT,
     .offset = LARDER_AT(struct s3_config, layout),
     .preset = "larder",
     .choices = "larder|opennext",
     .help = "opennext: a bucket that OpenNext's incremental cache s3 works on at the same time"},
    {.name = "build-id",
     .type = LARDER_P_TEXT,
     .offset = LARDER_AT(struct s3_config, build_id),
     .preset = "",
     .env = "OPEN_NEXT_BUILD_ID|NEXT_BUILD_ID",
     .help = "layout opennext: what OpenNext's objects of this build begin with"},
    {.name = "key-prefix",
     .type = LARDER_P_TEXT,
     .offset = LARDER_AT(struct s3_config, key_prefix),
     .preset = "",
     .env = "CACHE_BUCKET_KEY_PREFIX",
     .help = "layout opennext: what stands before that"},
    {.name = "upload-lag",
     .type = LARDER_P_MS,
     .offset = LARDER_AT(struct s3_config, upload_lag_ms),
     .preset = "1h",
     .min = 0,
     .max = 3153600000000,
     .help = "layout opennext: the longest from the beginning of a rendering of OpenNext's to its upload"},
    {.name = "default-region",
     .type = LARDER_P_TEXT,
     .offset = LARDER_AT(struct s3_config, default_region),
     .preset = "",
     .env = "CACHE_BUCKET_REGION|NEXT_CACHE_AWS_REGION",
     .help = "the region where neither region nor AWS_REGION names one"},
    {.name = "addressing",
     .type = LARDER_P_TEXT,
     .offset = LARDER_AT(struct s3_config, addressing),
     .preset = "auto",
     .choices = "auto|path|virtual",
     .help = "where the bucket stands in a URL: auto is in the host at AWS, in the path elsewhere"},
    {.name = "conditional",
     .type = LARDER_P_TEXT,
     .offset = LARDER_AT(struct s3_config, conditional),
     .preset = "on",
     .choices = "on|off",
     .help = "off: for servers that do not write on conditions (If-Match)"},
    {.name = "checksum",
     .type = LARDER_P_TEXT,
     .offset = LARDER_AT(struct s3_config, checksum),
     .preset = "none",
     .choices = "none|crc32",
     .help = "beside the one that is in each entry: for the server, and looked at by get"},
    {.name = "sse",
     .type = LARDER_P_TEXT,
     .offset = LARDER_AT(struct s3_config, sse),
     .preset = "",
     .help =
         "encryption at rest, as in x-amz-server-side-encryption: AES256, aws:kms; else the bucket's own"},
    {.name = "kms-key",
     .type = LARDER_P_TEXT,
     .offset = LARDER_AT(struct s3_config, kms_key),
     .preset = "",
     .help = "with sse=aws:kms: the ARN of the key; else the one of AWS"},
    {.name = "storage-class",
     .type = LARDER_P_TEXT,
     .offset = LARDER_AT(struct s3_config, storage_class),
     .preset = "",
     .help = "as in x-amz-storage-class: INTELLIGENT_TIERING ...; else STANDARD"},
    {.name = "batch-removes",
     .type = LARDER_P_BOOL,
     .offset = LARDER_AT(struct s3_config, batch_removes),
     .preset = "true",
     .max = 1,
     .help = "removes that come together are one request (DeleteObjects)"},
    {.name = "sign-payload",
     .type = LARDER_P_BOOL,
     .offset = LARDER_AT(struct s3_config, sign_payload),
     .preset = "false",
     .max = 1,
     .help = "hash what is sent, for servers that insist on it"},
    {.name = "max-attempts",
     .type = LARDER_P_INT,
     .offset = LARDER_AT(struct s3_config, max_attempts),
     .preset = "0",
     .max = 1000,
     .env = "AWS_SDK_S3_MAX_ATTEMPTS",
     .help = "attempts of a call that fails in passing, the first included; 0: as retries says"},
    {.name = "bytes-under-way",
     .type = LARDER_P_BYTES,
     .offset = LARDER_AT(struct s3_config, bytes_under_way),
     .preset = "8MB",
     .min = 1,
     .max = INT64_C(1) << 40,
     .help = "of all values that are being read or written; others wait"},
    {.name = "max-age",
     .type = LARDER_P_MS,
     .offset = LARDER_AT(struct s3_config, max_age_ms),
     .preset = "366d",
     .min = 86400000,
     .max = 3153600000000,
     .help = "the bucket's rule deletes what is not written again for so long; more than any entry's age"},
    AWS_PARAMS(struct s3_config, aws),
};

/* ---- open, close ---------------------------------------------------------------------------------------------- */

static bool consists_of(struct larder_bytes text, size_t least, size_t most, const char *allowed) {
    if (text.len < least || text.len > most)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (!strchr(allowed, text.ptr[i]))
            return false;
    }
    return true;
}

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"

static bool is_path(struct larder_bytes path, size_t least) {
    if (path.len == 0)
        return least == 0;
    const bool dots = path.ptr[0] == '.' || memmem(path.ptr, path.len, "/.", 2);
    return consists_of(path, least, S3_MAX_PREFIX, LETTERS "/") && !dots && path.ptr[0] != '/' &&
           path.ptr[path.len - 1] != '/' && !memmem(path.ptr, path.len, "//", 2);
}

/* s3://BUCKET/PREFIX, or what stood behind s3: */
static int32_t take_place(struct s3 *s, char *error) {
    static const char scheme[] = "s3://";
    const char *url = s->config->url;
    if (strncmp(url, scheme, sizeof(scheme) - 1) == 0)
        url += sizeof(scheme) - 1;
    const size_t len = strcspn(url, "/");
    struct larder_bytes bucket = {(const uint8_t *)url, len};
    struct larder_bytes prefix = aws_bytes(url[len] == '/' ? url + len + 1 : "");
    if (bucket.len == 0)
        bucket = aws_bytes(s->config->bucket);
    if (prefix.len == 0)
        prefix = aws_bytes(s->config->prefix);
    while (prefix.len > 0 && prefix.ptr[prefix.len - 1] == '/')
        prefix.len--;
    if (bucket.len == 0) {
        snprintf(error, LARDER_ERROR_SIZE, "which bucket? s3://BUCKET, or the setting bucket");
        return LARDER_INVALID;
    }
    if (!consists_of(bucket, 3, 255, LETTERS)) {
        snprintf(error, LARDER_ERROR_SIZE, "'%.*s' is not the name of a bucket: 3 to 63 of a-z 0-9 . -",
                 (int)(bucket.len < 100 ? bucket.len : 100), (const char *)bucket.ptr);
        return LARDER_INVALID;
    }
    snprintf(s->bucket, sizeof(s->bucket), "%.*s", (int)bucket.len, (const char *)bucket.ptr);
    snprintf(s->prefix, sizeof(s->prefix), "%.*s",
             (int)(prefix.len < S3_MAX_PREFIX ? prefix.len : S3_MAX_PREFIX), (const char *)prefix.ptr);
    if (!is_path(prefix, 1)) {
        snprintf(error, LARDER_ERROR_SIZE,
                 "prefix: 1 to %d of a-z A-Z 0-9 . _ - and / between parts, none of which begins with a dot",
                 S3_MAX_PREFIX);
        return LARDER_INVALID;
    }
    return LARDER_OK;
}

static int32_t take_layout(struct s3 *s, char *error) {
    const struct s3_config *config = s->config;
    s->is_opennext = strcmp(config->layout, "opennext") == 0;
    if (!s->is_opennext)
        return LARDER_OK;
    struct larder_bytes prefix = aws_bytes(config->key_prefix);
    while (prefix.len > 0 && prefix.ptr[prefix.len - 1] == '/')
        prefix.len--;
    if (!consists_of(aws_bytes(config->build_id), 1, S3_MAX_BUILD_ID, LETTERS) ||
        config->build_id[0] == '.') {
        snprintf(error, LARDER_ERROR_SIZE,
                 "layout opennext needs build-id (OPEN_NEXT_BUILD_ID): 1 to %d of a-z A-Z 0-9 . _ -",
                 S3_MAX_BUILD_ID);
        return LARDER_INVALID;
    }
    if (!is_path(prefix, 0)) {
        snprintf(
            error, LARDER_ERROR_SIZE,
            "key-prefix: up to %d of a-z A-Z 0-9 . _ - and / between parts, none of which begins with a dot",
            S3_MAX_PREFIX);
        return LARDER_INVALID;
    }
    snprintf(s->key_prefix, sizeof(s->key_prefix), "%.*s", (int)prefix.len, (const char *)prefix.ptr);
    s->opennext = (struct opennext){.prefix = s->key_prefix, .build = config->build_id};
    return LARDER_OK;
}

/* What becomes a header. */
static int32_t take_headers(const struct s3_config *config, char *error) {
    const char *const values[] = {config->sse, config->kms_key, config->storage_class};
    static const char *const names[] = {"sse", "kms-key", "storage-class"};
    for (size_t i = 0; i < 3; i++) {
        if (consists_of(aws_bytes(values[i]), 0, 2048, LETTERS ":/"))
            continue;
        snprintf(error, LARDER_ERROR_SIZE, "%s: letters, digits and . _ - : / alone", names[i]);
        return LARDER_INVALID;
    }
    if (config->kms_key[0] != '\0' && strncmp(config->sse, "aws:kms", 7) != 0) {
        snprintf(error, LARDER_ERROR_SIZE, "kms-key needs sse=aws:kms");
        return LARDER_INVALID;
    }
    return LARDER_OK;
}

static int32_t take_checksum(struct s3 *s, char *error) {
    if (strcmp(s->config->checksum, "crc32") != 0)
        return LARDER_OK;
    s->crc = malloc(sizeof(*s->crc));
    if (!s->crc) {
        snprintf(error, LARDER_ERROR_SIZE, "out of memory");
        return LARDER_NOMEM;
    }
    s3_crc_init(s->crc);
    return LARDER_OK;
}

static void s3_close(void *instance) {
    struct s3 *s = instance;
    s3_call_done(s);
    free(s->crc);
    free(s);
}

static int32_t s3_open(const struct larder_host *host, struct larder_home *home, const void *config,
                       struct larder_info *info, void **instance, char *error) {
    struct s3 *s = calloc(1, sizeof(*s));
    if (!s) {
        snprintf(error, LARDER_ERROR_SIZE, "out of memory");
        return LARDER_NOMEM;
    }
    s->host = host;
    s->home = home;
    s->config = config;
    s->conditional = strcmp(s->config->conditional, "off") != 0;
    s->usual_bytes = 64 << 10;
    int32_t status = take_place(s, error);
    if (status == LARDER_OK)
        status = take_layout(s, error);
    if (status == LARDER_OK)
        status = take_headers(s->config, error);
    if (status == LARDER_OK)
        status = take_checksum(s, error);
    if (status == LARDER_OK)
        status = s3_call_init(s, error);
    if (status != LARDER_OK) {
        free(s->crc);
        free(s);
        return status;
    }
    info->traits = LARDER_SHARED | LARDER_PERSISTENT | (s->conditional ? LARDER_NEWEST : 0) |
                   (s->is_opennext ? LARDER_LOCAL : 0); /* of what is compressed OpenNext can read nothing */
    info->max_key = s3_max_key(strlen(s->prefix));
    info->max_value = S3_MAX_VALUE;
    if (LARDER_HAS(info, max_attempts))
        info->max_attempts = (uint32_t)s->config->max_attempts;
    *instance = s;
    return LARDER_OK;
}

/* ---- the table ------------------------------------------------------------------------------------------------ */

static const struct larder_cache_ops cache_ops = {
    .size = sizeof(cache_ops),
    .get = s3_get,
    .put = s3_put,
    .remove = s3_remove,
    .list = s3_list,
    .claim = s3_claim,
    .release = s3_release,
};

static const struct larder_driver s3_driver = {
    .size = sizeof(s3_driver),
    .abi = LARDER_ABI,
    .name = "s3",
    .version = "0.1.0",
    .summary = "a bucket of Amazon S3, or of a server that is like it: entries alone",
    .params = params,
    .n_params = sizeof(params) / sizeof(params[0]),
    .param_size = sizeof(params[0]),
    .config_size = sizeof(struct s3_config),
    .cache = &cache_ops,
    .open = s3_open,
    .close = s3_close,
    .ping = s3_ping,
    .provision = s3_provision,
    .explain = s3_explain,
    .cancel = s3_cancel,
    .flush = s3_flush,
};

LARDER_EXPORT_DRIVER(s3_driver);
