#include "live.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"

enum { MOST_PROCESSES = 512, MOST_BYTES = 4 << 20, MOST_INSTANCES = 8, WAIT_MS = 1000 };

const char live_option_namespace[] = "only processes of this namespace";

/* ---- what one tells, into numbers --------------------------------------------------------------- */

/* A process of another version may tell less, and nobody has to believe what is no number. */
static int64_t number_of(const cJSON *object, const char *name) {
    double number = cJSON_GetNumberValue(cJSON_GetObjectItemCaseSensitive(object, name));
    return number >= 0 && number < 9e18 ? (int64_t)number : 0;
}

static const char *text_of(const cJSON *object, const char *name) {
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, name));
    return text ? text : "";
}

static void read_fields(const cJSON *object, const struct larder_field *fields, size_t n, void *counters) {
    for (size_t i = 0; i < n; i++) {
        int64_t number = number_of(object, fields[i].name);
        memcpy((uint8_t *)counters + fields[i].at, &number, sizeof number);
    }
}

static void read_histogram(const cJSON *object, struct larder_histogram *ret) {
    const cJSON *pair;
    ret->count = (uint64_t)number_of(object, "count");
    ret->sum_ns = (uint64_t)number_of(object, "sumNs");
    ret->max_ns = (uint64_t)number_of(object, "maxNs");
    cJSON_ArrayForEach(pair, cJSON_GetObjectItemCaseSensitive(object, "buckets")) {
        double bucket = cJSON_GetNumberValue(cJSON_GetArrayItem(pair, 0));
        double count = cJSON_GetNumberValue(cJSON_GetArrayItem(pair, 1));
        if (bucket >= 0 && bucket < LARDER_N_BUCKETS && count >= 0 && count < 9e18)
            ret->buckets[(size_t)bucket] = (uint64_t)count;
    }
}

static void read_op(const cJSON *object, struct larder_op_metrics *ret) {
    const cJSON *answers = cJSON_GetObjectItemCaseSensitive(object, "answers");
    for (uint32_t i = 0; i < LARDER_N_CLASSES; i++)
        ret->answers[i] = (uint64_t)number_of(answers, larder_status_name(LARDER_STATUS_OF(i)));
    ret->bytes_sent = (uint64_t)number_of(object, "bytesSent");
    ret->bytes_received = (uint64_t)number_of(object, "bytesReceived");
    ret->records = (uint64_t)number_of(object, "records");
    read_histogram(cJSON_GetObjectItemCaseSensitive(object, "latency"), &ret->latency);
}

static void read_instance(const cJSON *object, struct larder_instance_metrics *ret) {
    size_t n;
    const struct larder_field *fields = larder_instance_fields(&n);
    const cJSON *ops = cJSON_GetObjectItemCaseSensitive(object, "ops");
    ret->role = text_of(object, "role");
    ret->driver = text_of(object, "driver");
    read_fields(object, fields, n, ret);
    snprintf(ret->breaker.reason, sizeof ret->breaker.reason, "%s", text_of(object, "breakerReason"));
    for (uint32_t code = 1; code < LARDER_N_OPS; code++)
        read_op(cJSON_GetObjectItemCaseSensitive(ops, larder_op_name(code)), &ret->ops[code]);
}

static struct larder_metrics *read_metrics(const cJSON *json) {
    const cJSON *instances = cJSON_GetObjectItemCaseSensitive(json, "instances"), *instance;
    const cJSON *requests = cJSON_GetObjectItemCaseSensitive(json, "requests");
    size_t n;
    const struct larder_field *fields = larder_stats_fields(&n);
    if (!cJSON_IsString(cJSON_GetObjectItemCaseSensitive(json, "larder")) || !cJSON_IsArray(instances))
        return NULL;
    size_t n_instances = (size_t)cJSON_GetArraySize(instances);
    if (n_instances > MOST_INSTANCES)
        return NULL;
    struct larder_metrics *m = calloc(1, sizeof *m + n_instances * sizeof m->instances[0]);
    if (m == NULL)
        return NULL;
    m->instances = (struct larder_instance_metrics *)(m + 1);
    m->ns = text_of(json, "namespace");
    m->pid = number_of(json, "pid");
    m->up_ms = number_of(json, "upMs");
    read_fields(cJSON_GetObjectItemCaseSensitive(json, "stats"), fields, n, &m->stats);
    for (uint32_t i = 0; i < LARDER_N_TIMED; i++)
        read_histogram(cJSON_GetObjectItemCaseSensitive(requests, larder_timed_name(i)), &m->requests[i]);
    cJSON_ArrayForEach(instance, instances) {
        read_instance(instance, &m->instances[m->n_instances++]);
    }
    return m;
}

static void process_done(struct process *p) {
    larder_metrics_free(p->metrics);
    cJSON_Delete(p->json);
}

static bool process_init(struct process *p, const char *text) {
    *p = (struct process){.json = cJSON_Parse(text)};
    p->metrics = p->json ? read_metrics(p->json) : NULL;
    if (p->metrics)
        return true;
    process_done(p);
    return false;
}

/* ---- asking them ---------------------------------------------------------------------------------- */

struct asked { /* one that was asked, and what it has told so far */
    char *text;
    size_t len;
};

struct asking {
    struct pollfd fds[MOST_PROCESSES]; /* fd -1: it is over */
    struct asked asked[MOST_PROCESSES];
    size_t n, n_open;
};

static void ask(void *arg, int fd) {
    static const char question[] = "metrics\n";
    struct asking *asking = arg;
    const ssize_t len = sizeof question - 1;
    if (asking->n == MOST_PROCESSES || send(fd, question, (size_t)len, MSG_NOSIGNAL) != len) {
        close(fd);
        return;
    }
    asking->fds[asking->n++] = (struct pollfd){.fd = fd, .events = POLLIN};
    asking->n_open++;
}

