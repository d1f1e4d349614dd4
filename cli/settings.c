#include "settings.h"

#include <inttypes.h>

static const char *type_name(uint32_t type) {
    switch (type) {
    case LARDER_P_TEXT: return "text";
    case LARDER_P_SECRET: return "secret";
    case LARDER_P_BOOL: return "true or false";
    case LARDER_P_INT: return "number";
    case LARDER_P_BYTES: return "bytes";
    case LARDER_P_MS: return "duration";
    default: return "unknown";
    }
}

static bool has_bounds(const struct larder_param *param) {
    return param->type == LARDER_P_INT || param->type == LARDER_P_BYTES || param->type == LARDER_P_MS;
}

/* A bound with its unit; a bound that is none is left out. */
static void print_bound(const struct larder_param *param, int64_t bound) {
    static const char *const bytes[] = {"TB", "GB", "MB", "KB"};
    char text[TIME_TEXT];
    if (param->type == LARDER_P_MS) {
        printf("%s", duration_text(bound, text));
    } else if (param->type == LARDER_P_BYTES && bound != 0) {
        unsigned i = 0;
        while (i < 4 && bound % (INT64_C(1) << (40 - 10 * i)) != 0)
            i++;
        printf("%" PRId64 "%s", i < 4 ? bound >> (40 - 10 * i) : bound, i < 4 ? bytes[i] : "B");
    } else {
        printf("%" PRId64, bound);
    }
}

static void print_bounds(const struct larder_param *param) {
    if (param->max == INT64_MAX) {
        printf(", at least ");
        print_bound(param, param->min);
    } else {
        printf(", ");
        print_bound(param, param->min);
        printf(" to ");
        print_bound(param, param->max);
    }
}

void settings_print(const struct larder_param *params, size_t n) {
    for (size_t i = 0; i < n; i++) {
        const struct larder_param *p = &params[i];
        printf("  %-20s %s\n  %-20s %s", p->name, p->help, "", type_name(p->type));
        if (p->choices) {
            printf(", one of: ");
            for (const char *c = p->choices; *c; c++)
                printf("%.*s%s", *c == '|' ? 0 : 1, c, *c == '|' ? ", " : "");
        }
        if (has_bounds(p))
            print_bounds(p);
        if (p->preset == NULL)
            printf("; required");
        else if (*p->preset)
            printf("; default %s", p->preset);
        if (p->env)
            printf("; also from %s", p->env);
        putchar('\n');
    }
    if (n == 0)
        printf("  none\n");
}

void settings_json(struct json *out, const struct larder_param *params, size_t n) {
    json_array(out, "settings");
    for (size_t i = 0; i < n; i++) {
        const struct larder_param *p = &params[i];
        json_object(out, NULL);
        json_text(out, "name", p->name);
        json_text(out, "type", type_name(p->type));
        json_text(out, "help", p->help);
        if (p->preset)
            json_text(out, "default", p->preset);
        json_bool(out, "required", p->preset == NULL);
        if (has_bounds(p)) {
            json_number(out, "min", p->min);
            json_number(out, "max", p->max);
        }
        if (p->choices)
            json_text(out, "choices", p->choices);
        if (p->env)
            json_text(out, "env", p->env);
        json_end(out);
    }
    json_end(out);
}
