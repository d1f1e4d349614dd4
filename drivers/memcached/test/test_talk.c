/* What a server may say, or not say, and what comes of it. */
#include <string.h>

#include "../item.h"
#include "rig.h"
#include "unit.h"

static const char *_Atomic scripted; /* the answer to everything */

static struct reply answer_scripted(const char *line, const char *key, const void *data, size_t len) {
    (void)line;
    (void)key;
    (void)data;
    (void)len;
    return say(scripted);
}

static void begin(answer_fn *fn, struct settings settings) {
    server_start(fn);
    driver_open(settings);
}

static void end(void) {
    driver_close();
    server_stop();
}

/* ---- answers ----------------------------------------------------------------------------------------- */

static void what_a_server_says_has_its_class(void) {
    static const struct {
        uint32_t code;
        const char *said;
        int32_t status;
    } rows[] = {{LARDER_OP_GET, "END", LARDER_MISS},
                {LARDER_OP_GET, "SERVER_ERROR the backend is down", LARDER_RETRY},
                {LARDER_OP_GET, "CLIENT_ERROR unauthenticated", LARDER_DENIED},
                {LARDER_OP_GET, "CLIENT_ERROR something else", LARDER_RETRY},
                {LARDER_OP_GET, "HTTP/1.1 400 Bad Request", LARDER_RETRY},
                {LARDER_OP_GET, "VALUE somebody-elses 0 3 1\r\nabc\r\nEND", LARDER_RETRY},
                {LARDER_OP_TAGS_READ, "SERVER_ERROR the backend is down", LARDER_RETRY},
                {LARDER_OP_TAGS_READ, "CLIENT_ERROR unauthenticated", LARDER_DENIED},
                {LARDER_OP_ADVANCE, "SERVER_ERROR the backend is down", LARDER_RETRY},
                {LARDER_OP_PUT, "STORED", LARDER_OK},
                {LARDER_OP_PUT, "NOT_STORED", LARDER_RETRY},
                {LARDER_OP_PUT, "SERVER_ERROR object too large for cache", LARDER_TOO_BIG},
                {LARDER_OP_PUT, "SERVER_ERROR out of memory storing object", LARDER_RETRY},
                {LARDER_OP_PUT, "SERVER_ERROR the backend is down", LARDER_RETRY},
                {LARDER_OP_PUT, "CLIENT_ERROR unauthenticated", LARDER_DENIED},
                {LARDER_OP_PUT, "garbage", LARDER_RETRY},
                {LARDER_OP_REMOVE, "DELETED", LARDER_OK},
                {LARDER_OP_REMOVE, "NOT_FOUND", LARDER_OK},
                {LARDER_OP_REMOVE, "SERVER_ERROR the backend is down", LARDER_RETRY},
                {LARDER_OP_CLAIM, "STORED", LARDER_OK},
                {LARDER_OP_PING, "END", LARDER_OK},
                {LARDER_OP_PING, "SERVER_ERROR the backend is down", LARDER_RETRY}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        scripted = rows[i].said;
        begin(answer_scripted, (struct settings){0});
        struct answered got = ask(rows[i].code, (struct asked){.key = "x", .value = "v"});
        if (got.status != rows[i].status)
            printf("\n  op %u, %s: %d (%s)\n", rows[i].code, rows[i].said, got.status, got.detail);
        CU_ASSERT_EQUAL(got.status, rows[i].status);
        end();
    }
}

static void a_failure_says_which_server_and_what_to_do(void) {
    scripted = "SERVER_ERROR object too large for cache";
    begin(answer_scripted, (struct settings){0});
    struct answered got = ask(LARDER_OP_PUT, (struct asked){.key = "x", .value = "v"});
    CU_ASSERT_PTR_NOT_NULL(strstr(got.detail, "/tmp/larder-mc-"));
    CU_ASSERT_PTR_NOT_NULL(strstr(got.detail, "chunk-size"));
    end();
}

