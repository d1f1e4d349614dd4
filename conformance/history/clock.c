/*
 * The program is linked with --wrap=clock_gettime: the core in it takes the time of day from
 * here, and so do drivers, which have it from the core (op->now_ms).  The monotonic clock is
 * nobody's to set.
 */
#include <time.h>

#include "run.h"

int __real_clock_gettime(clockid_t id, struct timespec *ret);
int __wrap_clock_gettime(clockid_t id, struct timespec *ret);

static const struct slot *followed;

void clock_follow(const struct slot *slot) {
    __atomic_store_n(&followed, slot, __ATOMIC_RELEASE);
}

int __wrap_clock_gettime(clockid_t id, struct timespec *ret) {
    int status = __real_clock_gettime(id, ret);
    const struct slot *slot = __atomic_load_n(&followed, __ATOMIC_ACQUIRE);
    if (id == CLOCK_REALTIME && slot != NULL && status == 0) {
        int64_t off_ms = atomic_load(&slot->clock_off_ms);
        int64_t ns = ret->tv_nsec + off_ms % 1000 * 1000000;
        ret->tv_sec += off_ms / 1000 + (ns < 0 ? -1 : ns >= 1000000000 ? 1 : 0);
        ret->tv_nsec = ns < 0 ? ns + 1000000000 : ns >= 1000000000 ? ns - 1000000000 : ns;
    }
    return status;
}

int64_t clock_now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}
