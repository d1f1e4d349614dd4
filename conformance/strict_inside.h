/* What the files of the strict host share.  One lock, strict.lock, is over all of it. */
#ifndef CONFORMANCE_STRICT_INSIDE_H
#define CONFORMANCE_STRICT_INSIDE_H

#include <pthread.h>

#include "backend.h"
#include "guard.h"
#include "strict.h"

enum { MAX_EVENTS = 12, MAX_LANES = 256, NAME_ROOM = 24 };

/* What guarded memory belongs to. */
enum { GUARD_OP, GUARD_BUF, GUARD_HOST, GUARD_CONFIG, GUARD_OPEN };

/* ---- who does what, for reports ------------------------------------------------------ */

struct event { /* one thing that happened to an op, or several of one kind in a row */
    const char *what;
    int32_t status; /* of a completion; 0 elsewhere */
    uint32_t times;
    uint64_t at_ns; /* the first time */
    char thread[NAME_ROOM];
};

struct strict_op {
    struct strict_op *next, *newer; /* in the table; in the order of their ends */
    struct instance *instance;
    struct larder_op *inner; /* what the driver has, in guarded memory */
    struct larder_op *outer; /* what the core waits for; NULL once it is completed */
    struct guard guard;
    struct larder_op as_given;
    struct strict_buf *value; /* put: our reference */
    bool completed, cancelled, retired;
    bool in_call, in_cancel; /* the call of it has not returned */
    size_t next_mark;        /* emit_mark(): where to look for the tag first */
    char key[48];            /* for people */
    struct event events[MAX_EVENTS];
    unsigned n_events, n_lost;
};

/* What this thread does at the moment for which instance and op: for the origin of buffers. */
struct here {
    struct instance *instance;
    struct strict_op *op;
    unsigned host_calls;
    uint64_t host_bytes; /* of buffers that were made: filling them takes time that is ours */
};
extern _Thread_local struct here strict_here;

void event_add(struct strict_op *op, const char *what, int32_t status);
/* Who calls: "the I/O thread", or its name and number. */
void thread_name(char out[NAME_ROOM]);

