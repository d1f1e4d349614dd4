/* Lists of servers, items, names and times: all that is decided without a server. */
#include <stdlib.h>
#include <string.h>

#include "../item.h"
#include "../resolve.h"
#include "../servers.h"
#include "unit.h"

static struct larder_bytes bytes(const char *text) {
    return (struct larder_bytes){(const uint8_t *)text, strlen(text)};
}

/* ---- lists of servers ------------------------------------------------------------------------------- */

/* "host port weight;" of each, sorted; or "-" */
static const char *parsed(const char *url) {
    static char text[2048];
    char error[256] = "";
    struct mc_list list;
    text[0] = 0;
    if (mc_list_parse(url, &list, error, sizeof(error)) != LARDER_OK) {
        CU_ASSERT(error[0] != 0);
        return "-";
    }
    for (size_t i = 0; i < list.n; i++) {
        size_t at = strlen(text);
        snprintf(text + at, sizeof(text) - at, "%s %u %u;", list.servers[i].host, list.servers[i].port,
                 list.servers[i].weight);
    }
    mc_list_done(&list);
    return text;
}

static void servers_are_read_as_people_write_them(void) {
    static const struct {
        const char *url, *servers;
    } rows[] = {{"memcached://localhost", "localhost 11211 1;"},
                {"memcached://10.0.0.1:11212", "10.0.0.1 11212 1;"},
                {"memcached://b:1:3,a:2", "a 2 1;b 1 3;"},
                {"b,a", "a 11211 1;b 11211 1;"},
                {"memcached:a:5", "a 5 1;"},
                {"memcached://[::1]:11300:2,[fe80::1]", "::1 11300 2;fe80::1 11211 1;"},
                {"memcached:///run/m.sock", "/run/m.sock 0 1;"},
                {"memcached:/run/m.sock:7,/run/a:b", "/run/a:b 0 1;/run/m.sock 0 7;"},
                {"memcached:///run/m.sock,a:65535:65535", "/run/m.sock 0 1;a 65535 65535;"}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        CU_ASSERT_STRING_EQUAL(parsed(rows[i].url), rows[i].servers);
}

static void what_is_no_list_of_servers_is_refused(void) {
    static const char *const urls[] = {"",
                                       "memcached://",
                                       "memcached://a,",
                                       "memcached://,a",
                                       "memcached://a,,b",
                                       "memcached://:11211",
                                       "memcached://a:",
                                       "memcached://a:0",
                                       "memcached://a:65536",
                                       "memcached://a:99999999999",
                                       "memcached://a:-1",
                                       "memcached://a:1:",
                                       "memcached://a:1:0",
                                       "memcached://a:1:2:3",
                                       "memcached://a:1x",
                                       "memcached://a b",
                                       "memcached://a\n",
                                       "memcached://[::1",
                                       "memcached://[]",
                                       "memcached://[/run/m.sock]:5",
                                       "memcached://a/b",
                                       "memcached://[::1]1",
                                       "memcached://a:1,a:1",
                                       "memcached://a:1:2,a:1:3",
                                       "memcached://user:secret@a:1"};
    for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++)
        CU_ASSERT_STRING_EQUAL(parsed(urls[i]), "-");
}

static void a_password_in_a_url_is_refused_without_being_told(void) {
    char error[256] = "";
    struct mc_list list;
    CU_ASSERT_EQUAL(mc_list_parse("memcached://shop:hunter2@a:1", &list, error, sizeof(error)),
                    LARDER_INVALID);
    CU_ASSERT_PTR_NOT_NULL(strstr(error, "username"));
    CU_ASSERT_PTR_NULL(strstr(error, "hunter2"));
}

static void no_host_and_no_path_is_longer_than_what_takes_it(void) {
    char url[400] = "memcached://";
    memset(url + 12, 'a', MC_HOST - 1);
    CU_ASSERT_STRING_NOT_EQUAL(parsed(url), "-");
    url[12 + MC_HOST - 1] = 'a';
    CU_ASSERT_STRING_EQUAL(parsed(url), "-");
    memset(url, 0, sizeof(url));
    memset(url, 'a', 107);
    url[0] = '/';
    CU_ASSERT_STRING_NOT_EQUAL(parsed(url), "-");
    url[107] = 'a';
    CU_ASSERT_STRING_EQUAL(parsed(url), "-");
}

