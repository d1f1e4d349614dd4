/*
 * The output of `next build`: what prerender-manifest.json lists, in server/app and server/pages, and what was
 * fetched for it, in cache/fetch-cache.  As bindings/node/lib/seeds.js reads it for one page.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bytes.h"
#include "seed.h"

/* A page: where its files begin, "server/app/blog/1" without an ending. */
struct page {
    struct seed_job *job;
    const char *base;
    struct larder_bytes file; /* the path that the files have: "/index" for the root */
    bool fallback;            /* the shell of a route that is rendered for each path */
    struct span meta, listed; /* its .meta; its row in the manifest */
};

static char *path_of(const struct page *page, const char *ending) {
    size_t size = strlen(page->base) + strlen(ending) + 1;
    char *path = malloc(size);
    if (path)
        snprintf(path, size, "%s%s", page->base, ending);
    else
        page->job->made.no_memory = true;
    return path;
}

static bool read_part(const struct page *page, const char *ending, struct seed_bytes *ret,
                      int64_t *modified_ms) {
    char *path = path_of(page, ending);
    if (path == NULL)
        return false;
    bool read = seed_read(page->job, path, ret, modified_ms);
    free(path);
    return read;
}

/* true: it is there and good, or it is not there. */
static bool read_meta(struct page *page) {
    bool there;
    char *path = path_of(page, ".meta");
    if (path == NULL)
        return false;
    bool read = seed_read_json(page->job, path, &page->meta, &there);
    free(path);
    return read || !there;
}

static struct span first_of(struct span a, struct span b) {
    return a.type != SPAN_NONE && a.type != SPAN_NULL ? a : b;
}

static struct larder_bytes key_of(const struct page *page) {
    struct span key = span_member(span_member(page->meta, "routeCache"), "key");
    return key.type == SPAN_TEXT ? seed_characters(&page->job->made, key) : page->file;
}

/* It is stored already, as its .meta alone tells: the job ends here. */
static bool is_over(const struct page *page) {
    struct seed *seed = page->job->seed;
    if (!hashes_have(&seed->present, hash_of(key_of(page))))
        return false;
    seed_count(seed, &seed->counts.present);
    progress_add(&seed->progress, 1);
    seed_job_free(page->job);
    return true;
}

static void send_page(const struct page *page, struct seed_source *source, int64_t modified_ms) {
    struct span control = span_member(page->meta, "cacheControl");
    source->meta = page->meta;
    source->key = key_of(page);
    seed_job_send(
        page->job, source, modified_ms,
        first_of(
            span_member(control, "revalidate"),
            span_member(page->listed, page->fallback ? "fallbackRevalidate" : "initialRevalidateSeconds")),
        first_of(span_member(control, "expire"),
                 span_member(page->listed, page->fallback ? "fallbackExpire" : "initialExpireSeconds")));
}

/* ---- the app router ------------------------------------------------------------------------------------------ */

static bool equal_bytes(const struct seed_bytes *a, const struct seed_bytes *b) {
    return a->there && b->there && bytes_equal(a->bytes, b->bytes);
}

static void read_segments(struct page *page, struct seed_source *source) {
    struct span paths = span_member(page->meta, "segmentPaths");
    struct span_walk walk = {0};
    size_t n = 0;
    source->has_segments = paths.type == SPAN_ARRAY;
    while (source->has_segments && span_next(paths, &walk))
        n++;
    struct seed_segment *segments = seed_keep(&page->job->made, n * sizeof *segments);
    walk = (struct span_walk){0};
    while (segments && source->n_segments < n && span_next(paths, &walk)) {
        char ending[4200];
        struct seed_bytes data;
        struct larder_bytes path = seed_characters(&page->job->made, walk.value);
        if (path.len == 0 || path.len > 4000 || memmem(path.ptr, path.len, "..", 2))
            continue;
        snprintf(ending, sizeof ending, ".segments%.*s.segment.rsc", (int)path.len, (const char *)path.ptr);
        /* One that is missing is dynamic to Next.js.  "/_full" is the page's RSC data: stored once. */
        if (read_part(page, ending, &data, NULL))
            segments[source->n_segments++] = (struct seed_segment){
                path, equal_bytes(&data, &source->rsc) ? source->rsc.bytes : data.bytes};
    }
    source->segments = segments;
}

