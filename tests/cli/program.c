#include "program.h"

#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MAX_ARGS = 32 };

static struct {
    const char *program, *input, *output;
    bool terminal;
    char folder[64];
    struct ran ran;
} state;

bool program_init(const char *program) {
    static char absolute[PATH_MAX];
    state.program = realpath(program, absolute);
    snprintf(state.folder, sizeof state.folder, "/tmp/larder-cli-XXXXXX");
    return state.program && mkdtemp(state.folder) && chdir(state.folder) == 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw) {
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

void program_done(void) {
    free(state.ran.out);
    free(state.ran.err);
    if (chdir("/") == 0)
        nftw(state.folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

void run_input(const char *path) {
    state.input = path;
}

void run_output(const char *path) {
    state.output = path;
}

void run_on_terminal(void) {
    state.terminal = true;
}

/* The terminal's other end; what is written there waits in it until it is read. */
static int open_terminal(char name[64]) {
    int fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || grantpt(fd) != 0 || unlockpt(fd) != 0 || ptsname_r(fd, name, 64) != 0) {
        perror("a terminal");
        abort();
    }
    return fd;
}

static char *read_terminal(int fd) {
    enum { MOST = 4096 };
    char *text = calloc(1, MOST);
    if (text == NULL)
        abort();
    size_t len = 0;
    for (ssize_t n; len < MOST - 1 && (n = read(fd, text + len, MOST - 1 - len)) > 0;)
        len += (size_t)n;
    close(fd);
    return text;
}

static char *read_file(const char *path, size_t *ret_len) {
    FILE *file = fopen(path, "rb");
    long size = 0;
    if (file && fseek(file, 0, SEEK_END) == 0)
        size = ftell(file);
    char *text = calloc(1, (size_t)(size > 0 ? size : 0) + 1);
    if (file && text && size > 0) {
        rewind(file);
        *ret_len = fread(text, 1, (size_t)size, file);
    } else {
        *ret_len = 0;
    }
    if (file)
        fclose(file);
    if (text == NULL)
        abort();
    return text;
}

void write_file(const char *path, const void *bytes, size_t len) {
    FILE *file = fopen(path, "wb");
    if (file == NULL || fwrite(bytes, 1, len, file) != len || fclose(file) != 0) {
        perror(path);
        abort();
    }
}

static pid_t spawn_program(const char *const *args, const char *out, const char *err) {
    const char *argv[MAX_ARGS + 2] = {state.program};
    for (size_t n = 1; *args && n <= MAX_ARGS; args++)
        argv[n++] = *args;
    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, 0, state.input ? state.input : "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&files, 1, out, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    posix_spawn_file_actions_addopen(&files, 2, err, O_WRONLY | O_CREAT | O_TRUNC | O_NOCTTY, 0600);
    pid_t pid;
    if (posix_spawn(&pid, state.program, &files, NULL, (char *const *)(void *)argv, environ) != 0) {
        perror(state.program);
        abort();
    }
    posix_spawn_file_actions_destroy(&files);
    return pid;
}

static int wait_for(pid_t pid) {
    int status;
    if (waitpid(pid, &status, 0) != pid) {
        perror(state.program);
        abort();
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

const struct ran *run_program(const char *const *args) {
    char terminal[64];
    int terminal_fd = state.terminal ? open_terminal(terminal) : -1;
    const char *out = state.output ? state.output : "stdout.txt";
    int code = wait_for(spawn_program(args, out, state.terminal ? terminal : "stderr.txt"));

    free(state.ran.out);
    free(state.ran.err);
    state.ran.code = code;
    state.ran.out = state.output ? calloc(1, 1) : read_file(out, &state.ran.out_len);
    size_t err_len;
    state.ran.err = state.terminal ? read_terminal(terminal_fd) : read_file("stderr.txt", &err_len);
    state.input = state.output = NULL;
    state.terminal = false;
    return &state.ran;
}

pid_t start_program(const char *const *args) {
    return spawn_program(args, "background.txt", "background-err.txt");
}

const struct ran *stop_program(pid_t pid, int signal) {
    kill(pid, signal);
    int code = wait_for(pid);
    free(state.ran.out);
    free(state.ran.err);
    state.ran.code = code;
    state.ran.out = read_file("background.txt", &state.ran.out_len);
    size_t err_len;
    state.ran.err = read_file("background-err.txt", &err_len);
    return &state.ran;
}
