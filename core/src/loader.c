/* Finding, loading and refusing drivers: see loader.h. */
#include "loader.h"

#include <dirent.h>
#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bytes.h"
#include "error.h"
#include "param.h"
#include "phrase.h"

/* The smallest table of each kind in ABI 1: up to the last member that is required. */
#define SIZE_UP_TO(type, member) (offsetof(type, member) + sizeof(((type *)NULL)->member))
#define DRIVER_SIZE_MIN SIZE_UP_TO(struct larder_driver, ping)
#define CACHE_SIZE_MIN SIZE_UP_TO(struct larder_cache_ops, remove)
#define TAGS_SIZE_MIN SIZE_UP_TO(struct larder_tag_ops, advance)
#define PARAM_SIZE_MIN SIZE_UP_TO(struct larder_param, help)

enum { MAX_PARAMS = 256, MAX_CONFIG_SIZE = 1 << 16, MAX_NAME = 63, MAX_SCHEMES = 1023 /* all together */ };

/* Features that a driver may demand through `needs`: none yet. */
static const uint64_t known_features = 0;

/* The core's own copy of a driver's tables.  A driver built against an older or a newer header
 * has smaller or larger ones; everything above this file sees exactly today's. */
struct loaded {
    struct loaded *next;
    const struct larder_driver *original;
    struct larder_driver driver;
    struct larder_cache_ops cache;
    struct larder_tag_ops tags;
    struct larder_param params[];
};

struct builtin {
    struct builtin *next;
    const struct larder_driver *driver;
};

/* A shared object stays in the process once it is there, and so does what is known of it: this
 * is the process's list, and only grows. */
static struct {
    pthread_mutex_t lock;
    struct loaded *loaded;
    struct builtin *builtins;
} registry = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* ---- checking a driver's tables ------------------------------------------------------ */

struct tables { /* copies of today's size, zero where a driver has less */
    struct larder_driver driver;
    struct larder_cache_ops cache;
    struct larder_tag_ops tags;
};

static void copy_sized(void *to, size_t to_size, const void *from, size_t from_size) {
    memset(to, 0, to_size);
    memcpy(to, from, from_size < to_size ? from_size : to_size);
}

static void copy_param(const struct larder_driver *driver, size_t i, struct larder_param *ret) {
    copy_sized(ret, sizeof *ret, (const uint8_t *)driver->params + i * driver->param_size,
               driver->param_size);
}

/* LARDER_OK, with every struct that the driver has in *ret at full size. */
static int32_t copy_tables(const struct larder_driver *original, const char *where, struct tables *ret,
                           struct larder_error *error) {
    if (original == NULL)
        return error_set(error, LARDER_INVALID, "%s: larder_driver_v1() gave no driver", where);
    if (original->abi != LARDER_ABI)
        return error_set(error, LARDER_UNSUPPORTED, "%s: built for ABI %" PRIu32 ", this core speaks %u",
                         where, original->abi, LARDER_ABI);
    if (original->size < DRIVER_SIZE_MIN)
        return error_set(error, LARDER_INVALID,
                         "%s: its struct larder_driver has %" PRIu32 " bytes, ABI %u has %zu", where,
                         original->size, LARDER_ABI, DRIVER_SIZE_MIN);
    if (original->needs & ~known_features)
        return error_set(error, LARDER_UNSUPPORTED,
                         "%s: needs features 0x%" PRIx64 " that this core does not have", where,
                         original->needs & ~known_features);
    memset(ret, 0, sizeof *ret);
    copy_sized(&ret->driver, sizeof ret->driver, original, original->size);
    if (original->cache) {
        if (original->cache->size < CACHE_SIZE_MIN)
            return error_set(error, LARDER_INVALID,
                             "%s: its struct larder_cache_ops has %zu bytes, ABI %u has %zu", where,
                             original->cache->size, LARDER_ABI, CACHE_SIZE_MIN);
        copy_sized(&ret->cache, sizeof ret->cache, original->cache, original->cache->size);
    }
    if (original->tags) {
        if (original->tags->size < TAGS_SIZE_MIN)
            return error_set(error, LARDER_INVALID,
                             "%s: its struct larder_tag_ops has %zu bytes, ABI %u has %zu", where,
                             original->tags->size, LARDER_ABI, TAGS_SIZE_MIN);
        copy_sized(&ret->tags, sizeof ret->tags, original->tags, original->tags->size);
    }
    return LARDER_OK;
}

