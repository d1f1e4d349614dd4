/*
 * What a process goes by while the marks of tags cannot be read, where the setting `on-outage` is
 * `serve`: the marks that it has read or written, kept since; until when they are good enough
 * (`outage-max`); and which renderings may have been built from what was served by them.
 *
 * Such a rendering must not be stored: another process may have revalidated what it was built from,
 * and its own epoch is too late for the mark of that to outdate it, ever.  Whatever is being rendered
 * when something is served without marks noted an epoch no greater than the one that is known then:
 * so what is put with that epoch or an earlier one is *unsure*.  After an outage the counter is raised
 * once, so that what is rendered from then on is told from it.
 *
 * docs/semantics.md, "While marks cannot be read".  Reactor's thread only.
 */
#ifndef CORE_OUTAGE_H
#define CORE_OUTAGE_H

#include "mark_memory.h"

struct outage {
    uint64_t max_ns;  /* `outage-max`; 0: `on-outage` is `miss`, and nothing is kept or served */
    uint64_t read_ns; /* when the last read of marks that succeeded was sent; 0: none has */
    uint64_t number;  /* of the outage that is on, from 1; 0: none is */
    uint64_t n_begun;
    uint64_t n_served;    /* in the one that is on */
    int64_t served_epoch; /* the greatest that was known when something was served without marks */
    int64_t lost_epoch;   /* the greatest of marks for which there was no room: what is older is gone */
    struct mark_memory known;
};

/* max_ns 0: never. */
void outage_init(struct outage *outage, uint64_t max_ns);
void outage_done(struct outage *outage);

/* Marks, as the store takes their tags, that were read, or that a revalidation has written. */
void outage_learn(struct outage *outage, const struct larder_mark *marks, size_t n, int64_t now_ms);
/* A read of marks succeeded that was sent at asked_ns: whatever was the matter is over. */
void outage_over(struct outage *outage, uint64_t asked_ns);
/* Marks could not be read, for this reason. */
void outage_begins(struct outage *outage, const char *why);

/* Whether what is known is young enough to answer by. */
bool outage_may_serve(const struct outage *outage, uint64_t now_ns);
/* Something was, while this process knew this epoch. */
void outage_served(struct outage *outage, int64_t known);

/* What is known of a tag, or NULL. */
const struct larder_mark *outage_mark(const struct outage *outage, struct larder_bytes tag);
/* What is known of it says of an entry: LARDER_FRESH, _STALE or _GONE. */
uint32_t outage_verdict(const struct outage *outage, struct larder_bytes tag, int64_t epoch, int64_t now_ms);

/* Whether what was rendered with this epoch may be built from what was served without marks. */
bool outage_is_unsure(const struct outage *outage, int64_t epoch);

#endif
