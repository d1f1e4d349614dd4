/*
 * What a process knows of its namespace's epoch, and since when (docs/semantics.md, "Order
 * without clocks").  epoch_learn() is for the reactor's thread; readers may be anywhere.
 */
#ifndef CORE_EPOCH_H
#define CORE_EPOCH_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

enum { EPOCH_RING = 1024 };

struct epoch_book {
    _Alignas(8) double cell; /* what JavaScript reads; written atomically */
    int64_t known;
    uint64_t asked_ns;    /* when the store's counter was last heard of; 0: never */
    uint64_t trust_ns;    /* `mark-age`: for so long marks that were read are taken for new ones */
    pthread_mutex_t lock; /* of the ring */
    /* Since when which epoch was known, both ascending.  Full, its older half is thinned: it
     * reaches back to the first epoch learned, the coarser the older, and a time between two
     * records has the earlier one's epoch - too small costs a render, too large a promise. */
    struct {
        uint64_t at_ns;
        int64_t epoch;
    } ring[EPOCH_RING];
    uint32_t n;
};

void epoch_book_init(struct epoch_book *book);
void epoch_book_done(struct epoch_book *book);
/* Something told of this epoch: kept if greater. */
void epoch_learn(struct epoch_book *book, int64_t epoch, uint64_t now_ns);
/* The counter itself (or a mark just read) was heard of: what is known is as young as asked_ns,
 * when the question was sent.  Reactor's thread, as is reading asked_ns. */
void epoch_heard(struct epoch_book *book, uint64_t asked_ns);
/* Something may have raised it since: whoever must know asks the counter.  Reactor's thread. */
static inline void epoch_unheard(struct epoch_book *book) {
    book->asked_ns = 0;
}
int64_t epoch_known(const struct epoch_book *book); /* any thread */
/* What a rendering that begins at now_ns notes, and JavaScript reads from then on.  Where marks are
 * trusted it is what was known that long ago: what the page is built from may be judged by marks
 * of then, and an epoch that was learned since would make the page newer than a revalidation that
 * those marks do not tell of.  Reactor's thread. */
int64_t epoch_to_note(struct epoch_book *book, uint64_t now_ns);
/* An epoch that was known at at_ns, the greatest that the ring still tells; 0: none was.  Any
 * thread. */
int64_t epoch_known_at(struct epoch_book *book, uint64_t at_ns);

#endif
