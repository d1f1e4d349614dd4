#include "opennext.h"

#include <string.h>

#include "larder/merge.h"

/* ---- keys --------------------------------------------------------------------------------------- */

enum { MOST_TEXT = OPENNEXT_MAX_BUILD_ID + 6 + DDB_MAX_NAME }; /* BUILD/_tag/TAG */

struct path {
    uint8_t bytes[MOST_TEXT + 1];
    size_t len;
    size_t root; /* what ".." cannot take away: "/" in front, and each ".." that is kept */
    bool absolute;
};

static void add_segment(struct path *path, struct larder_bytes segment) {
    if (path->len > 0 && path->bytes[path->len - 1] != '/')
        path->bytes[path->len++] = '/';
    memcpy(path->bytes + path->len, segment.ptr, segment.len);
    path->len += segment.len;
}

static void go_up(struct path *path) {
    static const struct larder_bytes up = {(const uint8_t *)"..", 2};
    if (path->len > path->root) {
        while (path->len > path->root && path->bytes[path->len - 1] != '/')
            path->len--;
        if (path->len > path->root)
            path->len--;
    } else if (!path->absolute) {
        add_segment(path, up);
        path->root = path->len;
    }
}

/* path.posix.normalize() of Node.js, for a text that is not empty:
 * https://nodejs.org/api/path.html#pathnormalizepath */
static void normalize(struct larder_bytes text, struct path *ret) {
    *ret = (struct path){.absolute = text.ptr[0] == '/'};
    if (ret->absolute)
        ret->bytes[ret->len++] = '/';
    ret->root = ret->len;
    for (size_t at = 0; at < text.len;) {
        const uint8_t *slash = memchr(text.ptr + at, '/', text.len - at);
        size_t len = slash ? (size_t)(slash - text.ptr) - at : text.len - at;
        struct larder_bytes segment = {text.ptr + at, len};
        if (len == 2 && memcmp(segment.ptr, "..", 2) == 0)
            go_up(ret);
        else if (len > 0 && !(len == 1 && segment.ptr[0] == '.'))
            add_segment(ret, segment);
        at += len + 1;
    }
    if (ret->len == 0)
        ret->bytes[ret->len++] = '.';
    if (text.ptr[text.len - 1] == '/' && ret->bytes[ret->len - 1] != '/')
        ret->bytes[ret->len++] = '/';
}

/* name may be empty: then what comes is what other keys begin with. */
static void join(const char *build_id, const char *between, struct larder_bytes name, struct path *ret) {
    uint8_t text[MOST_TEXT];
    size_t len = strlen(build_id), more = strlen(between);
    memcpy(text, build_id, len);
    memcpy(text + len, between, more);
    len += more;
    if (name.len > 0)
        memcpy(text + len, name.ptr, name.len);
    normalize((struct larder_bytes){text, len + name.len}, ret);
}

void opennext_prefix(const char *build_id, bool original, char out[OPENNEXT_MAX_KEY]) {
    struct path path;
    join(build_id, original ? "/" : "/_tag/", (struct larder_bytes){0}, &path);
    memcpy(out, path.bytes, path.len);
    out[path.len] = '\0';
}

struct larder_bytes opennext_namespace(struct larder_bytes tag) {
    const uint8_t *slash = tag.len > 0 ? memchr(tag.ptr, '/', tag.len) : NULL;
    return (struct larder_bytes){tag.ptr, slash ? (size_t)(slash - tag.ptr) : 0};
}

/* ~ and 32 hex digits: the core's, for a tag that it cannot hand over as it is. */
static bool looks_hashed(struct larder_bytes tag) {
    if (tag.len != 33 || tag.ptr[0] != '~')
        return false;
    for (size_t i = 1; i < tag.len; i++) {
        if (!((tag.ptr[i] >= '0' && tag.ptr[i] <= '9') || (tag.ptr[i] >= 'a' && tag.ptr[i] <= 'f')))
            return false;
    }
    return true;
}

static bool begins_with(struct larder_bytes bytes, const char *text) {
    size_t len = strlen(text);
    return bytes.len >= len && memcmp(bytes.ptr, text, len) == 0;
}

/* A name of this build's into one of the rooms; false: it would be another build's, or is too long. */
static bool name_in_build(const struct ddb_names *names, struct larder_bytes name,
                          uint8_t room[OPENNEXT_MAX_KEY], struct larder_bytes *ret) {
    struct path path;
    join(names->build_id, names->original ? "/" : "/_tag/", name, &path);
    if (path.len > OPENNEXT_MAX_KEY ||
        !begins_with((struct larder_bytes){path.bytes, path.len}, names->build_prefix))
        return false;
    memcpy(room, path.bytes, path.len);
    *ret = (struct larder_bytes){room, path.len};
    return true;
}

/* What stands behind the namespace, unless it is nothing, or the core's hash. */
static bool take_tag(const struct ddb_names *names, struct larder_bytes tag, struct opennext_key *ret) {
    size_t ns = opennext_namespace(tag).len;
    if (ns == 0 || ns + 1 == tag.len || tag.len > DDB_MAX_NAME)
        return false;
    const struct larder_bytes own = {tag.ptr + ns + 1, tag.len - ns - 1};
    return !looks_hashed(own) && name_in_build(names, own, ret->room[0], &ret->tag);
}