/* Reports v; op NULL: it is about none.  Under the lock or not. */
void violation(enum violation v, const struct strict_op *op, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The same where going on would be undefined: ends the process. */
void violation_end(enum violation v, const struct strict_op *op, const char *format, ...)
    __attribute__((format(printf, 3, 4), noreturn));

/* "GET" */
const char *code_name(uint32_t code);

/* ---- instances --------------------------------------------------------------------------- */

struct held { /* on its way to the core or to the driver, in an order of our own */
    struct held *next;
    struct larder_op *outer; /* a completion; NULL: a post */
    struct larder_result res;
    char detail[256];
    larder_fn *fn;
    void *arg;
};

struct strict_timer {
    struct strict_timer *next;
    struct instance *instance;
    struct larder_timer *outer; /* NULL: freed */
    larder_fn *fn;
    void *arg;
};

struct strict_watch {
    struct strict_watch *next;
    struct instance *instance;
    struct larder_watch *outer; /* NULL: freed */
    larder_fd_fn *fn;
    void *arg;
    int fd;
    uint64_t device, inode; /* of what fd was */
};

struct instance { /* never freed before the process ends: a late call finds it, closed */
    struct instance *next;
    uint64_t magic;
    unsigned no;
    struct larder_home *home; /* the core's; gone after close() */
    struct reactor *reactor;
    void *inner; /* the driver's */
    struct guard config;
    struct larder_info info;
    bool blocking, open, closed;
    bool lane_taken[MAX_LANES];
    unsigned n_outstanding;
    struct strict_timer *timers;
    struct strict_watch *watches;
    struct held *held;
    size_t n_held;
    bool release_posted;
    struct task release;
};

extern struct strict {
    pthread_mutex_t lock;
    const struct larder_driver *tried;
    const struct larder_host *outer; /* the core's */
    const struct larder_host *host;  /* ours, in memory that cannot be written */
    struct guard host_guard;
    struct instance *instances;
    unsigned n_instances;
    uint64_t random;
    bool real_time;      /* deadlines and durations mean something */
    pthread_t io_thread; /* known once the first instance is opened */
    bool io_known;
    struct here io_call; /* what the I/O thread is in, for patience */
    const char *io_what;
    uint64_t io_since_ns;
    bool (*must_fail)(const char *function);
} strict;

static inline void strict_lock(void) {
    pthread_mutex_lock(&strict.lock);
}
static inline void strict_unlock(void) {
    pthread_mutex_unlock(&strict.lock);
}

/* The instance behind what the driver gave as its home; ends the process where it is none. */
struct instance *instance_of(struct larder_home *home, const char *function);
/* Whether this host function must say that there is no memory (starve.h). */
bool starved(const char *function);

/* ---- strict_op.c ----------------------------------------------------------------------------- */

/* A guarded copy; NULL: no memory. */
struct strict_op *strict_op_new(struct instance *in, struct larder_op *outer);
void strict_op_cancel(struct instance *in, struct larder_op *outer);
/* The call has returned; op is not to be used afterwards. */
void strict_op_returned(struct strict_op *op);
unsigned strict_op_blame(void);
void strict_op_audit(void);
/* For the signal handler: says what the address is. */
_Noreturn void strict_op_fault(const struct guard *g, const uint8_t *at, enum guard_access access);

void strict_complete(struct larder_op *op, const struct larder_result *res);
int32_t strict_emit_mark(struct larder_op *op, const struct larder_mark *mark);
int32_t strict_emit_key(struct larder_op *op, struct larder_bytes key);
int32_t strict_emit_text(struct larder_op *op, struct larder_bytes text);

/* ---- strict_result.c -------------------------------------------------------------------------- */

/* Everything about a completion that can be judged without the store. */
void result_check(const struct strict_op *op, const struct larder_result *res);
/* One line of UTF-8 without secrets; `what` names it. */
void text_check(const struct strict_op *op, const char *what, const char *text, size_t len, bool one_line);

/* ---- strict_buf.c ----------------------------------------------------------------------------- */

struct strict_buf;
uint8_t *strict_buf_new(size_t len, struct larder_slice *out);
int32_t strict_buf_wrap(const void *ptr, size_t len, larder_fn *release, void *arg, struct larder_slice *out);
void strict_buf_ref(struct larder_buf *buf);
void strict_buf_unref(struct larder_buf *buf);
/* A put's value for the driver: a guarded copy that cannot be written.  NULL: no memory. */
struct strict_buf *strict_buf_lend(const struct larder_op *outer, struct larder_slice *ret);
void strict_buf_lent(struct strict_buf *buf);
/* A slice from the driver: from now on the core's, which gives its reference back. */
struct larder_slice strict_buf_take(const struct strict_op *op, const char *what, struct larder_slice slice);
void strict_buf_audit(void);
_Noreturn void strict_buf_fault(const struct guard *g, const uint8_t *at, enum guard_access access);

/* ---- strict_io.c ------------------------------------------------------------------------------ */

/* Around each call into the driver. */
struct stay {
    const char *what;
    struct here before;
    uint64_t wall_ns, cpu_ns, waited_ns; /* waited: runnable, but another thread had the processor */
    long sleeps, faults;
    bool counted; /* on the I/O thread */
};
void stay_begin(struct stay *stay, struct instance *in, struct strict_op *op, const char *what);
/* bytes: of the value that the call is about, which may take its time; STAY_UNBOUNDED: not judged. */
#define STAY_UNBOUNDED UINT64_MAX
void stay_end(struct stay *stay, uint64_t bytes);
/* On a lane, after stay_end(): whether the call waited beyond the deadline of its op. */
void stay_judge_deadline(const struct stay *stay, const struct strict_op *op);

/* On the I/O thread, posted as in->release: lets through what is held. */
void strict_release(void *instance);
/* Sends op's completion, or fn, to the I/O thread, in an order of its own.  False: no memory. */
bool hold_completion(struct instance *in, struct larder_op *outer, const struct larder_result *res);

struct larder_watch *strict_watch_new(struct larder_home *home, int fd, uint32_t events, larder_fd_fn *fn,
                                      void *arg);
int32_t strict_rewatch(struct larder_watch *w, uint32_t events);
void strict_unwatch(struct larder_watch *w);
struct larder_timer *strict_timer_new(struct larder_home *home, larder_fn *fn, void *arg);
void strict_timer_set(struct larder_timer *t, uint64_t due_ns);
void strict_timer_free(struct larder_timer *t);
int32_t strict_post(struct larder_home *home, larder_fn *fn, void *arg);
int32_t strict_offload(struct larder_home *home, larder_fn *work, larder_fn *done, void *arg);
/* Reports timers and watches that are left, and frees them; `when`: after what. */
void strict_io_left(struct instance *in, const char *when);
/* The records of an instance whose process ends. */
void strict_io_done(struct instance *in);

#endif
