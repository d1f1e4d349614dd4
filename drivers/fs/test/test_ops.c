/* What each op does, on one instance and on several of one folder. */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mini.h"
#include "unit.h"

#define TEXT mini_text

static struct mini a, b;

static void begin(const char *name) {
    mini_now_ms = 1700000000000;
    mini_config(&a, mini_folder(name));
    mini_open(&a);
    b = a;
    mini_open(&b);
}

static void end(void) {
    mini_close(&a);
    mini_close(&b);
    mini_remove_tree(a.config.path);
    CU_ASSERT_EQUAL(mini_bufs, 0);
}

static void a_value_comes_back_as_it_was_put(void) {
    struct mini_op o;
    begin("value");
    mini_op_init(&o, LARDER_OP_PUT);
    o.op.key = TEXT("k");
    o.op.value = (struct larder_slice){(const uint8_t *)"va\0lue", 6, NULL};
    o.op.modified_ms = -5;
    o.op.epoch = 42;
    CU_ASSERT_EQUAL(mini_call(&a, &o), LARDER_OK);
    mini_op_done(&o);

    mini_op_init(&o, LARDER_OP_GET);
    o.op.key = TEXT("k");
    CU_ASSERT_EQUAL(mini_call(&b, &o), LARDER_OK);
    CU_ASSERT_EQUAL(o.result.value.len, 6);
    CU_ASSERT(memcmp(o.result.value.ptr, "va\0lue", 6) == 0);
    CU_ASSERT_EQUAL(o.result.modified_ms, -5);
    CU_ASSERT_EQUAL(o.result.epoch, 42);
    mini_op_done(&o);
    end();
}

static void nothing_is_made_by_asking(void) {
    struct larder_mark mark;
    begin("asking");
    CU_ASSERT_EQUAL(mini_get(&a, 0, TEXT("k"), NULL, 0, NULL, NULL), LARDER_MISS);
    CU_ASSERT_EQUAL(mini_read(&a, 0, "t", &mark), LARDER_MISS);
    CU_ASSERT_EQUAL(mini_remove(&a, TEXT("k")), LARDER_OK);
    CU_ASSERT_EQUAL(access(a.config.path, F_OK), -1);
    end();
}

static void an_empty_value_and_an_empty_key_are_stored(void) {
    char out[8];
    size_t len = 9;
    begin("empty");
    CU_ASSERT_EQUAL(mini_put(&a, 0, (struct larder_bytes){0}, (struct larder_bytes){0}, 1), LARDER_OK);
    CU_ASSERT_EQUAL(mini_get(&a, 0, (struct larder_bytes){0}, out, sizeof(out), &len, NULL), LARDER_OK);
    CU_ASSERT_EQUAL(len, 0);
    end();
}

static void a_large_value_with_a_long_key_is_stored(void) {
    enum { KEY = 4096 + 1, VALUE = 3 << 20 };
    uint8_t *key = malloc(KEY), *value = malloc(VALUE);
    struct mini_op o;
    CU_ASSERT_FATAL(key != NULL && value != NULL);
    for (size_t i = 0; i < VALUE; i++)
        value[i] = (uint8_t)(i * 7 + i / 251);
    memcpy(key, value, KEY);
    begin("large");
    CU_ASSERT_EQUAL(mini_put(&a, 0, (struct larder_bytes){key, KEY}, (struct larder_bytes){value, VALUE}, 1),
                    LARDER_OK);
    mini_op_init(&o, LARDER_OP_GET);
    o.op.key = (struct larder_bytes){key, KEY};
    CU_ASSERT_EQUAL(mini_call(&b, &o), LARDER_OK);
    CU_ASSERT_EQUAL_FATAL(o.result.value.len, VALUE);
    CU_ASSERT(memcmp(o.result.value.ptr, value, VALUE) == 0);
    mini_op_done(&o);
    end();
    free(key);
    free(value);
}

