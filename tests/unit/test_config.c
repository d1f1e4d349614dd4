/* From settings in several places to drivers and their configuration structs. */
#include "config.h"

#include <string.h>

#include "bytes.h"
#include "config_drivers.h"
#include "unit.h"

static struct larder_error error;

static struct larder_config *new_config(void) {
    struct larder_config *config = larder_config_new();
    CU_ASSERT_PTR_NOT_NULL_FATAL(config);
    error = (struct larder_error){0};
    return config;
}

static void set(struct larder_config *config, const char *name, const char *value, const char *where) {
    int32_t status = larder_config_set(config, name, value, where, &error);
    if (status != LARDER_OK)
        printf("\n  %s\n", error.text);
    CU_ASSERT_EQUAL(status, LARDER_OK);
}

/* Takes config. */
static struct store_config *typed(struct larder_config *config) {
    struct store_config *store = NULL;
    if (store_config_new(config, &store, &error) != LARDER_OK)
        printf("\n  %s\n", error.text);
    larder_config_free(config);
    CU_ASSERT_PTR_NOT_NULL_FATAL(store);
    return store;
}

/* Takes config; what is said where it is refused. */
static const char *refused(struct larder_config *config) {
    CU_ASSERT_EQUAL(larder_config_check(config, &error), LARDER_INVALID);
    CU_ASSERT_EQUAL(error.status, LARDER_INVALID);
    larder_config_free(config);
    return error.text;
}

static void json(struct larder_config *config, const char *text) {
    int32_t status = larder_config_json(config, text, strlen(text), "larder.json", &error);
    if (status != LARDER_OK)
        printf("\n  %s\n", error.text);
    CU_ASSERT_EQUAL(status, LARDER_OK);
}

static const char *json_refused(const char *text) {
    struct larder_config *config = new_config();
    int32_t status = larder_config_json(config, text, strlen(text), "larder.json", &error);
    CU_ASSERT_EQUAL(status, LARDER_INVALID);
    larder_config_free(config);
    return status == LARDER_OK ? "" : error.text;
}

static const struct fs_config *fs_of(const struct backend_spec *backend) {
    CU_ASSERT_STRING_EQUAL_FATAL(backend->driver->name, "fs");
    return param_set_config(backend->params);
}

static const struct redis_config *redis_of(const struct backend_spec *backend) {
    CU_ASSERT_STRING_EQUAL_FATAL(backend->driver->name, "redis");
    return param_set_config(backend->params);
}

/* ---- what is chosen ---------------------------------------------------------------------- */

static void without_settings_it_is_files_in_the_build_folder(void) {
    struct store_config *store = typed(new_config());
    CU_ASSERT_STRING_EQUAL(fs_of(&store->cache)->url, ".next/cache/larder");
    CU_ASSERT_PTR_NULL(store->tags.driver);
    CU_ASSERT_STRING_EQUAL(store->settings->ns, "default");
    CU_ASSERT_STRING_EQUAL(store->settings->build, "");
    CU_ASSERT_STRING_EQUAL(store->settings->shared_kinds, "fetch,image,use-cache");
    CU_ASSERT_STRING_EQUAL(store->settings->compress, "auto");
    CU_ASSERT_EQUAL(store->settings->compress_min_bytes, 8192);
    CU_ASSERT_EQUAL(store->settings->compress_level, 1);
    CU_ASSERT_EQUAL(store->settings->get_deadline_ms, 500);
    CU_ASSERT_EQUAL(store->settings->write_deadline_ms, 2000);
    CU_ASSERT_EQUAL(store->settings->epoch_age_ms, 1000);
    CU_ASSERT_EQUAL(store->settings->entry_max_age_ms, INT64_C(365) * 86400000);
    CU_ASSERT_EQUAL(store->settings->max_inflight, 4096);
    CU_ASSERT_EQUAL(store->settings->max_value_bytes, 64 << 20);
    CU_ASSERT_EQUAL(store->settings->index, 0);
    store_config_free(store);
}

