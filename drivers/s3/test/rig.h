/*
 * The driver without a server: aws_client_send() is the test's, which sees each request and answers it
 * when, and how, it likes.
 */
#ifndef S3_TEST_RIG_H
#define S3_TEST_RIG_H

#include <stdbool.h>
#include <string.h>

#include "../s3.h"
#include "unit.h"

enum { RIG_RECORDS = 16 };

struct rig_op { /* an op, and what was answered */
    struct larder_op op;
    int completed;
    struct larder_result res;
    char detail[320], cursor[128], value[1024];
    size_t value_len;
    char records[RIG_RECORDS][512]; /* emitted keys or texts */
    size_t n_records;
};

struct rig {
    struct s3_config config;
    struct s3 s;
    int bufs; /* alive */
    int warnings;
    int32_t next_status; /* of the next aws_client_send() */
    bool no_pool;        /* offload() fails */
};
extern struct rig rig;

void rig_start(void);
/* All that was asked has been answered, and all memory is given back. */
void rig_end(void);

/* An op as the core would make it; its time of day is 1000000 ms. */
void rig_op(struct rig_op *o, uint32_t code, const char *key);
void rig_value(struct rig_op *o, const char *value);

/* The oldest request that is not answered, as "PUT /name?query"; "" if there is none. */
const char *rig_asked(void);
/* One of its headers; NULL: it has none of that name. */
const char *rig_header(const char *name);
const char *rig_body(void);
size_t rig_n_requests(void);
/* Answers it: headers as lines that end in "\n"; code: of an error, "" for a success. */
void rig_reply(int http_status, const char *headers, const char *body);
/* Does what was offloaded, and tells that it is done. */
void rig_work(void);
void rig_refuse(int http_status, int32_t status, const char *code);

#endif
