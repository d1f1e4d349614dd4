/*
 * The module: connect(deliver), open(settings), hear(chosen), and for tests threadCpuUs(), live()
 * and copyAlways().
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "args.h"
#include "buf.h"
#include "client.h"
#include "deliver.h"
#include "runtime.h"
#include "store_object.h"

/* ---- open ----------------------------------------------------------------------------- */

/* What tells one store from another: every setting given, and every LARDER_ variable, each
 * with a NUL behind it. */
static struct larder_bytes settings_key(struct args *args, const struct larder_bytes *texts, size_t n) {
    static const char prefix[] = "LARDER_";
    size_t len = 0;
    for (size_t i = 0; i < n; i++)
        len += texts[i].len + 1;
    for (char **var = environ; var && *var; var++)
        len += strncmp(*var, prefix, sizeof(prefix) - 1) == 0 ? strlen(*var) + 1 : 0;

    uint8_t *key = scratch_take(args->scratch, len);
    if (!key) {
        args_fail(args, LARDER_NOMEM, "the settings", "do not fit into memory");
        return (struct larder_bytes){NULL, 0};
    }
    uint8_t *at = key;
    for (size_t i = 0; i < n; at += texts[i++].len + 1)
        memcpy(at, texts[i].ptr, texts[i].len + 1);
    for (char **var = environ; var && *var; var++) {
        if (strncmp(*var, prefix, sizeof(prefix) - 1) != 0)
            continue;
        size_t size = strlen(*var) + 1;
        memcpy(at, *var, size);
        at += size;
    }
    return (struct larder_bytes){key, len};
}

static int32_t build_config(struct larder_config *config, const struct larder_bytes *texts, size_t n,
                            struct larder_error *error) {
    for (size_t i = 0; i + 2 < n; i += 3) {
        const char *text[3];
        for (size_t k = 0; k < 3; k++) {
            text[k] = (const char *)texts[i + k].ptr;
            if (memchr(text[k], 0, texts[i + k].len)) {
                *error = (struct larder_error){LARDER_INVALID, "a setting contains a NUL character"};
                return error->status;
            }
        }
        int32_t status = larder_config_set(config, text[0], text[1], text[2], error);
        if (status != LARDER_OK)
            return status;
    }
    return larder_config_env(config, error);
}

/* This environment's handle for the store; each holds the shared store once. */
static struct handle *handle_for(struct client *client, struct shared_store *shared) {
    for (struct handle *handle = client->handles; handle; handle = handle->next) {
        if (handle->shared == shared) {
            registry_release(shared);
            return handle;
        }
    }
    struct handle *handle = malloc(sizeof(*handle));
    if (!handle) {
        registry_release(shared);
        return NULL;
    }
    *handle = (struct handle){client->handles, client, shared};
    client->handles = handle;
    return handle;
}

static struct handle *open_store(struct args *args, struct client *client, struct larder_error *error) {
    size_t n;
    const struct larder_bytes *texts = args_texts(args, 0, "a setting", &n);
    struct larder_bytes key = settings_key(args, texts, n);
    *error = (struct larder_error){LARDER_NOMEM, "out of memory"};
    if (args->status != LARDER_OK) {
        error->status = args->status;
        memcpy(error->text, args->complaint, sizeof(args->complaint));
        return NULL;
    }
    struct handle *handle = NULL;
    struct larder_config *config = larder_config_new();
    if (config && build_config(config, texts, n, error) == LARDER_OK) {
        struct shared_store *shared = registry_open(config, key, error);
        if (shared)
            handle = handle_for(client, shared);
    }
    larder_config_free(config);
    return handle;
}

static struct client *client_of(napi_env env) {
    void *client = NULL;
    return napi_get_instance_data(env, &client) == napi_ok ? client : NULL;
}

/* open([name, value, where, name, value, where ...]): a store's functions, or an Error with the
 * core's text. */
