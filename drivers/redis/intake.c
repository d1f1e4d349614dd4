/* What comes in on a connection. */
#include "intake.h"

#include <stdlib.h>
#include <string.h>

void rds_intake_init(struct rds_intake *in, const struct larder_host *host) {
    *in = (struct rds_intake){.host = host};
}

static void drop_value(struct rds_intake *in) {
    in->host->buf_unref(in->value.owner);
    in->value = (struct larder_slice){0};
    in->to = NULL;
    in->part = RDS_NO_VALUE;
    in->left = 0;
    in->no_memory = false;
}

void rds_intake_reset(struct rds_intake *in) {
    drop_value(in);
    in->begin = in->end = 0;
    rds_reader_reset(&in->reader);
}

void rds_intake_done(struct rds_intake *in) {
    drop_value(in);
    free(in->buf);
    rds_reader_done(&in->reader);
    *in = (struct rds_intake){.host = in->host};
}

bool rds_intake_is_empty(const struct rds_intake *in) {
    return in->begin == in->end && in->part == RDS_NO_VALUE && in->reader.fed == 0;
}

/* ---- receiving ------------------------------------------------------------------------------------------------ */

/* What was not taken yet is the beginning of a value's head at most: it moves to the front when there is little room. */
static bool make_room(struct rds_intake *in) {
    if (in->begin == in->end)
        in->begin = in->end = 0;
    if (!in->buf && !(in->buf = malloc(RDS_INTAKE_BYTES)))
        return false;
    if (RDS_INTAKE_BYTES - in->end < RDS_INTAKE_BYTES / 4) {
        memmove(in->buf, in->buf + in->begin, in->end - in->begin);
        in->end -= in->begin;
        in->begin = 0;
    }
    return true;
}

int rds_intake_room(struct rds_intake *in, struct iovec iov[2]) {
    int n = 0;
    if (!make_room(in))
        return 0;
    if (in->part == RDS_VALUE_BODY && in->to)
        iov[n++] = (struct iovec){in->to, in->left};
    iov[n++] = (struct iovec){in->buf + in->end, RDS_INTAKE_BYTES - in->end};
    return n;
}

void rds_intake_took(struct rds_intake *in, size_t n) {
    if (in->part == RDS_VALUE_BODY && in->to) {
        const size_t step = n < in->left ? n : in->left;
        in->to += step;
        in->left -= step;
        n -= step;
    }
    in->end += n;
}

/* ---- values --------------------------------------------------------------------------------------------------- */

static struct larder_bytes unread(const struct rds_intake *in) {
    return (struct larder_bytes){in->buf + in->begin, in->end - in->begin};
}

/* The length is known and the head is there.  Without memory for the value the connection goes on. */
static void begin_value(struct rds_intake *in, size_t len) {
    memcpy(in->head, in->buf + in->begin, RDS_HEAD);
    in->begin += RDS_HEAD;
    in->left = len - RDS_HEAD;
    in->part = RDS_VALUE_BODY;
    if (in->left > 0) {
        in->to = in->host->buf_new(in->left, &in->value);
        in->no_memory = in->to == NULL;
    }
}

/* What is in the buffer already. */
static void fill_value(struct rds_intake *in) {
    const size_t there = in->end - in->begin, step = there < in->left ? there : in->left;
    if (step > 0 && in->to) {
        memcpy(in->to, in->buf + in->begin, step);
        in->to += step;
    }
    in->begin += step;
    in->left -= step;
    if (in->left == 0)
        in->part = RDS_VALUE_END;
}

static enum rds_taken end_value(struct rds_intake *in, struct rds_answer *ret) {
    if (in->end - in->begin < 2)
        return RDS_TAKE_MORE;
    if (in->buf[in->begin] != '\r' || in->buf[in->begin + 1] != '\n')
        return RDS_TAKE_GARBAGE;
    in->begin += 2;
    in->reply = (struct rds_reply){.type = RDS_BULK, .text = {in->head, RDS_HEAD}};
    *ret = (struct rds_answer){.status = LARDER_OK, .reply = &in->reply, .value = in->value};
    if (in->no_memory)
        *ret = (struct rds_answer){.status = LARDER_NOMEM, .detail = "no memory for the value"};
    in->value = (struct larder_slice){0};
    drop_value(in);
    return RDS_TAKEN;
}

/* ---- replies -------------------------------------------------------------------------------------------------- */

static enum rds_taken next_reply(struct rds_intake *in, struct rds_answer *ret) {
    const struct rds_reply *reply = NULL;
    size_t used;
    const enum rds_framed framed = rds_reader_next(&in->reader, unread(in), &used, &reply);
    in->begin += used;
    switch (framed) {
    case RDS_MORE: return RDS_TAKE_MORE;
    case RDS_GARBAGE: return RDS_TAKE_GARBAGE;
    case RDS_NO_MEMORY: return RDS_TAKE_NOMEM;
    case RDS_WHOLE: break;
    }
    *ret = (struct rds_answer){.status = LARDER_OK, .reply = reply};
    return RDS_TAKEN;
}

/* A bulk too short for a head is none of our entries; it is handed on as what it is. */
static enum rds_taken value_head(struct rds_intake *in, struct rds_answer *ret) {
    int64_t len;
    size_t end;
    switch (rds_bulk_head(unread(in), &len, &end)) {
    case RDS_MORE: return RDS_TAKE_MORE;
    case RDS_GARBAGE:
    case RDS_NO_MEMORY: return RDS_TAKE_GARBAGE;
    case RDS_WHOLE: break;
    }
    if (len < RDS_HEAD)
        return next_reply(in, ret);
    if (in->end - in->begin < end + RDS_HEAD)
        return RDS_TAKE_MORE;
    in->begin += end;
    begin_value(in, (size_t)len);
    return RDS_TAKEN;
}

enum rds_taken rds_intake_next(struct rds_intake *in, bool is_value, struct rds_answer *ret) {
    if (in->part == RDS_NO_VALUE && in->begin == in->end)
        return RDS_TAKE_MORE;
    if (is_value && in->part == RDS_NO_VALUE && in->reader.fed == 0 && in->buf[in->begin] == RDS_BULK) {
        enum rds_taken taken = value_head(in, ret);
        if (taken != RDS_TAKEN || in->part == RDS_NO_VALUE)
            return taken;
    }
    if (in->part == RDS_VALUE_BODY)
        fill_value(in);
    if (in->part == RDS_VALUE_BODY)
        return RDS_TAKE_MORE;
    return in->part == RDS_VALUE_END ? end_value(in, ret) : next_reply(in, ret);
}