/* The static part of a page that is rendered to its end for each request: its RSC data would be sent as if it
 * were all. */
static bool is_shell(const struct page *page) {
    struct span postponed = span_member(page->meta, "postponed");
    return page->fallback || (postponed.type != SPAN_NONE && postponed.type != SPAN_NULL);
}

/* true: the job was sent on, or ended: it is not the caller's any more. */
static bool take_app(struct page *page) {
    struct seed_source source = {.next_major = page->job->seed->next_major};
    int64_t modified_ms = 0;
    const bool old = source.next_major < 15;
    if (!read_meta(page))
        return false;
    if (page->meta.type != SPAN_NONE && is_over(page))
        return true;
    if (page->meta.type != SPAN_NONE && read_part(page, ".body", &source.body, &modified_ms)) {
        source.shape = SEED_ROUTE;
        send_page(page, &source, modified_ms);
        return true;
    }
    if ((page->meta.type == SPAN_NONE && !old) || !read_part(page, ".html", &source.html, &modified_ms))
        return false;
    source.shape = SEED_APP_PAGE;
    /* Up to 14 a page of partial prerendering has its RSC data under another name. */
    bool rsc = read_part(page, ".rsc", &source.rsc, NULL);
    if (!rsc && old)
        rsc = read_part(page, ".prefetch.rsc", &source.rsc, NULL);
    if (is_shell(page) && !old)
        source.rsc = (struct seed_bytes){0};
    else if (!rsc)
        return false;
    if (!old)
        read_segments(page, &source);
    send_page(page, &source, modified_ms);
    return true;
}

/* ---- the pages router ------------------------------------------------------------------------------------------ */

static bool take_pages(struct page *page) {
    static const struct span nothing = {SPAN_OBJECT, {(const uint8_t *)"{}", 2}};
    struct seed_source source = {.shape = SEED_PAGES, .next_major = page->job->seed->next_major};
    struct seed_bytes json;
    int64_t modified_ms = 0;
    size_t at;
    if (!read_meta(page))
        return false;
    if (page->meta.type != SPAN_NONE && is_over(page))
        return true;
    if (!read_part(page, ".html", &source.html, &modified_ms))
        return false;
    source.page_data = nothing;
    if (!page->fallback) {
        if (!read_part(page, ".json", &json, NULL))
            return false;
        if (!span_document(json.bytes, &source.page_data, &at)) {
            seed_job_complain(page->job, page->job->file, "its .json is no JSON at byte %zu; build again",
                              at);
            return false;
        }
    }
    send_page(page, &source, modified_ms);
    return true;
}

/* ---- the manifest ---------------------------------------------------------------------------------------------- */

/* "/" -> "/index", "/index..." -> "/index/index...": as files and keys have it.  false: it would lead out of
 * the folder, or cannot be a file. */
static bool file_of(struct larder_bytes route, char *out, size_t size) {
    const struct larder_bytes index = bytes_of_text("/index");
    const char *before = "";
    if (route.len == 0 || route.ptr[0] != '/' || memchr(route.ptr, '\0', route.len))
        return false;
    if (bytes_equal(route, bytes_of_text("/")))
        route = index;
    else if (bytes_begin_with(route, index) && (route.len == index.len || route.ptr[index.len] == '/'))
        before = "/index";
    int len = snprintf(out, size, "%s%.*s", before, (int)route.len, (const char *)route.ptr);
    if (len < 0 || (size_t)len >= size)
        return false;
    for (const char *at = out; (at = strchr(at, '/')) != NULL;) {
        size_t segment = strcspn(++at, "/");
        if ((segment == 2 && memcmp(at, "..", 2) == 0) || (segment == 1 && *at == '.'))
            return false;
    }
    return true;
}

enum taken { TAKEN, ABSENT, FAILED };