static void end(struct asking *asking, size_t i) {
    close(asking->fds[i].fd);
    asking->fds[i].fd = -1;
    asking->n_open--;
}

static void drop(struct asking *asking, size_t i) {
    free(asking->asked[i].text);
    asking->asked[i].text = NULL;
    end(asking, i);
}

static void hear(struct asking *asking, size_t i) {
    char piece[65536];
    struct asked *asked = &asking->asked[i];
    ssize_t n = recv(asking->fds[i].fd, piece, sizeof piece, MSG_DONTWAIT);
    if (n == 0) {
        end(asking, i);
    } else if (n > 0) {
        char *grown = asked->len + (size_t)n < MOST_BYTES ? realloc(asked->text, asked->len + (size_t)n + 1)
                                                          : NULL;
        if (grown == NULL) {
            drop(asking, i);
            return;
        }
        memcpy(grown + asked->len, piece, (size_t)n);
        asked->text = grown;
        asked->len += (size_t)n;
        asked->text[asked->len] = '\0';
    } else if (errno != EAGAIN && errno != EINTR) {
        drop(asking, i);
    }
}

static void hear_all(struct asking *asking) {
    int64_t until_ms = clock_ms() + WAIT_MS, left_ms;
    while (asking->n_open > 0 && (left_ms = until_ms - clock_ms()) > 0) {
        if (poll(asking->fds, asking->n, (int)left_ms) <= 0)
            continue; /* a signal, or the time is up */
        for (size_t i = 0; i < asking->n; i++) {
            if (asking->fds[i].fd >= 0 && asking->fds[i].revents)
                hear(asking, i);
        }
    }
    for (size_t i = 0; i < asking->n; i++) {
        if (asking->fds[i].fd >= 0)
            drop(asking, i);
    }
}

/* ---- those that are wanted ---------------------------------------------------------------------- */

static bool is_wanted(const struct cli *cli, const struct larder_metrics *m) {
    const char *ns = args_value(&cli->args, "namespace");
    bool wanted = cli->args.n_words == 0;
    for (size_t i = 0; i < cli->args.n_words && !wanted; i++)
        wanted = strtoll(cli->args.words[i], NULL, 10) == m->pid;
    return wanted && (ns == NULL || strcmp(ns, m->ns) == 0);
}

int processes_prepare(struct cli *cli) {
    for (size_t i = 0; i < cli->args.n_words; i++) {
        const char *word = cli->args.words[i];
        if (*word == '\0' || strspn(word, "0123456789") != strlen(word))
            return cli_usage(cli, "'%s' is not the number of a process", word);
    }
    return cli_configure(cli);
}

static int compare(const void *left, const void *right) {
    const struct larder_metrics *a = ((const struct process *)left)->metrics;
    const struct larder_metrics *b = ((const struct process *)right)->metrics;
    int by_name = strcmp(a->ns, b->ns);
    if (by_name != 0)
        return by_name;
    return a->pid != b->pid ? (a->pid > b->pid ? 1 : -1) : (a->up_ms < b->up_ms) - (a->up_ms > b->up_ms);
}

static int32_t collect(const struct cli *cli, const struct asking *asking, struct processes *ret) {
    *ret = (struct processes){.list = calloc(asking->n + 1, sizeof *ret->list)};
    if (ret->list == NULL)
        return LARDER_NOMEM;
    for (size_t i = 0; i < asking->n; i++) {
        struct process *p = &ret->list[ret->n];
        const char *text = asking->asked[i].text;
        if (text == NULL || !process_init(p, text)) {
            ret->n_silent++;
        } else if (is_wanted(cli, p->metrics)) {
            ret->n++;
        } else {
            process_done(p);
            ret->n_others++;
        }
    }
    qsort(ret->list, ret->n, sizeof *ret->list, compare);
    return LARDER_OK;
}

int32_t processes_read(struct cli *cli, struct processes *ret, struct larder_error *error) {
    struct asking *asking = calloc(1, sizeof *asking);
    *error = (struct larder_error){LARDER_NOMEM, "out of memory"};
    if (asking == NULL)
        return LARDER_NOMEM;
    int32_t status = larder_live_each(cli->config, ask, asking, error);
    if (status == LARDER_OK || status == LARDER_MISS) { /* no folder, nobody in it */
        hear_all(asking);
        status = collect(cli, asking, ret);
    }
    for (size_t i = 0; i < asking->n; i++)
        free(asking->asked[i].text);
    free(asking);
    return status;
}

void processes_done(struct processes *processes) {
    for (size_t i = 0; i < processes->n; i++)
        process_done(&processes->list[i]);
    free(processes->list);
    *processes = (struct processes){0};
}

int processes_none(struct cli *cli, const struct processes *processes) {
    struct larder_error error;
    char *folder = NULL;
    int32_t status = larder_live_folder(cli->config, &folder, &error);
    if (status != LARDER_OK)
        return cli_failed(cli, status, "%s", error.text);
    if (processes->n_others > 0)
        cli_failed(cli, LARDER_MISS, "no such process is among the %zu that tell of themselves in %s",
                   processes->n_others, folder);
    else if (processes->n_silent > 0)
        cli_failed(cli, LARDER_MISS, "%zu that should tell of themselves in %s did not", processes->n_silent,
                   folder);
    else
        cli_failed(cli, LARDER_MISS, "no process is running that tells of itself in %s", folder);
    free(folder);
    fputs(
        "A process shows a second after its first request, to the user that it runs as, unless its setting\n"
        "live is off.  For another folder: --set live=FOLDER; root names that of the other user.\n",
        stderr);
    return CODE_NEGATIVE;
}
