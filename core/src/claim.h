/*
 * One render over many processes (the setting `claim`): a get that would be followed by a render
 * takes a claim on the entry first.  Whoever finds it taken serves what is stale, or waits a while
 * for the other's entry and then renders too.  A claim is advice: it ends by itself after `claim`,
 * and nothing but the number of renders depends on it.  Reactor's thread only.
 */
#ifndef CORE_CLAIM_H
#define CORE_CLAIM_H

#include <stdbool.h>
#include <stdint.h>

#include "larder/larder.h"

struct request;
struct larder_store;

enum { CLAIM_SLOTS = 256, CLAIM_OWNER = 16 };

struct claim_table {              /* what this process has claimed: by hash, the later over the earlier */
    uint64_t hashes[CLAIM_SLOTS]; /* 0: none */
    struct larder_slice owner;    /* random: this store of this process; made when first needed */
};
void claim_table_done(struct claim_table *table);
/* Makes the owner if there is none yet; false: there is no randomness, or no memory. */
bool claim_has_owner(struct claim_table *table);

enum claim_state {
    CLAIM_NONE,
    CLAIM_ASKED,
    CLAIM_THEIRS, /* and we wait for their entry */
    CLAIM_OVER    /* it is ours, or could not be asked for, or we have waited long enough */
};

/* A get is about to be answered with nothing, or with what is old.  True: not yet; go_on(r) is
 * called again when there is more to say. */
bool claim_comes_first(struct request *r, void (*go_on)(struct request *r),
                       void (*read_again)(struct request *r));
/* The request is answered: nothing is waited for any more. */
void claim_give_up(struct request *r);
/* A put of this key is over: whoever waits for it may look. */
void claim_put_over(struct larder_store *store, struct larder_bytes key);

#endif
