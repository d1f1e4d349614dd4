/* The index: which keys carry a tag, which tags a key carries. */
#include "suites.h"

enum { MAX_TAGS = 8 };

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
    struct larder_bytes key;
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
    struct larder_bytes key = name("unlink", "key");
    struct larder_bytes tags[2] = {name("unlink", "a"), name("unlink", "b")};
    CU_ASSERT_EQUAL(link_key(drive.one, key, tags, 2), LARDER_OK);
    for (int i = 0; i < 2; i++) {
        CU_ASSERT_EQUAL(link_key(drive.one, key, NULL, 0), LARDER_OK);
        CU_ASSERT_TRUE(carries(drive.one, key, NULL, 0));
        CU_ASSERT_TRUE(leads_nowhere(tags[0]));
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

static void many_keys_of_one_tag_come_page_by_page(void) {
    enum { AT_ONCE = 128 };
    unsigned n = drive.n_keys / 5;
    struct larder_bytes tag = name("pages-tag", "x");
    struct larder_mark mark = mark_of(tag, UNSET, UNSET, UNSET);
    struct sent sent[AT_ONCE];
    for (unsigned first = 0; first < n; first += AT_ONCE) {
        unsigned some = n - first < AT_ONCE ? n - first : AT_ONCE;
        for (unsigned i = 0; i < some; i++) {
            struct op_inputs in = {.key = name("pages", "%06u", first + i), .marks = &mark, .n_marks = 1};
            send_op(drive.one, LARDER_OP_LINK, in, &sent[i]);
        }
        drive_wait();
        for (unsigned i = 0; i < some; i++) {
            CU_ASSERT_EQUAL(sent[i].op->result.status, LARDER_OK);
            op_free(sent[i].op);
        }
    }
    static const uint64_t limits[] = {0, 17, UINT64_MAX};
    for (size_t i = 0; i < N_ELEMENTS(limits); i++) {
        struct tally t;
        tally_init(&t, "pages", n);
        CU_ASSERT_TRUE(walk(LARDER_OP_KEYS_OF, tag, limits[i], tally_seen, &t));
        CU_ASSERT_EQUAL(t.found, n);
        CU_ASSERT_EQUAL(t.strangers, 0);
        tally_done(&t);
    }
}

static const struct unit_test tests[] = {
    UNIT(a_linked_key_is_found_by_each_of_its_tags),
    UNIT(linking_again_replaces_the_tags),
    UNIT(linking_to_no_tag_forgets_the_key),
    UNIT(unknown_tags_and_keys_lead_nowhere),
    UNIT(tags_and_keys_are_not_confused_where_they_meet),
    UNIT(every_byte_may_stand_in_linked_names),
    UNIT(many_keys_of_one_tag_come_page_by_page),
};
const struct suite index_suite = {"index", LARDER_OP_LINK, tests, N_ELEMENTS(tests)};