static void a_url_gives_the_driver_what_stands_before_its_query(void) {
    static const char *const rows[][3] = {
        {"fs:.next/cache", "fs", ".next/cache"},
        {"fs:/var/a:b", "fs", "/var/a:b"},
        {"fs:%41%", "fs", "%41%"},
        {"fs:///var/cache", "fs", "fs:///var/cache"},
        {"redis://h:1", "redis", "redis://h:1"},
        {"redis://h:1?pool=8", "redis", "redis://h:1"},
        {"redis:h:1", "redis", "h:1"},
        {"rediss://h", "redis", "rediss://h"},
        {"redis+cluster://a,b", "redis", "redis+cluster://a,b"},
        {"unix:/run/redis.sock", "redis", "unix:/run/redis.sock"},
        {"redis:", "redis", "redis://127.0.0.1"},
        {"redis", "redis", "redis://127.0.0.1"},
        {"redis?pool=8", "redis", "redis://127.0.0.1"},
        {"fs?url=a%3Fb", "fs", "a?b"},
    };
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        struct larder_config *config = new_config();
        set(config, "cache", rows[i][0], "larder.json");
        struct store_config *store = typed(config);
        CU_ASSERT_STRING_EQUAL(store->cache.driver->name, rows[i][1]);
        const char *const *url = param_set_config(store->cache.params); /* the first member of both */
        CU_ASSERT_STRING_EQUAL(*url, rows[i][2]);
        store_config_free(store);
    }
}

static void a_query_sets_settings_percent_decoded(void) {
    struct larder_config *config = new_config();
    set(config, "cache", "redis://h?pool=8&timeout=1s&password=a%26b%3D%25+%e2%82%ac&", "larder.json");
    struct store_config *store = typed(config);
    CU_ASSERT_EQUAL(redis_of(&store->cache)->pool, 8);
    CU_ASSERT_EQUAL(redis_of(&store->cache)->timeout_ms, 1000);
    CU_ASSERT_STRING_EQUAL(redis_of(&store->cache)->password, "a&b=%+\xe2\x82\xac");
    store_config_free(store);
}

static void a_driver_without_a_url_takes_its_name_in_every_form(void) {
    static const char *const forms[] = {"memory", "memory:", "memory://", "memory?"};
    for (size_t i = 0; i < N_ELEMENTS(forms); i++) {
        struct larder_config *config = new_config();
        set(config, "cache", forms[i], "larder.json");
        store_config_free(typed(config));
    }
    struct larder_config *config = new_config();
    set(config, "cache", "memory:big", "larder.json");
    CU_ASSERT_STRING_EQUAL(refused(config),
                           "driver memory takes no address (larder.json): write 'memory', not 'big'");
}

static void a_path_names_a_driver(void) {
    struct larder_config *config = new_config();
    set(config, "cache", "./nowhere/my:driver.so?dir=x", "larder.json");
    CU_ASSERT_STRING_EQUAL(refused(config),
                           "setting 'cache' (larder.json): driver ./nowhere/my:driver.so cannot be "
                           "read: No such file or directory");
}

static void an_unknown_driver_is_refused_with_its_place(void) {
    struct larder_config *config = new_config();
    set(config, "cache", "cassandra://:hunter2@h", "LARDER_CACHE");
    CU_ASSERT_PTR_NOT_NULL(strstr(refused(config), "setting 'cache' (LARDER_CACHE): no driver 'cassandra'"));
    CU_ASSERT_PTR_NULL(strstr(error.text, "hunter2"));
    config = new_config();
    set(config, "tags", "?a=b", "x");
    CU_ASSERT_STRING_EQUAL(refused(config),
                           "setting 'tags' (x) names no driver: give for example fs:.next/cache/larder");
    config = new_config();
    set(config, "cache", "", "x");
    CU_ASSERT_STRING_EQUAL(refused(config),
                           "setting 'cache' (x) names no driver: give for example fs:.next/cache/larder");
}

static void what_is_no_query_is_refused_without_showing_it(void) {
    static const char *const wrong[] = {"redis://:pa?hunter2@h", "redis://h?pool=4&=hunter2",
                                        "redis://h?hunter2"};
    for (size_t i = 0; i < N_ELEMENTS(wrong); i++) {
        struct larder_config *config = new_config();
        set(config, "cache", wrong[i], "larder.json");
        CU_ASSERT_STRING_EQUAL(refused(config),
                               "driver redis (larder.json): after '?' come name=value and '&' (in a "
                               "value, '?' is written %3F and '&' %26)");
    }
    static const char *const percents[] = {"redis?password=%", "redis?password=%4", "redis?password=%zz",
                                           "redis?password=a%00b"};
    for (size_t i = 0; i < N_ELEMENTS(percents); i++) {
        struct larder_config *config = new_config();
        set(config, "cache", percents[i], "larder.json");
        CU_ASSERT_STRING_EQUAL(refused(config),
                               "setting 'password' of driver redis (larder.json): '%' is not followed "
                               "by two hex digits (a '%' itself is written %25)");
    }
}

