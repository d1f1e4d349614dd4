#include "drive.h"

#include <errno.h>
#include <ftw.h>
#include <inttypes.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdarg.h>
#include <time.h>
#include <unistd.h>

#include "fake_clock.h"
#include "layers.h"
#include "param.h"
#include "random.h"
#include "runtime.h"
#include "strict.h"

enum { PATIENCE_S = 120, CURSOR_ROOM = 16384, MAX_LAYERS = 4 };

struct drive drive = {.n_keys = 10000, .n_inflight = 4000};

static struct param_set *params;
static const struct larder_driver *strict_driver;
static char folder[64]; /* that %t stands for; "": none was made */
static char run[17];
static struct arena names;

/* Layers above the driver, the lowest first.  A layer makes ops of its own, from the reactor's
 * clock; so with layers the reactor is stepped here under a clock that tells drive.now_ms. */
static const struct layer {
    const char *name;
    const struct larder_driver *driver;
    const void *settings;
} known_layers[] =
    {
        {"compress", &layer_compress,
         &(const struct layer_compress_settings){.min_bytes = 64, .level = 1, .max_value = 64 << 20}},
        {"namespace", &layer_namespace, &(const struct layer_namespace_settings){.ns = "suite"}},
},
  *layers[MAX_LAYERS];
static size_t n_layers;
static struct fake_clock clock_at;

static struct {
    pthread_mutex_t lock;
    pthread_cond_t quiet;
    unsigned outstanding;
    uint64_t stamp; /* the last one given */
} flight = {.lock = PTHREAD_MUTEX_INITIALIZER, .quiet = PTHREAD_COND_INITIALIZER};

/* ---- on the reactor's thread ----------------------------------------------------------- */

struct errand {
    struct task task;
    sem_t done;
    struct backend *backend;
    int32_t status;
};

/* The driver and what stands on it; NULL: no memory. */
static struct backend *stack_new(void) {
    struct backend *top = backend_new(drive.reactor, strict_driver, param_set_config(params), NULL);
    for (size_t i = 0; top && i < n_layers; i++)
        top = backend_new(drive.reactor, layers[i]->driver, layers[i]->settings, top);
    return top;
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
    e->backend = stack_new();
    if (e->backend)
        e->status = backend_open(e->backend);
    sem_post(&e->done);
}

static void errand_close(void *arg) {
    struct errand *e = arg;
    e->backend = stack_free(e->backend);
    sem_post(&e->done);
}

static void errand_run(struct errand *e, larder_fn *fn) {
    if (n_layers > 0) {
        fn(e);
        return;
    }
    e->task = (struct task){.fn = fn, .arg = e};
    sem_init(&e->done, 0, 0);
    reactor_post(drive.reactor, &e->task);
    while (sem_wait(&e->done) != 0 && errno == EINTR)
        ;
    sem_destroy(&e->done);
}

struct backend *drive_close(struct backend *b) {
    struct errand e = {.backend = b};
    if (b)
        errand_run(&e, errand_close);
    return NULL;
}

struct backend *drive_open(void) {
    struct errand e = {.status = LARDER_NOMEM};
    errand_run(&e, errand_open);
    if (e.status != LARDER_OK) {
        fprintf(stderr, "cannot open: %s: %s\n", larder_status_name(e.status),
                e.backend ? e.backend->open_error : "");
        return drive_close(e.backend);
    }
    return e.backend;
}

/* ---- ops ---------------------------------------------------------------------------------- */

static void out_of_patience(void) {
    strict_blame_outstanding();
    fprintf(stderr, "\n%u ops were never completed\n", flight.outstanding);
    abort();
}

static void on_done(void *arg, struct op *op) {
    struct sent *s = arg;
    pthread_mutex_lock(&flight.lock);
    if (s->op != op || s->answers++ != 0)
        abort(); /* answered twice: nothing can be believed any more */
    s->returned = ++flight.stamp;
    flight.outstanding--;
    pthread_cond_broadcast(&flight.quiet);
    pthread_mutex_unlock(&flight.lock);
}

