#include "memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PAGE_LIMIT = 1000, CURSOR_VERSION = 1 };

/* ---- stores, and who shares them ------------------------------------------------------ */

/* Instances of one process meet here by name; that is what the setting is for, and the one
 * reason for a list that belongs to nobody.  A store goes with its last instance. */
static struct {
    pthread_mutex_t lock;
    struct store *first;
} stores = {.lock = PTHREAD_MUTEX_INITIALIZER};

static struct store *store_free(struct store *store) {
    entries_done(store);
    tags_done(store);
    pthread_mutex_destroy(&store->lock);
    free(store->name);
    free(store);
    return NULL;
}

static struct store *store_new(const struct larder_host *host, const struct memory_config *config) {
    struct store *store = calloc(1, sizeof(*store));
    if (!store)
        return NULL;
    store->host = host;
    store->max_size = config->max_size;
    store->instances = 1;
    store->random = (uint64_t)config->lossy_seed;
    pthread_mutex_init(&store->lock, NULL);
    store->name = strdup(config->name);
    return store->name ? store : store_free(store);
}

/* Under the list's lock. */
static struct store *store_find(const char *name) {
    if (name[0] == '\0')
        return NULL;
    struct store *store = stores.first;
    while (store && strcmp(store->name, name) != 0)
        store = store->next;
    return store;
}

static int32_t store_acquire(const struct larder_host *host, const struct memory_config *config,
                             struct store **ret_store, char *error) {
    int32_t status = LARDER_OK;

    pthread_mutex_lock(&stores.lock);
    struct store *store = store_find(config->name);
    if (store && store->max_size != config->max_size) {
        snprintf(error, LARDER_ERROR_SIZE, "the store named '%s' is open with max-size %lld, not %lld",
                 config->name, (long long)store->max_size, (long long)config->max_size);
        status = LARDER_INVALID;
    } else if (store) {
        store->instances++;
    } else if ((store = store_new(host, config))) {
        store->next = stores.first;
        stores.first = store;
    } else {
        snprintf(error, LARDER_ERROR_SIZE, "out of memory");
        status = LARDER_NOMEM;
    }
    pthread_mutex_unlock(&stores.lock);

    if (status == LARDER_OK)
        *ret_store = store;
    return status;
}

static void store_release(struct store *store) {
    pthread_mutex_lock(&stores.lock);
    bool last = --store->instances == 0;
    if (last) {
        struct store **at = &stores.first;
        while (*at != store)
            at = &(*at)->next;
        *at = store->next;
    }
    pthread_mutex_unlock(&stores.lock);
    if (last)
        store_free(store);
}

/* ---- answers ----------------------------------------------------------------------------- */

void memory_answer(struct memory *m, struct larder_op *op, int32_t status, const char *detail) {
    struct larder_result res = {.size = sizeof(res), .status = status, .detail = detail};
    m->host->complete(op, &res);
}

bool memory_refuses_flags(struct memory *m, struct larder_op *op, uint32_t known) {
    if ((op->flags & ~known) == 0)
        return false;
    memory_answer(m, op, LARDER_UNSUPPORTED, "the op has a flag that this driver does not know");
    return true;
}

/* ---- pages --------------------------------------------------------------------------------- */

/* A cursor is one byte, so that the empty key makes no empty cursor, and the last key. */
int32_t page_begin(struct page *page, const struct map *map, struct larder_bytes prefix,
                   const struct larder_op *op) {
    *page = (struct page){.prefix = prefix, .left = op->limit > 0 ? op->limit : PAGE_LIMIT};
    if (op->cursor.len == 0) {
        page->at = map_from(map, prefix);
        return LARDER_OK;
    }
    if (op->cursor.ptr[0] != CURSOR_VERSION)
        return LARDER_INVALID;
    struct larder_bytes last = {op->cursor.ptr + 1, op->cursor.len - 1};
    page->at = map_from(map, last);
    if (page->at && bytes_same(page->at->key, last))
        page->at = map_next(page->at);
    return LARDER_OK;
}

static bool in_page(const struct page *page) {
    if (!page->at || page->at->key.len < page->prefix.len)
        return false;
    struct larder_bytes head = {page->at->key.ptr, page->prefix.len};
    return bytes_same(head, page->prefix);
}

struct map_node *page_next(struct page *page) {
    if (page->left == 0 || !in_page(page))
        return NULL;
    page->left--;
    page->last = page->at;
    page->at = map_next(page->at);
    return page->last;
}

int32_t page_end(const struct page *page, const struct larder_host *host, struct larder_slice *ret_cursor) {
    *ret_cursor = (struct larder_slice){0};
    if (!page->last || !in_page(page))
        return LARDER_OK;
    uint8_t *bytes = host->buf_new(1 + page->last->key.len, ret_cursor);
    if (!bytes)
        return LARDER_NOMEM;
    bytes[0] = CURSOR_VERSION;
    if (page->last->key.len > 0)
        memcpy(bytes + 1, page->last->key.ptr, page->last->key.len);
    return LARDER_OK;
}

