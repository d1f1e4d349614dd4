/* Settings from LARDER_* variables.  Reads environ: not while another thread calls setenv(). */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bytes.h"
#include "config.h"
#include "error.h"

static const char prefix[] = "LARDER_";
enum { PREFIX_LEN = sizeof prefix - 1, VARIABLE_MAX = 128 };

/* Read elsewhere; no settings. */
static const char *const reserved[] = {"LARDER_CONFIG", "LARDER_DRIVER_PATH"};
static const char *const roles[] = {"cache", "tags"};

/* "get-deadline" -> LARDER_GET_DEADLINE */
static void variable_of(const char *setting, char out[VARIABLE_MAX]) {
    size_t n = PREFIX_LEN;
    memcpy(out, prefix, n);
    for (const char *p = setting; *p && n < VARIABLE_MAX - 1; p++)
        out[n++] = (char)(*p == '-' ? '_' : *p >= 'a' && *p <= 'z' ? *p - 'a' + 'A' : *p);
    out[n] = '\0';
}

/* MAX_SIZE -> max-size; false where no setting can be meant. */
static bool setting_of(const char *capitals, size_t len, char *out, size_t size) {
    if (len == 0 || len >= size)
        return false;
    for (size_t i = 0; i < len; i++) {
        char c = capitals[i];
        bool upper = c >= 'A' && c <= 'Z';
        if (!upper && c != '_' && !(c >= '0' && c <= '9'))
            return false;
        out[i] = (char)(c == '_' ? '-' : upper ? c - 'A' + 'a' : c);
    }
    out[len] = '\0';
    return true;
}

static bool ends_with(const char *text, size_t len, const char *end) {
    size_t n = strlen(end);
    return len >= n && memcmp(text + len - n, end, n) == 0;
}

/* Kubernetes describes a service named larder (or larder-cache ...) to every pod of its
 * namespace: LARDER_SERVICE_HOST, LARDER_PORT=tcp://10.0.0.1:6379, LARDER_PORT_6379_TCP_ADDR.
 * https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables */
static bool is_service_link(const char *name, size_t len, const char *value) {
    if (ends_with(name, len, "_SERVICE_HOST") || ends_with(name, len, "_SERVICE_PORT") ||
        memmem(name, len, "_SERVICE_PORT_", 14))
        return true;
    const char *port = memmem(name, len, "_PORT", 5);
    if (port == NULL)
        return false;
    const char *rest = port + 5;
    if (rest == name + len)
        return strncmp(value, "tcp://", 6) == 0 || strncmp(value, "udp://", 6) == 0;
    size_t digits = *rest == '_' ? strspn(rest + 1, "0123456789") : 0;
    return digits > 0 &&
           (strncmp(rest + 1 + digits, "_TCP", 4) == 0 || strncmp(rest + 1 + digits, "_UDP", 4) == 0);
}

struct nearest {
    char name[VARIABLE_MAX];
    size_t distance;
};

static void consider(struct nearest *nearest, const char *written, const char *candidate) {
    size_t distance = param_distance(written, candidate);
    if (distance < nearest->distance) {
        nearest->distance = distance;
        memcpy(nearest->name, candidate, strlen(candidate) + 1);
    }
}

static int32_t refuse(const char *name, struct larder_error *error) {
    size_t n;
    const struct larder_param *params = larder_store_params(&n);
    struct nearest nearest = {.distance = SIZE_MAX};
    char variable[VARIABLE_MAX];
    for (size_t i = 0; i < n; i++) {
        variable_of(params[i].name, variable);
        consider(&nearest, name, variable);
    }
    for (size_t i = 0; i < N_ELEMENTS(roles); i++) {
        variable_of(roles[i], variable);
        consider(&nearest, name, variable);
    }
    for (size_t i = 0; i < N_ELEMENTS(reserved); i++)
        consider(&nearest, name, reserved[i]);
    if (nearest.distance != SIZE_MAX && param_is_near(name + PREFIX_LEN, nearest.distance))
        return error_set(error, LARDER_INVALID, "unknown setting %s in the environment, did you mean %s?",
                         name, nearest.name);
    return error_set(
        error, LARDER_INVALID,
        "unknown setting %s in the environment: LARDER_ and a setting of the store, LARDER_CACHE_ or "
        "LARDER_TAGS_ and a setting of the driver",
        name);
}

/* The setting that a variable stands for, into out ("cache.max-size"); false: none. */
static bool name_of(const char *variable, char out[VARIABLE_MAX]) {
    size_t n;
    const struct larder_param *params = larder_store_params(&n);
    const char *rest = variable + PREFIX_LEN;
    if (!setting_of(rest, strlen(rest), out, VARIABLE_MAX))
        return false;
    if (param_find(params, n, out) < n)
        return true;
    for (size_t i = 0; i < N_ELEMENTS(roles); i++) {
        size_t len = strlen(roles[i]);
        if (strncmp(out, roles[i], len) != 0)
            continue;
        if (out[len] == '\0')
            return true;
        if (out[len] == '-' && out[len + 1]) {
            out[len] = '.';
            return true;
        }
    }
    return false;
}

/* LARDER_NODE_ADDON and what else the Node.js binding has of its own. */
static const char node_prefix[] = "LARDER_NODE_";

static bool is_reserved(const char *variable) {
    if (strncmp(variable, node_prefix, sizeof node_prefix - 1) == 0)
        return true;
    if (strncmp(variable, "LARDER_NODE_", 12) == 0) /* where the addon is, and its headers */
        return true;
    for (size_t i = 0; i < N_ELEMENTS(reserved); i++) {
        if (strcmp(variable, reserved[i]) == 0)
            return true;
    }
    return false;
}

int32_t larder_config_env(struct larder_config *config, struct larder_error *error) {
    uint32_t source = config_new_source(config);
    for (char **p = environ; p && *p; p++) {
        const char *equals = strchr(*p, '=');
        if (equals == NULL || strncmp(*p, prefix, PREFIX_LEN) != 0 || equals[1] == '\0')
            continue; /* an empty variable is as good as none */
        char variable[VARIABLE_MAX], name[VARIABLE_MAX] = "";
        size_t len = (size_t)(equals - *p);
        if (is_service_link(*p, len, equals + 1))
            continue;
        if (len >= sizeof variable)
            return error_set(error, LARDER_INVALID, "unknown setting %.64s... in the environment", *p);
        memcpy(variable, *p, len);
        variable[len] = '\0';
        if (is_reserved(variable))
            continue;
        if (!name_of(variable, name))
            return refuse(variable, error);
        int32_t status = config_add(config, source, name, equals + 1, variable, error);
        if (status != LARDER_OK)
            return status;
    }
    return LARDER_OK;
}
