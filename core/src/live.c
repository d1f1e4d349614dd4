#include "live.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bytes.h"
#include "live_folder.h"
#include "log.h"
#include "store.h"

static const uint64_t MS = 1000000u;
enum { BACKLOG = 16 };

/* ---- who asks --------------------------------------------------------------------- */

static void listen_again(struct live *live) {
    if (live->watch != NULL)
        (void)watch_set(live->watch, LARDER_READ);
}

static void client_end(struct live_client *c) {
    if (c->watch == NULL)
        return;
    timer_done(&c->timer);
    c->watch = watch_free(c->watch);
    close(c->fd);
    free(c->answer);
    c->answer = NULL;
    listen_again(c->live);
}

static void client_late(void *arg) {
    client_end(arg);
}

static void client_send(struct live_client *c) {
    ssize_t n = send(c->fd, c->answer + c->n_sent, c->n_answer - c->n_sent, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n > 0)
        c->n_sent += (size_t)n;
    bool full = n < 0 && (errno == EAGAIN || errno == EINTR);
    if (c->n_sent == c->n_answer || (n < 0 && !full) || watch_set(c->watch, LARDER_WRITE) != LARDER_OK)
        client_end(c);
}

static char *tell(struct larder_store *store) {
    struct larder_metrics *metrics = larder_metrics(store);
    char *json = metrics != NULL ? larder_metrics_json(metrics) : NULL;
    larder_metrics_free(metrics);
    return json;
}

static void client_read(struct live_client *c) {
    static const char question[] = "metrics";
    ssize_t n = recv(c->fd, c->line + c->n_line, LIVE_LINE - c->n_line, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    const char *end = n > 0 ? memchr(c->line + c->n_line, '\n', (size_t)n) : NULL;
    c->n_line += n > 0 ? (size_t)n : 0;
    if (n > 0 && end == NULL && c->n_line < LIVE_LINE)
        return;
    bool known = end != NULL && (size_t)(end - c->line) == sizeof(question) - 1 &&
                 memcmp(c->line, question, sizeof(question) - 1) == 0;
    c->answer = known ? tell(c->live->store) : NULL;
    if (c->answer == NULL) {
        client_end(c);
        return;
    }
    c->n_answer = strlen(c->answer);
    client_send(c);
}

static void client_ready(void *arg, int fd, uint32_t events) {
    struct live_client *c = arg;
    (void)fd;
    (void)events;
    if (c->answer != NULL)
        client_send(c);
    else
        client_read(c);
}

static struct live_client *free_place(struct live *live) {
    for (size_t i = 0; i < LIVE_CLIENTS; i++)
        if (live->clients[i].watch == NULL)
            return &live->clients[i];
    return NULL;
}

static void client_begin(struct live *live, struct live_client *c, int fd) {
    struct reactor *r = live->store->reactor;
    *c = (struct live_client){.live = live, .fd = fd};
    timer_init(&c->timer, r, client_late, c);
    c->watch = watch_new(r, fd, LARDER_READ, client_ready, c);
    if (c->watch == NULL)
        close(fd);
    else if (timer_set(&c->timer, reactor_now_ns(r) + LIVE_CLIENT_MS * MS) != LARDER_OK)
        client_end(c);
}

/* ---- the socket --------------------------------------------------------------------- */

/* One a turn: what else is due comes between. */
static void let_in(void *arg, int fd, uint32_t events) {
    struct live *live = arg;
    struct reactor *r = live->store->reactor;
    (void)events;
    struct live_client *place = free_place(live);
    int client = place != NULL ? accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK) : -1;
    if (client >= 0) {
        client_begin(live, place, client);
    } else if (place == NULL) {
        (void)watch_set(live->watch, 0); /* until a client ends */
    } else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
        (void)watch_set(live->watch, 0); /* it would be told of again and again */
        (void)timer_set(&live->timer, reactor_now_ns(r) + LIVE_DELAY_MS * MS);
    }
}