static void after_an_answer_that_makes_no_sense_the_next_op_has_a_connection_of_its_own(void) {
    scripted = "garbage";
    begin(answer_scripted, (struct settings){0});
    CU_ASSERT_EQUAL(ask(LARDER_OP_PUT, (struct asked){.key = "x", .value = "v"}).status, LARDER_RETRY);
    scripted = "STORED";
    CU_ASSERT_EQUAL(ask(LARDER_OP_PUT, (struct asked){.key = "x", .value = "v"}).status, LARDER_OK);
    CU_ASSERT_EQUAL(server_connections(), 2);
    end();
}

static struct reply answer_cut(const char *line, const char *key, const void *data, size_t len) {
    (void)line;
    (void)data;
    (void)len;
    static char text[400];
    int n = snprintf(text, sizeof(text), "VALUE %s 0 100 1\r\nonly this", key);
    return (struct reply){text, (size_t)n, true};
}

static struct reply answer_never(const char *line, const char *key, const void *data, size_t len) {
    (void)line;
    (void)key;
    (void)data;
    (void)len;
    return silence();
}

static struct reply answer_gone(const char *line, const char *key, const void *data, size_t len) {
    (void)line;
    (void)key;
    (void)data;
    (void)len;
    return hang_up();
}

/* The library says of both "not found". */
static void an_answer_that_breaks_off_is_no_miss(void) {
    static answer_fn *const fns[] = {answer_cut, answer_gone};
    for (size_t i = 0; i < 2; i++) {
        begin(fns[i], (struct settings){0});
        CU_ASSERT_EQUAL(ask(LARDER_OP_GET, (struct asked){.key = "x"}).status, LARDER_RETRY);
        CU_ASSERT_EQUAL(ask(LARDER_OP_TAGS_READ, (struct asked){.key = "x"}).status, LARDER_RETRY);
        CU_ASSERT_EQUAL(ask(LARDER_OP_ADVANCE, (struct asked){.key = "x", .add = 1}).status, LARDER_RETRY);
        CU_ASSERT_EQUAL(ask(LARDER_OP_PING, (struct asked){.key = "x"}).status, LARDER_RETRY);
        end();
    }
}

static struct reply answer_junk(const char *line, const char *key, const void *data, size_t len) {
    (void)data;
    (void)len;
    return strncmp(line, "gets", 4) == 0 ? say_value(key, "junk", 4) : say("STORED");
}

static void what_somebody_else_stored_under_our_name_is_no_entry_and_no_mark(void) {
    struct larder_mark mark;
    uint8_t item[MC_MARK_BYTES];
    begin(answer_junk, (struct settings){0});
    CU_ASSERT_EQUAL(ask(LARDER_OP_GET, (struct asked){.key = "x"}).status, LARDER_CORRUPT);
    CU_ASSERT_EQUAL(ask(LARDER_OP_TAGS_READ, (struct asked){.key = "x"}).status, LARDER_CORRUPT);
    /* A write makes it one again, a counter begins anew, a claim is free. */
    CU_ASSERT_EQUAL(ask(LARDER_OP_TAGS_WRITE, (struct asked){.key = "x", .epoch = 9}).status, LARDER_OK);
    CU_ASSERT_EQUAL(server_last(item, sizeof(item)), MC_MARK_BYTES);
    CU_ASSERT_TRUE(mc_mark_parse((struct larder_bytes){item, sizeof(item)}, &mark));
    CU_ASSERT_EQUAL(mark.expired_epoch, 1700000000000); /* what the counter says, which is no better */
    CU_ASSERT_EQUAL(ask(LARDER_OP_ADVANCE, (struct asked){.key = "y"}).epoch, 1700000000000);
    CU_ASSERT_EQUAL(ask(LARDER_OP_RELEASE, (struct asked){.key = "x", .value = "me"}).status, LARDER_OK);
    end();
}

/* ---- marks that are not there ------------------------------------------------------------------------- */

static struct {
    uint8_t item[MC_MARK_BYTES]; /* what is stored under the name of the mark */
    size_t len;                  /* 0: nothing */
    int64_t number;              /* of the counter, which rises each time that it is read */
    unsigned conflicts;          /* so many cas find that somebody was quicker */
    unsigned looks;              /* at the counter while there was no placeholder */
} store;