static void more_servers_than_there_is_room_for_are_refused(void) {
    char url[2 * MC_MAX_SERVERS * 8] = "";
    for (unsigned i = 0; i <= MC_MAX_SERVERS; i++) {
        CU_ASSERT_EQUAL(strcmp(parsed(i > 0 ? url : "a"), "-") != 0, 1);
        snprintf(url + strlen(url), 8, i > 0 ? ",h%u" : "h%u", i);
    }
    CU_ASSERT_STRING_EQUAL(parsed(url), "-");
}

static uint64_t print_of(const char *url, const char *prefix) {
    char error[256];
    struct mc_list list;
    CU_ASSERT_EQUAL_FATAL(mc_list_parse(url, &list, error, sizeof(error)), LARDER_OK);
    uint64_t print = mc_list_print(&list, prefix);
    mc_list_done(&list);
    return print;
}

static void the_same_list_in_another_order_is_the_same_and_any_other_is_not(void) {
    uint64_t print = print_of("memcached://a:1,b:2:3,/s", "p");
    CU_ASSERT_EQUAL(print, print_of("/s,b:2:3,a:1:1", "p"));
    static const char *const others[] = {"a:1,b:2:3", "a:1,b:2:2,/s", "a:1,b:3:3,/s", "a:2,b:2:3,/s",
                                         "a:1,c:2:3,/s"};
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        CU_ASSERT_NOT_EQUAL(print, print_of(others[i], "p"));
    CU_ASSERT_NOT_EQUAL(print, print_of("a:1,b:2:3,/s", "q"));
}

static void only_names_are_looked_for(void) {
    CU_ASSERT_TRUE(mc_is_name("localhost"));
    CU_ASSERT_TRUE(mc_is_name("10.0.0.1.example"));
    CU_ASSERT_FALSE(mc_is_name("10.0.0.1"));
    CU_ASSERT_FALSE(mc_is_name("::1"));
    CU_ASSERT_FALSE(mc_is_name("/run/m.sock"));
}

/* Again and again, and after the instance is closed: the thread that looked has a reference of its own. */
static void the_address_of_a_host_is_found_and_remembered(void) {
    struct mc_resolver r;
    char first[MC_ADDRESS], address[MC_ADDRESS], why[96] = "";
    unsigned n = 0;
    mc_resolver_init(&r, "localhost");
    CU_ASSERT_EQUAL_FATAL(mc_resolve(&r, 60000, first, &n, why, sizeof(why)), 0);
    CU_ASSERT(n > 0 && !mc_is_name(first));
    for (unsigned i = 0; i < n; i++) { /* 0: nobody waits for what is known */
        CU_ASSERT_EQUAL(mc_resolve(&r, 0, address, &n, why, sizeof(why)), 0);
        CU_ASSERT_FALSE(mc_is_name(address));
        mc_resolve_next(&r);
    }
    CU_ASSERT_EQUAL(mc_resolve(&r, 0, address, &n, why, sizeof(why)), 0);
    CU_ASSERT_STRING_EQUAL(address, first);
    mc_resolver_done(&r);
}

/* ---- items -------------------------------------------------------------------------------------------- */

static bool same_entry(const struct mc_entry *a, const struct mc_entry *b) {
    return a->form == b->form && a->modified_ms == b->modified_ms && a->epoch == b->epoch &&
           a->expires_ms == b->expires_ms && a->length == b->length && a->chunk_bytes == b->chunk_bytes &&
           a->n_chunks == b->n_chunks && memcmp(&a->id, &b->id, sizeof(a->id)) == 0;
}

