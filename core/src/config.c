/*
 * Configuration: settings from several places, put in order, and turned into drivers with
 * their configuration structs.  See config.h; docs/configuration.md is the user's side.
 *
 * Nothing here refers to config_json.c: the addon links this and has no JSON parser in C.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "error.h"
#include "phrase.h"

struct setting {
    char *name, *value, *where; /* owned */
    uint32_t source;
};

struct larder_config {
    struct setting *settings; /* by source, the later winning; else in order of arrival */
    size_t n, capacity;
    uint32_t n_sources;
};

#define AT(member) LARDER_AT(struct store_settings, member)

static const struct larder_param store_params[] = {
    {"namespace", LARDER_P_TEXT, AT(ns), "default", 0, 0, NULL, NULL,
     "keeps several applications in one backend apart: letters, digits, '.', '_' and '-'"},
    {"build", LARDER_P_TEXT, AT(build), "", 0, 0, NULL, NULL,
     "build id to use where a request brings none (the handlers for Next.js always bring one)"},
    {"shared-kinds", LARDER_P_TEXT, AT(shared_kinds), "fetch,image,use-cache", 0, 0, NULL, NULL,
     "kinds of entries that builds share, comma-separated, from: page, fetch, image, use-cache"},
    {"compress", LARDER_P_TEXT, AT(compress), "auto", 0, 0, "auto|on|off", NULL,
     "compress entries with zstd where that saves at least an eighth (auto is on)"},
    {"compress-min", LARDER_P_BYTES, AT(compress_min_bytes), "8KB", 0, INT64_C(1) << 30, NULL, NULL,
     "entries smaller than this are not compressed"},
    {"compress-level", LARDER_P_INT, AT(compress_level), "1", -5, 19, NULL, NULL,
     "zstd level: higher is smaller and slower"},
    {"get-deadline", LARDER_P_MS, AT(get_deadline_ms), "500ms", 1, 600000, NULL, NULL,
     "a get that takes longer is answered as a miss"},
    {"write-deadline", LARDER_P_MS, AT(write_deadline_ms), "2s", 1, 600000, NULL, NULL,
     "a put or a revalidation that takes longer is reported as failed"},
    {"epoch-age", LARDER_P_MS, AT(epoch_age_ms), "1s", 0, 3600000, NULL, NULL,
     "a miss asks the store for its epoch where what is known is older than this"},
    {"entry-max-age", LARDER_P_MS, AT(entry_max_age_ms), "365d", 60000, INT64_C(3650) * 86400000, NULL, NULL,
     "the store may drop entries that are older than this"},
    {"max-inflight", LARDER_P_INT, AT(max_inflight), "4096", 1, 1 << 20, NULL, NULL,
     "requests under way at once; one more is refused"},
    {"max-value", LARDER_P_BYTES, AT(max_value_bytes), "64MB", 1 << 10, INT64_C(1) << 30, NULL, NULL,
     "an entry that is larger is not stored"},
    {"index", LARDER_P_BOOL, AT(index), "false", 0, 0, NULL, NULL,
     "keep an index from tags to keys, for listing the entries of a tag"},
};

const struct larder_param *larder_store_params(size_t *ret_n) {
    *ret_n = N_ELEMENTS(store_params);
    return store_params;
}

/* ---- collecting ----------------------------------------------------------------------- */

static const char *const roles[] = {"cache", "tags"};

static char *copy_range(const char *from, size_t len) {
    char *copy = malloc(len + 1);
    if (copy) {
        memcpy(copy, from, len);
        copy[len] = '\0';
    }
    return copy;
}

/* Values may be secrets, or URLs that hold one. */
static void wipe_free(char *text) {
    if (text)
        explicit_bzero(text, strlen(text));
    free(text);
}

static void setting_done(struct setting *setting) {
    free(setting->name);
    wipe_free(setting->value);
    free(setting->where);
}

struct larder_config *larder_config_new(void) {
    return calloc(1, sizeof(struct larder_config));
}

struct larder_config *larder_config_free(struct larder_config *config) {
    if (config) {
        for (size_t i = 0; i < config->n; i++)
            setting_done(&config->settings[i]);
        free(config->settings);
        free(config);
    }
    return NULL;
}