static bool consists_of(const char *text, const char *allowed, size_t most) {
    return text && *text && strlen(text) <= most && text[strspn(text, allowed)] == '\0';
}

#define NAME_BYTES "abcdefghijklmnopqrstuvwxyz0123456789-"
#define SCHEME_BYTES NAME_BYTES "+."

static int32_t check_names(const struct larder_driver *driver, const char *where,
                           struct larder_error *error) {
    char shown[PARAM_SHOWN];
    if (!consists_of(driver->name, NAME_BYTES, MAX_NAME))
        return error_set(error, LARDER_INVALID, "%s: a driver's name is made of a-z, 0-9 and -, not '%s'",
                         where, driver->name ? param_shown(NULL, driver->name, shown) : "");
    if (driver->schemes && !consists_of(driver->schemes, SCHEME_BYTES "|", MAX_SCHEMES))
        return error_set(error, LARDER_INVALID,
                         "%s: the URL schemes of a driver are made of a-z, 0-9, -, + and ., not '%s'", where,
                         param_shown(NULL, driver->schemes, shown));
    if (driver->version == NULL || driver->summary == NULL)
        return error_set(error, LARDER_INVALID, "%s: driver %s has no %s", where, driver->name,
                         driver->version ? "summary" : "version");
    return LARDER_OK;
}

/* The name of the first function that is required and missing; NULL: none is. */
static const char *missing_function(const struct tables *t) {
    const struct larder_driver *d = &t->driver;
    const bool has_index = t->tags.link || t->tags.keys_of || t->tags.tags_of;
    const struct {
        const char *name;
        bool missing;
    } required[] = {
        {"open", d->open == NULL},
        {"close", d->close == NULL},
        {"ping", d->ping == NULL},
        {"cache.get", d->cache && t->cache.get == NULL},
        {"cache.put", d->cache && t->cache.put == NULL},
        {"cache.remove", d->cache && t->cache.remove == NULL},
        {"cache.claim", t->cache.release && t->cache.claim == NULL},
        {"cache.release", t->cache.claim && t->cache.release == NULL},
        {"tags.read", d->tags && t->tags.read == NULL},
        {"tags.write", d->tags && t->tags.write == NULL},
        {"tags.advance", d->tags && t->tags.advance == NULL},
        {"tags.link", has_index && t->tags.link == NULL},
        {"tags.keys_of", has_index && t->tags.keys_of == NULL},
        {"tags.tags_of", has_index && t->tags.tags_of == NULL},
    };
    for (size_t i = 0; i < N_ELEMENTS(required); i++) {
        if (required[i].missing)
            return required[i].name;
    }
    return NULL;
}

