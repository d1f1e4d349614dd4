/* The index: which keys carry a tag, which tags a key carries. */
#include "race.h"
#include "suites.h"

enum { MAX_TAGS = 300 };

static int32_t link_key(struct backend *b, struct larder_bytes key, const struct larder_bytes *tags,
                        size_t n) {
    struct larder_mark marks[MAX_TAGS];
    for (size_t i = 0; i < n; i++)
        marks[i] = mark_of(tags[i], UNSET, UNSET, UNSET);
    return status_of(b, LARDER_OP_LINK, (struct op_inputs){.key = key, .marks = marks, .n_marks = n});
}

/* Whether `key` carries exactly these tags. */
static bool carries(struct backend *b, struct larder_bytes key, const struct larder_bytes *tags, size_t n) {
    struct op *op = call(b, LARDER_OP_TAGS_OF, (struct op_inputs){.key = key});
    bool exact = op->result.status == LARDER_OK && op->n_marks == n;
    for (size_t i = 0; exact && i < n; i++) {
        size_t matches = 0;
        for (size_t j = 0; j < op->n_marks; j++)
            matches += bytes_equal(op->marks[j].tag, tags[i]);
        exact = matches == 1;
    }
    op_free(op);
    return exact;
}

struct search {
    struct larder_bytes key; /* that is looked for, among others */
    unsigned found, others;
};

static void look_for(void *arg, struct larder_bytes record) {
    struct search *s = arg;
    if (bytes_equal(record, s->key))
        s->found++;
    else
        s->others++;
}

/* Whether the tag leads to key, and to so many others. */
static bool leads_to(struct larder_bytes tag, struct larder_bytes key, unsigned others) {
    struct search s = {.key = key};
    return walk(LARDER_OP_KEYS_OF, tag, 0, look_for, &s) && s.found >= 1 && s.others == others;
}

static bool leads_nowhere(struct larder_bytes tag) {
    struct search s = {.key = {0}};
    return walk(LARDER_OP_KEYS_OF, tag, 0, look_for, &s) && s.found + s.others == 0;
}

static void a_linked_key_is_found_by_each_of_its_tags(void) {
    struct larder_bytes key = name("link", "key"), other = name("link", "other");
    struct larder_bytes tags[3] = {name("link", "a"), name("link", "b"), name("link", "c")};
    CU_ASSERT_EQUAL(link_key(drive.one, key, tags, 3), LARDER_OK);
    CU_ASSERT_EQUAL(link_key(drive.one, other, tags + 1, 1), LARDER_OK);
    CU_ASSERT_TRUE(leads_to(tags[0], key, 0));
    CU_ASSERT_TRUE(leads_to(tags[1], key, 1));
    CU_ASSERT_TRUE(leads_to(tags[1], other, 1));
    CU_ASSERT_TRUE(leads_to(tags[2], key, 0));
    CU_ASSERT_TRUE(carries(drive.two, key, tags, 3));
    CU_ASSERT_TRUE(carries(drive.two, other, tags + 1, 1));
}

static void linking_again_replaces_the_tags(void) {
    struct larder_bytes key = name("relink", "key");
    struct larder_bytes tags[3] = {name("relink", "a"), name("relink", "b"), name("relink", "c")};
    CU_ASSERT_EQUAL(link_key(drive.one, key, tags, 2), LARDER_OK);
    CU_ASSERT_EQUAL(link_key(drive.two, key, tags + 1, 2), LARDER_OK);
    CU_ASSERT_TRUE(carries(drive.one, key, tags + 1, 2));
    CU_ASSERT_TRUE(leads_nowhere(tags[0]));
    CU_ASSERT_TRUE(leads_to(tags[1], key, 0));
    CU_ASSERT_TRUE(leads_to(tags[2], key, 0));
    CU_ASSERT_EQUAL(link_key(drive.one, key, tags + 1, 2), LARDER_OK); /* the same once more */
    CU_ASSERT_TRUE(carries(drive.one, key, tags + 1, 2));
}

static void linking_to_no_tag_forgets_the_key(void) {
    struct larder_bytes key = name("unlink", "key"), other = name("unlink", "other");
    struct larder_bytes tags[2] = {name("unlink", "a"), name("unlink", "b")};
    CU_ASSERT_EQUAL(link_key(drive.one, key, tags, 2), LARDER_OK);
    CU_ASSERT_EQUAL(link_key(drive.one, other, tags, 1), LARDER_OK);
    for (int i = 0; i < 2; i++) {
        CU_ASSERT_EQUAL(link_key(drive.one, key, NULL, 0), LARDER_OK);
        CU_ASSERT_TRUE(carries(drive.one, key, NULL, 0));
        CU_ASSERT_TRUE(leads_to(tags[0], other, 0));
        CU_ASSERT_TRUE(leads_nowhere(tags[1]));
    }
}

static void unknown_tags_and_keys_lead_nowhere(void) {
    CU_ASSERT_TRUE(leads_nowhere(name("unknown", "tag")));
    CU_ASSERT_TRUE(carries(drive.one, name("unknown", "key"), NULL, 0));
}

