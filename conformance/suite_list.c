/* Listing: pages, cursors and prefixes, while others write. */

#include "suites.h"

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
    UNIT(many_keys_are_listed_page_by_page_from_either_instance),
    UNIT(a_prefix_that_no_key_has_lists_nothing),
    UNIT(keys_that_stay_are_listed_while_others_go),
    UNIT(a_removed_key_is_listed_no_more),
    UNIT(a_cursor_that_the_driver_did_not_make_does_no_harm),
};
const struct suite list_suite = {"list", LARDER_OP_LIST, tests, N_ELEMENTS(tests)};
