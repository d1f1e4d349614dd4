/* Typed settings. */
#include "param.h"

#include <string.h>

#include "bytes.h"
#include "unit.h"

struct settings {
    const char *bucket;
    const char *mode;
    const char *password;
    int64_t on;
    int64_t pool;
    int64_t size;
    int64_t wait;
};

#define AT(member) LARDER_AT(struct settings, member)

static const struct larder_param table[] = {
    {"bucket", LARDER_P_TEXT, AT(bucket), NULL, 0, 0, NULL, "TEST_BUCKET|TEST_BUCKET_OLD",
     "name of the bucket"},
    {"mode", LARDER_P_TEXT, AT(mode), "auto", 0, 0, "auto|on|off", NULL, "how"},
    {"password", LARDER_P_SECRET, AT(password), "", 0, 0, NULL, "TEST_PASSWORD", "secret"},
    {"keep-alive", LARDER_P_BOOL, AT(on), "true", 0, 0, NULL, NULL, "keep connections"},
    {"pool", LARDER_P_INT, AT(pool), "4", -5, 64, NULL, NULL, "connections"},
    {"max-size", LARDER_P_BYTES, AT(size), "1GB", 1024, INT64_MAX, NULL, NULL, "bytes"},
    {"timeout", LARDER_P_MS, AT(wait), "500ms", 1, 600000, NULL, "TEST_TIMEOUT", "wait"},
};

static struct param_set *new_set(void) {
    struct param_set *set = param_set_new(table, N_ELEMENTS(table), sizeof(struct settings));
    CU_ASSERT_PTR_NOT_NULL_FATAL(set);
    return set;
}

static const struct settings *settings_of(const struct param_set *set) {
    return param_set_config(set);
}

/* The text of the refusal, or "" where it is accepted. */
static const char *refusal(const char *name, const char *value) {
    static struct larder_error error;
    error = (struct larder_error){0};
    struct param_set *set = new_set();
    int32_t status = param_set_text(set, "driver s3", "larder.json", name, value, &error);
    CU_ASSERT_EQUAL(status, error.status);
    CU_ASSERT(status == LARDER_OK || status == LARDER_INVALID);
    param_set_free(set);
    return error.text;
}

static int64_t number_of(const char *name, const char *value) {
    struct larder_param param = table[param_find(table, N_ELEMENTS(table), name)];
    char why[PARAM_SHOWN];
    int64_t number = INT64_MIN;
    param.min = INT64_MIN;
    param.max = INT64_MAX;
    bool good = param_accepts(&param, value, &number, why, sizeof why);
    CU_ASSERT_EQUAL(good, *why == '\0');
    return good ? number : INT64_MIN;
}

static void every_preset_is_in_place_at_first(void) {
    struct param_set *set = new_set();
    const struct settings *s = settings_of(set);
    CU_ASSERT_PTR_NULL(s->bucket);
    CU_ASSERT_STRING_EQUAL(s->mode, "auto");
    CU_ASSERT_STRING_EQUAL(s->password, "");
    CU_ASSERT_EQUAL(s->on, 1);
    CU_ASSERT_EQUAL(s->pool, 4);
    CU_ASSERT_EQUAL(s->size, INT64_C(1) << 30);
    CU_ASSERT_EQUAL(s->wait, 500);
    CU_ASSERT_PTR_NULL(param_set_text_at(set, 0));
    CU_ASSERT_PTR_NULL(param_set_where_at(set, 0));
    param_set_free(set);
}

static void a_later_value_replaces_an_earlier_one(void) {
    struct param_set *set = new_set();
    CU_ASSERT_EQUAL(param_set_text(set, "driver s3", "larder.json", "bucket", "one", NULL), LARDER_OK);
    CU_ASSERT_EQUAL(param_set_text(set, "driver s3", "LARDER_CACHE_BUCKET", "bucket", "two", NULL),
                    LARDER_OK);
    CU_ASSERT_EQUAL(param_set_text(set, "driver s3", "larder.json", "timeout", "2s", NULL), LARDER_OK);
    CU_ASSERT_STRING_EQUAL(settings_of(set)->bucket, "two");
    CU_ASSERT_EQUAL(settings_of(set)->wait, 2000);
    CU_ASSERT_STRING_EQUAL(param_set_text_at(set, 6), "2s");
    CU_ASSERT_STRING_EQUAL(param_set_where_at(set, 0), "LARDER_CACHE_BUCKET");
    param_set_free(set);
}