/* What is wrong with setting i, into why; true: nothing. */
static bool param_is_right(const struct larder_driver *driver, size_t i, char *why, size_t why_size) {
    struct phrase phrase = phrase_begin(why, why_size);
    struct larder_param p = {0}, other = {0};
    copy_param(driver, i, &p);
    if (!consists_of(p.name, NAME_BYTES, MAX_NAME) || strcmp(p.name, "driver") == 0) {
        phrase_add(&phrase, "a name is made of a-z, 0-9 and -, and is not 'driver'");
    } else if (p.type < LARDER_P_TEXT || p.type > LARDER_P_MS) {
        phrase_add(&phrase, "unknown type %" PRIu32, p.type);
    } else if (p.offset % 8 != 0 || p.offset > driver->config_size || driver->config_size - p.offset < 8) {
        phrase_add(&phrase, "offset %" PRIu32 " is not that of a member of a struct of %zu bytes", p.offset,
                   driver->config_size);
    } else if (p.help == NULL || *p.help == '\0') {
        phrase_add(&phrase, "has no help");
    } else if (param_is_number(&p) && p.type != LARDER_P_BOOL && p.min > p.max) {
        phrase_add(&phrase, "its bounds exclude everything");
    } else if (strcmp(p.name, "url") == 0 && param_is_number(&p)) {
        phrase_add(&phrase, "must be a text");
    } else if (p.preset) {
        char reason[PARAM_SHOWN];
        int64_t number;
        if (!param_accepts(&p, p.preset, &number, reason, sizeof reason))
            phrase_add(&phrase, "preset '%s' %s", p.preset, reason);
    }
    for (size_t k = 0; k < i && phrase.len == 0; k++) {
        copy_param(driver, k, &other);
        if (strcmp(other.name, p.name) == 0)
            phrase_add(&phrase, "is there twice");
        else if (other.offset == p.offset)
            phrase_add(&phrase, "has the offset of '%s'", other.name);
    }
    return phrase.len == 0;
}

static int32_t check_params(const struct larder_driver *driver, const char *where,
                            struct larder_error *error) {
    if (driver->n_params == 0)
        return LARDER_OK;
    if (driver->params == NULL || driver->n_params > MAX_PARAMS)
        return error_set(error, LARDER_INVALID,
                         "%s: driver %s has a table of %zu settings, at most %d are allowed%s", where,
                         driver->name, driver->n_params, MAX_PARAMS, driver->params ? "" : ", and no table");
    if (driver->param_size < PARAM_SIZE_MIN || driver->param_size % 8 != 0 || driver->param_size > 1024)
        return error_set(error, LARDER_INVALID,
                         "%s: driver %s: its struct larder_param has %zu bytes, ABI %u has %zu", where,
                         driver->name, driver->param_size, LARDER_ABI, PARAM_SIZE_MIN);
    if (driver->config_size > MAX_CONFIG_SIZE)
        return error_set(error, LARDER_INVALID,
                         "%s: driver %s: a config struct of %zu bytes, at most %d are allowed", where,
                         driver->name, driver->config_size, MAX_CONFIG_SIZE);
    for (size_t i = 0; i < driver->n_params; i++) {
        char why[256], shown[PARAM_SHOWN];
        struct larder_param p = {0};
        copy_param(driver, i, &p);
        if (!param_is_right(driver, i, why, sizeof why))
            return error_set(error, LARDER_INVALID, "%s: driver %s: setting %zu '%s': %s", where,
                             driver->name, i, p.name ? param_shown(NULL, p.name, shown) : "", why);
    }
    return LARDER_OK;
}

static int32_t check_tables(const struct larder_driver *original, const char *where, struct tables *ret,
                            struct larder_error *error) {
    int32_t status = copy_tables(original, where, ret, error);
    if (status == LARDER_OK)
        status = check_names(&ret->driver, where, error);
    if (status != LARDER_OK)
        return status;
    if (ret->driver.cache == NULL && ret->driver.tags == NULL)
        return error_set(error, LARDER_INVALID,
                         "%s: driver %s offers neither an incremental cache nor a tag cache", where,
                         ret->driver.name);
    const char *missing = missing_function(ret);
    if (missing)
        return error_set(error, LARDER_INVALID, "%s: driver %s lacks the function %s", where,
                         ret->driver.name, missing);
    return check_params(&ret->driver, where, error);
}

int32_t loader_check(const struct larder_driver *driver, const char *where, struct larder_error *error) {
    struct tables tables = {0};
    return check_tables(driver, where, &tables, error);
}

/* ---- one file -------------------------------------------------------------------------- */