/* Names of which one begins with the other, or that look alike when a tag and a key are put
 * one behind the other. */
static void tags_and_keys_are_not_confused_where_they_meet(void) {
    struct larder_bytes key_c = name("meet", "c"), key_bc = name("meet", "bc");
    struct larder_bytes tag_a = name("meet", "a"), tag_ab = name("meet", "ab"),
                        tag_slash = name("meet", "a/");
    CU_ASSERT_EQUAL(link_key(drive.one, key_bc, &tag_a, 1), LARDER_OK);
    CU_ASSERT_EQUAL(link_key(drive.one, key_c, &tag_ab, 1), LARDER_OK);
    CU_ASSERT_TRUE(leads_to(tag_a, key_bc, 0));
    CU_ASSERT_TRUE(leads_to(tag_ab, key_c, 0));
    CU_ASSERT_TRUE(leads_nowhere(tag_slash));
}

static void every_byte_may_stand_in_linked_names(void) {
    if (drive.one->info.key_bytes != 0) {
        unclaimed("every byte in keys");
        return;
    }
    for (int byte = 0; byte < 256; byte++) {
        uint8_t raw[3] = {'x', (uint8_t)byte, 'y'};
        struct larder_bytes key = name_bytes("link-bytes-key", raw, 3),
                            tag = name_bytes("link-bytes-tag", raw, 3);
        CU_ASSERT_EQUAL(link_key(drive.one, key, &tag, 1), LARDER_OK);
        CU_ASSERT_TRUE(leads_to(tag, key, 0));
        CU_ASSERT_TRUE(carries(drive.one, key, &tag, 1));
    }
}

static void names_that_look_alike_are_linked_apart(void) {
    unsigned skipped = 0;
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < n_awkward; i++) {
            struct larder_bytes key = name_bytes("alike-key", awkward[i].ptr, awkward[i].len),
                                tag = name_bytes("alike-tag", awkward[i].ptr, awkward[i].len);
            if (!name_allowed(awkward[i])) {
                skipped++;
                continue;
            }
            if (round == 0)
                CU_ASSERT_EQUAL(link_key(drive.one, key, &tag, 1), LARDER_OK);
            if (round == 1)
                CU_ASSERT_TRUE(leads_to(tag, key, 0) && carries(drive.two, key, &tag, 1));
        }
    }
    if (skipped > 0)
        unclaimed("every byte in keys");
}

/* ---- many -------------------------------------------------------------------------------------- */

static void a_key_may_carry_many_tags(void) {
    uint32_t max_marks = drive.one->info.max_marks;
    size_t n = max_marks > 0 && max_marks < MAX_TAGS ? max_marks : MAX_TAGS;
    struct larder_bytes key = name("many-tags", "key"), tags[MAX_TAGS];
    if (n < MAX_TAGS)
        unclaimed("as many marks in one op");
    for (size_t i = 0; i < n; i++)
        tags[i] = name("many-tags", "%zu", i);
    CU_ASSERT_EQUAL(link_key(drive.one, key, tags, n), LARDER_OK);
    CU_ASSERT_TRUE(carries(drive.two, key, tags, n));
    for (size_t i = 0; i < n; i += 7)
        CU_ASSERT_TRUE(leads_to(tags[i], key, 0));
    CU_ASSERT_TRUE(leads_to(tags[n - 1], key, 0));
    CU_ASSERT_EQUAL(link_key(drive.two, key, tags, n / 2), LARDER_OK);
    CU_ASSERT_TRUE(carries(drive.one, key, tags, n / 2));
    CU_ASSERT_TRUE(leads_nowhere(tags[n - 1]));
}

/* Keys of one tag, linked many at a time. */
static void link_many(const char *test, struct larder_bytes tag, unsigned n) {
    enum { AT_ONCE = 128 };
    struct larder_mark mark = mark_of(tag, UNSET, UNSET, UNSET);
    struct sent sent[AT_ONCE];
    for (unsigned first = 0; first < n; first += AT_ONCE) {
        unsigned some = n - first < AT_ONCE ? n - first : AT_ONCE;
        for (unsigned i = 0; i < some; i++) {
            struct op_inputs in = {.key = name(test, "%06u", first + i), .marks = &mark, .n_marks = 1};
            send_op(either(i), LARDER_OP_LINK, in, &sent[i]);
        }
        drive_wait();
        for (unsigned i = 0; i < some; i++) {
            CU_ASSERT_EQUAL(sent[i].op->result.status, LARDER_OK);
            op_free(sent[i].op);
        }
    }
}

static void many_keys_of_one_tag_come_page_by_page(void) {
    static const uint64_t limits[] = {0, 17, UINT64_MAX};
    unsigned n = drive.n_keys / 10;
    struct larder_bytes tag = name("pages-tag", "x");
    link_many("pages", tag, n);
    for (size_t i = 0; i < N_ELEMENTS(limits); i++) {
        struct tally t;
        tally_init(&t, "pages", n);
        CU_ASSERT_TRUE(walk(LARDER_OP_KEYS_OF, tag, limits[i], tally_seen, &t));
        CU_ASSERT_EQUAL(t.found, n);
        CU_ASSERT_EQUAL(t.strangers, 0);
        tally_done(&t);
    }
}

