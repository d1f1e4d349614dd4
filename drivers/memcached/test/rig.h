/*
 * A host in the smallest, and a server that says what a test wants it to: the driver talks to a thread of the
 * test's own process, over a socket in a temporary folder.
 */
#ifndef MEMCACHED_TEST_RIG_H
#define MEMCACHED_TEST_RIG_H

#include <stdatomic.h>
#include <stdbool.h>

#include "larder/driver.h"

/* ---- the server ----------------------------------------------------------------------------------- */

struct reply {
    const void *bytes; /* NULL: none */
    size_t len;
    bool closes; /* the connection, after that */
};

/* What is answered to a line; `data` is what followed it (set, add, cas), `key` the first key in it. */
typedef struct reply answer_fn(const char *line, const char *key, const void *data, size_t len);

struct reply say(const char *text);                                    /* and a line break */
struct reply say_value(const char *key, const void *item, size_t len); /* as the answer to gets of one key */
struct reply silence(void);
struct reply hang_up(void);

void server_start(answer_fn *fn);
void server_stop(void);
unsigned server_connections(void); /* that were made since it began */
unsigned server_lines(void);
/* The data of the last line that had any. */
size_t server_last(void *to, size_t size);

/* ---- the host and the driver ----------------------------------------------------------------------- */

struct settings {
    const char *url; /* NULL: the server's */
    long timeout_ms, probe_interval_ms, chunk_bytes;
};

void driver_open(struct settings settings); /* 0: 1 s, 1 h, 1023 KB */
void driver_close(void);

struct answered {
    int32_t status;
    int64_t epoch, modified_ms;
    char detail[256];
    uint8_t value[256];
    size_t len;       /* of the value */
    unsigned n_marks; /* that were emitted */
};

struct asked {
    const char *key;
    const char *value;
    size_t value_len; /* 0: strlen(value) */
    int64_t epoch, add;
    int64_t within_ms; /* the deadline; 0: 5 s; negative: it has passed */
    uint32_t flags;
};

/* code: LARDER_OP_*; marks are one mark, for the tag `key`, of expired_epoch `epoch`. */
struct answered ask(uint32_t code, struct asked asked);
/* How many lines the driver logged. */
unsigned host_logged(void);

#endif