/* The copy that is handed out, in the registry for ever.  Under the registry's lock. */
static int32_t keep(const struct larder_driver *original, const char *where,
                    const struct larder_driver **ret_driver, struct larder_error *error) {
    for (const struct loaded *l = registry.loaded; l; l = l->next) {
        if (l->original == original) {
            *ret_driver = &l->driver;
            return LARDER_OK;
        }
    }
    struct tables tables = {0};
    int32_t status = check_tables(original, where, &tables, error);
    if (status != LARDER_OK)
        return status;
    const size_t n = tables.driver.n_params;
    struct loaded *l = calloc(1, sizeof *l + n * sizeof l->params[0]);
    if (l == NULL)
        return error_set(error, LARDER_NOMEM, "out of memory");
    l->original = original;
    l->driver = tables.driver;
    l->driver.size = sizeof l->driver;
    l->driver.param_size = sizeof l->params[0];
    if (tables.driver.cache) {
        l->cache = tables.cache;
        l->cache.size = sizeof l->cache;
        l->driver.cache = &l->cache;
    }
    if (tables.driver.tags) {
        l->tags = tables.tags;
        l->tags.size = sizeof l->tags;
        l->driver.tags = &l->tags;
    }
    for (size_t i = 0; i < n; i++)
        copy_param(&tables.driver, i, &l->params[i]);
    l->driver.params = n ? l->params : NULL;
    l->next = registry.loaded;
    registry.loaded = l;
    *ret_driver = &l->driver;
    return LARDER_OK;
}

/* A first look, since dlopen()'s own words ("file too short") help nobody. */
static int32_t check_file(const char *path, struct larder_error *error) {
    unsigned char head[EI_NIDENT + sizeof(uint16_t)];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return error_set(error, LARDER_INVALID, "driver %s cannot be read: %s", path, errno_text(errno));
    ssize_t n = read(fd, head, sizeof head);
    int reason = errno;
    close(fd);
    if (n < 0)
        return error_set(error, LARDER_INVALID, "driver %s cannot be read: %s", path, errno_text(reason));
    uint16_t type = ET_NONE;
    if ((size_t)n == sizeof head)
        memcpy(&type, head + EI_NIDENT, sizeof type);
    if (type != ET_DYN || memcmp(head, ELFMAG, SELFMAG) != 0)
        return error_set(error, LARDER_INVALID, "%s is not a shared object", path);
    return LARDER_OK;
}

static int32_t say_dlerror(const char *path, struct larder_error *error) {
    const char *said = dlerror();
    if (said == NULL)
        said = "no reason given";
    size_t len = strlen(path);
    if (strncmp(said, path, len) == 0 && strncmp(said + len, ": ", 2) == 0)
        said += len + 2;
    static const char absent[] = ": cannot open shared object file";
    const char *at = strstr(said, absent);
    if (at)
        return error_set(
            error, LARDER_INVALID,
            "%s cannot be loaded: it needs %.*s, which is not installed (ldd %s shows what is missing)", path,
            (int)(at - said), said, path);
    return error_set(error, LARDER_INVALID, "%s cannot be loaded: %s (ldd -r %s shows what it needs)", path,
                     said, path);
}

/* path has a slash in it.  Loading is serialized, so that a driver is checked once. */
static int32_t load_file(const char *path, const struct larder_driver **ret_driver,
                         struct larder_error *error) {
    int32_t status = check_file(path, error);
    if (status != LARDER_OK)
        return status;
    const struct larder_driver *(*entry)(void) = NULL;
    pthread_mutex_lock(&registry.lock);
    /* RTLD_LOCAL: a driver's symbols serve nobody else.  RTLD_NODELETE and no dlclose(): its
     * threads and finalizers may run until the process ends. */
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (handle) {
        void *symbol = dlsym(handle, "larder_driver_v1");
        memcpy(&entry, &symbol, sizeof entry);
    }
    if (handle == NULL)
        status = say_dlerror(path, error);
    else if (entry == NULL)
        status = error_set(error, LARDER_INVALID,
                           "%s is not a Larder driver: it has no symbol larder_driver_v1", path);
    else
        status = keep(entry(), path, ret_driver, error);
    pthread_mutex_unlock(&registry.lock);
    return status;
}

