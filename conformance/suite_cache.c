/* The incremental cache: values, keys, replacing, removing, listing. */
#include "drive.h"

enum { MB = 1 << 20 };

static int32_t get_op(struct backend *b, struct larder_bytes key, struct larder_result *ret) {
    struct op *op = call(b, LARDER_OP_GET, (struct op_inputs){.key = key});
    int32_t status = op->result.status;
    *ret = op->result;
    ret->value.owner = NULL; /* goes with the op */
    ret->detail = NULL;
    op_free(op);
    return status;
}

static void a_key_that_was_never_put_is_a_miss_without_a_value(void) {
    struct op *op = call(drive.one, LARDER_OP_GET, (struct op_inputs){.key = name("never", "x")});
    CU_ASSERT_EQUAL(op->result.status, LARDER_MISS);
    CU_ASSERT_EQUAL(op->result.value.len, 0);
    CU_ASSERT_PTR_NULL(op->result.value.owner);
    op_free(op);
}

static void values_of_every_size_are_read_back_byte_for_byte(void) {
    static const size_t sizes[] = {0,    1,     2,     7,          8,  255,    4095,   4096,
                                   4097, 65535, 65536, 400 * 1024, MB, MB + 1, 20 * MB};
    uint64_t max_value = drive.one->info.max_value;
    for (size_t i = 0; i < N_ELEMENTS(sizes); i++) {
        if (max_value > 0 && sizes[i] > max_value) {
            unclaimed("values that large");
            break;
        }
        struct larder_bytes key = name("sizes", "%zu", sizes[i]);
        CU_ASSERT_EQUAL(get_value(drive.one, key, sizes[i], i), LARDER_MISS);
        CU_ASSERT_EQUAL(put_value(drive.one, key, sizes[i], i, 0), LARDER_OK);
        CU_ASSERT_EQUAL(get_value(drive.one, key, sizes[i], i), LARDER_OK);
        CU_ASSERT_EQUAL(get_value(drive.one, key, sizes[i], i), LARDER_OK);
        CU_ASSERT_EQUAL(status_of(drive.one, LARDER_OP_REMOVE, (struct op_inputs){.key = key}), LARDER_OK);
    }
}

static void a_value_beyond_the_limit_is_refused_as_too_big(void) {
    uint64_t max_value = drive.one->info.max_value;
    if (max_value == 0 || max_value > 64 * MB) {
        unclaimed("a limit for values that is worth trying");
        return;
    }
    struct larder_bytes key = name("too-big", "x");
    CU_ASSERT_EQUAL(put_value(drive.one, key, (size_t)max_value, 1, 0), LARDER_OK);
    CU_ASSERT_EQUAL(put_value(drive.one, key, (size_t)max_value + 1, 2, 0), LARDER_TOO_BIG);
    CU_ASSERT_EQUAL(get_value(drive.one, key, (size_t)max_value, 1), LARDER_OK);
}

static void a_value_may_be_a_part_of_a_larger_buffer(void) {
    struct larder_slice whole = value_of(1000, 1), part = whole;
    part.ptr += 100;
    part.len = 50;
    struct larder_bytes key = name("part", "x");
    CU_ASSERT_EQUAL(status_of(drive.one, LARDER_OP_PUT, (struct op_inputs){.key = key, .value = part}),
                    LARDER_OK);
    struct op *op = call(drive.one, LARDER_OP_GET, (struct op_inputs){.key = key});
    CU_ASSERT(bytes_equal(slice_bytes(op->result.value), slice_bytes(part)));
    op_free(op);
    slice_done(&whole);
}

static void times_and_epochs_are_read_back_exactly(void) {
    static const int64_t numbers[] = {0,
                                      1,
                                      -1,
                                      1700000000123,
                                      (INT64_C(1) << 53) + 1,
                                      -((INT64_C(1) << 53) + 1),
                                      INT64_MAX - 1,
                                      INT64_MIN + 1};
    for (size_t i = 0; i < N_ELEMENTS(numbers); i++) {
        for (size_t j = 0; j < N_ELEMENTS(numbers); j++) {
            struct larder_bytes key = name("exact", "%zu-%zu", i, j);
            struct op_inputs in = {.key = key, .modified_ms = numbers[i], .epoch = numbers[j]};
            CU_ASSERT_EQUAL(status_of(drive.one, LARDER_OP_PUT, in), LARDER_OK);
            struct larder_result got;
            CU_ASSERT_EQUAL(get_op(drive.one, key, &got), LARDER_OK);
            CU_ASSERT_EQUAL(got.modified_ms, numbers[i]);
            CU_ASSERT_EQUAL(got.epoch, numbers[j]);
        }
    }
}

