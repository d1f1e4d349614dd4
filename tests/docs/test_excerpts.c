/* What a document shows of a source is in that source, line by line. */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "unit.h"

#define DOCUMENT SOURCE_DIR "/docs/writing-a-driver.md"

static char *read_text(const char *path) {
    enum { MOST = 1 << 20 };
    FILE *file = fopen(path, "rb");
    char *text = calloc(1, MOST);
    if (file == NULL || text == NULL || fread(text, 1, MOST - 1, file) == 0) {
        printf("\n  %s cannot be read\n", path);
        free(text);
        text = NULL;
    }
    if (file != NULL)
        fclose(file);
    return text;
}

/* The excerpt begins and ends at a line of the source. */
static bool has_lines(const char *source, const char *excerpt) {
    const size_t len = strlen(excerpt);
    for (const char *at = source; (at = strstr(at, excerpt)) != NULL; at++) {
        if ((at == source || at[-1] == '\n') && len > 0 && at[len - 1] == '\n')
            return true;
    }
    return false;
}

/* A block of C or CMake is told by the comment in front of it: <!-- PATH -->. */
static void every_block_of_code_is_in_the_source_that_it_names(void) {
    static const char fence[] = "\n```", end_of_comment[] = " -->";
    char *text = read_text(DOCUMENT);
    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    size_t n_checked = 0;
    for (char *block = text; (block = strstr(block, fence)) != NULL;) {
        char *body = strchr(block + 1, '\n');
        char *end = body ? strstr(body, fence) : NULL;
        CU_ASSERT_PTR_NOT_NULL_FATAL(end);
        char *comment = block;
        while (comment > text && comment[-1] != '\n')
            comment--;
        const size_t len = (size_t)(block - comment);
        const bool named = len > 9 && memcmp(comment, "<!-- ", 5) == 0 &&
                           memcmp(block - strlen(end_of_comment), end_of_comment, strlen(end_of_comment)) ==
                               0;
        if (!named)
            printf("\n  a block of code without the name of its source: %.60s\n", body + 1);
        CU_ASSERT_TRUE_FATAL(named);

        char path[512];
        snprintf(path, sizeof path, "%s/%.*s", SOURCE_DIR, (int)(len - 9), comment + 5);
        char *source = read_text(path);
        CU_ASSERT_PTR_NOT_NULL_FATAL(source);
        char *excerpt = strndup(body + 1, (size_t)(end - body));
        CU_ASSERT_PTR_NOT_NULL_FATAL(excerpt);
        if (!has_lines(source, excerpt))
            printf("\n  not in %s:\n%s", path, excerpt);
        CU_ASSERT_TRUE(has_lines(source, excerpt));
        free(excerpt);
        free(source);
        n_checked++;
        block = end + strlen(fence);
    }
    CU_ASSERT(n_checked >= 10);
    free(text);
}

/* The driver is a model: it stays short enough to be read at once. */
static void the_sqlite_driver_has_as_many_lines_as_the_document_says(void) {
    char *text = read_text(DOCUMENT), *source = read_text(SOURCE_DIR "/examples/driver-sqlite/sqlite.c");
    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    CU_ASSERT_PTR_NOT_NULL_FATAL(source);
    unsigned lines = 0;
    for (const char *at = source; (at = strchr(at, '\n')) != NULL; at++)
        lines++;
    char said[32];
    snprintf(said, sizeof said, "in %u lines", lines);
    if (strstr(text, said) == NULL)
        printf("\n  it has %u lines\n", lines);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, said));
    CU_ASSERT(lines < 400);
    free(text);
    free(source);
}

UNIT_MAIN("excerpts", UNIT(every_block_of_code_is_in_the_source_that_it_names),
          UNIT(the_sqlite_driver_has_as_many_lines_as_the_document_says))
