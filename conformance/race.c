#include "race.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "child.h"
#include "drive.h"

/* A racer that nobody ends ends itself. */
enum { LIFETIME_S = 120, MAX_NAME = 65536 };
static const int64_t READY = INT64_C(0x7265616479);

/* What goes before the bytes of key and extra to a racer's standard input.  One byte after that
 * is the start. */
struct letter {
    int64_t now_ms;
    uint64_t seed;
    uint32_t who, n;
    uint64_t key_len, extra_len;
};

static bool write_all(int fd, const void *from, size_t len) {
    const uint8_t *at = from;
    while (len > 0) {
        ssize_t n = write(fd, at, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        at += n;
        len -= (size_t)n;
    }
    return true;
}

/* How many bytes came before the end; len: all. */
static size_t read_all(int fd, void *to, size_t len) {
    uint8_t *at = to;
    size_t got = 0;
    while (got < len) {
        ssize_t n = read(fd, at + got, len - got);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        got += (size_t)n;
    }
    return got;
}

/* ---- the racer's side ------------------------------------------------------------------- */

void race_say(int64_t number) {
    if (!write_all(STDOUT_FILENO, &number, sizeof(number)))
        _exit(2); /* nobody listens any more */
}

bool race_next(void) {
    uint8_t step;
    return read_all(STDIN_FILENO, &step, 1) == 1;
}

static const struct role *role_named(const char *name) {
    for (size_t i = 0; i < n_roles; i++) {
        if (strcmp(all_roles[i]->name, name) == 0)
            return all_roles[i];
    }
    return NULL;
}

/* What was sent to this process, its bytes in *ret_bytes; waits for the start. */
static bool hear_job(struct race_job *ret_job, uint8_t **ret_bytes) {
    struct letter letter;
    if (read_all(STDIN_FILENO, &letter, sizeof(letter)) != sizeof(letter) || letter.key_len > MAX_NAME ||
        letter.extra_len > MAX_NAME)
        return false;
    size_t len = (size_t)(letter.key_len + letter.extra_len);
    uint8_t *bytes = malloc(len + 1);
    if (!bytes)
        return false;
    *ret_bytes = bytes;
    if (read_all(STDIN_FILENO, bytes, len) != len)
        return false;
    *ret_job = (struct race_job){
        .now_ms = letter.now_ms,
        .seed = letter.seed,
        .who = letter.who,
        .n = letter.n,
        .key = {bytes, (size_t)letter.key_len},
        .extra = {bytes + letter.key_len, (size_t)letter.extra_len},
    };
    race_say(READY);
    return race_next();
}

int race_child(const char *role_name) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    alarm(LIFETIME_S);
    const struct role *role = role_named(role_name);
    struct race_job job;
    uint8_t *bytes = NULL;
    bool ok = role && hear_job(&job, &bytes);
    if (ok) {
        drive.now_ms = job.now_ms;
        drive.random = job.seed;
        ok = role->run(&job);
    }
    free(bytes);
    return ok ? 0 : 1;
}

/* ---- the side of the test ------------------------------------------------------------------ */

static void close_fd(int *fd) {
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static bool racer_start(struct racer *r, const char *role, const struct race_job *job) {
    struct letter letter = {job->now_ms, job->seed, job->who, job->n, job->key.len, job->extra.len};
    int pipe_in[2];
    if (pipe2(pipe_in, O_CLOEXEC) != 0)
        return false;
    r->in = pipe_in[1];
    r->pid = child_start(role, (struct larder_bytes){0}, pipe_in[0], &r->out);
    close(pipe_in[0]);
    if (r->pid < 0)
        r->out = -1;
    return r->pid >= 0 && write_all(r->in, &letter, sizeof(letter)) &&
           write_all(r->in, job->key.ptr, job->key.len) && write_all(r->in, job->extra.ptr, job->extra.len);
}

bool race_step(struct racer *r) {
    return write_all(r->in, "!", 1);
}

bool race_hear(struct racer *r, int64_t *ret_number) {
    return read_all(r->out, ret_number, sizeof(*ret_number)) == sizeof(*ret_number);
}

bool race_start(struct race *race, const char *role, unsigned n, struct larder_bytes key,
                struct larder_bytes extra) {
    signal(SIGPIPE, SIG_IGN); /* one that has died shows when it is waited for */
    *race = (struct race){.n = n < MAX_RACERS ? n : MAX_RACERS};
    for (unsigned i = 0; i < race->n; i++)
        race->racers[i] = (struct racer){.pid = -1, .in = -1, .out = -1};
    bool ok = true;
    for (unsigned i = 0; ok && i < race->n; i++) {
        struct race_job job = {drive.now_ms, drive.random + i + 1, i, race->n, key, extra};
        ok = racer_start(&race->racers[i], role, &job);
    }
    for (unsigned i = 0; ok && i < race->n; i++) {
        int64_t word = 0;
        ok = race_hear(&race->racers[i], &word) && word == READY;
    }
    for (unsigned i = 0; ok && i < race->n; i++)
        ok = race_step(&race->racers[i]);
    if (!ok)
        race_done(race);
    return ok;
}

/* All that it says, until it ends. */
static bool racer_hear(struct racer *r) {
    size_t room = 0;
    for (;;) {
        if (r->n_said == room) {
            room = room ? 2 * room : 1024;
            int64_t *said = realloc(r->said, room * sizeof(*said));
            if (!said)
                return false;
            r->said = said;
        }
        size_t want = (room - r->n_said) * sizeof(*r->said);
        size_t got = read_all(r->out, r->said + r->n_said, want);
        r->n_said += got / sizeof(*r->said);
        if (got < want)
            return got % sizeof(*r->said) == 0;
    }
}

bool race_end(struct race *race) {
    bool ok = race->n > 0;
    for (unsigned i = 0; i < race->n; i++) {
        struct racer *r = &race->racers[i];
        close_fd(&r->in);
        ok = racer_hear(r) && ok;
        int how = child_end(r->pid);
        r->pid = -1;
        ok = ok && WIFEXITED(how) && WEXITSTATUS(how) == 0;
        close_fd(&r->out);
    }
    return ok;
}

void race_kill(struct race *race) {
    for (unsigned i = 0; i < race->n; i++)
        kill(race->racers[i].pid, SIGKILL);
    race_end(race); /* which is false: they were killed */
}

void race_done(struct race *race) {
    for (unsigned i = 0; i < race->n; i++) {
        struct racer *r = &race->racers[i];
        close_fd(&r->in);
        if (r->pid >= 0) {
            kill(r->pid, SIGKILL);
            child_end(r->pid);
            r->pid = -1;
        }
        close_fd(&r->out);
        free(r->said);
        r->said = NULL;
    }
    race->n = 0;
}

bool race_run(struct race *race, const char *role, unsigned n, struct larder_bytes key,
              struct larder_bytes extra) {
    return race_start(race, role, n, key, extra) && race_end(race);
}