static void call_now(void *arg) {
    struct sent *s = arg;
    struct backend *b = s->backend;
    struct op *op = s->op;
    backend_call(b, op);
    if (s->cancel)
        backend_cancel(op); /* it is still there: done is never called inside backend_call() */
}

void send_op(struct backend *b, uint32_t code, struct op_inputs in, struct sent *ret) {
    uint64_t deadline_ns = reactor_now_ns(drive.reactor) + (uint64_t)PATIENCE_S * 1000000000u;
    send_unwanted(b, code, in, deadline_ns, false, ret);
}

void send_unwanted(struct backend *b, uint32_t code, struct op_inputs in, uint64_t deadline_ns, bool cancel,
                   struct sent *ret) {
    *ret = (struct sent){.backend = b, .cancel = cancel};
    clock_at.ms = drive.now_ms;
    ret->op = op_new(drive.reactor, code, &in, deadline_ns, on_done, ret);
    if (!ret->op) {
        fprintf(stderr, "out of memory\n");
        abort();
    }
    ret->op->pub.now_ms = drive.now_ms;
    ret->task = (struct task){.fn = call_now, .arg = ret};
    pthread_mutex_lock(&flight.lock);
    flight.outstanding++;
    ret->called = ++flight.stamp;
    pthread_mutex_unlock(&flight.lock);
    reactor_post(drive.reactor, &ret->task);
}

/* Until s is answered; NULL: until no more than `most` ops are under way. */
static void wait_for(const struct sent *s, unsigned most) {
    struct timespec until;
    while (n_layers > 0 && (s ? s->answers == 0 : flight.outstanding > most)) {
        if (reactor_step(drive.reactor, false, 0) == 0)
            out_of_patience(); /* nothing is left that could happen */
    }
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 2 * PATIENCE_S;
    pthread_mutex_lock(&flight.lock);
    while (s ? s->answers == 0 : flight.outstanding > most) {
        if (pthread_cond_timedwait(&flight.quiet, &flight.lock, &until) == ETIMEDOUT)
            out_of_patience();
    }
    pthread_mutex_unlock(&flight.lock);
}

void drive_wait(void) {
    wait_for(NULL, 0);
}

void drive_wait_for_room(unsigned most) {
    wait_for(NULL, most);
}

struct op *call(struct backend *b, uint32_t code, struct op_inputs in) {
    struct sent s;
    send_op(b, code, in, &s);
    wait_for(&s, 0);
    return s.op;
}

int32_t status_of(struct backend *b, uint32_t code, struct op_inputs in) {
    struct op *op = call(b, code, in);
    int32_t status = op->result.status;
    op_free(op);
    return status;
}

/* ---- claims ---------------------------------------------------------------------------------- */

void unclaimed(const char *what) {
    printf("(not claimed: %s) ", what);
    drive.n_unclaimed++;
}

bool claims(uint32_t trait, const char *what) {
    if ((drive.one->info.traits & trait) == trait)
        return true;
    unclaimed(what);
    return false;
}

bool has(uint32_t code, const char *what) {
    if (backend_can(drive.one, code))
        return true;
    unclaimed(what);
    return false;
}

void note(const char *format, ...) {
    va_list args;
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
}

bool drive_has_time(void) {
    static time_t until_s; /* of the machine's clock: a reactor that is stepped has another */
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    if (until_s == 0)
        until_s = now.tv_sec + 1;
    return now.tv_sec <= until_s;
}

bool hook_given(enum hook hook) {
    (void)hook;
    return false;
}

bool hook_run(enum hook hook) {
    static const char *const options[] = {"--cut", "--restart", "--wipe-tags", "--rollback", "--rollback"};
    unclaimed(options[hook]);
    return false;
}

/* ---- names and values ------------------------------------------------------------------------ */

struct larder_bytes name_bytes(const char *test, const void *tail, size_t len) {
    char head[128];
    int n = snprintf(head, sizeof(head), "%s/%s/", test, run);
    uint8_t *out = n > 0 && (size_t)n < sizeof(head) ? arena_alloc(&names, (size_t)n + len) : NULL;
    if (!out)
        abort();
    memcpy(out, head, (size_t)n);
    if (len > 0)
        memcpy(out + n, tail, len);
    return (struct larder_bytes){out, (size_t)n + len};
}

