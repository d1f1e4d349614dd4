/* larder.h as programs use it: the real I/O thread, the real loader, the memory driver. */
#include <pthread.h>

#include "buf.h"
#include "bytes.h"
#include "larder/larder.h"
#include "unit.h"

#define BYTES(text) ((struct larder_bytes){(const uint8_t *)(text), sizeof(text) - 1})

static struct larder_store *open_with(const char *url, const char *compress) {
    struct larder_config *config = larder_config_new();
    struct larder_store *store = NULL;
    struct larder_error error = {0};
    CU_ASSERT(larder_config_set(config, "cache", url, "test", &error) == LARDER_OK);
    CU_ASSERT(larder_config_set(config, "compress", compress, "test", &error) == LARDER_OK);
    if (larder_open(config, &store, &error) != LARDER_OK) {
        printf("cannot open %s: %s\n", url, error.text);
        exit(2);
    }
    larder_config_free(config);
    return store;
}

static struct larder_store *open_named(const char *url) {
    return open_with(url, "auto");
}

static int32_t put_of_time(struct larder_store *store, const char *key, int64_t epoch, int64_t modified_ms,
                           uint32_t flags) {
    struct larder_bytes tag = BYTES("t");
    struct larder_part part = {.name = BYTES("body"), .data = bytes_of(key)};
    struct larder_entry entry = {.kind = LARDER_FETCH,
                                 .n_parts = 1,
                                 .key = bytes_of(key),
                                 .meta = BYTES("{}"),
                                 .epoch = epoch,
                                 .modified_ms = modified_ms,
                                 .revalidate_ms = LARDER_UNSET,
                                 .expire_ms = LARDER_UNSET,
                                 .tags = &tag,
                                 .n_tags = 1,
                                 .parts = &part};
    struct larder_request request = {.code = LARDER_DO_PUT, .entry = &entry, .flags = flags};
    return larder_call(store, &request, NULL);
}

static int32_t put(struct larder_store *store, const char *key, int64_t epoch, uint32_t flags) {
    return put_of_time(store, key, epoch, 1, flags);
}

static int32_t get(struct larder_store *store, const char *key, const struct larder_answer **ret) {
    struct larder_request request = {
        .code = LARDER_DO_GET, .kind = LARDER_FETCH, .key = bytes_of(key), .flags = LARDER_F_RENDER};
    return larder_call(store, &request, ret);
}

static int64_t known(struct larder_store *store) {
    struct larder_request request = {.code = LARDER_DO_EPOCH};
    CU_ASSERT(larder_call(store, &request, NULL) == LARDER_OK);
    return (int64_t)*larder_epoch_cell(store);
}

static void what_is_put_is_got_until_its_tag_is_revalidated(void) {
    struct larder_store *store = open_named("memory:");
    const struct larder_answer *a = NULL;
    struct larder_bytes tag = BYTES("t");
    struct larder_request revalidate = {.code = LARDER_DO_REVALIDATE, .tags = &tag, .n_tags = 1};
    int64_t epoch = known(store);

    CU_ASSERT(put(store, "k", epoch, 0) == LARDER_OK);
    CU_ASSERT(get(store, "k", &a) == LARDER_OK && a->verdict == LARDER_FRESH);
    CU_ASSERT(bytes_equal(a->entry->parts[0].data, BYTES("k")));
    a = larder_answer_unref(a);
    CU_ASSERT(larder_call(store, &revalidate, NULL) == LARDER_OK);
    CU_ASSERT(get(store, "k", &a) == LARDER_MISS && a->verdict == LARDER_GONE && a->epoch > epoch);
    CU_ASSERT(put(store, "k", a->epoch, 0) == LARDER_OK);
    a = larder_answer_unref(a);
    CU_ASSERT(get(store, "k", NULL) == LARDER_OK); /* P6: a hit by the second get */
    larder_close(store);
}

static void the_record_of_builds_is_no_entry_that_a_list_shows(void) {
    struct larder_store *store = open_named("memory:");
    const struct larder_answer *a = NULL;
    struct larder_request note = {.code = LARDER_DO_NOTE_BUILD, .build = BYTES("one")},
                          builds = {.code = LARDER_DO_BUILDS}, list = {.code = LARDER_DO_LIST};
    CU_ASSERT(larder_call(store, &note, NULL) == LARDER_OK);
    CU_ASSERT(larder_call(store, &note, NULL) == LARDER_MISS);
    CU_ASSERT(larder_call(store, &builds, &a) == LARDER_OK && a->n_builds == 1);
    CU_ASSERT(bytes_equal(a->builds[0].id, BYTES("one")) && a->builds[0].seen_ms > 0);
    a = larder_answer_unref(a);
    CU_ASSERT(larder_call(store, &list, &a) == LARDER_OK && a->n_keys == 0);
    larder_answer_unref(a);
    larder_close(store);
}

