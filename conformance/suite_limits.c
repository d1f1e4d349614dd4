/* Limits that the driver declares, flags that it cannot know, settings that it documents. */

#include "suites.h"

static void a_flag_of_the_future_is_refused_and_changes_nothing(void) {
    static const uint32_t codes[] = {
        LARDER_OP_GET,       LARDER_OP_PUT,       LARDER_OP_REMOVE,     LARDER_OP_LIST,       LARDER_OP_CLAIM,
        LARDER_OP_RELEASE,   LARDER_OP_TAGS_READ, LARDER_OP_TAGS_WRITE, LARDER_OP_ADVANCE,    LARDER_OP_BUMP,
        LARDER_OP_LINK,      LARDER_OP_KEYS_OF,   LARDER_OP_TAGS_OF,    LARDER_OP_LIST_MARKS, LARDER_OP_PING,
        LARDER_OP_PROVISION, LARDER_OP_EXPLAIN};
    struct larder_bytes key = name("flags", "x");
    struct larder_mark mark = mark_of(key, 99, UNSET, UNSET), got;
    struct larder_slice value = value_of(5, 2);
    int64_t epoch = 0, later = 0;
    if (has_cache())
        CU_ASSERT_EQUAL(put_value(drive.one, key, 5, 1, 0), LARDER_OK);
    if (has_tags())
        CU_ASSERT_EQUAL(advance(drive.one, key, 0, &epoch), LARDER_OK);
    for (size_t i = 0; i < N_ELEMENTS(codes); i++) {
        struct op_inputs in = {.key = key, .value = value, .epoch = 5, .add = 1, .flags = UINT32_C(1) << 31};
        if (!backend_can(drive.one, codes[i]))
            continue;
        if (codes[i] == LARDER_OP_TAGS_WRITE || codes[i] == LARDER_OP_BUMP || codes[i] == LARDER_OP_LINK) {
            in.marks = &mark;
            in.n_marks = 1;
        }
        for (int known = 0; known <= (codes[i] == LARDER_OP_PROVISION); known++) {
            in.flags |= known ? LARDER_DRY_RUN : 0; /* beside a flag that it knows, too */
            int32_t status = status_of(drive.one, codes[i], in);
            if (status != LARDER_UNSUPPORTED)
                note("op code %u answers %s", codes[i], larder_status_name(status));
            CU_ASSERT_EQUAL(status, LARDER_UNSUPPORTED);
        }
    }
    slice_done(&value);
    if (has_cache())
        CU_ASSERT_EQUAL(get_value(drive.one, key, 5, 1), LARDER_OK);
    if (has_tags()) {
        CU_ASSERT_FALSE(read_mark(drive.one, key, &got));
        CU_ASSERT_EQUAL(advance(drive.one, key, 0, &later), LARDER_OK);
        CU_ASSERT_EQUAL(later, epoch);
    }
}

/* ---- what open() declared ------------------------------------------------------------------- */

static void what_the_driver_declares_makes_sense(void) {
    const struct larder_info *info = &drive.one->info, *other = &drive.two->info;
    CU_ASSERT(info->key_bytes <= 2);
    CU_ASSERT(!(info->traits & LARDER_LOSSY) || !(info->traits & LARDER_DURABLE));
    CU_ASSERT(info->lanes == 0 || (info->traits & LARDER_BLOCKING));
    CU_ASSERT_EQUAL(info->traits, other->traits);
    CU_ASSERT_EQUAL(info->max_key, other->max_key);
    CU_ASSERT_EQUAL(info->max_value, other->max_value);
    CU_ASSERT_EQUAL(info->max_marks, other->max_marks);
    CU_ASSERT_EQUAL(info->key_bytes, other->key_bytes);
}

/* The core hashes what is too long; who hands it on by mistake must hear of it. */
static void a_key_beyond_the_limit_is_refused_and_not_cut(void) {
    uint64_t max_key = drive.one->info.max_key;
    size_t base = name("beyond", "%s", "").len;
    if (max_key == 0 || max_key > 1 << 20 || max_key < base + 1) {
        unclaimed("a limit for keys that is worth trying");
        return;
    }
    char *tail = malloc((size_t)max_key + 1);
    CU_ASSERT_PTR_NOT_NULL_FATAL(tail);
    memset(tail, 'k', (size_t)max_key + 1);
    struct larder_bytes longest = name_bytes("beyond", tail, (size_t)max_key - base),
                        beyond = name_bytes("beyond", tail, (size_t)max_key - base + 1);
    struct larder_mark got;
    int64_t epoch = 0;
    if (has_cache()) {
        CU_ASSERT(put_value(drive.one, beyond, 10, 2, 0) < 0);
        CU_ASSERT_FALSE(is_there(drive.one, longest));
        CU_ASSERT_EQUAL(put_value(drive.one, longest, 10, 1, 0), LARDER_OK);
        CU_ASSERT(get_value(drive.one, beyond, 10, 1) < 0);
    }
    if (has_tags()) {
        CU_ASSERT(write_mark(drive.one, mark_of(beyond, 2, UNSET, UNSET), 0) < 0);
        CU_ASSERT_FALSE(read_mark(drive.one, longest, &got));
        CU_ASSERT_EQUAL(write_mark(drive.one, mark_of(longest, 1, UNSET, UNSET), 0), LARDER_OK);
        CU_ASSERT_TRUE(read_mark(drive.two, longest, &got));
        CU_ASSERT(advance(drive.one, beyond, 1, &epoch) < 0);
    }
    free(tail);
}