static void an_entry_is_read_as_it_was_written(void) {
    static const struct mc_entry entries[] = {
        {.form = MC_WHOLE, .modified_ms = -1, .epoch = INT64_MAX, .expires_ms = LARDER_UNSET},
        {.form = MC_WHOLE, .modified_ms = INT64_MIN, .epoch = 3, .expires_ms = 9, .length = 7},
        {.form = MC_IN_CHUNKS,
         .epoch = 1,
         .length = 10001,
         .chunk_bytes = 5000,
         .n_chunks = 3,
         .id = {{1, 2, 3}}},
        {.form = MC_TAKEN_AWAY}};
    for (size_t i = 0; i < sizeof(entries) / sizeof(entries[0]); i++) {
        uint8_t item[MC_MANIFEST_BYTES + 8] = {0};
        struct mc_entry got;
        size_t len = mc_entry_put(&entries[i], item);
        len += entries[i].form == MC_WHOLE ? (size_t)entries[i].length : 0;
        CU_ASSERT_TRUE(mc_entry_parse((struct larder_bytes){item, len}, &got));
        CU_ASSERT_TRUE(same_entry(&got, &entries[i]));
        for (size_t cut = 0; cut < len; cut++)
            CU_ASSERT_FALSE(mc_entry_parse((struct larder_bytes){item, cut}, &got));
        CU_ASSERT_FALSE(mc_entry_parse((struct larder_bytes){item, len + 1}, &got));
    }
}

static void a_head_that_does_not_add_up_is_none(void) {
    const struct mc_entry good = {.form = MC_IN_CHUNKS, .length = 10001, .chunk_bytes = 5000, .n_chunks = 3};
    struct mc_entry bad[] = {good, good, good, good, good, good};
    uint8_t item[MC_MANIFEST_BYTES];
    struct mc_entry got;
    bad[0].n_chunks = 2;
    bad[1].n_chunks = UINT32_MAX;
    bad[2].chunk_bytes = 0;
    bad[3].length = 0;
    bad[4].length = UINT64_MAX;
    bad[5].chunk_bytes = MC_LEAST_CHUNK - 1;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        size_t len = mc_entry_put(&bad[i], item);
        CU_ASSERT_FALSE(mc_entry_parse((struct larder_bytes){item, len}, &got));
    }
    for (size_t i = 0; i < 8; i++) { /* and each byte of what says what it is */
        size_t len = mc_entry_put(&good, item);
        item[i] ^= 0x40;
        CU_ASSERT_FALSE(mc_entry_parse((struct larder_bytes){item, len}, &got));
    }
}

static void the_last_chunk_has_what_is_left(void) {
    const struct mc_entry e = {.length = 10001, .chunk_bytes = 5000};
    CU_ASSERT_EQUAL(mc_chunks(10001, 5000), 3);
    CU_ASSERT_EQUAL(mc_chunks(10000, 5000), 2);
    CU_ASSERT_EQUAL(mc_chunk_length(&e, 0), 5000);
    CU_ASSERT_EQUAL(mc_chunk_length(&e, 2), 1);
}

static void marks_counters_and_claims_are_read_as_they_were_written(void) {
    static const int64_t numbers[] = {LARDER_UNSET, -1, 0, 1, INT64_MAX};
    uint8_t item[64] = {0};
    for (size_t i = 0; i < 5; i++) {
        struct larder_mark mark = {.expired_epoch = numbers[i],
                                   .stale_epoch = numbers[(i + 1) % 5],
                                   .expire_at_ms = numbers[(i + 2) % 5]},
                           got = {{0}, 7, 7, 7};
        int64_t number;
        struct mc_claim claim = {.held = i % 2 == 0, .expires_ms = numbers[i]}, again;
        mc_mark_put(&mark, item);
        CU_ASSERT_TRUE(mc_mark_parse((struct larder_bytes){item, MC_MARK_BYTES}, &got));
        CU_ASSERT(got.expired_epoch == mark.expired_epoch && got.stale_epoch == mark.stale_epoch &&
                  got.expire_at_ms == mark.expire_at_ms);
        CU_ASSERT_FALSE(mc_mark_parse((struct larder_bytes){item, MC_MARK_BYTES - 1}, &got));
        CU_ASSERT_FALSE(mc_counter_parse((struct larder_bytes){item, MC_COUNTER_BYTES}, &number));
        struct mc_id id = {{1, 2, (uint8_t)i}}, id_again;
        mc_placeholder_put(&id, item);
        CU_ASSERT_TRUE(mc_placeholder_parse((struct larder_bytes){item, MC_PLACEHOLDER_BYTES}, &id_again));
        CU_ASSERT_EQUAL(memcmp(&id, &id_again, sizeof(id)), 0);
        CU_ASSERT_FALSE(mc_mark_parse((struct larder_bytes){item, MC_MARK_BYTES}, &got));
        mc_counter_put(numbers[i], item);
        CU_ASSERT_TRUE(mc_counter_parse((struct larder_bytes){item, MC_COUNTER_BYTES}, &number));
        CU_ASSERT_EQUAL(number, numbers[i]);
        mc_claim_put(&claim, item);
        memcpy(item + MC_CLAIM_BYTES, "me", 2);
        CU_ASSERT_TRUE(mc_claim_parse((struct larder_bytes){item, MC_CLAIM_BYTES + 2}, &again));
        CU_ASSERT(again.held == claim.held && again.expires_ms == numbers[i] && again.owner.len == 2);
        CU_ASSERT_FALSE(mc_claim_parse((struct larder_bytes){item, MC_CLAIM_BYTES - 1}, &again));
    }
}

