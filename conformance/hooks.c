/* The author's commands. */
#include <errno.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hooks.h"
#include "options.h"
#include "phrase.h"

static const char *const steps[N_HOOKS] = {"cut", "restart", "wipe-tags", "save", "rollback"};
static const char *const option_names[N_HOOKS] = {"--cut", "--restart", "--wipe-tags", "--rollback",
                                                  "--rollback"};

/* environ with LARDER_STEP; of the caller's memory, NULL: no memory. */
static char **environment_with(char *step) {
    size_t n = 0;
    while (environ[n])
        n++;
    char **all = calloc(n + 2, sizeof(*all));
    if (!all)
        return NULL;
    memcpy(all, environ, n * sizeof(*all));
    all[n] = step;
    return all;
}

int shell_run(const char *command, const char *step) {
    char variable[64];
    const char *args[] = {"sh", "-c", command, NULL};
    pid_t pid;
    int how = -1;
    snprintf(variable, sizeof(variable), "LARDER_STEP=%s", step);
    char **environment = environment_with(variable);
    if (!environment)
        return -1;
    int failed = posix_spawn(&pid, "/bin/sh", NULL, NULL, (char *const *)(uintptr_t)args, environment);
    free(environment);
    if (failed != 0)
        return -1;
    while (waitpid(pid, &how, 0) < 0 && errno == EINTR)
        ;
    return WIFEXITED(how) ? WEXITSTATUS(how) : -1;
}

bool hook_given(enum hook hook) {
    return options.hooks[hook] != NULL;
}

bool hook_run(enum hook hook) {
    if (!hook_given(hook)) {
        char what[64];
        snprintf(what, sizeof(what), "no %s was given", option_names[hook]);
        unclaimed(what);
        return false;
    }
    int status = shell_run(options.hooks[hook], steps[hook]);
    if (status != 0) {
        note("%s: the exit status of '%s' is %d", option_names[hook], options.hooks[hook], status);
        CU_FAIL("a command of the author's failed");
    }
    return status == 0;
}
