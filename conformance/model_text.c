/*
 * A program as one line:
 *
 *     window 4; put k0 len=9 id=1 ttl=30; get k0 two at=12; bump c0 t0:new/-/- t1:-/new/100
 *
 * A step is the name of its kind, what it is about (k0, t0, c0: key, tag, counter 0), and what
 * is not as usual: two (the second instance), alone, absent, at= (ms), and so on.  A mark is
 * TAG:EXPIRED/STALE/EXPIRE_AT, `-` for what is unset.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model.h"

const char *const model_kind_names[N_MODEL_KINDS] = {
    [MODEL_GET] = "get",         [MODEL_PUT] = "put",         [MODEL_REMOVE] = "remove",
    [MODEL_LIST] = "list",       [MODEL_CLAIM] = "claim",     [MODEL_RELEASE] = "release",
    [MODEL_READ] = "read",       [MODEL_WRITE] = "write",     [MODEL_LOOK] = "look",
    [MODEL_RAISE] = "raise",     [MODEL_BUMP] = "bump",       [MODEL_LINK] = "link",
    [MODEL_KEYS_OF] = "keys_of", [MODEL_TAGS_OF] = "tags_of", [MODEL_LIST_MARKS] = "list_marks"};

struct larder_bytes model_name(unsigned i, bool strict) {
    static const struct {
        const char *bytes;
        size_t len;
    } names[] = {{"x", 1}, {"X", 1}, {"x/", 2}, {"x\0", 2}, {"xy", 2}};
    i += i == MODEL_NAMES - 1 && strict;
    return (struct larder_bytes){(const uint8_t *)names[i].bytes, names[i].len};
}

/* What a step of a kind is about: 'k', 't' or 'c'; 0: nothing alone. */
static char letter_of(enum model_kind kind) {
    switch (kind) {
    case MODEL_LIST:
    case MODEL_LIST_MARKS:
    case MODEL_READ:
    case MODEL_WRITE: return 0;
    case MODEL_LOOK:
    case MODEL_RAISE:
    case MODEL_BUMP: return 'c';
    case MODEL_KEYS_OF: return 't';
    default: return 'k';
    }
}

static bool has_marks(enum model_kind kind) {
    return kind == MODEL_READ || kind == MODEL_WRITE || kind == MODEL_BUMP || kind == MODEL_LINK;
}
static bool has_values(enum model_kind kind) {
    return kind == MODEL_WRITE || kind == MODEL_BUMP;
}

/* ---- printing ---------------------------------------------------------------------------------- */

struct printer {
    char *text;
    size_t len;
};

static void __attribute__((format(printf, 2, 3))) print(struct printer *p, const char *format, ...) {
    va_list args;
    va_start(args, format);
    int n = vsnprintf(p->text + p->len, MODEL_TEXT - p->len, format, args);
    va_end(args);
    if (n > 0)
        p->len += (size_t)n < MODEL_TEXT - p->len ? (size_t)n : MODEL_TEXT - p->len - 1;
}

static void print_member(struct printer *p, char before, int64_t member) {
    if (member == LARDER_UNSET)
        print(p, "%c-", before);
    else if (member == LARDER_NEW_EPOCH)
        print(p, "%cnew", before);
    else
        print(p, "%c%" PRId64, before, member);
}

static void print_number(struct printer *p, const char *name, int64_t number) {
    if (number != 0)
        print(p, " %s=%" PRId64, name, number);
}

static void print_step(struct printer *p, const struct model_step *s) {
    print(p, "%s", model_kind_names[s->kind]);
    if (letter_of(s->kind))
        print(p, " %c%u", letter_of(s->kind), s->name);
    for (size_t i = 0; i < s->n_marks; i++) {
        const struct model_mark *m = &s->marks[i];
        print(p, " t%u", m->tag);
        if (has_values(s->kind)) {
            print_member(p, ':', m->expired);
            print_member(p, '/', m->stale);
            print_member(p, '/', m->expire_at_ms);
        }
    }
    print_number(p, "len", s->len);
    print_number(p, "id", s->id);
    print_number(p, "epoch", s->epoch);
    print_number(p, "ttl", s->ttl_ms);
    print_number(p, "owner", s->owner);
    print_number(p, "limit", (int64_t)s->limit);
    print_number(p, "at", s->at_ms);
    print(p, "%s%s%s", s->if_absent ? " absent" : "", s->instance ? " two" : "", s->alone ? " alone" : "");
}

