/* Finding drivers, and refusing those that do not fit. */
#include "loader.h"

#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "phrase.h"
#include "unit.h"

/* Compares after replacing the folder's path by "DIR". */
static void check_text(const char *text, const char *expected) {
    char shown[LARDER_ERROR_TEXT];
    struct phrase phrase = phrase_begin(shown, sizeof shown);
    const size_t dir_len = strlen(BAD_DRIVERS_DIR);
    for (const char *p = text; *p;) {
        bool here = strncmp(p, BAD_DRIVERS_DIR, dir_len) == 0;
        phrase_add(&phrase, "%.*s", here ? 3 : 1, here ? "DIR" : p);
        p += here ? dir_len : 1;
    }
    if (strcmp(shown, expected) != 0)
        printf("\n   got: %s\n  want: %s\n", shown, expected);
    CU_ASSERT_STRING_EQUAL(shown, expected);
}

static void check_refused(const char *file, int32_t status, const char *expected) {
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", BAD_DRIVERS_DIR, file);
    struct larder_error error = {0};
    const struct larder_driver *driver = NULL;
    CU_ASSERT_EQUAL(larder_driver_find(path, &driver, &error), status);
    CU_ASSERT_EQUAL(error.status, status);
    CU_ASSERT_PTR_NULL(driver);
    check_text(error.text, expected);
    CU_ASSERT_EQUAL(larder_driver_find(path, &driver, NULL), status);
}

static const struct larder_driver *find(const char *name) {
    struct larder_error error = {0};
    const struct larder_driver *driver = NULL;
    int32_t status = larder_driver_find(name, &driver, &error);
    if (status != LARDER_OK)
        printf("\n  %s\n", error.text);
    CU_ASSERT_EQUAL_FATAL(status, LARDER_OK);
    return driver;
}

static void a_driver_is_found_by_path_name_and_scheme(void) {
    const struct larder_driver *driver = find(BAD_DRIVERS_DIR "/good.so");
    CU_ASSERT_STRING_EQUAL(driver->name, "good");
    CU_ASSERT_PTR_EQUAL(find("good"), driver);
    CU_ASSERT_PTR_EQUAL(find("goods"), driver);
    CU_ASSERT_PTR_EQUAL(find("good+tls"), driver);
    CU_ASSERT_PTR_EQUAL(find("last+one"), driver);
    CU_ASSERT_PTR_EQUAL(find(BAD_DRIVERS_DIR "/./good.so"), driver);
}

static void an_absent_driver_is_refused_with_all_places(void) {
    struct larder_error error = {0};
    const struct larder_driver *driver = NULL;
    CU_ASSERT_EQUAL(larder_driver_find("goood", &driver, &error), LARDER_INVALID);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.text,
                                  "no driver 'goood', did you mean 'good'?: looked for goood.so and the "
                                  "URL scheme in " BAD_DRIVERS_DIR ", /"));
    CU_ASSERT_EQUAL(larder_driver_find("cassandra", &driver, &error), LARDER_INVALID);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.text, "no driver 'cassandra': looked for cassandra.so"));
    CU_ASSERT_EQUAL(larder_driver_find("/nowhere/x.so", &driver, &error), LARDER_INVALID);
    CU_ASSERT_STRING_EQUAL(error.text, "driver /nowhere/x.so cannot be read: No such file or directory");
    CU_ASSERT_EQUAL(larder_driver_find("Good\n", &driver, &error), LARDER_INVALID);
    CU_ASSERT_STRING_EQUAL(error.text,
                           "'Good ' is no driver's name: a-z, 0-9 and -, or a path with a slash in it");
    CU_ASSERT_EQUAL(larder_driver_find("", &driver, &error), LARDER_INVALID);
    CU_ASSERT_PTR_NULL(driver);
}

static void what_is_no_shared_object_is_refused(void) {
    check_refused("text.so", LARDER_INVALID, "DIR/text.so is not a shared object");
    check_refused("empty.so", LARDER_INVALID, "DIR/empty.so is not a shared object");
    check_refused("folder.so", LARDER_INVALID, "driver DIR/folder.so cannot be read: Is a directory");
}

static void what_the_linker_refuses_is_said_in_plain_words(void) {
    check_refused(
        "dependency.so", LARDER_INVALID,
        "DIR/dependency.so cannot be loaded: it needs liblarder-gone.so, which is not installed (ldd "
        "DIR/dependency.so shows what is missing)");
    check_refused("undefined.so", LARDER_INVALID,
                  "DIR/undefined.so cannot be loaded: undefined symbol: larder_test_nobody_has_this (ldd -r "
                  "DIR/undefined.so shows what it needs)");
}

static void a_file_without_a_driver_in_it_is_refused(void) {
    check_refused("no-symbol.so", LARDER_INVALID,
                  "DIR/no-symbol.so is not a Larder driver: it has no symbol larder_driver_v1");
    check_refused("no-driver.so", LARDER_INVALID, "DIR/no-driver.so: larder_driver_v1() gave no driver");
}