/* ---- what wins -------------------------------------------------------------------------- */

static void a_later_place_wins(void) {
    struct larder_config *config = new_config();
    set(config, "namespace", "one", "larder.json");
    set(config, "cache.pool", "2", "larder.json");
    set(config, "cache", "redis://a", "larder.json");
    set(config, "namespace", "two", "options");
    set(config, "cache.pool", "3", "options");
    set(config, "get-deadline", "1s", "larder.json"); /* an old place again: below options */
    set(config, "get-deadline", "2s", "options");
    set(config, "get-deadline", "3s", "larder.json");
    struct store_config *store = typed(config);
    CU_ASSERT_STRING_EQUAL(store->settings->ns, "two");
    CU_ASSERT_EQUAL(store->settings->get_deadline_ms, 2000);
    CU_ASSERT_EQUAL(redis_of(&store->cache)->pool, 3);
    store_config_free(store);
}

static void order_within_one_place_does_not_matter(void) {
    struct larder_config *config = new_config();
    set(config, "cache.timeout", "2s", "larder.json:7");
    set(config, "cache", "redis://a?timeout=1s", "larder.json:12"); /* a setting outranks the query */
    struct store_config *store = typed(config);
    CU_ASSERT_EQUAL(redis_of(&store->cache)->timeout_ms, 2000);
    store_config_free(store);
}

static void a_later_url_outranks_earlier_settings(void) {
    struct larder_config *config = new_config();
    set(config, "cache", "redis://a", "larder.json");
    set(config, "cache.timeout", "2s", "larder.json");
    set(config, "cache.pool", "8", "larder.json");
    set(config, "cache", "rediss://b?timeout=1s", "LARDER_CACHE");
    struct store_config *store = typed(config);
    CU_ASSERT_STRING_EQUAL(redis_of(&store->cache)->url, "rediss://b");
    CU_ASSERT_EQUAL(redis_of(&store->cache)->timeout_ms, 1000);
    CU_ASSERT_EQUAL(redis_of(&store->cache)->pool, 8); /* the same driver: what is not said again stays */
    store_config_free(store);
}

static void settings_go_with_the_driver_they_were_for(void) {
    struct larder_config *config = new_config();
    set(config, "cache", "redis://a", "larder.json");
    set(config, "cache.pool", "8", "larder.json");
    set(config, "cache", "fs:dir", "LARDER_CACHE");
    struct store_config *store = typed(config);
    CU_ASSERT_STRING_EQUAL(fs_of(&store->cache)->url, "dir");
    store_config_free(store);

    config = new_config();
    set(config, "cache.pool", "8", "larder.json"); /* for whatever driver is chosen later */
    set(config, "cache", "redis://a", "LARDER_CACHE");
    store = typed(config);
    CU_ASSERT_EQUAL(redis_of(&store->cache)->pool, 8);
    store_config_free(store);

    config = new_config();
    set(config, "cache", "nothing-like-that", "larder.json");
    set(config, "cache.pool", "8", "larder.json");
    set(config, "cache", "fs:dir", "LARDER_CACHE");
    store_config_free(typed(config));
}

/* ---- tags --------------------------------------------------------------------------------- */

static struct store_config *with_tags(const char *cache, const char *tags, const char *name,
                                      const char *value) {
    struct larder_config *config = new_config();
    if (cache)
        set(config, "cache", cache, "larder.json");
    if (tags)
        set(config, "tags", tags, "larder.json");
    if (name)
        set(config, name, value, "larder.json");
    return typed(config);
}

static void the_same_url_for_both_is_one_instance(void) {
    static const char *const same[][4] = {
        {"redis://h", NULL, NULL, NULL},
        {"redis://h", "redis://h", NULL, NULL},
        {"redis://h?timeout=1s", "redis://h?timeout=1000ms", NULL, NULL},
        {"redis://h", "redis://h?timeout=200ms", NULL, NULL}, /* the preset, said aloud */
        {"redis://h", "redis://h", "cache.password", "x"},
        {"redis://h?password=x", "redis://h", "tags.password", "x"},
        {NULL, "fs:.next/cache/larder", NULL, NULL},
    };
    for (size_t i = 0; i < N_ELEMENTS(same); i++) {
        struct store_config *store = with_tags(same[i][0], same[i][1], same[i][2], same[i][3]);
        CU_ASSERT_PTR_NULL(store->tags.driver);
        CU_ASSERT_PTR_NULL(store->tags.params);
        store_config_free(store);
    }
}

