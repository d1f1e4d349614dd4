/* What is pure: the url, errors, keys and numbers, commands. */
#include <string.h>

#include "../error.h"
#include "../key.h"
#include "../route.h"
#include "../url.h"
#include "unit.h"

static struct larder_bytes bytes(const char *text) {
    return (struct larder_bytes){(const uint8_t *)text, strlen(text)};
}

/* ---- url -------------------------------------------------------------------------------------------------------- */

static struct rds_url url;
static char error[256];

static bool reads(const char *text) {
    error[0] = '\0';
    return rds_url_read(text, &url, error, sizeof(error));
}

static bool same(const char *a, const char *b) {
    return a == b || (a && b && strcmp(a, b) == 0);
}

static bool is_login(const char *user, const char *password) {
    return same(url.user, user) && same(url.password, password);
}

static void a_url_tells_host_port_login_and_database(void) {
    CU_ASSERT(reads("redis://cache.internal") && url.mode == RDS_ONE && !url.tls && url.db == 0);
    CU_ASSERT(same(url.hosts[0].host, "cache.internal") && same(url.hosts[0].port, "6379") &&
              is_login(NULL, NULL));
    CU_ASSERT(reads("redis://user:pass@host:7000/3") && is_login("user", "pass") && url.db == 3);
    CU_ASSERT(same(url.hosts[0].host, "host") && same(url.hosts[0].port, "7000"));
    CU_ASSERT(reads("rediss://:pass@host/") && url.tls && is_login(NULL, "pass") && url.db == 0);
    CU_ASSERT(reads("redis://user@host") && is_login("user", NULL));
    CU_ASSERT(reads("redis://[::1]:7000") && same(url.hosts[0].host, "::1") &&
              same(url.hosts[0].port, "7000"));
    CU_ASSERT(reads("redis://[::1]") && same(url.hosts[0].port, "6379"));
}

static void a_url_is_percent_decoded(void) {
    CU_ASSERT(reads("redis://us%40er:p%3a%2F%25%e2%82%ac@host") && is_login("us@er", "p:/%\xe2\x82\xac"));
    CU_ASSERT(reads("redis://u:p@ss@host") && is_login("u", "p@ss") && same(url.hosts[0].host, "host"));
    CU_ASSERT(reads("redis://u:p:q@host") && is_login("u", "p:q"));
}

static void a_url_of_a_unix_socket_tells_its_path(void) {
    CU_ASSERT(reads("unix:///run/redis%20x.sock") && same(url.path, "/run/redis x.sock") && url.n_hosts == 0);
    CU_ASSERT(reads("unix://user:pass@/run/redis.sock") && is_login("user", "pass") &&
              same(url.path, "/run/redis.sock"));
    CU_ASSERT(!reads("unix://run/redis.sock") && !reads("unix://"));
}

static void a_url_of_several_hosts_is_a_cluster_or_sentinels(void) {
    CU_ASSERT(reads("redis+cluster://u:p@a,b:7001,[::1]:7002") && url.mode == RDS_CLUSTER &&
              url.n_hosts == 3);
    CU_ASSERT(same(url.hosts[0].port, "6379") && same(url.hosts[1].port, "7001") &&
              same(url.hosts[2].host, "::1"));
    CU_ASSERT(reads("redis+sentinel://a,b:1/mymaster/2") && url.mode == RDS_SENTINEL && url.db == 2);
    CU_ASSERT(same(url.master, "mymaster") && same(url.hosts[0].port, "26379") &&
              same(url.hosts[1].port, "1"));
    CU_ASSERT(reads("rediss+sentinel://a/my%2Fmaster") && url.tls && same(url.master, "my/master"));
    CU_ASSERT(!reads("redis://a,b") && !reads("redis+sentinel://a") && !reads("redis+cluster://a/1"));
}

