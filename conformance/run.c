#include "run.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "options.h"
#include "phrase.h"
#include "result.h"

/* A test may take as long as so many patiences; what hangs has most often told why before. */
enum { PATIENCES = 15, OUTPUT_SHOWN = 2500, MAX_FAILURES = 8 };

static uint64_t monotonic_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* ---- in the process of a test ------------------------------------------------------------- */

static void tell_failures(void) {
    unsigned n = 0;
    for (const CU_FailureRecord *f = CU_get_failure_list(); f; f = f->pNext) {
        const char *slash = strrchr(f->strFileName, '/');
        if (n++ < MAX_FAILURES)
            result_say(RESULT_FAILURE, "%s:%u: %s", slash ? slash + 1 : f->strFileName, f->uiLineNumber,
                       f->strCondition);
    }
    if (n > MAX_FAILURES)
        result_say(RESULT_FAILURE, "and %u more", n - MAX_FAILURES);
}

static void run_replay(void) {
    CU_ASSERT_EQUAL(model_replay(options.replay), 0);
}

/* Does not return: what a failed test has left behind is not looked at. */
_Noreturn static void in_child(const struct outcome *o) {
    int status = EXIT_FAILURE;
    if (!drive_begin(o->id))
        _exit(EXIT_FAILURE);
    if (CU_initialize_registry() == CUE_SUCCESS) {
        CU_pSuite suite = CU_add_suite("test", NULL, NULL);
        CU_pTest test = suite ? CU_add_test(suite, o->id, o->test ? o->test->run : run_replay) : NULL;
        if (test && CU_run_test(suite, test) == CUE_SUCCESS)
            status = EXIT_SUCCESS;
        tell_failures();
    }
    unsigned assertions = CU_get_number_of_asserts();
    bool good = status == EXIT_SUCCESS && CU_get_number_of_failures() == 0;
    CU_cleanup_registry();
    if (good)
        drive_end();
    result_say(RESULT_END, "%u", assertions);
    if (!good || result_bad() > 0) {
        fflush(NULL);
        _exit(EXIT_SUCCESS);
    }
    exit(EXIT_SUCCESS); /* a leak checker looks now */
}

_Noreturn static void probe_in_child(struct about *about) {
    about->opened = drive_probe();
    if (drive.driver) {
        const struct larder_driver *d = drive.driver;
        snprintf(about->name, sizeof(about->name), "%s", d->name);
        snprintf(about->version, sizeof(about->version), "%s", d->version);
        snprintf(about->summary, sizeof(about->summary), "%s", d->summary);
        about->cache = d->cache != NULL;
        about->tags = d->tags != NULL;
    }
    if (about->opened) {
        about->info = drive.one->info;
        for (uint32_t code = LARDER_OP_GET; code <= LARDER_OP_EXPLAIN; code++)
            about->codes |= backend_can(drive.one, code) ? UINT32_C(1) << code : 0;
    }
    fflush(NULL);
    _exit(EXIT_SUCCESS); /* what it leaves behind, every test finds */
}

/* ---- a process ------------------------------------------------------------------------------- */

struct child {
    pid_t pid;
    int pipe;   /* records of result.h */
    int output; /* a file: what it printed; -1: not kept */
};

/* In the new process: false. */
static bool child_begin(struct child *ret) {
    int ends[2] = {-1, -1};
    fflush(NULL);
    ret->pid = -1;
    ret->output = options.verbose ? -1 : memfd_create("output", MFD_CLOEXEC);
    if (pipe2(ends, O_CLOEXEC) == 0)
        ret->pid = fork();
    if (ret->pid < 0) {
        fprintf(stderr, "larder-conform: no process for a test: %s\n", errno_text(errno));
        exit(2);
    }
    if (ret->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        close(ends[0]);
        if (ret->output >= 0) {
            dup2(ret->output, STDOUT_FILENO);
            dup2(ret->output, STDERR_FILENO);
        } else {
            dup2(STDERR_FILENO, STDOUT_FILENO); /* ours may be a report */
        }
        result_to(ends[1]);
        return false;
    }
    close(ends[1]);
    ret->pipe = ends[0];
    return true;
}

/* Calls fn for each record until the process ends, at most until until_ms; then it is killed.
 * What waitpid() tells; *ret_killed: it was. */
