#include "flight.h"

void flight_init(struct flight *flight, size_t most, size_t most_bytes) {
    *flight = (struct flight){.most = most, .most_bytes = most_bytes};
    pthread_mutex_init(&flight->lock, NULL);
    pthread_cond_init(&flight->changed, NULL);
}

void flight_begin(struct flight *flight, size_t bytes) {
    pthread_mutex_lock(&flight->lock);
    while (flight->n >= flight->most || (flight->n > 0 && flight->bytes + bytes > flight->most_bytes))
        pthread_cond_wait(&flight->changed, &flight->lock);
    flight->n++;
    flight->bytes += bytes;
    pthread_mutex_unlock(&flight->lock);
}

void flight_end(struct flight *flight, size_t bytes) {
    pthread_mutex_lock(&flight->lock);
    flight->n--;
    flight->bytes -= bytes;
    pthread_cond_signal(&flight->changed);
    pthread_mutex_unlock(&flight->lock);
}

void flight_wait(struct flight *flight) {
    pthread_mutex_lock(&flight->lock);
    while (flight->n > 0)
        pthread_cond_wait(&flight->changed, &flight->lock);
    pthread_mutex_unlock(&flight->lock);
}

void flight_done(struct flight *flight) {
    pthread_cond_destroy(&flight->changed);
    pthread_mutex_destroy(&flight->lock);
}
