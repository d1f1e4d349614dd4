/* What the parts of the configuration share: config.c collects, config_driver.c makes drivers of it. */
#ifndef CORE_CONFIG_PARTS_H
#define CORE_CONFIG_PARTS_H

#include <stdlib.h>

#include "bytes.h"
#include "config.h"

struct setting {
    char *name, *value, *where; /* owned */
    uint32_t source;
};

struct larder_config {
    struct setting *settings; /* by source, the later winning; else in order of arrival */
    size_t n, capacity;
    uint32_t n_sources;
};

/* Whether name is ROLE or ROLE.NAME; *ret_rest: after the dot, or "". */
bool setting_is_of(const char *name, const char *role, const char **ret_rest);

/* The drivers of cache and tags with their settings, into store; on failure what is there
 * already stays the caller's to free. */
int32_t config_drivers(const struct larder_config *config, struct store_config *store,
                       struct larder_error *error);
void backend_spec_done(struct backend_spec *backend);
/* What `role` alone comes to, whether the driver keeps entries or tags; for tools that have no
 * store.  backend_spec_done() *ret. */
int32_t config_driver(const struct larder_config *config, const char *role, struct backend_spec *ret,
                      struct larder_error *error);

static inline char *text_copy(const char *from, size_t len) {
    char *copy = malloc(len + 1);
    if (copy) {
        bytes_put((uint8_t *)copy, (struct larder_bytes){(const uint8_t *)from, len});
        copy[len] = '\0';
    }
    return copy;
}

/* Values may be secrets, or URLs that hold one. */
static inline void text_wipe_free(char *text) {
    if (text)
        explicit_bzero(text, strlen(text));
    free(text);
}

#endif
