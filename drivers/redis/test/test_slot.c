/* Slots of keys, maps of slots, redirections. */
#include "../slot.h"
#include "route_rig.h"

#include <string.h>

#include "../route.h"
#include "unit.h"

static struct larder_bytes bytes(const char *text) {
    return (struct larder_bytes){(const uint8_t *)text, strlen(text)};
}

/* ---- keys ----------------------------------------------------------------------------------------------- */

/* 123456789: the check value of CRC-16/XMODEM, 0x31c3; the others are told by `redis-cli cluster keyslot`. */
static void slots_are_those_of_the_published_examples(void) {
    static const struct {
        const char *key;
        uint16_t slot;
    } rows[] = {{"123456789", 0x31c3},   {"", 0},
                {"foo", 12182},          {"bar", 5061},
                {"hello", 866},          {"somekey", 11058},
                {"foo{hash_tag}", 2515}, {"bar{hash_tag}", 2515}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        CU_ASSERT_EQUAL(rds_slot_of(bytes(rows[i].key)), rows[i].slot);
    CU_ASSERT_EQUAL(rds_slot_of((struct larder_bytes){NULL, 0}), 0);
}

/* The rows are those of the specification of Redis Cluster, section "Hash tags". */
static void a_hash_tag_is_what_stands_between_the_first_braces_unless_that_is_nothing(void) {
    static const char *const rows[][2] = {{"{user1000}.following", "user1000"},
                                          {"foo{}{bar}", "foo{}{bar}"},
                                          {"foo{{bar}}zap", "{bar"},
                                          {"foo{bar}{zap}", "bar"},
                                          {"{a", "{a"},
                                          {"a}", "a}"},
                                          {"}{a}", "a"},
                                          {"{}", "{}"},
                                          {"", ""}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct larder_bytes part = rds_slot_part(bytes(rows[i][0]));
        CU_ASSERT_EQUAL(part.len, strlen(rows[i][1]));
        CU_ASSERT(part.len == 0 || memcmp(part.ptr, rows[i][1], part.len) == 0);
    }
}

static void a_key_may_have_any_bytes(void) {
    static const uint8_t key[] = {0, '{', 0xff, 0, '}', 0}, part[] = {0xff, 0};
    CU_ASSERT_EQUAL(rds_slot_of((struct larder_bytes){key, sizeof(key)}),
                    rds_slot_of((struct larder_bytes){part, sizeof(part)}));
}

/* ---- replies, read as they come from a server ---------------------------------------------------------------- */

#define N1 "*3\r\n$9\r\n127.0.0.1\r\n:7001\r\n$2\r\nn1\r\n"
#define N2 "*3\r\n$9\r\n127.0.0.1\r\n:7002\r\n$2\r\nn2\r\n"
#define N3 "*4\r\n$9\r\n127.0.0.1\r\n:7003\r\n$2\r\nn3\r\n*0\r\n" /* with metadata, as Redis 7 has it */

static int32_t take(struct rds_map *map, const char *wire, const char *from) {
    struct rds_reader reader = {0};
    int32_t status = rds_map_take(map, rig_read(&reader, wire, NULL), from);
    rds_reader_done(&reader);
    return status;
}

static bool primary_is(const struct rds_map *map, uint16_t slot, const char *host, uint16_t port) {
    const struct rds_shard *shard = rds_map_find(map, slot);
    return shard && strcmp(map->nodes[shard->primary].host, host) == 0 &&
           map->nodes[shard->primary].port == port;
}

static void a_map_tells_primary_and_replicas_of_each_slot(void) {
    struct rds_map map = {0};
    CU_ASSERT(rds_map_find(&map, 0) == NULL);
    CU_ASSERT_EQUAL(take(&map, "*2\r\n*4\r\n:0\r\n:5460\r\n" N1 N3 "*3\r\n:5461\r\n:16383\r\n" N2, "seed"),
                    LARDER_OK);
    CU_ASSERT_EQUAL(map.n_covered, RDS_SLOTS);
    CU_ASSERT(primary_is(&map, 0, "127.0.0.1", 7001));
    CU_ASSERT(primary_is(&map, 5460, "127.0.0.1", 7001));
    CU_ASSERT(primary_is(&map, 5461, "127.0.0.1", 7002));
    CU_ASSERT(primary_is(&map, 16383, "127.0.0.1", 7002));
    CU_ASSERT_EQUAL(rds_map_find(&map, 0)->n_replicas, 1);
    CU_ASSERT_EQUAL(map.nodes[rds_map_find(&map, 0)->replicas[0]].port, 7003);
    CU_ASSERT_EQUAL(rds_map_find(&map, 9000)->n_replicas, 0);
    rds_map_done(&map);
}

static void ranges_of_one_node_are_one_shard(void) {
    struct rds_map map = {0};
    CU_ASSERT_EQUAL(
        take(&map, "*3\r\n*3\r\n:0\r\n:9\r\n" N1 "*3\r\n:10\r\n:10\r\n" N2 "*3\r\n:11\r\n:20\r\n" N1, "seed"),
        LARDER_OK);
    CU_ASSERT_EQUAL(map.n_shards, 2);
    CU_ASSERT_EQUAL(map.n_covered, 21);
    CU_ASSERT_EQUAL(rds_map_find(&map, 0), rds_map_find(&map, 20));
    CU_ASSERT(primary_is(&map, 10, "127.0.0.1", 7002));
    CU_ASSERT(rds_map_find(&map, 21) == NULL);
    CU_ASSERT(rds_map_find(&map, UINT16_MAX) == NULL);
    rds_map_done(&map);
}

static void a_node_that_does_not_say_its_name_is_the_one_that_was_asked(void) {
    static const char *const unnamed[] = {"*1\r\n*3\r\n:0\r\n:16383\r\n*3\r\n$-1\r\n:7001\r\n$1\r\nn\r\n",
                                          "*1\r\n*3\r\n:0\r\n:16383\r\n*3\r\n$0\r\n\r\n:7001\r\n$1\r\nn\r\n"};
    for (size_t i = 0; i < 2; i++) {
        struct rds_map map = {0};
        CU_ASSERT_EQUAL(take(&map, unnamed[i], "cache.example"), LARDER_OK);
        CU_ASSERT(primary_is(&map, 77, "cache.example", 7001));
        rds_map_done(&map);
    }
}

static void a_node_whose_name_nobody_knows_is_left_out(void) {
    struct rds_map map = {0};
    CU_ASSERT_EQUAL(
        take(&map, "*2\r\n*3\r\n:0\r\n:9\r\n*3\r\n$1\r\n?\r\n:7001\r\n$1\r\nn\r\n*3\r\n:10\r\n:19\r\n" N2,
             "seed"),
        LARDER_OK);
    CU_ASSERT(rds_map_find(&map, 5) == NULL);
    CU_ASSERT(primary_is(&map, 15, "127.0.0.1", 7002));
    rds_map_done(&map);
}

static void nodes_keep_their_numbers_from_map_to_map(void) {
    struct rds_map map = {0};
    CU_ASSERT_EQUAL(take(&map, "*2\r\n*3\r\n:0\r\n:99\r\n" N1 "*3\r\n:100\r\n:16383\r\n" N2, "seed"),
                    LARDER_OK);
    uint16_t first = rds_map_node(&map, "127.0.0.1", 7001), second = rds_map_node(&map, "127.0.0.1", 7002);
    CU_ASSERT_EQUAL(take(&map, "*1\r\n*3\r\n:0\r\n:16383\r\n" N2, "seed"), LARDER_OK);
    CU_ASSERT_EQUAL(map.n_moved, 100);
    CU_ASSERT_EQUAL(rds_map_find(&map, 0)->primary, second);
    CU_ASSERT(map.nodes[first].gone);
    CU_ASSERT_FALSE(map.nodes[second].gone);
    CU_ASSERT_EQUAL(take(&map, "*2\r\n*3\r\n:0\r\n:99\r\n" N1 "*3\r\n:100\r\n:16383\r\n" N2, "seed"),
                    LARDER_OK);
    CU_ASSERT_EQUAL(rds_map_find(&map, 0)->primary, first);
    CU_ASSERT_FALSE(map.nodes[first].gone);
    rds_map_done(&map);
}

static void the_place_of_a_node_that_nobody_uses_any_more_is_used_again(void) {
    struct rds_map map = {0};
    for (uint16_t port = 1; port < 20000; port++) {
        uint16_t node = rds_map_node(&map, "pod", port);
        CU_ASSERT_NOT_EQUAL_FATAL(node, RDS_NOBODY);
        map.nodes[node].unused = true;
    }
    CU_ASSERT_EQUAL(map.n_nodes, 1);
    rds_map_done(&map);
}

static void what_is_no_map_changes_nothing(void) {
    static const char *const wrong[] = {
        "+OK\r\n",
        "$-1\r\n",
        "*1\r\n+OK\r\n",
        "*1\r\n*2\r\n:0\r\n:9\r\n",
        "*1\r\n*3\r\n:9\r\n:0\r\n" N1,
        "*1\r\n*3\r\n:0\r\n:16384\r\n" N1,
        "*1\r\n*3\r\n:-1\r\n:5\r\n" N1,
        "*1\r\n*3\r\n$1\r\n0\r\n:5\r\n" N1,
        "*1\r\n*3\r\n:0\r\n:5\r\n$1\r\nx\r\n",
        "*1\r\n*3\r\n:0\r\n:5\r\n*1\r\n$1\r\nx\r\n",
        "*1\r\n*3\r\n:0\r\n:5\r\n*2\r\n$1\r\nx\r\n$4\r\n7001\r\n",
        "*1\r\n*3\r\n:0\r\n:5\r\n*2\r\n$1\r\nx\r\n:65536\r\n",
        "*1\r\n*3\r\n:0\r\n:5\r\n*2\r\n:1\r\n:7001\r\n",
        "*2\r\n*3\r\n:0\r\n:5\r\n" N2 "*3\r\n:6\r\n:5\r\n" N2,
    };
    struct rds_map map = {0};
    CU_ASSERT_EQUAL(take(&map, "*1\r\n*3\r\n:0\r\n:16383\r\n" N1, "seed"), LARDER_OK);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        CU_ASSERT_EQUAL(take(&map, wrong[i], "seed"), LARDER_CORRUPT);
        CU_ASSERT_EQUAL(map.n_covered, RDS_SLOTS);
        CU_ASSERT(primary_is(&map, 3, "127.0.0.1", 7001));
    }
    rds_map_done(&map);
}

