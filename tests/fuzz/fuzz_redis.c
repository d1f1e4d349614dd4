/*
 * What the redis driver reads from outside: the replies of a server, in pieces of any size, as values and as anything
 * else; its errors; keys that SCAN found; and the setting `url`.
 */
#include <string.h>

#include "buf.h"
#include "fuzz.h"
#include "redis/error.h"
#include "redis/intake.h"
#include "redis/key.h"
#include "redis/sentinel.h"
#include "redis/slot.h"
#include "redis/url.h"

enum { MOST_LEVELS = 10 }; /* that any hiredis reads */

/* All of it is there to be read. */
static unsigned sum_of(struct larder_bytes text) {
    unsigned sum = 0;
    for (size_t i = 0; i < text.len; i++)
        sum += text.ptr[i];
    return sum;
}

static void check_reply(const struct rds_reply *reply, unsigned depth) {
    CHECK(depth <= MOST_LEVELS && strchr("+-:$*_", reply->type) != NULL);
    CHECK(sum_of(reply->text) <= 255 * reply->text.len);
    CHECK(reply->n == 0 || reply->type == RDS_ARRAY);
    for (uint32_t i = 0; i < reply->n; i++)
        check_reply(&reply->elements[i], depth + 1);
    if (reply->type == RDS_ERROR) {
        char line[100];
        (void)rds_error_of(reply->text);
        (void)rds_error_forbids_scripts(reply->text);
        rds_error_line(reply->text, line, sizeof(line));
        for (const char *c = line; *c != '\0'; c++)
            CHECK(*c >= 32 && *c < 127);
    }
}

/* What a cluster and sentinels say about who is where. */
static void check_topology(const struct rds_reply *reply) {
    struct rds_map map = {0};
    struct rds_redirect to;
    struct rds_told told;
    struct rds_server servers[SENTINEL_REPLICAS];
    if (reply->type == RDS_ERROR && rds_redirect_read(reply->text, &to))
        CHECK(to.slot < RDS_SLOTS && to.port > 0 &&
              rds_map_move(&map, to.slot, to.host, to.port) == LARDER_OK);
    if (rds_map_take(&map, reply, "seed") == LARDER_OK)
        CHECK(map.n_covered <= RDS_SLOTS && map.n_moved <= map.n_covered);
    for (unsigned slot = 0; slot < RDS_SLOTS; slot += 97) {
        const struct rds_shard *shard = rds_map_find(&map, (uint16_t)slot);
        CHECK(!shard || (shard->primary < map.n_nodes && map.nodes[shard->primary].port > 0));
    }
    rds_map_done(&map);
    (void)rds_told_address(reply, &told);
    (void)rds_told_master(reply, &told);
    CHECK(rds_told_replicas(reply, servers) <= SENTINEL_REPLICAS);
    (void)rds_told_switch(reply->text, "mymaster", &servers[0]);
}

/* Of what a server only announces, no more than a megabyte is given: the rest of the time would go into that. */
static uint8_t *small_buf_new(size_t len, struct larder_slice *out) {
    return len <= 1 << 20 ? buf_new(len, out) : NULL;
}

/* In pieces of `step` bytes; every third reply is to be a value.  How many there were, and of which types, does not
 * depend on the pieces. */
static uint32_t read_all(const uint8_t *data, size_t size, size_t step) {
    static const struct larder_host host = {
        .size = sizeof(host), .buf_new = small_buf_new, .buf_unref = buf_unref};
    struct rds_intake in;
    uint32_t n = 0, types = 0;
    enum rds_taken taken = RDS_TAKE_MORE;
    rds_intake_init(&in, &host);
    for (size_t at = 0; at < size && taken == RDS_TAKE_MORE;) {
        struct iovec iov[2];
        const int pieces = rds_intake_room(&in, iov);
        size_t total = 0;
        CHECK(pieces > 0);
        for (int i = 0; i < pieces && total < step && at < size; i++) {
            size_t len = size - at < step - total ? size - at : step - total;
            len = len < iov[i].iov_len ? len : iov[i].iov_len;
            if (len > 0)
                memcpy(iov[i].iov_base, data + at, len);
            at += len;
            total += len;
        }
        rds_intake_took(&in, total);
        struct rds_answer answer;
        while ((taken = rds_intake_next(&in, n % 3 == 0, &answer)) == RDS_TAKEN) {
            check_reply(answer.reply, 0);
            if (step == SIZE_MAX)
                check_topology(answer.reply);
            types = types * 31 + answer.reply->type + (uint32_t)answer.value.len;
            buf_unref(answer.value.owner);
            n++;
        }
    }
    rds_intake_done(&in);
    return types + n;
}

static void check_key(struct larder_bytes stored) {
    static const struct rds_names names = {.prefix = "larder", .prefix_len = 6};
    struct larder_bytes key;
    if (!rds_key_read(&names, RDS_ENTRY, stored, &key))
        return;
    struct rds_out out = {0};
    rds_arg_key(&out, &names, RDS_ENTRY, key, (struct larder_bytes){0});
    CHECK(!out.failed && out.len > stored.len + 2);
    CHECK(memcmp(out.text + out.len - stored.len - 2, stored.ptr, stored.len) == 0);
    rds_out_done(&out);
}

static void check_url(const uint8_t *data, size_t size) {
    static struct rds_url url;
    char text[512], error[200];
    const size_t len = size < sizeof(text) - 1 ? size : sizeof(text) - 1;
    if (len > 0)
        memcpy(text, data, len);
    text[len] = '\0';
    if (!rds_url_read(text, &url, error, sizeof(error))) {
        CHECK(strncmp(error, "url: ", 5) == 0);
        return;
    }
    CHECK((url.path != NULL) == (url.n_hosts == 0));
    for (size_t i = 0; i < url.n_hosts; i++)
        CHECK(url.hosts[i].host[0] != '\0' && url.hosts[i].port[0] != '\0');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const size_t before = buf_live();
    const uint32_t whole = read_all(data, size, SIZE_MAX);
    CHECK(read_all(data, size, 1) == whole);
    CHECK(read_all(data, size, 7) == whole);
    CHECK(buf_live() == before);
    check_key((struct larder_bytes){data, size});
    check_url(data, size);
    return 0;
}
