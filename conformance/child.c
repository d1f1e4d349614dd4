#include "child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "drive.h"
#include "race.h"

enum { VALUE_LEN = 70000, VALUE_SEED = 3, DONE = '!' };

bool child_stores(struct larder_bytes key) {
    int64_t epoch;
    bool stored = true;
    if (backend_can(drive.one, LARDER_OP_PUT))
        stored = put_value(drive.one, key, VALUE_LEN, VALUE_SEED, 5) == LARDER_OK;
    if (stored && backend_can(drive.one, LARDER_OP_TAGS_WRITE))
        stored = advance(drive.one, key, 1, &epoch) == LARDER_OK &&
                 write_mark(drive.one, mark_of(key, epoch, UNSET, UNSET), 0) == LARDER_OK;
    return stored;
}

bool child_finds(struct larder_bytes key) {
    struct larder_mark mark;
    int64_t epoch = 0;
    bool found = true;
    if (backend_can(drive.one, LARDER_OP_PUT))
        found = get_value(drive.one, key, VALUE_LEN, VALUE_SEED) == LARDER_OK;
    if (found && backend_can(drive.one, LARDER_OP_TAGS_WRITE))
        found = read_mark(drive.one, key, &mark) && advance(drive.one, key, 0, &epoch) == LARDER_OK &&
                mark.expired_epoch == epoch;
    return found;
}

int child_main(const char *role, const char *key) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (strcmp(role, "read") == 0)
        return child_finds(bytes_of(key)) ? 0 : 1;
    if (strcmp(role, "write") != 0)
        return race_child(role);
    if (!child_stores(bytes_of(key)))
        return 1;
    const char done = DONE;
    if (write(STDOUT_FILENO, &done, 1) != 1)
        return 1;
    for (;;)
        pause();
}

pid_t child_start(const char *role, struct larder_bytes key, int in, int *ret_out) {
    enum { MAX_ARGS = 40 };
    char key_text[256];
    const char *args[MAX_ARGS] = {"larder-conform", "--child", role, "--key", key_text};
    size_t n = 5;
    int out[2];
    pid_t pid = -1;
    if (key.len >= sizeof(key_text) || n + drive.n_args >= MAX_ARGS || pipe2(out, O_CLOEXEC) != 0)
        return -1;
    *bytes_put((uint8_t *)key_text, key) = '\0';
    for (size_t i = 0; i < drive.n_args; i++)
        args[n++] = drive.args[i];

    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
    if (in >= 0)
        posix_spawn_file_actions_adddup2(&actions, in, STDIN_FILENO);
    if (posix_spawn(&pid, "/proc/self/exe", &actions, NULL, (char *const *)(uintptr_t)args, environ) != 0)
        pid = -1;
    posix_spawn_file_actions_destroy(&actions);
    close(out[1]);
    if (pid < 0)
        close(out[0]);
    else
        *ret_out = out[0];
    return pid;
}

int child_end(pid_t pid) {
    int how = -1;
    while (waitpid(pid, &how, 0) < 0 && errno == EINTR)
        ;
    return how;
}

bool run_writer_and_kill_it(struct larder_bytes key) {
    int out;
    pid_t pid = child_start("write", key, -1, &out);
    if (pid < 0)
        return false;
    char byte = 0;
    ssize_t n;
    do
        n = read(out, &byte, 1);
    while ((n == 1 && byte != DONE) || (n < 0 && errno == EINTR));
    kill(pid, SIGKILL);
    child_end(pid);
    close(out);
    return n == 1;
}

bool run_reader(struct larder_bytes key) {
    int out;
    pid_t pid = child_start("read", key, -1, &out);
    if (pid < 0)
        return false;
    int how = child_end(pid);
    close(out);
    return WIFEXITED(how) && WEXITSTATUS(how) == 0;
}
