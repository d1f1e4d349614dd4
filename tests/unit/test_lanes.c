#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <string.h>

#include "fake_clock.h"
#include "lanes.h"
#include "unit.h"

enum { LANES = 3, JOBS = 600 };

/* The program is linked with --wrap=pthread_create: a machine that has no thread to give. */
static int threads_left = -1; /* -1: as many as are wanted */

int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*fn)(void *), void *arg);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*fn)(void *), void *arg);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*fn)(void *), void *arg) {
    if (threads_left == 0)
        return EAGAIN;
    if (threads_left > 0)
        threads_left--;
    return __real_pthread_create(thread, attr, fn, arg);
}

static struct fake_clock clock_at = {.ns = 1};

static struct reactor *stepped(void) {
    struct reactor_clock clock = fake_clock_of(&clock_at);
    struct reactor *r = reactor_new(&clock);
    CU_ASSERT_PTR_NOT_NULL_FATAL(r);
    return r;
}

struct test_job {
    struct lane_job job; /* first */
    int no;
    uint32_t lane;
    int runs;
    pthread_t thread;
    int *order, *n_order; /* may be NULL */
    unsigned *per_lane;   /* may be NULL: counters that only their lane touches */
    sem_t *begun, *go, *ended;
    struct lanes *lanes;
    struct test_job *submits; /* another one, from inside */
};

static void run_job(struct lane_job *lane_job, uint32_t lane) {
    struct test_job *j = (struct test_job *)lane_job;
    if (j->begun)
        sem_post(j->begun);
    if (j->go)
        sem_wait(j->go);
    j->lane = lane;
    j->runs++;
    j->thread = pthread_self();
    if (j->order)
        j->order[(*j->n_order)++] = j->no;
    if (j->per_lane)
        j->per_lane[lane]++;
    if (j->submits)
        lanes_submit(j->lanes, &j->submits->job);
    if (j->ended)
        sem_post(j->ended);
}

static void jobs_init(struct test_job *jobs, int n) {
    memset(jobs, 0, (size_t)n * sizeof(*jobs));
    for (int i = 0; i < n; i++) {
        jobs[i].job.run = run_job;
        jobs[i].no = i;
    }
}

/* ---- with threads ---- */

static void every_job_runs_once_and_no_two_on_one_lane_at_a_time(void) {
    struct reactor *r = reactor_new(NULL);
    struct lanes *lanes = lanes_new(r, LANES);
    CU_ASSERT_PTR_NOT_NULL_FATAL(lanes);
    static struct test_job jobs[JOBS];
    unsigned per_lane[LANES] = {0}; /* unlocked: the sanitizer sees two on one lane */
    jobs_init(jobs, JOBS);
    for (int i = 0; i < JOBS; i++) {
        jobs[i].per_lane = per_lane;
        lanes_submit(lanes, &jobs[i].job);
    }
    lanes_free(lanes);
    unsigned sum = 0;
    for (int i = 0; i < LANES; i++)
        sum += per_lane[i];
    CU_ASSERT_EQUAL(sum, JOBS);
    for (int i = 0; i < JOBS; i++) {
        CU_ASSERT_EQUAL(jobs[i].runs, 1);
        CU_ASSERT(jobs[i].lane < LANES);
        CU_ASSERT(!pthread_equal(jobs[i].thread, pthread_self()));
    }
    reactor_free(r);
}

static void as_many_jobs_run_at_once_as_there_are_lanes_and_not_more(void) {
    struct reactor *r = reactor_new(NULL);
    struct lanes *lanes = lanes_new(r, LANES);
    CU_ASSERT_PTR_NOT_NULL_FATAL(lanes);
    struct test_job jobs[LANES + 2];
    sem_t begun, go, ended;
    sem_init(&begun, 0, 0);
    sem_init(&go, 0, 0);
    sem_init(&ended, 0, 0);
    jobs_init(jobs, LANES + 2);
    for (int i = 0; i < LANES + 2; i++) {
        jobs[i].begun = &begun;
        jobs[i].go = &go;
        jobs[i].ended = &ended;
        lanes_submit(lanes, &jobs[i].job);
    }
    for (int i = 0; i < LANES; i++)
        sem_wait(&begun); /* all lanes hold one: hangs if fewer run side by side */
    CU_ASSERT_EQUAL(lanes_busy(lanes), LANES + 2);
    int value = -1;
    sem_getvalue(&begun, &value);
    CU_ASSERT_EQUAL(value, 0);
    bool lane_used[LANES] = {false};
    for (int i = 0; i < LANES + 2; i++)
        sem_post(&go);
    for (int i = 0; i < LANES + 2; i++)
        sem_wait(&ended);
    lanes_free(lanes);
    for (int i = 0; i < LANES; i++) {
        CU_ASSERT(!lane_used[jobs[i].lane]);
        lane_used[jobs[i].lane] = true;
    }
    sem_destroy(&begun);
    sem_destroy(&go);
    sem_destroy(&ended);
    reactor_free(r);
}

