#include "log_lines.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client.h"

enum { MOST_LINES = 32, LOG_LINES = -2 /* what deliver() is told instead of a count */ };

struct log_line {
    struct log_line *next;
    int32_t level;
    char text[];
};

static struct {
    pthread_mutex_t lock;
    struct client *newest, *chosen;
} members = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* ---- from the core, on any thread ----------------------------------------------------- */

static struct client *receiver(void) {
    struct client *found = members.chosen;
    for (struct client *client = members.newest; client && !members.chosen; client = client->log.older) {
        found = client; /* the oldest */
        if (client->log.is_main)
            break;
    }
    return found;
}

static struct log_line *line_new(int32_t level, const char *text) {
    size_t size = strlen(text) + 1;
    struct log_line *line = malloc(sizeof(*line) + size);
    if (!line)
        return NULL;
    *line = (struct log_line){.level = level};
    memcpy(line->text, text, size);
    return line;
}

static void add(struct client *client, int32_t level, const char *text) {
    struct log_lines *lines = &client->log_lines;
    pthread_mutex_lock(&client->lock);
    struct log_line *line = lines->n < MOST_LINES ? line_new(level, text) : NULL;
    if (line) {
        *lines->last = line;
        lines->last = &line->next;
        if (lines->n++ == 0)
            client_wake(client);
    } else {
        lines->n_dropped++;
    }
    pthread_mutex_unlock(&client->lock);
}

static void hear(void *arg, int32_t level, const char *text) {
    (void)arg;
    pthread_mutex_lock(&members.lock);
    struct client *client = receiver();
    if (client)
        add(client, level, text);
    pthread_mutex_unlock(&members.lock);
}

/* ---- who hears it ------------------------------------------------------------------------ */

static void listen_to_core(void) {
    larder_set_log(hear, NULL);
}

void log_lines_join(struct client *client) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_mutex_lock(&members.lock);
    client->log = (struct log_member){members.newest, true, gettid() == getpid()};
    members.newest = client;
    pthread_mutex_unlock(&members.lock);
    pthread_once(&once, listen_to_core);
}

void log_lines_leave(struct client *client) {
    pthread_mutex_lock(&members.lock);
    struct client **at = &members.newest;
    while (client->log.is_in && *at != client)
        at = &(*at)->log.older;
    if (client->log.is_in)
        *at = client->log.older;
    client->log.is_in = false;
    if (members.chosen == client)
        members.chosen = NULL;
    pthread_mutex_unlock(&members.lock);
}

void log_lines_choose(struct client *client, bool chosen) {
    pthread_mutex_lock(&members.lock);
    if (chosen && client->log.is_in)
        members.chosen = client;
    else if (members.chosen == client)
        members.chosen = NULL;
    pthread_mutex_unlock(&members.lock);
}

/* ---- to JavaScript ------------------------------------------------------------------------- */

static struct log_lines take(struct client *client) {
    struct log_lines *lines = &client->log_lines;
    pthread_mutex_lock(&client->lock);
    struct log_lines taken = *lines;
    *lines = (struct log_lines){.last = &lines->first};
    pthread_mutex_unlock(&client->lock);
    return taken;
}

static void lines_free(struct log_line *line) {
    while (line) {
        struct log_line *next = line->next;
        free(line);
        line = next;
    }
}

void log_lines_drop(struct client *client) {
    lines_free(take(client).first);
}

/* The arguments of js_deliver; how many, or 0 where one cannot be made. */
static size_t arguments(napi_env env, const struct log_lines *lines, napi_value *values) {
    size_t n = 2;
    if (napi_create_int32(env, LOG_LINES, &values[0]) != napi_ok ||
        napi_create_double(env, (double)lines->n_dropped, &values[1]) != napi_ok)
        return 0;
    for (const struct log_line *line = lines->first; line; line = line->next, n += 2) {
        const char *level = larder_log_level_name(line->level);
        if (napi_create_string_latin1(env, level ? level : "debug", NAPI_AUTO_LENGTH, &values[n]) !=
                napi_ok ||
            napi_create_string_utf8(env, line->text, NAPI_AUTO_LENGTH, &values[n + 1]) != napi_ok)
            return 0;
    }
    return n;
}

void log_lines_deliver(struct client *client, napi_value js_deliver) {
    napi_env env = client->env;
    napi_value values[2 + 2 * MOST_LINES], undefined, result;
    napi_handle_scope scope;
    struct log_lines lines = take(client);
    if (lines.n > 0 && napi_open_handle_scope(env, &scope) == napi_ok) {
        size_t n = arguments(env, &lines, values);
        /* It does not throw; while an environment ends, all of this fails, and nobody is there. */
        if (n > 0 && napi_get_undefined(env, &undefined) == napi_ok)
            (void)napi_call_function(env, undefined, js_deliver, n, values, &result);
        (void)napi_close_handle_scope(env, scope);
    }
    lines_free(lines.first);
}
