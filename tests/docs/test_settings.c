/* What can be set is documented, and what is documented can be set. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "larder/larder.h"
#include "param.h"
#include "unit.h"

static char *read_text(const char *path) {
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        printf("\n  %s cannot be read\n", path);
        return NULL;
    }
    enum { MOST = 1 << 20 };
    char *text = calloc(1, MOST);
    if (text && fread(text, 1, MOST - 1, file) == 0) {
        free(text);
        text = NULL;
    }
    fclose(file);
    return text;
}

/* The row of a table that begins with `name` in code font, up to the end of its line; malloc()ed. */
static char *row_of(const char *text, const char *name) {
    char begin[96];
    snprintf(begin, sizeof begin, "\n| `%s` |", name);
    const char *row = strstr(text, begin);
    return row ? strndup(row + 1, strcspn(row + 1, "\n")) : NULL;
}

static void must_have(const char *path, const char *name, const char *row, const char *part) {
    if (strstr(row, part) == NULL)
        printf("\n  %s: the row of %s lacks %s\n", path, name, part);
    CU_ASSERT_PTR_NOT_NULL(strstr(row, part));
}

/* The row has the default in code font, unless it is empty, and each choice. */
static void check_row(const char *path, const char *text, const struct larder_param *param) {
    char *row = row_of(text, param->name);
    if (row == NULL)
        printf("\n  %s: no row for %s\n", path, param->name);
    CU_ASSERT_PTR_NOT_NULL(row);
    if (row == NULL)
        return;
    char part[128];
    if (param->preset && *param->preset) {
        snprintf(part, sizeof part, "`%s`", param->preset);
        must_have(path, param->name, row, part);
    }
    for (const char *p = param->choices; p; p = strchr(p, '|') ? strchr(p, '|') + 1 : NULL) {
        snprintf(part, sizeof part, "`%.*s`", (int)strcspn(p, "|"), p);
        must_have(path, param->name, row, part);
    }
    free(row);
}

static void every_setting_of_a_store_is_in_the_manual(void) {
    size_t n;
    const struct larder_param *params = larder_store_params(&n);
    const char *path = SOURCE_DIR "/docs/configuration.md";
    char *text = read_text(path);
    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    for (size_t i = 0; i < n; i++) {
        check_row(path, text, &params[i]);
        char *row = row_of(text, params[i].name);
        if (row && param_is_number(&params[i]) && params[i].type != LARDER_P_BOOL) {
            char low[32], high[32], bounds[80];
            param_format(&params[i], params[i].min, low, sizeof low);
            param_format(&params[i], params[i].max, high, sizeof high);
            snprintf(bounds, sizeof bounds, "%s to %s", low, high);
            must_have(path, params[i].name, row, bounds);
        }
        free(row);
    }
    free(text);
}

static void nothing_else_is_in_its_table(void) {
    size_t n;
    const struct larder_param *params = larder_store_params(&n);
    char *text = read_text(SOURCE_DIR "/docs/configuration.md");
    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    const char *p = strstr(text, "\n## Settings of a store\n");
    CU_ASSERT_PTR_NOT_NULL_FATAL(p);
    const char *end = strstr(p + 1, "\n## ");
    size_t rows = 0;
    while ((p = strstr(p, "\n| `")) && p < end) {
        char name[64];
        p += 4;
        snprintf(name, sizeof name, "%.*s", (int)strcspn(p, "`"), p);
        if (param_find(params, n, name) == n)
            printf("\n  there is no setting %s\n", name);
        CU_ASSERT(param_find(params, n, name) < n);
        rows++;
    }
    CU_ASSERT_EQUAL(rows, n);
    free(text);
}

static void check_driver(void *arg, const char *path, const struct larder_driver *driver,
                         const struct larder_error *error) {
    unsigned *n_drivers = arg;
    if (driver == NULL) {
        printf("\n  %s: %s\n", path, error->text);
        CU_FAIL("a driver of this project is refused");
        return;
    }
    ++*n_drivers;
    char readme[PATH_MAX];
    snprintf(readme, sizeof readme, "%s/drivers/%s/README.md", SOURCE_DIR, driver->name);
    char *text = read_text(readme);
    CU_ASSERT_PTR_NOT_NULL(text);
    for (size_t i = 0; text && i < driver->n_params; i++)
        check_row(readme, text, &driver->params[i]);
    free(text);
}

static void every_setting_of_a_driver_is_in_its_readme(void) {
    unsigned n_drivers = 0;
    larder_driver_each(check_driver, &n_drivers);
    CU_ASSERT(n_drivers >= 2);
}

UNIT_MAIN("documented settings", UNIT(every_setting_of_a_store_is_in_the_manual),
          UNIT(nothing_else_is_in_its_table), UNIT(every_setting_of_a_driver_is_in_its_readme))