/* In the paths of the original mode.  It sorts before all that begins with a letter, for OpenNext reads no more than
 * the first megabyte of a tag's items; and each tag's is another, for where a tag of a route is revalidated OpenNext
 * looks for the other tags of its paths. */
static const char twins[] = "!larder/";

bool opennext_twin(const struct ddb_names *names, struct larder_bytes tag, struct opennext_key *ret) {
    if (!take_tag(names, tag, ret))
        return false;
    ret->path = ret->tag;
    if (!names->original)
        return true;
    size_t prefix = strlen(names->build_prefix), between = sizeof(twins) - 1;
    if (ret->tag.len + between > OPENNEXT_MAX_KEY)
        return false;
    memcpy(ret->room[1], names->build_prefix, prefix);
    memcpy(ret->room[1] + prefix, twins, between);
    memcpy(ret->room[1] + prefix + between, ret->tag.ptr + prefix, ret->tag.len - prefix);
    ret->path = (struct larder_bytes){ret->room[1], ret->tag.len + between};
    return true;
}

static bool is_behind_prefix(const struct ddb_names *names, struct larder_bytes name, const char *text) {
    size_t prefix = strlen(names->build_prefix);
    return begins_with(name, names->build_prefix) &&
           begins_with((struct larder_bytes){name.ptr + prefix, name.len - prefix}, text);
}

bool opennext_is_twin_path(const struct ddb_names *names, struct larder_bytes path) {
    return is_behind_prefix(names, path, twins);
}

bool opennext_is_soft(const struct ddb_names *names, struct larder_bytes tag) {
    return is_behind_prefix(names, tag, "_N_T_/");
}

/* The key of an op is NAMESPACE/BUILD/KIND/KEY. */
bool opennext_member(const struct ddb_names *names, struct larder_bytes key, struct larder_bytes tag,
                     struct opennext_key *ret) {
    for (int i = 0; i < 3; i++) {
        const uint8_t *slash = key.len > 0 ? memchr(key.ptr, '/', key.len) : NULL;
        if (!slash)
            return false;
        key = (struct larder_bytes){slash + 1, key.len - (size_t)(slash + 1 - key.ptr)};
    }
    return key.len > 0 && key.len <= DDB_MAX_NAME && !looks_hashed(key) && take_tag(names, tag, ret) &&
           name_in_build(names, key, ret->room[1], &ret->path);
}

void opennext_text_key(struct ddb_text *t, const struct opennext_key *key) {
    ddb_text_json(t, "'tag':{'S':'");
    ddb_text_escaped(t, key->tag);
    ddb_text_json(t, "'},'path':{'S':'");
    ddb_text_escaped(t, key->path);
    ddb_text_json(t, "'}");
}

/* ---- marks --------------------------------------------------------------------------------------- */

static struct larder_mark no_mark(struct larder_bytes tag) {
    return (struct larder_mark){tag, LARDER_UNSET, LARDER_UNSET, LARDER_UNSET};
}

/* What an item shows.  revalidatedAt is taken a moment after stale, from the same clock. */
static struct larder_mark shown(const struct ddb_twin *item, struct larder_bytes tag) {
    struct larder_mark mark = no_mark(tag);
    if (item->revalidated_at <= OPENNEXT_MEMBER)
        return mark;
    if (item->stale == LARDER_UNSET) {
        mark.expired_epoch = item->revalidated_at;
    } else {
        mark.stale_epoch = larder_merge_max(item->stale, item->revalidated_at);
        mark.expire_at_ms = item->expire;
    }
    return mark;
}

/* One revalidation is all that an item has room for: with two, the newer one counts as the harder. */
static void show(struct ddb_twin *item, const struct larder_mark *mark) {
    bool gone = mark->expired_epoch != LARDER_UNSET;
    item->revalidated_at = opennext_epoch(mark);
    item->stale = gone ? LARDER_UNSET : mark->stale_epoch;
    item->expire = gone ? LARDER_UNSET : mark->expire_at_ms;
    item->written = item->revalidated_at;
}

bool opennext_wrote_last(const struct ddb_twin *item) {
    return item->written == LARDER_UNSET || item->written != item->revalidated_at;
}

bool opennext_mark(const struct ddb_twin *item, struct larder_bytes tag, int64_t now_ms,
                   struct larder_mark *ret) {
    *ret = (struct larder_mark){tag, item->foreign_expired, item->foreign_stale, item->foreign_expire_at};
    if (opennext_wrote_last(item)) {
        const struct larder_mark news = shown(item, tag);
        *ret = larder_merge_mark(ret, &news, now_ms);
    }
    return opennext_epoch(ret) != LARDER_UNSET;
}

bool opennext_merge(const struct ddb_twin *stored, const struct larder_mark *add, int64_t now_ms,
                    struct ddb_twin *ret) {
    const struct larder_mark old = shown(stored, add->tag);
    const struct larder_mark merged = larder_merge_mark(&old, add, now_ms);
    struct larder_mark foreign;
    *ret = *stored;
    if (opennext_mark(stored, add->tag, now_ms, &foreign)) {
        ret->foreign_expired = foreign.expired_epoch;
        ret->foreign_stale = foreign.stale_epoch;
        ret->foreign_expire_at = foreign.expire_at_ms;
    }
    show(ret, &merged);
    return ret->revalidated_at != stored->revalidated_at || ret->stale != stored->stale ||
           ret->expire != stored->expire;
}
