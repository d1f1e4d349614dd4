#include "suites.h"

#include "larder/merge.h"
#include "race.h"

extern const struct suite basic_suite, values_suite, keys_suite, list_suite, times_suite, marks_suite,
    tags_suite, epoch_suite, index_suite, limits_suite, flight_suite, life_suite, claims_suite, model_suite,
    away_suite, starve_suite;

const struct suite *const all_suites[] = {
    &basic_suite, &starve_suite, &values_suite, &keys_suite,  &list_suite,   &times_suite,
    &marks_suite, &tags_suite,   &epoch_suite,  &index_suite, &limits_suite, &flight_suite,
    &life_suite,  &claims_suite, &model_suite,  &away_suite,
};
const size_t n_suites = N_ELEMENTS(all_suites);

extern const struct role lists_on_role, marks_role, marks_if_absent_role, raises_role, looks_role, bumps_role,
    relinks_role, rewrites_role, hammers_role, watches_role, puts_if_absent_role, stores_role, puts_role,
    claims_keys_role;
const struct role *const all_roles[] = {
    &lists_on_role, &marks_role,       &marks_if_absent_role, &raises_role,
    &looks_role,    &bumps_role,       &relinks_role,         &rewrites_role,
    &hammers_role,  &watches_role,     &puts_if_absent_role,  &stores_role,
    &puts_role,     &claims_keys_role,
};
const size_t n_roles = N_ELEMENTS(all_roles);

bool has_cache(void) {
    return backend_can(drive.one, LARDER_OP_PUT);
}

bool has_tags(void) {
    return backend_can(drive.one, LARDER_OP_TAGS_WRITE);
}

struct backend *either(unsigned no) {
    return no % 2 ? drive.two : drive.one;
}

/* ---- entries ------------------------------------------------------------------------------ */

int32_t get_op(struct backend *b, struct larder_bytes key, struct larder_result *ret) {
    struct op *op = call(b, LARDER_OP_GET, (struct op_inputs){.key = key});
    int32_t status = op->result.status;
    *ret = op->result;
    ret->value.owner = NULL; /* goes with the op */
    ret->detail = NULL;
    op_free(op);
    return status;
}

void use_instance(struct backend *b, struct larder_bytes key, unsigned no) {
    if (has_cache()) {
        CU_ASSERT_EQUAL(put_value(b, key, 10, no, no), LARDER_OK);
        CU_ASSERT_EQUAL(get_value(drive.two, key, 10, no), LARDER_OK);
    }
    if (has_tags())
        CU_ASSERT_EQUAL(write_mark(b, mark_of(key, 1, UNSET, UNSET), 0), LARDER_OK);
}

int32_t remove_key(struct backend *b, struct larder_bytes key) {
    return status_of(b, LARDER_OP_REMOVE, (struct op_inputs){.key = key});
}

/* The epoch is the number, so a driver that keeps the newest entry keeps the one with the greatest;
 * the time tells the length. */
enum { LENGTHS = 1 << 24 };

struct op_inputs whole_put(struct larder_bytes key, size_t len, uint32_t no) {
    return (struct op_inputs){
        .key = key,
        .value = value_of(len, no),
        .modified_ms = (int64_t)no * LENGTHS + (int64_t)len,
        .epoch = no,
    };
}

bool is_whole(const struct op *get, uint32_t *ret_no) {
    const struct larder_result *res = &get->result;
    if (res->status != LARDER_OK || res->epoch < 0 || res->epoch > UINT32_MAX ||
        res->modified_ms != res->epoch * LENGTHS + (int64_t)res->value.len)
        return false;
    *ret_no = (uint32_t)res->epoch;
    return value_is(res->value, res->value.len, *ret_no);
}

static bool send_many(uint32_t code, const char *test, unsigned first, unsigned n) {
    enum { AT_ONCE = 256 };
    struct sent sent[AT_ONCE];
    bool ok = true;
    for (unsigned done = 0; done < n; done += AT_ONCE) {
        unsigned some = n - done < AT_ONCE ? n - done : AT_ONCE;
        for (unsigned i = 0; i < some; i++) {
            struct op_inputs in = {.key = name(test, "%06u", first + done + i)};
            send_op(either(done / AT_ONCE), code, in, &sent[i]);
        }
        drive_wait();
        for (unsigned i = 0; i < some; i++) {
            ok = ok && sent[i].op->result.status == LARDER_OK;
            op_free(sent[i].op);
        }
    }
    return ok;
}

bool put_many(const char *test, unsigned first, unsigned n) {
    return send_many(LARDER_OP_PUT, test, first, n);
}

bool remove_many(const char *test, unsigned first, unsigned n) {
    return send_many(LARDER_OP_REMOVE, test, first, n);
}

/* ---- names -------------------------------------------------------------------------------- */