static void a_refused_value_leaves_the_earlier_one(void) {
    struct param_set *set = new_set();
    CU_ASSERT_EQUAL(param_set_text(set, "driver s3", "a", "pool", "8", NULL), LARDER_OK);
    CU_ASSERT_EQUAL(param_set_text(set, "driver s3", "b", "pool", "65", NULL), LARDER_INVALID);
    CU_ASSERT_EQUAL(settings_of(set)->pool, 8);
    CU_ASSERT_STRING_EQUAL(param_set_where_at(set, 4), "a");
    param_set_free(set);
}

static void sizes_take_units_and_fractions(void) {
    CU_ASSERT_EQUAL(number_of("max-size", "0"), 0);
    CU_ASSERT_EQUAL(number_of("max-size", "123"), 123);
    CU_ASSERT_EQUAL(number_of("max-size", "123B"), 123);
    CU_ASSERT_EQUAL(number_of("max-size", "64KB"), 65536);
    CU_ASSERT_EQUAL(number_of("max-size", "64k"), 65536);
    CU_ASSERT_EQUAL(number_of("max-size", "64 KiB"), 65536);
    CU_ASSERT_EQUAL(number_of("max-size", "1.5GiB"), 1610612736);
    CU_ASSERT_EQUAL(number_of("max-size", "0.1KB"), 102);
    CU_ASSERT_EQUAL(number_of("max-size", "2TB"), INT64_C(1) << 41);
    CU_ASSERT_EQUAL(number_of("max-size", "9223372036854775807"), INT64_MAX);
}

static void durations_take_units_and_fractions(void) {
    CU_ASSERT_EQUAL(number_of("timeout", "500ms"), 500);
    CU_ASSERT_EQUAL(number_of("timeout", "250"), 250);
    CU_ASSERT_EQUAL(number_of("timeout", "2s"), 2000);
    CU_ASSERT_EQUAL(number_of("timeout", "1.25s"), 1250);
    CU_ASSERT_EQUAL(number_of("timeout", "10min"), 600000);
    CU_ASSERT_EQUAL(number_of("timeout", "1h"), 3600000);
    CU_ASSERT_EQUAL(number_of("timeout", "1d"), 86400000);
    CU_ASSERT_EQUAL(number_of("timeout", "0.5 d"), 43200000);
}

static void what_is_no_number_is_refused(void) {
    static const char *const wrong[] = {"",    " ",     "-1",  "+1",     "1.",         ".5",  "1..5",
                                        "1e3", "0x10",  "1 2", "12KB ",  "KB",         "1PB", "1KBs",
                                        "nan", "1,5KB", "١",   "1.1.1s", "1.2345678MB"};
    for (size_t i = 0; i < N_ELEMENTS(wrong); i++) {
        CU_ASSERT_EQUAL(number_of("max-size", wrong[i]), INT64_MIN);
        CU_ASSERT_EQUAL(number_of("timeout", wrong[i]), INT64_MIN);
    }
    CU_ASSERT_EQUAL(number_of("timeout", "1m"), INT64_MIN); /* minutes or milliseconds? */
    CU_ASSERT_EQUAL(number_of("pool", "1.5"), INT64_MIN);
    CU_ASSERT_EQUAL(number_of("pool", "--1"), INT64_MIN);
    CU_ASSERT_EQUAL(number_of("pool", "1K"), INT64_MIN);
}

static void numbers_that_do_not_fit_are_refused(void) {
    CU_ASSERT_EQUAL(number_of("max-size", "9223372036854775808"), INT64_MIN);
    CU_ASSERT_EQUAL(number_of("max-size", "8388608TB"), INT64_MIN);
    CU_ASSERT_EQUAL(number_of("max-size", "8388607.9TB"), INT64_C(0x7fffffe666666666));
    CU_ASSERT_EQUAL(number_of("timeout", "99999999999999999d"), INT64_MIN);
    CU_ASSERT_EQUAL(number_of("pool", "99999999999999999999"), INT64_MIN);
    CU_ASSERT_EQUAL(number_of("pool", "-9223372036854775807"), -INT64_MAX);
}

