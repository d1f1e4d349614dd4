/* Typed settings: see param.h. */
#include "param.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "bytes.h"
#include "error.h"
#include "phrase.h"

struct slot {
    char *text;  /* owned; NULL: the preset stands */
    char *where; /* owned */
};

struct param_set {
    const struct larder_param *params;
    size_t n;
    uint8_t *config;
    struct slot slots[];
};

static char *copy_text(const char *text) {
    size_t size = strlen(text) + 1;
    char *copy = malloc(size);
    if (copy)
        memcpy(copy, text, size);
    return copy;
}

/* Not only secrets: a URL may hold a password, and wiping costs nothing here. */
static void wipe_free(char *text) {
    if (text)
        explicit_bzero(text, strlen(text));
    free(text);
}

/* ---- numbers ------------------------------------------------------------------- */

struct unit {
    const char *name;
    int64_t factor;
};

/* The smallest first: param_format() takes the last one that divides. */
static const struct unit byte_units[] = {
    {"B", 1}, {"KB", 1 << 10}, {"MB", 1 << 20}, {"GB", 1 << 30}, {"TB", INT64_C(1) << 40}};
static const struct unit byte_aliases[] = {
    {"K", 1 << 10},   {"M", 1 << 20},   {"G", 1 << 30},   {"T", INT64_C(1) << 40},
    {"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", INT64_C(1) << 40},
};
static const struct unit ms_units[] = {
    {"ms", 1}, {"s", 1000}, {"min", 60000}, {"h", 3600000}, {"d", 86400000}};

