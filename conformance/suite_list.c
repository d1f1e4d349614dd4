/* Listing: pages, cursors and prefixes, while others write. */
#include "race.h"
#include "random.h"
#include "suites.h"

/* Each key once or more, and nothing else. */
static void list_has(const char *test, const char *begins, unsigned n_keys, unsigned n, uint64_t limit) {
    struct tally t;
    tally_init(&t, test, n_keys);
    CU_ASSERT_TRUE(walk(LARDER_OP_LIST, name(test, "%s", begins), limit, tally_seen, &t));
    CU_ASSERT_EQUAL(t.found, n);
    CU_ASSERT_EQUAL(t.strangers, 0);
    tally_done(&t);
}

static void few_keys_are_listed_one_by_one(void) {
    enum { KEYS = 30 };
    CU_ASSERT_TRUE(put_many("list-few", 0, KEYS));
    list_has("list-few", "", KEYS, KEYS, 1);
    list_has("list-few", "", KEYS, KEYS, 2);
    list_has("list-few", "", KEYS, KEYS, KEYS - 1);
    list_has("list-few", "", KEYS, KEYS, KEYS);
    list_has("list-few", "", KEYS, KEYS, KEYS + 1);
    list_has("list-few", "", KEYS, KEYS, UINT64_MAX);
    list_has("list-few", "00002", KEYS, 10, 3);
    list_has("list-few", "000021", KEYS, 1, 1); /* a whole key */
    list_has("list-few", "0000210", KEYS, 0, 0);
}

/* A hint; but who asks for ten wants to show ten, and not to hold all there are. */
static void a_limit_keeps_the_pages_small(void) {
    enum { KEYS = 500, LIMIT = 10 };
    unsigned keys = drive.n_keys < KEYS ? drive.n_keys : KEYS;
    CU_ASSERT_TRUE(put_many("list-limit", 0, keys));
    struct op_inputs in = {.key = name("list-limit", "%s", ""), .limit = LIMIT};
    struct op *op = call(drive.one, LARDER_OP_LIST, in);
    CU_ASSERT_EQUAL(op->result.status, LARDER_OK);
    CU_ASSERT(op->n_keys <= keys / 2);
    CU_ASSERT(op->result.cursor.len > 0);
    op_free(op);
}

static void a_prefix_that_no_key_has_lists_nothing(void) {
    list_has("list-none", "", 1, 0, 10);
}

static void a_removed_key_is_listed_no_more(void) {
    CU_ASSERT_TRUE(put_many("list-gone", 0, 3));
    CU_ASSERT_EQUAL(remove_key(drive.one, name("list-gone", "000001")), LARDER_OK);
    list_has("list-gone", "", 3, 2, 0);
}

struct hunt {
    struct larder_bytes key;
    unsigned found, others;
};

static void look_for(void *arg, struct larder_bytes record) {
    struct hunt *h = arg;
    *(bytes_equal(record, h->key) ? &h->found : &h->others) += 1;
}

struct listed { /* of awkward[] */
    const char *test;
    unsigned counts[64], strangers;
};

static void count_awkward(void *arg, struct larder_bytes record) {
    struct listed *l = arg;
    for (size_t i = 0; i < n_awkward; i++) {
        if (bytes_equal(record, name_bytes(l->test, awkward[i].ptr, awkward[i].len))) {
            l->counts[i]++;
            return;
        }
    }
    l->strangers++;
}

/* The keys, not ones that look like them: what is listed is given to remove and get. */
static void keys_are_listed_as_they_were_put(void) {
    unsigned skipped = 0;
    struct listed l = {.test = "list-awkward"};
    CU_ASSERT_FATAL(n_awkward <= N_ELEMENTS(l.counts));
    for (size_t i = 0; i < n_awkward; i++) {
        if (name_allowed(awkward[i]))
            CU_ASSERT_EQUAL(put_value(drive.one, name_bytes(l.test, awkward[i].ptr, awkward[i].len), 1, 1, 0),
                            LARDER_OK);
    }
    CU_ASSERT_TRUE(walk(LARDER_OP_LIST, name(l.test, "%s", ""), 0, count_awkward, &l));
    for (size_t i = 0; i < n_awkward; i++) {
        skipped += !name_allowed(awkward[i]);
        CU_ASSERT(l.counts[i] >= 1 || !name_allowed(awkward[i]));
    }
    CU_ASSERT_EQUAL(l.strangers, 0);
    if (skipped > 0)
        unclaimed("every byte in keys");
}

