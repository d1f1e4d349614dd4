#define FAILING_ALLOC_HERE
#include "failing_alloc.h"

#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <string.h>
#include <unistd.h>

#include "pipe_watch.h"
#include "tape.h"

static void step_until_quiet(struct reactor *r) {
    for (int i = 0; i < 1000 && reactor_step(r, false, 0) > 0; i++)
        ;
}

/* ---- posts ---- */

static void posts_run_in_the_order_of_posting(void) {
    struct reactor *r = stepped();
    struct tape tape = {0};
    struct mark_on marks[5];
    struct task tasks[5];
    for (int i = 0; i < 5; i++) {
        marks[i] = (struct mark_on){&tape, (char)('a' + i)};
        tasks[i] = (struct task){.fn = write_letter, .arg = &marks[i]};
        reactor_post(r, &tasks[i]);
    }
    CU_ASSERT_EQUAL(tape.len, 0);
    CU_ASSERT_EQUAL(reactor_step(r, false, 0), 5);
    CU_ASSERT_STRING_EQUAL(tape.text, "abcde");
    CU_ASSERT_EQUAL(reactor_step(r, false, 0), 0);
    reactor_free(r);
}

struct repost {
    struct reactor *r;
    struct task task;
    int left, ran;
};

static void post_again(void *arg) {
    struct repost *p = arg;
    p->ran++;
    if (--p->left > 0)
        reactor_post(p->r, &p->task);
}

static void a_task_may_post_itself_from_inside(void) {
    struct reactor *r = stepped();
    struct repost p = {.r = r, .left = 3};
    p.task = (struct task){.fn = post_again, .arg = &p};
    reactor_post(r, &p.task);
    CU_ASSERT(reactor_step(r, false, 0) > 0);
    step_until_quiet(r);
    CU_ASSERT_EQUAL(p.ran, 3);
    reactor_free(r);
}

static void free_arg(void *arg) {
    free(arg);
}

static void a_task_may_free_its_own_memory(void) {
    struct reactor *r = stepped();
    struct task *task = malloc(sizeof(*task));
    CU_ASSERT_PTR_NOT_NULL_FATAL(task);
    *task = (struct task){.fn = free_arg, .arg = task};
    reactor_post(r, task);
    CU_ASSERT_EQUAL(reactor_step(r, false, 0), 1);
    reactor_free(r);
}

static void what_is_posted_still_runs_when_the_reactor_ends(void) {
    struct reactor *r = stepped();
    struct repost p = {.r = r, .left = 4};
    p.task = (struct task){.fn = post_again, .arg = &p};
    reactor_post(r, &p.task);
    reactor_free(r);
    CU_ASSERT_EQUAL(p.ran, 4);
}

/* ---- timers ---- */

static void timers_fire_when_due_and_in_the_order_of_their_times(void) {
    struct reactor *r = stepped();
    struct tape tape = {0};
    struct mark_on marks[3] = {{&tape, 'a'}, {&tape, 'b'}, {&tape, 'c'}};
    struct larder_timer timers[3];
    static const uint64_t due_ms[3] = {30, 10, 20};
    for (int i = 0; i < 3; i++) {
        timer_init(&timers[i], r, write_letter, &marks[i]);
        CU_ASSERT_EQUAL(timer_set(&timers[i], reactor_now_ns(r) + due_ms[i] * 1000000u), LARDER_OK);
    }
    CU_ASSERT_EQUAL(reactor_step(r, false, 0), 0);
    clock_at.ns += 9999999u;
    CU_ASSERT_EQUAL(reactor_step(r, false, 0), 0);
    clock_at.ns += 1u;
    CU_ASSERT_EQUAL(reactor_step(r, false, 0), 1);
    CU_ASSERT_STRING_EQUAL(tape.text, "b");
    clock_at.ns += 100000000u;
    CU_ASSERT_EQUAL(reactor_step(r, false, 0), 2);
    CU_ASSERT_STRING_EQUAL(tape.text, "bca");
    reactor_free(r);
}

