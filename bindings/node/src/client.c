#include "client.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#include "deliver.h"

void call_free(struct call *call) {
    larder_answer_unref(call->answer);
    if (call->code == LARDER_DO_PUT)
        scratch_done(&((struct put *)call)->scratch);
    free(call);
}

void calls_free(struct call *calls) {
    for (struct call *call = calls, *next; call; call = next) {
        next = call->next;
        call_free(call);
    }
}

/* Mostly there are none, which costs no more than a look. */
static struct call *take_delivered(struct client *client) {
    if (!atomic_load_explicit(&client->delivered, memory_order_relaxed))
        return NULL;
    return atomic_exchange_explicit(&client->delivered, NULL, memory_order_acquire);
}

/* While calls are under way the I/O thread comes by once more, or this thread does; nothing stays behind. */
static void calls_delivered(struct client *client, struct call *calls) {
    struct call *before = atomic_load_explicit(&client->delivered, memory_order_relaxed), *last = calls;
    if (client->pending == 0) {
        calls_free(calls);
        calls_free(take_delivered(client));
        return;
    }
    while (last->next)
        last = last->next;
    do
        last->next = before;
    while (!atomic_compare_exchange_weak_explicit(&client->delivered, &before, calls, memory_order_release,
                                                  memory_order_relaxed));
}

static struct call *take_answered(struct client *client) {
    pthread_mutex_lock(&client->lock);
    struct call *calls = client->first;
    client->first = NULL;
    client->last = &client->first;
    pthread_mutex_unlock(&client->lock);
    return calls;
}

/* Nothing may be given to JavaScript any more: from here on the I/O thread drops answers.  Answers
 * how many calls ended here; each held a reference to the client. */
static size_t client_die(struct client *client) {
    log_lines_leave(client);
    pthread_mutex_lock(&client->lock);
    client->dead = true;
    pthread_mutex_unlock(&client->lock);
    size_t n = 0;
    for (struct call *call = take_answered(client), *next; call; call = next, n++) {
        next = call->next;
        call_free(call);
    }
    log_lines_drop(client);
    return n;
}

static void client_unref_times(struct client *client, size_t n) {
    if (atomic_fetch_sub_explicit(&client->refs, n, memory_order_acq_rel) != n)
        return;
    pthread_cond_destroy(&client->returned);
    pthread_mutex_destroy(&client->lock);
    calls_free(atomic_load_explicit(&client->delivered, memory_order_acquire));
    texts_done(&client->texts);
    free(client);
}

void client_unref(struct client *client) {
    client_unref_times(client, 1);
}

/* The environment goes away; JavaScript no longer runs, its memory is still there. */
static void on_env_cleanup(void *arg) {
    struct client *client = arg;
    /* What a put reads is memory of this environment: it must stay until the core is done with
     * it, which it is by the request's deadline at the latest. */
    pthread_mutex_lock(&client->lock);
    while (client->borrowed > 0)
        pthread_cond_wait(&client->returned, &client->lock);
    pthread_mutex_unlock(&client->lock);
    size_t n = client_die(client);
    if (client->numbers_ref)
        (void)napi_delete_reference(client->env, client->numbers_ref);
    client->numbers_ref = NULL;
    if (client->slab_ref)
        (void)napi_delete_reference(client->env, client->slab_ref);
    client->slab_ref = NULL;
    for (struct handle *handle = client->handles; handle; handle = handle->next) {
        registry_release(handle->shared);
        handle->shared = NULL;
    }
    client_unref_times(client, n);
}

static void on_instance_end(napi_env env, void *data, void *hint) {
    (void)env;
    (void)hint;
    struct client *client = data;
    while (client->handles) {
        struct handle *next = client->handles->next;
        free(client->handles);
        client->handles = next;
    }
    client_unref(client);
}

/* A function of Node.js that its older versions lack. */
static void *node_function(const char *name) {
    return dlsym(RTLD_DEFAULT, name);
}