/* 0xff is where "up to the next prefix" overflows. */
static void a_prefix_may_end_in_any_byte(void) {
    static const int bytes[] = {0x00, '%', '*', '[', '_', 0x7f, 0x80, 0xff};
    for (size_t i = 0; i < N_ELEMENTS(bytes); i++) {
        uint8_t tail[4] = {'p', (uint8_t)bytes[i], (uint8_t)bytes[i], 'x'};
        if (!key_byte_allowed(bytes[i]))
            continue;
        struct hunt h = {.key = name_bytes("list-prefix", tail, sizeof(tail))};
        CU_ASSERT_EQUAL(put_value(drive.one, h.key, 1, 1, 0), LARDER_OK);
        size_t shortest = bytes[i] == 0xff ? 2 : sizeof(tail) - 1;
        for (size_t len = shortest; len < sizeof(tail); len++) {
            h.found = h.others = 0;
            CU_ASSERT_TRUE(walk(LARDER_OP_LIST, name_bytes("list-prefix", tail, len), 0, look_for, &h));
            CU_ASSERT(h.found >= 1);
            CU_ASSERT_EQUAL(h.others, 0);
        }
    }
    if (drive.one->info.key_bytes != 0)
        unclaimed("every byte in keys");
}

static void the_empty_prefix_lists_everything(void) {
    struct hunt h = {.key = name("list-all", "x")};
    CU_ASSERT_EQUAL(put_value(drive.one, h.key, 1, 1, 0), LARDER_OK);
    CU_ASSERT_TRUE(walk(LARDER_OP_LIST, NOTHING, 0, look_for, &h));
    CU_ASSERT(h.found >= 1);
}

/* ---- cursors -------------------------------------------------------------------------------- */

enum { CURSOR_KEYS = 120, FIRST_PAGE = 20 };

/* The first page of name(test, "%06u"), its keys in t; a copy of its cursor.  slice_done() it. */
static struct larder_slice first_page(const char *test, struct tally *t) {
    CU_ASSERT_TRUE(put_many(test, 0, CURSOR_KEYS));
    tally_init(t, test, CURSOR_KEYS);
    struct op *op = call(drive.one, LARDER_OP_LIST,
                         (struct op_inputs){.key = t->prefix, .limit = FIRST_PAGE});
    CU_ASSERT_EQUAL(op->result.status, LARDER_OK);
    for (size_t i = 0; i < op->n_keys; i++)
        tally_seen(t, op->keys[i]);
    struct larder_slice cursor = slice_ref(op->result.cursor);
    op_free(op);
    return cursor;
}

/* What is left from a cursor on. */
static bool walk_on(struct backend *b, struct larder_bytes prefix, struct larder_slice from, seen_fn *seen,
                    void *arg) {
    struct larder_slice cursor = slice_ref(from);
    bool ok = true;
    for (unsigned pages = 0; ok && cursor.len > 0 && pages < 4 * CURSOR_KEYS; pages++) {
        struct op_inputs in = {.key = prefix, .limit = FIRST_PAGE, .cursor = slice_bytes(cursor)};
        struct op *op = call(b, LARDER_OP_LIST, in);
        ok = op->result.status == LARDER_OK;
        for (size_t i = 0; i < op->n_keys; i++)
            seen(arg, op->keys[i]);
        slice_done(&cursor);
        cursor = ok ? slice_ref(op->result.cursor) : (struct larder_slice){0};
        op_free(op);
    }
    ok = ok && cursor.len == 0;
    slice_done(&cursor);
    return ok;
}

