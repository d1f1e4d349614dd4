/* Mistake: a thread goes on after close()
 *
 * It was detached, so that nobody has to join it, and it looks whether it is to end when it wakes
 * up the next time.
 *
 * Caught by: basic/a_key_that_was_never_put_is_a_miss_without_a_value (thread leaked)
 */
#include <pthread.h>
#include <unistd.h>

#include "bad.h"

static void *sweep(void *arg) {
    (void)arg;
    for (;;)
        sleep(60);
    return NULL;
}

static int32_t open_instance(const struct larder_host *host, struct larder_home *home, const void *config,
                             struct larder_info *info, void **instance, char *error) {
    int32_t status = right->open(host, home, config, info, instance, error);
    pthread_t thread;
    if (status == LARDER_OK && pthread_create(&thread, NULL, sweep, NULL) == 0)
        pthread_detach(thread);
    return status;
}

const struct mistake mistake = {.driver.open = open_instance};