static void a_removed_entry_is_gone(void) {
    begin("remove");
    CU_ASSERT_EQUAL(mini_put(&a, 0, TEXT("k"), TEXT("v"), 1), LARDER_OK);
    CU_ASSERT_EQUAL(mini_remove(&b, TEXT("k")), LARDER_OK);
    CU_ASSERT_EQUAL(mini_get(&a, 0, TEXT("k"), NULL, 0, NULL, NULL), LARDER_MISS);
    CU_ASSERT_EQUAL(mini_remove(&b, TEXT("k")), LARDER_OK);
    end();
}

static void a_put_never_replaces_a_greater_epoch(void) {
    char out[8];
    int64_t epoch;
    begin("newest");
    CU_ASSERT_EQUAL(mini_put(&a, 0, TEXT("k"), TEXT("new"), 9), LARDER_OK);
    CU_ASSERT_EQUAL(mini_put(&b, 0, TEXT("k"), TEXT("old"), 8), LARDER_OK);
    CU_ASSERT_EQUAL(mini_get(&a, 0, TEXT("k"), out, sizeof(out), NULL, &epoch), LARDER_OK);
    CU_ASSERT_STRING_EQUAL(out, "new");
    CU_ASSERT_EQUAL(epoch, 9);
    CU_ASSERT_EQUAL(mini_put(&b, 0, TEXT("k"), TEXT("same"), 9), LARDER_OK);
    CU_ASSERT_EQUAL(mini_get(&a, 0, TEXT("k"), out, sizeof(out), NULL, &epoch), LARDER_OK);
    CU_ASSERT_STRING_EQUAL(out, "same");
    end();
}

static int32_t put_with(struct mini *m, const char *key, const char *value, uint32_t flags, int64_t ttl_ms,
                        int64_t epoch) {
    struct mini_op o;
    mini_op_init(&o, LARDER_OP_PUT);
    o.op.key = TEXT(key);
    o.op.value = (struct larder_slice){(const uint8_t *)value, strlen(value), NULL};
    o.op.flags = flags;
    o.op.ttl_ms = ttl_ms;
    o.op.epoch = epoch;
    int32_t status = mini_call(m, &o);
    mini_op_done(&o);
    return status;
}

static void put_if_absent_leaves_what_is_there(void) {
    char out[8];
    begin("absent");
    CU_ASSERT_EQUAL(put_with(&a, "k", "1", LARDER_IF_ABSENT, 0, 1), LARDER_OK);
    CU_ASSERT_EQUAL(put_with(&b, "k", "2", LARDER_IF_ABSENT, 0, 2), LARDER_MISS);
    CU_ASSERT_EQUAL(mini_get(&a, 0, TEXT("k"), out, sizeof(out), NULL, NULL), LARDER_OK);
    CU_ASSERT_STRING_EQUAL(out, "1");
    CU_ASSERT_EQUAL(put_with(&a, "k", "3", 1u << 30, 0, 1), LARDER_UNSUPPORTED);
    end();
}

static void an_entry_is_gone_at_the_end_of_its_ttl(void) {
    begin("ttl");
    CU_ASSERT_EQUAL(put_with(&a, "k", "1", 0, 1000, 9), LARDER_OK);
    mini_now_ms += 999;
    CU_ASSERT_EQUAL(mini_get(&b, 0, TEXT("k"), NULL, 0, NULL, NULL), LARDER_OK);
    mini_now_ms += 1;
    CU_ASSERT_EQUAL(mini_get(&b, 0, TEXT("k"), NULL, 0, NULL, NULL), LARDER_MISS);
    CU_ASSERT_EQUAL(put_with(&b, "k", "2", LARDER_IF_ABSENT, INT64_MAX, 1), LARDER_OK);
    mini_now_ms += 86400000000;
    CU_ASSERT_EQUAL(mini_get(&a, 0, TEXT("k"), NULL, 0, NULL, NULL), LARDER_OK);
    end();
}

static void a_value_over_max_size_is_refused(void) {
    begin("toobig");
    a.config.max_size = 10;
    CU_ASSERT_EQUAL(put_with(&a, "k", "eleven bytes", 0, 0, 1), LARDER_TOO_BIG);
    end();
}

