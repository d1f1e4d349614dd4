/*
 * What is in an item, and how it is named: pure, and fuzzed (tests/fuzz/fuzz_memcached.c).
 *
 * Numbers are little-endian.  All that is read came over a network from a store that others may write
 * into, so a form that is not exactly one of these is none.
 *
 *     entry, whole      "LDE1" 1 000  modified epoch expires length  0 0        value
 *     entry, in chunks  "LDE1" 2 000  modified epoch expires length  each n     16 bytes: the id of the write
 *     entry, taken away "LDE1" 3 000  0 0 0 0  0 0
 *     mark              "LDM1" 0000   expired_epoch stale_epoch expire_at_ms
 *     placeholder       "LDP1" 0000   16 bytes: random          under the name of a mark, for which tags.c has it
 *     counter           "LDN1" 0000   number
 *     claim             "LDC1" s 000  expires                                   owner; s 1: held, 2: given back
 *
 * A chunk is a part of the value and nothing else: the name of its item holds the id of the write, 128
 * random bits, so what is found under it is right or cut short.
 */
#ifndef MEMCACHED_ITEM_H
#define MEMCACHED_ITEM_H

#include <stdbool.h>

#include "larder/driver.h"

enum {
    MC_HEAD_BYTES = 48,
    MC_ID_BYTES = 16,
    MC_MANIFEST_BYTES = MC_HEAD_BYTES + MC_ID_BYTES,
    MC_MARK_BYTES = 32,
    MC_PLACEHOLDER_BYTES = 24,
    MC_COUNTER_BYTES = 16,
    MC_CLAIM_BYTES = 16,
    MC_MAX_VALUE = 32 << 20,
    MC_LEAST_CHUNK = 4 << 10,
    MC_MAX_CHUNKS = MC_MAX_VALUE / MC_LEAST_CHUNK
};

struct mc_id { /* random bits: of one write of a value in chunks, of a placeholder */
    uint8_t bytes[MC_ID_BYTES];
};

enum mc_form { MC_WHOLE = 1, MC_IN_CHUNKS = 2, MC_TAKEN_AWAY = 3 };

struct mc_entry {
    enum mc_form form;
    int64_t modified_ms, epoch;
    int64_t expires_ms; /* LARDER_UNSET: never */
    uint64_t length;    /* of the value */
    uint32_t chunk_bytes, n_chunks;
    struct mc_id id;
};

/* How many chunks of that size a value needs. */
uint32_t mc_chunks(uint64_t length, uint32_t chunk_bytes);
/* Of chunk i. */
static inline size_t mc_chunk_length(const struct mc_entry *e, uint32_t i) {
    uint64_t at = (uint64_t)i * e->chunk_bytes;
    return (size_t)(e->length - at < e->chunk_bytes ? e->length - at : e->chunk_bytes);
}

/* MC_HEAD_BYTES, or MC_MANIFEST_BYTES in chunks.  The value of a whole one follows behind them. */
size_t mc_entry_put(const struct mc_entry *e, uint8_t out[MC_MANIFEST_BYTES]);
bool mc_entry_parse(struct larder_bytes item, struct mc_entry *ret);
static inline bool mc_entry_over(const struct mc_entry *e, int64_t now_ms) {
    return e->form == MC_TAKEN_AWAY || (e->expires_ms != LARDER_UNSET && e->expires_ms <= now_ms);
}

/* The tag is not in the item. */
void mc_mark_put(const struct larder_mark *mark, uint8_t out[MC_MARK_BYTES]);
bool mc_mark_parse(struct larder_bytes item, struct larder_mark *ret);

void mc_placeholder_put(const struct mc_id *id, uint8_t out[MC_PLACEHOLDER_BYTES]);
bool mc_placeholder_parse(struct larder_bytes item, struct mc_id *ret);

void mc_counter_put(int64_t number, uint8_t out[MC_COUNTER_BYTES]);
bool mc_counter_parse(struct larder_bytes item, int64_t *ret);

struct mc_claim {
    bool held; /* else it was given back, whatever the time is */
    int64_t expires_ms;
    struct larder_bytes owner;
};
/* Writes the head; the owner follows behind it. */
void mc_claim_put(const struct mc_claim *claim, uint8_t out[MC_CLAIM_BYTES]);
bool mc_claim_parse(struct larder_bytes item, struct mc_claim *ret);

/* ---- names ----------------------------------------------------------------------------------- */

enum { MC_PREFIX = 100, MC_NAME = 160 };

enum mc_kind {
    MC_ENTRY = 'e',
    MC_CHUNK = 'v',
    MC_MARK = 'm',
    MC_COUNTER = 'n',
    MC_CLAIM = 'c',
    MC_PING = 'p'
};

/*
 * PREFIX:PPPPPPPP:kHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHH, at most 250 bytes without a space or a control character,
 * whatever the key is: in memcached's text protocol one such byte in a key makes the rest of the
 * connection mean something else.  P are digits of what tells this list of servers from any other; H is
 * the XXH3-128 of the key, which begins with that as its seed.
 */
struct mc_names {
    char head[MC_PREFIX + 16]; /* up to the second colon */
    size_t head_len;
    uint64_t seed;
};

struct mc_name {
    char text[MC_NAME];
    size_t len;
};

/* A prefix that libmemcached, memcached and people can take. */
bool mc_prefix_ok(const char *prefix);
void mc_names_init(struct mc_names *names, const char *prefix, uint64_t print);
void mc_name_of(const struct mc_names *names, enum mc_kind kind, struct larder_bytes key,
                struct mc_name *ret);
void mc_name_of_chunk(const struct mc_names *names, const struct mc_id *id, uint32_t i, struct mc_name *ret);

/* ---- times ------------------------------------------------------------------------------------- */

/* When what lives ttl_ms from now_ms on is over; LARDER_UNSET: never. */
int64_t mc_expires_ms(int64_t now_ms, int64_t ttl_ms);
/*
 * What memcached is told.  It counts in seconds, and takes a number of more than 30 days for a time of
 * day: one that was meant as a while lies in 1970, and the item is gone at once.  A reader goes by
 * expires_ms; this is for memcached to get its memory back, so it is never earlier.  0: never.
 */
int64_t mc_expiration_s(int64_t now_ms, int64_t ttl_ms);

#endif