static void booleans_have_eight_spellings(void) {
    static const char *const yes[] = {"true", "yes", "on", "1", "TRUE", "On"};
    static const char *const no[] = {"false", "no", "off", "0", "False", "OFF"};
    for (size_t i = 0; i < N_ELEMENTS(yes); i++) {
        CU_ASSERT_EQUAL(number_of("keep-alive", yes[i]), 1);
        CU_ASSERT_EQUAL(number_of("keep-alive", no[i]), 0);
    }
    CU_ASSERT_EQUAL(number_of("keep-alive", "2"), INT64_MIN);
    CU_ASSERT_EQUAL(number_of("keep-alive", ""), INT64_MIN);
}

static void an_unknown_name_is_refused_with_the_nearest(void) {
    CU_ASSERT_STRING_EQUAL(refusal("bukcet", "x"),
                           "unknown setting 'bukcet' of driver s3 (larder.json), did you mean 'bucket'?");
    CU_ASSERT_STRING_EQUAL(refusal("maxsize", "x"),
                           "unknown setting 'maxsize' of driver s3 (larder.json), did you mean 'max-size'?");
    CU_ASSERT_STRING_EQUAL(
        refusal("colour", "x"),
        "unknown setting 'colour' of driver s3 (larder.json); it has: bucket, mode, password, "
        "keep-alive, pool, max-size, timeout");
}

static void a_wrong_value_is_refused_with_what_is_allowed(void) {
    CU_ASSERT_STRING_EQUAL(refusal("mode", "of"),
                           "setting 'mode' of driver s3 (larder.json): 'of' is not one of: auto, on, off");
    CU_ASSERT_STRING_EQUAL(
        refusal("mode", "auto|on"),
        "setting 'mode' of driver s3 (larder.json): 'auto|on' is not one of: auto, on, off");
    CU_ASSERT_STRING_EQUAL(refusal("pool", "65"),
                           "setting 'pool' of driver s3 (larder.json): '65' is out of bounds: -5 to 64");
    CU_ASSERT_STRING_EQUAL(refusal("pool", "many"),
                           "setting 'pool' of driver s3 (larder.json): 'many' is not a whole number");
    CU_ASSERT_STRING_EQUAL(
        refusal("max-size", "1B"),
        "setting 'max-size' of driver s3 (larder.json): '1B' is out of bounds: at least 1KB");
    CU_ASSERT_STRING_EQUAL(
        refusal("max-size", "big"),
        "setting 'max-size' of driver s3 (larder.json): 'big' is not a size: a number with B, KB, "
        "MB, GB or TB, such as 64MB");
    CU_ASSERT_STRING_EQUAL(
        refusal("timeout", "1h"),
        "setting 'timeout' of driver s3 (larder.json): '1h' is out of bounds: 1ms to 10min");
    CU_ASSERT_STRING_EQUAL(
        refusal("timeout", "5 parsecs"),
        "setting 'timeout' of driver s3 (larder.json): '5 parsecs' is not a duration: a number with "
        "ms, s, min, h or d, such as 500ms");
    CU_ASSERT_STRING_EQUAL(
        refusal("keep-alive", "maybe"),
        "setting 'keep-alive' of driver s3 (larder.json): 'maybe' is neither true nor false (yes "
        "and no, on and off, 1 and 0 will do)");
}

static void a_long_value_is_cut_in_the_error(void) {
    char value[4096];
    memset(value, 'x', sizeof value - 1);
    value[sizeof value - 1] = '\0';
    const char *text = refusal("pool", value);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "xxx...' is not a whole number"));
    CU_ASSERT(strlen(text) < 256);
}

static void a_required_setting_that_is_missing_is_named(void) {
    struct larder_error error = {0};
    struct param_set *set = new_set();
    CU_ASSERT_EQUAL(param_set_check(set, "driver s3", &error), LARDER_INVALID);
    CU_ASSERT_STRING_EQUAL(error.text,
                           "driver s3 needs the setting 'bucket' (name of the bucket); it is also read "
                           "from TEST_BUCKET or TEST_BUCKET_OLD");
    CU_ASSERT_EQUAL(param_set_text(set, "driver s3", "larder.json", "bucket", "", NULL), LARDER_OK);
    CU_ASSERT_EQUAL(param_set_check(set, "driver s3", &error), LARDER_INVALID);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.text, ": it is empty"));
    CU_ASSERT_EQUAL(param_set_text(set, "driver s3", "larder.json", "bucket", "b", NULL), LARDER_OK);
    CU_ASSERT_EQUAL(param_set_check(set, "driver s3", &error), LARDER_OK);
    param_set_free(set);
}

