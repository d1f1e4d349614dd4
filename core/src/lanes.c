#include "lanes.h"

#include <pthread.h>
#include <stdlib.h>

#include "log.h"
#include "thread.h"

struct lane {
    struct lanes *lanes;
    uint32_t no;
    pthread_t thread;
};

struct lanes {
    struct reactor *reactor;
    const char *name;
    pthread_mutex_t lock; /* of everything below */
    pthread_cond_t more;
    struct lane_job *first, *last;
    size_t n_queued, n_running;
    uint32_t n_threads;
    uint32_t n_idle; /* waiting on `more`, woken ones that have not run yet included */
    bool stopping;
    bool on_reactor; /* `drain` is posted or running: jobs run on the reactor's thread */
    struct task drain;
    uint32_t n;
    struct lane lane[];
};

static void lanes_destroy(struct lanes *l) {
    pthread_cond_destroy(&l->more);
    pthread_mutex_destroy(&l->lock);
    free(l);
}

/* Under the lock; NULL when the queue is empty. */
static struct lane_job *job_take(struct lanes *l) {
    struct lane_job *job = l->first;
    if (!job)
        return NULL;
    l->first = job->next;
    if (!l->first)
        l->last = NULL;
    l->n_queued--;
    return job;
}

/* Under the lock, which is given up while the job runs.  The job is gone afterwards. */
static void job_run(struct lanes *l, struct lane_job *job, uint32_t lane) {
    l->n_running++;
    pthread_mutex_unlock(&l->lock);
    job->run(job, lane);
    pthread_mutex_lock(&l->lock);
    l->n_running--;
}

static void *lane_main(void *arg) {
    struct lane *lane = arg;
    struct lanes *l = lane->lanes;

    pthread_setname_np(pthread_self(), l->name);
    pthread_mutex_lock(&l->lock);
    for (;;) {
        struct lane_job *job = job_take(l);
        if (job) {
            job_run(l, job, lane->no);
        } else if (l->stopping) {
            break;
        } else {
            l->n_idle++;
            pthread_cond_wait(&l->more, &l->lock);
            l->n_idle--;
        }
    }
    pthread_mutex_unlock(&l->lock);
    return NULL;
}

/* The stand-in for threads: runs what was queued when it began, so that a job which queues
 * another cannot keep the reactor from its descriptors. */
static void drain_run(void *arg) {
    struct lanes *l = arg;

    pthread_mutex_lock(&l->lock);
    for (size_t left = l->n_queued; left > 0; left--) {
        struct lane_job *job = job_take(l);
        if (!job)
            break; /* withdrawn by an earlier one */
        job_run(l, job, 0);
    }
    l->on_reactor = l->first != NULL;
    bool again = l->on_reactor;
    bool gone = l->stopping && !again;
    pthread_mutex_unlock(&l->lock);

    if (again)
        reactor_post(l->reactor, &l->drain);
    else if (gone)
        lanes_destroy(l);
}

struct lanes *lanes_new_named(struct reactor *r, uint32_t n, const char *name) {
    if (n == 0)
        n = 1;
    struct lanes *l = calloc(1, sizeof(*l) + n * sizeof(l->lane[0]));
    if (!l)
        return NULL;
    l->reactor = r;
    l->name = name;
    l->n = n;
    l->drain.fn = drain_run;
    l->drain.arg = l;
    /* Held for some tens of nanoseconds: waiting for it in the kernel costs far more. */
    pthread_mutexattr_t adaptive;
    pthread_mutexattr_init(&adaptive);
    pthread_mutexattr_settype(&adaptive, PTHREAD_MUTEX_ADAPTIVE_NP);
    pthread_mutex_init(&l->lock, &adaptive);
    pthread_mutexattr_destroy(&adaptive);
    pthread_cond_init(&l->more, NULL);
    return l;
}

struct lanes *lanes_new(struct reactor *r, uint32_t n) {
    return lanes_new_named(r, n, "larder-lane");
}

struct lanes *lanes_free(struct lanes *l) {
    if (!l)
        return NULL;

    pthread_mutex_lock(&l->lock);
    l->stopping = true;
    pthread_cond_broadcast(&l->more);
    if (l->on_reactor) {
        struct lane_job *job;
        while ((job = job_take(l)))
            job_run(l, job, 0);
    }
    bool drain_posted = l->on_reactor;
    pthread_mutex_unlock(&l->lock);

    for (uint32_t i = 0; i < l->n_threads; i++)
        pthread_join(l->lane[i].thread, NULL);
    if (!drain_posted) /* else it is still in the reactor's queue, and ends the lanes there */
        lanes_destroy(l);
    return NULL;
}

/* Under the lock.  False: no more threads are to be had. */
static bool lane_start(struct lanes *l) {
    struct lane *lane = &l->lane[l->n_threads];
    lane->lanes = l;
    lane->no = l->n_threads;
    if (thread_start(&lane->thread, lane_main, lane)) {
        l->n_threads++;
        return true;
    }
    if (l->n_threads == 0)
        log_line(LARDER_LOG_WARN, "cannot start a thread (%s): blocking calls run on the I/O thread",
                 l->name);
    return false;
}

void lanes_submit(struct lanes *l, struct lane_job *job) {
    lanes_submit_all(l, job, job, 1);
}

void lanes_submit_all(struct lanes *l, struct lane_job *first, struct lane_job *last, size_t n) {
    bool post = false;
    size_t wake = 0;

    pthread_mutex_lock(&l->lock);
    last->next = NULL;
    if (l->last)
        l->last->next = first;
    else
        l->first = first;
    l->last = last;
    l->n_queued += n;

    /* While jobs run on the reactor's thread as lane 0, no thread may take that number. */
    if (!l->on_reactor) {
        wake = n < l->n_idle ? n : l->n_idle;
        size_t unserved = l->n_queued > l->n_idle ? l->n_queued - l->n_idle : 0;
        while (unserved-- > 0 && l->n_threads < l->n && !reactor_is_stepped(l->reactor) && lane_start(l)) {}
        post = l->on_reactor = l->n_threads == 0;
    }
    pthread_mutex_unlock(&l->lock);

    /* Outside the lock, or the woken would wait for it at once. */
    while (wake-- > 0)
        pthread_cond_signal(&l->more);
    if (post)
        reactor_post(l->reactor, &l->drain);
}

bool lanes_withdraw(struct lanes *l, struct lane_job *job) {
    bool found = false;

    pthread_mutex_lock(&l->lock);
    struct lane_job *before = NULL;
    for (struct lane_job *at = l->first; at; before = at, at = at->next) {
        if (at != job)
            continue;
        if (before)
            before->next = job->next;
        else
            l->first = job->next;
        if (l->last == job)
            l->last = before;
        l->n_queued--;
        found = true;
        break;
    }
    pthread_mutex_unlock(&l->lock);
    return found;
}

size_t lanes_busy(struct lanes *l) {
    pthread_mutex_lock(&l->lock);
    size_t busy = l->n_queued + l->n_running;
    pthread_mutex_unlock(&l->lock);
    return busy;
}
