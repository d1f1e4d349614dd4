#include "epoch.h"

#include <string.h>

void epoch_book_init(struct epoch_book *book) {
    memset(book, 0, sizeof(*book));
    pthread_mutex_init(&book->lock, NULL);
}

void epoch_book_done(struct epoch_book *book) {
    pthread_mutex_destroy(&book->lock);
}

/* Every second record of the older half goes; the first stays. */
static void thin(struct epoch_book *book) {
    uint32_t half = book->n / 2, kept = 0;

    for (uint32_t i = 0; i < half; i += 2)
        book->ring[kept++] = book->ring[i];
    memmove(&book->ring[kept], &book->ring[half], (book->n - half) * sizeof(book->ring[0]));
    book->n = kept + book->n - half;
}

static void show(struct epoch_book *book, int64_t epoch) {
    double cell = (double)epoch;
    __atomic_store(&book->cell, &cell, __ATOMIC_RELAXED);
}

void epoch_learn(struct epoch_book *book, int64_t epoch, uint64_t now_ns) {
    if (epoch <= __atomic_load_n(&book->known, __ATOMIC_RELAXED))
        return;

    pthread_mutex_lock(&book->lock);
    if (book->n == EPOCH_RING)
        thin(book);
    /* Two in one instant: the greater one counts as learned just after, never before. */
    if (book->n > 0 && book->ring[book->n - 1].at_ns >= now_ns)
        now_ns = book->ring[book->n - 1].at_ns + 1;
    book->ring[book->n].at_ns = now_ns;
    book->ring[book->n].epoch = epoch;
    book->n++;
    pthread_mutex_unlock(&book->lock);

    /* Release: who sees the new epoch also sees whatever told us of it. */
    __atomic_store_n(&book->known, epoch, __ATOMIC_RELEASE);
    if (book->trust_ns == 0)
        show(book, epoch);
}

int64_t epoch_to_note(struct epoch_book *book, uint64_t now_ns) {
    if (book->trust_ns == 0)
        return epoch_known(book);
    int64_t epoch = now_ns > book->trust_ns ? epoch_known_at(book, now_ns - book->trust_ns) : 0;
    show(book, epoch);
    return epoch;
}

void epoch_heard(struct epoch_book *book, uint64_t asked_ns) {
    if (asked_ns > book->asked_ns)
        book->asked_ns = asked_ns;
}

int64_t epoch_known(const struct epoch_book *book) {
    return __atomic_load_n(&book->known, __ATOMIC_ACQUIRE);
}

int64_t epoch_known_at(struct epoch_book *book, uint64_t at_ns) {
    int64_t epoch = 0;

    pthread_mutex_lock(&book->lock);
    uint32_t low = 0, high = book->n; /* the first record later than at_ns is in [low, high] */
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        if (book->ring[mid].at_ns <= at_ns)
            low = mid + 1;
        else
            high = mid;
    }
    if (low > 0)
        epoch = book->ring[low - 1].epoch;
    pthread_mutex_unlock(&book->lock);
    return epoch;
}