static void another_setting_makes_another_instance(void) {
    static const char *const different[][4] = {
        {"redis://h", "redis://i", NULL, NULL},
        {"redis://h", "redis://h?pool=8", NULL, NULL},
        {"redis://h", "redis://h", "tags.password", "x"},
        {"redis://h?pool=8", "redis://h", NULL, NULL},
        {"redis://h", "fs:dir", NULL, NULL},
        {"redis://h", "marks:dir", NULL, NULL},
    };
    for (size_t i = 0; i < N_ELEMENTS(different); i++) {
        struct store_config *store = with_tags(different[i][0], different[i][1], different[i][2],
                                               different[i][3]);
        CU_ASSERT_PTR_NOT_NULL(store->tags.driver);
        CU_ASSERT_PTR_NOT_NULL(store->tags.params);
        store_config_free(store);
    }
}

static void a_driver_without_tags_asks_for_them(void) {
    struct larder_config *config = new_config();
    set(config, "cache", "s3://bucket", "larder.json");
    CU_ASSERT_STRING_EQUAL(refused(config), "driver s3 keeps no tags: set `tags`");
    config = new_config();
    set(config, "cache", "s3://bucket", "larder.json");
    set(config, "tags", "s3://bucket", "larder.json");
    CU_ASSERT_STRING_EQUAL(refused(config), "driver s3 keeps no tags: set `tags`");
    config = new_config();
    set(config, "cache", "marks:dir", "larder.json");
    CU_ASSERT_STRING_EQUAL(refused(config), "driver marks keeps no entries: set `cache`");
    struct store_config *store = with_tags("s3://bucket", "redis://h", NULL, NULL);
    CU_ASSERT_STRING_EQUAL(store->tags.driver->name, "redis");
    store_config_free(store);
}

static void settings_of_tags_need_tags(void) {
    struct larder_config *config = new_config();
    set(config, "tags.pool", "2", "LARDER_TAGS_POOL");
    CU_ASSERT_STRING_EQUAL(refused(config),
                           "setting 'tags.pool' (LARDER_TAGS_POOL) without `tags`: the tags are kept "
                           "by the driver of `cache`; set `tags` too, or cache.pool");
}

/* ---- refusals ----------------------------------------------------------------------------- */

static void an_unknown_setting_is_refused_at_once(void) {
    struct larder_config *config = new_config();
    CU_ASSERT_EQUAL(larder_config_set(config, "namespce", "x", "larder.json", &error), LARDER_INVALID);
    CU_ASSERT_STRING_EQUAL(
        error.text, "unknown setting 'namespce' of the store (larder.json), did you mean 'namespace'?");
    CU_ASSERT_EQUAL(larder_config_set(config, "cahce", "x", "larder.json", &error), LARDER_INVALID);
    CU_ASSERT_STRING_EQUAL(error.text,
                           "unknown setting 'cahce' of the store (larder.json), did you mean 'cache'?");
    CU_ASSERT_EQUAL(larder_config_set(config, "bucket", "x", "larder.json", &error), LARDER_INVALID);
    CU_ASSERT_STRING_EQUAL(error.text,
                           "unknown setting 'bucket' of the store (larder.json); a setting of a driver is "
                           "written cache.bucket or tags.bucket");
    CU_ASSERT_EQUAL(larder_config_set(config, "cache.", "x", "larder.json", &error), LARDER_INVALID);
    CU_ASSERT_EQUAL(larder_config_set(config, "", "x", "larder.json", &error), LARDER_INVALID);
    CU_ASSERT_EQUAL(larder_config_set(config, "caches", "x", "larder.json", NULL), LARDER_INVALID);
    larder_config_free(config);
}

static void a_wrong_value_names_setting_value_and_place(void) {
    struct larder_config *config = new_config();
    set(config, "get-deadline", "0", "LARDER_GET_DEADLINE");
    CU_ASSERT_STRING_EQUAL(refused(config),
                           "setting 'get-deadline' of the store (LARDER_GET_DEADLINE): '0' is out of "
                           "bounds: 1ms to 10min");
    config = new_config();
    set(config, "cache.bukcet", "x", "larder.json");
    set(config, "cache", "s3://b", "larder.json");
    CU_ASSERT_PTR_NOT_NULL(strstr(refused(config), "unknown setting 'bukcet' of driver s3 (larder.json)"));
    config = new_config();
    set(config, "cache", "s3://b?regoin=eu", "LARDER_CACHE");
    CU_ASSERT_STRING_EQUAL(refused(config),
                           "unknown setting 'regoin' of driver s3 (LARDER_CACHE), did you mean 'region'?");
    config = new_config();
    set(config, "cache", "fs", "options");
    CU_ASSERT_STRING_EQUAL(refused(config), "driver fs (cache) needs the setting 'url' (the folder)");
}

