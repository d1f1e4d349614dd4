/* Errors of the server, by the word that they begin with. */
#include "error.h"

#include <string.h>

#include "reply.h"

static const struct {
    const char *word;
    struct rds_error means;
} words[] = {
    {"LOADING", {LARDER_RETRY, 0}}, /* it reads its data from the disk */
    {"BUSY", {LARDER_RETRY, 0}},    /* a script, of anybody's, runs for too long */
    {"UNBLOCKED", {LARDER_RETRY, 0}},
    {"MASTERDOWN", {LARDER_RETRY, 0}},
    {"CLUSTERDOWN", {LARDER_RETRY, 0}},
    {"TRYAGAIN", {LARDER_RETRY, 0}},
    {"MOVED", {LARDER_RETRY, 0}}, /* where the router could not follow */
    {"ASK", {LARDER_RETRY, 0}},
    {"READONLY", {LARDER_RETRY, 0}}, /* a failover: the next connection finds the master */
    {"NOREPLICAS", {LARDER_RETRY, 0}},
    {"NOGOODSLAVE", {LARDER_RETRY, 0}},
    {"MISCONF", {LARDER_RETRY, 0}}, /* it cannot save to its disk, and takes no writes until it can */
    {"NOSCRIPT", {LARDER_RETRY, 0}},
    {"EXECABORT", {LARDER_RETRY, 0}},
    {"INPROG", {LARDER_RETRY, 0}},
    {"OOM", {LARDER_THROTTLED, 1000}}, /* maxmemory, and nothing that may be evicted */
    {"NOAUTH", {LARDER_DENIED, 0}},
    {"WRONGPASS", {LARDER_DENIED, 0}},
    {"NOPERM", {LARDER_DENIED, 0}},
    {"DENIED", {LARDER_DENIED, 0}}, /* protected mode */
    {"NOTBUSY", {LARDER_RETRY, 0}},
    {"CROSSSLOT", {LARDER_INTERNAL, 0}},
    {"WRONGTYPE", {LARDER_CORRUPT, 0}}, /* a key of ours holds what is not ours */
};

static bool contains(struct larder_bytes text, const char *what) {
    return memmem(text.ptr, text.len, what, strlen(what)) != NULL;
}

struct rds_error rds_error_of(struct larder_bytes text) {
    if (text.len == 0)
        return (struct rds_error){LARDER_INTERNAL, 0};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (rds_begins(text, words[i].word))
            return words[i].means;
    }
    /* Older servers, and errors that Redis has no word for. */
    if (contains(text, "max number of clients"))
        return (struct rds_error){LARDER_THROTTLED, 1000};
    if (contains(text, "invalid password") || contains(text, "operation not permitted") ||
        contains(text, "AUTH") || contains(text, "no permissions"))
        return (struct rds_error){LARDER_DENIED, 0};
    if (contains(text, "unknown command") || contains(text, "unknown subcommand"))
        return (struct rds_error){LARDER_UNSUPPORTED, 0};
    if (contains(text, "string exceeds maximum allowed size"))
        return (struct rds_error){LARDER_TOO_BIG, 0};
    if (contains(text, "invalid multibulk length") || contains(text, "invalid bulk length"))
        return (struct rds_error){LARDER_TOO_BIG, 0};
    if (contains(text, "cluster support disabled")) /* the URL says redis+cluster, and it is one server */
        return (struct rds_error){LARDER_INVALID, 0};
    if (contains(text, "DB index") || contains(text, "SELECT is not allowed"))
        return (struct rds_error){LARDER_INVALID, 0};
    return (struct rds_error){LARDER_INTERNAL, 0};
}

bool rds_error_forbids_scripts(struct larder_bytes text) {
    return (rds_begins(text, "NOPERM") || contains(text, "unknown command")) &&
           (contains(text, "eval") || contains(text, "EVAL"));
}

/* "-ERR unknown command `AUTH`, with args beginning with: `secret`": behind that nothing is told. */
void rds_error_line(struct larder_bytes text, char *ret, size_t size) {
    static const char args[] = "with args";
    const uint8_t *cut = memmem(text.ptr, text.len, args, sizeof(args) - 1);
    const size_t len = cut ? (size_t)(cut - text.ptr) : text.len;
    size_t n = 0;
    for (size_t i = 0; i < len && n + 1 < size; i++)
        ret[n++] = (char)(text.ptr[i] >= 32 && text.ptr[i] < 127 ? text.ptr[i] : '?');
    while (n > 0 && (ret[n - 1] == ' ' || ret[n - 1] == ','))
        n--;
    ret[n] = '\0';
}
