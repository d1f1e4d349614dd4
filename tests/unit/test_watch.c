/* The reactor's descriptors. */
#include "pipe_watch.h"

static void a_readable_descriptor_is_told_of_until_it_is_read(void) {
    struct reactor *r = stepped();
    struct tape tape = {0};
    struct pipe_watch p;
    pipe_open(&p, r, &tape, 'a');
    CU_ASSERT_EQUAL(reactor_step(r, false, 0), 0);
    CU_ASSERT_EQUAL(write(p.fds[1], "x", 1), 1);
    CU_ASSERT_EQUAL(reactor_step(r, false, 0), 1);
    CU_ASSERT_EQUAL(reactor_step(r, false, 0), 1);
    CU_ASSERT_EQUAL(p.seen, LARDER_READ);
    char byte;
    CU_ASSERT_EQUAL(read(p.fds[0], &byte, 1), 1);
    CU_ASSERT_EQUAL(reactor_step(r, false, 0), 0);
    pipe_close(&p);
    reactor_free(r);
}

static void a_watch_freed_by_another_callback_of_the_same_turn_is_not_called(void) {
    struct reactor *r = stepped();
    struct tape tape = {0};
    struct pipe_watch a, b;
    pipe_open(&a, r, &tape, 'a');
    pipe_open(&b, r, &tape, 'b');
    a.victim = &b.watch;
    b.victim = &a.watch;
    CU_ASSERT_EQUAL(write(a.fds[1], "x", 1), 1);
    CU_ASSERT_EQUAL(write(b.fds[1], "x", 1), 1);
    CU_ASSERT_EQUAL(reactor_step(r, false, 0), 1);
    CU_ASSERT_EQUAL(tape.len, 1);
    CU_ASSERT((a.watch == NULL) != (b.watch == NULL));
    pipe_close(&a);
    pipe_close(&b);
    reactor_free(r);
}

static void a_watch_may_free_itself(void) {
    struct reactor *r = stepped();
    struct tape tape = {0};
    struct pipe_watch p;
    pipe_open(&p, r, &tape, 'a');
    p.victim = &p.watch;
    CU_ASSERT_EQUAL(write(p.fds[1], "x", 1), 1);
    CU_ASSERT_EQUAL(reactor_step(r, false, 0), 1);
    CU_ASSERT_EQUAL(reactor_step(r, false, 0), 0);
    CU_ASSERT_STRING_EQUAL(tape.text, "a");
    pipe_close(&p);
    reactor_free(r);
}

struct closer {
    struct pipe_watch *p;
    struct reactor *r;
    struct tape *tape;
};

/* Ends a watch that is ready, and opens another on what is most likely the same number. */
static void replace_pipe(void *arg) {
    struct closer *c = arg;
    pipe_close(c->p);
    pipe_open(c->p, c->r, c->tape, 'n');
}

static void an_event_of_a_closed_descriptor_does_not_reach_the_one_that_reuses_its_number(void) {
    struct reactor *r = stepped();
    struct tape tape = {0};
    struct pipe_watch p;
    pipe_open(&p, r, &tape, 'o');
    CU_ASSERT_EQUAL(write(p.fds[1], "x", 1), 1);
    struct closer c = {&p, r, &tape};
    struct task task = {.fn = replace_pipe, .arg = &c};
    reactor_post(r, &task); /* runs after epoll was asked, before its answer is looked at */
    CU_ASSERT_EQUAL(reactor_step(r, false, 0), 1);
    CU_ASSERT_EQUAL(tape.len, 0);
    pipe_close(&p);
    reactor_free(r);
}

static void interest_can_be_changed_and_put_to_rest(void) {
    struct reactor *r = stepped();
    struct tape tape = {0};
    struct pipe_watch p;
    pipe_open(&p, r, &tape, 'a');
    CU_ASSERT_EQUAL(watch_set(p.watch, 0), LARDER_OK);
    close(p.fds[1]); /* a hang-up, which nobody wants to hear of */
    p.fds[1] = -1;
    CU_ASSERT_EQUAL(reactor_step(r, false, 0), 0);
    CU_ASSERT_EQUAL(watch_set(p.watch, LARDER_READ), LARDER_OK);
    CU_ASSERT_EQUAL(reactor_step(r, false, 0), 1);
    CU_ASSERT_EQUAL(p.seen, LARDER_READ);
    CU_ASSERT_EQUAL(watch_set(p.watch, 8), LARDER_INVALID);
    pipe_close(&p);
    reactor_free(r);
}

