/*
 * From what is configured for `cache` and `tags` - a URL, a path or a name, and settings - to
 * drivers with filled configuration structs.
 */
#include <string.h>

#include "config_parts.h"
#include "error.h"
#include "phrase.h"

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
    if (named == 0) {
        error_set(error, LARDER_INVALID, "setting '%s' (%s) names no driver: give for example %s",
                  setting ? setting->name : "cache", spec_where(ret), CONFIG_DEFAULT_CACHE);
        return LARDER_INVALID;
    }
    ret->named = text_copy(text, named);
    if (ret->named)
        return LARDER_OK;
    error_set(error, LARDER_NOMEM, "out of memory");
    return LARDER_NOMEM;
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
    char *copy = text_copy(url, len);
    if (copy == NULL)
        return error_set(error, LARDER_NOMEM, "out of memory");
    int32_t status;
    char shown[PARAM_SHOWN];
    if (has_url)
        status = param_set_text(set, who, spec_where(spec), "url", copy, error);
    else
        status = error_set(error, LARDER_INVALID, "%s takes no address (%s): write '%s', not '%s'", who,
                           spec_where(spec), spec->named, param_shown(NULL, copy, shown));
    text_wipe_free(copy);
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
            char *name = text_copy(p, name_len);
            char *value = text_copy(p + name_len + 1, len - name_len - 1);
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
            text_wipe_free(value);
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
        if ((setting->source < source) != below || !setting_is_of(setting->name, role, &name) ||
            *name == '\0')
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

void backend_spec_done(struct backend_spec *backend) {
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
    backend->named = text_copy(named, strlen(named));
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
    if (status == LARDER_OK) {
        /* What is missing was written nowhere: say at least for whom. */
        snprintf(who, sizeof who, "driver %s (%s)", driver->name, role);
        status = param_set_check(backend->params, who, error);
    }
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
        if (setting_is_of(config->settings[i].name, role, &name) && *name)
            return true;
    }
    return false;
}

/* Without `tags` nothing may be said of it either. */
static int32_t refuse_tag_settings(const struct larder_config *config, struct larder_error *error) {
    for (size_t i = 0; i < config->n; i++) {
        const char *rest;
        if (setting_is_of(config->settings[i].name, "tags", &rest))
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
        if (!setting_is_of(config->settings[i].name, "tags", &name) || *name == '\0')
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

int32_t config_driver(const struct larder_config *config, const char *role, struct backend_spec *ret,
                      struct larder_error *error) {
    return resolve(config, role, last_choice(config, role, UINT32_MAX), ret, error);
}

int32_t config_drivers(const struct larder_config *config, struct store_config *store,
                       struct larder_error *error) {
    int32_t status = resolve(config, "cache", last_choice(config, "cache", UINT32_MAX), &store->cache, error);
    if (status == LARDER_OK)
        status = check_offer(&store->cache, false, error);
    if (status == LARDER_OK)
        status = resolve_tags(config, store, error);
    return status;
}