static void the_environment_fills_what_nothing_else_set(void) {
    struct larder_error error = {0};
    struct param_set *set = new_set();
    setenv("TEST_BUCKET", "", 1); /* empty: as if it were not there */
    setenv("TEST_BUCKET_OLD", "old", 1);
    setenv("TEST_PASSWORD", "hunter2", 1);
    CU_ASSERT_EQUAL(param_set_text(set, "driver s3", "larder.json", "password", "set", NULL), LARDER_OK);
    CU_ASSERT_EQUAL(param_set_env(set, "driver s3", &error), LARDER_OK);
    CU_ASSERT_STRING_EQUAL(settings_of(set)->bucket, "old");
    CU_ASSERT_STRING_EQUAL(param_set_where_at(set, 0), "TEST_BUCKET_OLD");
    CU_ASSERT_STRING_EQUAL(settings_of(set)->password, "set");
    setenv("TEST_TIMEOUT", "soon", 1);
    CU_ASSERT_EQUAL(param_set_env(set, "driver s3", &error), LARDER_INVALID);
    CU_ASSERT_PTR_NOT_NULL(
        strstr(error.text, "setting 'timeout' of driver s3 (TEST_TIMEOUT): 'soon' is not a dur"));
    unsetenv("TEST_BUCKET");
    unsetenv("TEST_BUCKET_OLD");
    unsetenv("TEST_PASSWORD");
    unsetenv("TEST_TIMEOUT");
    param_set_free(set);
}

