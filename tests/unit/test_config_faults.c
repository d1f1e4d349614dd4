/*
 * Every allocation of the configuration and of the loader fails once: the answer is "out of memory" or as good
 * as without the failure, nothing is lost and nothing leaks (the sanitizers and valgrind see
 * to that).
 */
#define FAILING_ALLOC_HERE
#include "failing_alloc.h"

#include <cjson/cJSON.h>
#include <string.h>

#include "bytes.h"
#include "config.h"
#include "config_drivers.h"
#include "unit.h"

static const char text[] =
    "{\"cache\": {\"driver\": \"redis\", \"url\": \"redis://h\", \"pool\": 8, \"timeout\": \"1s\"},"
    " \"tags\": \"fs:dir?max-size=1MB&fsync=off\", \"shared-kinds\": [\"fetch\", \"image\"],"
    " \"namespace\": \"app\"}";

/* The whole way, from nothing to what is printed. */
static int32_t configure(char **ret_json, struct larder_error *error) {
    struct larder_config *config = larder_config_new();
    if (config == NULL)
        return LARDER_NOMEM;
    int32_t status = larder_config_json(config, text, sizeof text - 1, "larder.json", error);
    if (status == LARDER_OK)
        status = larder_config_set(config, "cache", "redis://other?pool=9", "options", error);
    if (status == LARDER_OK)
        status = larder_config_set(config, "tags.max-size", "2MB", "options", error);
    if (status == LARDER_OK)
        status = larder_config_env(config, error);
    if (status == LARDER_OK)
        status = larder_config_check(config, error);
    if (status == LARDER_OK)
        status = larder_config_print(config, ret_json, error);
    larder_config_free(config);
    return status;
}

static void a_configuration_survives_each_failing_allocation(void) {
    struct larder_error error = {0};
    char *expected = NULL;
    CU_ASSERT_EQUAL_FATAL(configure(&expected, &error), LARDER_OK);
    CU_ASSERT_PTR_NOT_NULL_FATAL(expected);
    unsigned failed = 0;
    for (unsigned long n = 1;; n++) {
        char *json = NULL;
        error = (struct larder_error){0};
        unsigned long before = alloc_failures;
        alloc_countdown = n;
        int32_t status = configure(&json, &error);
        alloc_countdown = 0;
        if (alloc_failures == before) {
            CU_ASSERT_EQUAL(status, LARDER_OK);
            CU_ASSERT_STRING_EQUAL(json, expected);
            free(json);
            break;
        }
        failed++;
        /* cJSON does not tell a text it cannot read from one it has no memory for. */
        bool told = status == LARDER_NOMEM || (status == LARDER_INVALID && strstr(error.text, "not JSON"));
        CU_ASSERT(told);
        CU_ASSERT_PTR_NULL(json);
        if (!told)
            printf("\n  allocation %lu: %d %s\n", n, status, error.text);
        free(json);
    }
    CU_ASSERT(failed > 50);
    free(expected);
}

static void a_set_of_settings_survives_each_failing_allocation(void) {
    bool done = false;
    for (unsigned long n = 1; !done; n++) {
        struct larder_error error = {0};
        alloc_countdown = n;
        struct param_set *set = param_set_new(redis_params, N_ELEMENTS(redis_params),
                                              sizeof(struct redis_config));
        int32_t status = set ? param_set_text(set, "driver redis", "x", "password", "one", &error)
                             : LARDER_NOMEM;
        if (status == LARDER_OK)
            status = param_set_text(set, "driver redis", "x", "password", "two", &error);
        done = alloc_countdown > 0;
        alloc_countdown = 0;
        const struct redis_config *config = set ? param_set_config(set) : NULL;
        if (done) {
            CU_ASSERT_EQUAL(status, LARDER_OK);
            CU_ASSERT(config && strcmp(config->password, "two") == 0);
        } else {
            CU_ASSERT_EQUAL(status, LARDER_NOMEM);
            CU_ASSERT(config == NULL || strcmp(config->password, "two") != 0);
        }
        param_set_free(set);
    }
}

/* A driver that could not be kept for lack of memory is kept the next time. */
static void a_search_for_a_driver_survives_each_failing_allocation(void) {
    static const char *const names[] = {"small", "goods", BAD_DRIVERS_DIR "/later.so"};
    setenv("LARDER_DRIVER_PATH", BAD_DRIVERS_DIR, 1);
    for (size_t i = 0; i < N_ELEMENTS(names); i++) {
        bool done = false;
        for (unsigned long n = 1; !done; n++) {
            struct larder_error error = {0};
            const struct larder_driver *driver = NULL;
            alloc_countdown = n;
            int32_t status = larder_driver_find(names[i], &driver, &error);
            done = alloc_countdown > 0;
            alloc_countdown = 0;
            /* While a scheme is looked for, a file that cannot be loaded now is passed over. */
            CU_ASSERT(status == LARDER_OK || status == LARDER_NOMEM || (i == 1 && status == LARDER_INVALID));
            CU_ASSERT_EQUAL(status == LARDER_OK, driver != NULL);
            CU_ASSERT(!done || status == LARDER_OK);
        }
    }
    unsetenv("LARDER_DRIVER_PATH");
}

static const struct unit_test tests[] = {
    UNIT(a_configuration_survives_each_failing_allocation),
    UNIT(a_set_of_settings_survives_each_failing_allocation),
    UNIT(a_search_for_a_driver_survives_each_failing_allocation),
};

int main(void) {
    unsetenv("LARDER_DRIVER_PATH");
    add_test_drivers();
    cJSON_Hooks hooks = {.malloc_fn = __wrap_malloc, .free_fn = free};
    cJSON_InitHooks(&hooks);
    return unit_main("config_faults", tests, N_ELEMENTS(tests));
}
