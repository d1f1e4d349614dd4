#include "drive.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>
#include <time.h>
#include <unistd.h>

#include "hash.h"
#include "leaks.h"
#include "options.h"
#include "result.h"
#include "strict.h"
#include "tried.h"
#include "values.h"

/* Longer than any test's patience, so that no driver gives up for the sake of the clock. */
enum { DEADLINE_S = 300 };

struct drive drive;

static struct {
    pthread_mutex_t lock;
    pthread_cond_t quiet;
    unsigned outstanding;
    uint64_t stamp; /* the last one given */
} flight = {.lock = PTHREAD_MUTEX_INITIALIZER, .quiet = PTHREAD_COND_INITIALIZER};

/* ---- ops ---------------------------------------------------------------------------------- */

static uint64_t stamp_now(void) {
    pthread_mutex_lock(&flight.lock);
    uint64_t stamp = flight.stamp;
    pthread_mutex_unlock(&flight.lock);
    return stamp;
}

_Noreturn static void out_of_patience(void) {
    strict_blame_outstanding();
    result_say(RESULT_FAILURE, "nothing happened for %g s, and %u ops are not answered",
               options.patience_ms / 1000.0, flight.outstanding);
    _exit(EXIT_FAILURE);
}

_Noreturn static void out_of_memory(void) {
    result_say(RESULT_FAILURE, "the test has no memory");
    _exit(EXIT_FAILURE);
}

static void on_done(void *arg, struct op *op) {
    struct sent *s = arg;
    pthread_mutex_lock(&flight.lock);
    if (s->op != op || s->answers++ != 0)
        abort(); /* the core's own mistake: nothing can be believed any more */
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
    uint64_t deadline_ns = reactor_now_ns(drive.reactor) + (uint64_t)DEADLINE_S * 1000000000u;
    send_unwanted(b, code, in, deadline_ns, false, ret);
}

void send_unwanted(struct backend *b, uint32_t code, struct op_inputs in, uint64_t deadline_ns, bool cancel,
                   struct sent *ret) {
    *ret = (struct sent){.backend = b, .cancel = cancel};
    tried_set_time(drive.now_ms);
    ret->op = op_new(drive.reactor, code, &in, deadline_ns, on_done, ret);
    if (!ret->op)
        out_of_memory();
    ret->op->pub.now_ms = drive.now_ms;
    ret->task = (struct task){.fn = call_now, .arg = ret};
    pthread_mutex_lock(&flight.lock);
    flight.outstanding++;
    ret->called = ++flight.stamp;
    pthread_mutex_unlock(&flight.lock);
    reactor_post(drive.reactor, &ret->task);
}

static bool is_done(const struct sent *s, unsigned most) {
    return s ? s->answers > 0 : flight.outstanding <= most;
}

static uint64_t monotonic_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* On this thread, which is the reactor's. */
static void step_until(const struct sent *s, unsigned most) {
    uint64_t stamp = stamp_now(), since_ms = monotonic_ms();
    while (!is_done(s, most)) {
        tried_step();
        if (flight.stamp != stamp) {
            stamp = flight.stamp;
            since_ms = monotonic_ms();
        } else if (monotonic_ms() - since_ms > options.patience_ms) {
            out_of_patience();
        }
    }
}

/* Until s is answered; NULL: until no more than `most` ops are under way.  Patience ends when
 * nothing at all is answered, not when something takes long. */