struct others {
    struct tally tally;
    struct larder_bytes tag;
    unsigned n; /* keys that came or went so far */
};

static void come_and_go(void *arg, struct larder_bytes record) {
    struct others *o = arg;
    tally_seen(&o->tally, record);
    unsigned next = o->n * 3;
    if (next < o->tally.n) {
        CU_ASSERT_EQUAL(link_key(drive.one, name("keys-while", "%06u", next), NULL, 0), LARDER_OK);
        CU_ASSERT_EQUAL(link_key(drive.two, name("keys-while", "%06u", next + 500000), &o->tag, 1),
                        LARDER_OK);
        o->n++;
    }
}

static void keys_that_stay_linked_are_found_while_others_come_and_go(void) {
    enum { KEYS = 150 };
    struct others o = {.tag = name("keys-while-tag", "x")};
    link_many("keys-while", o.tag, KEYS);
    tally_init(&o.tally, "keys-while", KEYS);
    CU_ASSERT_TRUE(walk(LARDER_OP_KEYS_OF, o.tag, 10, come_and_go, &o));
    for (unsigned i = 0; i < KEYS; i++)
        CU_ASSERT(i % 3 == 0 || o.tally.counts[i] >= 1);
    tally_done(&o.tally);
}

/* ---- others ---------------------------------------------------------------------------------- */

static void linking_makes_no_mark_and_no_entry(void) {
    struct larder_bytes key = name("nothing-else", "key"), tag = name("nothing-else", "tag");
    struct larder_mark got;
    CU_ASSERT_EQUAL(link_key(drive.one, key, &tag, 1), LARDER_OK);
    CU_ASSERT_FALSE(read_mark(drive.one, tag, &got));
    CU_ASSERT_FALSE(read_mark(drive.one, key, &got));
    if (has_cache())
        CU_ASSERT_FALSE(is_there(drive.one, key));
    CU_ASSERT_EQUAL(write_mark(drive.one, mark_of(tag, 5, UNSET, UNSET), 0), LARDER_OK);
    CU_ASSERT_TRUE(leads_to(tag, key, 0)); /* nor does a mark unlink what it outdates */
    CU_ASSERT_TRUE(carries(drive.one, key, &tag, 1));
}

/* The tags of key 0 .. n-1 in turn, over and over, ending with those of the racer's own number. */
enum { LINKS = 60, SETS = 4 };

static bool relink(const struct race_job *job) {
    for (unsigned i = 0; i <= LINKS; i++) {
        uint8_t text[512];
        unsigned which = i == LINKS ? job->who : (i + job->who) % SETS;
        if (job->key.len + 1 > sizeof(text))
            return false;
        *bytes_put(text, job->key) = (uint8_t)('0' + which);
        struct larder_bytes tag = {text, job->key.len + 1};
        if (link_key(either(i), job->key, &tag, 1) != LARDER_OK)
            return false;
    }
    return true;
}
const struct role relinks_role = {"relinks", relink};

/* Whoever was last: the key carries one set, and is found by that and by no other. */
static void a_key_that_several_processes_link_ends_with_the_tags_of_one(void) {
    if (!claims(LARDER_SHARED, "sharing between processes"))
        return;
    struct larder_bytes key = name("relink-race", "%s", "");
    struct race race;
    CU_ASSERT_TRUE(race_run(&race, "relinks", 3, key, NOTHING));
    race_done(&race);
    unsigned carried = 0;
    for (unsigned i = 0; i < SETS; i++) {
        struct larder_bytes tag = name("relink-race", "%u", i);
        bool here = carries(drive.one, key, &tag, 1);
        carried += here;
        CU_ASSERT_TRUE(here ? leads_to(tag, key, 0) : leads_nowhere(tag));
    }
    CU_ASSERT_EQUAL(carried, 1);
}

static const struct unit_test tests[] = {
    UNIT(a_linked_key_is_found_by_each_of_its_tags),
    UNIT(linking_again_replaces_the_tags),
    UNIT(linking_to_no_tag_forgets_the_key),
    UNIT(unknown_tags_and_keys_lead_nowhere),
    UNIT(tags_and_keys_are_not_confused_where_they_meet),
    UNIT(every_byte_may_stand_in_linked_names),
    UNIT(names_that_look_alike_are_linked_apart),
    UNIT(a_key_may_carry_many_tags),
    UNIT(many_keys_of_one_tag_come_page_by_page),
    UNIT(keys_that_stay_linked_are_found_while_others_come_and_go),
    UNIT(linking_makes_no_mark_and_no_entry),
    UNIT(a_key_that_several_processes_link_ends_with_the_tags_of_one),
};
const struct suite index_suite = {"index", LARDER_OP_LINK, tests, N_ELEMENTS(tests)};