struct larder_bytes name(const char *test, const char *format, ...) {
    char tail[256];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(tail, sizeof(tail), format, args);
    va_end(args);
    if (n < 0 || (size_t)n >= sizeof(tail))
        abort();
    return name_bytes(test, tail, (size_t)n);
}

/* The bytes at a multiple of 8 and what is left at the end.  Values of odd seeds repeat
 * themselves, so that what compresses finds something to do. */
static uint64_t word_of(uint64_t seed, size_t at) {
    uint64_t state = seed * 1000003u + (seed % 2 ? at % 64 : at);
    return random_next(&state);
}

struct larder_slice value_of(size_t len, uint64_t seed) {
    struct larder_slice value;
    uint8_t *bytes = buf_new(len, &value);
    if (!bytes)
        abort();
    for (size_t at = 0; at < len; at += 8) {
        uint64_t word = word_of(seed, at);
        memcpy(bytes + at, &word, len - at < 8 ? len - at : 8);
    }
    return value;
}

bool value_is(struct larder_slice value, size_t len, uint64_t seed) {
    if (value.len != len || (len > 0 && !value.owner))
        return false;
    for (size_t at = 0; at < len; at += 8) {
        uint64_t word = word_of(seed, at);
        if (memcmp(value.ptr + at, &word, len - at < 8 ? len - at : 8) != 0)
            return false;
    }
    return true;
}

int32_t put_value(struct backend *b, struct larder_bytes key, size_t len, uint64_t seed, int64_t epoch) {
    struct larder_slice value = value_of(len, seed);
    int32_t status = status_of(b, LARDER_OP_PUT,
                               (struct op_inputs){.key = key, .value = value, .epoch = epoch});
    slice_done(&value);
    return status;
}

int32_t get_value(struct backend *b, struct larder_bytes key, size_t len, uint64_t seed) {
    struct op *op = call(b, LARDER_OP_GET, (struct op_inputs){.key = key});
    int32_t status = op->result.status;
    if (status == LARDER_OK && !value_is(op->result.value, len, seed))
        status = LARDER_CORRUPT;
    op_free(op);
    return status;
}

bool is_there(struct backend *b, struct larder_bytes key) {
    int32_t status = status_of(b, LARDER_OP_GET, (struct op_inputs){.key = key});
    CU_ASSERT(status == LARDER_OK || status == LARDER_MISS);
    return status == LARDER_OK;
}

struct larder_mark mark_of(struct larder_bytes tag, int64_t expired, int64_t stale, int64_t expire_at_ms) {
    return (struct larder_mark){tag, expired, stale, expire_at_ms};
}

int32_t write_mark(struct backend *b, struct larder_mark mark, uint32_t flags) {
    return status_of(b, LARDER_OP_TAGS_WRITE,
                     (struct op_inputs){.marks = &mark, .n_marks = 1, .flags = flags});
}

bool read_mark(struct backend *b, struct larder_bytes tag, struct larder_mark *ret) {
    struct larder_mark ask = mark_of(tag, UNSET, UNSET, UNSET);
    struct op *op = call(b, LARDER_OP_TAGS_READ, (struct op_inputs){.marks = &ask, .n_marks = 1});
    bool found = op->n_marks == 1;
    bool sound = op->result.status == LARDER_OK &&
                 (op->n_marks == 0 || (found && bytes_equal(op->marks[0].tag, tag)));
    if (!drive.child) /* a second process has no CUnit */
        CU_ASSERT_TRUE(sound);
    found = found && sound;
    if (found) {
        *ret = op->marks[0];
        ret->tag = tag;
    }
    op_free(op);
    return found;
}

int32_t advance(struct backend *b, struct larder_bytes counter, int64_t add, int64_t *ret_epoch) {
    struct op *op = call(b, LARDER_OP_ADVANCE, (struct op_inputs){.key = counter, .add = add});
    int32_t status = op->result.status;
    if (status == LARDER_OK)
        *ret_epoch = op->result.epoch;
    op_free(op);
    return status;
}

