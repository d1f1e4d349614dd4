#include "aws_environment.h"

#include <string.h>
#include <strings.h>

#include "aws_text.h"

#define AWS_VARIABLE_NAMES(id, names) names,
static const char *const variable_names[] = {AWS_VARIABLES(AWS_VARIABLE_NAMES)};
#undef AWS_VARIABLE_NAMES

/* "a|b": the first that is set to something. */
static const char *look_for(const char *names, char *look(const char *name)) {
    char name[64];
    for (const char *at = names; *at;) {
        const size_t len = strcspn(at, "|");
        memcpy(name, at, len);
        name[len] = '\0';
        const char *value = look(name);
        if (aws_given(value))
            return value;
        at += len + (at[len] == '|');
    }
    return NULL;
}

bool aws_environment_read(struct aws_environment *environment, char *look(const char *name)) {
    *environment = (struct aws_environment){0};
    for (size_t i = 0; i < AWS_N_VARIABLES; i++)
        if (!aws_copy(&environment->values[i], look_for(variable_names[i], look))) {
            aws_environment_done(environment);
            return false;
        }
    return true;
}

void aws_environment_done(struct aws_environment *environment) {
    for (size_t i = 0; i < AWS_N_VARIABLES; i++)
        aws_wipe(&environment->values[i]);
}

const char *aws_variable(const struct aws_environment *environment, enum aws_variable variable) {
    return environment->values[variable];
}

bool aws_variable_is_true(const struct aws_environment *environment, enum aws_variable variable) {
    const char *value = aws_variable(environment, variable);
    return value && strcasecmp(value, "true") == 0;
}
