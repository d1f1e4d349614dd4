/*
 * credential_process: a command that prints credentials.
 * https://docs.aws.amazon.com/sdkref/latest/guide/feature-process-credentials.html
 */
#include "aws_process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "aws_json.h"

enum { MOST_MS = 60000, LOOK_MS = 50, MOST_OUTPUT = 64 << 10 };

struct process {
    struct aws_job job;
    char *command;
    struct aws_text output;
    atomic_bool stop; /* its output is not wanted any more */
    int status;       /* of waitpid(); -1: it was not started, or has not ended in time */
};

/* In a group of its own, so that what the shell has started ends with it. */
static pid_t start(const char *command, int out) {
    char shell[] = "/bin/sh", option[] = "-c", *copy = NULL;
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    pid_t pid = -1;
    if (!aws_copy(&copy, command))
        return -1;
    char *const argv[] = {shell, option, copy, NULL};
    if (posix_spawn_file_actions_init(&actions) == 0) {
        if (posix_spawnattr_init(&attributes) == 0) {
            const int failed = posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0) |
                               posix_spawn_file_actions_adddup2(&actions, out, 1) |
                               posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0) |
                               posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP) |
                               posix_spawnattr_setpgroup(&attributes, 0);
            if (failed || posix_spawn(&pid, shell, &actions, &attributes, argv, environ) != 0)
                pid = -1;
            posix_spawnattr_destroy(&attributes);
        }
        posix_spawn_file_actions_destroy(&actions);
    }
    aws_wipe(&copy);
    return pid;
}

/* Until the output's end.  False: too much, too long, or not wanted. */
static bool read_output(struct process *p, int fd) {
    char bytes[4096];
    for (int waited_ms = 0; waited_ms < MOST_MS && !atomic_load(&p->stop);) {
        struct pollfd ready = {.fd = fd, .events = POLLIN};
        const int n_ready = poll(&ready, 1, LOOK_MS);
        if (n_ready <= 0) {
            waited_ms += LOOK_MS;
            continue;
        }
        const ssize_t n = read(fd, bytes, sizeof(bytes));
        if (n > 0)
            aws_text_add(&p->output, bytes, (size_t)n);
        explicit_bzero(bytes, sizeof(bytes));
        if (n <= 0 && errno != EINTR)
            return n == 0;
        if (p->output.failed || p->output.len > MOST_OUTPUT)
            return false;
    }
    return false;
}

static void work(struct aws_job *job) {
    struct process *p = (struct process *)job;
    int out[2];
    p->status = -1;
    if (pipe2(out, O_CLOEXEC) != 0)
        return;
    const pid_t pid = start(p->command, out[1]);
    close(out[1]);
    if (pid > 0) {
        if (!read_output(p, out[0]))
            kill(-pid, SIGKILL);
        /* It has closed its output; one that lives on after that is not waited for for ever. */
        pid_t ended = 0;
        for (int waited_ms = 0; ended == 0 && waited_ms < MOST_MS && !atomic_load(&p->stop);
             waited_ms += 10) {
            ended = waitpid(pid, &p->status, WNOHANG);
            if (ended == 0)
                nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
        }
        if (ended == 0) {
            kill(-pid, SIGKILL);
            while (waitpid(pid, &p->status, 0) < 0 && errno == EINTR)
                ;
        }
    }
    close(out[0]);
}

static void done(void *owner, struct aws_job *job) {
    struct aws_source *source = owner;
    struct process *p = (struct process *)job;
    const struct larder_bytes output = {(const uint8_t *)p->output.ptr, p->output.len};
    struct aws_text version = {0};
    char line[120];
    source->job = NULL;
    const bool is_first = aws_json_member(output, "Version", &version) && aws_is(aws_bytes(version.ptr), "1");
    aws_text_done(&version);
    if (p->status == -1 || !WIFEXITED(p->status)) {
        aws_source_failed(source, LARDER_RETRY, "it cannot be run, or did not end in time");
    } else if (WEXITSTATUS(p->status) != 0) {
        snprintf(line, sizeof(line), "it ended with status %d; run it by hand to see why",
                 WEXITSTATUS(p->status));
        aws_source_failed(source, LARDER_DENIED, line);
    } else if (!is_first) {
        aws_source_failed(source, LARDER_DENIED, "it did not print a JSON object with \"Version\": 1");
    } else {
        aws_source_json(source, output, "SessionToken");
    }
}

static void release(struct aws_job *job) {
    struct process *p = (struct process *)job;
    aws_wipe(&p->command);
    aws_text_done(&p->output);
    free(p);
}

int32_t aws_process_begin(struct aws_source *source) {
    struct process *p = calloc(1, sizeof(*p));
    if (!p)
        return LARDER_NOMEM;
    p->job = (struct aws_job){source, work, done, release};
    if (!aws_copy(&p->command, source->plan->command)) {
        release(&p->job);
        return LARDER_NOMEM;
    }
    const int32_t status = aws_job_start(&p->job, source->host, source->home);
    if (status == LARDER_OK)
        source->job = &p->job;
    return status;
}

void aws_process_stop(struct aws_source *source) {
    if (source->job && source->job->work == work)
        atomic_store(&((struct process *)source->job)->stop, true);
}