void model_print(const struct model_program *program, char text[MODEL_TEXT]) {
    struct printer p = {.text = text};
    print(&p, "window %u", program->window);
    for (size_t i = 0; i < program->n; i++) {
        print(&p, "; ");
        print_step(&p, &program->steps[i]);
    }
}

/* ---- parsing ----------------------------------------------------------------------------------- */

/* All of text[0 .. len): a number, within bounds. */
static bool number_of(const char *text, size_t len, int64_t min, int64_t max, int64_t *ret) {
    char copy[24], *end;
    if (len == 0 || len >= sizeof(copy) || text[0] == ' ' || text[0] == '+')
        return false;
    memcpy(copy, text, len);
    copy[len] = '\0';
    long long number = strtoll(copy, &end, 10);
    if (*end != '\0' || end == copy || number < min || number > max)
        return false;
    *ret = number;
    return true;
}

static bool member_of(const char *text, size_t len, bool epoch, int64_t *ret) {
    if (len == 1 && text[0] == '-') {
        *ret = LARDER_UNSET;
        return true;
    }
    if (epoch && len == 3 && memcmp(text, "new", 3) == 0) {
        *ret = LARDER_NEW_EPOCH;
        return true;
    }
    return number_of(text, len, -1000000000, 1000000000, ret);
}

static bool parse_mark(const char *word, size_t len, struct model_step *s) {
    int64_t tag;
    if (!has_marks(s->kind) || s->n_marks == MODEL_NAMES || len < 2 ||
        !number_of(word + 1, 1, 0, MODEL_NAMES - 1, &tag) || model_mark_for(s, (unsigned)tag))
        return false;
    struct model_mark m = {(uint8_t)tag, LARDER_UNSET, LARDER_UNSET, LARDER_UNSET};
    if (has_values(s->kind)) {
        const char *end = word + len, *first = word + 3;
        const char *second = len > 3 ? memchr(first, '/', len - 3) : NULL;
        const char *third = second ? memchr(second + 1, '/', (size_t)(end - second - 1)) : NULL;
        if (!third || word[2] != ':' ||
            !member_of(first, (size_t)(second - first), s->kind == MODEL_BUMP, &m.expired) ||
            !member_of(second + 1, (size_t)(third - second - 1), s->kind == MODEL_BUMP, &m.stale) ||
            !member_of(third + 1, (size_t)(end - third - 1), false, &m.expire_at_ms))
            return false;
    } else if (len != 2) {
        return false;
    }
    s->marks[s->n_marks++] = m;
    return true;
}

static bool parse_flag(const char *word, size_t len, struct model_step *s) {
    static const char *const flags[] = {"absent", "two", "alone"};
    for (int i = 0; i < 3; i++) {
        if (len != strlen(flags[i]) || memcmp(word, flags[i], len) != 0)
            continue;
        if (i == 0 && s->kind != MODEL_PUT && s->kind != MODEL_WRITE)
            return false;
        s->if_absent |= i == 0;
        s->instance |= i == 1;
        s->alone |= i == 2;
        return true;
    }
    return false;
}