static bool unit_find(const struct unit *units, size_t n, const char *name, int64_t *ret_factor) {
    for (size_t i = 0; i < n; i++) {
        if (strcasecmp(units[i].name, name) == 0) {
            *ret_factor = units[i].factor;
            return true;
        }
    }
    return false;
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

/* Digits only, no sign.  Overflow: false. */
static bool read_digits(const char **at, int64_t *ret) {
    int64_t value = 0;
    const char *p = *at;
    if (!is_digit(*p))
        return false;
    for (; is_digit(*p); p++) {
        if (__builtin_mul_overflow(value, 10, &value) || __builtin_add_overflow(value, *p - '0', &value))
            return false;
    }
    *at = p;
    *ret = value;
    return true;
}

/* "1.5GiB": whole and fraction are kept apart, so that no rounding of a double shows. */
static bool read_quantity(uint32_t type, const char *text, int64_t *ret) {
    int64_t whole, factor = 1, fraction = 0, scale = 1;
    const char *p = text;
    if (!read_digits(&p, &whole))
        return false;
    if (*p == '.') {
        const char *first = ++p;
        if (!read_digits(&p, &fraction) || p - first > 6)
            return false;
        for (const char *q = first; q < p; q++)
            scale *= 10;
    }
    while (*p == ' ')
        p++;
    if (*p != '\0') {
        bool known = type == LARDER_P_MS ? unit_find(ms_units, N_ELEMENTS(ms_units), p, &factor)
                                         : unit_find(byte_units, N_ELEMENTS(byte_units), p, &factor) ||
                                               unit_find(byte_aliases, N_ELEMENTS(byte_aliases), p, &factor);
        if (!known)
            return false;
    }
    /* fraction < 10^6 and factor <= 2^40: the product fits. */
    return !__builtin_mul_overflow(whole, factor, &whole) &&
           !__builtin_add_overflow(whole, fraction * factor / scale, ret);
}

static bool read_int(const char *text, int64_t *ret) {
    bool negative = *text == '-';
    const char *p = text + (negative ? 1 : 0);
    int64_t value;
    if (!read_digits(&p, &value) || *p != '\0')
        return false;
    *ret = negative ? -value : value;
    return true;
}

static bool read_bool(const char *text, int64_t *ret) {
    static const char *const words[2][4] = {{"false", "no", "off", "0"}, {"true", "yes", "on", "1"}};
    for (int64_t value = 0; value < 2; value++) {
        for (size_t i = 0; i < 4; i++) {
            if (strcasecmp(words[value][i], text) == 0) {
                *ret = value;
                return true;
            }
        }
    }
    return false;
}

bool param_is_number(const struct larder_param *param) {
    return param->type != LARDER_P_TEXT && param->type != LARDER_P_SECRET;
}

void param_format(const struct larder_param *param, int64_t number, char *out, size_t size) {
    struct phrase phrase = phrase_begin(out, size);
    const struct unit *units = NULL;
    size_t n = 0;
    if (param->type == LARDER_P_BYTES) {
        units = byte_units;
        n = N_ELEMENTS(byte_units);
    } else if (param->type == LARDER_P_MS) {
        units = ms_units;
        n = N_ELEMENTS(ms_units);
    }
    if (param->type == LARDER_P_BOOL) {
        phrase_add(&phrase, "%s", number ? "true" : "false");
    } else if (n == 0 || number == 0) {
        phrase_add(&phrase, "%lld", (long long)number);
    } else {
        size_t i = n - 1;
        while (i > 0 && number % units[i].factor != 0)
            i--;
        phrase_add(&phrase, "%lld%s", (long long)(number / units[i].factor), units[i].name);
    }
}

static void say_bounds(const struct larder_param *param, struct phrase *why) {
    char low[32], high[32];
    param_format(param, param->min, low, sizeof low);
    param_format(param, param->max, high, sizeof high);
    if (param->max == INT64_MAX)
        phrase_add(why, "is out of bounds: at least %s", low);
    else if (param->min == INT64_MIN)
        phrase_add(why, "is out of bounds: at most %s", high);
    else
        phrase_add(why, "is out of bounds: %s to %s", low, high);
}

static bool accepts_choice(const char *choices, const char *value, struct phrase *why) {
    size_t len = strlen(value);
    for (const char *p = choices; p; p = strchr(p, '|') ? strchr(p, '|') + 1 : NULL) {
        if (strcspn(p, "|") == len && memcmp(p, value, len) == 0)
            return true;
    }
    phrase_add(why, "is not one of: ");
    for (const char *p = choices; *p; p++) {
        if (*p == '|')
            phrase_add(why, ", ");
        else
            phrase_add(why, "%c", *p);
    }
    return false;
}

bool param_accepts(const struct larder_param *param, const char *value, int64_t *ret_number, char *why,
                   size_t why_size) {
    struct phrase phrase = phrase_begin(why, why_size);
    int64_t number = 0;
    bool ok = false;
    switch (param->type) {
    case LARDER_P_TEXT:
    case LARDER_P_SECRET: return param->choices == NULL || accepts_choice(param->choices, value, &phrase);
    case LARDER_P_BOOL:
        if (!read_bool(value, ret_number)) {
            phrase_add(&phrase, "is neither true nor false (yes and no, on and off, 1 and 0 will do)");
            return false;
        }
        return true;
    case LARDER_P_INT:
        ok = read_int(value, &number);
        if (!ok)
            phrase_add(&phrase, "is not a whole number");
        break;
    case LARDER_P_BYTES:
        ok = read_quantity(LARDER_P_BYTES, value, &number);
        if (!ok)
            phrase_add(&phrase, "is not a size: a number with B, KB, MB, GB or TB, such as 64MB");
        break;
    case LARDER_P_MS:
        ok = read_quantity(LARDER_P_MS, value, &number);
        if (!ok)
            phrase_add(&phrase, "is not a duration: a number with ms, s, min, h or d, such as 500ms");
        break;
    default: phrase_add(&phrase, "is of a type that this core does not know");
    }
    if (!ok)
        return false;
    if (number < param->min || number > param->max) {
        say_bounds(param, &phrase);
        return false;
    }
    *ret_number = number;
    return true;
}

/* ---- names ---------------------------------------------------------------------- */

enum { NAME_MAX_COMPARED = 63 };

/* Optimal string alignment: insert, delete, replace, or swap two neighbours. */
size_t param_distance(const char *a, const char *b) {
    size_t la = strlen(a), lb = strlen(b);
    if (la > NAME_MAX_COMPARED || lb > NAME_MAX_COMPARED)
        return SIZE_MAX;
    size_t rows[3][NAME_MAX_COMPARED + 1] = {{0}};
    size_t *before = rows[0], *above = rows[1], *row = rows[2];
    for (size_t j = 0; j <= lb; j++)
        before[j] = above[j] = j;
    for (size_t i = 1; i <= la; i++) {
        row[0] = i;
        for (size_t j = 1; j <= lb; j++) {
            size_t best = above[j - 1] + (a[i - 1] != b[j - 1]);
            if (above[j] + 1 < best)
                best = above[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && before[j - 2] + 1 < best)
                best = before[j - 2] + 1;
            row[j] = best;
        }
        size_t *free_row = before;
        before = above;
        above = row;
        row = free_row;
    }
    return above[lb];
}

bool param_is_near(const char *written, size_t distance) {
    size_t len = strlen(written);
    size_t limit = len < 4 ? 1 : len / 3 < 4 ? len / 3 : 4;
    if (len >= 4 && limit < 2)
        limit = 2;
    return distance <= limit;
}

size_t param_find(const struct larder_param *params, size_t n, const char *name) {
    size_t i = 0;
    while (i < n && strcmp(params[i].name, name) != 0)
        i++;
    return i;
}

/* The nearer of *nearest and candidate, into *nearest. */
static void keep_nearer(const char *written, const char *candidate, const char **nearest, size_t *least) {
    size_t distance = param_distance(written, candidate);
    if (distance < *least) {
        *least = distance;
        *nearest = candidate;
    }
}

const char *param_nearest(const struct larder_param *params, size_t n, const char *name) {
    const char *nearest = NULL;
    size_t least = SIZE_MAX;
    for (size_t i = 0; i < n; i++)
        keep_nearer(name, params[i].name, &nearest, &least);
    return nearest && param_is_near(name, least) ? nearest : NULL;
}

const char *larder_nearest(const char *written, const char *const *names, size_t n) {
    const char *nearest = NULL;
    size_t least = SIZE_MAX;
    for (size_t i = 0; i < n; i++)
        keep_nearer(written, names[i], &nearest, &least);
    return nearest && param_is_near(written, least) ? nearest : NULL;
}

/* ---- what may be shown ----------------------------------------------------------- */

static bool name_is_secret(const char *name, size_t len) {
    static const char *const words[] = {"password",   "passwd", "secret", "token",
                                        "credential", "auth",   "key",    "signature"};
    char lower[64];
    if (len >= sizeof lower)
        return true;
    for (size_t i = 0; i < len; i++)
        lower[i] = (char)(name[i] >= 'A' && name[i] <= 'Z' ? name[i] - 'A' + 'a' : name[i]);
    lower[len] = '\0';
    for (size_t i = 0; i < N_ELEMENTS(words); i++) {
        if (strstr(lower, words[i]))
            return true;
    }
    return false;
}

/* Where a password in the userinfo of a URL stands: [*ret_from, *ret_to).  Rather too much than
 * too little: up to the last @, since people paste passwords without escaping them. */
static bool find_userinfo(const char *url, size_t len, size_t *ret_from, size_t *ret_to) {
    const char *at = memrchr(url, '@', len);
    if (at == NULL)
        return false;
    const char *start = memmem(url, (size_t)(at - url), "://", 3);
    if (start)
        start += 3;
    else if (memchr(url, '/', (size_t)(at - url)))
        return false; /* a path with an @ in it */
    else
        start = url;
    const char *colon = memchr(start, ':', (size_t)(at - start));
    if (colon == NULL)
        return false;
    *ret_from = (size_t)(colon + 1 - url);
    *ret_to = (size_t)(at - url);
    return true;
}

void param_redact(const struct larder_param *param, const char *value, char *out, size_t size) {
    struct phrase phrase = phrase_begin(out, size);
    if (param && param->type == LARDER_P_SECRET) {
        phrase_add(&phrase, "%s", *value ? "***" : "");
        return;
    }
    size_t head = strcspn(value, "?"), from, to;
    if (find_userinfo(value, head, &from, &to))
        phrase_add(&phrase, "%.*s***%.*s", (int)from, value, (int)(head - to), value + to);
    else
        phrase_add(&phrase, "%.*s", (int)head, value);
    const char *p = value + head;
    while (*p) {
        phrase_add(&phrase, "%c", *p++); /* ? or & */
        size_t len = strcspn(p, "&"), name = strcspn(p, "=&");
        if (name < len && name_is_secret(p, name))
            phrase_add(&phrase, "%.*s=***", (int)name, p);
        else
            phrase_add(&phrase, "%.*s", (int)len, p);
        p += len;
    }
}

const char *param_shown(const struct larder_param *param, const char *value, char out[PARAM_SHOWN]) {
    static const char dots[] = "...";
    param_redact(param, value, out, PARAM_SHOWN);
    if (strlen(out) == PARAM_SHOWN - 1)
        memcpy(out + PARAM_SHOWN - sizeof dots, dots, sizeof dots);
    return out;
}

int32_t larder_param_read(const struct larder_param *param, const char *value, int64_t *ret_number,
                          struct larder_error *error) {
    char why[2 * PARAM_SHOWN], shown[PARAM_SHOWN];
    int64_t number = 0;
    if (!param_accepts(param, value, &number, why, sizeof why))
        return error_set(error, LARDER_INVALID, "'%s' %s", param_shown(param, value, shown), why);
    *ret_number = number;
    return LARDER_OK;
}

/* ---- sets -------------------------------------------------------------------------- */

static void put_text(struct param_set *set, size_t i, const char *text) {
    memcpy(set->config + set->params[i].offset, &text, sizeof text);
}

static void put_number(struct param_set *set, size_t i, int64_t number) {
    memcpy(set->config + set->params[i].offset, &number, sizeof number);
}

struct param_set *param_set_new(const struct larder_param *params, size_t n, size_t config_size) {
    struct param_set *set = calloc(1, sizeof *set + n * sizeof set->slots[0]);
    if (set == NULL)
        return NULL;
    set->params = params;
    set->n = n;
    set->config = calloc(1, config_size ? config_size : 1);
    if (set->config == NULL)
        return param_set_free(set);
    for (size_t i = 0; i < n; i++) {
        char why[PARAM_SHOWN];
        int64_t number;
        if (!param_is_number(&params[i]))
            put_text(set, i, params[i].preset);
        else if (params[i].preset && param_accepts(&params[i], params[i].preset, &number, why, sizeof why))
            put_number(set, i, number);
    }
    return set;
}

struct param_set *param_set_free(struct param_set *set) {
    if (set == NULL)
        return NULL;
    for (size_t i = 0; i < set->n; i++) {
        wipe_free(set->slots[i].text);
        free(set->slots[i].where);
    }
    free(set->config);
    free(set);
    return NULL;
}

static int32_t unknown_name(const struct param_set *set, const char *who, const char *where, const char *name,
                            struct larder_error *error) {
    char shown[PARAM_SHOWN], known[256];
    const char *nearest = param_nearest(set->params, set->n, name);
    if (nearest)
        return error_set(error, LARDER_INVALID, "unknown setting '%s' of %s (%s), did you mean '%s'?",
                         param_shown(NULL, name, shown), who, where, nearest);
    struct phrase list = phrase_begin(known, sizeof known);
    for (size_t i = 0; i < set->n; i++)
        phrase_add(&list, "%s%s", i ? ", " : "", set->params[i].name);
    return error_set(error, LARDER_INVALID, "unknown setting '%s' of %s (%s); it has: %s",
                     param_shown(NULL, name, shown), who, where, set->n ? known : "none");
}

int32_t param_set_text(struct param_set *set, const char *who, const char *where, const char *name,
                       const char *value, struct larder_error *error) {
    size_t i = param_find(set->params, set->n, name);
    if (i == set->n)
        return unknown_name(set, who, where, name, error);

    const struct larder_param *param = &set->params[i];
    char why[2 * PARAM_SHOWN], shown[PARAM_SHOWN];
    int64_t number = 0;
    if (!param_accepts(param, value, &number, why, sizeof why))
        return error_set(error, LARDER_INVALID, "setting '%s' of %s (%s): '%s' %s", name, who, where,
                         param_shown(param, value, shown), why);

    char *text = copy_text(value), *origin = copy_text(where);
    if (text == NULL || origin == NULL) {
        wipe_free(text);
        free(origin);
        return error_set(error, LARDER_NOMEM, "out of memory");
    }
    wipe_free(set->slots[i].text);
    free(set->slots[i].where);
    set->slots[i] = (struct slot){text, origin};
    if (param_is_number(param))
        put_number(set, i, number);
    else
        put_text(set, i, text);
    return LARDER_OK;
}

int32_t param_set_env(struct param_set *set, const char *who, struct larder_error *error) {
    for (size_t i = 0; i < set->n; i++) {
        const struct larder_param *param = &set->params[i];
        for (const char *p = param->env; p && set->slots[i].text == NULL;) {
            char name[128];
            size_t len = strcspn(p, "|");
            if (len < sizeof name) {
                memcpy(name, p, len);
                name[len] = '\0';
                const char *value = getenv(name);
                int32_t status = LARDER_OK;
                if (value && *value)
                    status = param_set_text(set, who, name, param->name, value, error);
                if (status != LARDER_OK)
                    return status;
            }
            p = p[len] ? p + len + 1 : NULL;
        }
    }
    return LARDER_OK;
}

/* "A|B" as "A or B" behind "; it is also read from "; "" where there are none. */
static void say_env(const struct larder_param *param, char *out, size_t size) {
    struct phrase phrase = phrase_begin(out, size);
    for (const char *p = param->env; p; p = strchr(p, '|') ? strchr(p, '|') + 1 : NULL)
        phrase_add(&phrase, "%s%.*s", p == param->env ? "; it is also read from " : " or ",
                   (int)strcspn(p, "|"), p);
}

int32_t param_set_check(const struct param_set *set, const char *who, struct larder_error *error) {
    for (size_t i = 0; i < set->n; i++) {
        const struct larder_param *param = &set->params[i];
        const char *text = set->slots[i].text;
        if (param->preset || (text && *text))
            continue;
        char env[2 * PARAM_SHOWN];
        say_env(param, env, sizeof env);
        return error_set(error, LARDER_INVALID, "%s needs the setting '%s' (%s)%s%s", who, param->name,
                         param->help, text ? ": it is empty" : "", env);
    }
    return LARDER_OK;
}

const void *param_set_config(const struct param_set *set) {
    return set->config;
}

const char *param_set_text_at(const struct param_set *set, size_t i) {
    return set->slots[i].text;
}

const char *param_set_where_at(const struct param_set *set, size_t i) {
    return set->slots[i].where;
}

bool param_set_equal(const struct param_set *a, const struct param_set *b) {
    for (size_t i = 0; i < a->n; i++) {
        const uint8_t *at_a = a->config + a->params[i].offset, *at_b = b->config + b->params[i].offset;
        if (param_is_number(&a->params[i])) {
            if (memcmp(at_a, at_b, sizeof(int64_t)) != 0)
                return false;
            continue;
        }
        const char *text_a, *text_b;
        memcpy(&text_a, at_a, sizeof text_a);
        memcpy(&text_b, at_b, sizeof text_b);
        if ((text_a == NULL) != (text_b == NULL) || (text_a && strcmp(text_a, text_b) != 0))
            return false;
    }
    return true;
}