uint32_t config_new_source(struct larder_config *config) {
    return ++config->n_sources;
}

/* Whether name is ROLE or ROLE.NAME; *ret_rest: after the dot, or "". */
static bool is_of_role(const char *name, const char *role, const char **ret_rest) {
    size_t len = strlen(role);
    if (strncmp(name, role, len) != 0 || (name[len] != '\0' && name[len] != '.'))
        return false;
    *ret_rest = name[len] == '.' ? name + len + 1 : name + len;
    return name[len] == '\0' || **ret_rest != '\0';
}

static bool is_known_name(const char *name) {
    const char *rest;
    for (size_t i = 0; i < N_ELEMENTS(roles); i++) {
        if (is_of_role(name, roles[i], &rest))
            return true;
    }
    return param_find(store_params, N_ELEMENTS(store_params), name) < N_ELEMENTS(store_params);
}

static int32_t refuse_name(const char *name, const char *where, struct larder_error *error) {
    char shown[PARAM_SHOWN];
    const char *nearest = param_nearest(store_params, N_ELEMENTS(store_params), name);
    size_t least = nearest ? param_distance(name, nearest) : SIZE_MAX;
    for (size_t i = 0; i < N_ELEMENTS(roles); i++) {
        size_t distance = param_distance(name, roles[i]);
        if (distance < least && param_is_near(name, distance)) {
            least = distance;
            nearest = roles[i];
        }
    }
    param_shown(NULL, name, shown);
    if (nearest)
        return error_set(error, LARDER_INVALID, "unknown setting '%s' of the store (%s), did you mean '%s'?",
                         shown, where, nearest);
    return error_set(
        error, LARDER_INVALID,
        "unknown setting '%s' of the store (%s); a setting of a driver is written cache.%s or tags.%s", shown,
        where, shown, shown);
}

int32_t config_add(struct larder_config *config, uint32_t source, const char *name, const char *value,
                   const char *where, struct larder_error *error) {
    if (!is_known_name(name))
        return refuse_name(name, where, error);
    if (config->n == config->capacity) {
        size_t capacity = config->capacity ? 2 * config->capacity : 16;
        struct setting *grown = reallocarray(config->settings, capacity, sizeof *grown);
        if (grown == NULL)
            return error_set(error, LARDER_NOMEM, "out of memory");
        config->settings = grown;
        config->capacity = capacity;
    }
    struct setting setting = {
        .name = copy_range(name, strlen(name)),
        .value = copy_range(value, strlen(value)),
        .where = copy_range(where, strlen(where)),
        .source = source,
    };
    if (setting.name == NULL || setting.value == NULL || setting.where == NULL) {
        setting_done(&setting);
        return error_set(error, LARDER_NOMEM, "out of memory");
    }
    size_t at = config->n;
    while (at > 0 && config->settings[at - 1].source > source)
        at--;
    memmove(config->settings + at + 1, config->settings + at, (config->n - at) * sizeof setting);
    config->settings[at] = setting;
    config->n++;
    return LARDER_OK;
}

int32_t larder_config_set(struct larder_config *config, const char *name, const char *value,
                          const char *where, struct larder_error *error) {
    for (size_t i = 0; i < config->n; i++) {
        if (strcmp(config->settings[i].where, where) == 0)
            return config_add(config, config->settings[i].source, name, value, where, error);
    }
    return config_add(config, config_new_source(config), name, value, where, error);
}

/* ---- a URL, a path or a name ------------------------------------------------------------ */

struct spec {
    const struct setting *setting; /* NULL: the default */
    const char *text;
    char *named;     /* owned: what larder_driver_find() takes */
    const char *url; /* inside text, what stands before `?`; NULL: there is no URL */
    size_t url_len;
    const char *query; /* inside text; "" where there is none */
};

static const char *spec_where(const struct spec *spec) {
    return spec->setting ? spec->setting->where : "default";
}