/* One of the two routers has its files.  A job ends where it fails, so each has one of its own. */
static enum taken take(struct seed *seed, const char *router, const char *file, struct span listed,
                       bool fallback, bool (*take_files)(struct page *page)) {
    char base[8192];
    if ((size_t)snprintf(base, sizeof base, "%s/server/%s%s", seed->dir, router, file) >= sizeof base)
        return ABSENT;
    struct page page = {.job = seed_job_new(seed, base), .listed = listed, .fallback = fallback};
    if (page.job == NULL)
        return FAILED;
    page.base = page.job->file;
    page.file = bytes_of_text(page.base + strlen(page.base) - strlen(file));
    if (take_files(&page))
        return TAKEN;
    const bool failed = page.job->failed;
    seed_job_free(page.job);
    return failed ? FAILED : ABSENT;
}

static int take_route(struct seed *seed, struct span name, struct span listed, bool fallback) {
    char file[4096];
    struct seed_entry names = {0};
    const bool good = file_of(seed_characters(&names, name), file, sizeof file);
    seed_entry_done(&names);
    enum taken taken = FAILED;
    if (good) {
        taken = take(seed, "app", file, listed, fallback, take_app);
        if (taken == ABSENT)
            taken = take(seed, "pages", file, listed, fallback, take_pages);
    } else {
        seed_complain(seed, "prerender-manifest.json", "%.*s is the path of no file", (int)name.text.len,
                      (const char *)name.text.ptr);
    }
    if (taken == ABSENT && !fallback)
        seed_count(seed, &seed->counts.missing);
    if (taken != TAKEN && !fallback)
        progress_add(&seed->progress, 1);
    return seed_stopped(seed) ? CODE_STORE : CODE_DONE;
}

/* A shell has a file, though the manifest lists many routes that have none. */
static bool has_shell(const struct seed *seed, struct span listed) {
    struct span fallback = span_member(listed, "fallback");
    return seed->next_major >= 15 && fallback.type == SPAN_TEXT;
}

static int walk_manifest(struct seed *seed, struct span root) {
    struct span routes = span_member(root, "routes"), dynamic = span_member(root, "dynamicRoutes");
    struct span_walk walk = {0};
    int code = CODE_DONE;
    while (span_next(routes, &walk))
        seed->progress.total++;
    walk = (struct span_walk){0};
    while (code == CODE_DONE && span_next(routes, &walk))
        code = take_route(seed, walk.name, walk.value, false);
    walk = (struct span_walk){0};
    while (code == CODE_DONE && span_next(dynamic, &walk)) {
        if (has_shell(seed, walk.value))
            code = take_route(seed, walk.name, walk.value, true);
    }
    return code;
}

/* Mapped: of a large application it is tens of megabytes, read once from front to back. */
static int with_manifest(struct seed *seed, const char *path) {
    struct stat about;
    struct span root;
    size_t at;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &about) != 0 || about.st_size == 0) {
        int code = cli_usage(seed->cli, "%s cannot be read: %s; is %s the output of a next build that ended?",
                             path, fd < 0 ? cli_errno() : "it is empty", seed->dir);
        if (fd >= 0)
            close(fd);
        return code;
    }
    void *bytes = mmap(NULL, (size_t)about.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    close(fd);
    if (bytes == MAP_FAILED)
        return cli_failed(seed->cli, LARDER_NOMEM, "%s cannot be read: %s", path, cli_errno());
    int code;
    if (!span_document((struct larder_bytes){bytes, (size_t)about.st_size}, &root, &at))
        code = cli_usage(seed->cli, "%s is no JSON at byte %zu; was the build interrupted? build again", path,
                         at);
    else
        code = walk_manifest(seed, root);
    flight_wait(&seed->flight);
    munmap(bytes, (size_t)about.st_size);
    return code;
}

/* ---- what was fetched ---------------------------------------------------------------------------------------------- */

/* Names of files in this cache are the keys, 64 hex digits. */
static bool is_key(const char *name) {
    return strlen(name) == 64 && strspn(name, "0123456789abcdef") == 64;
}

