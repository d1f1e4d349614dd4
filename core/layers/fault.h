/*
 * What the layer fault does, as text:
 *
 *     seed=7; get,tags-read:error=retry@5%; any:delay=10ms..200ms@10%; down=3s/10s
 *
 *     plan   = item { ";" item }
 *     item   = "seed=" NUMBER
 *            | "down=" TIME "/" TIME                 any:error=retry~TIME/TIME: refuses connections
 *            | "hang=" TIME "/" TIME                 any:drop~TIME/TIME: a stopped server
 *            | ops ":" fault [ "@" PERCENT "%" ] [ "~" TIME "/" TIME [ "+" TIME ] ]
 *     ops    = op { "," op }                         larder_op_name(), or "any"
 *     fault  = "delay=" TIME [ ".." TIME ]           waits before it is done
 *            | "late=" TIME [ ".." TIME ]            is done, and answered later
 *            | "again=" TIME [ ".." TIME ]           is done, answered, and done once more later
 *            | "error=" CLASS                        is not done (larder_status_name())
 *            | "lost=" CLASS                         is done, and answered with an error
 *            | "drop"                                is not done, and answered after its deadline
 *            | "corrupt"                             get: one bit of the value is wrong
 *            | "short"                               get: the end of the value is missing
 *
 * "@": so often, otherwise always.  "~3s/10s+5s": in the first 3 s of every 10 s, the first time
 * 5 s after the driver was opened; without it all the time.  Spaces mean nothing.  Every rule that
 * fits an op is applied to it.  The same seed and the same calls give the same faults.
 */
#ifndef CORE_FAULT_H
#define CORE_FAULT_H

#include <stdbool.h>

#include "larder/larder.h"

enum fault_kind {
    FAULT_DELAY,
    FAULT_LATE,
    FAULT_AGAIN,
    FAULT_ERROR,
    FAULT_LOST,
    FAULT_DROP,
    FAULT_CORRUPT,
    FAULT_SHORT
};

struct fault_rule {
    uint32_t ops; /* bit (1 << LARDER_OP_*) */
    enum fault_kind kind;
    int32_t status;            /* ERROR, LOST */
    uint64_t low_ns, high_ns;  /* DELAY, LATE, AGAIN */
    uint32_t ppm;              /* 1,000,000: always */
    uint64_t on_ns, period_ns; /* period 0: all the time */
    uint64_t offset_ns;
};

enum { FAULT_RULES = 32, FAULT_WHY = 160 };

struct fault_plan {
    uint64_t seed;
    size_t n;
    struct fault_rule rules[FAULT_RULES];
};

/* false: `why` says what is wrong with the text. */
bool fault_parse(const char *text, struct fault_plan *ret, char why[FAULT_WHY]);
/* Whether a rule's phase is on, so long after the beginning. */
bool fault_is_on(const struct fault_rule *rule, uint64_t elapsed_ns);

#endif
