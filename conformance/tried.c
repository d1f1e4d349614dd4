#include "tried.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "config_parts.h"
#include "error.h"
#include "fake_clock.h"
#include "layers.h"
#include "options.h"
#include "phrase.h"
#include "result.h"
#include "runtime.h"
#include "strict.h"

struct tried tried;

static struct backend_spec spec;
static const struct larder_driver *driver; /* with the strict host around it */
static struct fake_clock clock_at;

/* ---- layers ----------------------------------------------------------------------------- */

/* Two instances at most count into them at once, on one thread. */
static struct meter meter;
static struct breaker_counters breaker = {.lock = PTHREAD_MUTEX_INITIALIZER};
static struct larder_retry_metrics retry;
static uint64_t faults;

static const struct layer {
    const char *name;
    const struct larder_driver *driver;
    const void *settings;
} known_layers[] = {
    /* Late and slow, but right: what makes errors fails tests that expect none. */
    {"fault", &layer_fault,
     &(const struct layer_fault_settings){
         .plan = "any:delay=1ms..5ms@20%; any:late=1ms..5ms@20%", .role = "tried", .counter = &faults}},
    /* What the layer retry makes good.  No answer is lost of what says something else the second time. */
    {"flaky", &layer_fault,
     &(const struct layer_fault_settings){
         .plan =
             "any:error=retry@2%; get,remove,list,claim,release,tags-read,link,keys-of,tags-of,list-marks:"
             "lost=retry@2%",
         .role = "tried",
         .counter = &faults}},
    /* For the model theme, which knows what an error leaves open. */
    {"errors", &layer_fault,
     &(const struct layer_fault_settings){
         .plan = "any:error=retry@4%; any:lost=retry@4%", .role = "tried", .counter = &faults}},
    {"meter", &layer_meter, &(const struct layer_meter_settings){.meter = &meter}},
    {"breaker", &layer_breaker,
     &(const struct layer_breaker_settings){.rate = 50,
                                            .calls = 20,
                                            .window_ms = 10000,
                                            .pause_ms = 100,
                                            .ping_ms = 500,
                                            .seed = 1,
                                            .counters = &breaker}},
    {"retry", &layer_retry,
     &(const struct layer_retry_settings){
         .retries = 10, .base_ms = 10, .cap_ms = 100, .seed = 1, .counters = &retry}},
    {"compress", &layer_compress,
     &(const struct layer_compress_settings){.min_bytes = 64, .level = 1, .max_value = 64 << 20}},
    {"namespace", &layer_namespace, &(const struct layer_namespace_settings){.ns = "suite"}},
};

static const struct layer *layer_named(const char *name) {
    for (size_t i = 0; i < N_ELEMENTS(known_layers); i++) {
        if (strcmp(known_layers[i].name, name) == 0)
            return &known_layers[i];
    }
    return NULL;
}

/* ---- the driver --------------------------------------------------------------------------- */

/* The drivers of the installation, or of the build, that this program belongs to are found by
 * their names: behind the folders that the person names, before those that nobody did. */
