/* larder top: what the running processes do now, again and again. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "figures.h"
#include "live.h"
#include "screen.h"
#include "tally.h"

enum {
    FIRST_MS = 250, /* so soon is there something to see */
    HISTORY = 60,   /* intervals */
    BAR = 12        /* columns */
};

struct moment { /* all processes, at one time */
    struct processes processes;
    int64_t at_ms;
};

struct history { /* the newest last */
    double values[HISTORY];
    size_t n;
};

struct top {
    struct cli *cli;
    struct screen *screen; /* NULL: lines */
    int64_t interval_ms;
    struct moment before, now;
    double seconds; /* between the two */
    /* What was done between the two: by each process of `now`, and by all of them. */
    struct process *each;
    struct larder_metrics *all;
    struct history hit, gets, slow;
    struct larder_error error;
};

/* ---- from two readings to what happened between ---------------------------------------------------- */

/* The reading of the same store.  A process may have several of one namespace: they differ in when they
 * were opened, which each reading tells to some ms. */
static const struct larder_metrics *find_before(const struct top *top, const struct larder_metrics *m) {
    const struct larder_metrics *nearest = NULL;
    int64_t passed_ms = top->now.at_ms - top->before.at_ms, least_ms = INT64_MAX;
    for (size_t i = 0; i < top->before.processes.n; i++) {
        const struct larder_metrics *old = top->before.processes.list[i].metrics;
        int64_t off_ms = llabs(m->up_ms - old->up_ms - passed_ms);
        if (old->pid == m->pid && old->up_ms <= m->up_ms && strcmp(old->ns, m->ns) == 0 &&
            off_ms < least_ms) {
            nearest = old;
            least_ms = off_ms;
        }
    }
    return nearest;
}

/* One that was not there before counts with all it did, unless it only was not heard. */
static bool make_each(struct top *top) {
    const struct processes *now = &top->now.processes;
    top->each = calloc(now->n + 1, sizeof *top->each);
    if (top->each == NULL)
        return false;
    for (size_t i = 0; i < now->n; i++) {
        const struct larder_metrics *m = now->list[i].metrics, *old = find_before(top, m);
        struct larder_metrics *done = tally_sum(&now->list[i], 1);
        if (done == NULL)
            return false;
        done->pid = m->pid;
        if (old == NULL && (double)m->up_ms > top->seconds * 2000)
            old = m;
        if (old)
            tally_since(done, old);
        top->each[i].metrics = done;
    }
    top->all = tally_sum(top->each, now->n);
    return top->all != NULL;
}

static void forget_each(struct top *top) {
    for (size_t i = 0; top->each && i < top->now.processes.n; i++)
        larder_metrics_free(top->each[i].metrics);
    free(top->each);
    top->each = NULL;
    top->all = larder_metrics_free(top->all);
}

/* Gets of all kinds, as one. */
static struct larder_histogram gets_of(const struct larder_metrics *m) {
    struct larder_histogram gets = m->requests[LARDER_TIMED_GET_MEMORY];
    larder_histogram_add(&gets, &m->requests[LARDER_TIMED_GET_STORE]);
    larder_histogram_add(&gets, &m->requests[LARDER_TIMED_GET_NOTHING]);
    return gets;
}

static void remember(struct history *history, double value) {
    if (history->n == HISTORY)
        memmove(history->values, history->values + 1, --history->n * sizeof history->values[0]);
    history->values[history->n++] = value;
}

static void remember_all(struct top *top) {
    const struct larder_stats *s = &top->all->stats;
    struct larder_histogram gets = gets_of(top->all);
    remember(&top->hit, s->gets ? (double)s->hits / (double)s->gets : NAN);
    remember(&top->gets, (double)s->gets / top->seconds);
    remember(&top->slow, gets.count ? (double)larder_histogram_quantile(&gets, 0.99) : NAN);
}

/* ---- drawing ------------------------------------------------------------------------------------------ */

static const char *ink(const struct top *top, const char *escape) {
    return top->screen->colour ? escape : "";
}
#define GREEN "\x1b[32m"
#define RED "\x1b[31m"
#define DIM "\x1b[2m"
#define BOLD "\x1b[1m"
#define PLAIN "\x1b[0m"