static void a_timer_can_be_moved_and_stopped(void) {
    struct reactor *r = stepped();
    struct tape tape = {0};
    struct mark_on a = {&tape, 'a'}, b = {&tape, 'b'};
    struct larder_timer ta, tb;
    timer_init(&ta, r, write_letter, &a);
    timer_init(&tb, r, write_letter, &b);
    uint64_t now_ns = reactor_now_ns(r);
    timer_set(&ta, now_ns + 10);
    timer_set(&tb, now_ns + 20);
    timer_set(&ta, now_ns + 30); /* later */
    CU_ASSERT_EQUAL(reactor_timers(r), 2);
    clock_at.ns += 20;
    CU_ASSERT_EQUAL(reactor_step(r, false, 0), 1);
    CU_ASSERT_STRING_EQUAL(tape.text, "b");
    timer_set(&ta, now_ns + 25); /* sooner */
    timer_set(&tb, now_ns + 21);
    timer_set(&tb, UINT64_MAX);
    timer_set(&tb, UINT64_MAX);
    CU_ASSERT_EQUAL(reactor_timers(r), 1);
    clock_at.ns += 100;
    CU_ASSERT_EQUAL(reactor_step(r, false, 0), 1);
    CU_ASSERT_STRING_EQUAL(tape.text, "ba");
    timer_done(&ta);
    timer_done(&tb);
    reactor_free(r);
}

struct chain {
    struct reactor *r;
    struct larder_timer timer;
    int fired;
};

static void set_for_now(void *arg) {
    struct chain *c = arg;
    c->fired++;
    timer_set(&c->timer, reactor_now_ns(c->r));
}

static void a_timer_that_sets_itself_for_now_fires_once_a_turn(void) {
    struct reactor *r = stepped();
    struct chain c = {.r = r};
    timer_init(&c.timer, r, set_for_now, &c);
    timer_set(&c.timer, reactor_now_ns(r));
    CU_ASSERT_EQUAL(reactor_step(r, false, 0), 1);
    CU_ASSERT_EQUAL(reactor_step(r, false, 0), 1);
    CU_ASSERT_EQUAL(c.fired, 2);
    timer_done(&c.timer);
    CU_ASSERT_EQUAL(reactor_step(r, false, 0), 0);
    reactor_free(r);
}

static void stop_the_other(void *arg) {
    timer_done(arg);
}

static void a_timer_stopped_by_one_due_before_it_does_not_fire(void) {
    struct reactor *r = stepped();
    struct tape tape = {0};
    struct mark_on m = {&tape, 'x'};
    struct larder_timer first, second;
    timer_init(&second, r, write_letter, &m);
    timer_init(&first, r, stop_the_other, &second);
    timer_set(&second, reactor_now_ns(r) + 2);
    timer_set(&first, reactor_now_ns(r) + 1);
    clock_at.ns += 10;
    CU_ASSERT_EQUAL(reactor_step(r, false, 0), 1);
    CU_ASSERT_EQUAL(tape.len, 0);
    reactor_free(r);
}

enum { MANY = 500 };

struct fired {
    struct larder_timer timer;
    uint64_t wanted_ns; /* UINT64_MAX: not to fire */
    uint64_t *last_ns;
    int times;
};

static void note_fired(void *arg) {
    struct fired *f = arg;
    f->times++;
    CU_ASSERT(f->wanted_ns >= *f->last_ns);
    *f->last_ns = f->wanted_ns;
}

static uint64_t next_random(uint64_t *state) { /* xorshift64* */
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * 2685821657736338717u;
}