bool seed_fetches_are_older(const struct seed *seed, const char *folder, bool *ret_any) {
    bool older = false;
    DIR *dir = opendir(folder);
    const struct dirent *found;
    *ret_any = false;
    while (dir && (found = readdir(dir)) != NULL) {
        struct stat about;
        if (!is_key(found->d_name))
            continue;
        *ret_any = true;
        if (fstatat(dirfd(dir), found->d_name, &about, 0) == 0)
            older = older || about.st_mtim.tv_sec * 1000 + about.st_mtim.tv_nsec / 1000000 < seed->at_ms;
    }
    if (dir)
        closedir(dir);
    return older;
}

/* As Next.js keeps it: the value itself, {"kind": "FETCH", "data": ..., "revalidate": ..., "tags": [...]}. */
static void take_fetch(struct seed *seed, const char *path, const char *name, bool only_tags) {
    struct seed_job *job = seed_job_new(seed, path);
    struct seed_source source = {.shape = SEED_FETCH, .key = bytes_of_text(name)};
    struct seed_bytes bytes;
    int64_t modified_ms = 0;
    size_t at;
    if (job == NULL)
        return;
    if (seed_read(job, path, &bytes, &modified_ms)) {
        if (!span_document(bytes.bytes, &source.fetch, &at) ||
            !span_is_text(span_member(source.fetch, "kind"), "FETCH")) {
            seed_complain(seed, path, "it is nothing that Next.js fetched; remove it");
        } else if (only_tags) {
            seed_entry_make(&job->made, &source);
            for (size_t i = 0; i < job->made.entry.n_tags; i++)
                job->made.no_memory |= !hashes_add(&seed->older_tags, hash_of(job->made.entry.tags[i]));
            seed_count(seed, &seed->counts.older);
        } else {
            char *key = seed_keep(&job->made, strlen(name));
            if (key) {
                memcpy(key, name, strlen(name));
                source.key = (struct larder_bytes){(const uint8_t *)key, strlen(name)};
                seed_job_send(job, &source, modified_ms, span_member(source.fetch, "revalidate"),
                              (struct span){0});
                return;
            }
        }
    }
    seed_job_free(job);
}

int seed_walk_fetches(struct seed *seed, const char *folder, bool only_tags) {
    DIR *dir = opendir(folder);
    const struct dirent *found;
    if (dir == NULL)
        return CODE_DONE;
    while (!seed_stopped(seed) && (found = readdir(dir)) != NULL) {
        char *path = is_key(found->d_name) ? seed_path(folder, found->d_name) : NULL;
        if (path)
            take_fetch(seed, path, found->d_name, only_tags);
        free(path);
    }
    closedir(dir);
    flight_wait(&seed->flight);
    return seed_stopped(seed) ? CODE_STORE : CODE_DONE;
}

/* A build with a cache handler of its own keeps nothing in cache/fetch-cache: what lies there is another's. */
static bool has_handler(struct seed *seed) {
    bool there, has = false;
    struct span config;
    char *path = seed_path(seed->dir, "required-server-files.json");
    struct seed_job *job = path ? seed_job_new(seed, path) : NULL;
    if (job && seed_read_json(job, path, &config, &there)) {
        config = span_member(config, "config");
        struct span handler = span_member(config, "cacheHandler");
        struct span before = span_member(span_member(config, "experimental"), "incrementalCacheHandlerPath");
        has = handler.type == SPAN_TEXT || before.type == SPAN_TEXT;
    }
    seed_job_free(job);
    free(path);
    return has;
}

int seed_walk_next(struct seed *seed) {
    char *fetches = seed_path(seed->dir, "cache/fetch-cache");
    char *manifest = seed_path(seed->dir, "prerender-manifest.json");
    int code = CODE_DONE;
    bool any = false;
    if (fetches == NULL || manifest == NULL)
        code = cli_failed(seed->cli, LARDER_NOMEM, "out of memory");
    else if (!has_handler(seed)) {
        seed->older_fetches = seed_fetches_are_older(seed, fetches, &any);
        if (any)
            code = seed_walk_fetches(seed, fetches, seed->older_fetches);
    }
    if (code == CODE_DONE && manifest)
        code = with_manifest(seed, manifest);
    free(fetches);
    free(manifest);
    return code;
}