static void a_wrong_url_is_refused_without_its_password(void) {
    static const char *const wrong[] = {"",
                                        "host",
                                        "http://secret@h",
                                        "redis://",
                                        "redis://u:secret@",
                                        "redis://:secret@:7000",
                                        "redis://u:secret%zz@h",
                                        "redis://u:secret%4@h",
                                        "redis://u:secret%@h",
                                        "redis://u:secret%00@h",
                                        "redis://u:secret@h:0",
                                        "redis://u:secret@h:65536",
                                        "redis://u:secret@h:x",
                                        "redis://u:secret@h:",
                                        "redis://u:secret@h/x",
                                        "redis://u:secret@h/999999999",
                                        "redis://u:secret@[::1",
                                        "redis://u:secret@[::1]x",
                                        "redis+cluster://u:secret@a,,b",
                                        "redis+cluster://u:secret@"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        CU_ASSERT(!reads(wrong[i]));
        CU_ASSERT(error[0] != '\0' && !strstr(error, "secret"));
    }
}

static void a_url_may_be_long_and_have_many_hosts_but_not_too_many(void) {
    static const char begin[] = "redis+cluster://a";
    char text[2 * RDS_MAX_URL];
    size_t len = sizeof(begin) - 1;
    memcpy(text, begin, sizeof(begin));
    for (int i = 1; i <= RDS_MAX_HOSTS; i++, len += 2) {
        CU_ASSERT(reads(text) && url.n_hosts == (size_t)i);
        memcpy(text + len, ",b", 3);
    }
    CU_ASSERT(!reads(text));
    memset(text, 'x', sizeof(text));
    memcpy(text, "redis://", 8);
    text[RDS_MAX_URL] = '\0';
    CU_ASSERT(reads(text) && strlen(url.hosts[0].host) == RDS_MAX_URL - 8);
    text[RDS_MAX_URL] = 'x';
    text[RDS_MAX_URL + 1] = '\0';
    CU_ASSERT(!reads(text));
}

/* ---- errors ----------------------------------------------------------------------------------------------------- */

static void each_error_of_the_server_has_its_class(void) {
    static const struct {
        const char *text;
        int32_t status;
    } errors[] = {
        {"LOADING Redis is loading the dataset in memory", LARDER_RETRY},
        {"READONLY You can't write against a read only replica.", LARDER_RETRY},
        {"MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk.",
         LARDER_RETRY},
        {"BUSY Redis is busy running a script.", LARDER_RETRY},
        {"MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.", LARDER_RETRY},
        {"CLUSTERDOWN The cluster is down", LARDER_RETRY},
        {"TRYAGAIN Multiple keys request during rehashing of slot", LARDER_RETRY},
        {"NOREPLICAS Not enough good replicas to write.", LARDER_RETRY},
        {"NOSCRIPT No matching script. Please use EVAL.", LARDER_RETRY},
        {"EXECABORT Transaction discarded because of previous errors.", LARDER_RETRY},
        {"OOM command not allowed when used memory > 'maxmemory'.", LARDER_THROTTLED},
        {"ERR max number of clients reached", LARDER_THROTTLED},
        {"NOAUTH Authentication required.", LARDER_DENIED},
        {"WRONGPASS invalid username-password pair or user is disabled.", LARDER_DENIED},
        {"NOPERM this user has no permissions to run the 'set' command", LARDER_DENIED},
        {"ERR invalid password", LARDER_DENIED},
        {"ERR Client sent AUTH, but no password is set", LARDER_DENIED},
        {"ERR operation not permitted", LARDER_DENIED},
        {"DENIED Redis is running in protected mode", LARDER_DENIED},
        {"WRONGTYPE Operation against a key holding the wrong kind of value", LARDER_CORRUPT},
        {"CROSSSLOT Keys in request don't hash to the same slot", LARDER_INTERNAL},
        {"ERR unknown command 'EVALSHA', with args beginning with: ", LARDER_UNSUPPORTED},
        {"ERR string exceeds maximum allowed size (proto-max-bulk-len)", LARDER_TOO_BIG},
        {"ERR Protocol error: invalid bulk length", LARDER_TOO_BIG},
        {"ERR DB index is out of range", LARDER_INVALID},
        {"ERR something new", LARDER_INTERNAL},
        {"LOADINGx", LARDER_INTERNAL},
        {"", LARDER_INTERNAL},
    };
    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        const struct rds_error means = rds_error_of(bytes(errors[i].text));
        CU_ASSERT_EQUAL(means.status, errors[i].status);
        CU_ASSERT((means.retry_after_ms > 0) == (means.status == LARDER_THROTTLED));
    }
}