static void many_timers_set_moved_and_stopped_at_random_fire_in_order(void) {
    uint64_t seed = 20240607;
    printf("(seed %llu) ", (unsigned long long)seed);
    struct reactor *r = stepped();
    static struct fired all[MANY];
    uint64_t last_ns = 0, base_ns = reactor_now_ns(r);
    for (int i = 0; i < MANY; i++) {
        all[i] = (struct fired){.wanted_ns = UINT64_MAX, .last_ns = &last_ns};
        timer_init(&all[i].timer, r, note_fired, &all[i]);
    }
    for (int i = 0; i < 20 * MANY; i++) {
        struct fired *f = &all[next_random(&seed) % MANY];
        f->wanted_ns = next_random(&seed) % 4 == 0 ? UINT64_MAX : base_ns + next_random(&seed) % 1000;
        CU_ASSERT_EQUAL(timer_set(&f->timer, f->wanted_ns), LARDER_OK);
    }
    clock_at.ns += 1000;
    CU_ASSERT(reactor_step(r, false, 0) > MANY / 2);
    for (int i = 0; i < MANY; i++)
        CU_ASSERT_EQUAL(all[i].times, all[i].wanted_ns == UINT64_MAX ? 0 : 1);
    reactor_free(r);
}

/* The program is linked with --wrap=reallocarray, too. */
static bool no_room;
void *__real_reallocarray(void *ptr, size_t n, size_t size);
void *__wrap_reallocarray(void *ptr, size_t n, size_t size);
void *__wrap_reallocarray(void *ptr, size_t n, size_t size) {
    return no_room ? NULL : __real_reallocarray(ptr, n, size);
}

static void a_timer_for_which_there_is_no_room_stays_idle(void) {
    struct reactor *r = stepped();
    struct tape tape = {0};
    struct mark_on m = {&tape, 't'};
    struct larder_timer timer;
    timer_init(&timer, r, write_letter, &m);
    no_room = true;
    CU_ASSERT_EQUAL(timer_set(&timer, reactor_now_ns(r)), LARDER_NOMEM);
    no_room = false;
    CU_ASSERT_EQUAL(reactor_step(r, false, 0), 0);
    CU_ASSERT_EQUAL(timer_set(&timer, reactor_now_ns(r)), LARDER_OK);
    CU_ASSERT_EQUAL(reactor_step(r, false, 0), 1);
    reactor_free(r);
}

static void without_memory_there_is_no_reactor_and_no_watch(void) {
    struct reactor *r = NULL;
    for (unsigned long nth = 1; !r; nth++) {
        alloc_countdown = nth;
        r = reactor_new(NULL);
        CU_ASSERT(r != NULL || alloc_countdown == 0);
    }
    alloc_countdown = 1;
    CU_ASSERT_PTR_NULL(watch_new(r, 0, LARDER_READ, NULL, NULL));
    alloc_countdown = 0;
    reactor_free(r);
}

/* ---- hooks ---- */

struct hooked {
    struct turn_hook hook;
    struct mark_on mark;
    struct reactor *r;
    struct task task;
    int posts_left; /* the hook posts as often as this */
    struct turn_hook *victim;
    int calls;
};

static void nothing(void *arg) {
    (void)arg;
}

static void on_turn(void *arg) {
    struct hooked *h = arg;
    h->calls++;
    tape_add(h->mark.tape, h->mark.letter);
    if (h->victim) {
        reactor_hook_remove(h->r, h->victim);
        h->victim = NULL;
    }
    if (h->posts_left > 0) {
        h->posts_left--;
        h->task = (struct task){.fn = nothing};
        reactor_post(h->r, &h->task);
    }
}

static void hook_add(struct hooked *h, struct reactor *r, struct tape *tape, char letter) {
    *h = (struct hooked){.mark = {tape, letter}, .r = r};
    h->hook = (struct turn_hook){.fn = on_turn, .arg = h};
    reactor_hook_add(r, &h->hook);
}

static void hooks_run_in_order_after_a_turn_in_which_something_ran(void) {
    struct reactor *r = stepped();
    struct tape tape = {0};
    struct hooked a, b;
    hook_add(&a, r, &tape, 'a');
    hook_add(&b, r, &tape, 'b');
    CU_ASSERT_EQUAL(reactor_step(r, false, 0), 0);
    CU_ASSERT_EQUAL(tape.len, 0);
    struct mark_on m = {&tape, 't'};
    struct task task = {.fn = write_letter, .arg = &m};
    reactor_post(r, &task);
    CU_ASSERT_EQUAL(reactor_step(r, false, 0), 1);
    CU_ASSERT_STRING_EQUAL(tape.text, "tab");
    reactor_hook_remove(r, &a.hook);
    reactor_post(r, &task);
    CU_ASSERT_EQUAL(reactor_step(r, false, 0), 1);
    CU_ASSERT_STRING_EQUAL(tape.text, "tabtb");
    reactor_hook_remove(r, &b.hook);
    reactor_free(r);
}