static struct reply answer_store(const char *line, const char *key, const void *data, size_t len) {
    static char text[1024];
    bool both = strchr(line + 5, ' ') != NULL, counter = strstr(line, ":n") != NULL;
    size_t at = 0;
    if (strncmp(line, "gets", 4) != 0) {
        bool add = strncmp(line, "add ", 4) == 0;
        if (strstr(key, ":n"))
            return say("STORED");
        if (add && store.len > 0)
            return say("NOT_STORED");
        if (!add && store.conflicts > 0) {
            store.conflicts--;
            return say("EXISTS");
        }
        memcpy(store.item, data, len < sizeof(store.item) ? len : sizeof(store.item));
        store.len = len;
        return say("STORED");
    }
    if (!both && !counter && store.len > 0)
        return say_value(key, store.item, store.len);
    if (!both && !counter)
        return say("END");
    /* The mark, where it is asked for, and the counter. */
    if (both && store.len > 0) {
        at = (size_t)snprintf(text, sizeof(text), "VALUE %s 0 %zu 1\r\n", key, store.len);
        memcpy(text + at, store.item, store.len);
        at += store.len;
        at += (size_t)snprintf(text + at, sizeof(text) - at, "\r\n");
    }
    store.looks += store.len != MC_PLACEHOLDER_BYTES;
    const char *name = both ? strrchr(line, ' ') + 1 : key;
    at += (size_t)snprintf(text + at, sizeof(text) - at, "VALUE %s 0 %d 2\r\n", name, MC_COUNTER_BYTES);
    mc_counter_put(store.number++, (uint8_t *)text + at);
    at += MC_COUNTER_BYTES;
    at += (size_t)snprintf(text + at, sizeof(text) - at, "\r\nEND\r\n");
    return (struct reply){text, at, false};
}

static struct larder_mark stored_mark(void) {
    struct larder_mark mark = {.expired_epoch = -1};
    CU_ASSERT_TRUE(mc_mark_parse((struct larder_bytes){store.item, store.len}, &mark));
    return mark;
}

static void a_mark_that_is_not_there_is_made_with_what_the_counter_says_while_nobody_makes_it(void) {
    static const uint32_t flags[] = {0, LARDER_IF_ABSENT};
    for (size_t i = 0; i < 2; i++) {
        memset(&store, 0, sizeof(store));
        store.number = 70;
        begin(answer_store, (struct settings){0});
        struct asked write = {.key = "x", .epoch = 9, .flags = flags[i]};
        CU_ASSERT_EQUAL(ask(LARDER_OP_TAGS_WRITE, write).status, LARDER_OK);
        CU_ASSERT_EQUAL(stored_mark().expired_epoch, 70);
        CU_ASSERT_EQUAL(store.looks, 0);
        CU_ASSERT_EQUAL(ask(LARDER_OP_TAGS_READ, (struct asked){.key = "x"}).n_marks, 1);
        end();
    }
}

static void a_mark_that_is_there_is_merged_without_the_counter(void) {
    const struct larder_mark old = {
        .expired_epoch = 5, .stale_epoch = LARDER_UNSET, .expire_at_ms = LARDER_UNSET};
    memset(&store, 0, sizeof(store));
    mc_mark_put(&old, store.item);
    store.len = MC_MARK_BYTES;
    store.number = 70;
    begin(answer_store, (struct settings){0});
    struct asked write = {.key = "x", .epoch = 9};
    CU_ASSERT_EQUAL(ask(LARDER_OP_TAGS_WRITE, write).status, LARDER_OK);
    CU_ASSERT_EQUAL(stored_mark().expired_epoch, 9);
    CU_ASSERT_EQUAL(store.number, 70);
    write.flags = LARDER_IF_ABSENT;
    write.epoch = 100;
    CU_ASSERT_EQUAL(ask(LARDER_OP_TAGS_WRITE, write).status, LARDER_MISS);
    CU_ASSERT_EQUAL(stored_mark().expired_epoch, 9);
    end();
}