/* So many columns, of which part/whole are filled, to an eighth where the terminal can. */
static const char *bar_text(const struct top *top, double filled, char out[BAR * 3 + 1]) {
    static const char *const eighths[] = {" ", "▏", "▎", "▍", "▌", "▋", "▊", "▉", "█"};
    size_t len = 0;
    for (int i = 0; i < BAR; i++) {
        double here = filled * BAR - i;
        int eighth = here >= 1 ? 8 : here > 0 ? (int)(here * 8) : 0;
        const char *mark = top->screen->utf8 ? eighths[eighth] : eighth >= 4 ? "#" : " ";
        memcpy(out + len, mark, strlen(mark));
        len += strlen(mark);
    }
    out[len] = '\0';
    return out;
}

static double greatest(const struct history *history) {
    double most = 0;
    for (size_t i = 0; i < history->n; i++)
        most = history->values[i] > most ? history->values[i] : most; /* NaN never is */
    return most;
}

/* One column for each value, the newest on the right, as high as it is in comparison to most. */
static const char *line_text(const struct top *top, const struct history *history, double most,
                             char out[HISTORY * 3 + 1]) {
    static const char *const blocks[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    static const char *const ascii[] = {"_", ".", "-", "-", "=", "=", "#", "#"};
    const size_t beside = 20, columns = top->screen->columns > beside ? top->screen->columns - beside : 1;
    size_t len = 0, missing = HISTORY - history->n;
    for (size_t i = columns < HISTORY ? HISTORY - columns : 0; i < HISTORY; i++) {
        const char *mark = " ";
        double value = i >= missing ? history->values[i - missing] : NAN;
        if (!isnan(value)) {
            int height = most > 0 ? (int)(value / most * 7.999) : 0;
            mark = (top->screen->utf8 ? blocks : ascii)[height];
        }
        memcpy(out + len, mark, strlen(mark));
        len += strlen(mark);
    }
    out[len] = '\0';
    return out;
}

static void draw_process(struct top *top, const char *name, const struct larder_metrics *done, int64_t up_ms,
                         const char *ns) {
    const struct larder_stats *s = &done->stats;
    struct larder_histogram gets = gets_of(done);
    double filled = s->gets ? (double)s->hits / (double)s->gets : 0;
    char bar[BAR * 3 + 1], t[7][FIGURE_TEXT];
    screen_line(top->screen, "%-8s%-10.9s%-8s%7s  %s%s%s%7s%9s%9s%8s", name, ns, age_text(up_ms, t[0]),
                rate_text((double)s->gets / top->seconds, t[1]), ink(top, GREEN), bar_text(top, filled, bar),
                ink(top, PLAIN), percent_text(s->hits, s->gets, t[2]),
                ns_text(larder_histogram_quantile(&gets, 0.5), t[3]),
                ns_text(larder_histogram_quantile(&gets, 0.99), t[4]), bytes_text(s->memory_bytes, t[5]));
}

static void draw_processes(struct top *top) {
    char name[FIGURE_TEXT], ns[16];
    const size_t others = 16, n = top->now.processes.n;
    size_t room = top->screen->rows > others + 2 ? top->screen->rows - others : 2,
           shown = n < room ? n : room;
    screen_line(top->screen, "%s%-8s%-10s%-8s%7s  %-*s%7s%9s%9s%8s", ink(top, BOLD), "PROCESS", "NAMESPACE",
                "UP", "GETS/S", BAR, "HIT", "", "P50", "P99", "MEMORY");
    for (size_t i = 0; i < shown; i++) {
        snprintf(name, sizeof name, "%" PRId64, top->each[i].metrics->pid);
        draw_process(top, name, top->each[i].metrics, top->now.processes.list[i].metrics->up_ms,
                     tame_text(top->each[i].metrics->ns, ns, sizeof ns));
    }
    if (shown < n)
        screen_line(top->screen, "%s... and %zu more", ink(top, DIM), n - shown);
    if (n > 1)
        draw_process(top, "all", top->all, top->all->up_ms, "");
}

static void draw_history(struct top *top) {
    char line[HISTORY * 3 + 1], t[FIGURE_TEXT];
    const struct larder_stats *s = &top->all->stats;
    struct larder_histogram gets = gets_of(top->all);
    screen_line(top->screen, "%s", "");
    screen_line(top->screen, "%-10s%s%s%s%9s", "hit", ink(top, GREEN), line_text(top, &top->hit, 1, line),
                ink(top, PLAIN), percent_text(s->hits, s->gets, t));
    screen_line(top->screen, "%-10s%s%9s", "gets/s", line_text(top, &top->gets, greatest(&top->gets), line),
                rate_text((double)s->gets / top->seconds, t));
    screen_line(top->screen, "%-10s%s%9s", "get p99", line_text(top, &top->slow, greatest(&top->slow), line),
                ns_text(larder_histogram_quantile(&gets, 0.99), t));
}

static void draw_notes(struct top *top) {
    char text[200];
    for (size_t i = 0; i < top->now.processes.n; i++) {
        const struct larder_metrics *m = top->now.processes.list[i].metrics;
        for (uint64_t k = 0; k < m->n_instances; k++) {
            const struct larder_breaker_metrics *breaker = &m->instances[k].breaker;
            if (breaker->state == LARDER_BREAKER_OPEN || breaker->state == LARDER_BREAKER_HALF_OPEN)
                screen_line(top->screen, "%s%" PRId64 ": %s", ink(top, RED), m->pid,
                            tame_text(breaker->reason, text, sizeof text));
        }
        if (m->stats.journal_pending > 0)
            screen_line(top->screen, "%s%" PRId64 ": %" PRIu64 " revalidations wait for the store",
                        ink(top, RED), m->pid, m->stats.journal_pending);
    }
}

static void draw_latency(struct top *top, const char *name, uint64_t calls, uint64_t errors,
                         const struct larder_histogram *h) {
    char t[5][FIGURE_TEXT];
    screen_line(
        top->screen, "%-22.22s%8s%8s%10s%10s%10s%10s", name, rate_text((double)calls / top->seconds, t[0]),
        errors ? rate_text((double)errors / top->seconds, t[1]) : "",
        ns_text(larder_histogram_quantile(h, 0.5), t[2]), ns_text(larder_histogram_quantile(h, 0.95), t[3]),
        ns_text(larder_histogram_quantile(h, 0.99), t[4]), "");
}

static void draw_requests(struct top *top) {
    screen_line(top->screen, "%s", "");
    screen_line(top->screen, "%s%-22s%8s%8s%10s%10s%10s", ink(top, BOLD), "REQUEST", "/S", "", "P50", "P95",
                "P99");
    for (uint32_t i = 0; i < LARDER_N_TIMED; i++)
        draw_latency(top, larder_timed_name(i), top->all->requests[i].count, 0, &top->all->requests[i]);
}

/* What was called at all, whether in this interval or not: rows that come and go are hard to read. */
static bool was_called(const struct top *top, uint64_t instance, uint32_t code) {
    for (size_t i = 0; i < top->now.processes.n; i++) {
        const struct larder_metrics *m = top->now.processes.list[i].metrics;
        if (instance < m->n_instances && m->instances[instance].ops[code].latency.count > 0)
            return true;
    }
    return false;
}

static void draw_drivers(struct top *top) {
    char name[64], text[64];
    for (uint64_t i = 0; i < top->all->n_instances; i++) {
        const struct larder_instance_metrics *instance = &top->all->instances[i];
        snprintf(text, sizeof text, "%s (%s)", instance->driver, instance->role);
        screen_line(top->screen, "%s%-22.22s%8s%8s%10s%10s%10s", ink(top, BOLD),
                    tame_text(text, name, sizeof name), "/S", "ERRORS", "P50", "P95", "P99");
        for (uint32_t code = 1; code < LARDER_N_OPS; code++) {
            uint64_t errors, calls = tally_calls(&instance->ops[code], &errors);
            if (was_called(top, i, code))
                draw_latency(top, larder_op_name(code), calls, errors, &instance->ops[code].latency);
        }
    }
}

static void time_of_day(char out[16]) {
    time_t now = time(NULL);
    struct tm tm;
    if (localtime_r(&now, &tm) == NULL || strftime(out, 16, "%H:%M:%S", &tm) == 0)
        out[0] = '\0';
}

static void draw(struct top *top) {
    char clock[16], every[TIME_TEXT];
    size_t n = top->now.processes.n;
    time_of_day(clock);
    screen_begin(top->screen);
    screen_line(top->screen, "%slarder top%s  %s  %zu process%s, every %s; q quits", ink(top, BOLD),
                ink(top, PLAIN), clock, n, n == 1 ? "" : "es", duration_text(top->interval_ms, every));
    screen_line(top->screen, "%s", "");
    if (n == 0) {
        screen_line(top->screen,
                    "Nobody tells of itself.  A process shows a second after its first request,");
        screen_line(top->screen, "to the user that it runs as, unless its setting live is off.");
    } else {
        draw_processes(top);
        draw_history(top);
        draw_notes(top);
        draw_requests(top);
        draw_drivers(top);
    }
    screen_show(top->screen);
}

/* ---- lines ---------------------------------------------------------------------------------------------- */

static void print_line(const struct top *top) {
    const struct larder_stats *s = &top->all->stats;
    struct larder_histogram gets = gets_of(top->all);
    char clock[16], t[6][FIGURE_TEXT];
    time_of_day(clock);
    printf("%s  processes %zu  gets/s %s  hit %s  p50 %s  p99 %s  puts/s %s  memory %s\n", clock,
           top->now.processes.n, rate_text((double)s->gets / top->seconds, t[0]),
           percent_text(s->hits, s->gets, t[1]), ns_text(larder_histogram_quantile(&gets, 0.5), t[2]),
           ns_text(larder_histogram_quantile(&gets, 0.99), t[3]),
           rate_text((double)s->puts / top->seconds, t[4]), bytes_text(s->memory_bytes, t[5]));
    fflush(stdout);
}

/* What was counted in the interval, of all processes together. */
static void print_json(struct top *top) {
    struct json *out = &top->cli->out;
    size_t n;
    const struct larder_field *fields = larder_stats_fields(&n);
    json_object(out, NULL);
    json_number(out, "processes", (int64_t)top->now.processes.n);
    json_number(out, "intervalMs", (int64_t)(top->seconds * 1000));
    for (size_t i = 0; i < n; i++)
        json_number(out, fields[i].name, larder_field_read(&fields[i], &top->all->stats));
    json_object(out, "requests");
    for (uint32_t i = 0; i < LARDER_N_TIMED; i++) {
        const struct larder_histogram *h = &top->all->requests[i];
        json_object(out, larder_timed_name(i));
        json_number(out, "count", (int64_t)h->count);
        json_number(out, "p50Ns", (int64_t)larder_histogram_quantile(h, 0.5));
        json_number(out, "p95Ns", (int64_t)larder_histogram_quantile(h, 0.95));
        json_number(out, "p99Ns", (int64_t)larder_histogram_quantile(h, 0.99));
        json_end(out);
    }
    json_end(out);
    json_end(out);
    fflush(stdout);
}

/* ---- again and again ------------------------------------------------------------------------------------ */

static int32_t look(struct top *top) {
    struct moment next = {.at_ms = clock_ms()};
    int32_t status = processes_read(top->cli, &next.processes, &top->error);
    if (status != LARDER_OK)
        return status;
    forget_each(top);
    processes_done(&top->before.processes);
    top->before = top->now;
    top->now = next;
    return LARDER_OK;
}

static int32_t show(struct top *top) {
    top->seconds = (double)(top->now.at_ms - top->before.at_ms) / 1000;
    top->seconds = top->seconds > 0.001 ? top->seconds : 0.001;
    if (!make_each(top)) {
        top->error = (struct larder_error){LARDER_NOMEM, "out of memory"};
        return LARDER_NOMEM;
    }
    remember_all(top);
    if (top->screen)
        draw(top);
    else if (top->cli->json)
        print_json(top);
    else
        print_line(top);
    return LARDER_OK;
}

/* true: it is time to look again; false: the end. */
static bool wait_for(struct top *top, int64_t until_ms) {
    char key = 0;
    while (top->screen) {
        enum screen_event event = screen_wait(top->screen, until_ms, &key);
        if (event == SCREEN_TIME)
            return true;
        if (event == SCREEN_END || (event == SCREEN_KEY && (key == 'q' || key == 'Q' || key == 3)))
            return false;
        if (event == SCREEN_RESIZED && top->all)
            draw(top);
    }
    int64_t left_ms = until_ms - clock_ms();
    struct timespec left = {.tv_sec = (time_t)(left_ms / 1000), .tv_nsec = (long)(left_ms % 1000) * 1000000};
    if (left_ms > 0)
        nanosleep(&left, NULL);
    return true;
}

/* From one look to the next; count 0: until somebody ends it. */
static int32_t watch(struct top *top, int64_t count) {
    int32_t status = LARDER_OK;
    int64_t due_ms = clock_ms() + (top->screen && top->interval_ms > FIRST_MS ? FIRST_MS : top->interval_ms);
    for (int64_t i = 0; status == LARDER_OK && (count == 0 || i < count); i++) {
        if (!wait_for(top, due_ms))
            break;
        due_ms = clock_ms() + top->interval_ms;
        status = look(top);
        if (status == LARDER_OK)
            status = show(top);
    }
    return status;
}

static int run(struct cli *cli) {
    struct screen screen;
    struct top top = {.cli = cli, .interval_ms = 1000};
    int64_t count = 0;
    int code = cli_number(cli, "interval", LARDER_P_MS, 100, 3600000, &top.interval_ms);
    if (code == CODE_DONE)
        code = cli_number(cli, "count", LARDER_P_INT, 1, INT64_C(1) << 40, &count);
    if (code == CODE_DONE)
        code = processes_prepare(cli);
    if (code != CODE_DONE)
        return code;
    int32_t status = look(&top);
    if (status == LARDER_OK && !cli->json && screen_enter(&screen))
        top.screen = &screen;
    if (status == LARDER_OK && top.now.processes.n == 0 && top.screen == NULL)
        code = processes_none(cli, &top.now.processes);
    else if (status == LARDER_OK)
        status = watch(&top, count);
    if (top.screen)
        screen_leave(&screen); /* and only now is there a place to complain */
    if (status != LARDER_OK)
        code = cli_failed(cli, status, "%s", top.error.text);
    forget_each(&top);
    processes_done(&top.before.processes);
    processes_done(&top.now.processes);
    return code;
}

static const struct option options[] = {
    {"interval", "TIME", "look again after this (1s)"},
    {"count", "N", "end after so many times"},
    {"namespace", "NAME", live_option_namespace},
    {NULL, NULL, NULL},
};

const struct command command_top = {
    .name = "top",
    .words = "[PID...]",
    .max_words = SIZE_MAX,
    .summary = "Watch running processes: hits, rates and latencies, each second",
    .help =
        "What happened in the last second in every process of this user on this machine that has a store\n"
        "open, and in all together: how many gets, how many of them were hits, how long they took; the\n"
        "last minute as lines; every kind of request, and every call of the drivers below.  What is in red\n"
        "wants to be looked at.  q quits.\n"
        "\n"
        "Where the output is no terminal it is a line for each interval, or a JSON object with --json.\n"
        "larder stats has all since the start; larder stats --help explains the words.\n"
        "\n"
        "Exit codes: 0; 1 no process was found, where there is no terminal to wait on; 2 the command line\n"
        "or the configuration is wrong; 3 the folder is not to be trusted.\n"
        "\n"
        "Examples:\n"
        "  larder top\n"
        "  larder top --interval 5s 4711\n"
        "  larder top --count 60 > minute.txt\n",
    .options = options,
    .run = run,
};
