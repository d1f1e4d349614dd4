/* The doctor's look at the folder of the setting `journal`, before and after a store has it open. */
#include <inttypes.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "doctor.h"

/* In no public header of the kernel: fs/smb/common/smb2pdu.h, fs/smb/client/cifsglob.h. */
#define CIFS_MAGIC 0xff534d42u
#define SMB2_MAGIC 0xfe534d42u

enum place { DISK, MEMORY, NETWORK };

static enum place place_of(const char *folder) {
    struct statfs st;
    if (statfs(folder, &st) != 0)
        return DISK;
    switch ((uint32_t)st.f_type) {
    case TMPFS_MAGIC:
    case RAMFS_MAGIC: return MEMORY;
    case NFS_SUPER_MAGIC:
    case CIFS_MAGIC:
    case SMB2_MAGIC:
    case V9FS_MAGIC:
    case FUSE_SUPER_MAGIC: return NETWORK;
    default: return DISK;
    }
}

/* The folder is made when something is first written: then its parent must let that happen. */
static bool is_writable(const char *folder, bool *ret_exists) {
    struct stat st;
    char parent[sizeof((struct doctor_settings *)0)->journal];
    *ret_exists = stat(folder, &st) == 0;
    if (*ret_exists)
        return S_ISDIR(st.st_mode) && access(folder, R_OK | W_OK | X_OK) == 0;
    snprintf(parent, sizeof parent, "%s", folder);
    size_t len = strlen(parent);
    while (len > 1 && parent[len - 1] == '/')
        parent[--len] = '\0';
    char *slash = strrchr(parent, '/');
    if (slash)
        slash[slash == parent] = '\0';
    return access(slash ? parent : ".", W_OK | X_OK) == 0;
}

static void tell_place(struct exam *exam, const char *folder, bool exists) {
    enum place place = exists ? place_of(folder) : DISK;
    if (place == NETWORK)
        tell(exam, WARN, "journal", "name a folder on a local disk, one for each machine",
             "%s is not on a local file system: what waits may be taken by another machine, or lost", folder);
    else if (place == MEMORY)
        tell(exam, WARN, "journal", "name a folder on a disk",
             "%s is in memory: what waits there is lost when the machine starts anew", folder);
    else
        tell(exam, OK, "journal", NULL, "%s%s", folder, exists ? "" : " (made when first needed)");
}

void doctor_journal(struct exam *exam) {
    const char *folder = exam->settings.journal;
    struct larder_journal_waiting waiting;
    struct larder_error error;
    bool exists;
    if (*folder == '\0') {
        tell(exam, OK, "journal", NULL,
             "not set: a revalidation that the store refuses waits in the memory of its process");
        return;
    }
    if (!is_writable(folder, &exists)) {
        tell(exam, FAIL, "journal", "make it a folder that this user may read, write and enter",
             "%s cannot be written: what waits there would be lost with its process", folder);
        return;
    }
    tell_place(exam, folder, exists);
    if (larder_journal_look(folder, exam->settings.ns, &waiting, &error) != LARDER_OK) {
        tell(exam, FAIL, "journal", "make it a folder that this user may read", "%s", error.text);
        return;
    }
    if (waiting.of_living > 0)
        tell(exam, WARN, "journal", "see whether the store refuses them: the lines below say it",
             "waiting in processes that are running: %" PRIu64, waiting.of_living);
    if (waiting.of_ended > 0)
        tell(exam, WARN, "journal", "nothing, if the last line about the journal says that they are done",
             "left by processes that have ended, and taken over now: %" PRIu64, waiting.of_ended);
}

static void wait_ms(long ms) {
    const struct timespec pause = {.tv_nsec = ms * 1000000};
    nanosleep(&pause, NULL);
}

void doctor_journal_again(struct exam *exam) {
    enum { ROUNDS = 30, ROUND_MS = 50 }; /* the first attempt comes after 250 ms */
    struct larder_stats stats;
    larder_stats(exam->cli->store, &stats);
    if (stats.journal_kept == 0)
        return;
    for (int i = 0; i < ROUNDS && stats.journal_pending > 0; i++) {
        wait_ms(ROUND_MS);
        larder_stats(exam->cli->store, &stats);
    }
    if (stats.journal_pending == 0)
        tell(exam, OK, "journal", NULL, "taken over, and done: %" PRIu64, stats.journal_kept);
    else
        tell(exam, WARN, "journal", "mend what failed above: the next process takes them over",
             "still waiting: %" PRIu64 " of %" PRIu64, stats.journal_pending, stats.journal_kept);
}