static void a_slot_that_moved_is_at_its_new_node_and_no_other_slot_is(void) {
    struct rds_map map = {0};
    CU_ASSERT_EQUAL(take(&map, "*1\r\n*4\r\n:0\r\n:16383\r\n" N1 N3, "seed"), LARDER_OK);
    CU_ASSERT_EQUAL(rds_map_move(&map, 100, "127.0.0.1", 7003), LARDER_OK);
    CU_ASSERT(primary_is(&map, 99, "127.0.0.1", 7001));
    CU_ASSERT(primary_is(&map, 100, "127.0.0.1", 7003));
    CU_ASSERT(primary_is(&map, 101, "127.0.0.1", 7001));
    CU_ASSERT_EQUAL(rds_map_move(&map, 101, "127.0.0.1", 7003), LARDER_OK);
    CU_ASSERT_EQUAL(rds_map_find(&map, 100), rds_map_find(&map, 101));
    CU_ASSERT_EQUAL(map.n_covered, RDS_SLOTS);
    rds_map_done(&map);
}

static void a_slot_may_move_before_there_is_a_map(void) {
    struct rds_map map = {0};
    CU_ASSERT_EQUAL(rds_map_move(&map, 100, "h", 1), LARDER_OK);
    CU_ASSERT(primary_is(&map, 100, "h", 1));
    CU_ASSERT_EQUAL(map.n_covered, 1);
    rds_map_done(&map);
}