static void wait_for(const struct sent *s, unsigned most) {
    if (tried.stepped) {
        step_until(s, most);
        return;
    }
    pthread_mutex_lock(&flight.lock);
    while (!is_done(s, most)) {
        struct timespec until;
        uint64_t stamp = flight.stamp;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec += options.patience_ms / 1000;
        until.tv_nsec += options.patience_ms % 1000 * 1000000L;
        if (until.tv_nsec >= 1000000000L) {
            until.tv_sec++;
            until.tv_nsec -= 1000000000L;
        }
        if (pthread_cond_timedwait(&flight.quiet, &flight.lock, &until) == ETIMEDOUT &&
            flight.stamp == stamp && !is_done(s, most))
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
    result_say(RESULT_UNCLAIMED, "%s", what);
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
    char text[RESULT_TEXT + 1];
    va_list args;
    va_start(args, format);
    if (vsnprintf(text, sizeof(text), format, args) < 0)
        text[0] = '\0';
    va_end(args);
    result_say(RESULT_NOTE, "%s", text);
}

bool drive_has_time(void) {
    static uint64_t until_ms; /* of the machine's clock: a reactor that is stepped has another */
    if (until_ms == 0)
        until_ms = monotonic_ms() + drive.open_end_ms;
    return monotonic_ms() < until_ms;
}

/* ---- begin and end --------------------------------------------------------------------------- */

struct backend *drive_open(void) {
    char error[LARDER_ERROR_SIZE] = "";
    struct backend *b = tried_open(error);
    if (!b)
        note("does not open: %s", error);
    return b;
}

struct backend *drive_close(struct backend *b) {
    return tried_close(b);
}

/* For a second process; one that needs more does not start. */
static void keep_arg(const char *arg) {
    if (drive.n_args < N_ELEMENTS(drive.args))
        drive.args[drive.n_args] = arg;
    drive.n_args++;
}

static void keep_args(void) {
    drive.n_args = 0;
    for (size_t i = 0; i < options.n_layers; i++) {
        keep_arg("--layer");
        keep_arg(options.layers[i]);
    }
    keep_arg(options.driver);
    for (size_t i = 0; i < options.n_settings; i++)
        keep_arg(options.settings[i]);
}

static bool load(const char *test) {
    struct timespec now;
    struct larder_error error;
    clock_gettime(CLOCK_REALTIME, &now);
    drive.now_ms = (int64_t)now.tv_sec * 1000;
    drive.seed = options.seed;
    drive.random = options.seed ^ hash_64(test, strlen(test));
    drive.n_keys = options.n_keys;
    drive.n_inflight = options.n_inflight;
    drive.readme = options.readme;
    drive.child = options.child;
    drive.child_key = options.child_key;
    drive.open_end_ms = options.time_limit_ms > 0 && options.time_limit_ms < 10000
                            ? options.time_limit_ms / 10
                            : 1000;
    keep_args();
    names_begin();
    if (!tried_load(&error)) {
        result_say(RESULT_FAILURE, "%s", error.text);
        return false;
    }
    drive.driver = tried.driver;
    return true;
}

static bool start(bool policed) {
    if (!tried_start(drive.random, policed)) {
        result_say(RESULT_FAILURE, "no memory, or no threads, for the reactor");
        return false;
    }
    drive.reactor = tried.reactor;
    return true;
}

bool drive_probe(void) {
    char why[LARDER_ERROR_SIZE] = "";
    if (!load("probe") || !start(false))
        return false;
    drive.one = tried_open(why);
    if (!drive.one)
        result_say(RESULT_FAILURE, "does not open: %s", why);
    return drive.one != NULL;
}

bool drive_begin(const char *test) {
    char why[LARDER_ERROR_SIZE] = "";
    if (!load(test) || !start(true))
        return false;
    leaks_before();
    struct backend *first = tried_open(why);
    if (first) {
        first = tried_close(first);
        tried_warm_up();
        leaks_begin();
        drive.one = tried_open(why);
        drive.two = drive.one ? tried_open(why) : NULL;
    }
    if (!drive.two)
        result_say(RESULT_FAILURE, "does not open: %s", why);
    return drive.two != NULL;
}

void drive_end(void) {
    bool opened = drive.two != NULL;
    drive.one = tried_close(drive.one);
    drive.two = tried_close(drive.two);
    if (opened)
        leaks_end();
    tried_end();
    strict_audit();
    names_end();
    if (buf_live() != 0 && result_bad() == 0)
        result_say(RESULT_FAILURE, "the test did not give back %zu buffers", buf_live());
}