/* ---- names ---------------------------------------------------------------------------------------------- */

static bool plain(const struct mc_name *name) {
    for (size_t i = 0; i < name->len; i++)
        if (name->text[i] <= ' ' || name->text[i] > '~')
            return false;
    return name->len == strlen(name->text);
}

static void whatever_the_key_is_its_name_is_short_and_plain(void) {
    static const char *const keys[] = {"", " ", "a b\r\nflush_all\r\n", "\xff\x80", "/blog"};
    char prefix[MC_PREFIX + 1], long_key[5000];
    struct mc_names names;
    struct mc_name name;
    struct mc_id id = {{0xff}};
    memset(prefix, 'p', MC_PREFIX);
    prefix[MC_PREFIX] = 0;
    memset(long_key, 'k', sizeof(long_key));
    mc_names_init(&names, prefix, UINT64_MAX);
    for (size_t i = 0; i < 5; i++) {
        mc_name_of(&names, MC_ENTRY, bytes(keys[i]), &name);
        CU_ASSERT(plain(&name) && name.len < 250 && name.len < MC_NAME);
    }
    mc_name_of(&names, MC_ENTRY, (struct larder_bytes){(const uint8_t *)long_key, sizeof(long_key)}, &name);
    CU_ASSERT(plain(&name) && name.len < 250);
    mc_name_of(&names, MC_ENTRY, (struct larder_bytes){NULL, 0}, &name);
    CU_ASSERT(plain(&name));
    mc_name_of_chunk(&names, &id, MC_MAX_CHUNKS, &name);
    CU_ASSERT(plain(&name) && name.len < 250 && name.len < MC_NAME);
}

static void names_are_as_the_readme_has_them(void) {
    struct mc_names names;
    struct mc_name name;
    const struct mc_id id = {{0xab, 1}};
    mc_names_init(&names, "shop", UINT64_C(0x1234abcd00000001));
    mc_name_of_chunk(&names, &id, 258, &name);
    CU_ASSERT_STRING_EQUAL(name.text, "shop:1234abcd:vab0100000000000000000000000000000102");
    mc_name_of(&names, MC_MARK, bytes("posts"), &name);
    CU_ASSERT_EQUAL(strncmp(name.text, "shop:1234abcd:m", 15), 0);
    CU_ASSERT_EQUAL(name.len, 15 + 32);
}

static void kinds_keys_and_lists_have_names_of_their_own(void) {
    struct mc_names one, other;
    struct mc_name a, b;
    mc_names_init(&one, "p", 1);
    mc_names_init(&other, "p", 2); /* the visible half is the same: the hash tells them apart */
    mc_name_of(&one, MC_ENTRY, bytes("x"), &a);
    mc_name_of(&one, MC_MARK, bytes("x"), &b);
    CU_ASSERT_STRING_NOT_EQUAL(a.text, b.text);
    mc_name_of(&one, MC_ENTRY, bytes("y"), &b);
    CU_ASSERT_STRING_NOT_EQUAL(a.text, b.text);
    mc_name_of(&other, MC_ENTRY, bytes("x"), &b);
    CU_ASSERT_STRING_NOT_EQUAL(a.text, b.text);
    mc_name_of(&one, MC_ENTRY, bytes("x"), &b);
    CU_ASSERT_STRING_EQUAL(a.text, b.text);
}