static void add_own_folder(void) {
    char own[PATH_MAX], path[2 * PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", own, sizeof(own) - 1);
    if (n <= 0)
        return;
    own[n] = '\0';
    const char *slash = strrchr(own, '/'), *before = getenv("LARDER_DRIVER_PATH");
    struct phrase phrase = phrase_begin(path, sizeof(path));
    if (before && before[0])
        phrase_add(&phrase, "%s:", before);
    phrase_add(&phrase, "%.*s/" DRIVERS_FROM_BIN, (int)(slash - own), own);
    if (strcmp(DRIVERS_FROM_BIN, "../lib/larder") != 0) /* which is where they are in a build tree */
        phrase_add(&phrase, ":%.*s/../lib/larder", (int)(slash - own), own);
    setenv("LARDER_DRIVER_PATH", path, 1);
}

/* Errors name the place as "setting 'cache' (the command line): "; here there is but one place. */
static const char place[] = "the command line";
static const char prefix[] = "setting 'cache' (the command line): ";

static int32_t set_all(struct larder_config *config, struct larder_error *error) {
    int32_t status = larder_config_set(config, "cache", options.driver, place, error);
    for (size_t i = 0; i < options.n_settings && status == LARDER_OK; i++) {
        const char *text = options.settings[i], *eq = strchr(text, '=');
        char name[128];
        if (snprintf(name, sizeof(name), "cache.%.*s", (int)(eq - text), text) >= (int)sizeof(name))
            status = error_set(error, LARDER_INVALID, "the name of the setting %s is too long", text);
        else
            status = larder_config_set(config, name, eq + 1, place, error);
    }
    return status;
}

/* The password in URL://USER:PASSWORD@HOST; lives as long as the program. */
static char *password_of(const char *url) {
    const char *at = strstr(url, "://");
    const char *begin = at ? at + 3 : url;
    const char *host = memchr(begin, '@', strcspn(begin, "/?"));
    const char *colon = host ? memchr(begin, ':', (size_t)(host - begin)) : NULL;
    return colon ? strndup(colon + 1, (size_t)(host - colon - 1)) : NULL;
}

static char *url_password;

static void tell_secrets(void) {
    const struct larder_driver *d = tried.driver;
    for (size_t i = 0; i < d->n_params; i++) {
        const struct larder_param *p = &d->params[i];
        const char *text = NULL;
        if (p->type == LARDER_P_SECRET || p->type == LARDER_P_TEXT)
            memcpy(&text, (const uint8_t *)tried.config + p->offset, sizeof(text));
        if (text && p->type == LARDER_P_SECRET) {
            strict_secret(text);
        } else if (text && strcmp(p->name, "url") == 0 && !url_password) {
            url_password = password_of(text);
            strict_secret(url_password);
        }
    }
}

bool tried_load(struct larder_error *error) {
    for (size_t i = 0; i < options.n_layers; i++) {
        if (!layer_named(options.layers[i])) {
            error_set(error, LARDER_INVALID, "there is no layer '%s'", options.layers[i]);
            return false;
        }
    }
    if (!options.child) /* a second process has it from the first */
        add_own_folder();
    struct larder_config *config = larder_config_new();
    int32_t status = config ? set_all(config, error) : error_set(error, LARDER_NOMEM, "out of memory");
    if (status == LARDER_OK)
        status = config_driver(config, "cache", &spec, error);
    larder_config_free(config);
    if (status != LARDER_OK) {
        if (strncmp(error->text, prefix, sizeof(prefix) - 1) == 0)
            memmove(error->text, error->text + sizeof(prefix) - 1,
                    strlen(error->text + sizeof(prefix) - 1) + 1);
        return false;
    }
    tried.driver = spec.driver;
    tried.config = param_set_config(spec.params);
    tell_secrets();
    return true;
}

bool tried_start(uint64_t seed, bool policed) {
    tried.stepped = options.n_layers > 0;
    if (tried.stepped) {
        struct reactor_clock clock = fake_clock_of(&clock_at);
        clock_at.ns = 1;
        tried.reactor = reactor_new(&clock);
        if (tried.reactor)
            backend_host_clock(tried.reactor);
    } else {
        tried.reactor = runtime_acquire();
    }
    driver = policed ? strict_around(tried.driver, seed, !tried.stepped) : tried.driver;
    return tried.reactor != NULL;
}

void tried_end(void) {
    if (tried.reactor && tried.stepped)
        reactor_free(tried.reactor);
    else if (tried.reactor)
        runtime_release();
    tried.reactor = NULL;
    backend_spec_done(&spec);
    free(url_password);
    url_password = NULL;
}

void tried_set_time(int64_t now_ms) {
    clock_at.ms = now_ms;
}

void tried_step(void) {
    if (reactor_step(tried.reactor, false, 0) > 0)
        return;
    /* A driver may be waiting for its own threads, or for a server; a layer for a timer. */
    const struct timespec moment = {.tv_nsec = 200000};
    nanosleep(&moment, NULL);
    clock_at.ns += 1000000;
}

/* ---- on the reactor's thread ------------------------------------------------------------- */

struct errand {
    struct task task;
    sem_t done;
    const char *what;
    struct backend *backend;
    int32_t status;
};

static void errand_run(struct errand *e, larder_fn *fn) {
    if (tried.stepped) {
        fn(e);
        return;
    }
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 1 + (time_t)options.patience_ms * 3 / 1000;
    e->task = (struct task){.fn = fn, .arg = e};
    sem_init(&e->done, 0, 0);
    reactor_post(tried.reactor, &e->task);
    int status;
    while ((status = sem_timedwait(&e->done, &until)) != 0 && errno == EINTR)
        ;
    if (status != 0) {
        strict_blame_outstanding();
        result_say(RESULT_FAILURE, "%s does not return", e->what);
        _exit(EXIT_FAILURE);
    }
    sem_destroy(&e->done);
}

static struct backend *stack_free(struct backend *top) {
    while (top) {
        struct backend *below = top->layer.below;
        backend_free(top);
        top = below;
    }
    return NULL;
}

static void errand_open(void *arg) {
    struct errand *e = arg;
    struct backend *top = backend_new(tried.reactor, driver, tried.config, NULL);
    for (size_t i = 0; top && i < options.n_layers; i++) {
        const struct layer *layer = layer_named(options.layers[i]);
        if (layer) /* options.c has looked */
            top = backend_new(tried.reactor, layer->driver, layer->settings, top);
    }
    e->backend = top;
    if (top)
        e->status = backend_open(top);
    if (!tried.stepped)
        sem_post(&e->done);
}

static void errand_close(void *arg) {
    struct errand *e = arg;
    e->backend = stack_free(e->backend);
    if (!tried.stepped)
        sem_post(&e->done);
}

struct backend *tried_close(struct backend *b) {
    struct errand e = {.what = "close()", .backend = b};
    if (b)
        errand_run(&e, errand_close);
    return NULL;
}

struct backend *tried_open(char error[LARDER_ERROR_SIZE]) {
    struct errand e = {.what = "open()", .status = LARDER_NOMEM};
    errand_run(&e, errand_open);
    if (e.status == LARDER_OK)
        return e.backend;
    snprintf(error, LARDER_ERROR_SIZE, "%s", e.backend ? e.backend->open_error : "out of memory");
    return tried_close(e.backend);
}

/* ---- the pool's threads ---------------------------------------------------------------------- */

struct meeting { /* of all the pool's threads: none leaves before all are there */
    pthread_barrier_t barrier;
    sem_t done;
    struct job jobs[OFFLOAD_THREADS];
    struct task task;
};

static void meet(void *arg) {
    pthread_barrier_wait(&((struct meeting *)arg)->barrier);
}

static void met(void *arg) {
    sem_post(&((struct meeting *)arg)->done);
}

static void call_meeting(void *arg) {
    struct meeting *m = arg;
    for (size_t i = 0; i < OFFLOAD_THREADS; i++) {
        m->jobs[i] = (struct job){.work = meet, .done = met, .arg = m};
        reactor_offload(tried.reactor, &m->jobs[i]);
    }
}

void tried_warm_up(void) {
    struct meeting m = {.task = {.fn = call_meeting, .arg = &m}};
    if (tried.stepped)
        return; /* has no threads */
    pthread_barrier_init(&m.barrier, NULL, OFFLOAD_THREADS);
    sem_init(&m.done, 0, 0);
    reactor_post(tried.reactor, &m.task);
    for (size_t i = 0; i < OFFLOAD_THREADS; i++) {
        while (sem_wait(&m.done) != 0 && errno == EINTR)
            ;
    }
    sem_destroy(&m.done);
    pthread_barrier_destroy(&m.barrier);
}