/* The socket under a name that nobody looks for, then, once it is listened on, under its own. */
static bool listen_at(int fd, int folder_fd, const char *hidden, const char *name) {
    struct sockaddr_un address = live_folder_address(folder_fd, hidden);
    /* Before bind(), which takes the mode over: there is no moment in which others may connect. */
    if (fchmod(fd, 0600) != 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0)
        return false;
    if (listen(fd, BACKLOG) == 0 && renameat(folder_fd, hidden, folder_fd, name) == 0)
        return true;
    int cause = errno;
    unlinkat(folder_fd, hidden, 0);
    errno = cause;
    return false;
}

/* With a random part in its name: a number of a process may be used again, and the processes of two
 * containers that share a folder may have the same. */
static bool make_socket(struct live *live, const char *folder, int folder_fd) {
    uint32_t random;
    char hidden[64], name[64];
    if (getrandom(&random, sizeof(random), 0) != (ssize_t)sizeof(random))
        return false;
    snprintf(hidden, sizeof(hidden), "%ld-%08" PRIx32 ".new", (long)getpid(), random);
    snprintf(name, sizeof(name), "%ld-%08" PRIx32 ".sock", (long)getpid(), random);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return false;
    char *path = NULL;
    if (asprintf(&path, "%s/%s", folder, name) < 0)
        path = NULL; /* it is not defined then */
    if (path != NULL && listen_at(fd, folder_fd, hidden, name)) {
        live->watch = watch_new(live->store->reactor, fd, LARDER_READ, let_in, live);
        if (live->watch != NULL) {
            watch_be_patient(live->watch);
            live->fd = fd;
            live->path = path;
            return true;
        }
        unlinkat(folder_fd, name, 0);
    }
    int cause = errno;
    free(path);
    close(fd);
    errno = cause;
    return false;
}

/* A folder that somebody named and that cannot be used is worth a warning; the default is not. */
static void say_failed(const char *setting, const char *text) {
    bool named = strcmp(setting, "auto") != 0;
    log_line(named ? LARDER_LOG_WARN : LARDER_LOG_DEBUG, "live: %s; larder stats will not see this process",
             text);
}

static void open_socket(struct live *live) {
    const char *setting = live->store->settings->live;
    struct larder_error error = {LARDER_NOMEM, "out of memory"};
    int folder_fd;
    char why[64], *folder = live_folder_path(setting);
    if (folder == NULL || live_folder_open(folder, true, &folder_fd, &error) != LARDER_OK) {
        say_failed(setting, error.text);
    } else {
        live_folder_each(folder_fd, LIVE_LEFTOVERS, NULL, NULL);
        if (!make_socket(live, folder, folder_fd)) {
            snprintf(error.text, sizeof(error.text), "folder '%s': %s", folder,
                     strerror_r(errno, why, sizeof(why)));
            say_failed(setting, error.text);
        }
        close(folder_fd);
    }
    free(folder);
}

static void due(void *arg) {
    struct live *live = arg;
    if (live->path == NULL)
        open_socket(live);
    else
        listen_again(live);
}

void live_init(struct live *live, struct larder_store *store) {
    *live = (struct live){.store = store, .fd = -1};
    timer_init(&live->timer, store->reactor, due, live);
    if (strcmp(store->settings->live, "off") != 0)
        (void)timer_set(&live->timer, reactor_now_ns(store->reactor) + LIVE_DELAY_MS * MS);
}

void live_done(struct live *live) {
    if (live->store == NULL)
        return;
    timer_done(&live->timer);
    live->watch = watch_free(live->watch);
    for (size_t i = 0; i < LIVE_CLIENTS; i++)
        client_end(&live->clients[i]);
    if (live->path != NULL) {
        unlink(live->path);
        close(live->fd);
    }
    free(live->path);
    *live = (struct live){0};
}