static void two_stores_on_one_memory_see_each_others_revalidations(void) {
    struct larder_store *a = open_named("memory:?name=shared"), *b = open_named("memory:?name=shared");
    struct larder_bytes tag = BYTES("t");
    struct larder_request revalidate = {.code = LARDER_DO_REVALIDATE, .tags = &tag, .n_tags = 1};
    CU_ASSERT(put(a, "k", known(a), 0) == LARDER_OK);
    CU_ASSERT(get(b, "k", NULL) == LARDER_OK);
    CU_ASSERT(larder_call(b, &revalidate, NULL) == LARDER_OK);
    CU_ASSERT(get(a, "k", NULL) == LARDER_MISS);
    larder_close(a);
    larder_close(b);
}

/* A put that was under way, or is repeated, when another process renewed the page. */
static void what_renews_is_not_replaced_by_what_was_rendered_before_and_arrives_later(void) {
    struct larder_store *a = open_named("memory:?name=renewed"), *b = open_named("memory:?name=renewed");
    struct larder_store *const stores[] = {a, b};
    int64_t epoch = known(a);
    CU_ASSERT(known(b) == epoch);
    CU_ASSERT(put_of_time(b, "k", epoch, 2, LARDER_F_TELL | LARDER_F_RENEWS) == LARDER_OK);
    CU_ASSERT(put_of_time(a, "k", epoch, 1, 0) == LARDER_OK);
    for (size_t i = 0; i < N_ELEMENTS(stores); i++) {
        const struct larder_answer *answer = NULL;
        CU_ASSERT_FATAL(get(stores[i], "k", &answer) == LARDER_OK);
        CU_ASSERT(answer->entry->modified_ms == 2 && answer->entry->epoch == epoch);
        larder_answer_unref(answer);
    }
    CU_ASSERT(put_of_time(a, "k", known(a), 3, 0) == LARDER_OK); /* but a later one does */
    const struct larder_answer *answer = NULL;
    CU_ASSERT_FATAL(get(a, "k", &answer) == LARDER_OK);
    CU_ASSERT(answer->entry->modified_ms == 3);
    larder_answer_unref(answer);
    larder_close(a);
    larder_close(b);
}

static void what_a_list_names_by_a_hash_is_read_by_it(void) {
    static const char key[] = "~0123456789abcdef0123456789abcdef"; /* looks like a hash, and so is hashed */
    struct larder_store *store = open_named("memory:");
    struct larder_request list = {.code = LARDER_DO_LIST};
    const struct larder_answer *listed = NULL, *a = NULL;
    CU_ASSERT(put(store, key, known(store), 0) == LARDER_OK);
    CU_ASSERT(larder_call(store, &list, &listed) == LARDER_OK);
    CU_ASSERT_FATAL(listed->n_keys == 1 && listed->keys[0].hashed);
    struct larder_request by_hash = {.code = LARDER_DO_GET,
                                     .flags = LARDER_F_LISTED,
                                     .kind = listed->keys[0].kind,
                                     .build = listed->keys[0].build,
                                     .key = listed->keys[0].key};
    CU_ASSERT(larder_call(store, &by_hash, &a) == LARDER_OK);
    CU_ASSERT(a->entry != NULL && bytes_equal(a->entry->key, bytes_of(key)));
    a = larder_answer_unref(a);
    by_hash.code = LARDER_DO_REMOVE;
    CU_ASSERT(larder_call(store, &by_hash, NULL) == LARDER_OK);
    CU_ASSERT(get(store, key, NULL) == LARDER_MISS);
    CU_ASSERT(put(store, key, known(store), 0) == LARDER_OK);
    by_hash.code = LARDER_DO_GET;
    by_hash.flags = 0; /* else it is a key of that name, which nobody has put */
    CU_ASSERT(larder_call(store, &by_hash, NULL) == LARDER_MISS);
    larder_answer_unref(listed);
    larder_close(store);
}

static void an_entry_of_epoch_0_is_older_than_any_store(void) {
    struct larder_store *store = open_named("memory:");
    CU_ASSERT(put(store, "k", 0, 0) == LARDER_OK);
    CU_ASSERT(get(store, "k", NULL) == LARDER_MISS);
    larder_close(store);
}

static void if_absent_leaves_what_is_stored(void) {
    struct larder_store *store = open_named("memory:");
    int64_t epoch = known(store);
    CU_ASSERT(put(store, "k", epoch, LARDER_F_IF_ABSENT) == LARDER_OK);
    CU_ASSERT(put(store, "k", epoch, LARDER_F_IF_ABSENT) == LARDER_MISS);
    larder_close(store);
}

static void the_namespaces_mark_outdates_everything(void) {
    struct larder_store *store = open_named("memory:");
    struct larder_bytes all = BYTES("");
    struct larder_request revalidate = {.code = LARDER_DO_REVALIDATE, .tags = &all, .n_tags = 1};
    int64_t epoch = known(store);
    CU_ASSERT(put(store, "a", epoch, 0) == LARDER_OK && put(store, "b", epoch, 0) == LARDER_OK);
    CU_ASSERT(larder_call(store, &revalidate, NULL) == LARDER_OK);
    CU_ASSERT(get(store, "a", NULL) == LARDER_MISS && get(store, "b", NULL) == LARDER_MISS);
    larder_close(store);
}

