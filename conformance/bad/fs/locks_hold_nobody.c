/* Mistake: reading and raising the counter is not atomic over processes
 *
 * The locks are those of this process's threads (or those of the file are refused by the file
 * system, and the error is ignored): within one process everything is right.
 *
 * Caught by: epoch/processes_that_raise_one_counter_never_get_the_same_number
 */
#include "bad.h"
#include "fs.h"

static int no_lock(int fd, struct flock *lock) {
    (void)fd;
    (void)lock;
    return 0;
}

static int32_t open_instance(const struct larder_host *host, struct larder_home *home, const void *config,
                             struct larder_info *info, void **instance, char *error) {
    static struct fs_sys sys;
    if (!sys.setlk) {
        sys = fs_sys_real;
        sys.setlk = no_lock;
    }
    return fs_open_with(&sys, host, home, config, info, instance, error);
}

const struct mistake mistake = {.driver.open = open_instance};
