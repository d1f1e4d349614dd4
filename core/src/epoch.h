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
    _Alignas(8) double cell;         /* what JavaScript reads; written atomically */
    int64_t known;
    uint64_t asked_ns;               /* when the store's counter was last heard of; 0: never */
    pthread_mutex_t lock;            /* of the ring */
    struct { uint64_t at_ns; int64_t epoch; } ring[EPOCH_RING];
    uint32_t n, first;
};

void epoch_book_init(struct epoch_book *book);
void epoch_book_done(struct epoch_book *book);
/* Something told of this epoch: kept if greater.  asked: it came from the counter itself (or a
 * mark just read), so the knowledge is as young as asked_ns, when the question was sent. */
void epoch_learn(struct epoch_book *book, int64_t epoch, uint64_t now_ns);
void epoch_heard(struct epoch_book *book, uint64_t asked_ns);
int64_t epoch_known(const struct epoch_book *book);                      /* any thread */
/* The greatest epoch known at at_ns; 0: before the ring begins.  Any thread. */
int64_t epoch_known_at(struct epoch_book *book, uint64_t at_ns);

#endif
