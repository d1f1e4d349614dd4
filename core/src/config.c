/*
 * Configuration: settings from several places, put in order, and turned into drivers with
 * their configuration structs.  See config.h; docs/configuration.md is the user's side.
 *
 * Nothing here refers to config_json.c: the addon links this and has no JSON parser in C.
 */
#include <string.h>

#include "config_parts.h"
#include "error.h"
#include "fault.h"
#include "live_folder.h"

#define AT(member) LARDER_AT(struct store_settings, member)

static const struct larder_param store_params[] = {
    {"namespace", LARDER_P_TEXT, AT(ns), "default", 0, 0, NULL, NULL,
     "keeps several applications in one backend apart: letters, digits, '.', '_' and '-'"},
    {"build", LARDER_P_TEXT, AT(build), "", 0, 0, NULL, NULL,
     "build id to use where a request brings none (the handlers for Next.js always bring one)"},
    {"shared-kinds", LARDER_P_TEXT, AT(shared_kinds), "fetch,image,use-cache", 0, 0, NULL, NULL,
     "kinds of entries that builds share, comma-separated, from: page, fetch, image, use-cache"},
    {"compress", LARDER_P_TEXT, AT(compress), "auto", 0, 0, "auto|on|off", NULL,
     "compress entries with zstd where that saves at least an eighth; auto: not on local drivers"},
    {"compress-min", LARDER_P_BYTES, AT(compress_min_bytes), "8KB", 0, INT64_C(1) << 30, NULL, NULL,
     "entries smaller than this are not compressed"},
    {"compress-level", LARDER_P_INT, AT(compress_level), "1", -5, 19, NULL, NULL,
     "zstd level: higher is smaller and slower"},
    {"get-deadline", LARDER_P_MS, AT(get_deadline_ms), "500ms", 1, 600000, NULL, NULL,
     "a get that takes longer is answered as a miss"},
    {"write-deadline", LARDER_P_MS, AT(write_deadline_ms), "2s", 1, 600000, NULL, NULL,
     "a put or a revalidation that takes longer is reported as failed"},
    {"set-wait", LARDER_P_MS, AT(set_wait_ms), "500ms", 0, 600000, NULL, NULL,
     "how long a set keeps Next.js waiting for the store; it is stored all the same"},
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
    {"retries", LARDER_P_INT, AT(retries), "2", 0, 10, NULL, NULL,
     "how often a call of the backend that failed in passing is repeated, within its deadline; 0: never"},
    {"retry-base", LARDER_P_MS, AT(retry_base_ms), "25ms", 0, 60000, NULL, NULL,
     "the first repetition comes after a random time up to this, each further one up to twice as late"},
    {"retry-cap", LARDER_P_MS, AT(retry_cap_ms), "1s", 0, 60000, NULL, NULL,
     "the longest wait before a repetition, unless the backend asks for more"},
    {"breaker", LARDER_P_INT, AT(breaker_percent), "50", 0, 100, NULL, NULL,
     "percent of failing calls from which on the backend is left alone for a while; 0: never"},
    {"breaker-calls", LARDER_P_INT, AT(breaker_calls), "20", 1, 1000000, NULL, NULL,
     "of fewer calls in the window no percentage is taken"},
    {"breaker-window", LARDER_P_MS, AT(breaker_window_ms), "10s", 100, 3600000, NULL, NULL,
     "how far back failing calls are counted"},
    {"breaker-pause", LARDER_P_MS, AT(breaker_pause_ms), "250ms", 1, 3600000, NULL, NULL,
     "after this the backend is asked whether it is back; then later and later, at most every 5 s"},
    {"fault", LARDER_P_TEXT, AT(fault), "", 0, 0, NULL, NULL,
     "for tests and drills alone: a plan of faults to inject, such as any:delay=10ms..200ms@10%;down=3s/10s"},
    {"memory", LARDER_P_BYTES, AT(memory_bytes), "50MB", 0, INT64_C(1) << 40, NULL, NULL,
     "entries that each process keeps in its memory, checked against their tags' marks; 0: none"},
    {"memory-age", LARDER_P_MS, AT(memory_age_ms), "5s", 0, 86400000, NULL, NULL,
     "an entry in memory is read again after this: another process may have replaced it"},
    {"claim", LARDER_P_MS, AT(claim_ms), "0", 0, 600000, NULL, NULL,
     "one process renders an entry and the others serve the old one or wait, for so long; 0: each renders"},
    {"claim-wait", LARDER_P_MS, AT(claim_wait_ms), "2s", 0, 600000, NULL, NULL,
     "with claim: wait so long for what another process renders, where there is nothing to serve"},
    {"journal", LARDER_P_TEXT, AT(journal), "", 0, 0, NULL, NULL,
     "folder for revalidations that wait for the store: another process takes them over when this ends"},
    {"live", LARDER_P_TEXT, AT(live), "off", 0, 0, NULL, NULL,
     "where this process tells its counters to larder stats and larder top: a folder, auto or off"},
    {"mark-age", LARDER_P_MS, AT(mark_age_ms), "0", 0, 3600000, NULL, NULL,
     "trust marks for so long without reading them: what other processes revalidate is seen so much later"},
    {"on-outage", LARDER_P_TEXT, AT(on_outage), "miss", 0, 0, "miss|serve", NULL,
     "while marks cannot be read: answer nothing, or what this process knows, which may be outdated "
     "elsewhere"},
    {"outage-max", LARDER_P_MS, AT(outage_max_ms), "10min", 1, 86400000, NULL, NULL,
     "with on-outage=serve: for at most so long after marks could last be read"},
    {"trace", LARDER_P_TEXT, AT(trace), "", 0, 0, NULL, NULL,
     "write each step of a request to the log: 1: of all, else of those whose key has this in it; empty: "
     "off"},
    {"log", LARDER_P_TEXT, AT(log), "warn", 0, 0, "error|warn|info|debug|off", NULL,
     "lines of the log up to this level; of the process: the store that was opened last says"},
    {"memory-share", LARDER_P_TEXT, AT(memory_share), "texts", 0, 0, "texts|all", NULL,
     "what a binding may give to several readers of one answer: texts; all: Buffers too, if none writes into "
     "them"},
};

