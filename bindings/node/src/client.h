/*
 * One environment of Node.js (the main thread, or a worker) that has loaded the addon, its
 * calls that are under way, and how their answers come back.
 *
 * A call is made on the JavaScript thread and answered on the core's I/O thread, which puts it
 * on the client's list; one wake-up of the threadsafe function brings everything that is on the
 * list by then.  What answers hold was allocated by the I/O thread: giving it back on the JavaScript thread while
 * the other allocates makes both wait for malloc()'s lock, more than all else that a call does.  So delivered calls
 * go back to the I/O thread, which frees them with the next answer; the last ones are freed where they are.
 *
 * An environment may go away at any time (worker.terminate()): from then on the
 * client is `dead`, and answers are dropped where they arrive.
 */
#ifndef NODE_CLIENT_H
#define NODE_CLIENT_H

#include <node_api.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "larder/larder.h"
#include "log_lines.h"
#include "registry.h"
#include "scratch.h"
#include "texts.h"

/* Present since Node.js 20, declared by its headers only as experimental; NULL elsewhere. */
typedef napi_status external_latin1_fn(napi_env env, char *text, size_t len, napi_finalize finalize,
                                       void *hint, napi_value *ret, bool *ret_copied);
typedef napi_status external_utf16_fn(napi_env env, char16_t *text, size_t units, napi_finalize finalize,
                                      void *hint, napi_value *ret, bool *ret_copied);

struct client;

struct handle { /* a store, as one environment uses it */
    struct handle *next;
    struct client *client;
    struct shared_store *shared; /* NULL once the environment goes away */
};

struct call {
    struct call *next;
    struct client *client;
    const struct larder_answer *answer; /* one reference; NULL until answered */
    uint32_t code;                      /* LARDER_DO_* */
    uint32_t slot;                      /* where JavaScript keeps the promise */
    bool borrows;                       /* from this environment's memory, until answered */
};

struct put {
    struct call call;
    struct larder_entry entry;
    struct scratch scratch;
};

struct client {
    atomic_size_t refs; /* the environment, the threadsafe function, each call */

    pthread_mutex_t lock;       /* of what follows */
    pthread_cond_t returned;    /* `borrowed` has become 0 */
    struct call *first, **last; /* answered and not delivered */
    size_t borrowed;            /* calls that read this environment's memory */
    bool dead;                  /* drop what arrives */
    bool deaf;                  /* `wake` is closing and must not be called again */
    struct log_lines log_lines; /* not delivered */

    _Atomic(struct call *)
        delivered; /* to be freed; those of the JavaScript thread add, the I/O thread takes all */

    napi_threadsafe_function wake; /* set once, before the first call */
    struct log_member log;

    /* The JavaScript thread's own. */
    napi_env env;
    size_t pending; /* calls not delivered: while there are any, the process stays */
    struct handle *handles;
    double *numbers; /* a Float64Array that deliver() reads */
    size_t n_numbers;
    napi_ref numbers_ref;
    uint8_t *slab; /* of slab_ref, a Buffer that deliver() fills; slab_ref NULL: there is none */
    size_t slab_used;
    napi_ref slab_ref;
    struct texts texts;  /* behind external strings; see deliver.c */
    int64_t texts_bytes; /* of them all */
    int64_t told_bytes;  /* of them, what V8 was told of */
    size_t lent_bytes;   /* behind Buffers, since V8 last looked at what young ones hold */
    bool copies;         /* this Node.js takes no external memory */
    external_latin1_fn *external_latin1;
    external_utf16_fn *external_utf16;
};

struct client *client_new(napi_env env);
void client_unref(struct client *client);

/* deliver(count, ...values) is how answers reach JavaScript; see deliver.h. */
napi_status client_connect(struct client *client, napi_value deliver);

/* Register the call, which is going to be submitted; or take that back. */
void client_begin(struct client *client, struct call *call);
void client_cancel(struct client *client, struct call *call);
/* Under the lock, of one that is not dead: the JavaScript thread looks at what has arrived. */
void client_wake(struct client *client);
/* larder_answer_fn; arg is the call. */
void client_answered(void *arg, const struct larder_answer *answer);
void call_free(struct call *call);
/* Linked by `next`; NULL: none. */
void calls_free(struct call *calls);

#endif