/* ---- keys ------------------------------------------------------------------------------ */

static bool key_byte_allowed(int byte) {
    switch (drive.one->info.key_bytes) {
    case 0: return true;
    case 1: return byte < 0x80;
    default: return byte >= 0x20 && byte < 0x7f;
    }
}

/* Under each key in turn, then all at once: a key that is folded onto another shows. */
static void every_byte_may_stand_in_a_key(void) {
    for (int byte = 0; byte < 256; byte++) {
        uint8_t tails[2][3] = {{(uint8_t)byte}, {'a', (uint8_t)byte, 'b'}};
        for (int i = 0; i < 2 && key_byte_allowed(byte); i++) {
            struct larder_bytes key = name_bytes("bytes", tails[i], i == 0 ? 1 : 3);
            CU_ASSERT_EQUAL(put_value(drive.one, key, 9, (uint64_t)(byte * 2 + i), 0), LARDER_OK);
        }
    }
    for (int byte = 0; byte < 256; byte++) {
        uint8_t tails[2][3] = {{(uint8_t)byte}, {'a', (uint8_t)byte, 'b'}};
        for (int i = 0; i < 2 && key_byte_allowed(byte); i++) {
            struct larder_bytes key = name_bytes("bytes", tails[i], i == 0 ? 1 : 3);
            CU_ASSERT_EQUAL(get_value(drive.one, key, 9, (uint64_t)(byte * 2 + i)), LARDER_OK);
        }
    }
    if (drive.one->info.key_bytes != 0)
        unclaimed("every byte in keys");
}

#define RAW(text) \
    { (const uint8_t *)(text), sizeof(text) - 1 }

static void keys_are_data_and_lead_nowhere(void) {
    static const struct larder_bytes tails[] = {RAW("../x"),
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
                                                RAW("a\0b"),
                                                RAW("a\0c"),
                                                RAW("\0"),
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
                                                RAW("__proto__")};
    unsigned skipped = 0;
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < N_ELEMENTS(tails); i++) {
            bool allowed = true;
            for (size_t at = 0; at < tails[i].len; at++)
                allowed = allowed && (key_byte_allowed(tails[i].ptr[at]) ||
                                      (drive.one->info.key_bytes == 1 && tails[i].ptr[at] >= 0x80));
            if (!allowed) {
                skipped++;
                continue;
            }
            struct larder_bytes key = name_bytes("awkward", tails[i].ptr, tails[i].len);
            if (round == 0)
                CU_ASSERT_EQUAL(put_value(drive.one, key, 20, i, 0), LARDER_OK);
            if (round == 1)
                CU_ASSERT_EQUAL(get_value(drive.one, key, 20, i), LARDER_OK);
        }
    }
    if (skipped > 0)
        unclaimed("every byte in keys");
}

static void long_keys_that_differ_in_their_last_byte_are_different_keys(void) {
    size_t len = 4096, base = name("long", "%s", "").len;
    uint64_t max_key = drive.one->info.max_key;
    if (max_key > 0 && max_key < len) {
        unclaimed("keys of 4 KB");
        len = (size_t)max_key;
    }
    if (len < base + 2)
        return;
    char *tail = malloc(len);
    CU_ASSERT_PTR_NOT_NULL_FATAL(tail);
    memset(tail, 'k', len);
    for (int i = 0; i < 3; i++) {
        tail[len - base - 1] = (char)('a' + i);
        CU_ASSERT_EQUAL(put_value(drive.one, name_bytes("long", tail, len - base), 30, (uint64_t)i, 0),
                        LARDER_OK);
    }
    for (int i = 0; i < 3; i++) {
        tail[len - base - 1] = (char)('a' + i);
        CU_ASSERT_EQUAL(get_value(drive.one, name_bytes("long", tail, len - base), 30, (uint64_t)i),
                        LARDER_OK);
    }
    tail[len - base - 1] = 'z';
    CU_ASSERT_FALSE(is_there(drive.one, name_bytes("long", tail, len - base)));
    CU_ASSERT_FALSE(is_there(drive.one, name_bytes("long", tail, len - base - 1)));
    free(tail);
}

