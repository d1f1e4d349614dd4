#include <string.h>

#include "opennext.h"
#include "opennext_forms.h"

static const struct {
    const char *name, *ending;
    enum opennext_folder folder;
    bool has_slash; /* keys begin with one, which is not in names */
} kinds[] = {
    [FRAME_PAGE] = {"page", ".cache", OPENNEXT_BUILD, true},
    [FRAME_FETCH] = {"fetch", "", OPENNEXT_FETCH, false},
    [FRAME_USE_CACHE] = {"use-cache", ".composable", OPENNEXT_BUILD, false},
};

enum { N_KINDS = sizeof(kinds) / sizeof(kinds[0]) };

/* Whether path.posix.join() leaves it as it is: no "//", no part "." or "..". */
static bool is_normal(struct larder_bytes path) {
    for (size_t at = 0; at <= path.len;) {
        const uint8_t *slash = at < path.len ? memchr(path.ptr + at, '/', path.len - at) : NULL;
        const size_t len = slash ? (size_t)(slash - path.ptr) - at : path.len - at;
        const struct larder_bytes part = {path.ptr + at, len};
        if (aws_is(part, ".") || aws_is(part, "..") || (len == 0 && slash))
            return false;
        at += len + 1;
    }
    return true;
}

/* ~ and 32 hex digits: the core's, for a key that it cannot hand over as it is. */
static bool looks_hashed(struct larder_bytes key) {
    if (key.len != 33 || key.ptr[0] != '~')
        return false;
    for (size_t i = 1; i < key.len; i++) {
        if (!strchr("0123456789abcdef", key.ptr[i]) || key.ptr[i] == '\0')
            return false;
    }
    return true;
}

/* The rest behind the next slash; false: there is none. */
static bool cut(struct larder_bytes *rest, struct larder_bytes *ret_part) {
    const uint8_t *slash = rest->len > 0 ? memchr(rest->ptr, '/', rest->len) : NULL;
    if (!slash)
        return false;
    *ret_part = (struct larder_bytes){rest->ptr, (size_t)(slash - rest->ptr)};
    *rest = (struct larder_bytes){slash + 1, rest->len - ret_part->len - 1};
    return true;
}

void opennext_add_folder(const struct opennext *o, enum opennext_folder folder, struct aws_text *out) {
    aws_text_adds(out, o->prefix);
    aws_text_adds(out, o->prefix[0] != '\0' ? "/" : "");
    aws_text_adds(out, folder == OPENNEXT_FETCH ? "__fetch/" : "");
    aws_text_adds(out, o->build);
    aws_text_adds(out, "/");
}

/* What stands behind the folder, and before the ending. */
static bool is_own(uint32_t kind, struct larder_bytes key, struct larder_bytes *ret_path) {
    if (looks_hashed(key))
        return false;
    if (kinds[kind].has_slash && (key.len == 0 || key.ptr[0] != '/'))
        return false;
    *ret_path = (struct larder_bytes){key.ptr + kinds[kind].has_slash, key.len - kinds[kind].has_slash};
    return ret_path->len > 0 && is_normal(*ret_path) && opennext_is_utf8(*ret_path) &&
           !memchr(ret_path->ptr, '\0', ret_path->len);
}

bool opennext_name(const struct opennext *o, struct larder_bytes key, struct aws_text *name,
                   uint32_t *ret_kind, struct larder_bytes *ret_key) {
    struct larder_bytes ns, build, kind, path;
    if (!cut(&key, &ns) || !cut(&key, &build) || !cut(&key, &kind))
        return false;
    for (uint32_t i = 1; i < N_KINDS; i++) {
        if (!kinds[i].name || !aws_is(kind, kinds[i].name))
            continue;
        const size_t before = name->len;
        if (!is_own(i, key, &path))
            return false;
        opennext_add_folder(o, kinds[i].folder, name);
        aws_text_add(name, path.ptr, path.len);
        aws_text_adds(name, kinds[i].ending);
        *ret_kind = i;
        *ret_key = key;
        return name->len - before <= S3_MAX_NAME;
    }
    return false;
}

bool opennext_read_name(enum opennext_folder folder, struct larder_bytes name, uint32_t *ret_kind,
                        uint8_t *out, size_t *ret_len) {
    for (uint32_t i = 1; i < N_KINDS; i++) {
        if (!kinds[i].name || kinds[i].folder != folder)
            continue;
        const size_t ending = strlen(kinds[i].ending);
        struct larder_bytes path;
        if (name.len <= ending || memcmp(name.ptr + name.len - ending, kinds[i].ending, ending) != 0)
            continue;
        out[0] = '/';
        memcpy(out + kinds[i].has_slash, name.ptr, name.len - ending);
        *ret_kind = i;
        *ret_len = name.len - ending + kinds[i].has_slash;
        return is_own(i, (struct larder_bytes){out, *ret_len}, &path);
    }
    return false;
}