static void a_placeholder_is_no_mark_and_in_nobodys_way(void) {
    const struct mc_id id = {{1, 2, 3}};
    memset(&store, 0, sizeof(store));
    mc_placeholder_put(&id, store.item);
    store.len = MC_PLACEHOLDER_BYTES;
    store.number = 70;
    begin(answer_store, (struct settings){0});
    struct answered got = ask(LARDER_OP_TAGS_READ, (struct asked){.key = "x"});
    CU_ASSERT(got.status == LARDER_OK && got.n_marks == 0);
    CU_ASSERT_EQUAL(ask(LARDER_OP_TAGS_WRITE, (struct asked){.key = "x", .epoch = 9}).status, LARDER_OK);
    CU_ASSERT_EQUAL(stored_mark().expired_epoch, 70);
    end();
}

static void the_counter_is_read_anew_where_somebody_was_quicker(void) {
    memset(&store, 0, sizeof(store));
    store.number = 70;
    store.conflicts = 2;
    begin(answer_store, (struct settings){0});
    CU_ASSERT_EQUAL(ask(LARDER_OP_TAGS_WRITE, (struct asked){.key = "x", .epoch = 9}).status, LARDER_OK);
    CU_ASSERT_EQUAL(stored_mark().expired_epoch, 72);
    end();
}

/* ---- waiting ------------------------------------------------------------------------------------------ */

static void a_silent_server_keeps_nobody_beyond_his_deadline(void) {
    static const uint32_t codes[] = {LARDER_OP_GET, LARDER_OP_PUT, LARDER_OP_TAGS_WRITE};
    for (size_t i = 0; i < 3; i++) {
        begin(answer_never, (struct settings){.timeout_ms = 3600000}); /* which is not what it waits */
        struct answered got = ask(codes[i], (struct asked){.key = "x", .value = "v", .within_ms = 50});
        CU_ASSERT_EQUAL(got.status, LARDER_DEADLINE);
        end();
    }
}

static void an_op_whose_time_is_up_asks_nobody(void) {
    static const uint32_t codes[] = {LARDER_OP_GET, LARDER_OP_PUT, LARDER_OP_TAGS_READ, LARDER_OP_PING};
    begin(answer_scripted, (struct settings){0});
    for (size_t i = 0; i < 4; i++)
        CU_ASSERT_EQUAL(ask(codes[i], (struct asked){.key = "x", .value = "v", .within_ms = -1}).status,
                        LARDER_DEADLINE);
    CU_ASSERT_EQUAL(server_connections(), 0);
    end();
}

static void a_server_that_lets_three_ops_wait_is_cut_off(void) {
    begin(answer_never, (struct settings){.timeout_ms = 30});
    for (unsigned i = 0; i < 3; i++)
        CU_ASSERT_EQUAL(ask(LARDER_OP_GET, (struct asked){.key = "x"}).status, LARDER_RETRY);
    unsigned lines = server_lines(), connections = server_connections();
    CU_ASSERT_EQUAL(host_logged(), 1);
    for (unsigned i = 0; i < 50; i++) {
        struct answered got = ask(LARDER_OP_GET, (struct asked){.key = "x"});
        CU_ASSERT_EQUAL(got.status, LARDER_RETRY);
        CU_ASSERT_PTR_NOT_NULL(strstr(got.detail, "cut off"));
    }
    CU_ASSERT_EQUAL(ask(LARDER_OP_PUT, (struct asked){.key = "x", .value = "v"}).status, LARDER_RETRY);
    CU_ASSERT_EQUAL(server_lines(), lines);
    CU_ASSERT_EQUAL(server_connections(), connections);
    end();
}

static atomic_bool awake;

static struct reply answer_when_awake(const char *line, const char *key, const void *data, size_t len) {
    (void)line;
    (void)key;
    (void)data;
    (void)len;
    return atomic_load(&awake) ? say("END") : silence();
}

