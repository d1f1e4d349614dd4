#include "spares.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

static struct {
    atomic_bool kept;
    atomic_uint taken, given; /* so that one follows the other through the places */
    _Atomic(void *) places[SPARES];
} spares;

void *spare_take(size_t size) {
    if (size > SPARE_BYTES)
        return malloc(size);
    unsigned i = atomic_fetch_add_explicit(&spares.taken, 1, memory_order_relaxed) % SPARES;
    void *memory = atomic_exchange_explicit(&spares.places[i], NULL, memory_order_acquire);
    return memory != NULL ? memory : malloc(SPARE_BYTES);
}

void spare_give(void *memory, size_t size) {
    if (size <= SPARE_BYTES && atomic_load_explicit(&spares.kept, memory_order_relaxed)) {
        unsigned i = atomic_fetch_add_explicit(&spares.given, 1, memory_order_relaxed) % SPARES;
        memory = atomic_exchange_explicit(&spares.places[i], memory, memory_order_acq_rel);
    }
    free(memory);
}

void spares_start(void) {
    atomic_store(&spares.kept, true);
}

void spares_stop(void) {
    atomic_store(&spares.kept, false);
    for (unsigned i = 0; i < SPARES; i++)
        free(atomic_exchange(&spares.places[i], NULL));
}