static void a_turn_goes_on_until_hooks_post_no_more(void) {
    struct reactor *r = stepped();
    struct tape tape = {0};
    struct hooked a;
    hook_add(&a, r, &tape, 'a');
    a.posts_left = 3;
    struct task task = {.fn = nothing};
    reactor_post(r, &task);
    CU_ASSERT_EQUAL(reactor_step(r, false, 0), 1);
    CU_ASSERT_EQUAL(a.calls, 4); /* three that posted, and the one that found it quiet */
    CU_ASSERT_EQUAL(reactor_step(r, false, 0), 0);
    reactor_hook_remove(r, &a.hook);
    reactor_free(r);
}

static void a_hook_that_always_posts_does_not_keep_the_reactor_from_timers_and_descriptors(void) {
    struct reactor *r = stepped();
    struct tape hooks = {0}, tape = {0};
    struct hooked a;
    hook_add(&a, r, &hooks, 'h');
    a.posts_left = 1000000;
    struct pipe_watch p;
    pipe_open(&p, r, &tape, 'd');
    struct mark_on m = {&tape, 't'};
    struct larder_timer timer;
    timer_init(&timer, r, write_letter, &m);
    struct task task = {.fn = nothing};
    reactor_post(r, &task);
    CU_ASSERT(reactor_step(r, false, 0) > 0);
    CU_ASSERT(a.posts_left > 999000);
    timer_set(&timer, reactor_now_ns(r));
    CU_ASSERT_EQUAL(write(p.fds[1], "x", 1), 1);
    CU_ASSERT(reactor_step(r, false, 0) > 0);
    CU_ASSERT_STRING_EQUAL(tape.text, "td");
    a.posts_left = 0;
    int before = a.calls;
    CU_ASSERT(reactor_step(r, false, 0) > 0); /* what the last hook posted ... */
    CU_ASSERT(a.calls > before);              /* ... is followed by the hooks */
    reactor_hook_remove(r, &a.hook);
    pipe_close(&p);
    reactor_free(r);
}

static void a_hook_may_remove_itself_or_the_next_one(void) {
    struct reactor *r = stepped();
    struct tape tape = {0};
    struct hooked a, b, c;
    hook_add(&a, r, &tape, 'a');
    hook_add(&b, r, &tape, 'b');
    hook_add(&c, r, &tape, 'c');
    a.victim = &b.hook;
    c.victim = &c.hook;
    struct task task = {.fn = nothing};
    reactor_post(r, &task);
    reactor_step(r, false, 0);
    CU_ASSERT_STRING_EQUAL(tape.text, "ac");
    reactor_post(r, &task);
    reactor_step(r, false, 0);
    CU_ASSERT_STRING_EQUAL(tape.text, "aca");
    reactor_hook_remove(r, &a.hook);
    reactor_hook_remove(r, &a.hook);
    reactor_free(r);
}

/* ---- offload ---- */

struct piece {
    struct job job;
    struct mark_on work, done;
    pthread_t worked_on, done_on;
    sem_t *finished;
};

static void piece_work(void *arg) {
    struct piece *p = arg;
    p->worked_on = pthread_self();
    if (p->work.tape)
        write_letter(&p->work);
}

static void piece_done(void *arg) {
    struct piece *p = arg;
    p->done_on = pthread_self();
    if (p->done.tape)
        write_letter(&p->done);
    if (p->finished)
        sem_post(p->finished);
}

static void under_a_clock_of_its_own_work_runs_inside_the_turn_without_threads(void) {
    struct reactor *r = stepped();
    struct tape tape = {0};
    struct piece a = {.work = {&tape, 'w'}, .done = {&tape, 'd'}};
    a.job = (struct job){.work = piece_work, .done = piece_done, .arg = &a};
    reactor_offload(r, &a.job);
    CU_ASSERT_EQUAL(tape.len, 0);
    step_until_quiet(r);
    CU_ASSERT_STRING_EQUAL(tape.text, "wd");
    CU_ASSERT(pthread_equal(a.worked_on, pthread_self()));
    reactor_free(r);
}