/* The head of a URL is its scheme; a slash before any colon makes it a path. */
static int32_t spec_split(const struct setting *setting, const char *text, struct spec *ret,
                          struct larder_error *error) {
    size_t head = strcspn(text, "?");
    size_t named = strcspn(text, ":/?");
    *ret = (struct spec){.setting = setting, .text = text, .query = text[head] ? text + head + 1 : ""};
    if (text[named] == ':') {
        ret->url = text;
        ret->url_len = head;
    } else {
        named = head;
    }
    if (named == 0)
        return error_set(error, LARDER_INVALID, "setting '%s' (%s) names no driver: give for example %s",
                         setting ? setting->name : "cache", spec_where(ret), CONFIG_DEFAULT_CACHE);
    ret->named = copy_range(text, named);
    return ret->named ? LARDER_OK : error_set(error, LARDER_NOMEM, "out of memory");
}

static void spec_done(struct spec *spec) {
    free(spec->named);
    spec->named = NULL;
}

/* Says which setting asked for a driver that cannot be had. */
static int32_t spec_driver(const struct spec *spec, const char *role, const struct larder_driver **ret_driver,
                           struct larder_error *error) {
    struct larder_error reason = {0};
    int32_t status = larder_driver_find(spec->named, ret_driver, &reason);
    if (status != LARDER_OK)
        error_set(error, status, "setting '%s' (%s): %s", role, spec_where(spec), reason.text);
    return status;
}