static void a_server_that_answers_a_probe_is_in_use_again(void) {
    atomic_store(&awake, false);
    begin(answer_when_awake, (struct settings){.timeout_ms = 30, .probe_interval_ms = 10});
    for (unsigned i = 0; i < 4; i++)
        CU_ASSERT_EQUAL(ask(LARDER_OP_GET, (struct asked){.key = "x"}).status, LARDER_RETRY);
    atomic_store(&awake, true);
    struct answered got = {0};
    for (unsigned i = 0; i < 1000000 && got.status != LARDER_MISS; i++)
        got = ask(LARDER_OP_GET, (struct asked){.key = "x"});
    CU_ASSERT_EQUAL(got.status, LARDER_MISS);
    CU_ASSERT_EQUAL(host_logged(), 2); /* cut off; back */
    for (unsigned i = 0; i < 10; i++)
        CU_ASSERT_EQUAL(ask(LARDER_OP_GET, (struct asked){.key = "x"}).status, LARDER_MISS);
    end();
}

static void a_caller_in_a_hurry_says_nothing_about_the_server(void) {
    begin(answer_never, (struct settings){0});
    for (unsigned i = 0; i < 10; i++)
        ask(LARDER_OP_GET, (struct asked){.key = "x", .within_ms = 2});
    CU_ASSERT_EQUAL(host_logged(), 0);
    end();
}

static void a_server_that_refuses_connections_is_asked_each_time(void) {
    server_start(answer_scripted);
    driver_open((struct settings){.url = "memcached:///tmp/larder-no-such-socket"});
    for (unsigned i = 0; i < 10; i++) {
        struct answered got = ask(LARDER_OP_GET, (struct asked){.key = "x"});
        CU_ASSERT_EQUAL(got.status, LARDER_RETRY);
        CU_ASSERT_PTR_NULL(strstr(got.detail, "cut off"));
    }
    CU_ASSERT_EQUAL(host_logged(), 0);
    end();
}

/* ---- connections ---------------------------------------------------------------------------------------- */

static struct reply answer_and_close(const char *line, const char *key, const void *data, size_t len) {
    (void)key;
    (void)data;
    (void)len;
    struct reply reply = say(strncmp(line, "gets", 4) == 0 ? "END" : "STORED");
    reply.closes = true;
    return reply;
}

static void a_connection_that_the_server_closed_meanwhile_is_no_failure(void) {
    begin(answer_and_close, (struct settings){0});
    for (unsigned i = 0; i < 5; i++) {
        CU_ASSERT_EQUAL(ask(LARDER_OP_GET, (struct asked){.key = "x"}).status, LARDER_MISS);
        CU_ASSERT_EQUAL(ask(LARDER_OP_PUT, (struct asked){.key = "x", .value = "v"}).status, LARDER_OK);
        CU_ASSERT_EQUAL(ask(LARDER_OP_TAGS_READ, (struct asked){.key = "x"}).status, LARDER_OK);
    }
    CU_ASSERT_EQUAL(server_connections(), 15);
    end();
}

static void one_connection_serves_op_after_op(void) {
    scripted = "END";
    begin(answer_scripted, (struct settings){0});
    for (unsigned i = 0; i < 20; i++)
        CU_ASSERT_EQUAL(ask(LARDER_OP_GET, (struct asked){.key = "x"}).status, LARDER_MISS);
    CU_ASSERT_EQUAL(server_connections(), 1);
    end();
}

/* ---- chunks and counters ---------------------------------------------------------------------------------- */

static atomic_bool taken_away;

/* A manifest whose chunks have been evicted. */
static struct reply answer_without_chunks(const char *line, const char *key, const void *data, size_t len) {
    const struct mc_entry manifest = {.form = MC_IN_CHUNKS,
                                      .expires_ms = LARDER_UNSET,
                                      .length = 10000,
                                      .chunk_bytes = 5000,
                                      .n_chunks = 2};
    uint8_t item[MC_MANIFEST_BYTES];
    struct mc_entry sent;
    if (strncmp(line, "cas ", 4) == 0) {
        bool gone = mc_entry_parse((struct larder_bytes){data, len}, &sent) && sent.form == MC_TAKEN_AWAY;
        atomic_store(&taken_away, gone);
        return say("STORED");
    }
    if (strchr(key, ':') && strstr(key, ":v"))
        return say("END");
    return say_value(key, item, mc_entry_put(&manifest, item));
}