static void an_error_is_told_without_arguments_and_in_one_line(void) {
    char line[40];
    rds_error_line(bytes("ERR unknown command `AUTH`, with args beginning with: `secret`"), line,
                   sizeof(line));
    CU_ASSERT_STRING_EQUAL(line, "ERR unknown command `AUTH`");
    rds_error_line(bytes("a\nb\xff"), line, sizeof(line));
    CU_ASSERT_STRING_EQUAL(line, "a?b?");
    rds_error_line(bytes("0123456789012345678901234567890123456789"), line, sizeof(line));
    CU_ASSERT_EQUAL(strlen(line), sizeof(line) - 1);
}

static void what_forbids_scripts_is_told_from_what_forbids_keys(void) {
    CU_ASSERT(
        rds_error_forbids_scripts(bytes("NOPERM this user has no permissions to run the 'evalsha' command")));
    CU_ASSERT(
        rds_error_forbids_scripts(bytes("NOPERM User app has no permissions to run the 'eval' command")));
    CU_ASSERT(
        rds_error_forbids_scripts(bytes("ERR unknown command `EVALSHA`, with args beginning with: `x`")));
    CU_ASSERT(!rds_error_forbids_scripts(
        bytes("NOPERM this user has no permissions to access one of the keys used as arguments")));
    CU_ASSERT(!rds_error_forbids_scripts(bytes("NOSCRIPT No matching script. Please use EVAL.")));
}

/* ---- keys ------------------------------------------------------------------------------------------------------- */

static const struct rds_names names = {.prefix = "p", .prefix_len = 1};

/* The one argument of the command in it. */
static struct larder_bytes argument(const struct rds_out *out) {
    const uint8_t *at = memchr(out->text, '\n', out->len);
    return (struct larder_bytes){at + 1, out->len - (size_t)(at + 1 - out->text) - 2};
}

static void a_key_is_read_back_as_it_was_written(void) {
    static const char *const keys[] = {"k", "", "}", "}x", "{", "{a}b", "a}b", "a/b*[c]?", "-}", "{-}x"};
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        struct rds_out out = {0};
        struct larder_bytes key;
        rds_arg_key(&out, &names, RDS_ENTRY, bytes(keys[i]), (struct larder_bytes){0});
        CU_ASSERT(rds_key_read(&names, RDS_ENTRY, argument(&out), &key) && rds_same(key, bytes(keys[i])));
        CU_ASSERT(!rds_key_read(&names, RDS_CLAIMED, argument(&out), &key));
        CU_ASSERT_EQUAL(rds_slot_of(argument(&out)), rds_key_slot(bytes(keys[i])));
        rds_out_done(&out);
    }
}

static void what_belongs_to_an_entry_is_in_its_slot(void) {
    static const char *const keys[] = {"k", "", "}x", "a}b", "{a}b"};
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        struct rds_out staged = {0};
        rds_arg_key(&staged, &names, RDS_STAGED, bytes(keys[i]), bytes("0123456789abcdef"));
        CU_ASSERT_EQUAL(rds_slot_of(argument(&staged)), rds_key_slot(bytes(keys[i])));
        rds_out_done(&staged);
    }
}

static void all_that_marks_need_is_in_one_slot(void) {
    struct rds_out out[3] = {0};
    rds_arg_group(&out[0], &names, bytes("ns"));
    rds_arg_counter(&out[1], &names, '1', bytes("ns/epoch"));
    rds_arg_counter(&out[2], &names, '2', bytes("other}/epoch"));
    for (int i = 0; i < 3; i++) {
        CU_ASSERT_EQUAL(rds_slot_of(argument(&out[i])), rds_slot_of(bytes("p")));
        rds_out_done(&out[i]);
    }
}