static void only_readiness_that_is_asked_for_is_told(void) {
    struct reactor *r = stepped();
    struct tape tape = {0};
    struct pipe_watch p = {.tape = &tape, .letter = 'w'};
    int fds[2];
    CU_ASSERT_EQUAL_FATAL(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
    p.fds[0] = fds[1];
    p.watch = watch_new(r, fds[1], LARDER_WRITE, on_pipe, &p);
    CU_ASSERT_PTR_NOT_NULL_FATAL(p.watch);
    CU_ASSERT_EQUAL(reactor_step(r, false, 0), 1);
    CU_ASSERT_EQUAL(p.seen, LARDER_WRITE);
    close(fds[0]); /* an error now: told as what the owner waits for */
    p.seen = 0;
    CU_ASSERT_EQUAL(reactor_step(r, false, 0), 1);
    CU_ASSERT_EQUAL(p.seen, LARDER_WRITE);
    watch_free(p.watch);
    close(fds[1]);
    reactor_free(r);
}

static void what_cannot_be_watched_is_refused(void) {
    struct reactor *r = stepped();
    CU_ASSERT_PTR_NULL(watch_new(r, -1, LARDER_READ, on_pipe, NULL));
    CU_ASSERT_PTR_NULL(watch_new(r, 1 << 20, LARDER_READ, on_pipe, NULL));
    CU_ASSERT_PTR_NULL(watch_free(NULL));
    reactor_free(r);
}

/* On the machine's clock, as in a process: under a clock of its own a test sees everything at once. */
static void a_patient_descriptor_costs_a_busy_reactor_nothing_and_is_not_forgotten(void) {
    struct reactor *r = reactor_new(NULL);
    struct tape tape = {0};
    struct pipe_watch p;
    pipe_open(&p, r, &tape, 'a');
    watch_be_patient(p.watch);
    CU_ASSERT_EQUAL(write(p.fds[1], "x", 1), 1);
    unsigned n_turns = 1;
    while (n_turns < 1000 && reactor_step(r, false, 0) == 0)
        n_turns++;
    CU_ASSERT_EQUAL(n_turns, 64);
    CU_ASSERT_EQUAL(reactor_step(r, false, 0), 0);
    CU_ASSERT_EQUAL(reactor_step(r, true, UINT64_MAX), 1); /* it would sleep: it looks */
    /* Beside one that is not, and after a rest. */
    struct pipe_watch q;
    pipe_open(&q, r, &tape, 'b');
    CU_ASSERT_EQUAL(reactor_step(r, false, 0), 1);
    pipe_close(&q);
    CU_ASSERT_EQUAL(reactor_step(r, false, 0), 0);
    CU_ASSERT_EQUAL(watch_set(p.watch, 0), LARDER_OK);
    CU_ASSERT_EQUAL(watch_set(p.watch, LARDER_READ), LARDER_OK);
    CU_ASSERT_EQUAL(reactor_step(r, false, 0), 0);
    pipe_close(&p);
    reactor_free(r);
}

UNIT_MAIN("watch", UNIT(a_readable_descriptor_is_told_of_until_it_is_read),
          UNIT(a_watch_freed_by_another_callback_of_the_same_turn_is_not_called),
          UNIT(a_watch_may_free_itself),
          UNIT(an_event_of_a_closed_descriptor_does_not_reach_the_one_that_reuses_its_number),
          UNIT(interest_can_be_changed_and_put_to_rest), UNIT(only_readiness_that_is_asked_for_is_told),
          UNIT(what_cannot_be_watched_is_refused),
          UNIT(a_patient_descriptor_costs_a_busy_reactor_nothing_and_is_not_forgotten))
