/* Commands of the author: hook_run() of drive.h, and what the runner calls itself. */
#ifndef CONFORMANCE_HOOKS_H
#define CONFORMANCE_HOOKS_H

/* sh -c command, with LARDER_STEP=step.  Its exit status; -1: it did not run, or was killed. */
int shell_run(const char *command, const char *step);

#endif
