/* The setting `url`. */
#include "url.h"

#include <stdio.h>
#include <string.h>

struct reader {
    struct rds_url *url;
    size_t used; /* of url->text */
    char *error;
    size_t error_size;
};

static bool wrong(struct reader *r, const char *why) {
    snprintf(r->error, r->error_size, "url: %s", why);
    return false;
}

static int hex(char c) {
    static const char digits[] = "0123456789abcdef";
    const char lower = c >= 'A' && c <= 'F' ? (char)(c - 'A' + 'a') : c;
    const char *at = lower != '\0' ? strchr(digits, lower) : NULL;
    return at ? (int)(at - digits) : -1;
}

/* A part of the URL as a text of its own.  There is room: no part is longer than it is in the URL, and each has
 * one sign behind or before it there. */
static const char *keep(struct reader *r, const char *from, size_t len) {
    char *to = r->url->text + r->used;
    memcpy(to, from, len);
    to[len] = '\0';
    r->used += len + 1;
    return to;
}

static bool decode(struct reader *r, const char *from, size_t len, const char **ret) {
    char *to = r->url->text + r->used;
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        to[n] = from[i];
        if (from[i] == '%') {
            const int high = i + 2 < len ? hex(from[i + 1]) : -1;
            const int low = high >= 0 ? hex(from[i + 2]) : -1;
            if (low < 0 || (high == 0 && low == 0))
                return wrong(r, "a % is not followed by two hex digits (a % itself is written %25)");
            to[n] = (char)(high * 16 + low);
            i += 2;
        }
        n++;
    }
    to[n] = '\0';
    r->used += n + 1;
    *ret = to;
    return true;
}

/* USER:PASSWORD, USER alone, or :PASSWORD */
static bool read_login(struct reader *r, const char *from, size_t len) {
    const char *colon = memchr(from, ':', len);
    const size_t user_len = colon ? (size_t)(colon - from) : len;
    if (user_len > 0 && !decode(r, from, user_len, &r->url->user))
        return false;
    return !colon || colon + 1 == from + len || decode(r, colon + 1, len - user_len - 1, &r->url->password);
}

static bool is_port(const char *text, size_t len) {
    unsigned long n = 0;
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        n = n * 10 + (unsigned)(text[i] - '0');
        if (n > 65535)
            return false;
    }
    return n > 0;
}

static bool read_host(struct reader *r, const char *from, size_t len) {
    struct rds_url *url = r->url;
    const char *end = from + len, *host = from, *host_end, *port;
    if (url->n_hosts == RDS_MAX_HOSTS)
        return wrong(r, "more than 32 hosts");
    if (len > 0 && from[0] == '[') {
        host++;
        host_end = memchr(host, ']', len - 1);
        if (!host_end)
            return wrong(r, "a [ without its ]");
        port = host_end + 1;
        if (port < end && *port != ':')
            return wrong(r, "what stands behind ] is no port");
    } else {
        port = memchr(from, ':', len);
        port = port ? port : end;
        host_end = port;
    }
    if (host_end == host)
        return wrong(r, "there is no host");
    if (port < end && !is_port(port + 1, (size_t)(end - port - 1)))
        return wrong(r, "a port is a number from 1 to 65535");
    struct rds_host_port *to = &url->hosts[url->n_hosts++];
    to->host = keep(r, host, (size_t)(host_end - host));
    if (port < end)
        to->port = keep(r, port + 1, (size_t)(end - port - 1));
    else
        to->port = url->mode == RDS_SENTINEL ? "26379" : "6379";
    return true;
}

static bool read_hosts(struct reader *r, const char *from, size_t len) {
    const char *end = from + len;
    for (const char *at = from;;) {
        const char *comma = memchr(at, ',', (size_t)(end - at));
        if (!read_host(r, at, (size_t)((comma ? comma : end) - at)))
            return false;
        if (!comma)
            return r->url->mode != RDS_ONE || r->url->n_hosts == 1 ||
                   wrong(r,
                         "several hosts are a cluster (redis+cluster://) or sentinels (redis+sentinel://)");
        at = comma + 1;
    }
}

static bool read_db(struct reader *r, const char *text) {
    if (text[0] == '\0')
        return true;
    int64_t n = 0;
    for (const char *at = text; *at != '\0'; at++) {
        if (*at < '0' || *at > '9' || n > 99999)
            return wrong(r, "the database is a number");
        n = n * 10 + (*at - '0');
    }
    if (r->url->mode == RDS_CLUSTER && n > 0)
        return wrong(r, "a cluster has no databases but 0");
    r->url->db = n;
    return true;
}

/* What stands behind the hosts, with its slash. */
static bool read_end(struct reader *r, const char *path) {
    if (r->url->mode != RDS_SENTINEL)
        return read_db(r, path[0] == '/' ? path + 1 : path);
    const char *name = path[0] == '/' ? path + 1 : path;
    const size_t len = strcspn(name, "/");
    if (len == 0)
        return wrong(r, "the name of the master is missing: redis+sentinel://HOST,HOST/NAME");
    return decode(r, name, len, &r->url->master) &&
           read_db(r, name[len] == '/' ? name + len + 1 : name + len);
}

static const struct scheme {
    const char *name;
    enum rds_mode mode;
    bool tls, is_path;
} schemes[] = {
    {"redis://", RDS_ONE, false, false},
    {"rediss://", RDS_ONE, true, false},
    {"unix://", RDS_ONE, false, true},
    {"redis+unix://", RDS_ONE, false, true},
    {"redis+cluster://", RDS_CLUSTER, false, false},
    {"rediss+cluster://", RDS_CLUSTER, true, false},
    {"redis+sentinel://", RDS_SENTINEL, false, false},
    {"rediss+sentinel://", RDS_SENTINEL, true, false},
};

static const struct scheme *scheme_of(const char *text) {
    for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
        if (strncmp(text, schemes[i].name, strlen(schemes[i].name)) == 0)
            return &schemes[i];
    }
    return NULL;
}

bool rds_url_read(const char *text, struct rds_url *ret, char *error, size_t error_size) {
    struct reader r = {.url = ret, .error_size = error_size};
    r.error = error; /* clang-tidy would have it const otherwise */
    memset(ret, 0, sizeof(*ret));
    const struct scheme *scheme = scheme_of(text);
    if (!scheme)
        return wrong(&r,
                     "it begins with redis://, rediss://, unix://, redis+cluster:// or redis+sentinel://");
    if (strlen(text) > RDS_MAX_URL)
        return wrong(&r, "it is longer than 4096 bytes");
    ret->mode = scheme->mode;
    ret->tls = scheme->tls;
    const char *from = text + strlen(scheme->name);
    const char *slash = from + strcspn(from, "/");
    /* The last one: an @ in a password should be written %40, but is not always. */
    const char *at = memrchr(from, '@', (size_t)(slash - from));
    if (at && !read_login(&r, from, (size_t)(at - from)))
        return false;
    if (at)
        from = at + 1;
    if (scheme->is_path) {
        if (from != slash || slash[0] == '\0')
            return wrong(&r, "the path of the socket begins with a slash: unix:///run/redis.sock");
        return decode(&r, slash, strlen(slash), &ret->path);
    }
    return read_hosts(&r, from, (size_t)(slash - from)) && read_end(&r, slash);
}