static void a_namespace_is_one_plain_name(void) {
    static const char *const wrong[] = {"",
                                        ".",
                                        "..",
                                        "a/b",
                                        "a b",
                                        "\xc3\xa4",
                                        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};
    for (size_t i = 0; i < N_ELEMENTS(wrong); i++) {
        struct larder_config *config = new_config();
        set(config, "namespace", wrong[i], "larder.json");
        CU_ASSERT_PTR_NOT_NULL(strstr(refused(config), "is not 1 to 64 of a-z, A-Z, 0-9, '.', '_' and '-'"));
    }
    struct larder_config *config = new_config();
    set(config, "namespace", "My.app_2-x", "larder.json");
    store_config_free(typed(config));
}

static void shared_kinds_are_known_kinds(void) {
    static const char *const right[] = {"", "page", "fetch,image,use-cache,page"};
    static const char *const wrong[] = {"pages", "fetch,,image", "fetch, image", ",fetch", "fetch;image"};
    for (size_t i = 0; i < N_ELEMENTS(right); i++) {
        struct larder_config *config = new_config();
        set(config, "shared-kinds", right[i], "larder.json");
        store_config_free(typed(config));
    }
    for (size_t i = 0; i < N_ELEMENTS(wrong); i++) {
        struct larder_config *config = new_config();
        set(config, "shared-kinds", wrong[i], "larder.json");
        CU_ASSERT_PTR_NOT_NULL(strstr(refused(config), "is not a list of page, fetch, image and use-cache"));
    }
}

/* ---- the environment ------------------------------------------------------------------------ */

static const char *env_refused(const char *name, const char *value) {
    struct larder_config *config = new_config();
    setenv(name, value, 1);
    CU_ASSERT_EQUAL(larder_config_env(config, &error), LARDER_INVALID);
    unsetenv(name);
    larder_config_free(config);
    return error.text;
}

static void variables_are_settings_in_capitals(void) {
    static const char *const variables[][2] = {
        {"LARDER_CACHE_PASSWORD", "hunter2"},
        {"LARDER_CACHE", "redis://h"},
        {"LARDER_TAGS_MAX_SIZE", "1MB"},
        {"LARDER_TAGS", "fs:dir"},
        {"LARDER_NAMESPACE", "app"},
        {"LARDER_GET_DEADLINE", "1s"},
        {"LARDER_BUILD", ""}, /* empty: not set */
        {"LARDER_CONFIG", "x"},
        {"LARDER_TRACE", "1"},
        {"LARDER_LOG", "debug"},
        {"LARDER_NODE_ADDON", "x"},
        {"LARDERS", "not ours"},
    };
    struct larder_config *config = new_config();
    set(config, "build", "b1", "larder.json");
    for (size_t i = 0; i < N_ELEMENTS(variables); i++)
        setenv(variables[i][0], variables[i][1], 1);
    CU_ASSERT_EQUAL(larder_config_env(config, &error), LARDER_OK);
    for (size_t i = 0; i < N_ELEMENTS(variables); i++)
        unsetenv(variables[i][0]);
    struct store_config *store = typed(config);
    CU_ASSERT_STRING_EQUAL(redis_of(&store->cache)->password, "hunter2");
    CU_ASSERT_EQUAL(fs_of(&store->tags)->max_size, 1 << 20);
    CU_ASSERT_STRING_EQUAL(store->settings->ns, "app");
    CU_ASSERT_STRING_EQUAL(store->settings->build, "b1");
    CU_ASSERT_EQUAL(store->settings->get_deadline_ms, 1000);
    CU_ASSERT_STRING_EQUAL(store->settings->log, "debug");
    CU_ASSERT_STRING_EQUAL(param_set_where_at(store->cache.params, 1), "LARDER_CACHE_PASSWORD");
    store_config_free(store);
}