void page_answer(struct memory *m, struct larder_op *op, int32_t status, struct larder_slice cursor) {
    struct larder_result res = {.size = sizeof(res), .status = status, .cursor = cursor};
    if (status == LARDER_INVALID)
        res.detail = "the cursor is not one of this driver";
    m->host->complete(op, &res);
}

/* ---- the driver ------------------------------------------------------------------------------ */

static int32_t memory_open(const struct larder_host *host, struct larder_home *home, const void *config,
                           struct larder_info *info, void **instance, char *error) {
    (void)home;
    struct memory *m = calloc(1, sizeof(*m));
    if (!m) {
        snprintf(error, LARDER_ERROR_SIZE, "out of memory");
        return LARDER_NOMEM;
    }
    m->host = host;
    m->config = config;
    int32_t status = store_acquire(host, m->config, &m->store, error);
    if (status != LARDER_OK) {
        free(m);
        return status;
    }
    info->traits = LARDER_TTL | LARDER_NEWEST | LARDER_LOCAL;
    if (m->config->lossy > 0 || m->config->lossy_counter > 0)
        info->traits |= LARDER_LOSSY;
    info->max_value = (uint64_t)m->config->max_value;
    *instance = m;
    return LARDER_OK;
}

static void memory_close(void *instance) {
    struct memory *m = instance;
    store_release(m->store);
    free(m);
}

static void memory_ping(void *instance, struct larder_op *op) {
    struct memory *m = instance;
    if (!memory_refuses_flags(m, op, 0))
        memory_answer(m, op, LARDER_OK, NULL);
}

static int32_t emit_line(struct memory *m, struct larder_op *op, const char *line) {
    return m->host->emit_text(op, (struct larder_bytes){(const uint8_t *)line, strlen(line)});
}

static void memory_provision(void *instance, struct larder_op *op) {
    struct memory *m = instance;
    if (memory_refuses_flags(m, op, LARDER_DRY_RUN))
        return;
    int32_t status = LARDER_OK;
    if (op->flags & LARDER_DRY_RUN)
        status = emit_line(m, op, "nothing to create: entries live in this process\n");
    memory_answer(m, op, status, NULL);
}

static void memory_explain(void *instance, struct larder_op *op) {
    static const char topic[] = "iam";
    struct memory *m = instance;
    if (memory_refuses_flags(m, op, 0))
        return;
    if (!bytes_same(op->key, (struct larder_bytes){(const uint8_t *)topic, sizeof(topic) - 1}))
        memory_answer(m, op, LARDER_UNSUPPORTED, "the memory driver explains one topic: iam");
    else
        memory_answer(m, op, emit_line(m, op, "no permissions are needed: entries live in this process\n"),
                      NULL);
}

static const struct larder_param params[] = {
    {"name", LARDER_P_TEXT, LARDER_AT(struct memory_config, name), "", 0, 0, NULL, NULL,
     "stores of one process with the same name share one memory; empty: not shared"},
    {"max-size", LARDER_P_BYTES, LARDER_AT(struct memory_config, max_size), "64MB", 0, INT64_MAX, NULL, NULL,
     "memory for entries, least recently used ones go first; 0: no limit"},
    {"max-value", LARDER_P_BYTES, LARDER_AT(struct memory_config, max_value), "0", 0, INT64_MAX, NULL, NULL,
     "largest value that is accepted; 0: no limit but max-size"},
    {"lossy", LARDER_P_INT, LARDER_AT(struct memory_config, lossy), "0", 0, INT64_MAX, NULL, NULL,
     "for tests: before one write of marks, or raise, in so many a mark is lost; 0: none"},
    {"lossy-counter", LARDER_P_INT, LARDER_AT(struct memory_config, lossy_counter), "0", 0, INT64_MAX, NULL,
     NULL, "for tests: the same for counters that were not raised lately"},
    {"lossy-seed", LARDER_P_INT, LARDER_AT(struct memory_config, lossy_seed), "1", 0, INT64_MAX, NULL, NULL,
     "for tests: says which marks and counters are lost"},
};

static const struct larder_driver memory_driver = {
    .size = sizeof(memory_driver),
    .abi = LARDER_ABI,
    .name = "memory",
    .version = "0.1.0",
    .summary = "entries and tags in the memory of this process",
    .params = params,
    .n_params = sizeof(params) / sizeof(params[0]),
    .param_size = sizeof(params[0]),
    .config_size = sizeof(struct memory_config),
    .cache = &memory_cache_ops,
    .tags = &memory_tag_ops,
    .open = memory_open,
    .close = memory_close,
    .ping = memory_ping,
    .provision = memory_provision,
    .explain = memory_explain,
};

LARDER_EXPORT_DRIVER(memory_driver);