/* ---- marks and counters ---------------------------------------------------------------- */

static void marks_are_seen_by_other_instances_at_once(void) {
    struct larder_mark mark;
    begin("marks");
    CU_ASSERT_EQUAL(mini_write(&a, 0, MINI_MARK("t", 5)), LARDER_OK);
    CU_ASSERT_EQUAL(mini_read(&b, 0, "t", &mark), LARDER_OK);
    CU_ASSERT_EQUAL(mark.expired_epoch, 5);
    CU_ASSERT_EQUAL(mark.stale_epoch, LARDER_UNSET);
    CU_ASSERT_EQUAL(mini_read(&b, 0, "u", &mark), LARDER_MISS);
    CU_ASSERT_EQUAL(mini_write(&b, 0, MINI_MARK("t", 4)), LARDER_OK);
    CU_ASSERT_EQUAL(mini_write(&b, 1, MINI_MARK("u", 6)), LARDER_OK);
    CU_ASSERT_EQUAL(mini_read(&a, 2, "t", &mark), LARDER_OK);
    CU_ASSERT_EQUAL(mark.expired_epoch, 5);
    CU_ASSERT_EQUAL(mini_read(&a, 3, "u", &mark), LARDER_OK);
    CU_ASSERT_EQUAL(mark.expired_epoch, 6);
    end();
}

static void a_mark_written_if_absent_leaves_the_stored_one(void) {
    struct larder_mark mark, add = MINI_MARK("t", 9);
    struct mini_op o;
    begin("markabsent");
    for (int i = 0; i < 2; i++) {
        mini_op_init(&o, LARDER_OP_TAGS_WRITE);
        o.op.marks = &add;
        o.op.n_marks = 1;
        o.op.flags = LARDER_IF_ABSENT;
        CU_ASSERT_EQUAL(mini_call(&a, &o), i == 0 ? LARDER_OK : LARDER_MISS);
        mini_op_done(&o);
        add.expired_epoch = 10;
    }
    CU_ASSERT_EQUAL(mini_read(&a, 0, "t", &mark), LARDER_OK);
    CU_ASSERT_EQUAL(mark.expired_epoch, 9);
    end();
}

static void a_counter_begins_with_the_clock_and_only_grows(void) {
    int64_t e;
    begin("counter");
    CU_ASSERT_EQUAL(mini_advance(&a, 0, "c", 0, &e), LARDER_OK);
    CU_ASSERT_EQUAL(e, 1700000000000);
    mini_now_ms += 10;
    CU_ASSERT_EQUAL(mini_advance(&b, 0, "c", 0, &e), LARDER_OK);
    CU_ASSERT_EQUAL(e, 1700000000000);
    CU_ASSERT_EQUAL(mini_advance(&b, 0, "c", 1, &e), LARDER_OK);
    CU_ASSERT_EQUAL(e, 1700000000010);
    mini_now_ms -= 5000;
    CU_ASSERT_EQUAL(mini_advance(&a, 0, "c", 1, &e), LARDER_OK);
    CU_ASSERT_EQUAL(e, 1700000000011);
    CU_ASSERT_EQUAL(mini_advance(&a, 0, "c", 0, &e), LARDER_OK);
    CU_ASSERT_EQUAL(e, 1700000000011);
    CU_ASSERT_EQUAL(mini_advance(&a, 0, "d", 1, &e), LARDER_OK);
    CU_ASSERT_EQUAL(e, 1700000000010 - 5000);
    CU_ASSERT_EQUAL(mini_advance(&a, 0, "d", -1, &e), LARDER_INVALID);
    CU_ASSERT_EQUAL(mini_advance(&a, 0, "d", INT64_MAX - 1, &e), LARDER_INVALID);
    end();
}

