#include "aws_profile.h"

#include <stdlib.h>
#include <string.h>

struct aws_property {
    struct aws_property *next;
    char *profile, *name, *value; /* name "": the profile's own header */
};

static bool is_space(uint8_t c) {
    return c == ' ' || c == '\t' || c == '\r';
}

static struct larder_bytes trim(struct larder_bytes text) {
    while (text.len > 0 && is_space(text.ptr[0]))
        text = (struct larder_bytes){text.ptr + 1, text.len - 1};
    while (text.len > 0 && is_space(text.ptr[text.len - 1]))
        text.len--;
    return text;
}

static struct larder_bytes until(struct larder_bytes text, size_t len) {
    return (struct larder_bytes){text.ptr, len};
}

static struct larder_bytes from(struct larder_bytes text, size_t at) {
    return (struct larder_bytes){text.ptr + at, text.len - at};
}

/* A comment begins with # or ; behind a space. */
static struct larder_bytes without_comment(struct larder_bytes text) {
    for (size_t i = 1; i < text.len; i++)
        if ((text.ptr[i] == '#' || text.ptr[i] == ';') && is_space(text.ptr[i - 1]))
            return trim(until(text, i));
    return text;
}

static struct larder_bytes read_line(struct larder_bytes *text) {
    const uint8_t *end = memchr(text->ptr, '\n', text->len);
    const struct larder_bytes line = until(*text, end ? (size_t)(end - text->ptr) : text->len);
    *text = from(*text, line.len + (end != NULL));
    return line;
}

/* The name of the profile that a section is; len 0: it is something else. */
static struct larder_bytes read_section(struct larder_bytes line, bool is_config) {
    static const char word[] = "profile";
    const uint8_t *end = memchr(line.ptr, ']', line.len);
    struct larder_bytes name = end ? trim(until(from(line, 1), (size_t)(end - line.ptr) - 1))
                                   : (struct larder_bytes){0};
    const bool has_word = name.len > sizeof(word) - 1 && memcmp(name.ptr, word, sizeof(word) - 1) == 0 &&
                          is_space(name.ptr[sizeof(word) - 1]);
    if (!is_config || aws_is(name, "default"))
        return name;
    return has_word ? trim(from(name, sizeof(word) - 1)) : (struct larder_bytes){0};
}

static bool add(struct aws_profiles *profiles, const char *profile, struct larder_bytes name,
                struct larder_bytes value) {
    struct aws_property *p = calloc(1, sizeof(*p));
    if (!p)
        return false;
    *(profiles->last ? &profiles->last->next : &profiles->first) = p;
    profiles->last = p;
    return aws_copy(&p->profile, profile) && aws_copy_bytes(&p->name, name) &&
           aws_copy_bytes(&p->value, value);
}

bool aws_profiles_add(struct aws_profiles *profiles, struct larder_bytes text, bool is_config) {
    char *profile = NULL;
    bool ok = true;
    while (ok && text.len > 0) {
        const struct larder_bytes raw = read_line(&text), line = trim(raw);
        /* A line that is set in belongs to the value above: nested settings, none of which we know. */
        if (line.len == 0 || is_space(raw.ptr[0]) || line.ptr[0] == '#' || line.ptr[0] == ';')
            continue;
        /* No name and no value has a NUL, where it would end early: such a line says nothing. */
        const bool has_nul = memchr(line.ptr, '\0', line.len) != NULL;
        if (line.ptr[0] == '[') {
            struct larder_bytes name = read_section(line, is_config);
            if (has_nul)
                name.len = 0;
            aws_wipe(&profile);
            ok = name.len == 0 ||
                 (aws_copy_bytes(&profile, name) &&
                  add(profiles, profile, (struct larder_bytes){0}, (struct larder_bytes){0}));
            continue;
        }
        const uint8_t *equals = memchr(line.ptr, '=', line.len);
        if (!profile || !equals || has_nul)
            continue;
        const size_t at = (size_t)(equals - line.ptr);
        ok = add(profiles, profile, trim(until(line, at)), without_comment(trim(from(line, at + 1))));
    }
    aws_wipe(&profile);
    return ok;
}

void aws_profiles_done(struct aws_profiles *profiles) {
    while (profiles->first) {
        struct aws_property *p = profiles->first;
        profiles->first = p->next;
        aws_wipe(&p->profile);
        aws_wipe(&p->name);
        aws_wipe(&p->value);
        free(p);
    }
    profiles->last = NULL;
}

static const char *find(const struct aws_profiles *profiles, const char *profile, const char *name) {
    for (const struct aws_property *p = profiles->first; p; p = p->next)
        if (strcmp(p->profile, profile) == 0 && strcmp(p->name, name) == 0)
            return p->value;
    return NULL;
}

bool aws_profile_exists(const struct aws_profiles *profiles, const char *profile) {
    return find(profiles, profile, "") != NULL;
}

const char *aws_profile_get(const struct aws_profiles *profiles, const char *profile, const char *name) {
    const char *value = find(profiles, profile, name);
    return aws_given(value) ? value : NULL;
}
