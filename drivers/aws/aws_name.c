#include "aws_name.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "aws_job.h"
#include "aws_text.h"

/* The records of AWS live 5 to 60 seconds.  Older addresses serve while the new ones are looked up. */
static const uint64_t FRESH_NS = UINT64_C(30000000000), USABLE_NS = UINT64_C(600000000000);
/* A failure answers everybody who waits, and whoever comes within this. */
static const uint64_t FAILED_NS = UINT64_C(1000000000);
enum { MOST_ADDRESSES = 8 };

struct name {
    struct name *next;
    struct aws_names *all;
    char *name, *port;
    char *entry;        /* "+host:port:address,address"; NULL: never looked up with success */
    const char *reason; /* of the last failure; NULL: it went well */
    uint64_t at_ns;     /* when the last lookup ended; 0: do not trust it */
    bool told;          /* libcurl has this entry */
    struct aws_job *job;
};

struct aws_names {
    const struct larder_host *host;
    struct larder_home *home;
    larder_fn *changed;
    void *arg;
    struct name *first; /* few: services, metadata, proxies */
};

struct lookup {
    struct aws_job job;
    char *name, *port;
    struct aws_text entry;
    const char *reason;
};

/* ---- on the pool ------------------------------------------------------------------------------- */

static void add_address(struct aws_text *out, const struct sockaddr *address, bool first) {
    char text[INET6_ADDRSTRLEN];
    const bool v6 = address->sa_family == AF_INET6;
    const void *bytes = v6 ? (const void *)&((const struct sockaddr_in6 *)(const void *)address)->sin6_addr
                           : (const void *)&((const struct sockaddr_in *)(const void *)address)->sin_addr;
    if (!inet_ntop(address->sa_family, bytes, text, sizeof(text)))
        return;
    aws_text_adds(out, first ? "" : ",");
    aws_text_adds(out, v6 ? "[" : "");
    aws_text_adds(out, text);
    aws_text_adds(out, v6 ? "]" : "");
}

static void lookup_work(struct aws_job *job) {
    struct lookup *l = (struct lookup *)job;
    const struct addrinfo hints = {
        .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};
    struct addrinfo *found = NULL;
    const int failed = getaddrinfo(l->name, NULL, &hints, &found);
    if (failed) {
        l->reason = gai_strerror(failed);
        return;
    }
    int n = 0;
    aws_text_adds(&l->entry, "+");
    aws_text_adds(&l->entry, l->name);
    aws_text_adds(&l->entry, ":");
    aws_text_adds(&l->entry, l->port);
    aws_text_adds(&l->entry, ":");
    for (const struct addrinfo *a = found; a && n < MOST_ADDRESSES; a = a->ai_next)
        if (a->ai_family == AF_INET || a->ai_family == AF_INET6)
            add_address(&l->entry, a->ai_addr, n++ == 0);
    freeaddrinfo(found);
    if (n == 0)
        l->reason = "it has no address";
    else if (l->entry.failed)
        l->reason = "out of memory";
}

/* ---- on the I/O thread -------------------------------------------------------------------------- */

static void lookup_done(void *owner, struct aws_job *job) {
    struct name *name = owner;
    struct lookup *l = (struct lookup *)job;
    name->job = NULL;
    name->at_ns = name->all->host->now_ns();
    name->reason = l->reason;
    if (!l->reason && (!name->entry || strcmp(name->entry, l->entry.ptr) != 0)) {
        free(name->entry);
        name->entry = l->entry.ptr;
        name->told = false;
        l->entry = (struct aws_text){0};
    }
    name->all->changed(name->all->arg);
}

static void lookup_release(struct aws_job *job) {
    struct lookup *l = (struct lookup *)job;
    free(l->name);
    free(l->port);
    aws_text_done(&l->entry);
    free(l);
}

static bool start(struct name *name) {
    struct lookup *l = calloc(1, sizeof(*l));
    if (!l)
        return false;
    l->job = (struct aws_job){name, lookup_work, lookup_done, lookup_release};
    if (!aws_copy(&l->name, name->name) || !aws_copy(&l->port, name->port)) {
        lookup_release(&l->job);
        return false;
    }
    name->job = &l->job;
    if (aws_job_start(&l->job, name->all->host, name->all->home) == LARDER_OK)
        return true;
    name->job = NULL;
    return false;
}

static void name_free(struct name *name) {
    aws_job_drop(name->job);
    free(name->name);
    free(name->port);
    free(name->entry);
    free(name);
}

static struct name *find(struct aws_names *names, const char *wanted, const char *port) {
    for (struct name *name = names->first; name; name = name->next)
        if (strcasecmp(name->name, wanted) == 0 && strcmp(name->port, port) == 0)
            return name;
    struct name *name = calloc(1, sizeof(*name));
    if (!name)
        return NULL;
    name->all = names;
    if (!aws_copy(&name->name, wanted) || !aws_copy(&name->port, port)) {
        name_free(name);
        return NULL;
    }
    name->next = names->first;
    return names->first = name;
}

static bool is_plain(const char *name) {
    struct in_addr v4;
    return name[0] == '[' || strcasecmp(name, "localhost") == 0 || inet_pton(AF_INET, name, &v4) == 1;
}

enum aws_name_state aws_names_look(struct aws_names *names, const char *wanted, const char *port,
                                   const char **ret_entry) {
    *ret_entry = NULL;
    if (is_plain(wanted))
        return AWS_NAME_PLAIN;
    struct name *name = find(names, wanted, port);
    const uint64_t now_ns = names->host->now_ns();
    const uint64_t age_ns = name && name->at_ns ? now_ns - name->at_ns : UINT64_MAX;
    const bool due = age_ns > (name && name->reason ? FAILED_NS : FRESH_NS);
    if (!name || (due && !name->job && !start(name))) {
        *ret_entry = "out of memory";
        return AWS_NAME_FAILED;
    }
    /* A failed refresh leaves the addresses that worked before. */
    if (name->entry && name->at_ns && age_ns <= USABLE_NS) {
        *ret_entry = name->told ? NULL : name->entry;
        return AWS_NAME_READY;
    }
    if (name->job)
        return AWS_NAME_PENDING;
    *ret_entry = name->reason;
    return AWS_NAME_FAILED;
}

void aws_names_told(struct aws_names *names, const char *entry) {
    for (struct name *name = names->first; name; name = name->next)
        if (name->entry && strcmp(name->entry, entry) == 0)
            name->told = true;
}

void aws_names_doubt(struct aws_names *names, const char *wanted) {
    for (struct name *name = names->first; name; name = name->next)
        if (strcasecmp(name->name, wanted) == 0)
            name->at_ns = 0;
}

struct aws_names *aws_names_new(const struct larder_host *host, struct larder_home *home, larder_fn *changed,
                                void *arg) {
    struct aws_names *names = calloc(1, sizeof(*names));
    if (names)
        *names = (struct aws_names){.host = host, .home = home, .changed = changed, .arg = arg};
    return names;
}

void aws_names_free(struct aws_names *names) {
    while (names && names->first) {
        struct name *name = names->first;
        names->first = name->next;
        name_free(name);
    }
    free(names);
}
