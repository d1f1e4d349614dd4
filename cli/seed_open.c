/*
 * The cache folder of an OpenNext build, `.open-next/cache`: BUILD/PATH.cache for each page, a JSON object with
 * the members type, meta, html, json, rsc, body and segmentData; and __fetch/BUILD/KEY, as Next.js has it.
 */
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "bytes.h"
#include "seed.h"

enum { DEPTH = 64 };

/* ---- base64 -------------------------------------------------------------------------------------------- */

/* Bodies of these types are base64 in the file; those of others are texts. */
static const char *const binary_types[] = {
    "application/octet-stream",
    "application/epub+zip",
    "application/msword",
    "application/pdf",
    "application/rtf",
    "application/vnd.amazon.ebook",
    "application/vnd.ms-excel",
    "application/vnd.ms-powerpoint",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "font/otf",
    "font/woff",
    "font/woff2",
    "image/bmp",
    "image/gif",
    "image/jpeg",
    "image/png",
    "image/tiff",
    "image/vnd.microsoft.icon",
    "image/webp",
    "audio/3gpp",
    "audio/aac",
    "audio/basic",
    "audio/flac",
    "audio/mpeg",
    "audio/ogg",
    "audio/wavaudio/webm",
    "audio/x-aiff",
    "audio/x-midi",
    "audio/x-wav",
    "video/3gpp",
    "video/mp2t",
    "video/mpeg",
    "video/ogg",
    "video/quicktime",
    "video/webm",
    "video/x-msvideo",
    "application/java-archive",
    "application/vnd.apple.installer+xml",
    "application/x-7z-compressed",
    "application/x-apple-diskimage",
    "application/x-bzip",
    "application/x-bzip2",
    "application/x-gzip",
    "application/x-java-archive",
    "application/x-rar-compressed",
    "application/x-tar",
    "application/x-zip",
    "application/zip",
    "application/x-protobuf",
};

static bool is_binary(struct larder_bytes type) {
    const uint8_t *end = type.len > 0 ? memchr(type.ptr, ';', type.len) : NULL;
    if (end)
        type.len = (size_t)(end - type.ptr);
    for (size_t i = 0; i < sizeof binary_types / sizeof binary_types[0]; i++) {
        if (bytes_equal(type, bytes_of_text(binary_types[i])))
            return true;
    }
    return false;
}

