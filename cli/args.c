#include "args.h"

#include <stdlib.h>
#include <string.h>

bool args_init(struct args *args, int argc) {
    size_t n = argc > 0 ? (size_t)argc : 1;
    *args = (struct args){.given = calloc(n, sizeof *args->given), .words = calloc(n, sizeof *args->words)};
    return args->given && args->words;
}

void args_done(struct args *args) {
    free(args->given);
    free(args->words);
    *args = (struct args){0};
}

const char *args_value_at(const struct args *args, const char *name, size_t i) {
    for (size_t k = 0; k < args->n_given; k++) {
        const struct given *given = &args->given[k];
        if (strcmp(given->option->name, name) == 0 && i-- == 0)
            return given->value ? given->value : "";
    }
    return NULL;
}

const char *args_value(const struct args *args, const char *name) {
    const char *value = NULL;
    for (size_t k = 0; k < args->n_given; k++) {
        if (strcmp(args->given[k].option->name, name) == 0)
            value = args->given[k].value ? args->given[k].value : "";
    }
    return value;
}

bool args_has(const struct args *args, const char *name) {
    return args_value_at(args, name, 0) != NULL;
}
