/* Replies: where they end, what is in them, what is refused; commands as hiredis writes them. */
#include <hiredis/hiredis.h>
#include <string.h>

#include "../intake.h"
#include "../out.h"
#include "../reader.h"
#include "buf.h"
#include "host.h"
#include "unit.h"

static struct larder_bytes bytes(const char *text) {
    return (struct larder_bytes){(const uint8_t *)text, strlen(text)};
}

static const char *const good[] = {
    "+OK\r\n",
    "+\r\n",
    "-ERR what\r\n",
    ":0\r\n",
    ":-9223372036854775808\r\n",
    "$-1\r\n",
    "$0\r\n\r\n",
    "$5\r\nhello\r\n",
    "$4\r\n\r\n\r\n\r\n",
    "*-1\r\n",
    "*0\r\n",
    "*3\r\n$1\r\na\r\n$-1\r\n:7\r\n",
    "*2\r\n*2\r\n+a\r\n*1\r\n:1\r\n*0\r\n",
    "*2\r\n$1\r\n0\r\n*4\r\n$1\r\nk\r\n$1\r\nv\r\n$2\r\nkk\r\n$0\r\n\r\n",
    "*3\r\n*3\r\n:0\r\n:5460\r\n*3\r\n$9\r\n127.0.0.1\r\n:7000\r\n$2\r\nid\r\n*0\r\n-MOVED 1 a:2\r\n",
    "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n",
};
enum { N_GOOD = sizeof(good) / sizeof(good[0]) };

static enum rds_framed next(struct rds_reader *reader, struct larder_bytes text, size_t *ret_used) {
    const struct rds_reply *reply = NULL;
    const enum rds_framed framed = rds_reader_next(reader, text, ret_used, &reply);
    CU_ASSERT_EQUAL(reply != NULL, framed == RDS_WHOLE);
    return framed;
}

static void a_reply_ends_where_it_ends_and_nowhere_before(void) {
    for (size_t i = 0; i < N_GOOD; i++) {
        const struct larder_bytes text = bytes(good[i]);
        struct rds_reader step = {0};
        size_t used;
        for (size_t cut = 0; cut < text.len; cut++) {
            struct rds_reader fresh = {0};
            CU_ASSERT_EQUAL(next(&fresh, (struct larder_bytes){text.ptr, cut}, &used), RDS_MORE);
            CU_ASSERT_EQUAL(used, cut);
            CU_ASSERT_EQUAL(next(&fresh, (struct larder_bytes){text.ptr + cut, text.len - cut}, &used),
                            RDS_WHOLE);
            CU_ASSERT_EQUAL(used, text.len - cut);
            rds_reader_done(&fresh);
            CU_ASSERT_EQUAL(next(&step, (struct larder_bytes){text.ptr + cut, 1}, &used),
                            cut + 1 < text.len ? RDS_MORE : RDS_WHOLE);
        }
        rds_reader_done(&step);
    }
}

static void what_stands_behind_a_reply_is_left(void) {
    static uint8_t many[RDS_READER_MOST / 64];
    static const char first[] = "*1\r\n+a\r\n";
    struct rds_reader reader = {0};
    size_t used, at = 0, n = 0;
    memcpy(many, first, sizeof(first) - 1);
    for (size_t i = sizeof(first) - 1; i + 4 <= sizeof(many); i += 4, n++)
        memcpy(many + i, ":1\r\n", 4);
    CU_ASSERT_EQUAL(next(&reader, (struct larder_bytes){many, sizeof(many)}, &used), RDS_WHOLE);
    CU_ASSERT_EQUAL(used, sizeof(first) - 1);
    for (at = used; n > 0; n--, at += used)
        if (next(&reader, (struct larder_bytes){many + at, sizeof(many) - at}, &used) != RDS_WHOLE ||
            used != 4)
            break;
    CU_ASSERT_EQUAL(n, 0);
    rds_reader_done(&reader);
}

static void garbage_is_refused(void) {
    static const char *const wrong[] = {
        "HTTP/1.1 400 Bad Request\r\n",
        "\r\n",
        "?1\r\n",
        "$x\r\n",
        "$-2\r\n",
        "$99999999999999999999\r\n",
        "*-2\r\n",
        "*262145\r\n",
        "*2\r\n*262140\r\n",
        ":1x\r\n",
        ":9223372036854775808\r\n",
        "*1\r\nx",
        "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct rds_reader reader = {0};
        size_t used;
        const enum rds_framed framed = next(&reader, bytes(wrong[i]), &used);
        CU_ASSERT_EQUAL(framed, i == 8 ? RDS_MORE : RDS_GARBAGE);
        if (framed == RDS_MORE) /* one element more than all may have together */
            CU_ASSERT_EQUAL(next(&reader, bytes("*5\r\n"), &used), RDS_GARBAGE);
        rds_reader_done(&reader);
    }
}

