/*
 * The layers: each has the shape of a driver, stands on another backend (struct layer_config),
 * and changes one thing on the way.  In-tree only: no ABI promise.
 */
#ifndef CORE_LAYERS_H
#define CORE_LAYERS_H

#include <stdbool.h>

#include "larder/larder.h"

/* Puts "<namespace>/" before keys, tags and counters, and takes it off again in answers. */
struct layer_namespace_settings {
    const char *ns;
};
extern const struct larder_driver layer_namespace;

/* Compresses values of min_bytes and more with zstd where that saves at least an eighth. */
struct layer_compress_settings {
    int64_t min_bytes;
    int64_t level;
    uint64_t max_value;
    bool spare_local; /* write nothing compressed to what is LARDER_LOCAL */
};
extern const struct larder_driver layer_compress;

#endif