static void an_entry_that_lacks_a_chunk_is_a_miss_and_is_taken_away(void) {
    atomic_store(&taken_away, false);
    begin(answer_without_chunks, (struct settings){0});
    CU_ASSERT_EQUAL(ask(LARDER_OP_GET, (struct asked){.key = "x"}).status, LARDER_MISS);
    CU_ASSERT_TRUE(atomic_load(&taken_away));
    end();
}

static atomic_bool lost;
static atomic_bool slow_to_notice;

/* A counter of 5 * 10^15, which is lost when `lost` is set. */
static struct reply answer_counter(const char *line, const char *key, const void *data, size_t len) {
    uint8_t item[MC_COUNTER_BYTES];
    (void)data;
    (void)len;
    if (strncmp(line, "gets", 4) != 0)
        return say(atomic_exchange(&slow_to_notice, false) ? "EXISTS" : "STORED");
    if (atomic_load(&lost))
        return say("END");
    mc_counter_put(INT64_C(5000000000000000), item);
    return say_value(key, item, sizeof(item));
}

static void a_counter_that_was_lost_comes_back_greater_than_what_this_process_knows(void) {
    atomic_store(&lost, false);
    begin(answer_counter, (struct settings){0});
    CU_ASSERT_EQUAL(ask(LARDER_OP_ADVANCE, (struct asked){.key = "x"}).epoch, 5000000000000000);
    CU_ASSERT_EQUAL(ask(LARDER_OP_ADVANCE, (struct asked){.key = "x", .add = 1}).epoch, 5000000000000001);
    atomic_store(&lost, true);
    CU_ASSERT_EQUAL(ask(LARDER_OP_ADVANCE, (struct asked){.key = "x"}).epoch, 5000000000000002);
    CU_ASSERT_EQUAL(ask(LARDER_OP_ADVANCE, (struct asked){.key = "other"}).epoch, 1700000000000);
    end();
}

static void who_was_not_the_first_tries_again(void) {
    atomic_store(&lost, false);
    atomic_store(&slow_to_notice, true);
    begin(answer_counter, (struct settings){0});
    CU_ASSERT_EQUAL(ask(LARDER_OP_ADVANCE, (struct asked){.key = "x", .add = 1}).epoch, 5000000000000001);
    CU_ASSERT_EQUAL(server_lines(), 4);
    end();
}

UNIT_MAIN("memcached: talk", UNIT(what_a_server_says_has_its_class),
          UNIT(a_failure_says_which_server_and_what_to_do),
          UNIT(after_an_answer_that_makes_no_sense_the_next_op_has_a_connection_of_its_own),
          UNIT(an_answer_that_breaks_off_is_no_miss),
          UNIT(what_somebody_else_stored_under_our_name_is_no_entry_and_no_mark),
          UNIT(a_mark_that_is_not_there_is_made_with_what_the_counter_says_while_nobody_makes_it),
          UNIT(a_mark_that_is_there_is_merged_without_the_counter),
          UNIT(a_placeholder_is_no_mark_and_in_nobodys_way),
          UNIT(the_counter_is_read_anew_where_somebody_was_quicker),
          UNIT(a_silent_server_keeps_nobody_beyond_his_deadline), UNIT(an_op_whose_time_is_up_asks_nobody),
          UNIT(a_server_that_lets_three_ops_wait_is_cut_off),
          UNIT(a_server_that_answers_a_probe_is_in_use_again),
          UNIT(a_caller_in_a_hurry_says_nothing_about_the_server),
          UNIT(a_server_that_refuses_connections_is_asked_each_time),
          UNIT(a_connection_that_the_server_closed_meanwhile_is_no_failure),
          UNIT(one_connection_serves_op_after_op),
          UNIT(an_entry_that_lacks_a_chunk_is_a_miss_and_is_taken_away),
          UNIT(a_counter_that_was_lost_comes_back_greater_than_what_this_process_knows),
          UNIT(who_was_not_the_first_tries_again))