/* ---- paging ------------------------------------------------------------------------------------- */

bool walk(uint32_t code, struct larder_bytes key, uint64_t limit, seen_fn *seen, void *arg) {
    uint8_t cursor[CURSOR_ROOM];
    size_t cursor_len = 0;
    for (unsigned pages = 0; pages < 4 * drive.n_keys + 100; pages++) {
        struct op_inputs in = {.key = key, .limit = limit, .cursor = {cursor, cursor_len}};
        struct op *op = call(pages % 2 ? drive.two : drive.one, code, in);
        bool ok = op->result.status == LARDER_OK && op->result.cursor.len <= sizeof(cursor);
        for (size_t i = 0; ok && i < op->n_keys; i++)
            seen(arg, op->keys[i]);
        for (size_t i = 0; ok && i < op->n_marks; i++)
            seen(arg, op->marks[i].tag);
        cursor_len = ok ? op->result.cursor.len : 0;
        if (cursor_len > 0)
            memcpy(cursor, op->result.cursor.ptr, cursor_len);
        op_free(op);
        if (!ok || cursor_len == 0)
            return ok;
    }
    return false;
}

void tally_init(struct tally *t, const char *test, unsigned n) {
    *t = (struct tally){.prefix = name(test, "%s", ""), .n = n, .counts = calloc(n + 1, 1)};
    if (!t->counts)
        abort();
}

void tally_seen(void *arg, struct larder_bytes record) {
    struct tally *t = arg;
    struct larder_bytes prefix = t->prefix;
    char digits[8] = "";
    if (bytes_begin_with(record, prefix) && record.len - prefix.len == 6)
        memcpy(digits, record.ptr + prefix.len, 6);
    char *end;
    unsigned long no = strtoul(digits, &end, 10);
    if (end != digits + 6 || no >= t->n) {
        t->strangers++;
    } else if (t->counts[no]++ == 0) {
        t->found++;
    }
}

void tally_done(struct tally *t) {
    free(t->counts);
}

/* ---- begin and end -------------------------------------------------------------------------------- */

/* For a second process; one that needs more does not start. */
static void keep_arg(const char *arg) {
    if (arg && drive.n_args < N_ELEMENTS(drive.args))
        drive.args[drive.n_args] = arg;
    drive.n_args++;
}

static bool set_param(const char *text) {
    char name_part[128], value[1024];
    const char *eq = strchr(text, '=');
    if (!eq || (size_t)(eq - text) >= sizeof(name_part)) {
        fprintf(stderr, "not NAME=VALUE: %s\n", text);
        return false;
    }
    memcpy(name_part, text, (size_t)(eq - text));
    name_part[eq - text] = '\0';

    const char *hole = strstr(eq + 1, "%t");
    if (hole && !folder[0]) {
        const char *base = getenv("TMPDIR");
        snprintf(folder, sizeof(folder), "%.40s/larder-test-XXXXXX", base ? base : "/tmp");
        if (!mkdtemp(folder)) {
            fprintf(stderr, "cannot make a folder: %s\n", strerror(errno));
            folder[0] = '\0';
            return false;
        }
    }
    int before = hole ? (int)(hole - eq - 1) : 0;
    snprintf(value, sizeof(value), "%.*s%s%s", before, eq + 1, hole ? folder : "", hole ? hole + 2 : eq + 1);

    char *resolved = arena_alloc(&names, sizeof(name_part) + sizeof(value) + 2);
    if (resolved) {
        snprintf(resolved, sizeof(name_part) + sizeof(value) + 2, "%s=%s", name_part, value);
        keep_arg(resolved);
    }
    struct larder_error error;
    char who[160];
    snprintf(who, sizeof(who), "driver %s", drive.driver->name);
    if (param_set_text(params, who, "the command line", name_part, value, &error) == LARDER_OK)
        return true;
    fprintf(stderr, "%s\n", error.text);
    return false;
}

