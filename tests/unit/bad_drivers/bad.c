/*
 * A driver that does nothing, right but for one thing: each shared object of this folder is
 * this file with one macro defined (CMakeLists.txt).  test_loader.c says how the loader
 * refuses each.
 */
#include "larder/driver.h"

struct config {
    const char *url;
    const char *password;
    int64_t size;
    int64_t on;
};

#define AT(member) LARDER_AT(struct config, member)

#ifndef ABI
#define ABI LARDER_ABI
#endif
#ifndef SIZE
#define SIZE sizeof(struct larder_driver)
#endif
#ifndef CACHE_SIZE
#define CACHE_SIZE sizeof(struct larder_cache_ops)
#endif
#ifndef TAGS_SIZE
#define TAGS_SIZE sizeof(struct larder_tag_ops)
#endif
#ifndef NEEDS
#define NEEDS 0
#endif
#ifndef NAME
#define NAME "good"
#endif
#ifndef SCHEMES
#define SCHEMES NULL
#endif
#ifndef VERSION
#define VERSION "1.2.3"
#endif
#ifndef GET
#define GET answer
#endif
#ifndef READ
#define READ answer
#endif
#ifndef OPEN
#define OPEN open_nothing
#endif
#ifndef PING
#define PING answer
#endif
#ifndef LINK
#define LINK answer
#endif
#ifndef CLAIM
#define CLAIM NULL
#endif
#ifndef CACHE
#define CACHE &cache
#endif
#ifndef TAGS
#define TAGS &tags
#endif
#ifndef SECOND /* the second setting of the table */
#define SECOND \
    { "max-size", LARDER_P_BYTES, AT(size), "1GB", 1, INT64_MAX, NULL, NULL, "how much" }
#endif
#ifndef PARAM_SIZE
#define PARAM_SIZE sizeof(struct param)
#endif

struct larder_host;
static const struct larder_host *host;

#ifdef UNDEFINED
extern void larder_test_nobody_has_this(void);
#endif

static void answer(void *instance, struct larder_op *op) {
    struct larder_result result = {.size = sizeof result, .status = LARDER_UNSUPPORTED};
    (void)instance;
#ifdef UNDEFINED
    larder_test_nobody_has_this();
#endif
    host->complete(op, &result);
}

static int32_t open_nothing(const struct larder_host *h, struct larder_home *home, const void *config,
                            struct larder_info *info, void **instance, char *error) {
    static int here;
    (void)home;
    (void)config;
    (void)info;
    (void)error;
    host = h;
    *instance = &here;
    return LARDER_OK;
}

static void close_nothing(void *instance) {
    (void)instance;
}

/* A setting as a later release may have it, with members that this core does not know. */
struct param {
    struct larder_param now;
#ifdef LATER
    const char *later;
    uint64_t much_later;
#endif
};

static const struct param params[] = {
    {.now = {"url", LARDER_P_TEXT, AT(url), "", 0, 0, NULL, NULL, "where"}},
    {.now = SECOND},
    {.now = {"on", LARDER_P_BOOL, AT(on), "true", 0, 0, NULL, NULL, "whether"}},
};

static const struct larder_cache_ops cache = {
    .size = CACHE_SIZE, .get = GET, .put = answer, .remove = answer, .list = answer, .claim = CLAIM};

static const struct larder_tag_ops tags = {.size = TAGS_SIZE,
                                           .read = READ,
                                           .write = answer,
                                           .advance = answer,
                                           .link = LINK,
                                           .keys_of = answer,
                                           .tags_of = answer};

static const struct larder_driver driver = {
    .size = (uint32_t)(SIZE),
    .abi = ABI,
    .needs = NEEDS,
    .name = NAME,
    .schemes = SCHEMES,
    .version = VERSION,
    .summary = "does nothing",
    .params = &params[0].now,
    .n_params = sizeof params / sizeof params[0],
    .param_size = PARAM_SIZE,
    .config_size = sizeof(struct config),
    .cache = CACHE,
    .tags = TAGS,
    .open = OPEN,
    .close = close_nothing,
    .ping = PING,
    .provision = answer,
};

#ifdef NO_SYMBOL
const struct larder_driver *larder_driver_v0(void);
LARDER_PUBLIC const struct larder_driver *larder_driver_v0(void) {
    return &driver;
}
#elif defined(NO_DRIVER)
LARDER_PUBLIC const struct larder_driver *larder_driver_v1(void) {
    (void)driver;
    return NULL;
}
#else
LARDER_EXPORT_DRIVER(driver);
#endif