bool key_byte_allowed(int byte) {
    switch (drive.one->info.key_bytes) {
    case 0: return true;
    case 1: return byte < 0x80;
    default: return byte >= 0x20 && byte < 0x7f;
    }
}

/* What the suite makes is UTF-8 wherever it is not single bytes. */
bool name_allowed(struct larder_bytes text) {
    for (size_t i = 0; i < text.len; i++) {
        if (!key_byte_allowed(text.ptr[i]) && !(drive.one->info.key_bytes == 1 && text.ptr[i] >= 0x80))
            return false;
    }
    return true;
}

#define RAW(text) \
    { (const uint8_t *)(text), sizeof(text) - 1 }

const struct larder_bytes awkward[] = {
    RAW("../x"),
    RAW("x"),
    RAW("../../../../../../tmp/x"),
    RAW("/"),
    RAW("//"),
    RAW("///x"),
    RAW("."),
    RAW(".."),
    RAW("./x"),
    RAW("a/../x"),
    RAW("a//x"),
    RAW("a/x"),
    RAW("a/"),
    RAW("a"),
    RAW("A"),
    RAW("a\0"),
    RAW("a\0\0"),
    RAW("a\0b"),
    RAW("a\0c"),
    RAW("\0"),
    RAW("\0\0"),
    RAW("a\n"),
    RAW("a "),
    RAW(" a"),
    RAW("a\r\n\r\nGET / HTTP/1.1"),
    RAW("%2e%2e%2fx"),
    RAW("a%00"),
    RAW("a+b"),
    RAW("a b"),
    RAW("a%20b"),
    RAW("a?b#c&d=e"),
    RAW("*"),
    RAW("{x}"),
    RAW("[a-z]"),
    RAW("~/x"),
    RAW("\\..\\x"),
    RAW("$HOME"),
    RAW("`id`"),
    RAW("'; --"),
    RAW("<x>"),
    RAW("\xc3\xa9"),
    RAW("e\xcc\x81"),
    RAW("\xf0\x9f\x8d\xb0"),
    RAW(".tmp"),
    RAW("x.tmp"),
    RAW("CON"),
    RAW("con"),
    RAW("__proto__"),
    RAW("epoch"),
};
const size_t n_awkward = N_ELEMENTS(awkward);

/* ---- marks -------------------------------------------------------------------------------- */

bool is_exactly(const struct larder_mark *a, int64_t expired, int64_t stale, int64_t expire_at_ms) {
    return a->expired_epoch == expired && a->stale_epoch == stale && a->expire_at_ms == expire_at_ms;
}

bool says_the_same(struct larder_mark a, struct larder_mark b, int64_t now_ms) {
    a = larder_merge_settled(a, now_ms);
    b = larder_merge_settled(b, now_ms);
    return is_exactly(&a, b.expired_epoch, b.stale_epoch, b.expire_at_ms);
}

static size_t marks_of_one_op(size_t left) {
    enum { ENOUGH = 200 };
    size_t most = drive.one->info.max_marks;
    most = most == 0 || most > ENOUGH ? ENOUGH : most;
    return left < most ? left : most;
}

int32_t write_marks(struct backend *b, const struct larder_mark *marks, size_t n) {
    int32_t status = LARDER_OK;
    for (size_t some; n > 0 && status == LARDER_OK; marks += some, n -= some) {
        some = marks_of_one_op(n);
        status = status_of(b, LARDER_OP_TAGS_WRITE, (struct op_inputs){.marks = marks, .n_marks = some});
    }
    return status;
}

/* The answers of one op, which may come in any order, to their places. */
static bool sort_answers(const struct op *op, struct larder_mark *ret, size_t n) {
    size_t at = 0;
    for (size_t i = 0; i < op->n_marks; i++) {
        size_t tried = 0;
        while (tried < n && !bytes_equal(op->marks[i].tag, ret[at].tag)) {
            at = (at + 1) % n;
            tried++;
        }
        if (tried == n)
            return false;
        struct larder_bytes tag = ret[at].tag;
        ret[at] = op->marks[i];
        ret[at].tag = tag;
    }
    return true;
}

bool read_marks(struct backend *b, const struct larder_mark *ask, size_t n, struct larder_mark *ret) {
    bool ok = true;
    for (size_t i = 0; i < n; i++)
        ret[i] = mark_of(ask[i].tag, UNSET, UNSET, UNSET);
    for (size_t some; n > 0 && ok; ret += some, n -= some) {
        some = marks_of_one_op(n);
        struct op *op = call(b, LARDER_OP_TAGS_READ, (struct op_inputs){.marks = ret, .n_marks = some});
        ok = op->result.status == LARDER_OK && op->n_marks <= some && sort_answers(op, ret, some);
        op_free(op);
    }
    return ok;
}