static void bump_raises_the_counter_and_marks_with_it(void) {
    const char *const tags[] = {"t", "u"};
    struct larder_mark mark;
    int64_t e, f;
    begin("bump");
    CU_ASSERT_EQUAL(mini_bump(&a, 0, "c", tags, 2, &e), LARDER_OK);
    CU_ASSERT_EQUAL(mini_read(&b, 0, "t", &mark), LARDER_OK);
    CU_ASSERT_EQUAL(mark.expired_epoch, e);
    CU_ASSERT_EQUAL(mini_bump(&b, 0, "c", tags, 1, &f), LARDER_OK);
    CU_ASSERT(f > e);
    CU_ASSERT_EQUAL(mini_read(&a, 0, "t", &mark), LARDER_OK);
    CU_ASSERT_EQUAL(mark.expired_epoch, f);
    CU_ASSERT_EQUAL(mini_read(&a, 0, "u", &mark), LARDER_OK);
    CU_ASSERT_EQUAL(mark.expired_epoch, e);
    end();
}

static void instances_that_come_later_see_everything(void) {
    struct mini c;
    struct larder_mark mark;
    int64_t e, f;
    begin("later");
    CU_ASSERT_EQUAL(mini_advance(&a, 0, "c", 1, &e), LARDER_OK);
    CU_ASSERT_EQUAL(mini_write(&a, 0, MINI_MARK("", 3)), LARDER_OK);
    CU_ASSERT_EQUAL(mini_put(&a, 0, TEXT("k"), TEXT("v"), 1), LARDER_OK);
    c = a;
    mini_open(&c);
    CU_ASSERT_EQUAL(mini_read(&c, 0, "", &mark), LARDER_OK);
    CU_ASSERT_EQUAL(mark.expired_epoch, 3);
    CU_ASSERT_EQUAL(mini_advance(&c, 0, "c", 0, &f), LARDER_OK);
    CU_ASSERT_EQUAL(e, f);
    CU_ASSERT_EQUAL(mini_get(&c, 0, TEXT("k"), NULL, 0, NULL, NULL), LARDER_OK);
    mini_close(&c);
    end();
}

/* ---- enumeration, claims ------------------------------------------------------------------ */

static size_t list_all(uint32_t code, const char *prefix, uint64_t limit, bool seen[], size_t n) {
    struct mini_op o;
    char cursor[64] = "";
    size_t pages = 0;
    memset(seen, 0, n * sizeof(*seen));
    do {
        mini_op_init(&o, code);
        o.op.key = TEXT(prefix);
        o.op.cursor = TEXT(cursor);
        o.op.limit = limit;
        CU_ASSERT_EQUAL_FATAL(mini_call(pages % 2 ? &a : &b, &o), LARDER_OK);
        CU_ASSERT(o.n_keys + o.n_marks <= limit);
        for (size_t i = 0; i < o.n_keys + o.n_marks; i++) {
            const char *name = o.n_keys > 0 ? o.keys[i] : (const char *)o.marks[i].tag.ptr;
            size_t number = strtoul(name + strlen("x/"), NULL, 10);
            CU_ASSERT_FATAL(number < n);
            seen[number] = true;
        }
        memcpy(cursor, o.cursor, sizeof(cursor));
        mini_op_done(&o);
    } while (++pages < 1000 && cursor[0] != 0);
    return pages;
}

static void every_entry_and_mark_is_listed_page_by_page(void) {
    enum { N = 300 };
    bool seen[N];
    char name[32];
    begin("list");
    for (int i = 0; i < N; i++) {
        snprintf(name, sizeof(name), "%c/%d", i % 3 == 0 ? 'x' : 'y', i);
        CU_ASSERT_EQUAL(mini_put(&a, 0, TEXT(name), TEXT("v"), 1), LARDER_OK);
        CU_ASSERT_EQUAL(mini_write(&a, 0, MINI_MARK(name, i)), LARDER_OK);
    }
    for (uint64_t limit = 1; limit <= 1000; limit *= 10) {
        CU_ASSERT(list_all(LARDER_OP_LIST, "x/", limit, seen, N) >= N / 3 / limit);
        for (int i = 0; i < N; i++)
            CU_ASSERT_EQUAL(seen[i], i % 3 == 0);
        CU_ASSERT(list_all(LARDER_OP_LIST_MARKS, "x/", limit, seen, N) >= N / 3 / limit);
        for (int i = 0; i < N; i++)
            CU_ASSERT_EQUAL(seen[i], i % 3 == 0);
    }
    struct mini_op o;
    mini_op_init(&o, LARDER_OP_LIST);
    o.op.cursor = TEXT("nonsense");
    CU_ASSERT_EQUAL(mini_call(&a, &o), LARDER_INVALID);
    mini_op_done(&o);
    end();
}

