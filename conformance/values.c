/* Names, values and marks: drive.h. */
#include "values.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "arena.h"
#include "drive.h"
#include "random.h"

static struct arena names;
static char run[17]; /* no two runs have the same, whatever the seed: a store may be used again */

void names_begin(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    uint64_t state = (uint64_t)now.tv_sec << 30 ^ (uint64_t)now.tv_nsec ^ (uint64_t)getpid() << 48;
    snprintf(run, sizeof(run), "%016" PRIx64, random_next(&state));
}

void names_end(void) {
    arena_done(&names);
}

/* ---- names and values ------------------------------------------------------------------------ */

struct larder_bytes name_bytes(const char *test, const void *tail, size_t len) {
    char head[128];
    int n = snprintf(head, sizeof(head), "%s/%s/", test, run);
    uint8_t *out = n > 0 && (size_t)n < sizeof(head) ? arena_alloc(&names, (size_t)n + len) : NULL;
    if (!out)
        abort();
    memcpy(out, head, (size_t)n);
    if (len > 0)
        memcpy(out + n, tail, len);
    return (struct larder_bytes){out, (size_t)n + len};
}

struct larder_bytes name(const char *test, const char *format, ...) {
    char tail[256];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(tail, sizeof(tail), format, args);
    va_end(args);
    if (n < 0 || (size_t)n >= sizeof(tail))
        abort();
    return name_bytes(test, tail, (size_t)n);
}

/* The bytes at a multiple of 8 and what is left at the end.  Values of odd seeds repeat
 * themselves, so that what compresses finds something to do. */
static uint64_t word_of(uint64_t seed, size_t at) {
    uint64_t state = seed * 1000003u + (seed % 2 ? at % 64 : at);
    return random_next(&state);
}

struct larder_slice value_of(size_t len, uint64_t seed) {
    struct larder_slice value;
    uint8_t *bytes = buf_new(len, &value);
    if (!bytes)
        abort();
    for (size_t at = 0; at < len; at += 8) {
        uint64_t word = word_of(seed, at);
        memcpy(bytes + at, &word, len - at < 8 ? len - at : 8);
    }
    return value;
}

bool value_is(struct larder_slice value, size_t len, uint64_t seed) {
    if (value.len != len || (len > 0 && !value.owner))
        return false;
    for (size_t at = 0; at < len; at += 8) {
        uint64_t word = word_of(seed, at);
        if (memcmp(value.ptr + at, &word, len - at < 8 ? len - at : 8) != 0)
            return false;
    }
    return true;
}

int32_t put_value(struct backend *b, struct larder_bytes key, size_t len, uint64_t seed, int64_t epoch) {
    struct larder_slice value = value_of(len, seed);
    int32_t status = status_of(b, LARDER_OP_PUT,
                               (struct op_inputs){.key = key, .value = value, .epoch = epoch});
    slice_done(&value);
    return status;
}

int32_t get_value(struct backend *b, struct larder_bytes key, size_t len, uint64_t seed) {
    struct op *op = call(b, LARDER_OP_GET, (struct op_inputs){.key = key});
    int32_t status = op->result.status;
    if (status == LARDER_OK && !value_is(op->result.value, len, seed))
        status = LARDER_CORRUPT;
    op_free(op);
    return status;
}

bool is_there(struct backend *b, struct larder_bytes key) {
    int32_t status = status_of(b, LARDER_OP_GET, (struct op_inputs){.key = key});
    CU_ASSERT(status == LARDER_OK || status == LARDER_MISS);
    return status == LARDER_OK;
}

struct larder_mark mark_of(struct larder_bytes tag, int64_t expired, int64_t stale, int64_t expire_at_ms) {
    return (struct larder_mark){tag, expired, stale, expire_at_ms};
}

int32_t write_mark(struct backend *b, struct larder_mark mark, uint32_t flags) {
    return status_of(b, LARDER_OP_TAGS_WRITE,
                     (struct op_inputs){.marks = &mark, .n_marks = 1, .flags = flags});
}

bool read_mark(struct backend *b, struct larder_bytes tag, struct larder_mark *ret) {
    struct larder_mark ask = mark_of(tag, UNSET, UNSET, UNSET);
    struct op *op = call(b, LARDER_OP_TAGS_READ, (struct op_inputs){.marks = &ask, .n_marks = 1});
    bool found = op->n_marks == 1;
    bool sound = op->result.status == LARDER_OK &&
                 (op->n_marks == 0 || (found && bytes_equal(op->marks[0].tag, tag)));
    if (!drive.child) /* a second process has no CUnit */
        CU_ASSERT_TRUE(sound);
    found = found && sound;
    if (found) {
        *ret = op->marks[0];
        ret->tag = tag;
    }
    op_free(op);
    return found;
}

int32_t advance(struct backend *b, struct larder_bytes counter, int64_t add, int64_t *ret_epoch) {
    struct op *op = call(b, LARDER_OP_ADVANCE, (struct op_inputs){.key = counter, .add = add});
    int32_t status = op->result.status;
    if (status == LARDER_OK)
        *ret_epoch = op->result.epoch;
    op_free(op);
    return status;
}