static int child_follow(const struct child *c, uint64_t until_ms, result_fn *fn, void *arg,
                        bool *ret_killed) {
    enum { CHUNK = 1 << 16 };
    char *bytes = NULL;
    size_t len = 0, room = 0;
    int how = 0;
    bool reaped = false;
    *ret_killed = false;
    while (!reaped) {
        uint64_t now_ms = monotonic_ms();
        struct pollfd ready = {.fd = c->pipe, .events = POLLIN};
        if (now_ms >= until_ms) {
            kill(c->pid, SIGKILL);
            *ret_killed = true;
            until_ms = UINT64_MAX;
        }
        uint64_t left_ms = until_ms - now_ms;
        int n_ready = poll(&ready, 1, left_ms > 1000 ? 1000 : (int)left_ms);
        if (n_ready <= 0) { /* whoever the driver started may keep the pipe open */
            reaped = waitpid(c->pid, &how, WNOHANG) == c->pid;
            continue;
        }
        if (room - len < CHUNK) {
            char *bigger = realloc(bytes, room + 2 * CHUNK);
            if (!bigger)
                break;
            bytes = bigger;
            room += 2 * CHUNK;
        }
        ssize_t n = read(c->pipe, bytes + len, CHUNK);
        if (n == 0)
            break; /* and whoever had it is gone */
        if (n < 0)
            continue;
        len += (size_t)n;
        size_t used = result_parse(bytes, len, fn, arg);
        memmove(bytes, bytes + used, len - used);
        len -= used;
    }
    free(bytes);
    close(c->pipe);
    while (!reaped && waitpid(c->pid, &how, 0) < 0 && errno == EINTR)
        ;
    return how;
}

/* Its beginning and its end: a sanitizer says first what it is, and last where. */
static char *end_of_output(int file) {
    static const char left_out[] = "\n...\n";
    struct stat st;
    char *text = NULL;
    if (file < 0)
        return strdup("");
    if (fstat(file, &st) == 0 && (text = calloc(1, 2 * OUTPUT_SHOWN + sizeof(left_out)))) {
        size_t len = (size_t)st.st_size;
        size_t head = len > 2 * OUTPUT_SHOWN ? OUTPUT_SHOWN : len, tail = len - head;
        ssize_t n = pread(file, text, head, 0);
        if (n >= 0 && tail > 0) {
            memcpy(text + n, left_out, sizeof(left_out));
            (void)!pread(file, text + n + sizeof(left_out) - 1, OUTPUT_SHOWN, st.st_size - OUTPUT_SHOWN);
        }
    }
    close(file);
    return text ? text : strdup("");
}

/* ---- outcomes ----------------------------------------------------------------------------------- */

static void add_line(void *arg, enum result_kind kind, const char *text) {
    struct outcome *o = arg;
    if (kind == RESULT_END) {
        o->assertions = (unsigned)strtoul(text, NULL, 10);
        o->status = TEST_PASSED;
        return;
    }
    if (kind == RESULT_WHERE) {
        snprintf(o->where, sizeof(o->where), "%s", text);
        return;
    }
    size_t len = strlen(text);
    struct line *line = malloc(sizeof(*line) + len + 1);
    if (!line)
        return;
    line->next = NULL;
    line->kind = (char)kind;
    memcpy(line->text, text, len + 1);
    if (o->last)
        o->last->next = line;
    else
        o->lines = line;
    o->last = line;
}

__attribute__((format(printf, 2, 3))) static void add_failure(struct outcome *o, const char *format, ...) {
    char text[256];
    va_list args;
    va_start(args, format);
    if (vsnprintf(text, sizeof(text), format, args) < 0)
        text[0] = '\0';
    va_end(args);
    add_line(o, RESULT_FAILURE, text);
}

static bool has_line(const struct outcome *o, enum result_kind kind) {
    const struct line *line = o->lines;
    while (line && line->kind != (char)kind)
        line = line->next;
    return line != NULL;
}

/* Until here TEST_PASSED means that the test came to its end. */
static void judge(struct outcome *o, int how, bool killed) {
    bool ended = o->status == TEST_PASSED;
    bool told = has_line(o, RESULT_FAILURE) || has_line(o, RESULT_VIOLATION);
    if (killed)
        add_failure(o, "hangs: it was ended after %.0f s", o->seconds);
    else if (WIFSIGNALED(how))
        add_failure(o, "crashed: %s", strsignal(WTERMSIG(how)));
    else if (!ended && !told)
        add_failure(o, "the driver ended the process, with status %d", WEXITSTATUS(how));
    else if (ended && WEXITSTATUS(how) != 0)
        add_failure(o, "the process ended with status %d: see what it printed", WEXITSTATUS(how));
    if (has_line(o, RESULT_FAILURE) || has_line(o, RESULT_VIOLATION))
        o->status = TEST_FAILED;
    if (o->status == TEST_FAILED && o->where[0])
        add_failure(o, "that was after %s", o->where);
    if (o->status == TEST_PASSED && o->assertions == 0 && has_line(o, RESULT_UNCLAIMED))
        o->status = TEST_UNCLAIMED;
}

static void run_one(struct outcome *o) {
    struct child child;
    bool killed;
    uint64_t begin_ms = monotonic_ms();
    if (!child_begin(&child))
        in_child(o);
    o->status = TEST_FAILED;
    int how = child_follow(&child, begin_ms + (uint64_t)options.patience_ms * PATIENCES, add_line, o,
                           &killed);
    o->seconds = (double)(monotonic_ms() - begin_ms) / 1000;
    o->output = end_of_output(child.output);
    judge(o, how, killed);
}

