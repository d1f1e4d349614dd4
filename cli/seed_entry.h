/*
 * What Next.js prerendered, as the entry that the handlers for Next.js would store: the same JSON, texts and
 * bytes (bindings/node/lib/entry.js and seeds.js), so that they read it.
 */
#ifndef CLI_SEED_ENTRY_H
#define CLI_SEED_ENTRY_H

#include "larder/larder.h"
#include "span.h"

/* What Next.js calls it; up to 14 pages of both routers are PAGE, and RSC is a text. */
enum seed_shape { SEED_APP_PAGE, SEED_PAGES, SEED_ROUTE, SEED_FETCH };

struct seed_bytes { /* there: it exists, though it may be empty */
    struct larder_bytes bytes;
    bool there;
};

struct seed_segment {
    struct larder_bytes path; /* "/_tree" */
    struct larder_bytes data; /* with the pointer of rsc: stored once */
};

struct seed_source {
    enum seed_shape shape;
    uint32_t next_major;
    struct larder_bytes key;
    struct span meta; /* headers, status, postponed; SPAN_NONE: there is none */
    struct seed_bytes html, rsc, body;
    struct span page_data; /* pages router */
    struct span fetch;     /* SEED_FETCH: all of it */
    bool has_segments;
    const struct seed_segment *segments;
    size_t n_segments;
};

/* An entry that is being made, and what it points to. */
struct seed_entry {
    struct larder_entry entry;
    struct larder_part *parts;
    struct larder_bytes *tags;
    char *meta;
    size_t meta_len, meta_room, parts_room, tags_room;
    void **kept;
    size_t n_kept, kept_room;
    size_t bytes; /* of memory, about */
    bool no_memory, too_deep;
};

/* Memory that lives as long as the entry; NULL: none, which entry->no_memory keeps. */
void *seed_keep(struct seed_entry *entry, size_t len);
/* Takes over what malloc() gave, also where it fails; NULL: no memory. */
void *seed_adopt(struct seed_entry *entry, void *memory, size_t len);
/* The characters of a text, kept. */
struct larder_bytes seed_characters(struct seed_entry *entry, struct span text);

/* Kind, key, meta, parts and tags of entry->entry.  source's bytes must live as long as the entry. */
void seed_entry_make(struct seed_entry *entry, const struct seed_source *source);
void seed_entry_done(struct seed_entry *entry);

/* Seconds of Next.js as ms of a store: false and "for ever" are LARDER_FOREVER, nothing is LARDER_UNSET. */
int64_t seed_life_ms(struct span seconds);
/* The path in a key: all of it, or what follows "/$" in the keys of 15.5.29 and 16.3.8 on. */
struct larder_bytes seed_path_of(struct larder_bytes key);

#endif