/* ---- replace, remove ---------------------------------------------------------------------- */

static void a_put_replaces_all_of_what_was_there(void) {
    static const size_t sizes[] = {10, 100000, 3, 0, 70000, 1};
    struct larder_bytes key = name("replace", "x");
    for (size_t i = 0; i < N_ELEMENTS(sizes); i++) {
        struct larder_slice value = value_of(sizes[i], i);
        struct op_inputs in = {
            .key = key, .value = value, .modified_ms = (int64_t)i * 7, .epoch = (int64_t)i};
        CU_ASSERT_EQUAL(status_of(drive.one, LARDER_OP_PUT, in), LARDER_OK);
        struct larder_result got;
        CU_ASSERT_EQUAL(get_op(drive.one, key, &got), LARDER_OK);
        CU_ASSERT_EQUAL(got.modified_ms, (int64_t)i * 7);
        CU_ASSERT_EQUAL(got.epoch, (int64_t)i);
        CU_ASSERT_EQUAL(get_value(drive.one, key, sizes[i], i), LARDER_OK);
        slice_done(&value);
    }
}

static void a_removed_key_is_a_miss_and_its_neighbours_stay(void) {
    struct larder_bytes a = name("remove", "a"), ab = name("remove", "ab"), none = name("remove", "none");
    CU_ASSERT_EQUAL(put_value(drive.one, a, 5, 1, 0), LARDER_OK);
    CU_ASSERT_EQUAL(put_value(drive.one, ab, 5, 2, 0), LARDER_OK);
    for (int i = 0; i < 2; i++) { /* twice: any op may be repeated */
        CU_ASSERT_EQUAL(status_of(drive.one, LARDER_OP_REMOVE, (struct op_inputs){.key = a}), LARDER_OK);
        CU_ASSERT_FALSE(is_there(drive.one, a));
        CU_ASSERT_EQUAL(get_value(drive.one, ab, 5, 2), LARDER_OK);
    }
    CU_ASSERT_EQUAL(status_of(drive.one, LARDER_OP_REMOVE, (struct op_inputs){.key = none}), LARDER_OK);
    CU_ASSERT_EQUAL(put_value(drive.one, a, 6, 3, 0), LARDER_OK);
    CU_ASSERT_EQUAL(get_value(drive.one, a, 6, 3), LARDER_OK);
}

static void a_put_if_absent_leaves_what_is_stored(void) {
    struct larder_bytes key = name("if-absent", "x");
    struct larder_slice first = value_of(11, 1), second = value_of(12, 2);
    struct op_inputs in = {.key = key, .value = first, .epoch = 1, .flags = LARDER_IF_ABSENT};
    CU_ASSERT_EQUAL(status_of(drive.one, LARDER_OP_PUT, in), LARDER_OK);
    in.value = second;
    in.epoch = 2;
    CU_ASSERT_EQUAL(status_of(drive.one, LARDER_OP_PUT, in), LARDER_MISS);
    CU_ASSERT_EQUAL(get_value(drive.one, key, 11, 1), LARDER_OK);
    CU_ASSERT_EQUAL(status_of(drive.one, LARDER_OP_REMOVE, (struct op_inputs){.key = key}), LARDER_OK);
    CU_ASSERT_EQUAL(status_of(drive.one, LARDER_OP_PUT, in), LARDER_OK);
    CU_ASSERT_EQUAL(get_value(drive.one, key, 12, 2), LARDER_OK);
    slice_done(&first);
    slice_done(&second);
}