static void another_variable_is_refused_with_the_nearest(void) {
    CU_ASSERT_STRING_EQUAL(
        env_refused("LARDER_NAMESPCE", "x"),
        "unknown setting LARDER_NAMESPCE in the environment, did you mean LARDER_NAMESPACE?");
    CU_ASSERT_STRING_EQUAL(env_refused("LARDER_CAHCE", "x"),
                           "unknown setting LARDER_CAHCE in the environment, did you mean LARDER_CACHE?");
    CU_ASSERT_STRING_EQUAL(env_refused("LARDER_CONFG", "x"),
                           "unknown setting LARDER_CONFG in the environment, did you mean LARDER_CONFIG?");
    CU_ASSERT_PTR_NOT_NULL(strstr(env_refused("LARDER_", "x"), "unknown setting LARDER_ in the environment"));
    CU_ASSERT_PTR_NOT_NULL(
        strstr(env_refused("LARDER_cache", "x"), "unknown setting LARDER_cache in the env"));
    CU_ASSERT_PTR_NOT_NULL(
        strstr(env_refused("LARDER_BANANAS", "x"),
               "unknown setting LARDER_BANANAS in the environment: LARDER_ and a setting of"));
    setenv("LARDER_CACHE_PASWORD", "hunter2", 1);
    struct larder_config *config = new_config();
    set(config, "cache", "redis", "larder.json");
    CU_ASSERT_EQUAL(larder_config_env(config, &error), LARDER_OK);
    unsetenv("LARDER_CACHE_PASWORD");
    CU_ASSERT_STRING_EQUAL(refused(config),
                           "unknown setting 'pasword' of driver redis (LARDER_CACHE_PASWORD), did you "
                           "mean 'password'?");
}

static void what_kubernetes_tells_of_services_is_no_setting(void) {
    static const char *const links[][2] = {
        {"LARDER_SERVICE_HOST", "10.0.0.1"},          {"LARDER_SERVICE_PORT", "6379"},
        {"LARDER_SERVICE_PORT_REDIS", "6379"},        {"LARDER_PORT", "tcp://10.0.0.1:6379"},
        {"LARDER_PORT_6379_TCP", "tcp://10.0.0.1:1"}, {"LARDER_PORT_6379_TCP_ADDR", "10.0.0.1"},
        {"LARDER_CACHE_SERVICE_HOST", "10.0.0.1"},    {"LARDER_CACHE_PORT", "tcp://10.0.0.1:6379"},
    };
    struct larder_config *config = new_config();
    for (size_t i = 0; i < N_ELEMENTS(links); i++)
        setenv(links[i][0], links[i][1], 1);
    CU_ASSERT_EQUAL(larder_config_env(config, &error), LARDER_OK);
    for (size_t i = 0; i < N_ELEMENTS(links); i++)
        unsetenv(links[i][0]);
    store_config_free(typed(config));
    CU_ASSERT_PTR_NOT_NULL(strstr(env_refused("LARDER_PORT", "6379"), "unknown setting LARDER_PORT"));
}

static void a_drivers_own_variables_fill_what_is_not_set(void) {
    setenv("TEST_REGION", "eu-central-1", 1);
    struct store_config *store = with_tags("s3://b", "redis", NULL, NULL);
    const struct s3_config *s3 = param_set_config(store->cache.params);
    CU_ASSERT_STRING_EQUAL(s3->region, "eu-central-1");
    store_config_free(store);
    store = with_tags("s3://b?region=us-east-1", "redis", NULL, NULL);
    s3 = param_set_config(store->cache.params);
    CU_ASSERT_STRING_EQUAL(s3->region, "us-east-1");
    store_config_free(store);
    unsetenv("TEST_REGION");
}

/* ---- JSON ----------------------------------------------------------------------------------- */

static void json_gives_urls_objects_and_scalars(void) {
    struct larder_config *config = new_config();
    json(config,
         "\xef\xbb\xbf{\"$schema\": 1, \"cache\": {\"driver\": \"fs\", \"url\": \"dir\", \"max-size\": "
         "\"1MB\", \"fsync\": false},\n \"tags\": {\"url\": \"redis://h\", \"pool\": 8, \"timeout\": 1500, "
         "\"password\": null},\n \"shared-kinds\": [\"fetch\", \"image\"], \"index\": true, "
         "\"compress-level\": -3} \n");
    struct store_config *store = typed(config);
    CU_ASSERT_STRING_EQUAL(fs_of(&store->cache)->url, "dir");
    CU_ASSERT_EQUAL(fs_of(&store->cache)->max_size, 1 << 20);
    CU_ASSERT_EQUAL(fs_of(&store->cache)->fsync, 0);
    CU_ASSERT_STRING_EQUAL(redis_of(&store->tags)->url, "redis://h");
    CU_ASSERT_EQUAL(redis_of(&store->tags)->pool, 8);
    CU_ASSERT_EQUAL(redis_of(&store->tags)->timeout_ms, 1500);
    CU_ASSERT_STRING_EQUAL(store->settings->shared_kinds, "fetch,image");
    CU_ASSERT_EQUAL(store->settings->index, 1);
    CU_ASSERT_EQUAL(store->settings->compress_level, -3);
    store_config_free(store);
}