static int hex_digit(char c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* In place.  %00 is refused: it would cut the text. */
static bool percent_decode(char *text) {
    char *to = text;
    for (const char *p = text; *p; p++) {
        if (*p != '%') {
            *to++ = *p;
            continue;
        }
        int high = hex_digit(p[1]);
        int low = high < 0 ? -1 : hex_digit(p[2]);
        if (low < 0 || (high | low) == 0)
            return false;
        *to++ = (char)(high << 4 | low);
        p += 2;
    }
    *to = '\0';
    return true;
}

/* What driver.h says beside "url". */
static int32_t apply_url(const struct spec *spec, const struct larder_driver *driver, const char *who,
                         struct param_set *set, struct larder_error *error) {
    if (spec->url == NULL)
        return LARDER_OK;
    const char *url = spec->url;
    size_t len = spec->url_len, own = strlen(driver->name);
    const char *rest = url + strlen(spec->named) + 1;
    bool slashes = strncmp(rest, "//", 2) == 0;
    if (strcmp(spec->named, driver->name) == 0 && !slashes) {
        url = rest;
        len -= own + 1;
    }
    bool has_url = param_find(driver->params, driver->n_params, "url") < driver->n_params;
    if (len == 0 || (!has_url && slashes && spec->url + spec->url_len == rest + 2))
        return LARDER_OK; /* "memory:" and "memory://" say no more than "memory" */
    char *copy = copy_range(url, len);
    if (copy == NULL)
        return error_set(error, LARDER_NOMEM, "out of memory");
    int32_t status;
    char shown[PARAM_SHOWN];
    if (has_url)
        status = param_set_text(set, who, spec_where(spec), "url", copy, error);
    else
        status = error_set(error, LARDER_INVALID, "%s takes no address (%s): write '%s', not '%s'", who,
                           spec_where(spec), spec->named, param_shown(NULL, copy, shown));
    wipe_free(copy);
    return status;
}

static int32_t apply_query(const struct spec *spec, const char *who, struct param_set *set,
                           struct larder_error *error) {
    for (const char *p = spec->query; *p;) {
        size_t len = strcspn(p, "&"), name_len = strcspn(p, "=&");
        if (len > 0) {
            /* A part that is no name=value may be the tail of a password: it is not shown. */
            if (name_len == len || name_len == 0)
                return error_set(
                    error, LARDER_INVALID,
                    "%s (%s): after '?' come name=value and '&' (in a value, '?' is written %%3F and "
                    "'&' %%26)",
                    who, spec_where(spec));
            char *name = copy_range(p, name_len);
            char *value = copy_range(p + name_len + 1, len - name_len - 1);
            int32_t status;
            if (name == NULL || value == NULL)
                status = error_set(error, LARDER_NOMEM, "out of memory");
            else if (!percent_decode(value))
                status = error_set(
                    error, LARDER_INVALID,
                    "setting '%s' of %s (%s): '%%' is not followed by two hex digits (a '%%' itself is "
                    "written %%25)",
                    name, who, spec_where(spec));
            else
                status = param_set_text(set, who, spec_where(spec), name, value, error);
            free(name);
            wipe_free(value);
            if (status != LARDER_OK)
                return status;
        }
        p += len + (p[len] == '&');
    }
    return LARDER_OK;
}

/* ---- what a role comes to ---------------------------------------------------------------- */

/* The last setting `role` up to and with `source`; NULL: there is none. */
static const struct setting *last_choice(const struct larder_config *config, const char *role,
                                         uint32_t source) {
    const struct setting *found = NULL;
    for (size_t i = 0; i < config->n && config->settings[i].source <= source; i++) {
        if (strcmp(config->settings[i].name, role) == 0)
            found = &config->settings[i];
    }
    return found;
}

/* A driver's setting from an earlier place than the choice of the driver was meant for the
 * driver chosen there: it holds where that is the same one, and goes with it where it is not. */
static int32_t is_meant_for(const struct larder_config *config, const char *role,
                            const struct setting *setting, const struct spec *spec,
                            const struct larder_driver *driver, bool *ret, struct larder_error *error) {
    *ret = true;
    const struct setting *choice = last_choice(config, role, setting->source);
    if (choice == NULL || choice == spec->setting)
        return LARDER_OK;
    struct spec earlier;
    int32_t status = spec_split(choice, choice->value, &earlier, error);
    if (status != LARDER_OK)
        return status;
    const struct larder_driver *other = driver;
    if (strcmp(earlier.named, spec->named) != 0 &&
        larder_driver_find(earlier.named, &other, NULL) != LARDER_OK)
        other = NULL;
    *ret = other == driver;
    spec_done(&earlier);
    return LARDER_OK;
}

/* Settings ROLE.NAME of the sources before `source` (below) or from it on (not below). */
static int32_t apply_settings(const struct larder_config *config, const char *role, const struct spec *spec,
                              const struct larder_driver *driver, const char *who, bool below,
                              struct param_set *set, struct larder_error *error) {
    uint32_t source = spec->setting ? spec->setting->source : 0;
    for (size_t i = 0; i < config->n; i++) {
        const struct setting *setting = &config->settings[i];
        const char *name;
        if ((setting->source < source) != below || !is_of_role(setting->name, role, &name) || *name == '\0')
            continue;
        bool wanted;
        int32_t status = is_meant_for(config, role, setting, spec, driver, &wanted, error);
        if (status == LARDER_OK && wanted)
            status = param_set_text(set, who, setting->where, name, setting->value, error);
        if (status != LARDER_OK)
            return status;
    }
    return LARDER_OK;
}

static void backend_spec_done(struct backend_spec *backend) {
    param_set_free(backend->params);
    free(backend->named);
    *backend = (struct backend_spec){0};
}

/* All that was said of the driver, the later winning. */
static int32_t fill(const struct larder_config *config, const char *role, const struct spec *spec,
                    struct backend_spec *backend, struct larder_error *error) {
    const struct larder_driver *driver = backend->driver;
    const char *named = strchr(spec->named, '/') ? spec->named : driver->name;
    char who[96];
    snprintf(who, sizeof who, "driver %s", driver->name);
    backend->named = copy_range(named, strlen(named));
    backend->params = param_set_new(driver->params, driver->n_params, driver->config_size);
    if (backend->named == NULL || backend->params == NULL)
        return error_set(error, LARDER_NOMEM, "out of memory");
    int32_t status = apply_settings(config, role, spec, driver, who, true, backend->params, error);
    if (status == LARDER_OK)
        status = apply_url(spec, driver, who, backend->params, error);
    if (status == LARDER_OK)
        status = apply_query(spec, who, backend->params, error);
    if (status == LARDER_OK)
        status = apply_settings(config, role, spec, driver, who, false, backend->params, error);
    if (status == LARDER_OK)
        status = param_set_env(backend->params, who, error);
    if (status == LARDER_OK)
        status = param_set_check(backend->params, who, error);
    return status;
}

/* setting NULL: the default.  On failure *ret is left as it is. */
static int32_t resolve(const struct larder_config *config, const char *role, const struct setting *setting,
                       struct backend_spec *ret, struct larder_error *error) {
    struct backend_spec backend = {0};
    struct spec spec;
    int32_t status = spec_split(setting, setting ? setting->value : CONFIG_DEFAULT_CACHE, &spec, error);
    if (status != LARDER_OK)
        return status;
    status = spec_driver(&spec, role, &backend.driver, error);
    if (status == LARDER_OK)
        status = fill(config, role, &spec, &backend, error);
    if (status == LARDER_OK)
        *ret = backend;
    else
        backend_spec_done(&backend);
    spec_done(&spec);
    return status;
}

struct names {
    struct phrase phrase;
    bool tags; /* wanted: those with a tag cache, else with an incremental cache */
};

static void add_name(void *arg, const char *path, const struct larder_driver *driver,
                     const struct larder_error *error) {
    struct names *names = arg;
    (void)path;
    (void)error;
    if (driver && (names->tags ? driver->tags != NULL : driver->cache != NULL))
        phrase_add(&names->phrase, "%s%s", names->phrase.len ? " or " : "", driver->name);
}

static int32_t check_offer(const struct backend_spec *backend, bool tags, struct larder_error *error) {
    const struct larder_driver *driver = backend->driver;
    if (tags ? driver->tags != NULL : driver->cache != NULL)
        return LARDER_OK;
    char text[128];
    struct names names = {phrase_begin(text, sizeof text), tags};
    larder_driver_each(add_name, &names);
    return error_set(error, LARDER_INVALID, "driver %s keeps no %s: set `%s`%s%s", driver->name,
                     tags ? "tags" : "entries", tags ? "tags" : "cache",
                     names.phrase.len ? ", for example to " : "", text);
}

static bool has_settings(const struct larder_config *config, const char *role) {
    const char *name;
    for (size_t i = 0; i < config->n; i++) {
        if (is_of_role(config->settings[i].name, role, &name) && *name)
            return true;
    }
    return false;
}

/* Without `tags` nothing may be said of it either. */
static int32_t refuse_tag_settings(const struct larder_config *config, struct larder_error *error) {
    for (size_t i = 0; i < config->n; i++) {
        const char *rest;
        if (is_of_role(config->settings[i].name, "tags", &rest))
            return error_set(
                error, LARDER_INVALID,
                "setting '%s' (%s) without `tags`: the tags are kept by the driver of `cache`; set `tags` "
                "too, or cache.%s",
                config->settings[i].name, config->settings[i].where, rest);
    }
    return LARDER_OK;
}

/* Whether every setting that `tags` was given has the value it has for cache. */
static bool says_nothing_else(const struct backend_spec *cache, const struct backend_spec *tags,
                              const struct larder_config *config) {
    for (size_t i = 0; i < config->n; i++) {
        const char *name;
        if (!is_of_role(config->settings[i].name, "tags", &name) || *name == '\0')
            continue;
        size_t k = param_find(tags->driver->params, tags->driver->n_params, name);
        const char *of_tags = k < tags->driver->n_params ? param_set_text_at(tags->params, k) : NULL;
        const char *of_cache = of_tags ? param_set_text_at(cache->params, k) : NULL;
        if (of_tags && (of_cache == NULL || strcmp(of_tags, of_cache) != 0))
            return false;
    }
    return true;
}

static int32_t resolve_tags(const struct larder_config *config, struct store_config *store,
                            struct larder_error *error) {
    const struct setting *cache = last_choice(config, "cache", UINT32_MAX);
    const struct setting *tags = last_choice(config, "tags", UINT32_MAX);
    if (tags == NULL) {
        int32_t status = refuse_tag_settings(config, error);
        return status == LARDER_OK ? check_offer(&store->cache, true, error) : status;
    }
    /* The same text with nothing else said of the tags is the same instance, with all the
     * settings of cache. */
    bool same_text = strcmp(tags->value, cache ? cache->value : CONFIG_DEFAULT_CACHE) == 0;
    bool same = same_text && !has_settings(config, "tags");
    if (!same) {
        int32_t status = resolve(config, "tags", tags, &store->tags, error);
        if (status != LARDER_OK)
            return status;
        same = store->tags.driver == store->cache.driver &&
               (param_set_equal(store->tags.params, store->cache.params) ||
                (same_text && says_nothing_else(&store->cache, &store->tags, config)));
        if (same)
            backend_spec_done(&store->tags);
    }
    return check_offer(same ? &store->cache : &store->tags, true, error);
}

/* ---- the whole ------------------------------------------------------------------------------ */

static const char who_store[] = "the store";

static int32_t check_namespace(const char *ns, const char *where, struct larder_error *error) {
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    enum { MAX = 64 };
    char shown[PARAM_SHOWN];
    size_t len = strlen(ns);
    if (len > 0 && len <= MAX && strspn(ns, allowed) == len && strcmp(ns, ".") != 0 && strcmp(ns, "..") != 0)
        return LARDER_OK;
    return error_set(
        error, LARDER_INVALID,
        "setting 'namespace' of the store (%s): '%s' is not 1 to %d of a-z, A-Z, 0-9, '.', '_' and '-'",
        where, param_shown(NULL, ns, shown), MAX);
}

static bool is_kind(const char *name, size_t len) {
    for (uint32_t kind = 1; kind < LARDER_N_KINDS; kind++) {
        const char *known = larder_kind_name(kind);
        if (known && strlen(known) == len && memcmp(known, name, len) == 0)
            return true;
    }
    return false;
}

static int32_t check_kinds(const char *kinds, const char *where, struct larder_error *error) {
    for (const char *p = kinds; *p;) {
        size_t len = strcspn(p, ",");
        if (!is_kind(p, len)) {
            char shown[PARAM_SHOWN];
            return error_set(
                error, LARDER_INVALID,
                "setting 'shared-kinds' of the store (%s): '%s' is not a list of page, fetch, image and "
                "use-cache, with commas between",
                where, param_shown(NULL, kinds, shown));
        }
        p += len + (p[len] == ',');
    }
    return LARDER_OK;
}

static int32_t resolve_store(const struct larder_config *config, struct store_config *store,
                             struct larder_error *error) {
    const size_t n = N_ELEMENTS(store_params);
    store->settings_set = param_set_new(store_params, n, sizeof(struct store_settings));
    if (store->settings_set == NULL)
        return error_set(error, LARDER_NOMEM, "out of memory");
    for (size_t i = 0; i < config->n; i++) {
        const struct setting *s = &config->settings[i];
        if (param_find(store_params, n, s->name) == n)
            continue;
        int32_t status = param_set_text(store->settings_set, who_store, s->where, s->name, s->value, error);
        if (status != LARDER_OK)
            return status;
    }
    store->settings = param_set_config(store->settings_set);
    const char *ns_where = param_set_where_at(store->settings_set, param_find(store_params, n, "namespace"));
    const char *kinds_where = param_set_where_at(store->settings_set,
                                                 param_find(store_params, n, "shared-kinds"));
    int32_t status = check_namespace(store->settings->ns, ns_where ? ns_where : "default", error);
    if (status == LARDER_OK)
        status = check_kinds(store->settings->shared_kinds, kinds_where ? kinds_where : "default", error);
    return status;
}

int32_t store_config_new(const struct larder_config *config, struct store_config **ret,
                         struct larder_error *error) {
    struct store_config *store = calloc(1, sizeof *store);
    if (store == NULL)
        return error_set(error, LARDER_NOMEM, "out of memory");
    int32_t status = resolve_store(config, store, error);
    if (status == LARDER_OK)
        status = resolve(config, "cache", last_choice(config, "cache", UINT32_MAX), &store->cache, error);
    if (status == LARDER_OK)
        status = check_offer(&store->cache, false, error);
    if (status == LARDER_OK)
        status = resolve_tags(config, store, error);
    if (status == LARDER_OK)
        *ret = store;
    else
        store_config_free(store);
    return status;
}

struct store_config *store_config_free(struct store_config *store) {
    if (store) {
        param_set_free(store->settings_set);
        backend_spec_done(&store->cache);
        backend_spec_done(&store->tags);
        free(store);
    }
    return NULL;
}

int32_t larder_config_check(const struct larder_config *config, struct larder_error *error) {
    struct store_config *store = NULL;
    int32_t status = store_config_new(config, &store, error);
    store_config_free(store);
    return status;
}
