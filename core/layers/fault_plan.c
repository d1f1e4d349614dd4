/* Reading a plan of faults: the grammar is in fault.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fault.h"
#include "param.h"
#include "phrase.h"

enum { PIECE = 96 }; /* the longest piece of text between two signs */
static const uint32_t ALWAYS = 1000000;
static const uint64_t MS = 1000000u;

struct piece {
    char text[PIECE];
};

static bool fail(char why[FAULT_WHY], const char *what, const char *piece) {
    struct phrase phrase = phrase_begin(why, FAULT_WHY);

    phrase_add(&phrase, "%s: '%.64s'", what, piece);
    return false;
}

/* ---- pieces -------------------------------------------------------------------------- */

/* What stands before the first of `ends`, without any spaces; *at goes to that sign. */
static bool take(const char **at, const char *ends, struct piece *ret) {
    const char *p = *at;
    size_t len = 0;

    for (; *p != '\0' && strchr(ends, *p) == NULL; p++) {
        if (strchr(" \t\n", *p) != NULL)
            continue;
        if (len == PIECE - 1)
            return false;
        ret->text[len++] = *p;
    }
    ret->text[len] = '\0';
    *at = p;
    return true;
}

static bool take_sign(const char **at, char sign) {
    if (**at != sign)
        return false;
    ++*at;
    return true;
}

static bool read_time(const char *text, uint64_t *ret_ns) {
    static const struct larder_param time = {.name = "time", .type = LARDER_P_MS, .max = 3600000};
    char why[FAULT_WHY];
    int64_t ms;

    if (!param_accepts(&time, text, &ms, why, sizeof(why)))
        return false;
    *ret_ns = (uint64_t)ms * MS;
    return true;
}

static bool read_status(const char *text, int32_t *ret) {
    for (int32_t status = LARDER_MISS; status >= LARDER_INTERNAL; status--) {
        if (status != LARDER_OK && strcmp(text, larder_status_name(status)) == 0) {
            *ret = status;
            return true;
        }
    }
    return false;
}

/* "5%", "0.01%" */
static bool read_percent(const char *text, uint32_t *ret_ppm) {
    char *end;

    errno = 0;
    double percent = strtod(text, &end);
    if (errno != 0 || end == text || strcmp(end, "%") != 0 || !(percent >= 0 && percent <= 100))
        return false;
    *ret_ppm = (uint32_t)(percent * (ALWAYS / 100.0) + 0.5);
    return true;
}

/* ---- rules ----------------------------------------------------------------------------- */

static bool read_ops(const char *text, uint32_t *ret, char why[FAULT_WHY]) {
    struct piece name;

    *ret = 0;
    for (const char *p = text;;) {
        uint32_t code = 1;
        if (!take(&p, ",", &name))
            return fail(why, "too long", p);
        while (code < LARDER_N_OPS && strcmp(name.text, larder_op_name(code)) != 0)
            code++;
        if (code < LARDER_N_OPS)
            *ret |= 1u << code;
        else if (strcmp(name.text, "any") == 0)
            *ret |= (1u << LARDER_N_OPS) - 2;
        else
            return fail(why, "no such operation (get, put, tags-read ... or any)", name.text);
        if (!take_sign(&p, ','))
            return true;
    }
}

/* "10ms..200ms", "10ms" */
static bool read_range(const char *text, struct fault_rule *rule) {
    struct piece low;
    const char *dots = strstr(text, "..");

    if (dots == NULL)
        return read_time(text, &rule->low_ns) && read_time(text, &rule->high_ns);
    if ((size_t)(dots - text) >= sizeof(low.text))
        return false;
    memcpy(low.text, text, (size_t)(dots - text));
    low.text[dots - text] = '\0';
    return read_time(low.text, &rule->low_ns) && read_time(dots + 2, &rule->high_ns) &&
           rule->low_ns <= rule->high_ns;
}