static bool load(const char *path) {
    struct larder_error error;
    if (larder_driver_find(path, &drive.driver, &error) != LARDER_OK) {
        fprintf(stderr, "%s\n", error.text);
        return false;
    }
    params = param_set_new(drive.driver->params, drive.driver->n_params, drive.driver->config_size);
    return params != NULL;
}

static bool add_layer(const char *layer_name) {
    for (size_t i = 0; i < N_ELEMENTS(known_layers) && n_layers < MAX_LAYERS; i++) {
        if (strcmp(known_layers[i].name, layer_name) == 0) {
            layers[n_layers++] = &known_layers[i];
            return true;
        }
    }
    return false;
}

static bool option(const char *arg, const char *value) {
    if (value && strcmp(arg, "--layer") == 0) {
        keep_arg(arg);
        keep_arg(value);
        return add_layer(value);
    }
    if (value && strcmp(arg, "--child") == 0) {
        drive.child = value;
        return true;
    }
    if (value && strcmp(arg, "--key") == 0) {
        drive.child_key = value;
        return true;
    }
    if (value && strcmp(arg, "--readme") == 0) {
        drive.readme = value;
        return true;
    }
    char *end = NULL;
    unsigned long long number = value ? strtoull(value, &end, 10) : 0;
    if (!value || *end != '\0' || end == value)
        return false;
    if (strcmp(arg, "--keys") == 0)
        drive.n_keys = (unsigned)number;
    else if (strcmp(arg, "--inflight") == 0)
        drive.n_inflight = (unsigned)number;
    else if (strcmp(arg, "--seed") == 0)
        drive.random = number;
    else
        return false;
    return true;
}

bool drive_begin(int argc, char **argv) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    drive.random = (uint64_t)now.tv_nsec ^ ((uint64_t)now.tv_sec << 20) ^ (uint64_t)getpid();
    drive.now_ms = (int64_t)now.tv_sec * 1000;

    int at = 1;
    for (; at < argc && strncmp(argv[at], "--", 2) == 0; at += 2) {
        if (!option(argv[at], at + 1 < argc ? argv[at + 1] : NULL)) {
            fprintf(stderr, "unknown or incomplete option %s\n", argv[at]);
            return false;
        }
    }
    if (at == argc) {
        fprintf(stderr, "usage: larder-conform [--keys N] [--inflight N] [--seed N] [--readme FILE] [--layer "
                        "NAME ...] DRIVER "
                        "[NAME=VALUE ...]\n");
        return false;
    }
    if (!drive.child)
        printf("seed %" PRIu64 "\n", drive.random);
    uint64_t state = drive.random;
    snprintf(run, sizeof(run), "%016" PRIx64, random_next(&state));

    keep_arg(argv[at]);
    if (!load(argv[at]))
        return false;
    struct larder_error error;
    for (at++; at < argc; at++) {
        if (!set_param(argv[at]))
            return false;
    }
    if (param_set_check(params, drive.driver->name, &error) != LARDER_OK) {
        fprintf(stderr, "%s\n", error.text);
        return false;
    }
    if (n_layers > 0) {
        struct reactor_clock clock = fake_clock_of(&clock_at);
        clock_at.ns = 1;
        drive.reactor = reactor_new(&clock);
        backend_host_clock(drive.reactor);
    } else {
        drive.reactor = runtime_acquire();
    }
    if (!drive.reactor)
        return false;
    strict_driver = strict_around(drive.driver, drive.random, n_layers == 0);
    drive.one = drive_open();
    drive.two = drive.one ? drive_open() : NULL;
    return drive.two != NULL;
}

static int remove_path(const char *path, const struct stat *st, int type, struct FTW *ftw) {
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

bool drive_end(void) {
    if (drive.reactor) {
        drive.one = drive_close(drive.one);
        drive.two = drive_close(drive.two);
        if (n_layers > 0)
            reactor_free(drive.reactor);
        else
            runtime_release();
    }
    strict_audit();
    params = param_set_free(params);
    arena_done(&names);
    if (folder[0])
        nftw(folder, remove_path, 16, FTW_DEPTH | FTW_PHYS);
    if (buf_live() != 0)
        fprintf(stderr, "%zu buffers were not given back\n", buf_live());
    return buf_live() == 0;
}
