/*
 * From a larder_config to what a store needs: the drivers, their configuration structs, and
 * the store's own settings.
 */
#ifndef CORE_CONFIG_H
#define CORE_CONFIG_H

#include "larder/larder.h"
#include "param.h"

struct store_settings {         /* table: store_params[] in config.c; larder_store_params() */
    const char *ns;             /* "namespace": default "default" */
    const char *build;          /* "build": default build id, "" */
    const char *shared_kinds;   /* "shared-kinds": default "fetch,image,use-cache" */
    const char *compress;       /* "compress": auto (= on) | on | off */
    int64_t compress_min_bytes; /* "compress-min": default 8 KB */
    int64_t compress_level;     /* "compress-level": zstd, -5..19, default 1 */
    int64_t get_deadline_ms;    /* "get-deadline": default 500 ms */
    int64_t write_deadline_ms;  /* "write-deadline": default 2 s */
    int64_t set_wait_ms;        /* "set-wait": of the binding, default 500 ms */
    int64_t epoch_age_ms;       /* "epoch-age": default 1 s */
    int64_t entry_max_age_ms;   /* "entry-max-age": default 365 d */
    int64_t max_inflight;       /* "max-inflight": requests of this store, default 4096 */
    int64_t max_value_bytes;    /* "max-value": default 64 MB */
    int64_t index;              /* "index": bool, default false */
    int64_t retries;            /* "retries": attempts after the first, default 2; 0: none */
    int64_t retry_base_ms;      /* "retry-base": default 25 ms */
    int64_t retry_cap_ms;       /* "retry-cap": default 1 s */
    int64_t breaker_percent;    /* "breaker": default 50; 0: none */
    int64_t breaker_calls;      /* "breaker-calls": default 20 */
    int64_t breaker_window_ms;  /* "breaker-window": default 10 s */
    int64_t breaker_pause_ms;   /* "breaker-pause": default 250 ms */
    const char *fault;          /* "fault": a plan of faults (fault.h), default none */
    int64_t memory_bytes;       /* "memory": default 50 MB; 0: off */
    int64_t memory_age_ms;      /* "memory-age": default 5 s */
    int64_t mark_age_ms;        /* "mark-age": default 0 */
    const char *memory_share;   /* "memory-share": texts | all, default texts */
    int64_t claim_ms;           /* "claim": default 0: off */
    int64_t claim_wait_ms;      /* "claim-wait": default 2 s */
    const char *journal;        /* "journal": a folder, default "": in memory alone */
    const char *on_outage;      /* "on-outage": miss (default) | serve */
    int64_t outage_max_ms;      /* "outage-max": default 10 min */
    const char *live;           /* "live": a folder with a slash in it, auto, or off: the default */
    const char *trace;          /* "trace": "1", or a part of a key; default "": off */
    const char *log;            /* "log": "error", "warn", "info", "debug" or "off"; default "warn" */
};

struct backend_spec {
    const struct larder_driver *driver;
    struct param_set *params; /* owned */
    char *named;              /* owned; how the configuration names the driver: a path, or its name */
};

struct store_config {
    const struct store_settings *settings; /* inside settings_set */
    struct param_set *settings_set;
    struct backend_spec cache;
    struct backend_spec tags; /* driver NULL: the same instance as cache */
};

/* Where nothing is configured. */
#define CONFIG_DEFAULT_CACHE "fs:.next/cache/larder"

/* Loads drivers and types everything.  *ret is owned by the caller: store_config_free(). */
int32_t store_config_new(const struct larder_config *config, struct store_config **ret,
                         struct larder_error *error);
struct store_config *store_config_free(struct store_config *config);

/* For what reads configuration from one place (config_json.c, the environment): settings with
 * one number belong together, whatever their order, and stand above those with smaller ones.
 * larder_config_set() has one number for each `where`, the ":7" of "larder.json:7" apart. */
uint32_t config_new_source(struct larder_config *config);
int32_t config_add(struct larder_config *config, uint32_t source, const char *name, const char *value,
                   const char *where, struct larder_error *error);

#endif
