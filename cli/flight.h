/* Requests under way, bounded in number and in what they hold: for commands that send many. */
#ifndef CLI_FLIGHT_H
#define CLI_FLIGHT_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

struct flight {
    pthread_mutex_t lock; /* also of whatever the answers count */
    pthread_cond_t changed;
    size_t n, most;
    size_t bytes, most_bytes;
};

void flight_init(struct flight *flight, size_t most, size_t most_bytes);
/* Waits until there is room; the command's own thread.  One that is larger than all goes alone. */
void flight_begin(struct flight *flight, size_t bytes);
/* Any thread; the last thing that an answer does with what belongs to the command. */
void flight_end(struct flight *flight, size_t bytes);
/* Waits until none is under way. */
void flight_wait(struct flight *flight);
void flight_done(struct flight *flight);

#endif