static void a_queued_job_can_be_withdrawn_and_a_begun_one_cannot(void) {
    struct reactor *r = reactor_new(NULL);
    struct lanes *lanes = lanes_new(r, 1);
    CU_ASSERT_PTR_NOT_NULL_FATAL(lanes);
    struct test_job jobs[5];
    sem_t begun, go, ended;
    sem_init(&begun, 0, 0);
    sem_init(&go, 0, 0);
    sem_init(&ended, 0, 0);
    jobs_init(jobs, 5);
    int order[5], n_order = 0;
    jobs[0].begun = &begun;
    jobs[0].go = &go;
    for (int i = 0; i < 5; i++) {
        jobs[i].order = order;
        jobs[i].n_order = &n_order;
        jobs[i].ended = &ended;
        lanes_submit(lanes, &jobs[i].job);
    }
    sem_wait(&begun);
    CU_ASSERT_FALSE(lanes_withdraw(lanes, &jobs[0].job)); /* it runs */
    CU_ASSERT_TRUE(lanes_withdraw(lanes, &jobs[1].job));  /* the first in the queue */
    CU_ASSERT_TRUE(lanes_withdraw(lanes, &jobs[4].job));  /* the last */
    CU_ASSERT_FALSE(lanes_withdraw(lanes, &jobs[4].job)); /* not there any more */
    lanes_submit(lanes, &jobs[4].job);                    /* the queue's end still holds */
    CU_ASSERT_TRUE(lanes_withdraw(lanes, &jobs[3].job));
    CU_ASSERT_EQUAL(lanes_busy(lanes), 3);
    sem_post(&go);
    for (int i = 0; i < 3; i++)
        sem_wait(&ended);
    lanes_free(lanes);
    CU_ASSERT_EQUAL(n_order, 3);
    CU_ASSERT_EQUAL(order[0], 0);
    CU_ASSERT_EQUAL(order[1], 2);
    CU_ASSERT_EQUAL(order[2], 4);
    sem_destroy(&begun);
    sem_destroy(&go);
    sem_destroy(&ended);
    reactor_free(r);
}

static void withdrawing_and_running_race_to_exactly_one_outcome(void) {
    struct reactor *r = reactor_new(NULL);
    struct lanes *lanes = lanes_new(r, 2);
    CU_ASSERT_PTR_NOT_NULL_FATAL(lanes);
    static struct test_job jobs[JOBS];
    static bool withdrawn[JOBS];
    jobs_init(jobs, JOBS);
    for (int i = 0; i < JOBS; i++) {
        lanes_submit(lanes, &jobs[i].job);
        if (i % 2 == 1)
            withdrawn[i] = lanes_withdraw(lanes, &jobs[i].job);
    }
    lanes_free(lanes);
    for (int i = 0; i < JOBS; i++)
        CU_ASSERT_EQUAL(jobs[i].runs, withdrawn[i] ? 0 : 1);
    reactor_free(r);
}

static void a_job_may_submit_another_also_while_the_lanes_end(void) {
    struct reactor *r = reactor_new(NULL);
    struct lanes *lanes = lanes_new(r, 1);
    CU_ASSERT_PTR_NOT_NULL_FATAL(lanes);
    struct test_job jobs[3];
    jobs_init(jobs, 3);
    jobs[0].lanes = jobs[1].lanes = lanes;
    jobs[0].submits = &jobs[1];
    jobs[1].submits = &jobs[2];
    lanes_submit(lanes, &jobs[0].job);
    lanes_free(lanes);
    CU_ASSERT_EQUAL(jobs[2].runs, 1);
    reactor_free(r);
}

static void no_thread_starts_before_the_first_job(void) {
    struct reactor *r = reactor_new(NULL);
    struct lanes *lanes = lanes_new(r, 64);
    CU_ASSERT_PTR_NOT_NULL_FATAL(lanes);
    CU_ASSERT_EQUAL(lanes_busy(lanes), 0);
    CU_ASSERT_PTR_NULL(lanes_free(lanes));
    CU_ASSERT_PTR_NULL(lanes_free(NULL));
    reactor_free(r);
}

/* ---- where threads cannot be started ---- */

static void without_any_thread_jobs_run_on_the_reactors_until_one_can_be_started(void) {
    struct reactor *r = reactor_new(NULL);
    struct lanes *lanes = lanes_new(r, LANES);
    CU_ASSERT_PTR_NOT_NULL_FATAL(lanes);
    struct test_job jobs[4];
    jobs_init(jobs, 4);
    threads_left = 0;
    for (int i = 0; i < 3; i++)
        lanes_submit(lanes, &jobs[i].job);
    threads_left = -1;
    lanes_submit(lanes, &jobs[3].job); /* behind the others: no thread may be lane 0 beside them */
    while (lanes_busy(lanes) > 0)
        reactor_step(r, true, UINT64_MAX);
    for (int i = 0; i < 4; i++) {
        CU_ASSERT_EQUAL(jobs[i].runs, 1);
        CU_ASSERT_EQUAL(jobs[i].lane, 0);
        CU_ASSERT(pthread_equal(jobs[i].thread, pthread_self()));
    }
    jobs_init(jobs, 4);
    lanes_submit(lanes, &jobs[0].job);
    lanes_free(lanes);
    CU_ASSERT_EQUAL(jobs[0].runs, 1);
    CU_ASSERT(!pthread_equal(jobs[0].thread, pthread_self()));
    reactor_free(r);
}