static void of_many_that_put_if_absent_at_once_one_succeeds(void) {
    enum { RACERS = 32 };
    struct larder_bytes key = name("race", "x");
    struct sent sent[RACERS];
    for (unsigned i = 0; i < RACERS; i++) {
        struct larder_slice value = value_of(64, i);
        struct op_inputs in = {.key = key, .value = value, .flags = LARDER_IF_ABSENT};
        send_op(i % 2 ? drive.two : drive.one, LARDER_OP_PUT, in, &sent[i]);
        slice_done(&value);
    }
    drive_wait();
    unsigned winners = 0, winner = 0;
    for (unsigned i = 0; i < RACERS; i++) {
        int32_t status = sent[i].op->result.status;
        CU_ASSERT(status == LARDER_OK || status == LARDER_MISS);
        if (status == LARDER_OK) {
            winners++;
            winner = i;
        }
        op_free(sent[i].op);
    }
    CU_ASSERT_EQUAL(winners, 1);
    CU_ASSERT_EQUAL(get_value(drive.one, key, 64, winner), LARDER_OK);
}

/* ---- list ------------------------------------------------------------------------------------ */

static void many_keys_are_listed_page_by_page_from_either_instance(void) {
    if (!has(LARDER_OP_LIST, "list"))
        return;
    enum { AT_ONCE = 256 };
    struct sent sent[AT_ONCE];
    for (unsigned first = 0; first < drive.n_keys; first += AT_ONCE) {
        unsigned n = drive.n_keys - first < AT_ONCE ? drive.n_keys - first : AT_ONCE;
        for (unsigned i = 0; i < n; i++)
            send_op(drive.one, LARDER_OP_PUT, (struct op_inputs){.key = name("list", "%06u", first + i)},
                    &sent[i]);
        drive_wait();
        for (unsigned i = 0; i < n; i++) {
            CU_ASSERT_EQUAL(sent[i].op->result.status, LARDER_OK);
            op_free(sent[i].op);
        }
    }
    CU_ASSERT_EQUAL(put_value(drive.one, name("list2", "%06u", 1u), 1, 1, 0), LARDER_OK);

    static const uint64_t limits[] = {0, 100, 997, UINT64_MAX};
    for (size_t i = 0; i < N_ELEMENTS(limits); i++) {
        struct tally t;
        tally_init(&t, "list", drive.n_keys);
        CU_ASSERT_TRUE(walk(LARDER_OP_LIST, name("list", "%s", ""), limits[i], tally_seen, &t));
        CU_ASSERT_EQUAL(t.found, drive.n_keys);
        CU_ASSERT_EQUAL(t.strangers, 0);
        tally_done(&t);
    }
    struct tally t; /* a prefix need not end at a slash */
    tally_init(&t, "list", drive.n_keys);
    CU_ASSERT_TRUE(walk(LARDER_OP_LIST, name("list", "0000"), 7, tally_seen, &t));
    CU_ASSERT_EQUAL(t.found, drive.n_keys < 100 ? drive.n_keys : 100);
    CU_ASSERT_EQUAL(t.strangers, 0);
    tally_done(&t);
}

static void a_prefix_that_no_key_has_lists_nothing(void) {
    if (!has(LARDER_OP_LIST, "list"))
        return;
    struct tally t;
    tally_init(&t, "list-none", 1);
    CU_ASSERT_TRUE(walk(LARDER_OP_LIST, name("list-none", "%s", ""), 10, tally_seen, &t));
    CU_ASSERT_EQUAL(t.found + t.strangers, 0);
    tally_done(&t);
}

struct remover {
    struct tally tally;
    unsigned removed;
};

/* Takes away every third key while the listing goes on. */
static void remove_some(void *arg, struct larder_bytes record) {
    struct remover *r = arg;
    tally_seen(&r->tally, record);
    unsigned next = r->removed * 3;
    if (next < r->tally.n) {
        struct op_inputs in = {.key = name("list-while", "%06u", next)};
        CU_ASSERT_EQUAL(status_of(drive.one, LARDER_OP_REMOVE, in), LARDER_OK);
        r->removed++;
    }
}