static void offloaded_work_runs_on_another_thread_and_its_end_on_the_reactors(void) {
    struct reactor *r = reactor_new(NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(r);
    enum { PIECES = 100 };
    static struct piece pieces[PIECES];
    sem_t finished;
    sem_init(&finished, 0, 0);
    for (int i = 0; i < PIECES; i++) {
        pieces[i] = (struct piece){.finished = &finished};
        pieces[i].job = (struct job){.work = piece_work, .done = piece_done, .arg = &pieces[i]};
        reactor_offload(r, &pieces[i].job);
    }
    int value = 0;
    while (sem_getvalue(&finished, &value) == 0 && value < PIECES)
        reactor_step(r, true, UINT64_MAX);
    for (int i = 0; i < PIECES; i++) {
        CU_ASSERT(!pthread_equal(pieces[i].worked_on, pthread_self()));
        CU_ASSERT(pthread_equal(pieces[i].done_on, pthread_self()));
    }
    sem_destroy(&finished);
    reactor_free(r);
}

static void work_still_offloaded_is_finished_when_the_reactor_ends(void) {
    sem_t finished;
    sem_init(&finished, 0, 0);
    for (int with_threads = 0; with_threads < 2; with_threads++) {
        struct reactor *r = with_threads ? reactor_new(NULL) : stepped();
        CU_ASSERT_PTR_NOT_NULL_FATAL(r);
        struct piece pieces[5];
        for (int i = 0; i < 5; i++) {
            pieces[i] = (struct piece){.finished = &finished};
            pieces[i].job = (struct job){.work = piece_work, .done = piece_done, .arg = &pieces[i]};
            reactor_offload(r, &pieces[i].job);
        }
        reactor_free(r);
    }
    int value = 0;
    sem_getvalue(&finished, &value);
    CU_ASSERT_EQUAL(value, 10);
    sem_destroy(&finished);
}

/* ---- waking ---- */

struct loop {
    struct reactor *r;
    bool stop;
    struct task stop_task;
};

static void stop_loop(void *arg) {
    ((struct loop *)arg)->stop = true;
}

static void *loop_main(void *arg) {
    struct loop *loop = arg;
    while (!loop->stop)
        reactor_step(loop->r, true, UINT64_MAX);
    return NULL;
}

static void loop_end(struct loop *loop, pthread_t thread) {
    loop->stop_task = (struct task){.fn = stop_loop, .arg = loop};
    reactor_post(loop->r, &loop->stop_task);
    pthread_join(thread, NULL);
    reactor_free(loop->r);
}

static void tell(void *arg) {
    sem_post(arg);
}

enum { ROUNDS = 5000, POSTERS = 3 };

static void *ping(void *arg) {
    struct reactor *r = arg;
    sem_t answered;
    sem_init(&answered, 0, 0);
    for (int i = 0; i < ROUNDS; i++) {
        struct task task = {.fn = tell, .arg = &answered};
        reactor_post(r, &task);
        sem_wait(&answered); /* a lost wake-up would end here, in the test's time limit */
    }
    sem_destroy(&answered);
    return NULL;
}

static void no_wake_up_is_lost_between_going_to_sleep_and_posting(void) {
    struct loop loop = {.r = reactor_new(NULL)};
    CU_ASSERT_PTR_NOT_NULL_FATAL(loop.r);
    pthread_t thread, posters[POSTERS];
    CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, loop_main, &loop), 0);
    ping(loop.r); /* alone: the reactor sleeps each time */
    for (int i = 0; i < POSTERS; i++)
        CU_ASSERT_EQUAL_FATAL(pthread_create(&posters[i], NULL, ping, loop.r), 0);
    for (int i = 0; i < POSTERS; i++)
        pthread_join(posters[i], NULL);
    loop_end(&loop, thread);
}

enum { BURST = 2000 };