struct client *client_new(napi_env env) {
    struct client *client = calloc(1, sizeof(*client));
    if (!client)
        return NULL;
    atomic_init(&client->refs, 1);
    atomic_init(&client->delivered, NULL);
    pthread_mutex_init(&client->lock, NULL);
    pthread_cond_init(&client->returned, NULL);
    client->last = &client->first;
    client->log_lines.last = &client->log_lines.first;
    client->env = env;
    /* POSIX makes dlsym's object pointer a function pointer; ISO C has no cast for it. */
    void *latin1 = node_function("node_api_create_external_string_latin1");
    void *utf16 = node_function("node_api_create_external_string_utf16");
    memcpy(&client->external_latin1, &latin1, sizeof(latin1));
    memcpy(&client->external_utf16, &utf16, sizeof(utf16));

    if (napi_set_instance_data(env, client, on_instance_end, NULL) != napi_ok) {
        client_unref(client);
        return NULL;
    }
    if (napi_add_env_cleanup_hook(env, on_env_cleanup, client) != napi_ok)
        return NULL; /* the instance's end frees it */
    return client;
}

static void client_ref(struct client *client) {
    atomic_fetch_add_explicit(&client->refs, 1, memory_order_relaxed);
}

/* ---- answers ------------------------------------------------------------------ */

/* On the JavaScript thread; env is NULL when it is going away. */
static void on_wake(napi_env env, napi_value js_deliver, void *context, void *data) {
    (void)data;
    struct client *client = context;
    if (!env || !js_deliver)
        return;
    log_lines_deliver(client, js_deliver);
    struct call *calls = take_answered(client);
    if (!calls)
        return;
    size_t n = deliver(client, js_deliver, calls);
    client->pending -= n;
    calls_delivered(client, calls);
    if (client->pending == 0)
        (void)napi_unref_threadsafe_function(env, client->wake);
    client_unref_times(client, n);
}

/* Node.js has closed the threadsafe function and frees it after this. */
static void on_wake_end(napi_env env, void *data, void *hint) {
    (void)env;
    (void)hint;
    struct client *client = data;
    client_unref_times(client, client_die(client) + 1);
}

napi_status client_connect(struct client *client, napi_value js_deliver) {
    napi_value name;
    napi_threadsafe_function wake;
    napi_status status = napi_create_string_latin1(client->env, "larder", NAPI_AUTO_LENGTH, &name);
    if (status != napi_ok)
        return status;
    status = napi_create_threadsafe_function(client->env, js_deliver, NULL, name, 0, 1, client, on_wake_end,
                                             client, on_wake, &wake);
    if (status != napi_ok)
        return status;
    client_ref(client);
    client->wake = wake;
    log_lines_join(client);
    return napi_unref_threadsafe_function(client->env, wake);
}

void client_begin(struct client *client, struct call *call) {
    call->client = client;
    client_ref(client);
    if (client->pending++ == 0)
        (void)napi_ref_threadsafe_function(client->env, client->wake);
    if (call->borrows) {
        pthread_mutex_lock(&client->lock);
        client->borrowed++;
        pthread_mutex_unlock(&client->lock);
    }
}

void client_cancel(struct client *client, struct call *call) {
    if (call->borrows) {
        pthread_mutex_lock(&client->lock);
        client->borrowed--;
        pthread_mutex_unlock(&client->lock);
    }
    if (--client->pending == 0)
        (void)napi_unref_threadsafe_function(client->env, client->wake);
    client_unref(client);
}

void client_wake(struct client *client) {
    /* Under the lock, for which on_wake_end() waits: so the function is still there. */
    if (!client->deaf)
        client->deaf = napi_call_threadsafe_function(client->wake, NULL, napi_tsfn_nonblocking) != napi_ok;
}

void client_answered(void *arg, const struct larder_answer *answer) {
    struct call *call = arg;
    struct client *client = call->client;
    call->answer = larder_answer_ref(answer);
    call->next = NULL;
    /* Freed below, when the client may be gone. */
    struct call *delivered = take_delivered(client);

    pthread_mutex_lock(&client->lock);
    if (call->borrows && --client->borrowed == 0)
        pthread_cond_signal(&client->returned);
    bool dead = client->dead;
    if (!dead) {
        bool first = client->first == NULL;
        *client->last = call;
        client->last = &call->next;
        if (first)
            client_wake(client);
    }
    pthread_mutex_unlock(&client->lock);
    if (dead) {
        call_free(call);
        client_unref(client);
    }
    calls_free(delivered);
}