static void what_is_no_configuration_in_json_is_refused_with_its_place(void) {
    CU_ASSERT_STRING_EQUAL(json_refused("{\n  \"cache\": \"fs:x\",\n  oops\n}"),
                           "larder.json: line 3: not JSON");
    CU_ASSERT_STRING_EQUAL(json_refused("{} {}"), "larder.json: line 1: something follows the JSON object");
    CU_ASSERT_STRING_EQUAL(json_refused("[]"), "larder.json: the configuration is a JSON object {...}");
    CU_ASSERT_STRING_EQUAL(json_refused(""), "larder.json: line 1: not JSON");
    CU_ASSERT_STRING_EQUAL(json_refused("{\"namespace\": \"a\\u0000b\"}"),
                           "larder.json: line 1: a zero byte has no place in a setting");
    CU_ASSERT_STRING_EQUAL(
        json_refused("{\"cache\": {\"pool\": 4}}"),
        "setting 'cache' (larder.json) is an object without \"driver\" (a name) or \"url\"");
    CU_ASSERT_STRING_EQUAL(
        json_refused("{\"cache\": {\"driver\": \"redis\", \"pool\": {}}}"),
        "setting 'cache.pool' (larder.json) is neither a text, a number, true, false, nor a list of "
        "those");
    CU_ASSERT_STRING_EQUAL(
        json_refused("{\"namespace\": [[]]}"),
        "setting 'namespace' (larder.json) is neither a text, a number, true, false, nor a list of "
        "those");
    CU_ASSERT_STRING_EQUAL(json_refused("{\"cache\": \"fs\", \"cache\": \"redis\"}"),
                           "setting 'cache' (larder.json) is there twice");
    CU_ASSERT_STRING_EQUAL(json_refused("{\"cache\": {\"driver\": \"fs\", \"a\": 1, \"a\": 2}}"),
                           "setting 'cache.a' (larder.json) is there twice");
}

static void a_named_file_must_be_there_the_default_one_need_not(void) {
    struct larder_config *config = new_config();
    CU_ASSERT_EQUAL(larder_config_file(config, NULL, &error), LARDER_OK);
    CU_ASSERT_EQUAL(larder_config_file(config, "/nowhere/larder.json", &error), LARDER_INVALID);
    CU_ASSERT_STRING_EQUAL(error.text, "/nowhere/larder.json cannot be read: No such file or directory");
    setenv("LARDER_CONFIG", "/nowhere/else.json", 1);
    CU_ASSERT_EQUAL(larder_config_file(config, NULL, &error), LARDER_INVALID);
    CU_ASSERT_STRING_EQUAL(error.text,
                           "/nowhere/else.json (LARDER_CONFIG) cannot be read: No such file or directory");
    setenv("LARDER_CONFIG", "/", 1);
    CU_ASSERT_EQUAL(larder_config_file(config, NULL, &error), LARDER_INVALID);
    CU_ASSERT_STRING_EQUAL(error.text, "/ is not a configuration: it is not a file");
    unsetenv("LARDER_CONFIG");
    larder_config_free(config);
}

static void a_file_is_read(void) {
    char path[] = "/tmp/larder-test-XXXXXX";
    int fd = mkstemp(path);
    CU_ASSERT_FATAL(fd >= 0);
    static const char text[] = "{\"cache\": \"fs:from-a-file\"}";
    FILE *file = fdopen(fd, "w");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    fputs(text, file);
    fclose(file);
    struct larder_config *config = new_config();
    CU_ASSERT_EQUAL(larder_config_file(config, path, &error), LARDER_OK);
    remove(path);
    struct store_config *store = typed(config);
    CU_ASSERT_STRING_EQUAL(fs_of(&store->cache)->url, "from-a-file");
    store_config_free(store);
}

