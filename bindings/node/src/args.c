#include "args.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "text.h"

/* Most keys and tags fit here: one call into V8 then tells both the text and its length. */
enum { SHORT_UNITS = 512 };

static const double MS_LIMIT = 9.2e18; /* beyond it a double does not fit an int64_t */

void args_init(struct args *args, napi_env env, napi_callback_info info, struct scratch *scratch) {
    args->env = env;
    args->scratch = scratch;
    args->status = LARDER_OK;
    args->n = MAX_ARGS;
    if (napi_get_cb_info(env, info, &args->n, args->values, NULL, &args->data) != napi_ok) {
        args->n = 0;
        args->data = NULL;
        args_fail(args, LARDER_INTERNAL, "the call", "could not be read");
    }
}

void args_fail(struct args *args, int32_t status, const char *name, const char *what) {
    if (args->status != LARDER_OK)
        return;
    args->status = status;
    (void)snprintf(args->complaint, sizeof(args->complaint), "%s %s", name, what);
}

static void out_of_memory(struct args *args, const char *name) {
    args_fail(args, LARDER_NOMEM, name, "does not fit into memory");
}

uint32_t args_u32(struct args *args, size_t i, const char *name) {
    uint32_t value = 0;
    if (args->status == LARDER_OK && napi_get_value_uint32(args->env, args->values[i], &value) != napi_ok)
        args_fail(args, LARDER_INVALID, name, "is not a number");
    return value;
}

double args_double(struct args *args, size_t i, const char *name) {
    double value = 0;
    if (args->status == LARDER_OK && napi_get_value_double(args->env, args->values[i], &value) != napi_ok)
        args_fail(args, LARDER_INVALID, name, "is not a number");
    return value;
}

int64_t args_ms(struct args *args, size_t i, const char *name) {
    double value = args_double(args, i, name);
    if (value >= MS_LIMIT)
        return LARDER_FOREVER;
    /* Written so that NaN goes the same way as what is too small. */
    if (!(value > -MS_LIMIT))
        return LARDER_UNSET;
    return (int64_t)value;
}

int64_t args_epoch(struct args *args, size_t i, const char *name) {
    double value = args_double(args, i, name);
    return value > 0 && value < MS_LIMIT ? (int64_t)value : 0;
}

struct larder_bytes args_read_text(struct args *args, napi_value value, const char *name) {
    struct larder_bytes none = {NULL, 0};
    if (args->status != LARDER_OK)
        return none;

    uint16_t shorts[SHORT_UNITS];
    uint16_t *units = shorts;
    size_t n;
    if (napi_get_value_string_utf16(args->env, value, units, SHORT_UNITS, &n) != napi_ok) {
        args_fail(args, LARDER_INVALID, name, "is not a string");
        return none;
    }
    if (n == SHORT_UNITS - 1) { /* full: there may be more */
        if (napi_get_value_string_utf16(args->env, value, NULL, 0, &n) != napi_ok ||
            !(units = scratch_array(args->scratch, n + 1, sizeof(*units))) ||
            napi_get_value_string_utf16(args->env, value, units, n + 1, &n) != napi_ok) {
            out_of_memory(args, name);
            return none;
        }
    }

    size_t len = text_utf8_len_of_utf16(units, n);
    uint8_t *text = scratch_take(args->scratch, len + 1);
    if (!text) {
        out_of_memory(args, name);
        return none;
    }
    text_utf8_from_utf16(units, n, text);
    text[len] = '\0';
    return (struct larder_bytes){text, len};
}

struct larder_bytes args_text(struct args *args, size_t i, const char *name) {
    return args_read_text(args, args->values[i], name);
}

/* The length of an array argument; 0 for nothing at all. */
static uint32_t array_length(struct args *args, size_t i, const char *name) {
    uint32_t n = 0;
    napi_valuetype type;
    if (args->status != LARDER_OK || napi_get_array_length(args->env, args->values[i], &n) == napi_ok)
        return n;
    if (napi_typeof(args->env, args->values[i], &type) != napi_ok ||
        (type != napi_undefined && type != napi_null))
        args_fail(args, LARDER_INVALID, name, "is not an array");
    return 0;
}