/* ---- redirections --------------------------------------------------------------------------------------------- */

static void redirections_are_read_with_names_addresses_and_neither(void) {
    static const struct {
        const char *error, *host;
        bool ask;
        uint16_t slot, port;
    } rows[] = {{"MOVED 3999 127.0.0.1:6381", "127.0.0.1", false, 3999, 6381},
                {"ASK 0 node-1.example:65535", "node-1.example", true, 0, 65535},
                {"MOVED 16383 2001:db8::1:6381", "2001:db8::1", false, 16383, 6381},
                {"MOVED 1 :6381", "", false, 1, 6381}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct rds_redirect got;
        CU_ASSERT_FATAL(rds_redirect_read(bytes(rows[i].error), &got));
        CU_ASSERT_STRING_EQUAL(got.host, rows[i].host);
        CU_ASSERT_EQUAL(got.ask, rows[i].ask);
        CU_ASSERT_EQUAL(got.slot, rows[i].slot);
        CU_ASSERT_EQUAL(got.port, rows[i].port);
    }
}

static void what_is_no_redirection_is_not_followed(void) {
    static const char *const wrong[] = {"",
                                        "MOVED",
                                        "MOVED ",
                                        "MOVED 1",
                                        "MOVED 1 ",
                                        "MOVED 1 host",
                                        "MOVED 1 host:",
                                        "MOVED 1 host:0",
                                        "MOVED 1 host:65536",
                                        "MOVED 1 host:x",
                                        "MOVED 16384 host:1",
                                        "MOVED -1 host:1",
                                        "MOVED x host:1",
                                        "MOVED  1 host:1",
                                        "MOVED 1 ?:1",
                                        "ASKING 1 host:1",
                                        "TRYAGAIN Multiple keys request during rehashing of slot",
                                        "CLUSTERDOWN The cluster is down"};
    struct rds_redirect got = {.port = 9};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        CU_ASSERT_FALSE(rds_redirect_read(bytes(wrong[i]), &got));
    CU_ASSERT_EQUAL(got.port, 9);
}