static void names_are_near_by_few_changes(void) {
    CU_ASSERT_EQUAL(param_distance("", ""), 0);
    CU_ASSERT_EQUAL(param_distance("abc", ""), 3);
    CU_ASSERT_EQUAL(param_distance("kitten", "sitting"), 3);
    CU_ASSERT_EQUAL(param_distance("bukcet", "bucket"), 1); /* neighbours swapped */
    CU_ASSERT_EQUAL(param_distance("ca", "abc"), 3);
    const char *nearest = param_nearest(table, N_ELEMENTS(table), "time-out");
    CU_ASSERT(nearest && strcmp(nearest, "timeout") == 0);
    CU_ASSERT_PTR_NULL(param_nearest(table, N_ELEMENTS(table), "x"));
    CU_ASSERT_PTR_NULL(param_nearest(table, 0, "bucket"));
    char longest[4096];
    memset(longest, 'b', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    CU_ASSERT_PTR_NULL(param_nearest(table, N_ELEMENTS(table), longest));
}

static const char *redacted(const struct larder_param *param, const char *value) {
    static char out[512];
    param_redact(param, value, out, sizeof out);
    return out;
}

static void secrets_are_not_shown(void) {
    CU_ASSERT_STRING_EQUAL(redacted(&table[2], "hunter2"), "***");
    CU_ASSERT_STRING_EQUAL(redacted(&table[2], ""), "");
    CU_ASSERT_STRING_EQUAL(redacted(&table[0], "plain"), "plain");
    static const char *const urls[][2] = {
        {"redis://h:6379", "redis://h:6379"},
        {"redis://:pw@h:6379/0", "redis://:***@h:6379/0"},
        {"redis://user:pw@h", "redis://user:***@h"},
        {"redis://user@h", "redis://user@h"},
        {"redis://:p@ss:w/rd@h", "redis://:***@h"},
        {"redis://:a@h1,redis://:b@h2", "redis://:***@h2"},
        {"memcached:user:pw@h", "memcached:***@h"},
        {"fs:/srv/@scope:x", "fs:/srv/@scope:x"},
        {"fs:/srv/a:b@c", "fs:/srv/a:b@c"},
        {"redis://h?password=pw&pool=4", "redis://h?password=***&pool=4"},
        {"redis://h?pool=4&auth-TOKEN=x", "redis://h?pool=4&auth-TOKEN=***"},
        {"s3://b?secret-access-key=a/b&access-key-id=c", "s3://b?secret-access-key=***&access-key-id=***"},
        {"s3://b?region=eu&&x", "s3://b?region=eu&&x"},
        {"redis://:pw@h?a=b@c", "redis://:***@h?a=b@c"},
    };
    for (size_t i = 0; i < N_ELEMENTS(urls); i++)
        CU_ASSERT_STRING_EQUAL(redacted(NULL, urls[i][0]), urls[i][1]);
}

static void secrets_are_not_in_errors(void) {
    struct larder_param choosy = {"password", LARDER_P_SECRET, 0, "", 0, 0, "a|b", NULL, "one of two"};
    struct larder_error error = {0};
    struct param_set *set = param_set_new(&choosy, 1, 8);
    CU_ASSERT_EQUAL(param_set_text(set, "driver x", "here", "password", "hunter2", &error), LARDER_INVALID);
    CU_ASSERT_STRING_EQUAL(error.text, "setting 'password' of driver x (here): '***' is not one of: a, b");
    param_set_free(set);
    CU_ASSERT_PTR_NULL(strstr(refusal("pool", "redis://:hunter2@h"), "hunter2"));
}

static void redacting_never_writes_past_its_buffer(void) {
    const char *url = "redis://user:password@host?password=x&token=y";
    for (size_t size = 1; size < 64; size++) {
        char out[64];
        memset(out, '#', sizeof out);
        param_redact(NULL, url, out, size);
        CU_ASSERT(strlen(out) < size);
        CU_ASSERT(size == sizeof out || out[size] == '#');
    }
}

static void numbers_print_as_they_are_read(void) {
    static const int64_t numbers[] = {0, 1, 1023, 1024, 1536, 1 << 20, 500, 1000, 60000, 90000, 86400000};
    for (size_t i = 0; i < N_ELEMENTS(numbers); i++) {
        char text[32];
        param_format(&table[5], numbers[i], text, sizeof text);
        CU_ASSERT_EQUAL(number_of("max-size", text), numbers[i]);
        param_format(&table[6], numbers[i], text, sizeof text);
        CU_ASSERT_EQUAL(number_of("timeout", text), numbers[i]);
    }
    char text[32];
    param_format(&table[6], 90000, text, sizeof text);
    CU_ASSERT_STRING_EQUAL(text, "90s");
    param_format(&table[5], INT64_C(3) << 30, text, sizeof text);
    CU_ASSERT_STRING_EQUAL(text, "3GB");
}

static void sets_are_equal_by_value(void) {
    struct param_set *a = new_set(), *b = new_set();
    CU_ASSERT_TRUE(param_set_equal(a, b));
    param_set_text(a, "", "x", "timeout", "2s", NULL);
    CU_ASSERT_FALSE(param_set_equal(a, b));
    param_set_text(b, "", "y", "timeout", "2000ms", NULL);
    CU_ASSERT_TRUE(param_set_equal(a, b));
    param_set_text(b, "", "y", "bucket", "b", NULL);
    CU_ASSERT_FALSE(param_set_equal(a, b));
    CU_ASSERT_FALSE(param_set_equal(b, a));
    param_set_text(a, "", "y", "bucket", "c", NULL);
    CU_ASSERT_FALSE(param_set_equal(a, b));
    param_set_free(a);
    param_set_free(b);
}

static void a_driver_without_settings_has_none(void) {
    struct larder_error error = {0};
    struct param_set *set = param_set_new(NULL, 0, 0);
    CU_ASSERT_PTR_NOT_NULL_FATAL(set);
    CU_ASSERT_EQUAL(param_set_text(set, "driver none", "here", "a", "b", &error), LARDER_INVALID);
    CU_ASSERT_STRING_EQUAL(error.text, "unknown setting 'a' of driver none (here); it has: none");
    CU_ASSERT_EQUAL(param_set_check(set, "driver none", &error), LARDER_OK);
    param_set_free(set);
}

UNIT_MAIN("param", UNIT(every_preset_is_in_place_at_first), UNIT(a_later_value_replaces_an_earlier_one),
          UNIT(a_refused_value_leaves_the_earlier_one), UNIT(sizes_take_units_and_fractions),
          UNIT(durations_take_units_and_fractions), UNIT(what_is_no_number_is_refused),
          UNIT(numbers_that_do_not_fit_are_refused), UNIT(booleans_have_eight_spellings),
          UNIT(an_unknown_name_is_refused_with_the_nearest),
          UNIT(a_wrong_value_is_refused_with_what_is_allowed), UNIT(a_long_value_is_cut_in_the_error),
          UNIT(a_required_setting_that_is_missing_is_named),
          UNIT(the_environment_fills_what_nothing_else_set), UNIT(names_are_near_by_few_changes),
          UNIT(secrets_are_not_shown), UNIT(secrets_are_not_in_errors),
          UNIT(redacting_never_writes_past_its_buffer), UNIT(numbers_print_as_they_are_read),
          UNIT(sets_are_equal_by_value), UNIT(a_driver_without_settings_has_none))
