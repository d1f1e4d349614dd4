#include "check.h"

#include <math.h>
#include <string.h>

void check_code(const struct ran *r, int code, int line) {
    if (r->code != code)
        printf("\n  line %d: exit code %d, not %d\n  stdout: %s\n  stderr: %s\n", line, r->code, code, r->out,
               r->err);
    CU_ASSERT_EQUAL(r->code, code);
}

void check_text(const char *got, const char *expected, int line) {
    if (strcmp(got, expected) != 0)
        printf("\n  line %d\n   got: %s\n  want: %s\n", line, got, expected);
    CU_ASSERT_STRING_EQUAL(got, expected);
}

void check_has(const char *text, const char *part, int line) {
    if (strstr(text, part) == NULL)
        printf("\n  line %d: no '%s' in: %s\n", line, part, text);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, part));
}

cJSON *json_line(const struct ran *r, int i) {
    const char *p = r->out;
    while (i-- > 0 && p) {
        p = strchr(p, '\n');
        p = p ? p + 1 : NULL;
    }
    if (p == NULL || *p == '\0')
        return NULL;
    size_t len = strcspn(p, "\n");
    CU_ASSERT_EQUAL(p[len], '\n');
    const char *end;
    cJSON *json = cJSON_ParseWithLengthOpts(p, len, &end, 0);
    if (json == NULL || end != p + len)
        printf("\n  not JSON: %.*s\n", (int)len, p);
    CU_ASSERT_PTR_NOT_NULL_FATAL(json);
    CU_ASSERT_PTR_EQUAL(end, p + len);
    return json;
}

cJSON *json_only(const struct ran *r) {
    cJSON *second = json_line(r, 1);
    CU_ASSERT_PTR_NULL(second);
    cJSON_Delete(second);
    cJSON *json = json_line(r, 0);
    CU_ASSERT_PTR_NOT_NULL_FATAL(json);
    return json;
}

const char *member(const cJSON *object, const char *name) {
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, name));
    return text ? text : "(none)";
}

int count_lines(const struct ran *r) {
    int n = 0;
    for (const char *p = r->out; *p; p++)
        n += *p == '\n';
    return n;
}

double number(const cJSON *object, const char *name) {
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);
    return cJSON_IsNumber(item) ? item->valuedouble : NAN;
}

int check_main(int argc, char **argv, const char *suite, const struct unit_test *tests, size_t n) {
    if (argc < 2 || !program_init(argv[1])) {
        fprintf(stderr, "usage: %s PROGRAM\n", argv[0]);
        return 2;
    }
    int code = unit_main(suite, tests, n);
    program_done();
    return code;
}
