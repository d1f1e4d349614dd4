/*
 * The driver without DynamoDB: ddb_call() is the test's, which sees each request and answers it when,
 * and how, it likes.  The host is as small as can be; its clock stands still unless it is set.
 */
#ifndef DYNAMODB_TEST_RIG_H
#define DYNAMODB_TEST_RIG_H

#include <stdbool.h>

#include "../ddb.h"
#include "unit.h"

enum { RIG_RECORDS = 64 };

struct rig_op { /* an op, and what was answered */
    struct larder_op op;
    int completed;
    struct larder_result res;
    char detail[256];
    char cursor[128];
    struct larder_mark marks[RIG_RECORDS]; /* tags: of records[] */
    char records[RIG_RECORDS][128];        /* emitted tags, keys or texts */
    size_t n_records;
};

struct rig {
    struct ddb_config config;
    struct ddb d;
    uint64_t now_ns;
    int bufs;   /* alive */
    int timers; /* alive */
    int lines;  /* logged */
};
extern struct rig rig;

void rig_start(void);
/* All that was asked has been answered, and all memory is given back. */
void rig_end(void);

/* An op as the core would make it; its time of day is 1000000 ms, its deadline 10 s ahead. */
void rig_op(struct rig_op *o, const char *key);
static inline struct larder_mark rig_mark(const char *tag, int64_t expired, int64_t stale, int64_t at_ms) {
    return (struct larder_mark){ddb_bytes_of(tag), expired, stale, at_ms};
}

/* The oldest request that is not answered: its operation and its body, both "" if there is none. */
const char *rig_operation(void);
const char *rig_body(void);
size_t rig_n_requests(void);
/* Answers it: with this JSON, in which ' stands for "; or so. */
void rig_reply(const char *json);
void rig_refuse(int32_t status);
/* Lets the time come that a timer is set to; false: none is. */
bool rig_pass_time(void);
/* Other processes are faster, each time, until the op gives up: it finds no item, and its conditions do not
 * hold.  It has no deadline. */
void rig_overtake(struct rig_op *o);
/* The next ddb_call() fails so. */
void rig_fail_next_call(int32_t status);

/* Whether the body has this piece, in which ' stands for ". */
bool rig_asks(const char *json);

#endif