static void what_is_no_key_of_ours_is_not_read(void) {
    static const char *const stored[] = {"",       "p",        "p:e:{}",   "p:e:{k",  "q:e:{k}",
                                         "p:e:k}", "p:e:{}x}", "p:E:{-}k", "p:E:{x}}"};
    struct larder_bytes key;
    for (size_t i = 0; i < sizeof(stored) / sizeof(stored[0]); i++)
        CU_ASSERT(!rds_key_read(&names, RDS_ENTRY, bytes(stored[i]), &key));
}

static void numbers_are_in_the_order_of_their_bytes(void) {
    static const int64_t numbers[] = {INT64_MIN, INT64_MIN + 1, -256,          -1,       0, 1, 255,
                                      256,       1700000000000, INT64_MAX - 1, INT64_MAX};
    uint8_t before[RDS_NUMBER_BYTES], now[RDS_NUMBER_BYTES];
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        rds_number_write(numbers[i], now);
        CU_ASSERT_EQUAL(rds_number_read(now), numbers[i]);
        CU_ASSERT(i == 0 || memcmp(before, now, sizeof(now)) < 0);
        memcpy(before, now, sizeof(now));
    }
}

/* ---- commands --------------------------------------------------------------------------------------------------- */

static void a_command_is_written_as_the_protocol_says(void) {
    static const uint8_t body[2 * RDS_COPY_BELOW] = {'b'};
    struct rds_out out = {0};
    rds_command(&out, "SET", 4);
    rds_arg_number(&out, INT64_MIN);
    rds_arg_value(&out, bytes("head"), (struct larder_bytes){body, sizeof(body)});
    rds_arg_text(&out, "");
    char expected[3 * RDS_COPY_BELOW], sent[3 * RDS_COPY_BELOW];
    size_t n = (size_t)snprintf(expected, sizeof(expected),
                                "*4\r\n$3\r\nSET\r\n$20\r\n-9223372036854775808\r\n$%zu\r\nhead",
                                4 + sizeof(body));
    memcpy(expected + n, body, sizeof(body));
    n += sizeof(body);
    n += (size_t)snprintf(expected + n, sizeof(expected) - n, "\r\n$0\r\n\r\n");
    CU_ASSERT_EQUAL(out.bytes, n);
    CU_ASSERT_EQUAL(out.n_pieces, 1);
    /* However little of it is taken at a time. */
    for (size_t step = 1; step < 4000; step = 3 * step + 1) {
        size_t at = 0;
        struct rds_out copy = out;
        while (copy.bytes > 0) {
            struct iovec iov[3];
            const int pieces = rds_out_next(&copy, iov, 3);
            size_t taken = 0;
            for (int i = 0; i < pieces && taken < step; i++) {
                const size_t part = iov[i].iov_len < step - taken ? iov[i].iov_len : step - taken;
                memcpy(sent + at + taken, iov[i].iov_base, part);
                taken += part;
            }
            CU_ASSERT_FATAL(taken > 0 && at + taken <= n);
            at += taken;
            if (taken == copy.bytes)
                break;
            rds_out_sent(&copy, taken);
        }
        CU_ASSERT(at + 0 == n && memcmp(sent, expected, n) == 0);
    }
    rds_out_done(&out);
}

UNIT_MAIN("redis forms", UNIT(a_url_tells_host_port_login_and_database), UNIT(a_url_is_percent_decoded),
          UNIT(a_url_of_a_unix_socket_tells_its_path), UNIT(a_url_of_several_hosts_is_a_cluster_or_sentinels),
          UNIT(a_wrong_url_is_refused_without_its_password),
          UNIT(a_url_may_be_long_and_have_many_hosts_but_not_too_many),
          UNIT(each_error_of_the_server_has_its_class),
          UNIT(an_error_is_told_without_arguments_and_in_one_line),
          UNIT(what_forbids_scripts_is_told_from_what_forbids_keys),
          UNIT(a_key_is_read_back_as_it_was_written), UNIT(what_belongs_to_an_entry_is_in_its_slot),
          UNIT(all_that_marks_need_is_in_one_slot), UNIT(what_is_no_key_of_ours_is_not_read),
          UNIT(numbers_are_in_the_order_of_their_bytes), UNIT(a_command_is_written_as_the_protocol_says))