static int32_t link_to(struct mini *m, const char *key, const char *const tags[], size_t n) {
    struct mini_op o;
    struct larder_mark marks[8];
    mini_op_init(&o, LARDER_OP_LINK);
    for (size_t i = 0; i < n; i++)
        marks[i] = (struct larder_mark){.tag = TEXT(tags[i])};
    o.op.key = TEXT(key);
    o.op.marks = marks;
    o.op.n_marks = n;
    int32_t status = mini_call(m, &o);
    mini_op_done(&o);
    return status;
}

static size_t count_of(uint32_t code, const char *key) {
    struct mini_op o;
    mini_op_init(&o, code);
    o.op.key = TEXT(key);
    CU_ASSERT_EQUAL(mini_call(&b, &o), LARDER_OK);
    size_t n = o.n_keys + o.n_marks;
    mini_op_done(&o);
    return n;
}

static void the_index_follows_links(void) {
    const char *const tags[] = {"t", "u", ""};
    bool seen[50];
    char name[32];
    begin("index");
    for (int i = 0; i < 50; i++) {
        snprintf(name, sizeof(name), "x/%d", i);
        CU_ASSERT_EQUAL(link_to(&a, name, tags, 3), LARDER_OK);
    }
    CU_ASSERT_EQUAL(list_all(LARDER_OP_KEYS_OF, "u", 7, seen, 50), 8);
    for (int i = 0; i < 50; i++)
        CU_ASSERT(seen[i]);
    CU_ASSERT_EQUAL(count_of(LARDER_OP_KEYS_OF, ""), 50);
    CU_ASSERT_EQUAL(count_of(LARDER_OP_TAGS_OF, "x/7"), 3);
    CU_ASSERT_EQUAL(link_to(&b, "x/7", tags, 1), LARDER_OK);
    CU_ASSERT_EQUAL(count_of(LARDER_OP_TAGS_OF, "x/7"), 1);
    CU_ASSERT_EQUAL(count_of(LARDER_OP_KEYS_OF, "u"), 49);
    CU_ASSERT_EQUAL(link_to(&b, "x/7", NULL, 0), LARDER_OK);
    CU_ASSERT_EQUAL(count_of(LARDER_OP_TAGS_OF, "x/7"), 0);
    CU_ASSERT_EQUAL(count_of(LARDER_OP_KEYS_OF, "t"), 49);
    CU_ASSERT_EQUAL(count_of(LARDER_OP_KEYS_OF, "no such tag"), 0);
    end();
}

static int32_t claim(struct mini *m, uint32_t code, const char *owner) {
    struct mini_op o;
    mini_op_init(&o, code);
    o.op.key = TEXT("k");
    o.op.value = (struct larder_slice){(const uint8_t *)owner, strlen(owner), NULL};
    o.op.ttl_ms = 1000;
    int32_t status = mini_call(m, &o);
    mini_op_done(&o);
    return status;
}

static void a_claim_is_held_by_one_until_it_ends(void) {
    begin("claim");
    CU_ASSERT_EQUAL(claim(&a, LARDER_OP_RELEASE, "one"), LARDER_OK);
    CU_ASSERT_EQUAL(claim(&a, LARDER_OP_CLAIM, "one"), LARDER_OK);
    CU_ASSERT_EQUAL(claim(&b, LARDER_OP_CLAIM, "two"), LARDER_MISS);
    CU_ASSERT_EQUAL(claim(&b, LARDER_OP_RELEASE, "two"), LARDER_OK);
    CU_ASSERT_EQUAL(claim(&b, LARDER_OP_CLAIM, "one"), LARDER_OK);
    CU_ASSERT_EQUAL(claim(&b, LARDER_OP_CLAIM, "two"), LARDER_MISS);
    CU_ASSERT_EQUAL(claim(&a, LARDER_OP_RELEASE, "one"), LARDER_OK);
    CU_ASSERT_EQUAL(claim(&b, LARDER_OP_CLAIM, "two"), LARDER_OK);
    mini_now_ms += 1000;
    CU_ASSERT_EQUAL(claim(&a, LARDER_OP_CLAIM, "one"), LARDER_OK);
    end();
}