static napi_value js_open(napi_env env, napi_callback_info info) {
    struct args args;
    struct scratch scratch;
    struct larder_error error = {LARDER_INVALID, "connect() comes before open()"};
    struct client *client = client_of(env);
    struct handle *handle = NULL;
    napi_value ret = NULL;
    scratch_init(&scratch);
    args_init(&args, env, info, &scratch);
    if (client && client->wake)
        handle = open_store(&args, client, &error);
    if (!handle)
        (void)napi_throw_error(env, larder_status_name(error.status), error.text);
    else if (store_object_new(handle, &ret) != napi_ok)
        ret = NULL;
    scratch_done(&scratch);
    return ret;
}

/* connect(deliver): once, before the first open(). */
static napi_value js_connect(napi_env env, napi_callback_info info) {
    size_t n = 1;
    napi_value js_deliver;
    struct client *client = client_of(env);
    if (napi_get_cb_info(env, info, &n, &js_deliver, NULL, NULL) != napi_ok)
        return NULL;
    if (!client || client->wake || client_connect(client, js_deliver) != napi_ok)
        (void)napi_throw_error(env, NULL, "larder: this environment cannot be called back, or is already");
    return NULL;
}

/* hear(chosen): this environment is given the log, or as if it had never asked; see log_lines.h. */
static napi_value js_hear(napi_env env, napi_callback_info info) {
    size_t n = 1;
    napi_value chosen;
    bool value = false;
    struct client *client = client_of(env);
    if (client && napi_get_cb_info(env, info, &n, &chosen, NULL, NULL) == napi_ok &&
        napi_get_value_bool(env, chosen, &value) == napi_ok)
        log_lines_choose(client, value);
    return NULL;
}

/* ---- for tests and measurements ----------------------------------------------------------- */

/* CPU time of the calling thread: process.cpuUsage() counts every thread. */
static napi_value js_thread_cpu_us(napi_env env, napi_callback_info info) {
    (void)info;
    struct timespec t;
    napi_value ret;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return napi_create_double(env, (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3, &ret) == napi_ok ? ret
                                                                                                      : NULL;
}

/* What is alive: [external values, buffers of the core] of this process; of this environment [bytes of
 * texts behind external strings, of them what V8 was told of]; and of the process [timers of the core]. */
static napi_value js_live(napi_env env, napi_callback_info info) {
    (void)info;
    const struct client *client = client_of(env);
    const double counts[] = {(double)deliver_externals(), (double)buf_live(),
                             client ? (double)client->texts_bytes : 0,
                             client ? (double)client->told_bytes : 0, (double)runtime_timers()};
    enum { N = sizeof(counts) / sizeof(counts[0]) };
    napi_value ret, value;
    if (napi_create_array_with_length(env, N, &ret) != napi_ok)
        return NULL;
    for (uint32_t i = 0; i < N; i++) {
        if (napi_create_double(env, counts[i], &value) != napi_ok ||
            napi_set_element(env, ret, i, value) != napi_ok)
            return NULL;
    }
    return ret;
}

/* From now on as in a Node.js that takes no external memory, in this environment. */
static napi_value js_copy_always(napi_env env, napi_callback_info info) {
    (void)info;
    struct client *client = client_of(env);
    if (client) {
        client->copies = true;
        client->external_latin1 = NULL;
        client->external_utf16 = NULL;
    }
    return NULL;
}

/* NAPI_MODULE_INIT() defines it; not every version of its header declares it. */
NAPI_MODULE_EXPORT int32_t NAPI_CDECL node_api_module_get_api_version_v1(void);

NAPI_MODULE_INIT() {
    napi_value version;
    if (!client_new(env) ||
        napi_create_string_latin1(env, larder_version(), NAPI_AUTO_LENGTH, &version) != napi_ok) {
        (void)napi_throw_error(env, NULL, "larder: out of memory");
        return NULL;
    }
    const napi_property_descriptor properties[] = {
        {.utf8name = "version", .value = version, .attributes = napi_enumerable},
        {.utf8name = "connect", .method = js_connect},
        {.utf8name = "open", .method = js_open},
        {.utf8name = "hear", .method = js_hear},
        {.utf8name = "threadCpuUs", .method = js_thread_cpu_us},
        {.utf8name = "live", .method = js_live},
        {.utf8name = "copyAlways", .method = js_copy_always},
    };
    if (napi_define_properties(env, exports, sizeof(properties) / sizeof(properties[0]), properties) !=
        napi_ok)
        return NULL;
    return exports;
}