static int digit_of(uint8_t c) {
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* false: it is none. */
static bool decode_base64(struct seed_entry *entry, struct larder_bytes text, struct larder_bytes *ret) {
    uint8_t *out = seed_keep(entry, text.len / 4 * 3 + 3);
    uint32_t bits = 0;
    unsigned held = 0;
    size_t n = 0;
    while (text.len > 0 && text.ptr[text.len - 1] == '=')
        text.len--;
    for (size_t i = 0; out && i < text.len; i++) {
        int digit = digit_of(text.ptr[i]);
        if (digit < 0)
            return false;
        bits = bits << 6 | (uint32_t)digit;
        held += 6;
        if (held >= 8)
            out[n++] = (uint8_t)(bits >> (held -= 8));
    }
    *ret = (struct larder_bytes){out, n};
    return true;
}

/* ---- one page ---------------------------------------------------------------------------------------------- */

static struct seed_bytes text_of(struct seed_job *job, struct span value) {
    return (struct seed_bytes){seed_characters(&job->made, value), value.type == SPAN_TEXT};
}

static bool read_body(struct seed_job *job, struct seed_source *source, struct span root) {
    struct span type = span_member(span_member(source->meta, "headers"), "content-type");
    source->body = text_of(job, span_member(root, "body"));
    return !is_binary(seed_characters(&job->made, type)) ||
           decode_base64(&job->made, source->body.bytes, &source->body.bytes);
}

static void read_segments(struct seed_job *job, struct seed_source *source, struct span data) {
    struct span_walk walk = {0};
    size_t n = 0;
    source->has_segments = span_member(source->meta, "segmentPaths").type == SPAN_ARRAY;
    while (span_next(data, &walk))
        n++;
    struct seed_segment *segments = seed_keep(&job->made, n * sizeof *segments);
    walk = (struct span_walk){0};
    while (segments && source->n_segments < n && span_next(data, &walk)) {
        struct larder_bytes bytes = seed_characters(&job->made, walk.value);
        if (source->rsc.there && bytes_equal(bytes, source->rsc.bytes))
            bytes = source->rsc.bytes;
        segments[source->n_segments++] = (struct seed_segment){seed_characters(&job->made, walk.name), bytes};
    }
    source->segments = segments;
}

/* What is wrong with it; NULL: nothing. */
static const char *read_page(struct seed_job *job, struct seed_source *source, struct span root) {
    struct span type = span_member(root, "type"), postponed;
    source->next_major = job->seed->next_major;
    source->meta = span_member(root, "meta");
    source->html = text_of(job, span_member(root, "html"));
    source->rsc = text_of(job, span_member(root, "rsc"));
    postponed = span_member(source->meta, "postponed");
    if (source->next_major >= 15 && postponed.type != SPAN_NONE && postponed.type != SPAN_NULL)
        source->rsc = (struct seed_bytes){0};
    if (span_is_text(type, "route")) {
        source->shape = SEED_ROUTE;
        return read_body(job, source, root) ? NULL : "its body is no base64";
    }
    if (!source->html.there)
        return "it has no html";
    if (span_is_text(type, "page")) {
        source->shape = SEED_PAGES;
        source->page_data = span_member(root, "json");
    } else if (span_is_text(type, "app")) {
        source->shape = SEED_APP_PAGE;
        if (source->next_major >= 15)
            read_segments(job, source, span_member(root, "segmentData"));
    } else {
        return "it is neither app, page nor route";
    }
    return NULL;
}

static struct larder_bytes key_of(struct seed_job *job, const struct seed_source *source, const char *path) {
    static const char ending[] = ".cache";
    struct span key = span_member(span_member(source->meta, "routeCache"), "key");
    if (key.type == SPAN_TEXT)
        return seed_characters(&job->made, key);
    const size_t len = strlen(path) - strlen(ending);
    char *copy = seed_keep(&job->made, len);
    if (copy)
        memcpy(copy, path, len);
    return (struct larder_bytes){(const uint8_t *)copy, copy ? len : 0};
}

/* path: what stands behind the build's folder: "/blog/1.cache". */
static void take_page(struct seed *seed, const char *file, const char *path, int64_t modified_ms) {
    struct seed_job *job = seed_job_new(seed, file);
    struct seed_source source = {0};
    struct span root;
    bool there;
    if (job == NULL)
        return;
    if (seed_read_json(job, file, &root, &there)) {
        const char *wrong = read_page(job, &source, root);
        struct span control = span_member(source.meta, "cacheControl");
        source.key = key_of(job, &source, path);
        if (wrong == NULL) {
            seed_job_send(job, &source, modified_ms, span_member(control, "revalidate"),
                          span_member(control, "expire"));
            return;
        }
        seed_complain(seed, file, "%s: was it written by another version of OpenNext?", wrong);
    }
    seed_job_free(job);
}

/* ---- folders -------------------------------------------------------------------------------------------------- */

static bool ends_with(const char *text, const char *ending) {
    size_t len = strlen(text), n = strlen(ending);
    return len > n && memcmp(text + len - n, ending, n) == 0;
}

static void walk(struct seed *seed, const char *folder, size_t n_root, int depth) {
    DIR *dir = opendir(folder);
    const struct dirent *found;
    if (dir == NULL) {
        seed_complain(seed, folder, "it cannot be read: %s", cli_errno());
        return;
    }
    while (!seed_stopped(seed) && (found = readdir(dir)) != NULL) {
        struct stat about;
        if (strcmp(found->d_name, ".") == 0 || strcmp(found->d_name, "..") == 0)
            continue;
        char *path = seed_path(folder, found->d_name);
        if (path && stat(path, &about) == 0) {
            if (S_ISDIR(about.st_mode) && depth < DEPTH)
                walk(seed, path, n_root, depth + 1);
            else if (S_ISREG(about.st_mode) && ends_with(path, ".cache"))
                take_page(seed, path, path + n_root,
                          about.st_mtim.tv_sec * 1000 + about.st_mtim.tv_nsec / 1000000);
        }
        free(path);
    }
    closedir(dir);
}

/* Copies: when they were fetched is told by the originals alone, beside it. */
static int walk_fetches(struct seed *seed, const char *root) {
    char *all = seed_path(root, "__fetch"), *folder = all ? seed_path(all, seed->build) : NULL;
    char *originals = seed_path(root, "../../.next/cache/fetch-cache");
    bool any = false, known = false;
    int code = CODE_DONE;
    if (folder && originals) {
        (void)seed_fetches_are_older(seed, folder, &any);
        seed->older_fetches = seed_fetches_are_older(seed, originals, &known) || !known;
        seed->older_fetches = seed->older_fetches && any && seed->at_ms > 0;
        if (any)
            code = seed_walk_fetches(seed, folder, seed->older_fetches);
    } else {
        code = cli_failed(seed->cli, LARDER_NOMEM, "out of memory");
    }
    free(all);
    free(folder);
    free(originals);
    return code;
}

int seed_walk_open(struct seed *seed, const char *root) {
    char *folder = seed_path(root, seed->build);
    int code = folder ? walk_fetches(seed, root) : cli_failed(seed->cli, LARDER_NOMEM, "out of memory");
    if (code == CODE_DONE && folder)
        walk(seed, folder, strlen(folder), 0);
    free(folder);
    return code == CODE_DONE && seed_stopped(seed) ? CODE_STORE : code;
}

/* The one folder of a build in there; NULL: there is none, or several. */
static char *build_in(const char *root) {
    DIR *dir = opendir(root);
    const struct dirent *found;
    char *build = NULL;
    size_t n = 0;
    while (dir && (found = readdir(dir)) != NULL) {
        struct stat about;
        if (found->d_name[0] == '.' || strcmp(found->d_name, "__fetch") == 0 ||
            fstatat(dirfd(dir), found->d_name, &about, 0) != 0 || !S_ISDIR(about.st_mode))
            continue;
        if (n++ == 0)
            build = strdup(found->d_name);
    }
    if (dir)
        closedir(dir);
    if (n != 1) {
        free(build);
        return NULL;
    }
    return build;
}

char *seed_open_build(const char *dir, char **ret_root) {
    char *root = seed_path(dir, "cache");
    char *build = root ? build_in(root) : NULL;
    if (build == NULL) {
        free(root);
        return NULL;
    }
    *ret_root = root;
    return build;
}