static void a_cursor_may_be_used_again_and_in_an_instance_that_is_opened_later(void) {
    struct tally t;
    struct larder_slice cursor = first_page("cursor-again", &t);
    struct backend *later = drive_open();
    CU_ASSERT_PTR_NOT_NULL_FATAL(later);
    for (unsigned i = 0; i < 3; i++) {
        struct tally rest;
        tally_init(&rest, "cursor-again", CURSOR_KEYS);
        CU_ASSERT_TRUE(walk_on(i == 2 ? later : either(i), t.prefix, cursor, tally_seen, &rest));
        for (unsigned j = 0; j < CURSOR_KEYS; j++)
            CU_ASSERT(t.counts[j] + rest.counts[j] >= 1);
        CU_ASSERT_EQUAL(rest.strangers, 0);
        tally_done(&rest);
    }
    drive_close(later);
    slice_done(&cursor);
    tally_done(&t);
}

static void say_number(void *arg, struct larder_bytes record) {
    (void)arg;
    char digits[8] = "";
    if (record.len >= 6)
        memcpy(digits, record.ptr + record.len - 6, 6);
    race_say(strtol(digits, NULL, 10));
}

static bool list_on(const struct race_job *job) {
    struct larder_slice cursor;
    uint8_t *bytes = buf_new(job->extra.len, &cursor);
    if (!bytes)
        return false;
    bytes_put(bytes, job->extra);
    bool ok = walk_on(drive.one, job->key, cursor, say_number, NULL);
    slice_done(&cursor);
    return ok;
}
const struct role lists_on_role = {"lists on", list_on};

static void a_cursor_is_good_in_another_process(void) {
    if (!claims(LARDER_SHARED, "sharing between processes"))
        return;
    struct tally t;
    struct race race;
    struct larder_slice cursor = first_page("cursor-process", &t);
    CU_ASSERT_TRUE(race_run(&race, "lists on", 1, t.prefix, slice_bytes(cursor)));
    for (size_t i = 0; race.n > 0 && i < race.racers[0].n_said; i++) {
        int64_t no = race.racers[0].said[i];
        CU_ASSERT_FATAL(no >= 0 && no < CURSOR_KEYS);
        t.counts[no]++;
    }
    for (unsigned i = 0; i < CURSOR_KEYS; i++)
        CU_ASSERT(t.counts[i] >= 1);
    race_done(&race);
    slice_done(&cursor);
    tally_done(&t);
}

static void a_cursor_is_good_when_the_keys_of_its_page_are_gone(void) {
    struct tally t, rest;
    struct larder_slice cursor = first_page("cursor-gone", &t);
    for (unsigned i = 0; i < CURSOR_KEYS; i++) {
        if (t.counts[i] > 0)
            CU_ASSERT_EQUAL(remove_key(drive.two, name("cursor-gone", "%06u", i)), LARDER_OK);
    }
    tally_init(&rest, "cursor-gone", CURSOR_KEYS);
    CU_ASSERT_TRUE(walk_on(drive.one, t.prefix, cursor, tally_seen, &rest));
    for (unsigned i = 0; i < CURSOR_KEYS; i++)
        CU_ASSERT_EQUAL(rest.counts[i] > 0, t.counts[i] == 0);
    slice_done(&cursor);
    tally_done(&rest);
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
                note("op code %u answers %s", codes[i], larder_status_name(status));
            CU_ASSERT(status == LARDER_OK || status == LARDER_INVALID);
            slice_done(&garbage);
        }
    }
    CU_ASSERT_EQUAL(get_value(drive.one, key, 1, 1), LARDER_OK);
}

