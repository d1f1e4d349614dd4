/*
 * What the JSON of DynamoDB costs the I/O thread: a reply of GetItem read and its value decoded, and the
 * value of a PutItem encoded, beside a memcpy() of the same bytes.
 *
 *     bench_forms [--rounds N]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "dynamodb/reply.h"

enum { MOST_ROUNDS = 101, MOST_VALUE = 384 << 10, BYTES_A_ROUND = 16 << 20 };

static uint8_t value[MOST_VALUE], out[MOST_VALUE];
static struct ddb_text reply;
static size_t len;

static void must(int ok, const char *what) {
    if (!ok) {
        fprintf(stderr, "bench_forms: %s failed\n", what);
        exit(1);
    }
}

static double cpu_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static void copy(void) {
    memcpy(out, value, len);
    __asm__ volatile("" : : "r"(out) : "memory"); /* so that it is done each time */
}

static void read_reply(void) {
    struct ddb_item item;
    bool there;
    size_t size;
    must(ddb_reply_item((struct larder_bytes){reply.ptr, reply.len}, "Item", &item, &there) && there &&
             ddb_base64_size(item.value, &size) && size == len && ddb_base64_decode(item.value, out),
         "reading a reply");
}

static void write_request(void) {
    struct ddb_text body = {0};
    ddb_text_reserve(&body, ddb_base64_len(len) + 64);
    ddb_text_json(&body, "{'TableName':'t','Item':{'v':{'B':'");
    ddb_text_base64(&body, (struct larder_bytes){value, len});
    ddb_text_json(&body, "'}}}");
    must(!body.failed, "writing a request");
    ddb_text_done(&body);
}

static void make_reply(void) {
    reply.len = 0;
    ddb_text_json(&reply, "{'Item':{'pk':{'S':'larder#e#default/build/page/blog/hello'},'sk':{'S':'#'},"
                          "'gk':{'S':'larder#e#03'},'gs':{'S':'#default/build/page/blog/hello'},"
                          "'m':{'N':'1767323045000'},'e':{'N':'1767323045001'},'x':{'N':'1798859045000'},"
                          "'expiresAt':{'N':'1798859045'},'v':{'B':'");
    ddb_text_base64(&reply, (struct larder_bytes){value, len});
    ddb_text_json(&reply, "'}}}");
    must(!reply.failed, "making a reply");
}

static int by_value(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median_us(void (*run)(void), size_t rounds) {
    static double us[MOST_ROUNDS];
    const size_t times = BYTES_A_ROUND / len;
    for (size_t round = 0; round < rounds; round++) {
        const double begin = cpu_us();
        for (size_t i = 0; i < times; i++)
            run();
        us[round] = (cpu_us() - begin) / (double)times;
    }
    qsort(us, rounds, sizeof(double), by_value);
    return us[rounds / 2];
}

int main(int argc, char **argv) {
    static const size_t sizes[] = {1 << 10, 220 << 10, 384 << 10};
    size_t rounds = 9;
    if (argc == 3 && strcmp(argv[1], "--rounds") == 0)
        rounds = strtoul(argv[2], NULL, 10);
    if (argc == 2 || argc > 3 || rounds < 1 || rounds > MOST_ROUNDS) {
        fprintf(stderr, "usage: bench_forms [--rounds N]\n");
        return 2;
    }
    for (size_t i = 0; i < sizeof(value); i++)
        value[i] = (uint8_t)((uint32_t)i * 2654435761u >> 13);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        len = sizes[i];
        make_reply();
        printf("%3zu KB: reply read %6.1f us, request written %6.1f us, copied %5.1f us\n", len >> 10,
               median_us(read_reply, rounds), median_us(write_request, rounds), median_us(copy, rounds));
        must(memcmp(out, value, len) == 0, "comparing");
    }
    ddb_text_done(&reply);
    return 0;
}
