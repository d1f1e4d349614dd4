/*
 * A server for skeleton.c to talk to: entries in memory, a thread per connection.
 *
 *     skeleton-server SOCKET              serves until it is ended
 *     skeleton-server -- COMMAND [ARG..]  serves while COMMAND runs, and ends as it does; `@` in an
 *                                         argument stands for the socket
 */
#include <larder/driver.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "wire.h"

enum { BUCKETS = 1 << 14 };

struct entry {
    struct entry *next;
    struct reply head; /* as it goes out */
    uint8_t *key, *value;
    uint64_t key_len;
};

static struct {
    pthread_mutex_t lock;
    struct entry *buckets[BUCKETS];
} store = {.lock = PTHREAD_MUTEX_INITIALIZER};

static struct entry **find(const uint8_t *key, uint64_t len) {
    uint64_t hash = 14695981039346656037u; /* FNV-1a */
    for (uint64_t i = 0; i < len; i++)
        hash = (hash ^ key[i]) * 1099511628211u;
    struct entry **at = &store.buckets[hash % BUCKETS];
    while (*at && ((*at)->key_len != len || memcmp((*at)->key, key, len) != 0))
        at = &(*at)->next;
    return at;
}

static void entry_free(struct entry *e) {
    free(e->key);
    free(e->value);
    free(e);
}

static void take_out(struct entry **at) {
    struct entry *e = *at;
    *at = e->next;
    entry_free(e);
}

static int read_all(int fd, void *to, size_t len) {
    for (size_t at = 0; at < len;) {
        ssize_t n = recv(fd, (uint8_t *)to + at, len - at, 0);
        if (n <= 0)
            return 0;
        at += (size_t)n;
    }
    return 1;
}

static int write_all(int fd, const void *from, size_t len) {
    for (size_t at = 0; at < len;) {
        ssize_t n = send(fd, (const uint8_t *)from + at, len - at, MSG_NOSIGNAL);
        if (n <= 0)
            return 0;
        at += (size_t)n;
    }
    return 1;
}

/* Takes e over.  *ret_value is malloc()ed, or NULL. */
static struct reply serve(uint64_t verb, struct entry *e, uint8_t **ret_value) {
    struct reply reply = {.status = LARDER_OK};
    pthread_mutex_lock(&store.lock);
    struct entry **at = find(e->key, e->key_len);
    if (verb == VERB_GET && *at)
        reply = (*at)->head;
    if ((verb == VERB_GET && !*at) || (verb == VERB_PUT_IF_ABSENT && *at))
        reply.status = LARDER_MISS;
    if (reply.value_len > 0 && (*ret_value = malloc(reply.value_len)))
        memcpy(*ret_value, (*at)->value, reply.value_len);
    if (*at && (verb == VERB_PUT || verb == VERB_REMOVE))
        take_out(at);
    if (verb == VERB_PUT || (verb == VERB_PUT_IF_ABSENT && reply.status == LARDER_OK)) {
        at = find(e->key, e->key_len);
        *at = e;
        e = NULL;
    }
    pthread_mutex_unlock(&store.lock);
    if (e)
        entry_free(e);
    return reply;
}

static void *on_connection(void *arg) {
    const int fd = (int)(intptr_t)arg;
    struct request r;
    int ok = 1;
    while (ok && read_all(fd, &r, sizeof(r)) && r.key_len <= LARGEST_KEY && r.value_len <= LARGEST_VALUE) {
        uint8_t *value = NULL;
        struct entry *e = calloc(1, sizeof(*e));
        if (!e)
            break;
        e->key = malloc(r.key_len + 1);
        e->value = malloc(r.value_len + 1);
        e->key_len = r.key_len;
        e->head = (struct reply){LARDER_OK, r.value_len, r.modified_ms, r.epoch};
        if (!e->key || !e->value || !read_all(fd, e->key, r.key_len) ||
            !read_all(fd, e->value, r.value_len)) {
            entry_free(e);
            break;
        }
        struct reply reply = serve(r.verb, e, &value);
        ok = (reply.value_len == 0 || value) && write_all(fd, &reply, sizeof(reply)) &&
             write_all(fd, value, reply.value_len);
        free(value);
    }
    close(fd);
    return NULL;
}

static void *accept_all(void *arg) {
    const int listener = (int)(intptr_t)arg;
    for (;;) {
        const int fd = accept(listener, NULL, NULL);
        pthread_t thread;
        if (fd >= 0 && pthread_create(&thread, NULL, on_connection, (void *)(intptr_t)fd) == 0)
            pthread_detach(thread);
        else if (fd >= 0)
            close(fd);
    }
    return NULL;
}

static int listen_at(const char *path) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 ||
        snprintf(address.sun_path, sizeof(address.sun_path), "%s", path) >= (int)sizeof(address.sun_path) ||
        bind(fd, (const struct sockaddr *)&address, sizeof(address)) != 0 || listen(fd, 512) != 0)
        return -1;
    return fd;
}

/* argument with `@` replaced; malloc()ed */
static char *with_socket(const char *argument, const char *path) {
    const char *at = strchr(argument, '@');
    const size_t size = strlen(argument) + strlen(path) + 1;
    char *out = malloc(size);
    if (out && at)
        snprintf(out, size, "%.*s%s%s", (int)(at - argument), argument, path, at + 1);
    else if (out)
        snprintf(out, size, "%s", argument);
    return out;
}

static int run_command(char **argv, const char *path) {
    int status = 0;
    const pid_t pid = fork();
    if (pid == 0) {
        for (char **arg = argv; *arg; arg++)
            *arg = with_socket(*arg, path);
        execvp(argv[0], argv);
        _exit(127);
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        return 2;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 2;
}

int main(int argc, char **argv) {
    char folder[] = "/tmp/skeleton-XXXXXX", path[64];
    const int with_command = argc >= 3 && strcmp(argv[1], "--") == 0;
    if (argc != 2 && !with_command)
        return 2;
    if (with_command && !mkdtemp(folder))
        return 2;
    snprintf(path, sizeof(path), "%s/socket", folder);
    const int listener = listen_at(with_command ? path : argv[1]);
    if (listener < 0) {
        perror("skeleton-server");
        return 2;
    }
    if (!with_command)
        accept_all((void *)(intptr_t)listener);

    int status = 2;
    pthread_t thread;
    if (pthread_create(&thread, NULL, accept_all, (void *)(intptr_t)listener) == 0)
        status = run_command(argv + 2, path);
    unlink(path);
    rmdir(folder);
    return status;
}
