/* Options and words of a command line. */
#ifndef CLI_ARGS_H
#define CLI_ARGS_H

#include <stdbool.h>
#include <stddef.h>

struct option {
    const char *name;  /* "kind", written --kind */
    const char *value; /* what it takes, for the help: "FILE"; NULL: it is a switch */
    const char *help;
};

struct given {
    const struct option *option;
    const char *value; /* NULL for a switch */
};

struct args {
    struct given *given; /* in order */
    size_t n_given;
    const char **words; /* what is no option, in order */
    size_t n_words;
};

/* The value of an option that was given (the last one), "" for a switch; NULL: not given. */
const char *args_value(const struct args *args, const char *name);
bool args_has(const struct args *args, const char *name);
/* The value of the i-th time an option was given; NULL: not that often. */
const char *args_value_at(const struct args *args, const char *name, size_t i);

/* Room for every argument of the program; false: no memory. */
bool args_init(struct args *args, int argc);
void args_done(struct args *args);

#endif