static void a_prefix_is_short_and_without_what_a_line_of_text_cannot_have(void) {
    char longest[MC_PREFIX + 2];
    memset(longest, 'x', sizeof(longest));
    longest[MC_PREFIX] = 0;
    CU_ASSERT_TRUE(mc_prefix_ok(longest));
    longest[MC_PREFIX] = 'x';
    longest[MC_PREFIX + 1] = 0;
    CU_ASSERT_FALSE(mc_prefix_ok(longest));
    CU_ASSERT_TRUE(mc_prefix_ok("shop"));
    static const char *const bad[] = {"", "a b", "a\n", "\xc3\xa9", "a\x7f"};
    for (size_t i = 0; i < 5; i++)
        CU_ASSERT_FALSE(mc_prefix_ok(bad[i]));
}

/* ---- times ------------------------------------------------------------------------------------------------ */

static void a_while_of_more_than_30_days_is_told_as_a_time_of_day(void) {
    static const int64_t now_ms = INT64_C(1700000000123), day_ms = 86400000;
    CU_ASSERT_EQUAL(mc_expiration_s(now_ms, 0), 0);
    CU_ASSERT_EQUAL(mc_expiration_s(now_ms, 1), 2); /* never before it is over */
    CU_ASSERT_EQUAL(mc_expiration_s(now_ms, 1999), 3);
    CU_ASSERT_EQUAL(mc_expiration_s(now_ms, 29 * day_ms), 29 * 86400 + 2);
    CU_ASSERT_EQUAL(mc_expiration_s(now_ms, 30 * day_ms - 2000), 30 * 86400);
    CU_ASSERT_EQUAL(mc_expiration_s(now_ms, 30 * day_ms - 1000), 1700000000 + 30 * 86400 + 1);
    CU_ASSERT_EQUAL(mc_expiration_s(now_ms, 366 * day_ms), 1700000000 + 366 * 86400 + 2);
}

static void a_time_that_memcached_cannot_take_is_none(void) {
    static const int64_t now_ms = INT64_C(1700000000123), year_ms = INT64_C(31536000000);
    CU_ASSERT_EQUAL(mc_expiration_s(now_ms, 20 * year_ms), 0); /* beyond 32 bits */
    CU_ASSERT_EQUAL(mc_expiration_s(now_ms, INT64_MAX), 0);
    CU_ASSERT_EQUAL(mc_expiration_s(INT64_MAX, year_ms), 0);
    CU_ASSERT_EQUAL(mc_expiration_s(1000, year_ms), 0); /* a clock that was never set */
    CU_ASSERT_EQUAL(mc_expires_ms(now_ms, INT64_MAX), LARDER_UNSET);
    CU_ASSERT_EQUAL(mc_expires_ms(now_ms, 0), LARDER_UNSET);
    CU_ASSERT_EQUAL(mc_expires_ms(5, 7), 12);
}

UNIT_MAIN("memcached: forms", UNIT(servers_are_read_as_people_write_them),
          UNIT(what_is_no_list_of_servers_is_refused),
          UNIT(a_password_in_a_url_is_refused_without_being_told),
          UNIT(no_host_and_no_path_is_longer_than_what_takes_it),
          UNIT(more_servers_than_there_is_room_for_are_refused),
          UNIT(the_same_list_in_another_order_is_the_same_and_any_other_is_not),
          UNIT(only_names_are_looked_for), UNIT(the_address_of_a_host_is_found_and_remembered),
          UNIT(an_entry_is_read_as_it_was_written), UNIT(a_head_that_does_not_add_up_is_none),
          UNIT(the_last_chunk_has_what_is_left),
          UNIT(marks_counters_and_claims_are_read_as_they_were_written),
          UNIT(whatever_the_key_is_its_name_is_short_and_plain), UNIT(names_are_as_the_readme_has_them),
          UNIT(kinds_keys_and_lists_have_names_of_their_own),
          UNIT(a_prefix_is_short_and_without_what_a_line_of_text_cannot_have),
          UNIT(a_while_of_more_than_30_days_is_told_as_a_time_of_day),
          UNIT(a_time_that_memcached_cannot_take_is_none))
