/* An item of memcached, as each of the forms that the driver stores; a list of servers. */
#include <string.h>

#include "fuzz.h"
#include "memcached/item.h"
#include "memcached/servers.h"

/* What is an entry adds up, and is written the same. */
static void check_entry(struct larder_bytes item) {
    struct mc_entry e;
    uint8_t again[MC_MANIFEST_BYTES];
    if (!mc_entry_parse(item, &e))
        return;
    CHECK(e.length <= MC_MAX_VALUE);
    uint64_t sum = 0;
    for (uint32_t i = 0; e.form == MC_IN_CHUNKS && i < e.n_chunks; i++) {
        size_t len = mc_chunk_length(&e, i);
        CHECK(len > 0 && len <= e.chunk_bytes);
        sum += len;
    }
    CHECK(e.n_chunks <= MC_MAX_CHUNKS && (e.form != MC_IN_CHUNKS || sum == e.length));
    size_t len = mc_entry_put(&e, again);
    CHECK(len <= item.len && memcmp(again, item.ptr, len) == 0);
}

static void check_small(struct larder_bytes item) {
    uint8_t again[MC_MARK_BYTES];
    struct larder_mark mark;
    struct mc_claim claim;
    struct mc_id id;
    int64_t number;
    if (mc_placeholder_parse(item, &id)) {
        mc_placeholder_put(&id, again);
        CHECK(item.len == MC_PLACEHOLDER_BYTES && memcmp(again, item.ptr, MC_PLACEHOLDER_BYTES) == 0);
    }
    if (mc_mark_parse(item, &mark)) {
        mc_mark_put(&mark, again);
        CHECK(item.len == MC_MARK_BYTES && memcmp(again, item.ptr, MC_MARK_BYTES) == 0);
    }
    if (mc_counter_parse(item, &number)) {
        mc_counter_put(number, again);
        CHECK(item.len == MC_COUNTER_BYTES && memcmp(again, item.ptr, MC_COUNTER_BYTES) == 0);
    }
    if (mc_claim_parse(item, &claim)) {
        mc_claim_put(&claim, again);
        CHECK(memcmp(again, item.ptr, MC_CLAIM_BYTES) == 0);
        CHECK(claim.owner.len == item.len - MC_CLAIM_BYTES);
    }
}

static void check_list(const uint8_t *data, size_t size) {
    char error[256] = "";
    struct mc_list list;
    char *url = calloc(1, size + 1); /* strndup() of bytes that no NUL ends, ASan refuses */
    CHECK(url != NULL);
    if (size > 0)
        memcpy(url, data, size);
    if (mc_list_parse(url, &list, error, sizeof(error)) == LARDER_OK) {
        CHECK(list.n > 0 && list.n <= MC_MAX_SERVERS);
        for (size_t i = 0; i < list.n; i++) {
            const struct mc_address *a = &list.servers[i];
            CHECK(a->host[0] != 0 && a->weight > 0 && (a->port > 0) != mc_address_is_socket(a));
            CHECK(a->shown[0] != 0);
        }
        mc_list_done(&list);
    } else {
        CHECK(error[0] != 0 && strchr(error, '\n') == NULL);
    }
    free(url);
}

static void check_name(struct larder_bytes key) {
    struct mc_names names;
    struct mc_name name;
    mc_names_init(&names, "larder", key.len);
    mc_name_of(&names, MC_ENTRY, key, &name);
    CHECK(name.len < 250 && name.len == strlen(name.text));
    for (size_t i = 0; i < name.len; i++)
        CHECK(name.text[i] > ' ' && name.text[i] <= '~');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const struct larder_bytes item = {data, size};
    check_entry(item);
    check_small(item);
    check_list(data, size);
    check_name(item);
    return 0;
}
