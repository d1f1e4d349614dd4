/* The services that a driver is given, seen from its side. */
#include <unistd.h>

#include "bytes.h"
#include "held.h"
#include "unit.h"

static unsigned n_called;
static int last_fd;
static uint32_t last_events;

static void count(void *arg) {
    n_called += arg != NULL ? *(unsigned *)arg : 1;
}

static void readable(void *arg, int fd, uint32_t events) {
    char c;
    (void)arg;
    last_fd = fd;
    last_events = events;
    n_called += read(fd, &c, 1) == 1;
}

static struct reactor *reactor;
static struct backend *backend;

static struct larder_home *begin(void) {
    n_called = 0;
    reactor = held_reactor();
    backend = backend_new(reactor, &held_driver, NULL, NULL);
    return &backend->home;
}

static void end(void) {
    backend_free(backend);
    backend_host_clock(NULL);
    reactor_free(reactor);
}

static void the_table_is_whole_and_says_its_size(void) {
    const struct larder_host *h = &backend_host;
    CU_ASSERT(h->size == sizeof(*h) && h->abi == LARDER_ABI);
    CU_ASSERT(LARDER_HAS(h, offload));
    const void *const *fn = (const void *const *)(const void *)((const char *)h +
                                                                offsetof(struct larder_host, complete));
    size_t n = (sizeof(*h) - offsetof(struct larder_host, complete)) / sizeof(*fn);
    for (size_t i = 0; i < n; i++)
        CU_ASSERT(fn[i] != NULL);
}

static void a_post_runs_later_and_once(void) {
    struct larder_home *home = begin();
    CU_ASSERT(backend_host.post(home, count, NULL) == LARDER_OK);
    CU_ASSERT(n_called == 0);
    settle(reactor);
    CU_ASSERT(n_called == 1);
    end();
}

static void a_timer_is_idle_until_set_and_fires_once(void) {
    struct larder_home *home = begin();
    struct larder_timer *t = backend_host.timer(home, count, NULL);
    CU_ASSERT_FATAL(t != NULL);
    pass_ms(reactor, 1000);
    CU_ASSERT(n_called == 0);
    backend_host.timer_set(t, backend_host.now_ns() + 5000000u); /* the host's clock is the test's */
    pass_ms(reactor, 4);
    CU_ASSERT(n_called == 0);
    pass_ms(reactor, 1);
    CU_ASSERT(n_called == 1);
    pass_ms(reactor, 1000);
    CU_ASSERT(n_called == 1);
    backend_host.timer_set(t, backend_host.now_ns() + 5000000u);
    backend_host.timer_set(t, UINT64_MAX);
    pass_ms(reactor, 1000);
    CU_ASSERT(n_called == 1);
    backend_host.timer_free(t);
    end();
}

static void a_watch_tells_of_readiness_until_it_is_taken_off(void) {
    struct larder_home *home = begin();
    int fds[2];
    CU_ASSERT_FATAL(pipe(fds) == 0);
    struct larder_watch *w = backend_host.watch(home, fds[0], LARDER_READ, readable, NULL);
    CU_ASSERT_FATAL(w != NULL);
    settle(reactor);
    CU_ASSERT(n_called == 0);
    CU_ASSERT(write(fds[1], "ab", 2) == 2);
    settle(reactor);
    CU_ASSERT(n_called == 2 && last_fd == fds[0] && last_events == LARDER_READ); /* level-triggered */
    CU_ASSERT(backend_host.rewatch(w, 0) == LARDER_OK);
    CU_ASSERT(write(fds[1], "c", 1) == 1);
    settle(reactor);
    CU_ASSERT(n_called == 2);
    backend_host.unwatch(w);
    settle(reactor);
    CU_ASSERT(n_called == 2);
    close(fds[0]);
    close(fds[1]);
    end();
}

static void offloaded_work_is_done_before_done(void) {
    struct larder_home *home = begin();
    static unsigned ten = 10;
    CU_ASSERT(backend_host.offload(home, count, count, &ten) == LARDER_OK);
    settle(reactor);
    CU_ASSERT(n_called == 20);
    end();
}

UNIT_MAIN("host", UNIT(the_table_is_whole_and_says_its_size), UNIT(a_post_runs_later_and_once),
          UNIT(a_timer_is_idle_until_set_and_fires_once),
          UNIT(a_watch_tells_of_readiness_until_it_is_taken_off), UNIT(offloaded_work_is_done_before_done))
