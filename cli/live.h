/* Running processes, as they tell of themselves (the setting `live`). */
#ifndef CLI_LIVE_H
#define CLI_LIVE_H

#include "cli.h"

struct cJSON;

struct process {
    struct cJSON *json;             /* what it told */
    struct larder_metrics *metrics; /* the same; its texts are in json */
};

struct processes { /* by namespace, then by number */
    struct process *list;
    size_t n;
    size_t n_others; /* that were not wanted */
    size_t n_silent; /* that were there and did not answer, or nothing that can be read */
};

/* The configuration, and the words of the command line: numbers of processes.  CODE_DONE, or what was
 * said. */
int processes_prepare(struct cli *cli);
/* Asks all that there are, at once; one that does not answer within a second is left out.  Of those,
 * what --namespace and the words leave.  LARDER_OK also where there is none. */
int32_t processes_read(struct cli *cli, struct processes *ret, struct larder_error *error);
void processes_done(struct processes *processes);

/* Says on stderr that there is none, and what could be done about it.  Answers CODE_NEGATIVE. */
int processes_none(struct cli *cli, const struct processes *processes);

extern const char live_option_namespace[]; /* its help */

#endif