static void a_reply_without_an_end_is_refused_at_last(void) {
    static uint8_t zeros[1 << 20];
    struct rds_reader reader = {0};
    size_t used, n = 0;
    CU_ASSERT_EQUAL(next(&reader, bytes("$500000000\r\n"), &used), RDS_MORE);
    while (n <= RDS_READER_MOST &&
           next(&reader, (struct larder_bytes){zeros, sizeof(zeros)}, &used) == RDS_MORE)
        n += used;
    CU_ASSERT(n > RDS_READER_MOST - 2 * sizeof(zeros) && n <= RDS_READER_MOST);
    rds_reader_done(&reader);
}

static void the_elements_of_an_array_are_where_they_belong(void) {
    struct rds_reader reader = {0};
    const struct rds_reply *r = NULL;
    size_t used;
    CU_ASSERT_EQUAL_FATAL(rds_reader_next(&reader, bytes(good[14]), &used, &r), RDS_WHOLE);
    CU_ASSERT(r->type == RDS_ARRAY && r->n == 3);
    CU_ASSERT(r->elements[0].n == 3 && r->elements[0].elements[1].integer == 5460);
    CU_ASSERT(rds_is(&r->elements[0].elements[2].elements[0], "127.0.0.1"));
    CU_ASSERT(rds_is(&r->elements[0].elements[2].elements[2], "id"));
    CU_ASSERT(r->elements[1].type == RDS_ARRAY && r->elements[1].n == 0);
    CU_ASSERT(r->elements[2].type == RDS_ERROR && rds_begins(r->elements[2].text, "MOVED"));
    CU_ASSERT(!rds_begins(r->elements[2].text, "MOVE") && !rds_begins(r->elements[2].text, "MOVED 1 a:2 x"));
    rds_reader_done(&reader);
}

static void hiredis_writes_the_same(void) {
    char *theirs = NULL;
    struct rds_out out = {0};
    const int len = redisFormatCommand(&theirs, "SET %b %s PX %lld", "k\0k", (size_t)3, "value", 12345LL);
    rds_command(&out, "SET", 5);
    rds_arg(&out, (struct larder_bytes){(const uint8_t *)"k\0k", 3});
    rds_arg_text(&out, "value");
    rds_arg_text(&out, "PX");
    rds_arg_number(&out, 12345);
    CU_ASSERT(len > 0 && out.len == (size_t)len && memcmp(out.text, theirs, out.len) == 0);
    redisFreeCommand(theirs);
    rds_out_done(&out);
}

/* ---- the intake ------------------------------------------------------------------------------------------------- */

static void give(struct rds_intake *in, const uint8_t *from, size_t len) {
    while (len > 0) {
        struct iovec iov[2];
        const int n = rds_intake_room(in, iov);
        size_t total = 0;
        CU_ASSERT_FATAL(n > 0);
        for (int i = 0; i < n && len > 0; i++) {
            const size_t step = len < iov[i].iov_len ? len : iov[i].iov_len;
            memcpy(iov[i].iov_base, from, step);
            from += step;
            len -= step;
            total += step;
        }
        rds_intake_took(in, total);
    }
}

enum { VALUE_BYTES = 200000 };
static uint8_t stream[2 * VALUE_BYTES];

/* A value of that size, then a status. */
static size_t write_stream(size_t value_bytes) {
    const size_t n = (size_t)snprintf((char *)stream, 32, "$%zu\r\n", RDS_HEAD + value_bytes);
    for (size_t i = 0; i < RDS_HEAD + value_bytes; i++)
        stream[n + i] = (uint8_t)(i * 7);
    memcpy(stream + n + RDS_HEAD + value_bytes, "\r\n+OK\r\n", 7);
    return n + RDS_HEAD + value_bytes + 7;
}

static void check_value(const struct rds_answer *answer, size_t value_bytes) {
    CU_ASSERT(answer->reply->type == RDS_BULK && answer->reply->text.len == RDS_HEAD);
    CU_ASSERT(answer->value.len == value_bytes);
    for (size_t i = 0; i < RDS_HEAD; i++)
        CU_ASSERT(answer->reply->text.ptr[i] == (uint8_t)(i * 7));
    size_t wrong = 0;
    for (size_t i = 0; i < answer->value.len; i++)
        wrong += answer->value.ptr[i] != (uint8_t)((RDS_HEAD + i) * 7);
    CU_ASSERT_EQUAL(wrong, 0);
    buf_unref(answer->value.owner);
}

static void a_value_comes_whole_however_it_is_cut(void) {
    static const size_t sizes[] = {0, 1, 300};
    const size_t before = buf_live();
    for (size_t s = 0; s < 3; s++) {
        const size_t len = write_stream(sizes[s]);
        for (size_t cut = 0; cut <= len; cut++) {
            struct rds_intake in;
            struct rds_answer answer;
            rds_intake_init(&in, &test_host);
            give(&in, stream, cut);
            enum rds_taken taken = rds_intake_next(&in, true, &answer);
            CU_ASSERT_EQUAL(taken, cut < len - 5 ? RDS_TAKE_MORE : RDS_TAKEN);
            if (taken == RDS_TAKE_MORE) {
                give(&in, stream + cut, len - cut);
                CU_ASSERT_EQUAL_FATAL(rds_intake_next(&in, true, &answer), RDS_TAKEN);
            } else {
                check_value(&answer, sizes[s]);
                give(&in, stream + cut, len - cut);
                CU_ASSERT_EQUAL(rds_intake_next(&in, false, &answer), RDS_TAKEN);
                CU_ASSERT(rds_is(answer.reply, "OK") && rds_intake_is_empty(&in));
                rds_intake_done(&in);
                continue;
            }
            check_value(&answer, sizes[s]);
            CU_ASSERT_EQUAL(rds_intake_next(&in, false, &answer), RDS_TAKEN);
            CU_ASSERT(rds_is(answer.reply, "OK") && rds_intake_is_empty(&in));
            rds_intake_done(&in);
        }
    }
    CU_ASSERT_EQUAL(buf_live(), before);
}