static void one_thread_does_all_where_no_second_can_be_started(void) {
    struct reactor *r = reactor_new(NULL);
    struct lanes *lanes = lanes_new(r, LANES);
    CU_ASSERT_PTR_NOT_NULL_FATAL(lanes);
    static struct test_job jobs[JOBS];
    jobs_init(jobs, JOBS);
    threads_left = 1;
    for (int i = 0; i < JOBS; i++)
        lanes_submit(lanes, &jobs[i].job);
    lanes_free(lanes);
    threads_left = -1;
    for (int i = 0; i < JOBS; i++) {
        CU_ASSERT_EQUAL(jobs[i].runs, 1);
        CU_ASSERT_EQUAL(jobs[i].lane, 0);
        CU_ASSERT(!pthread_equal(jobs[i].thread, pthread_self()));
    }
    reactor_free(r);
}

static void lanes_without_threads_may_end_with_jobs_still_queued(void) {
    struct reactor *r = reactor_new(NULL);
    struct lanes *lanes = lanes_new(r, LANES);
    CU_ASSERT_PTR_NOT_NULL_FATAL(lanes);
    struct test_job jobs[2];
    jobs_init(jobs, 2);
    threads_left = 0;
    lanes_submit(lanes, &jobs[0].job);
    lanes_submit(lanes, &jobs[1].job);
    lanes_free(lanes);
    threads_left = -1;
    CU_ASSERT_EQUAL(jobs[0].runs, 1);
    CU_ASSERT_EQUAL(jobs[1].runs, 1);
    reactor_free(r);
}

/* ---- under a clock of one's own ---- */

static void jobs_of_a_test_run_inside_the_turn_in_order_on_lane_zero(void) {
    struct reactor *r = stepped();
    struct lanes *lanes = lanes_new(r, 4);
    CU_ASSERT_PTR_NOT_NULL_FATAL(lanes);
    struct test_job jobs[4];
    int order[4], n_order = 0;
    jobs_init(jobs, 4);
    for (int i = 0; i < 4; i++) {
        jobs[i].order = order;
        jobs[i].n_order = &n_order;
        lanes_submit(lanes, &jobs[i].job);
    }
    CU_ASSERT_TRUE(lanes_withdraw(lanes, &jobs[2].job));
    CU_ASSERT_EQUAL(n_order, 0);
    while (reactor_step(r, false, 0) > 0)
        ;
    CU_ASSERT_EQUAL(n_order, 3);
    CU_ASSERT_EQUAL(order[0], 0);
    CU_ASSERT_EQUAL(order[1], 1);
    CU_ASSERT_EQUAL(order[2], 3);
    for (int i = 0; i < 4; i++)
        CU_ASSERT_EQUAL(jobs[i].lane, 0);
    CU_ASSERT(pthread_equal(jobs[0].thread, pthread_self()));
    CU_ASSERT_EQUAL(lanes_busy(lanes), 0);
    lanes_submit(lanes, &jobs[2].job); /* and once more after they were quiet */
    while (reactor_step(r, false, 0) > 0)
        ;
    CU_ASSERT_EQUAL(jobs[2].runs, 1);
    lanes_free(lanes);
    reactor_free(r);
}

static void lanes_of_a_test_may_end_with_jobs_still_queued(void) {
    struct reactor *r = stepped();
    struct lanes *lanes = lanes_new(r, 4);
    CU_ASSERT_PTR_NOT_NULL_FATAL(lanes);
    struct test_job jobs[3];
    jobs_init(jobs, 3);
    jobs[0].lanes = lanes;
    jobs[0].submits = &jobs[2];
    lanes_submit(lanes, &jobs[0].job);
    lanes_submit(lanes, &jobs[1].job);
    lanes_free(lanes);
    for (int i = 0; i < 3; i++)
        CU_ASSERT_EQUAL(jobs[i].runs, 1);
    reactor_free(r); /* what the lanes had posted runs here and finds them */
}

UNIT_MAIN("lanes", UNIT(every_job_runs_once_and_no_two_on_one_lane_at_a_time),
          UNIT(as_many_jobs_run_at_once_as_there_are_lanes_and_not_more),
          UNIT(a_queued_job_can_be_withdrawn_and_a_begun_one_cannot),
          UNIT(withdrawing_and_running_race_to_exactly_one_outcome),
          UNIT(a_job_may_submit_another_also_while_the_lanes_end),
          UNIT(no_thread_starts_before_the_first_job),
          UNIT(without_any_thread_jobs_run_on_the_reactors_until_one_can_be_started),
          UNIT(one_thread_does_all_where_no_second_can_be_started),
          UNIT(lanes_without_threads_may_end_with_jobs_still_queued),
          UNIT(jobs_of_a_test_run_inside_the_turn_in_order_on_lane_zero),
          UNIT(lanes_of_a_test_may_end_with_jobs_still_queued))
