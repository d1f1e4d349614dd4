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
                printf("(op code %u: %s) ", codes[i], larder_status_name(status));
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
            printf("(%s is not told of) ", drive.driver->params[i].name);
        CU_ASSERT_TRUE(told);
    }
}

static const struct unit_test tests[] = {
    UNIT(a_flag_of_the_future_is_refused_and_changes_nothing),
    UNIT(every_setting_is_in_the_readme_with_its_preset),
};
const struct suite limits_suite = {"limits", LARDER_OP_PING, tests, N_ELEMENTS(tests)};
