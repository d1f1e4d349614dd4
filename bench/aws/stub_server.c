/* HTTP as far as a benchmark needs it: a thread per connection, one answer for everything. */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "contender.h"

static pid_t server;
static char answer[BODY + 256];
static size_t answer_len;

static void *serve(void *arg) {
    const int fd = (int)(intptr_t)arg;
    char in[16384];
    size_t len = 0;
    for (;;) {
        const ssize_t n = read(fd, in + len, sizeof(in) - 1 - len);
        if (n <= 0)
            break;
        len += (size_t)n;
        in[len] = '\0';
        const char *end = strstr(in, "\r\n\r\n"), *told = strcasestr(in, "content-length:");
        const size_t body = told ? strtoul(told + 15, NULL, 10) : 0;
        if (!end || len < (size_t)(end - in) + 4 + body)
            continue;
        len = 0;
        if (write(fd, answer, answer_len) != (ssize_t)answer_len)
            break;
    }
    close(fd);
    return NULL;
}

static void accept_all(int listener) {
    for (;;) {
        const int fd = accept(listener, NULL, NULL), one = 1;
        pthread_t thread;
        if (fd < 0)
            continue;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        if (pthread_create(&thread, NULL, serve, (void *)(intptr_t)fd) == 0)
            pthread_detach(thread);
    }
}

int stub_server_start(void) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    must(listener >= 0 && bind(listener, (struct sockaddr *)&address, sizeof(address)) == 0 &&
             listen(listener, 128) == 0 && getsockname(listener, (struct sockaddr *)&address, &len) == 0,
         "listen");
    answer_len = (size_t)snprintf(
        answer, sizeof(answer),
        "HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.0\r\nContent-Length: %d\r\n\r\n%0*d", BODY,
        BODY, 0);
    server = fork();
    must(server >= 0, "fork");
    if (server == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        accept_all(listener);
    }
    close(listener);
    return ntohs(address.sin_port);
}

void stub_server_stop(void) {
    kill(server, SIGTERM);
    waitpid(server, NULL, 0);
}