const struct larder_param *larder_store_params(size_t *ret_n) {
    *ret_n = N_ELEMENTS(store_params);
    return store_params;
}

/* ---- collecting ----------------------------------------------------------------------- */

static const char *const roles[] = {"cache", "tags"};

static void setting_done(struct setting *setting) {
    free(setting->name);
    text_wipe_free(setting->value);
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

bool setting_is_of(const char *name, const char *role, const char **ret_rest) {
    size_t len = strlen(role);
    if (strncmp(name, role, len) != 0 || (name[len] != '\0' && name[len] != '.'))
        return false;
    *ret_rest = name[len] == '.' ? name + len + 1 : name + len;
    return name[len] == '\0' || **ret_rest != '\0';
}

static bool is_known_name(const char *name) {
    const char *rest;
    for (size_t i = 0; i < N_ELEMENTS(roles); i++) {
        if (setting_is_of(name, roles[i], &rest))
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
        size_t capacity = config->capacity ? 2 * config->capacity : 16, size;
        struct setting *grown = NULL;
        if (!__builtin_mul_overflow(capacity, sizeof *grown, &size))
            grown = realloc(config->settings, size);
        if (grown == NULL)
            return error_set(error, LARDER_NOMEM, "out of memory");
        config->settings = grown;
        config->capacity = capacity;
    }
    struct setting setting = {
        .name = text_copy(name, strlen(name)),
        .value = text_copy(value, strlen(value)),
        .where = text_copy(where, strlen(where)),
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

/* "larder.json:7" is a place in larder.json. */
static size_t file_len(const char *where) {
    size_t len = strlen(where), digits = len;
    while (digits > 0 && where[digits - 1] >= '0' && where[digits - 1] <= '9')
        digits--;
    return digits < len && digits > 1 && where[digits - 1] == ':' ? digits - 1 : len;
}

int32_t larder_config_set(struct larder_config *config, const char *name, const char *value,
                          const char *where, struct larder_error *error) {
    const size_t len = file_len(where);
    for (size_t i = 0; i < config->n; i++) {
        const char *other = config->settings[i].where;
        if (file_len(other) == len && memcmp(other, where, len) == 0)
            return config_add(config, config->settings[i].source, name, value, where, error);
    }
    return config_add(config, config_new_source(config), name, value, where, error);
}

/* ---- the whole ------------------------------------------------------------------------ */

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

static int32_t check_live(const char *live, const char *where, struct larder_error *error) {
    char shown[PARAM_SHOWN];
    if (live_folder_is_valid(live))
        return LARDER_OK;
    return error_set(
        error, LARDER_INVALID,
        "setting 'live' of the store (%s): '%s' is not off, auto, or a folder with a slash in it", where,
        param_shown(NULL, live, shown));
}

static int32_t check_faults(const char *plan, const char *where, struct larder_error *error) {
    struct fault_plan parsed;
    char why[FAULT_WHY];
    if (fault_parse(plan, &parsed, why))
        return LARDER_OK;
    return error_set(error, LARDER_INVALID, "setting 'fault' of the store (%s): %s", where, why);
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
    if (status == LARDER_OK)
        status = check_live(store->settings->live,
                            param_set_where_at(store->settings_set, param_find(store_params, n, "live")),
                            error);
    if (status == LARDER_OK)
        status = check_faults(store->settings->fault,
                              param_set_where_at(store->settings_set, param_find(store_params, n, "fault")),
                              error);
    return status;
}

int32_t store_config_new(const struct larder_config *config, struct store_config **ret,
                         struct larder_error *error) {
    struct store_config *store = calloc(1, sizeof *store);
    if (store == NULL)
        return error_set(error, LARDER_NOMEM, "out of memory");
    int32_t status = resolve_store(config, store, error);
    if (status == LARDER_OK)
        status = config_drivers(config, store, error);
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
