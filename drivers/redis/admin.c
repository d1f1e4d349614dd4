/* ping, provision, explain. */
#include <stdarg.h>
#include <stdio.h>

#include "rds.h"

struct admin {
    struct rds_task task;
    struct rds_request r;
};

/* A line. */
static int32_t tell(struct rds_task *task, const char *format, ...) __attribute__((format(printf, 2, 3)));
static int32_t tell(struct rds_task *task, const char *format, ...) {
    char text[1024];
    va_list args;
    va_start(args, format);
    const int len = vsnprintf(text, sizeof(text) - 1, format, args);
    va_end(args);
    size_t told = len < 0 ? 0 : (size_t)len < sizeof(text) - 2 ? (size_t)len : sizeof(text) - 2;
    text[told++] = '\n';
    return task->d->host->emit_text(task->op, (struct larder_bytes){(const uint8_t *)text, told});
}

/* ---- ping ------------------------------------------------------------------------------------------------------ */

static void ping_write(__attribute__((unused)) const struct rds_request *r, struct rds_out *out) {
    rds_command(out, "PING", 1);
}

static void ping_done(struct rds_request *r, const struct rds_answer *answer) {
    struct rds_task *task = &RDS_OF(struct admin, r, r)->task;
    (void)rds_task_got(task, answer, "+");
    rds_task_end(task, LARDER_OK);
}

void rds_ping(void *instance, struct larder_op *op) {
    static const struct rds_verb verb = {.write = ping_write, .done = ping_done};
    struct rds *d = instance;
    struct admin *admin;
    if (!rds_accepts(d, op, 0) || !(admin = rds_task_new(d, op, sizeof(*admin))))
        return;
    rds_request_init(&admin->r, &verb, op, d->names.mark_slot, RDS_SMALL);
    rds_submit(d, &admin->r);
}

/* ---- provision --------------------------------------------------------------------------------------------------- */

/* "name:value\r\n" of INFO. */
static bool info_value(struct larder_bytes info, const char *name, char *ret, size_t size) {
    const size_t len = strlen(name);
    for (size_t at = 0; at < info.len;) {
        const uint8_t *line = info.ptr + at, *end = memchr(line, '\n', info.len - at);
        size_t n = end ? (size_t)(end - line) : info.len - at;
        at += n + 1;
        while (n > 0 && line[n - 1] == '\r')
            n--;
        if (n <= len || memcmp(line, name, len) != 0 || line[len] != ':')
            continue;
        snprintf(ret, size, "%.*s", (int)(n - len - 1), (const char *)line + len + 1);
        return true;
    }
    return false;
}

static void provision_write(__attribute__((unused)) const struct rds_request *r, struct rds_out *out) {
    static const char *const sections[] = {"server", "memory", "replication"};
    for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]); i++) {
        rds_command(out, "INFO", 2);
        rds_arg_text(out, sections[i]);
    }
    rds_command(out, "PING", 1);
}

static void tell_policy(struct rds_task *task, const char *policy) {
    if (strcmp(policy, "noeviction") == 0)
        tell(task, "maxmemory-policy noeviction: when memory is full, writes and revalidations fail; "
                   "volatile-lru drops entries instead");
    else if (strncmp(policy, "volatile-", 9) == 0)
        tell(task, "maxmemory-policy %s: entries go when memory is full, marks stay", policy);
    else
        tell(task,
             "maxmemory-policy %s: entries go when memory is full, and so may all marks of a namespace at "
             "once: "
             "then everything in it is rendered again; volatile-lru spares them",
             policy);
}

static void provision_done(struct rds_request *r, const struct rds_answer *answer) {
    struct rds_task *task = &RDS_OF(struct admin, r, r)->task;
    char value[64];
    if (answer->status == LARDER_OK && r->seen < 3 && answer->reply->type == RDS_BULK) {
        const struct larder_bytes info = answer->reply->text;
        if (r->seen == 0 && info_value(info, "redis_version", value, sizeof(value)))
            tell(task, "version %s", value);
        else if (r->seen == 1 && info_value(info, "maxmemory_policy", value, sizeof(value)))
            tell_policy(task, value);
        else if (r->seen == 2 && info_value(info, "connected_slaves", value, sizeof(value)))
            tell(task, "replicas: %s", value);
        return;
    }
    if (answer->status == LARDER_OK && r->seen < 3) {
        if (r->seen == 0)
            tell(task, "INFO is not allowed here: version, eviction and replicas are not known");
        return;
    }
    if (rds_task_got(task, answer, "+"))
        tell(task, "the server answers, and nothing has to be created");
    rds_task_end(task, LARDER_OK);
}

void rds_provision(void *instance, struct larder_op *op) {
    static const struct rds_verb verb = {.write = provision_write, .done = provision_done};
    struct rds *d = instance;
    struct admin *admin;
    if (!rds_accepts(d, op, LARDER_DRY_RUN) || !(admin = rds_task_new(d, op, sizeof(*admin))))
        return;
    rds_request_init(&admin->r, &verb, op, d->names.mark_slot, RDS_SMALL);
    rds_submit(d, &admin->r);
}

/* ---- explain ------------------------------------------------------------------------------------------------------ */

/* The commands that this driver uses; tests/servers/redis.js runs it with no others. */
static const char acl[] =
    "user larder on >PASSWORD resetkeys resetchannels ~%s:* -@all +get +mget +set +del +getrange +exists "
    "+rename "
    "+persist "
    "+pexpire +hget +hset +hmget +hscan +zadd +zrem +zremrangebyscore +zscan +scan +ping +evalsha +eval "
    "+client|setname +info +wait +role +readonly +asking +cluster|slots";

void rds_explain(void *instance, struct larder_op *op) {
    struct rds *d = instance;
    struct rds_task *task;
    if (!rds_accepts(d, op, 0) || !(task = rds_task_new(d, op, sizeof(*task))))
        return;
    if (!rds_same(op->key, (struct larder_bytes){(const uint8_t *)"acl", 3})) {
        rds_task_refused(task, LARDER_INVALID, "there is something to say about: acl");
        rds_task_end(task, LARDER_INVALID);
        return;
    }
    int32_t status = tell(task, acl, d->names.prefix);
    if (status == LARDER_OK && d->push)
        status = tell(task, "with push also: +publish +subscribe &%s:news", d->names.prefix);
    rds_task_end(task, status);
}
