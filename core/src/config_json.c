/*
 * Configuration as JSON: larder.json, and the effective configuration printed.  The only file
 * of the core that needs cJSON; nothing else in the core may refer to it (the addon links the
 * core without it).
 */
#include <cjson/cJSON.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bytes.h"
#include "config.h"
#include "error.h"
#include "phrase.h"

enum { FILE_MAX = 1 << 20, NAME_SIZE = 128 };

/* Beyond it a double does not hold every whole number. */
#define WHOLE_MAX 0x1p53

/* ---- reading ---------------------------------------------------------------------------- */

/* A scalar as the text that its setting is parsed from; NULL where it is none. */
static const char *text_of(const cJSON *item, char *buffer, size_t size) {
    if (cJSON_IsString(item))
        return item->valuestring;
    if (cJSON_IsBool(item))
        return cJSON_IsTrue(item) ? "true" : "false";
    if (!cJSON_IsNumber(item))
        return NULL;
    double number = item->valuedouble;
    if (number > -WHOLE_MAX && number < WHOLE_MAX && (double)(int64_t)number == number)
        snprintf(buffer, size, "%.0f", number);
    else
        snprintf(buffer, size, "%.15g", number);
    return buffer;
}

/* ["a", "b"] is "a,b", malloc()ed into *ret; NULL there: something in it is no scalar. */
static int32_t join_array(const cJSON *array, char **ret, struct larder_error *error) {
    char buffer[64];
    size_t size = 1;
    *ret = NULL;
    for (const cJSON *item = array->child; item; item = item->next) {
        const char *text = text_of(item, buffer, sizeof buffer);
        if (text == NULL)
            return LARDER_OK;
        size += strlen(text) + 1;
    }
    char *joined = malloc(size);
    if (joined == NULL)
        return error_set(error, LARDER_NOMEM, "out of memory");
    struct phrase phrase = phrase_begin(joined, size);
    for (const cJSON *item = array->child; item; item = item->next)
        phrase_add(&phrase, "%s%s", item == array->child ? "" : ",", text_of(item, buffer, sizeof buffer));
    *ret = joined;
    return LARDER_OK;
}

static int32_t add_item(struct larder_config *config, uint32_t source, const char *name, const cJSON *item,
                        const char *where, struct larder_error *error) {
    char buffer[64];
    char *joined = NULL;
    if (cJSON_IsNull(item))
        return LARDER_OK; /* as good as left out */
    int32_t status = cJSON_IsArray(item) ? join_array(item, &joined, error) : LARDER_OK;
    const char *text = joined ? joined : text_of(item, buffer, sizeof buffer);
    if (status == LARDER_OK && text == NULL)
        status = error_set(error, LARDER_INVALID,
                           "setting '%s' (%s) is neither a text, a number, true, false, nor a list of those",
                           name, where);
    else if (status == LARDER_OK)
        status = config_add(config, source, name, text, where, error);
    if (joined)
        explicit_bzero(joined, strlen(joined));
    free(joined);
    return status;
}

/* Whether the same name stands earlier in the same object. */
static bool is_repeated(const cJSON *object, const cJSON *item) {
    for (const cJSON *other = object->child; other && other != item; other = other->next) {
        if (strcmp(other->string, item->string) == 0)
            return true;
    }
    return false;
}

static int32_t refuse_repeated(const char *name, const char *where, struct larder_error *error) {
    return error_set(error, LARDER_INVALID, "setting '%s' (%s) is there twice", name, where);
}

