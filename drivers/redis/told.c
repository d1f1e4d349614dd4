/* What sentinels and servers say about who is the master; pure. */
#include <stdio.h>
#include <string.h>

#include "sentinel.h"

bool rds_server_same(const struct rds_server *a, const struct rds_server *b) {
    return strcmp(a->host, b->host) == 0 && strcmp(a->port, b->port) == 0;
}

static bool copy(struct larder_bytes text, char *ret, size_t room) {
    if (text.len == 0 || text.len >= room || memchr(text.ptr, 0, text.len))
        return false;
    memcpy(ret, text.ptr, text.len);
    ret[text.len] = 0;
    return true;
}

static bool is_text(const struct rds_reply *r) {
    return r->type == RDS_BULK || r->type == RDS_STATUS;
}

static bool server_of(struct larder_bytes host, struct larder_bytes port, struct rds_server *ret) {
    struct rds_server got = {.host = ""};
    int64_t number;
    if (!rds_number(port, &number) || number < 1 || number > UINT16_MAX ||
        !copy(port, got.port, sizeof(got.port)) || !copy(host, got.host, sizeof(got.host)))
        return false;
    *ret = got;
    return true;
}

bool rds_told_address(const struct rds_reply *reply, struct rds_told *ret) {
    struct rds_told got = {.config_epoch = -1};
    if (reply->type != RDS_ARRAY || reply->n != 2 || !is_text(&reply->elements[0]) ||
        !is_text(&reply->elements[1]) ||
        !server_of(reply->elements[0].text, reply->elements[1].text, &got.master))
        return false;
    *ret = got;
    return true;
}

/* The value that stands behind its name; empty: there is none. */
static struct larder_bytes value_of(const struct rds_reply *reply, const char *name) {
    for (uint32_t i = 0; reply->type == RDS_ARRAY && i + 1 < reply->n; i += 2)
        if (is_text(&reply->elements[i]) && rds_is(&reply->elements[i], name) &&
            is_text(&reply->elements[i + 1]))
            return reply->elements[i + 1].text;
    return (struct larder_bytes){0};
}

bool rds_told_master(const struct rds_reply *reply, struct rds_told *ret) {
    struct rds_told got = {.config_epoch = -1};
    if (!server_of(value_of(reply, "ip"), value_of(reply, "port"), &got.master) ||
        !rds_number(value_of(reply, "config-epoch"), &got.config_epoch) || got.config_epoch < 0)
        return false;
    *ret = got;
    return true;
}

static bool has(struct larder_bytes text, const char *word) {
    return text.len > 0 && memmem(text.ptr, text.len, word, strlen(word)) != NULL;
}

size_t rds_told_replicas(const struct rds_reply *reply, struct rds_server ret[SENTINEL_REPLICAS]) {
    size_t n = 0;
    for (uint32_t i = 0; reply->type == RDS_ARRAY && i < reply->n && n < SENTINEL_REPLICAS; i++) {
        const struct rds_reply *one = &reply->elements[i];
        const struct larder_bytes flags = value_of(one, "flags");
        if (has(flags, "down") || has(flags, "disconnected") ||
            !has(value_of(one, "master-link-status"), "ok"))
            continue;
        n += server_of(value_of(one, "ip"), value_of(one, "port"), &ret[n]);
    }
    return n;
}

bool rds_told_switch(struct larder_bytes message, const char *name, struct rds_server *ret) {
    struct larder_bytes words[5] = {{0}};
    size_t n = 0, begin = 0;
    for (size_t i = 0; message.len > 0 && i <= message.len && n < 5; i++) {
        if (i == message.len || message.ptr[i] == ' ') {
            words[n++] = (struct larder_bytes){message.ptr + begin, i - begin};
            begin = i + 1;
        }
    }
    const size_t len = strlen(name);
    return n == 5 && words[0].len == len && memcmp(words[0].ptr, name, len) == 0 &&
           server_of(words[3], words[4], ret);
}

int32_t rds_is_master(__attribute__((unused)) void *arg, const struct rds_reply *reply, char *detail,
                      size_t size) {
    if (reply->type == RDS_ARRAY && reply->n > 0 && rds_is(&reply->elements[0], "master"))
        return LARDER_OK;
    snprintf(detail, size, "the server is not the master");
    return LARDER_RETRY;
}