/* A true cursor with a byte changed: whatever page that is, it is one. */
static void a_cursor_that_was_changed_on_its_way_does_no_harm(void) {
    enum { TRIES = 60 };
    struct tally t;
    struct larder_slice cursor = first_page("cursor-changed", &t);
    for (unsigned i = 0; i < TRIES && cursor.len > 0; i++) {
        struct larder_slice changed;
        uint8_t *bytes = buf_new(cursor.len, &changed);
        CU_ASSERT_PTR_NOT_NULL_FATAL(bytes);
        memcpy(bytes, cursor.ptr, cursor.len);
        bytes[random_below(&drive.random, (uint32_t)cursor.len)] ^= (uint8_t)(1 + random_below(&drive.random,
                                                                                               255));
        struct op_inputs in = {.key = t.prefix, .cursor = slice_bytes(changed), .limit = 5};
        in.cursor.len -= i % 3 == 0 ? random_below(&drive.random, (uint32_t)cursor.len) : 0;
        int32_t status = status_of(drive.one, LARDER_OP_LIST, in);
        CU_ASSERT(status == LARDER_OK || status == LARDER_INVALID);
        slice_done(&changed);
    }
    slice_done(&cursor);
    tally_done(&t);
}

/* ---- while others write ------------------------------------------------------------------------- */

struct others {
    struct tally tally;
    unsigned n; /* keys that came or went so far */
};

/* Takes away every third key while the listing goes on, and adds one that was not there. */
static void come_and_go(void *arg, struct larder_bytes record) {
    struct others *o = arg;
    tally_seen(&o->tally, record);
    unsigned next = o->n * 3;
    if (next < o->tally.n) {
        CU_ASSERT_EQUAL(remove_key(drive.one, name("list-while", "%06u", next)), LARDER_OK);
        CU_ASSERT_EQUAL(put_value(drive.two, name("list-while", "%06u", next + 500000), 3, 1, 0), LARDER_OK);
        o->n++;
    }
}

static void keys_that_stay_are_listed_while_others_come_and_go(void) {
    enum { KEYS = 300 };
    CU_ASSERT_TRUE(put_many("list-while", 0, KEYS));
    struct others o = {.n = 0};
    tally_init(&o.tally, "list-while", KEYS);
    CU_ASSERT_TRUE(walk(LARDER_OP_LIST, name("list-while", "%s", ""), 10, come_and_go, &o));
    for (unsigned i = 0; i < KEYS; i++) {
        if (i % 3 != 0)
            CU_ASSERT(o.tally.counts[i] >= 1);
    }
    tally_done(&o.tally);
}

/* They go again: whoever lists after this need not step over them. */
static void many_keys_are_listed_page_by_page_from_either_instance(void) {
    static const uint64_t limits[] = {0, 997};
    CU_ASSERT_TRUE_FATAL(put_many("list", 0, drive.n_keys));
    CU_ASSERT_EQUAL(put_value(drive.one, name("list2", "%06u", 1u), 1, 1, 0), LARDER_OK);
    for (size_t i = 0; i < N_ELEMENTS(limits); i++)
        list_has("list", "", drive.n_keys, drive.n_keys, limits[i]);
    list_has("list", "0000", drive.n_keys, drive.n_keys < 100 ? drive.n_keys : 100,
             7); /* no slash at its end */
    CU_ASSERT_TRUE(remove_many("list", 0, drive.n_keys));
    list_has("list", "", drive.n_keys, 0, 0);
}

static const struct unit_test tests[] = {
    UNIT(few_keys_are_listed_one_by_one),
    UNIT(a_limit_keeps_the_pages_small),
    UNIT(a_prefix_that_no_key_has_lists_nothing),
    UNIT(a_removed_key_is_listed_no_more),
    UNIT(keys_are_listed_as_they_were_put),
    UNIT(a_prefix_may_end_in_any_byte),
    UNIT(the_empty_prefix_lists_everything),
    UNIT(a_cursor_may_be_used_again_and_in_an_instance_that_is_opened_later),
    UNIT(a_cursor_is_good_in_another_process),
    UNIT(a_cursor_is_good_when_the_keys_of_its_page_are_gone),
    UNIT(a_cursor_that_the_driver_did_not_make_does_no_harm),
    UNIT(a_cursor_that_was_changed_on_its_way_does_no_harm),
    UNIT(keys_that_stay_are_listed_while_others_come_and_go),
    UNIT(many_keys_are_listed_page_by_page_from_either_instance),
};
const struct suite list_suite = {"list", LARDER_OP_LIST, tests, N_ELEMENTS(tests)};