/* ---- the search path ------------------------------------------------------------------- */

/* The file that this code is in: the library, the addon, or a program that links it statically
 * (of which dladdr() knows only what argv[0] says). */
static bool own_file(char path[PATH_MAX]) {
    static const char here = 0;
    Dl_info info;
    if (dladdr(&here, &info) && info.dli_fname && strchr(info.dli_fname, '/') &&
        realpath(info.dli_fname, path))
        return true;
    ssize_t n = readlink("/proc/self/exe", path, PATH_MAX - 1);
    if (n <= 0)
        return false;
    path[n] = '\0';
    return true;
}

/* Folder number i of the search path, into out; false: there are no more. */
static bool folder_at(size_t i, char out[PATH_MAX]) {
    const char *p = secure_getenv("LARDER_DRIVER_PATH");
    while (p && *p) {
        size_t len = strcspn(p, ":");
        if (len > 0 && len < PATH_MAX && i-- == 0) {
            memcpy(out, p, len);
            out[len] = '\0';
            return true;
        }
        p += len + (p[len] == ':');
    }
    if (i > 0 || !own_file(out))
        return false;
    static const char folder[] = "/larder";
    char *slash = strrchr(out, '/');
    if (slash == NULL || slash - out + (ptrdiff_t)sizeof folder > PATH_MAX)
        return false;
    memcpy(slash, folder, sizeof folder);
    return true;
}

static char *join_path(const char *folder, const char *name, const char *suffix) {
    size_t size = strlen(folder) + 1 + strlen(name) + strlen(suffix) + 1;
    char *path = malloc(size);
    if (path)
        snprintf(path, size, "%s/%s%s", folder, name, suffix);
    return path;
}

static int is_driver_file(const struct dirent *entry) {
    size_t len = strlen(entry->d_name);
    return entry->d_name[0] != '.' && len > 3 && strcmp(entry->d_name + len - 3, ".so") == 0;
}

/* Whether a folder before number i has this file: then that one counts. */
static bool is_shadowed(size_t i, const char *file_name) {
    char folder[PATH_MAX];
    for (size_t k = 0; k < i && folder_at(k, folder); k++) {
        char *path = join_path(folder, file_name, "");
        bool there = path && access(path, F_OK) == 0;
        free(path);
        if (there)
            return true;
    }
    return false;
}

void larder_driver_each(void (*fn)(void *arg, const char *path, const struct larder_driver *driver,
                                   const struct larder_error *error),
                        void *arg) {
    char folder[PATH_MAX];
    for (size_t i = 0; folder_at(i, folder); i++) {
        struct dirent **entries = NULL;
        int n = scandir(folder, &entries, is_driver_file, alphasort);
        for (int k = 0; k < n; k++) {
            char *path = is_shadowed(i, entries[k]->d_name) ? NULL
                                                            : join_path(folder, entries[k]->d_name, "");
            const struct larder_driver *driver = NULL;
            struct larder_error error = {0};
            if (path) {
                bool good = load_file(path, &driver, &error) == LARDER_OK;
                fn(arg, path, good ? driver : NULL, good ? NULL : &error);
            }
            free(path);
            free(entries[k]);
        }
        free(entries);
    }
}

/* ---- finding by name -------------------------------------------------------------------- */

static bool has_scheme(const struct larder_driver *driver, const char *scheme) {
    size_t len = strlen(scheme);
    for (const char *p = driver->schemes; p && *p;) {
        size_t n = strcspn(p, "|");
        if (n == len && memcmp(p, scheme, len) == 0)
            return true;
        p += n + (p[n] == '|');
    }
    return false;
}