static bool read_fault(const char *text, struct fault_rule *rule, char why[FAULT_WHY]) {
    static const struct {
        const char *name;
        enum fault_kind kind;
        char takes; /* t: times, c: a class, or nothing */
    } kinds[] = {{"delay", FAULT_DELAY, 't'},   {"late", FAULT_LATE, 't'}, {"again", FAULT_AGAIN, 't'},
                 {"error", FAULT_ERROR, 'c'},   {"lost", FAULT_LOST, 'c'}, {"drop", FAULT_DROP, 0},
                 {"corrupt", FAULT_CORRUPT, 0}, {"short", FAULT_SHORT, 0}};
    size_t len = strcspn(text, "="), i = 0;
    const char *value = text[len] == '=' ? text + len + 1 : NULL;

    while (i < sizeof(kinds) / sizeof(kinds[0]) &&
           (strlen(kinds[i].name) != len || memcmp(kinds[i].name, text, len) != 0))
        i++;
    if (i == sizeof(kinds) / sizeof(kinds[0]))
        return fail(why, "no such fault (delay, late, again, error, lost, drop, corrupt, short)", text);
    rule->kind = kinds[i].kind;
    if (kinds[i].takes == 't' && (value == NULL || !read_range(value, rule)))
        return fail(why, "takes a time or two, such as 10ms..200ms", text);
    if (kinds[i].takes == 'c' && (value == NULL || !read_status(value, &rule->status)))
        return fail(why, "takes a class of errors, such as retry, throttled or denied", text);
    if (kinds[i].takes == 0 && value != NULL)
        return fail(why, "takes no value", text);
    return true;
}

/* "3s/10s", "3s/10s+5s" */
static bool read_phase(const char *text, struct fault_rule *rule, char why[FAULT_WHY]) {
    struct piece piece = {""};
    const char *p = text;

    if (take(&p, "/", &piece) && take_sign(&p, '/') && read_time(piece.text, &rule->on_ns) &&
        take(&p, "+", &piece) && read_time(piece.text, &rule->period_ns) && rule->period_ns > 0 &&
        rule->on_ns <= rule->period_ns &&
        (*p == '\0' || (take_sign(&p, '+') && read_time(p, &rule->offset_ns))))
        return true;
    return fail(why, "is not a phase such as 3s/10s or 3s/10s+5s", text);
}

static bool read_rule(const char *item, struct fault_rule *rule, char why[FAULT_WHY]) {
    struct piece piece = {""};
    const char *p = item;

    *rule = (struct fault_rule){.ppm = ALWAYS};
    if (!take(&p, ":", &piece) || !take_sign(&p, ':'))
        return fail(why, "is not OPERATION:FAULT", item);
    if (!read_ops(piece.text, &rule->ops, why))
        return false;
    if (!take(&p, "@~", &piece))
        return fail(why, "too long", item);
    if (!read_fault(piece.text, rule, why))
        return false;
    if (take_sign(&p, '@')) {
        if (!take(&p, "~", &piece) || !read_percent(piece.text, &rule->ppm))
            return fail(why, "is not a share such as 5%", piece.text);
    }
    return !take_sign(&p, '~') || read_phase(p, rule, why);
}

static bool read_item(const char *item, struct fault_plan *plan, char why[FAULT_WHY]) {
    struct fault_rule *rule = &plan->rules[plan->n];
    char *end;

    if (strncmp(item, "seed=", 5) == 0) {
        errno = 0;
        plan->seed = strtoull(item + 5, &end, 10);
        return (errno == 0 && end != item + 5 && *end == '\0' && item[5] != '-') ||
               fail(why, "is not a number", item);
    }
    if (plan->n == FAULT_RULES)
        return fail(why, "more than 32 rules", item);
    plan->n++;
    if (strncmp(item, "down=", 5) == 0 || strncmp(item, "hang=", 5) == 0) {
        *rule = (struct fault_rule){.ops = (1u << LARDER_N_OPS) - 2,
                                    .kind = *item == 'd' ? FAULT_ERROR : FAULT_DROP,
                                    .status = LARDER_RETRY,
                                    .ppm = ALWAYS};
        return read_phase(item + 5, rule, why);
    }
    return read_rule(item, rule, why);
}

bool fault_parse(const char *text, struct fault_plan *ret, char why[FAULT_WHY]) {
    struct fault_plan plan = {.seed = 1};
    struct piece item = {""};

    for (const char *p = text;;) {
        if (!take(&p, ";", &item))
            return fail(why, "too long", p);
        if (item.text[0] != '\0' && !read_item(item.text, &plan, why))
            return false;
        if (!take_sign(&p, ';'))
            break;
    }
    *ret = plan;
    return true;
}

bool fault_is_on(const struct fault_rule *rule, uint64_t elapsed_ns) {
    return rule->period_ns == 0 ||
           (elapsed_ns >= rule->offset_ns && (elapsed_ns - rule->offset_ns) % rule->period_ns < rule->on_ns);
}