static void keys_that_stay_are_listed_while_others_go(void) {
    enum { KEYS = 300 };
    if (!has(LARDER_OP_LIST, "list"))
        return;
    for (unsigned i = 0; i < KEYS; i++)
        CU_ASSERT_EQUAL(put_value(drive.one, name("list-while", "%06u", i), 3, i, 0), LARDER_OK);
    struct remover r = {.removed = 0};
    tally_init(&r.tally, "list-while", KEYS);
    CU_ASSERT_TRUE(walk(LARDER_OP_LIST, name("list-while", "%s", ""), 10, remove_some, &r));
    for (unsigned i = 0; i < KEYS; i++) {
        if (i % 3 != 0)
            CU_ASSERT(r.tally.counts[i] >= 1);
    }
    tally_done(&r.tally);
}

static void a_removed_key_is_listed_no_more(void) {
    if (!has(LARDER_OP_LIST, "list"))
        return;
    for (unsigned i = 0; i < 3; i++)
        CU_ASSERT_EQUAL(put_value(drive.one, name("list-gone", "%06u", i), 3, i, 0), LARDER_OK);
    CU_ASSERT_EQUAL(
        status_of(drive.one, LARDER_OP_REMOVE, (struct op_inputs){.key = name("list-gone", "000001")}),
        LARDER_OK);
    struct tally t;
    tally_init(&t, "list-gone", 3);
    CU_ASSERT_TRUE(walk(LARDER_OP_LIST, name("list-gone", "%s", ""), 0, tally_seen, &t));
    CU_ASSERT_EQUAL(t.found, 2);
    CU_ASSERT_EQUAL(t.counts[1], 0);
    tally_done(&t);
}

/* Cursors go through the hands of users. */
static void a_cursor_that_the_driver_did_not_make_does_no_harm(void) {
    static const uint32_t codes[] = {LARDER_OP_LIST, LARDER_OP_KEYS_OF, LARDER_OP_LIST_MARKS};
    static const size_t lens[] = {1, 2, 31, 32, 33, 5000};
    struct larder_bytes key = name("garbage", "x");
    CU_ASSERT_EQUAL(put_value(drive.one, key, 1, 1, 0), LARDER_OK);
    for (size_t i = 0; i < N_ELEMENTS(codes); i++) {
        for (size_t j = 0; j < N_ELEMENTS(lens) && backend_can(drive.one, codes[i]); j++) {
            struct larder_slice garbage = value_of(lens[j], j * 2);
            struct op_inputs in = {.key = key, .cursor = slice_bytes(garbage)};
            int32_t status = status_of(drive.one, codes[i], in);
            if (status != LARDER_OK && status != LARDER_INVALID)
                printf("(op code %u: %s) ", codes[i], larder_status_name(status));
            CU_ASSERT(status == LARDER_OK || status == LARDER_INVALID);
            slice_done(&garbage);
        }
    }
    CU_ASSERT_EQUAL(get_value(drive.one, key, 1, 1), LARDER_OK);
}

static const struct unit_test tests[] = {
    UNIT(a_key_that_was_never_put_is_a_miss_without_a_value),
    UNIT(values_of_every_size_are_read_back_byte_for_byte),
    UNIT(a_value_beyond_the_limit_is_refused_as_too_big),
    UNIT(a_value_may_be_a_part_of_a_larger_buffer),
    UNIT(times_and_epochs_are_read_back_exactly),
    UNIT(every_byte_may_stand_in_a_key),
    UNIT(keys_are_data_and_lead_nowhere),
    UNIT(long_keys_that_differ_in_their_last_byte_are_different_keys),
    UNIT(a_put_replaces_all_of_what_was_there),
    UNIT(a_removed_key_is_a_miss_and_its_neighbours_stay),
    UNIT(a_put_if_absent_leaves_what_is_stored),
    UNIT(of_many_that_put_if_absent_at_once_one_succeeds),
    UNIT(many_keys_are_listed_page_by_page_from_either_instance),
    UNIT(a_prefix_that_no_key_has_lists_nothing),
    UNIT(keys_that_stay_are_listed_while_others_go),
    UNIT(a_removed_key_is_listed_no_more),
    UNIT(a_cursor_that_the_driver_did_not_make_does_no_harm),
};
const struct suite cache_suite = {"the incremental cache", LARDER_OP_GET, tests, N_ELEMENTS(tests)};