struct search {
    const char *name;
    const struct larder_driver *found;
    char nearest[MAX_NAME + 1]; /* the known name most like it */
    size_t distance;
};

static void look_at(void *arg, const char *path, const struct larder_driver *driver,
                    const struct larder_error *error) {
    struct search *search = arg;
    (void)path;
    (void)error; /* a broken file elsewhere is no answer to this search */
    if (driver == NULL || search->found)
        return;
    if (has_scheme(driver, search->name)) {
        search->found = driver;
        return;
    }
    size_t distance = param_distance(search->name, driver->name);
    if (distance < search->distance) {
        search->distance = distance;
        snprintf(search->nearest, sizeof search->nearest, "%s", driver->name);
    }
}

static const struct larder_driver *find_builtin(const char *name) {
    const struct larder_driver *found = NULL;
    pthread_mutex_lock(&registry.lock);
    for (const struct builtin *b = registry.builtins; b && found == NULL; b = b->next) {
        if (strcmp(b->driver->name, name) == 0 || has_scheme(b->driver, name))
            found = b->driver;
    }
    pthread_mutex_unlock(&registry.lock);
    return found;
}

static int32_t say_not_found(const struct search *search, struct larder_error *error) {
    char folders[384], folder[PATH_MAX];
    struct phrase list = phrase_begin(folders, sizeof folders);
    for (size_t i = 0; folder_at(i, folder); i++)
        phrase_add(&list, "%s%s", i ? ", " : "", folder);
    bool near = search->distance != SIZE_MAX && param_is_near(search->name, search->distance);
    return error_set(error, LARDER_INVALID, "no driver '%s'%s%s%s: looked for %s.so and the URL scheme in %s",
                     search->name, near ? ", did you mean '" : "", near ? search->nearest : "",
                     near ? "'?" : "", search->name, list.len ? folders : "no folder at all");
}

static int32_t find_by_name(const char *name, const struct larder_driver **ret_driver,
                            struct larder_error *error) {
    const struct larder_driver *driver = find_builtin(name);
    if (driver) {
        *ret_driver = driver;
        return LARDER_OK;
    }
    char folder[PATH_MAX];
    for (size_t i = 0; folder_at(i, folder); i++) {
        char *path = join_path(folder, name, ".so");
        if (path == NULL)
            return error_set(error, LARDER_NOMEM, "out of memory");
        int32_t status = LARDER_MISS;
        if (access(path, F_OK) == 0)
            status = load_file(path, &driver, error);
        if (status == LARDER_OK && strcmp(driver->name, name) != 0)
            status = error_set(error, LARDER_INVALID, "%s holds the driver '%s', not '%s'", path,
                               driver->name, name);
        free(path);
        if (status == LARDER_OK)
            *ret_driver = driver;
        if (status != LARDER_MISS)
            return status;
    }
    struct search search = {.name = name, .distance = SIZE_MAX};
    larder_driver_each(look_at, &search);
    if (search.found == NULL)
        return say_not_found(&search, error);
    *ret_driver = search.found;
    return LARDER_OK;
}

int32_t larder_driver_find(const char *name, const struct larder_driver **ret_driver,
                           struct larder_error *error) {
    char shown[PARAM_SHOWN];
    if (strchr(name, '/'))
        return load_file(name, ret_driver, error);
    if (!consists_of(name, SCHEME_BYTES, MAX_NAME))
        return error_set(error, LARDER_INVALID,
                         "'%s' is no driver's name: a-z, 0-9 and -, or a path with a slash in it",
                         param_shown(NULL, name, shown));
    return find_by_name(name, ret_driver, error);
}

void loader_add_builtin(const struct larder_driver *driver) {
    struct builtin *b = calloc(1, sizeof *b);
    if (b == NULL)
        return; /* for tests only: the search will tell */
    b->driver = driver;
    pthread_mutex_lock(&registry.lock);
    b->next = registry.builtins;
    registry.builtins = b;
    pthread_mutex_unlock(&registry.lock);
}