static void a_host_of_a_redirection_has_a_bounded_length(void) {
    char error[400] = "MOVED 1 ";
    struct rds_redirect got;
    for (size_t len = 250; len < 260; len++) {
        memset(error + 8, 'h', len);
        memcpy(error + 8 + len, ":1", 2);
        CU_ASSERT_EQUAL(rds_redirect_read((struct larder_bytes){(const uint8_t *)error, 10 + len}, &got),
                        len < RDS_HOST_SIZE);
    }
}

UNIT_MAIN("redis: slots", UNIT(slots_are_those_of_the_published_examples),
          UNIT(a_hash_tag_is_what_stands_between_the_first_braces_unless_that_is_nothing),
          UNIT(a_key_may_have_any_bytes), UNIT(a_map_tells_primary_and_replicas_of_each_slot),
          UNIT(ranges_of_one_node_are_one_shard),
          UNIT(a_node_that_does_not_say_its_name_is_the_one_that_was_asked),
          UNIT(a_node_whose_name_nobody_knows_is_left_out), UNIT(nodes_keep_their_numbers_from_map_to_map),
          UNIT(the_place_of_a_node_that_nobody_uses_any_more_is_used_again),
          UNIT(what_is_no_map_changes_nothing),
          UNIT(a_slot_that_moved_is_at_its_new_node_and_no_other_slot_is),
          UNIT(a_slot_may_move_before_there_is_a_map),
          UNIT(redirections_are_read_with_names_addresses_and_neither),
          UNIT(what_is_no_redirection_is_not_followed), UNIT(a_host_of_a_redirection_has_a_bounded_length))
