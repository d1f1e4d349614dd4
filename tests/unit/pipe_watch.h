/* A pipe whose reading end is watched; each call writes its letter on the tape. */
#ifndef TESTS_PIPE_WATCH_H
#define TESTS_PIPE_WATCH_H

#include <fcntl.h>
#include <unistd.h>

#include "tape.h"

struct pipe_watch {
    int fds[2];
    struct larder_watch *watch;
    struct tape *tape;
    char letter;
    struct larder_watch **victim; /* freed when this one is called */
    uint32_t seen;
};

static inline void on_pipe(void *arg, int fd, uint32_t events) {
    struct pipe_watch *p = arg;
    CU_ASSERT_EQUAL(fd, p->fds[0]);
    p->seen |= events;
    tape_add(p->tape, p->letter);
    if (p->victim)
        *p->victim = watch_free(*p->victim);
}

static inline void pipe_open(struct pipe_watch *p, struct reactor *r, struct tape *tape, char letter) {
    *p = (struct pipe_watch){.tape = tape, .letter = letter};
    CU_ASSERT_EQUAL_FATAL(pipe2(p->fds, O_CLOEXEC | O_NONBLOCK), 0);
    p->watch = watch_new(r, p->fds[0], LARDER_READ, on_pipe, p);
    CU_ASSERT_PTR_NOT_NULL_FATAL(p->watch);
}

static inline void pipe_close(struct pipe_watch *p) {
    p->watch = watch_free(p->watch);
    close(p->fds[0]);
    if (p->fds[1] >= 0)
        close(p->fds[1]);
}

#endif