static void a_driver_for_another_core_is_refused(void) {
    check_refused("abi2.so", LARDER_UNSUPPORTED, "DIR/abi2.so: built for ABI 2, this core speaks 1");
    check_refused("needs.so", LARDER_UNSUPPORTED,
                  "DIR/needs.so: needs features 0x5 that this core does not have");
    check_refused("short-table.so", LARDER_INVALID,
                  "DIR/short-table.so: its struct larder_driver has 16 bytes, ABI 1 has 120");
    check_refused("short-cache.so", LARDER_INVALID,
                  "DIR/short-cache.so: its struct larder_cache_ops has 16 bytes, ABI 1 has 32");
    check_refused("short-tags.so", LARDER_INVALID,
                  "DIR/short-tags.so: its struct larder_tag_ops has 8 bytes, ABI 1 has 32");
}

static void a_driver_with_wrong_names_is_refused(void) {
    check_refused("bad-name.so", LARDER_INVALID,
                  "DIR/bad-name.so: a driver's name is made of a-z, 0-9 and -, not 'Bad_Name'");
    check_refused("no-name.so", LARDER_INVALID,
                  "DIR/no-name.so: a driver's name is made of a-z, 0-9 and -, not ''");
    check_refused(
        "bad-scheme.so", LARDER_INVALID,
        "DIR/bad-scheme.so: the URL schemes of a driver are made of a-z, 0-9, -, + and ., not 'a b'");
    check_refused("no-version.so", LARDER_INVALID, "DIR/no-version.so: driver good has no version");
}

static void a_file_that_holds_another_driver_is_refused_by_name_only(void) {
    struct larder_error error = {0};
    const struct larder_driver *driver = NULL;
    CU_ASSERT_EQUAL(larder_driver_find("other-name", &driver, &error), LARDER_INVALID);
    check_text(error.text, "DIR/other-name.so holds the driver 'another', not 'other-name'");
    CU_ASSERT_STRING_EQUAL(find(BAD_DRIVERS_DIR "/other-name.so")->name, "another");
}

static void a_driver_without_a_required_function_is_refused(void) {
    check_refused("no-ops.so", LARDER_INVALID,
                  "DIR/no-ops.so: driver good offers neither an incremental cache nor a tag cache");
    check_refused("no-get.so", LARDER_INVALID, "DIR/no-get.so: driver good lacks the function cache.get");
    check_refused("no-read.so", LARDER_INVALID, "DIR/no-read.so: driver good lacks the function tags.read");
    check_refused("no-open.so", LARDER_INVALID, "DIR/no-open.so: driver good lacks the function open");
    check_refused("no-ping.so", LARDER_INVALID, "DIR/no-ping.so: driver good lacks the function ping");
    check_refused("no-link.so", LARDER_INVALID, "DIR/no-link.so: driver good lacks the function tags.link");
    check_refused("no-release.so", LARDER_INVALID,
                  "DIR/no-release.so: driver good lacks the function cache.release");
}

static void a_wrong_table_of_settings_is_refused(void) {
    check_refused(
        "odd-offset.so", LARDER_INVALID,
        "DIR/odd-offset.so: driver good: setting 1 'max-size': offset 12 is not that of a member of a struct "
        "of 32 bytes");
    check_refused(
        "far-offset.so", LARDER_INVALID,
        "DIR/far-offset.so: driver good: setting 1 'max-size': offset 32 is not that of a member of a struct "
        "of 32 bytes");
    check_refused("same-offset.so", LARDER_INVALID,
                  "DIR/same-offset.so: driver good: setting 1 'max-size': has the offset of 'url'");
    check_refused("twice.so", LARDER_INVALID, "DIR/twice.so: driver good: setting 1 'url': is there twice");
    check_refused("bad-type.so", LARDER_INVALID,
                  "DIR/bad-type.so: driver good: setting 1 'max-size': unknown type 9");
    check_refused(
        "bad-preset.so", LARDER_INVALID,
        "DIR/bad-preset.so: driver good: setting 1 'max-size': preset '1GB' is out of bounds: 1B to 1KB");
    check_refused("bad-bounds.so", LARDER_INVALID,
                  "DIR/bad-bounds.so: driver good: setting 1 'max-size': its bounds exclude everything");
    check_refused(
        "bad-setting.so", LARDER_INVALID,
        "DIR/bad-setting.so: driver good: setting 1 'max_size': a name is made of a-z, 0-9 and -, and is not "
        "'driver'");
    check_refused("no-help.so", LARDER_INVALID,
                  "DIR/no-help.so: driver good: setting 1 'max-size': has no help");
    check_refused("param-size.so", LARDER_INVALID,
                  "DIR/param-size.so: driver good: its struct larder_param has 8 bytes, ABI 1 has 64");
}