/* ---- printing -------------------------------------------------------------------------------- */

static char *printed(struct larder_config *config) {
    char *text = NULL;
    if (larder_config_print(config, &text, &error) != LARDER_OK)
        printf("\n  %s\n", error.text);
    larder_config_free(config);
    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    return text;
}

static void no_secret_is_printed(void) {
    struct larder_config *config = new_config();
    set(config, "cache", "redis://user:hunter1@h?password=hunter2", "larder.json");
    set(config, "tags", "s3", "larder.json");
    set(config, "tags", "rediss://:hunter3@h", "LARDER_TAGS");
    set(config, "tags.password", "hunter4", "LARDER_TAGS_PASSWORD");
    char *text = printed(config);
    CU_ASSERT_PTR_NULL(strstr(text, "hunter"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "\"url\":\t\"redis://user:***@h\""));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "\"password\":\t\"***\""));
    free(text);
}

static void what_is_printed_configures_the_same_store(void) {
    struct larder_config *config = new_config();
    set(config, "cache", "redis://h?pool=8&timeout=1.5s", "larder.json");
    set(config, "tags", "fs:dir?max-size=1536KB", "larder.json");
    set(config, "index", "on", "larder.json");
    set(config, "epoch-age", "0", "larder.json");
    char *first = printed(config);
    config = new_config();
    json(config, first);
    char *second = printed(config);
    CU_ASSERT_STRING_EQUAL(first, second);
    CU_ASSERT_PTR_NOT_NULL(strstr(second, "\"timeout\":\t\"1500ms\""));
    free(first);
    free(second);
}

static void the_stores_own_table_is_right(void) {
    size_t n;
    const struct larder_param *params = larder_store_params(&n);
    static struct larder_driver driver;
    driver = test_drivers[0];
    driver.params = params;
    driver.n_params = n;
    driver.config_size = sizeof(struct store_settings);
    if (loader_check(&driver, "store_params", &error) != LARDER_OK)
        printf("\n  %s\n", error.text);
    CU_ASSERT_EQUAL(loader_check(&driver, "store_params", NULL), LARDER_OK);
    CU_ASSERT_EQUAL(n * 8, sizeof(struct store_settings));
    for (size_t i = 0; i < N_ELEMENTS(test_drivers); i++)
        CU_ASSERT_EQUAL(loader_check(&test_drivers[i], "test", NULL), LARDER_OK);
}

static const struct unit_test tests[] = {
    UNIT(without_settings_it_is_files_in_the_build_folder),
    UNIT(a_url_gives_the_driver_what_stands_before_its_query),
    UNIT(a_query_sets_settings_percent_decoded),
    UNIT(a_driver_without_a_url_takes_its_name_in_every_form),
    UNIT(a_path_names_a_driver),
    UNIT(an_unknown_driver_is_refused_with_its_place),
    UNIT(what_is_no_query_is_refused_without_showing_it),
    UNIT(a_later_place_wins),
    UNIT(order_within_one_place_does_not_matter),
    UNIT(a_later_url_outranks_earlier_settings),
    UNIT(settings_go_with_the_driver_they_were_for),
    UNIT(the_same_url_for_both_is_one_instance),
    UNIT(another_setting_makes_another_instance),
    UNIT(a_driver_without_tags_asks_for_them),
    UNIT(settings_of_tags_need_tags),
    UNIT(an_unknown_setting_is_refused_at_once),
    UNIT(a_wrong_value_names_setting_value_and_place),
    UNIT(a_namespace_is_one_plain_name),
    UNIT(shared_kinds_are_known_kinds),
    UNIT(variables_are_settings_in_capitals),
    UNIT(another_variable_is_refused_with_the_nearest),
    UNIT(what_kubernetes_tells_of_services_is_no_setting),
    UNIT(a_drivers_own_variables_fill_what_is_not_set),
    UNIT(json_gives_urls_objects_and_scalars),
    UNIT(what_is_no_configuration_in_json_is_refused_with_its_place),
    UNIT(a_named_file_must_be_there_the_default_one_need_not),
    UNIT(a_file_is_read),
    UNIT(no_secret_is_printed),
    UNIT(what_is_printed_configures_the_same_store),
    UNIT(the_stores_own_table_is_right),
};

int main(void) {
    unsetenv("LARDER_DRIVER_PATH"); /* nothing but the drivers above */
    add_test_drivers();
    return unit_main("config", tests, N_ELEMENTS(tests));
}