/* {"driver": "fs", "max-size": "1GB"}; or "url" in place of "driver". */
static int32_t add_object(struct larder_config *config, uint32_t source, const cJSON *object,
                          const char *where, struct larder_error *error) {
    const char *role = object->string;
    const cJSON *driver = cJSON_GetObjectItemCaseSensitive(object, "driver");
    if (driver == NULL)
        driver = cJSON_GetObjectItemCaseSensitive(object, "url");
    if (!cJSON_IsString(driver) || *driver->valuestring == '\0')
        return error_set(error, LARDER_INVALID,
                         "setting '%s' (%s) is an object without \"driver\" (a name) or \"url\"", role,
                         where);
    for (const cJSON *item = object->child; item; item = item->next) {
        char name[NAME_SIZE];
        struct phrase phrase = phrase_begin(name, sizeof name);
        phrase_add(&phrase, "%s.%s", role, item->string);
        if (is_repeated(object, item))
            return refuse_repeated(name, where, error);
        int32_t status = add_item(config, source, item == driver ? role : name, item, where, error);
        if (status != LARDER_OK)
            return status;
    }
    return LARDER_OK;
}

static int32_t add_all(struct larder_config *config, const cJSON *root, const char *where,
                       struct larder_error *error) {
    uint32_t source = config_new_source(config);
    for (const cJSON *item = root->child; item; item = item->next) {
        if (item->string[0] == '$')
            continue; /* "$schema", "$comment": for editors and people */
        bool role = strcmp(item->string, "cache") == 0 || strcmp(item->string, "tags") == 0;
        if (is_repeated(root, item))
            return refuse_repeated(item->string, where, error);
        int32_t status = role && cJSON_IsObject(item)
                             ? add_object(config, source, item, where, error)
                             : add_item(config, source, item->string, item, where, error);
        if (status != LARDER_OK)
            return status;
    }
    return LARDER_OK;
}

/* Any text of it may be a secret.  As deep as cJSON parses (CJSON_NESTING_LIMIT), no deeper. */
static void wipe(cJSON *item) {
    for (; item; item = item->next) {
        if (item->valuestring)
            explicit_bzero(item->valuestring, strlen(item->valuestring));
        wipe(item->child);
    }
}