static void a_smaller_driver_gets_tables_of_full_size(void) {
    const struct larder_driver *driver = find("small");
    CU_ASSERT_EQUAL(driver->size, sizeof *driver);
    CU_ASSERT_PTR_NOT_NULL(driver->ping);
    CU_ASSERT_PTR_NULL(driver->provision); /* is there in the file, beyond the size it told */
    CU_ASSERT_EQUAL(driver->cache->size, sizeof *driver->cache);
    CU_ASSERT_PTR_NOT_NULL(driver->cache->remove);
    CU_ASSERT_PTR_NULL(driver->cache->list);
    CU_ASSERT_EQUAL(driver->tags->size, sizeof *driver->tags);
    CU_ASSERT_PTR_NULL(driver->tags->link);
}

static void a_larger_driver_is_cut_to_what_the_core_knows(void) {
    const struct larder_driver *driver = find("later");
    CU_ASSERT_EQUAL(driver->size, sizeof *driver);
    CU_ASSERT_EQUAL(driver->param_size, sizeof(struct larder_param));
    CU_ASSERT_EQUAL_FATAL(driver->n_params, 3);
    CU_ASSERT_STRING_EQUAL(driver->params[1].name, "max-size");
    CU_ASSERT_STRING_EQUAL(driver->params[2].name, "on");
}

struct seen {
    unsigned good, refused, folders_ok;
    char last[PATH_MAX];
    bool sorted;
};

static void see(void *arg, const char *path, const struct larder_driver *driver,
                const struct larder_error *error) {
    struct seen *seen = arg;
    seen->good += driver != NULL;
    seen->refused += error != NULL;
    CU_ASSERT((driver == NULL) != (error == NULL));
    CU_ASSERT(error == NULL || *error->text);
    if (strcmp(seen->last, path) >= 0)
        seen->sorted = false;
    snprintf(seen->last, sizeof seen->last, "%s", path);
}

static void each_file_of_the_folders_is_told_once(void) {
    struct seen seen = {.sorted = true};
    setenv("LARDER_DRIVER_PATH", BAD_DRIVERS_DIR "::" BAD_DRIVERS_DIR ":/nowhere", 1);
    larder_driver_each(see, &seen);
    setenv("LARDER_DRIVER_PATH", BAD_DRIVERS_DIR, 1);
    CU_ASSERT_EQUAL(seen.good, 5); /* entries-only, good, later, other-name, small */
    CU_ASSERT_EQUAL(seen.refused, 33);
    CU_ASSERT_TRUE(seen.sorted);
}

static void *find_often(void *arg) {
    const struct larder_driver **ret = arg;
    for (int i = 0; i < 50; i++) {
        const struct larder_driver *driver = NULL;
        if (larder_driver_find(i % 2 ? "good" : BAD_DRIVERS_DIR "/good.so", &driver, NULL) != LARDER_OK)
            return NULL;
        if (*ret && *ret != driver)
            return NULL;
        *ret = driver;
    }
    return arg;
}

static void threads_that_search_at_once_find_the_same_driver(void) {
    pthread_t threads[4];
    const struct larder_driver *found[4] = {NULL};
    for (size_t i = 0; i < 4; i++)
        CU_ASSERT_EQUAL_FATAL(pthread_create(&threads[i], NULL, find_often, &found[i]), 0);
    for (size_t i = 0; i < 4; i++) {
        void *result = NULL;
        pthread_join(threads[i], &result);
        CU_ASSERT_PTR_NOT_NULL(result);
        CU_ASSERT_PTR_EQUAL(found[i], found[0]);
    }
}

static void a_builtin_comes_before_the_folders(void) {
    static struct larder_driver builtin;
    builtin = *find("good");
    loader_add_builtin(&builtin);
    CU_ASSERT_PTR_EQUAL(find("good"), &builtin);
    CU_ASSERT_PTR_NOT_EQUAL(find(BAD_DRIVERS_DIR "/good.so"), &builtin);
}

static const struct unit_test tests[] = {
    UNIT(a_driver_is_found_by_path_name_and_scheme),
    UNIT(an_absent_driver_is_refused_with_all_places),
    UNIT(what_is_no_shared_object_is_refused),
    UNIT(what_the_linker_refuses_is_said_in_plain_words),
    UNIT(a_file_without_a_driver_in_it_is_refused),
    UNIT(a_driver_for_another_core_is_refused),
    UNIT(a_driver_with_wrong_names_is_refused),
    UNIT(a_file_that_holds_another_driver_is_refused_by_name_only),
    UNIT(a_driver_without_a_required_function_is_refused),
    UNIT(a_wrong_table_of_settings_is_refused),
    UNIT(a_smaller_driver_gets_tables_of_full_size),
    UNIT(a_larger_driver_is_cut_to_what_the_core_knows),
    UNIT(each_file_of_the_folders_is_told_once),
    UNIT(threads_that_search_at_once_find_the_same_driver),
    UNIT(a_builtin_comes_before_the_folders),
};

int main(void) {
    setenv("LARDER_DRIVER_PATH", BAD_DRIVERS_DIR, 1);
    return unit_main("loader", tests, N_ELEMENTS(tests));
}
