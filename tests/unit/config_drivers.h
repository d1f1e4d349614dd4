/* Drivers for tests of the configuration: settings of every kind, and functions nobody calls. */
#ifndef TESTS_CONFIG_DRIVERS_H
#define TESTS_CONFIG_DRIVERS_H

#include "loader.h"

struct fs_config {
    const char *url;
    int64_t max_size;
    int64_t fsync;
};

struct s3_config {
    const char *url;
    const char *region;
    const char *key;
    const char *secret;
};

struct redis_config {
    const char *url;
    const char *password;
    int64_t timeout_ms;
    int64_t pool;
};

static const struct larder_param fs_params[] = {
    {"url", LARDER_P_TEXT, LARDER_AT(struct fs_config, url), NULL, 0, 0, NULL, NULL, "the folder"},
    {"max-size", LARDER_P_BYTES, LARDER_AT(struct fs_config, max_size), "1GB", 1024, INT64_MAX, NULL, NULL,
     "size"},
    {"fsync", LARDER_P_BOOL, LARDER_AT(struct fs_config, fsync), "true", 0, 0, NULL, NULL, "sync"},
};
static const struct larder_param s3_params[] = {
    {"url", LARDER_P_TEXT, LARDER_AT(struct s3_config, url), NULL, 0, 0, NULL, NULL, "bucket and prefix"},
    {"region", LARDER_P_TEXT, LARDER_AT(struct s3_config, region), "", 0, 0, NULL, "TEST_REGION", "region"},
    {"access-key-id", LARDER_P_TEXT, LARDER_AT(struct s3_config, key), "", 0, 0, NULL, NULL, "id"},
    {"secret-access-key", LARDER_P_SECRET, LARDER_AT(struct s3_config, secret), "", 0, 0, NULL, NULL,
     "secret"},
};
static const struct larder_param redis_params[] = {
    {"url", LARDER_P_TEXT, LARDER_AT(struct redis_config, url), "redis://127.0.0.1", 0, 0, NULL, NULL,
     "server"},
    {"password", LARDER_P_SECRET, LARDER_AT(struct redis_config, password), "", 0, 0, NULL, NULL, "password"},
    {"timeout", LARDER_P_MS, LARDER_AT(struct redis_config, timeout_ms), "200ms", 1, 60000, NULL, NULL,
     "time"},
    {"pool", LARDER_P_INT, LARDER_AT(struct redis_config, pool), "4", 1, 64, NULL, NULL, "connections"},
};

static void no_op(void *instance, struct larder_op *op) {
    (void)instance;
    (void)op;
}
static int32_t no_open(const struct larder_host *host, struct larder_home *home, const void *config,
                       struct larder_info *info, void **instance,
                       char *error) { /* NOLINT(readability-non-const-parameter): the contract's */
    (void)host;
    (void)home;
    (void)config;
    (void)info;
    (void)instance;
    (void)error;
    return LARDER_INTERNAL;
}
static void no_close(void *instance) {
    (void)instance;
}

static const struct larder_cache_ops no_cache = {
    .size = sizeof no_cache, .get = no_op, .put = no_op, .remove = no_op};
static const struct larder_tag_ops no_tags = {
    .size = sizeof no_tags, .read = no_op, .write = no_op, .advance = no_op};

#define TEST_DRIVER(name_, schemes_, params_, config_, cache_, tags_)                                       \
    {                                                                                                       \
        .size = sizeof(struct larder_driver), .abi = LARDER_ABI, .name = name_, .schemes = schemes_,        \
        .version = "1", .summary = "for tests", .params = params_,                                          \
        .n_params = sizeof params_ / sizeof params_[0], .param_size = sizeof(struct larder_param),          \
        .config_size = sizeof(config_), .cache = cache_, .tags = tags_, .open = no_open, .close = no_close, \
        .ping = no_op                                                                                       \
    }

static const struct larder_driver test_drivers[] = {
    TEST_DRIVER("fs", NULL, fs_params, struct fs_config, &no_cache, &no_tags),
    TEST_DRIVER("s3", NULL, s3_params, struct s3_config, &no_cache, NULL),
    TEST_DRIVER("redis", "rediss|unix|redis+cluster", redis_params, struct redis_config, &no_cache, &no_tags),
    TEST_DRIVER("marks", NULL, fs_params, struct fs_config, NULL, &no_tags),
    {.size = sizeof(struct larder_driver),
     .abi = LARDER_ABI,
     .name = "memory",
     .version = "1",
     .summary = "no settings",
     .param_size = sizeof(struct larder_param),
     .cache = &no_cache,
     .tags = &no_tags,
     .open = no_open,
     .close = no_close,
     .ping = no_op},
};

static inline void add_test_drivers(void) {
    for (size_t i = 0; i < sizeof test_drivers / sizeof test_drivers[0]; i++)
        loader_add_builtin(&test_drivers[i]);
}

#endif