static bool parse_number(const char *word, size_t len, struct model_step *s) {
    static const struct {
        const char *name;
        int64_t min, max;
    } numbers[] = {{"len", 0, 1 << 24},   {"id", 0, UINT32_MAX}, {"epoch", INT64_MIN, INT64_MAX},
                   {"ttl", 0, INT64_MAX}, {"owner", 0, 255},     {"limit", 0, INT64_MAX},
                   {"at", 0, 1000000000}};
    const char *eq = memchr(word, '=', len);
    size_t name_len = eq ? (size_t)(eq - word) : 0;
    for (size_t i = 0; eq && i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        int64_t number;
        if (strlen(numbers[i].name) != name_len || memcmp(numbers[i].name, word, name_len) != 0)
            continue;
        if (!number_of(eq + 1, len - name_len - 1, numbers[i].min, numbers[i].max, &number))
            return false;
        switch (i) {
        case 0: s->len = (uint32_t)number; break;
        case 1: s->id = (uint32_t)number; break;
        case 2: s->epoch = number; break;
        case 3: s->ttl_ms = number; break;
        case 4: s->owner = (uint8_t)number; break;
        case 5: s->limit = (uint64_t)number; break;
        default: s->at_ms = number; break;
        }
        return true;
    }
    return false;
}

/* The next word of a step, up to a blank, `;` or the end; 0: there is none. */
static size_t next_word(const char **at) {
    *at += strspn(*at, " \t\n");
    return strcspn(*at, " \t\n;");
}

static bool parse_step(const char **at, struct model_step *s) {
    size_t len = next_word(at);
    unsigned kind = 0;
    while (kind < N_MODEL_KINDS &&
           (strlen(model_kind_names[kind]) != len || memcmp(model_kind_names[kind], *at, len) != 0))
        kind++;
    if (kind == N_MODEL_KINDS)
        return false;
    *s = (struct model_step){.kind = (enum model_kind)kind};
    *at += len;
    const char letter = letter_of(s->kind);
    bool named = letter == 0;
    while ((len = next_word(at)) > 0) {
        int64_t name;
        if (!named && len == 2 && **at == letter && number_of(*at + 1, 1, 0, MODEL_NAMES - 1, &name)) {
            s->name = (uint8_t)name;
            named = true;
        } else if (!(**at == 't' && parse_mark(*at, len, s)) && !parse_flag(*at, len, s) &&
                   !parse_number(*at, len, s)) {
            return false;
        }
        *at += len;
    }
    return named;
}

/* Of several marks that are written if absent, the answer does not say which were: where ops
 * overlap, nothing could be checked. */
static bool is_clear(const struct model_program *p) {
    for (size_t i = 0; i < p->n; i++) {
        const struct model_step *s = &p->steps[i];
        if (s->kind == MODEL_WRITE && s->if_absent && s->n_marks != 1 && p->window > 1)
            return false;
    }
    return true;
}

/* Two puts of one id could not be told apart. */
static bool ids_differ(const struct model_program *p) {
    for (size_t i = 0; i < p->n; i++) {
        for (size_t j = 0; j < i; j++) {
            if (p->steps[i].kind == MODEL_PUT && p->steps[j].kind == MODEL_PUT &&
                p->steps[i].id == p->steps[j].id)
                return false;
        }
    }
    return true;
}

bool model_parse(const char *text, struct model_program *ret, char ret_error[128]) {
    const char *at = text;
    int64_t window = 0;
    memset(ret, 0, sizeof(*ret));
    size_t len = next_word(&at);
    bool sound = len == 6 && memcmp(at, "window", 6) == 0;
    if (sound) {
        at += len;
        len = next_word(&at);
        sound = number_of(at, len, 1, MODEL_WINDOW, &window);
        at += len;
        sound = sound && next_word(&at) == 0;
    }
    ret->window = (unsigned)window;
    while (sound && *at == ';') {
        at++;
        sound = ret->n < MODEL_STEPS && parse_step(&at, &ret->steps[ret->n]);
        ret->n += sound;
    }
    if (!sound)
        snprintf(ret_error, 128, "step %zu, at \"%.60s\"", ret->n + 1, at);
    else if (*at != '\0')
        snprintf(ret_error, 128, "at \"%.60s\"", at);
    else if (!is_clear(ret))
        snprintf(ret_error, 128, "several marks if absent, among ops that overlap");
    else if (!ids_differ(ret))
        snprintf(ret_error, 128, "two puts have the same id");
    else
        return true;
    return false;
}