static void questions_reach_the_driver(void) {
    struct larder_store *store = open_named("memory:");
    struct larder_request ping = {.code = LARDER_DO_PING}, provision = {.code = LARDER_DO_PROVISION};
    CU_ASSERT(larder_call(store, &ping, NULL) == LARDER_OK);
    CU_ASSERT(larder_call(store, &provision, NULL) == LARDER_OK);
    larder_close(store);
}

static void what_was_compressed_is_read_whatever_compress_says_now(void) {
    static const char *const settings[] = {"on", "off", "auto"};
    static char key[20001];
    struct larder_store *stores[N_ELEMENTS(settings)];
    memset(key, 'k', sizeof(key) - 1);
    for (size_t i = 0; i < N_ELEMENTS(settings); i++)
        stores[i] = open_with("memory:?name=compressed", settings[i]);
    CU_ASSERT(put(stores[0], key, known(stores[0]), 0) == LARDER_OK);
    for (size_t i = 0; i < N_ELEMENTS(settings); i++)
        CU_ASSERT(get(stores[i], key, NULL) == LARDER_OK);
    for (size_t i = 0; i < N_ELEMENTS(settings); i++)
        larder_close(stores[i]);
}

struct load {
    struct larder_store *store;
    _Atomic int answered, wrong;
};

static void note(void *arg, const struct larder_answer *answer) {
    struct load *load = arg;
    load->answered++;
    load->wrong += answer->status != LARDER_OK && answer->status != LARDER_THROTTLED;
}

static void *submit_many(void *arg) {
    struct load *load = arg;
    struct larder_request request = {
        .code = LARDER_DO_GET, .kind = LARDER_FETCH, .key = BYTES("k"), .deadline_ms = 60000};
    for (int i = 0; i < 1000; i++)
        if (larder_submit(load->store, &request, note, load) != LARDER_OK)
            load->wrong++;
    return NULL;
}

static void threads_may_submit_at_once_and_drain_waits_for_all(void) {
    struct load load = {.store = open_named("memory:")};
    pthread_t threads[4];
    CU_ASSERT(put(load.store, "k", known(load.store), 0) == LARDER_OK);
    for (size_t i = 0; i < N_ELEMENTS(threads); i++)
        CU_ASSERT_FATAL(pthread_create(&threads[i], NULL, submit_many, &load) == 0);
    for (size_t i = 0; i < N_ELEMENTS(threads); i++)
        pthread_join(threads[i], NULL);
    CU_ASSERT(larder_drain(load.store, 60000) == 1);
    CU_ASSERT(load.answered == 4000 && load.wrong == 0);
    larder_close(load.store);
}

static void close_answers_what_was_submitted_before(void) {
    struct load load = {.store = open_named("memory:")};
    submit_many(&load);
    larder_close(load.store);
    CU_ASSERT(load.answered == 1000);
}

static void no_buffer_is_left_behind(void) {
    size_t before = buf_live();
    for (int i = 0; i < 50; i++) {
        struct larder_store *store = open_named("memory:");
        put(store, "k", known(store), 0);
        get(store, "k", NULL);
        larder_close(store);
    }
    CU_ASSERT(buf_live() == before);
}

static void statuses_and_kinds_have_names(void) {
    for (int32_t status = LARDER_INTERNAL; status <= LARDER_MISS; status++)
        CU_ASSERT(strcmp(larder_status_name(status), "unknown") != 0);
    CU_ASSERT_STRING_EQUAL(larder_status_name(99), "unknown");
    CU_ASSERT(larder_kind_name(0) == NULL && larder_kind_name(LARDER_N_KINDS) == NULL);
    CU_ASSERT_STRING_EQUAL(larder_kind_name(LARDER_USE_CACHE), "use-cache");
    CU_ASSERT(larder_version()[0] != 0);
}

UNIT_MAIN("api", UNIT(what_is_put_is_got_until_its_tag_is_revalidated),
          UNIT(the_record_of_builds_is_no_entry_that_a_list_shows),
          UNIT(two_stores_on_one_memory_see_each_others_revalidations),
          UNIT(what_renews_is_not_replaced_by_what_was_rendered_before_and_arrives_later),
          UNIT(what_a_list_names_by_a_hash_is_read_by_it), UNIT(an_entry_of_epoch_0_is_older_than_any_store),
          UNIT(if_absent_leaves_what_is_stored), UNIT(the_namespaces_mark_outdates_everything),
          UNIT(questions_reach_the_driver), UNIT(what_was_compressed_is_read_whatever_compress_says_now),
          UNIT(threads_may_submit_at_once_and_drain_waits_for_all),
          UNIT(close_answers_what_was_submitted_before), UNIT(no_buffer_is_left_behind),
          UNIT(statuses_and_kinds_have_names))