static napi_value array_element(struct args *args, size_t array, uint32_t at, const char *name) {
    napi_value element = NULL;
    if (args->status == LARDER_OK &&
        napi_get_element(args->env, args->values[array], at, &element) != napi_ok)
        args_fail(args, LARDER_INVALID, name, "could not be read");
    return element;
}

const struct larder_bytes *args_texts(struct args *args, size_t i, const char *name, size_t *ret_n) {
    *ret_n = 0;
    uint32_t n = array_length(args, i, name);
    if (n == 0)
        return NULL;
    struct larder_bytes *texts = scratch_array(args->scratch, n, sizeof(*texts));
    if (!texts) {
        out_of_memory(args, name);
        return NULL;
    }
    napi_handle_scope scope;
    if (napi_open_handle_scope(args->env, &scope) != napi_ok) {
        out_of_memory(args, name);
        return NULL;
    }
    for (uint32_t k = 0; k < n && args->status == LARDER_OK; k++)
        texts[k] = args_read_text(args, array_element(args, i, k, name), name);
    (void)napi_close_handle_scope(args->env, scope);
    if (args->status != LARDER_OK)
        return NULL;
    *ret_n = n;
    return texts;
}

/* UTF-16 is the one form that V8 gives without loss and without transcoding; what follows is
 * done on another thread, by the core. */
static void read_text_part(struct args *args, napi_value value, struct larder_part *part) {
    size_t n;
    if (napi_get_value_string_utf16(args->env, value, NULL, 0, &n) != napi_ok) {
        args_fail(args, LARDER_INVALID, "a part", "is neither a string nor a Uint8Array");
        return;
    }
    uint16_t *units = scratch_array(args->scratch, n + 1, sizeof(*units));
    if (!units || napi_get_value_string_utf16(args->env, value, units, n + 1, &n) != napi_ok) {
        out_of_memory(args, "a part");
        return;
    }
    part->data = (struct larder_bytes){(const uint8_t *)units, n * sizeof(*units)};
    part->encoding = LARDER_UTF16;
}

static void read_part(struct args *args, napi_value value, struct larder_part *part) {
    bool typed = false;
    if (args->status == LARDER_OK && napi_is_typedarray(args->env, value, &typed) == napi_ok && typed) {
        napi_typedarray_type type;
        void *data = NULL;
        size_t n = 0;
        if (napi_get_typedarray_info(args->env, value, &type, &n, &data, NULL, NULL) == napi_ok &&
            type == napi_uint8_array) {
            part->data = (struct larder_bytes){data, n};
            part->encoding = LARDER_BINARY;
            return;
        }
    }
    if (args->status == LARDER_OK)
        read_text_part(args, value, part);
}

const struct larder_part *args_parts(struct args *args, size_t i, size_t names, uint32_t *ret_n) {
    *ret_n = 0;
    uint32_t n = array_length(args, i, "parts");
    uint32_t n_names = array_length(args, names, "names");
    if (n_names != 0 && n_names != n)
        args_fail(args, LARDER_INVALID, "names", "is not as long as parts");
    if (n == 0 || args->status != LARDER_OK)
        return NULL;
    struct larder_part *parts = scratch_array(args->scratch, n, sizeof(*parts));
    if (!parts) {
        out_of_memory(args, "parts");
        return NULL;
    }
    napi_handle_scope scope;
    if (napi_open_handle_scope(args->env, &scope) != napi_ok) {
        out_of_memory(args, "parts");
        return NULL;
    }
    for (uint32_t k = 0; k < n && args->status == LARDER_OK; k++) {
        parts[k] = (struct larder_part){0};
        read_part(args, array_element(args, i, k, "parts"), &parts[k]);
        if (n_names > 0)
            parts[k].name = args_read_text(args, array_element(args, names, k, "names"), "a name");
    }
    (void)napi_close_handle_scope(args->env, scope);
    if (args->status != LARDER_OK)
        return NULL;
    *ret_n = n;
    return parts;
}