/* ---- keys ------------------------------------------------------------------------------------ */

static void no_key_leaves_the_folder_or_meets_another(void) {
    static const char *const texts[] = {"../x",     "..",        "/etc/passwd", "a//b", "a/b",   "a/./b",
                                        "%2e%2e/x", "larder-fs", "marks",       "\n",   "tmp-x", "~",
                                        "CON",      "a\\b",      "\xff\xfe",    "locks"};
    enum { N = sizeof(texts) / sizeof(texts[0]) };
    char out[64], parent[4096];
    begin("keys/inside");
    snprintf(parent, sizeof(parent), "%.*s", (int)(strlen(a.config.path) - strlen("/inside")), a.config.path);
    for (size_t i = 0; i < N; i++)
        CU_ASSERT_EQUAL(mini_put(&a, 0, TEXT(texts[i]), TEXT(texts[i]), 1), LARDER_OK);
    for (size_t i = 0; i < 256; i++) { /* every byte, and bytes around a NUL */
        uint8_t key[3] = {(uint8_t)i, 0, (uint8_t)i};
        CU_ASSERT_EQUAL(mini_put(&a, 0, (struct larder_bytes){key, 3}, (struct larder_bytes){key, 1}, 1),
                        LARDER_OK);
    }
    for (size_t i = 0; i < N; i++) {
        CU_ASSERT_EQUAL(mini_get(&b, 0, TEXT(texts[i]), out, sizeof(out), NULL, NULL), LARDER_OK);
        CU_ASSERT_STRING_EQUAL(out, texts[i]);
    }
    for (size_t i = 0; i < 256; i++) {
        uint8_t key[3] = {(uint8_t)i, 0, (uint8_t)i};
        CU_ASSERT_EQUAL(mini_get(&b, 0, (struct larder_bytes){key, 3}, out, sizeof(out), NULL, NULL),
                        LARDER_OK);
        CU_ASSERT_EQUAL((uint8_t)out[0], i);
    }
    /* Beside the folder nothing was made, in it only what the README names. */
    int err = 0;
    int dir = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CU_ASSERT_EQUAL(unlinkat(dir, "inside", AT_REMOVEDIR), -1);
    close(dir);
    end();
    err = rmdir(parent);
    CU_ASSERT_EQUAL(err, 0);
}

UNIT_MAIN("fs ops", UNIT(a_value_comes_back_as_it_was_put), UNIT(nothing_is_made_by_asking),
          UNIT(an_empty_value_and_an_empty_key_are_stored), UNIT(a_large_value_with_a_long_key_is_stored),
          UNIT(a_removed_entry_is_gone), UNIT(a_put_never_replaces_a_greater_epoch),
          UNIT(put_if_absent_leaves_what_is_there), UNIT(an_entry_is_gone_at_the_end_of_its_ttl),
          UNIT(a_value_over_max_size_is_refused), UNIT(marks_are_seen_by_other_instances_at_once),
          UNIT(a_mark_written_if_absent_leaves_the_stored_one),
          UNIT(a_counter_begins_with_the_clock_and_only_grows),
          UNIT(bump_raises_the_counter_and_marks_with_it), UNIT(instances_that_come_later_see_everything),
          UNIT(every_entry_and_mark_is_listed_page_by_page), UNIT(the_index_follows_links),
          UNIT(a_claim_is_held_by_one_until_it_ends), UNIT(no_key_leaves_the_folder_or_meets_another))