struct numbered {
    struct task task;
    unsigned *next;
    unsigned no;
    unsigned *wrong;
};

static void check_order(void *arg) {
    struct numbered *n = arg;
    if (n->no != (*n->next)++)
        ++*n->wrong;
}

struct burst {
    struct reactor *r;
    struct numbered tasks[BURST];
    unsigned next, wrong;
};

static void *burst_main(void *arg) {
    struct burst *b = arg;
    for (unsigned i = 0; i < BURST; i++) {
        b->tasks[i] = (struct numbered){.next = &b->next, .no = i, .wrong = &b->wrong};
        b->tasks[i].task = (struct task){.fn = check_order, .arg = &b->tasks[i]};
        reactor_post(b->r, &b->tasks[i].task);
    }
    return NULL;
}

static void posts_of_each_thread_keep_their_order_when_many_post_at_once(void) {
    struct loop loop = {.r = reactor_new(NULL)};
    CU_ASSERT_PTR_NOT_NULL_FATAL(loop.r);
    static struct burst bursts[POSTERS];
    pthread_t thread, posters[POSTERS];
    CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, loop_main, &loop), 0);
    for (int i = 0; i < POSTERS; i++) {
        bursts[i].r = loop.r;
        CU_ASSERT_EQUAL_FATAL(pthread_create(&posters[i], NULL, burst_main, &bursts[i]), 0);
    }
    for (int i = 0; i < POSTERS; i++)
        pthread_join(posters[i], NULL);
    loop_end(&loop, thread);
    for (int i = 0; i < POSTERS; i++) {
        CU_ASSERT_EQUAL(bursts[i].next, BURST);
        CU_ASSERT_EQUAL(bursts[i].wrong, 0);
    }
}

static void waiting_ends_when_a_timer_is_due(void) {
    struct reactor *r = reactor_new(NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(r);
    struct tape tape = {0};
    struct mark_on m = {&tape, 't'};
    struct larder_timer timer;
    timer_init(&timer, r, write_letter, &m);
    uint64_t due_ns = reactor_now_ns(r) + 1500000u;
    timer_set(&timer, due_ns);
    while (tape.len == 0)
        reactor_step(r, true, UINT64_MAX);
    CU_ASSERT(reactor_now_ns(r) >= due_ns);
    CU_ASSERT_EQUAL(reactor_step(r, true, 1000), 0); /* and after max_ns without anything */
    reactor_free(r);
}

UNIT_MAIN("reactor", UNIT(posts_run_in_the_order_of_posting), UNIT(a_task_may_post_itself_from_inside),
          UNIT(a_task_may_free_its_own_memory), UNIT(what_is_posted_still_runs_when_the_reactor_ends),
          UNIT(timers_fire_when_due_and_in_the_order_of_their_times), UNIT(a_timer_can_be_moved_and_stopped),
          UNIT(a_timer_that_sets_itself_for_now_fires_once_a_turn),
          UNIT(a_timer_stopped_by_one_due_before_it_does_not_fire),
          UNIT(many_timers_set_moved_and_stopped_at_random_fire_in_order),
          UNIT(a_timer_for_which_there_is_no_room_stays_idle),
          UNIT(without_memory_there_is_no_reactor_and_no_watch),
          UNIT(hooks_run_in_order_after_a_turn_in_which_something_ran),
          UNIT(a_turn_goes_on_until_hooks_post_no_more),
          UNIT(a_hook_that_always_posts_does_not_keep_the_reactor_from_timers_and_descriptors),
          UNIT(a_hook_may_remove_itself_or_the_next_one),
          UNIT(under_a_clock_of_its_own_work_runs_inside_the_turn_without_threads),
          UNIT(offloaded_work_runs_on_another_thread_and_its_end_on_the_reactors),
          UNIT(work_still_offloaded_is_finished_when_the_reactor_ends),
          UNIT(no_wake_up_is_lost_between_going_to_sleep_and_posting),
          UNIT(posts_of_each_thread_keep_their_order_when_many_post_at_once),
          UNIT(waiting_ends_when_a_timer_is_due))
