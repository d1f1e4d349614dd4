/* A reply of DynamoDB, as each of its operations; its strings, numbers and values. */
#include <string.h>

#include "dynamodb/base64.h"
#include "dynamodb/opennext.h"
#include "dynamodb/reply.h"
#include "dynamodb/schema.h"
#include "fuzz.h"

/* What is told lies within the reply. */
static void inside(struct larder_bytes part, struct larder_bytes whole) {
    CHECK(part.len == 0 ||
          (part.ptr >= whole.ptr && part.len <= whole.len && part.ptr + part.len <= whole.ptr + whole.len));
}

static void check_item(const struct ddb_item *item, struct larder_bytes body) {
    uint8_t room[DDB_MAX_NAME];
    struct larder_bytes name;
    size_t size;
    inside(item->sk, body);
    inside(item->gs, body);
    inside(item->generation, body);
    inside(item->value, body);
    if (ddb_item_sort_text(item->gs, room, &name))
        CHECK(name.len <= sizeof(room));
    if (!ddb_base64_size(item->value, &size))
        return;
    uint8_t *bytes = malloc(size > 0 ? size : 1); /* exactly, so that what is written behind it is seen */
    CHECK(bytes != NULL);
    if (ddb_base64_decode(item->value, bytes)) { /* what is decoded is written the same, but for spare bits */
        struct ddb_text again = {0};
        ddb_text_base64(&again, (struct larder_bytes){bytes, size});
        CHECK(!again.failed && again.len == item->value.len);
        CHECK(again.len < 4 || memcmp(again.ptr, item->value.ptr, again.len - 4) == 0);
        ddb_text_done(&again);
    }
    free(bytes);
}

static void check_items(struct larder_bytes items, struct larder_bytes body) {
    struct ddb_json j = ddb_json_of(items);
    struct ddb_item item;
    for (bool first = ddb_json_enter(&j, '['); ddb_json_element(&j, &first);) {
        if (!ddb_item_read(&j, &item))
            return;
        check_item(&item, body);
    }
}

/* A string that can be unescaped and is UTF-8 can be escaped, and reads the same. */
static void check_string(struct larder_bytes raw) {
    uint8_t room[256], again[256];
    size_t len, again_len;
    if (!ddb_json_unescape(raw, room, sizeof(room), &len))
        return;
    const struct larder_bytes text = {room, len};
    struct ddb_text t = {0};
    ddb_text_escaped(&t, text);
    CHECK(!t.failed);
    CHECK(ddb_json_unescape((struct larder_bytes){t.ptr, t.len}, again, sizeof(again), &again_len));
    CHECK(ddb_bytes_same(text, (struct larder_bytes){again, again_len}));
    ddb_text_done(&t);
    CHECK(ddb_utf8_len(text) <= len);
}

/* A tag of any bytes has a key within its build, or none. */
static const struct ddb_names both[] = {
    {.pk = "tag", .sk = "path", .build_id = "a/../b", .build_prefix = "b/_tag/"},
    {.pk = "tag", .sk = "path", .build_id = "a/../b", .build_prefix = "b/", .original = true},
};

static void check_key(const struct ddb_names *names, const struct opennext_key *key) {
    size_t prefix = strlen(names->build_prefix);
    CHECK(key->tag.len >= prefix && key->tag.len <= OPENNEXT_MAX_KEY);
    CHECK(key->path.len >= prefix && key->path.len <= OPENNEXT_MAX_KEY);
    CHECK(memcmp(key->tag.ptr, names->build_prefix, prefix) == 0);
    CHECK(memcmp(key->path.ptr, names->build_prefix, prefix) == 0);
}

static void check_tag(struct larder_bytes tag) {
    struct opennext_key key;
    for (size_t i = 0; i < 2; i++) {
        if (opennext_twin(&both[i], tag, &key))
            check_key(&both[i], &key);
    }
    if (opennext_member(&both[1], tag, tag, &key))
        check_key(&both[1], &key);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const struct larder_bytes body = {data, size};
    struct ddb_item item;
    struct ddb_page page;
    struct ddb_batch_reply batch;
    struct ddb_schema schema;
    char what[200];
    bool flag;
    int64_t number;
    if (ddb_reply_item(body, "Item", &item, &flag) && flag)
        check_item(&item, body);
    if (ddb_reply_page(body, &page)) {
        check_items(page.items, body);
        if (page.has_more)
            check_item(&page.last, body);
    }
    if (ddb_reply_batch(body, &batch)) {
        check_items(batch.items, body);
        ddb_array_has_any(batch.left);
    }
    if (ddb_schema_read(body, &schema))
        ddb_schema_differs(&schema, &both[0], what, sizeof(what));
    ddb_ttl_is_on(body, &flag);
    ddb_json_integer(body, &number);
    check_string(body);
    check_tag(body);
    return 0;
}