/* A byte that key_bytes leaves out: refused, or stored as what it is. */
static void a_byte_beyond_the_class_of_keys_is_refused_or_kept(void) {
    static const uint8_t tails[][2] = {{'x', 0x00}, {'x', 0x1f}, {'x', 0x7f}, {'x', 0x80}, {'x', 0xff}};
    if (drive.one->info.key_bytes == 0 || !has_cache()) {
        unclaimed("a class of bytes in keys");
        return;
    }
    CU_ASSERT_EQUAL(put_value(drive.one, name("class", "x"), 10, 99, 0), LARDER_OK);
    for (size_t i = 0; i < N_ELEMENTS(tails); i++) {
        struct larder_bytes key = name_bytes("class", tails[i], 2);
        if (put_value(drive.one, key, 10, i, 0) == LARDER_OK)
            CU_ASSERT_EQUAL(get_value(drive.two, key, 10, i), LARDER_OK);
    }
    CU_ASSERT_EQUAL(get_value(drive.one, name("class", "x"), 10, 99), LARDER_OK);
}

/* As long as there is room for them: entries go first, and whoever throws away a mark serves what was
 * revalidated. */
static void marks_and_counters_stay_when_entries_are_pushed_out(void) {
    enum { MB = 1 << 20, ENTRIES = 30 };
    if (!has_cache() || !has_tags() || (drive.one->info.traits & LARDER_LOSSY)) {
        unclaimed("marks and counters that are not lost");
        return;
    }
    struct larder_bytes tag = name("pushed-out", "tag"), counter = name("pushed-out", "counter");
    struct larder_mark got;
    int64_t epoch = 0, later = 0;
    CU_ASSERT_EQUAL(write_mark(drive.one, mark_of(tag, 5, UNSET, UNSET), 0), LARDER_OK);
    CU_ASSERT_EQUAL(advance(drive.one, counter, 1, &epoch), LARDER_OK);
    unsigned n = drive.one->info.max_value > 0 && drive.one->info.max_value < MB ? 0 : ENTRIES;
    for (unsigned i = 0; i < n; i++)
        CU_ASSERT_EQUAL(put_value(drive.one, name("pushed-out", "%u", i), MB, 2 * i, 0), LARDER_OK);
    bool pushed_out = n > 0 && !is_there(drive.one, name("pushed-out", "0"));
    drive.now_ms += 60000;
    CU_ASSERT_TRUE(read_mark(drive.two, tag, &got));
    CU_ASSERT_EQUAL(advance(drive.two, counter, 0, &later), LARDER_OK);
    CU_ASSERT_EQUAL(later, epoch);
    drive.now_ms -= 60000;
    for (unsigned i = 0; i < n; i++)
        CU_ASSERT_EQUAL(remove_key(drive.one, name("pushed-out", "%u", i)), LARDER_OK);
    if (!pushed_out)
        unclaimed("a store so small that 30 MB push something out");
}

/* ---- what it documents ------------------------------------------------------------------------ */

/* In a row of a table: the name in backquotes, and the preset, if it has any text. */
static bool row_tells(const char *row, const struct larder_param *param) {
    char quoted[128];
    snprintf(quoted, sizeof(quoted), "`%s`", param->name);
    if (row[0] != '|' || !strstr(row, quoted))
        return false;
    return !param->preset || !param->preset[0] || strstr(row, param->preset);
}

static void every_setting_is_in_the_readme_with_its_preset(void) {
    if (!drive.readme) {
        unclaimed("a README to compare the settings with");
        return;
    }
    for (size_t i = 0; i < drive.driver->n_params; i++) {
        FILE *file = fopen(drive.readme, "r");
        CU_ASSERT_PTR_NOT_NULL_FATAL(file);
        char row[4096];
        bool told = false;
        while (!told && fgets(row, sizeof(row), file))
            told = row_tells(row, &drive.driver->params[i]);
        fclose(file);
        if (!told)
            note("%s is not told of with its preset", drive.driver->params[i].name);
        CU_ASSERT_TRUE(told);
    }
}

static const struct unit_test tests[] = {
    UNIT(what_the_driver_declares_makes_sense),
    UNIT(a_key_beyond_the_limit_is_refused_and_not_cut),
    UNIT(a_byte_beyond_the_class_of_keys_is_refused_or_kept),
    UNIT(marks_and_counters_stay_when_entries_are_pushed_out),
    UNIT(a_flag_of_the_future_is_refused_and_changes_nothing),
    UNIT(every_setting_is_in_the_readme_with_its_preset),
};
const struct suite limits_suite = {"limits", LARDER_OP_PING, tests, N_ELEMENTS(tests)};
