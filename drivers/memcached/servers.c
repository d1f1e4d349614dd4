#include "servers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "larder/driver.h"

/* A decimal number of at most `most` in [p, end), without a sign; 0: it is none. */
static uint32_t number(const char *p, const char *end, uint32_t most) {
    uint32_t n = 0;
    if (p == end || end - p > 5)
        return 0;
    for (; p < end; p++) {
        if (*p < '0' || *p > '9')
            return 0;
        n = n * 10 + (uint32_t)(*p - '0');
    }
    return n <= most ? n : 0;
}

static const char *last(const char *p, const char *end, char c) {
    const char *found = NULL;
    for (; p < end; p++)
        found = *p == c ? p : found;
    return found;
}

/* What libmemcached and a line of text can take. */
static bool plain(const char *p, const char *end) {
    for (; p < end; p++)
        if (*p <= ' ' || *p == 0x7f)
            return false;
    return true;
}

static bool set_host(struct mc_address *a, const char *p, const char *end) {
    size_t len = (size_t)(end - p);
    if (len == 0 || len >= sizeof(a->host) || !plain(p, end))
        return false;
    memcpy(a->host, p, len);
    a->host[len] = 0;
    return true;
}

/* "/path" or "/path:weight".  Digits behind the last colon are a weight. */
static bool parse_socket(const char *p, const char *end, struct mc_address *a) {
    enum { LONGEST = 107 }; /* sun_path */
    const char *colon = last(p, end, ':');
    uint32_t weight = colon ? number(colon + 1, end, UINT16_MAX) : 0;
    if (weight > 0) {
        a->weight = weight;
        end = colon;
    }
    return end - p <= LONGEST && set_host(a, p, end);
}

/* "host", "host:port", "host:port:weight"; host may be "[v6]". */
static bool parse_host(const char *p, const char *end, struct mc_address *a) {
    const char *host_end = memchr(p, ':', (size_t)(end - p)), *rest;
    a->port = MC_PORT;
    if (*p == '[') {
        const char *close = memchr(p, ']', (size_t)(end - p));
        if (!close || (close + 1 != end && close[1] != ':'))
            return false;
        p++;
        host_end = close;
        rest = close + 1;
    } else {
        host_end = host_end ? host_end : end;
        rest = host_end;
    }
    if (rest < end) {
        const char *port = rest + 1, *colon = memchr(port, ':', (size_t)(end - port));
        uint32_t n = number(port, colon ? colon : end, UINT16_MAX);
        uint32_t weight = colon ? number(colon + 1, end, UINT16_MAX) : 1;
        if (n == 0 || weight == 0)
            return false;
        a->port = (uint16_t)n;
        a->weight = weight;
    }
    /* A slash would make a path of it further down. */
    return !memchr(p, '/', (size_t)(host_end - p)) && set_host(a, p, host_end);
}

static int compare(const void *left, const void *right) {
    const struct mc_address *a = left, *b = right;
    int by_host = strcmp(a->host, b->host);
    if (by_host != 0)
        return by_host;
    return a->port < b->port ? -1 : a->port > b->port;
}

static void show(struct mc_address *a) {
    if (a->port == 0)
        snprintf(a->shown, sizeof(a->shown), "%.79s", a->host);
    else if (strchr(a->host, ':'))
        snprintf(a->shown, sizeof(a->shown), "[%.60s]:%u", a->host, a->port);
    else
        snprintf(a->shown, sizeof(a->shown), "%.60s:%u", a->host, a->port);
}

static bool parse_one(const char *p, const char *end, struct mc_address *a) {
    *a = (struct mc_address){.weight = 1};
    if (p == end || !(*p == '/' ? parse_socket(p, end, a) : parse_host(p, end, a)))
        return false;
    show(a);
    return true;
}

/* Behind "memcached://" or "memcached:"; a plain list stays as it is. */
static const char *list_of(const char *url) {
    static const char scheme[] = "memcached:";
    if (strncmp(url, scheme, sizeof(scheme) - 1) == 0)
        url += sizeof(scheme) - 1;
    return strncmp(url, "//", 2) == 0 ? url + 2 : url;
}

static int32_t refuse(char *error, size_t size, const char *why) {
    snprintf(error, size, "%s; as in memcached://a:11211,b:11211:2 or memcached:///run/memcached.sock", why);
    return LARDER_INVALID;
}

int32_t mc_list_parse(const char *url, struct mc_list *ret, char *error, size_t size) {
    const char *p = list_of(url);
    size_t n = 1;
    *ret = (struct mc_list){0};
    if (strchr(p, '@')) /* not shown: a password may be in it */
        return refuse(error, size, "the url names a user: use the settings username and password");
    for (const char *c = p; *c; c++)
        n += *c == ',';
    if (n > MC_MAX_SERVERS)
        return refuse(error, size, "the url names more than 100 servers");
    struct mc_address *servers = calloc(n, sizeof(*servers));
    if (!servers) {
        snprintf(error, size, "out of memory");
        return LARDER_NOMEM;
    }
    for (size_t i = 0; i < n; i++) {
        const char *end = p + strcspn(p, ",");
        /* NOLINTNEXTLINE(clang-analyzer-security.ArrayBound): n is the number of commas, and one */
        if (!parse_one(p, end, &servers[i])) {
            free(servers);
            char why[128];
            snprintf(why, sizeof(why), "the url's server %zu of %zu cannot be read", i + 1, n);
            return refuse(error, size, why);
        }
        p = *end ? end + 1 : end;
    }
    qsort(servers, n, sizeof(*servers), compare);
    for (size_t i = 1; i < n; i++)
        if (compare(&servers[i - 1], &servers[i]) == 0) {
            free(servers);
            return refuse(error, size, "the url names a server twice: give it a weight");
        }
    *ret = (struct mc_list){n, servers};
    return LARDER_OK;
}

void mc_list_done(struct mc_list *list) {
    free(list->servers);
    *list = (struct mc_list){0};
}

uint64_t mc_list_print(const struct mc_list *list, const char *prefix) {
    uint64_t print = XXH3_64bits(prefix, strlen(prefix));
    for (size_t i = 0; i < list->n; i++) {
        const struct mc_address *a = &list->servers[i];
        char line[MC_HOST + 32];
        int len = snprintf(line, sizeof(line), "%s %u %u\n", a->host, a->port, a->weight);
        print = XXH3_64bits_withSeed(line, (size_t)len, print);
    }
    return print;
}