static bool only_space(const char *p, const char *end) {
    while (p < end && (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r'))
        p++;
    return p == end;
}

static int32_t say_where(const char *text, const char *at, const char *where, const char *what,
                         struct larder_error *error) {
    size_t line = 1;
    for (const char *p = text; p < at; p++)
        line += *p == '\n';
    return error_set(error, LARDER_INVALID, "%s: line %zu: %s", where, line, what);
}

int32_t larder_config_json(struct larder_config *config, const char *text, size_t len, const char *where,
                           struct larder_error *error) {
    static const char byte_order_mark[] = "\xef\xbb\xbf";
    if (len >= 3 && memcmp(text, byte_order_mark, 3) == 0) {
        text += 3;
        len -= 3;
    }
    /* cJSON would cut the string there without a word. */
    const char *zero = memmem(text, len, "\\u0000", 6);
    if (zero == NULL)
        zero = memchr(text, '\0', len);
    if (zero)
        return say_where(text, zero, where, "a zero byte has no place in a setting", error);

    const char *end = text;
    cJSON *root = cJSON_ParseWithLengthOpts(text, len, &end, 0);
    int32_t status;
    if (root == NULL)
        status = say_where(text, end, where, "not JSON", error);
    else if (!only_space(end, text + len))
        status = say_where(text, end, where, "something follows the JSON object", error);
    else if (!cJSON_IsObject(root))
        status = error_set(error, LARDER_INVALID, "%s: the configuration is a JSON object {...}", where);
    else
        status = add_all(config, root, where, error);
    wipe(root);
    cJSON_Delete(root);
    return status;
}

/* The whole of fd, at most FILE_MAX bytes, malloc()ed. */
static int32_t read_all(int fd, const char *path, char **ret_text, size_t *ret_len,
                        struct larder_error *error) {
    struct stat st;
    if (fstat(fd, &st) != 0)
        return error_set(error, LARDER_INVALID, "%s cannot be read: %s", path, errno_text(errno));
    if (!S_ISREG(st.st_mode) || st.st_size > FILE_MAX)
        return error_set(error, LARDER_INVALID, "%s is not a configuration: %s", path,
                         S_ISREG(st.st_mode) ? "it is larger than 1 MB" : "it is not a file");
    size_t size = (size_t)st.st_size, len = 0;
    char *text = calloc(1, size + 1);
    if (text == NULL)
        return error_set(error, LARDER_NOMEM, "out of memory");
    while (len < size) {
        ssize_t n = read(fd, text + len, size - len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            int reason = errno;
            free(text);
            return error_set(error, LARDER_INVALID, "%s cannot be read: %s", path, errno_text(reason));
        }
        if (n == 0)
            break;
        len += (size_t)n;
    }
    *ret_text = text;
    *ret_len = len;
    return LARDER_OK;
}

int32_t larder_config_file(struct larder_config *config, const char *path, struct larder_error *error) {
    const char *named = path;
    if (named == NULL) {
        named = getenv("LARDER_CONFIG");
        if (named && *named == '\0')
            named = NULL;
    }
    const char *file = named ? named : "larder.json";
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        if (errno == ENOENT && named == NULL)
            return LARDER_OK;
        return error_set(error, LARDER_INVALID, "%s%s cannot be read: %s", file,
                         named && path == NULL ? " (LARDER_CONFIG)" : "", errno_text(errno));
    }
    char *text = NULL;
    size_t len = 0;
    int32_t status = read_all(fd, file, &text, &len, error);
    close(fd);
    if (status != LARDER_OK || text == NULL)
        return status;
    status = larder_config_json(config, text, len, file, error);
    explicit_bzero(text, len);
    free(text);
    return status;
}

/* ---- printing --------------------------------------------------------------------------- */

/* The setting's value as JSON; false: no memory. */
static bool print_value(cJSON *object, const struct larder_param *param, const struct param_set *set) {
    const uint8_t *member = (const uint8_t *)param_set_config(set) + param->offset;
    if (!param_is_number(param)) {
        const char *value;
        memcpy(&value, member, sizeof value);
        value = value ? value : "";
        size_t size = 3 * strlen(value) + sizeof "***"; /* redacting may lengthen it */
        char *shown = malloc(size);
        if (shown)
            param_redact(param, value, shown, size);
        bool good = shown && cJSON_AddStringToObject(object, param->name, shown);
        free(shown);
        return good;
    }
    int64_t number;
    memcpy(&number, member, sizeof number);
    if (param->type == LARDER_P_BOOL)
        return cJSON_AddBoolToObject(object, param->name, number != 0) != NULL;
    char text[32];
    param_format(param, number, text, sizeof text);
    if (param->type == LARDER_P_INT) {
        /* Others stay texts: JSON readers would round them. */
        if ((double)number > -WHOLE_MAX && (double)number < WHOLE_MAX)
            return cJSON_AddNumberToObject(object, param->name, (double)number) != NULL;
    }
    return cJSON_AddStringToObject(object, param->name, text) != NULL;
}

static bool print_set(cJSON *object, const struct larder_param *params, size_t n,
                      const struct param_set *set) {
    for (size_t i = 0; i < n; i++) {
        if (!print_value(object, &params[i], set))
            return false;
    }
    return true;
}

static bool print_backend(cJSON *root, const char *role, const struct backend_spec *backend) {
    cJSON *object = cJSON_AddObjectToObject(root, role);
    return object && cJSON_AddStringToObject(object, "driver", backend->named) &&
           print_set(object, backend->driver->params, backend->driver->n_params, backend->params);
}

int32_t larder_config_print(const struct larder_config *config, char **ret_json, struct larder_error *error) {
    struct store_config *store = NULL;
    int32_t status = store_config_new(config, &store, error);
    if (status != LARDER_OK)
        return status;
    size_t n;
    const struct larder_param *params = larder_store_params(&n);
    cJSON *root = cJSON_CreateObject();
    char *json = NULL;
    if (root && print_backend(root, "cache", &store->cache) &&
        print_backend(root, "tags", store->tags.driver ? &store->tags : &store->cache) &&
        print_set(root, params, n, store->settings_set))
        json = cJSON_Print(root);
    if (json)
        *ret_json = json;
    else
        status = error_set(error, LARDER_NOMEM, "out of memory");
    cJSON_Delete(root);
    store_config_free(store);
    return status;
}