static void a_large_value_goes_straight_into_its_slice(void) {
    const size_t len = write_stream(VALUE_BYTES);
    struct rds_intake in;
    struct rds_answer answer;
    struct iovec iov[2];
    rds_intake_init(&in, &test_host);
    give(&in, stream, 1000);
    CU_ASSERT_EQUAL(rds_intake_next(&in, true, &answer), RDS_TAKE_MORE);
    CU_ASSERT_EQUAL(rds_intake_room(&in, iov), 2);
    CU_ASSERT(iov[0].iov_base == in.to && iov[0].iov_len == in.left);
    give(&in, stream + 1000, len - 1000);
    CU_ASSERT_EQUAL_FATAL(rds_intake_next(&in, true, &answer), RDS_TAKEN);
    check_value(&answer, VALUE_BYTES);
    CU_ASSERT_EQUAL(rds_intake_next(&in, false, &answer), RDS_TAKEN);
    rds_intake_done(&in);
}

static void what_is_no_value_is_handed_on_as_what_it_is(void) {
    static const char *const replies[] = {"$-1\r\n", "$3\r\nabc\r\n", "-WRONGTYPE x\r\n", "*1\r\n:1\r\n"};
    static const uint8_t types[] = {RDS_NIL, RDS_BULK, RDS_ERROR, RDS_ARRAY};
    for (size_t i = 0; i < 4; i++) {
        struct rds_intake in;
        struct rds_answer answer;
        rds_intake_init(&in, &test_host);
        give(&in, (const uint8_t *)replies[i], strlen(replies[i]));
        CU_ASSERT_EQUAL_FATAL(rds_intake_next(&in, true, &answer), RDS_TAKEN);
        CU_ASSERT(answer.reply->type == types[i] && answer.value.owner == NULL);
        rds_intake_done(&in);
    }
}

static void a_value_without_memory_is_read_and_dropped(void) {
    const size_t len = write_stream(300);
    struct rds_intake in;
    struct rds_answer answer;
    rds_intake_init(&in, &test_host_without_memory);
    give(&in, stream, len);
    CU_ASSERT_EQUAL(rds_intake_next(&in, true, &answer), RDS_TAKEN);
    CU_ASSERT(answer.status == LARDER_NOMEM && answer.value.owner == NULL);
    CU_ASSERT_EQUAL(rds_intake_next(&in, false, &answer), RDS_TAKEN);
    CU_ASSERT(answer.status == LARDER_OK && rds_is(answer.reply, "OK"));
    rds_intake_done(&in);
}

static void a_reply_that_is_larger_than_the_buffer_fits(void) {
    enum { BULKS = 3, BULK = 100000 };
    struct rds_intake in;
    struct rds_answer answer;
    size_t at = (size_t)snprintf((char *)stream, 32, "*%d\r\n", BULKS);
    for (int i = 0; i < BULKS; i++) {
        at += (size_t)snprintf((char *)stream + at, 32, "$%d\r\n", BULK);
        memset(stream + at, 'a' + i, BULK);
        memcpy(stream + at + BULK, "\r\n", 2);
        at += BULK + 2;
    }
    rds_intake_init(&in, &test_host);
    for (size_t i = 0; i < at; i += 10000) {
        CU_ASSERT_EQUAL(rds_intake_next(&in, false, &answer), RDS_TAKE_MORE);
        give(&in, stream + i, at - i < 10000 ? at - i : 10000);
    }
    CU_ASSERT_EQUAL_FATAL(rds_intake_next(&in, false, &answer), RDS_TAKEN);
    CU_ASSERT(answer.reply->n == BULKS && answer.reply->elements[2].text.ptr[BULK - 1] == 'c');
    rds_intake_done(&in);
}

UNIT_MAIN("redis replies", UNIT(a_reply_ends_where_it_ends_and_nowhere_before),
          UNIT(what_stands_behind_a_reply_is_left), UNIT(garbage_is_refused),
          UNIT(a_reply_without_an_end_is_refused_at_last),
          UNIT(the_elements_of_an_array_are_where_they_belong), UNIT(hiredis_writes_the_same),
          UNIT(a_value_comes_whole_however_it_is_cut), UNIT(a_large_value_goes_straight_into_its_slice),
          UNIT(what_is_no_value_is_handed_on_as_what_it_is), UNIT(a_value_without_memory_is_read_and_dropped),
          UNIT(a_reply_that_is_larger_than_the_buffer_fits))