/* ---- the whole ------------------------------------------------------------------------------------ */

static void keep_error(void *arg, enum result_kind kind, const char *text) {
    struct about *about = arg;
    if ((kind == RESULT_FAILURE || kind == RESULT_VIOLATION) && !about->error[0])
        snprintf(about->error, sizeof(about->error), "%s", text);
}

bool run_probe(struct run *run) {
    struct child child;
    bool killed;
    struct about *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
                                0);
    if (shared == MAP_FAILED) {
        snprintf(run->about.error, sizeof(run->about.error), "out of memory");
        return false;
    }
    if (!child_begin(&child))
        probe_in_child(shared);
    int how = child_follow(&child, monotonic_ms() + (uint64_t)options.patience_ms * PATIENCES, keep_error,
                           &run->about, &killed);
    char *output = end_of_output(child.output);
    char error[sizeof(run->about.error)];
    memcpy(error, run->about.error, sizeof(error));
    run->about = *shared;
    munmap(shared, sizeof(*shared));
    memcpy(run->about.error, error, sizeof(error));
    if (!run->about.opened && !error[0])
        snprintf(run->about.error, sizeof(run->about.error),
                 "the driver %s while it was loaded and opened%s%.300s",
                 killed             ? "hangs"
                 : WIFSIGNALED(how) ? "crashed"
                                    : "ended the process",
                 output && output[0] ? ": " : "", output ? output : "");
    free(output);
    return run->about.opened;
}

static bool is_selected(const char *id) {
    for (size_t i = 0; i < options.n_only; i++) {
        if (strstr(id, options.only[i]) || fnmatch(options.only[i], id, 0) == 0)
            return true;
    }
    return options.n_only == 0;
}

static void select_one(struct run *run, const struct suite *suite, const struct unit_test *test) {
    struct outcome *o = &run->outcomes[run->n];
    *o = (struct outcome){.suite = suite, .test = test, .status = TEST_NOT_RUN};
    snprintf(o->id, sizeof(o->id), "%s/%s", suite ? suite->name : "model", test ? test->name : "replay");
    snprintf(o->words, sizeof(o->words), "%s", test ? test->name : "the sequence that was given");
    for (char *at = o->words; *at; at++)
        *at = *at == '_' ? ' ' : *at;
    if (!test || is_selected(o->id))
        run->n++;
}

bool run_select(struct run *run) {
    size_t most = 1;
    for (size_t i = 0; i < n_suites; i++)
        most += all_suites[i]->n;
    run->outcomes = calloc(most, sizeof(*run->outcomes));
    if (!run->outcomes)
        return false;
    if (options.replay) {
        select_one(run, NULL, NULL);
        return true;
    }
    for (size_t i = 0; i < n_suites; i++) {
        for (size_t k = 0; k < all_suites[i]->n; k++)
            select_one(run, all_suites[i], &all_suites[i]->tests[k]);
    }
    return true;
}

void run_all(struct run *run, outcome_fn *began, outcome_fn *ended) {
    uint64_t begin_ms = monotonic_ms();
    for (size_t i = 0; i < run->n; i++) {
        struct outcome *o = &run->outcomes[i];
        if (began)
            began(run, o);
        if (options.time_limit_ms > 0 && monotonic_ms() - begin_ms > options.time_limit_ms) {
            o->status = TEST_NOT_RUN;
        } else if (o->suite && !(run->about.codes & UINT32_C(1) << o->suite->needs)) {
            o->status = TEST_UNCLAIMED;
            add_line(o, RESULT_UNCLAIMED, o->suite->name);
        } else {
            run_one(o);
        }
        run->n_passed += o->status == TEST_PASSED;
        run->n_failed += o->status == TEST_FAILED;
        run->n_unclaimed += o->status == TEST_UNCLAIMED;
        run->n_not_run += o->status == TEST_NOT_RUN;
        run->seconds = (double)(monotonic_ms() - begin_ms) / 1000;
        if (ended)
            ended(run, o);
    }
}

void run_done(struct run *run) {
    for (size_t i = 0; i < run->n; i++) {
        struct outcome *o = &run->outcomes[i];
        while (o->lines) {
            struct line *line = o->lines;
            o->lines = line->next;
            free(line);
        }
        free(o->output);
    }
    free(run->outcomes);
}

void traits_in_words(uint32_t traits, char *out, size_t size) {
    static const char *const names[] = {"BLOCKING", "SHARED", "PERSISTENT", "TTL",
                                        "NEWEST",   "LOSSY",  "DURABLE",    "LOCAL"};
    struct phrase phrase = phrase_begin(out, size);
    for (size_t i = 0; i < N_ELEMENTS(names); i++) {
        if (traits & UINT32_C(1) << i)
            phrase_add(&phrase, "%s%s", phrase.len ? " " : "", names[i]);
    }
    if (phrase.len == 0)
        phrase_add(&phrase, "none");
}
