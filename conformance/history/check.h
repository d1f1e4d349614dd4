/*
 * The checker: a pure function over a recorded history.  It knows nothing of how a store works:
 * no marks, no merging; epochs only where a rule says so.
 *
 * Wherever times overlap, so that the order is not known, the store is given the benefit: what
 * is reported has no other explanation.
 */
#ifndef HISTORY_CHECK_H
#define HISTORY_CHECK_H

#include "record.h"

enum rule {
    /* P1.  A get that began after a revalidation had completed returned a version that carries
     * the tag and whose rendering began before the revalidation did, or one that was built from
     * such a version. */
    RULE_STALE_AFTER_REVALIDATION,
    /* P3, P4.  What a get returned was not put under that key before the get ended, or is not
     * that put's bytes, tags and epoch. */
    RULE_NEVER_PUT,
    RULE_NOT_WHOLE,
    /* P6.  After quiet, a second get was no hit. */
    RULE_NOT_ALIVE,
    /* expire.  A get that began after revalidate(..., expire) had completed called an older
     * version fresh; ... */
    RULE_FRESH_THOUGH_STALE,
    /* ... returned one when the time had come by the clocks of both processes; ... */
    RULE_THERE_AFTER_DUE,
    /* ... called one gone though no revalidation that it is older than said so, by any clock. */
    RULE_GONE_TOO_EARLY,
    /* Nothing disturbed, nobody hurried, and yet a call failed. */
    RULE_ERROR,
    RULE_N
};

const char *rule_name(enum rule rule);

struct place { /* of a record */
    uint32_t file, at;
};

enum { CHAIN_MAX = 16 };

struct violation {
    enum rule rule;
    struct place call; /* the get, or the call that failed */
    unsigned tag;      /* of the revalidation */
    bool has_cause;
    struct place cause;        /* the revalidation */
    uint64_t chain[CHAIN_MAX]; /* versions: what was returned, what that was built from, ... */
    unsigned n_chain;
};

enum { VIOLATIONS_KEPT = 32 };

struct check_options {
    /* A tag store that was wiped or rolled back forgets, and starts its counter from a clock.
     * What docs/semantics.md excepts ("When the tag store is lost") is counted, not reported;
     * with this it is reported. */
    bool no_excuse;
};

struct check_result {
    uint64_t n_records, n_unanswered;
    uint64_t n_gets, n_fresh, n_stale, n_gone, n_misses, n_get_errors;
    uint64_t n_puts, n_put_errors, n_renders;
    uint64_t n_revalidations, n_revalidation_errors;
    uint64_t n_losses, n_second_gets;
    uint64_t n_lost;      /* gets that are right only because a roll-back forgot a revalidation */
    uint64_t n_unordered; /* ... because the counter began anew behind what it had given out */
    uint64_t n_violations[RULE_N];
    int64_t first_ns, last_ns;
    int64_t slowest_get_ns;
    /* While a store is away: the longest time in which gets ended and none of them was answered but by an error, and
     * when the first and the last error came; 0: there was none. */
    int64_t longest_outage_ns, first_error_ns, last_error_ns;
    uint64_t n_found;
    struct violation found[VIOLATIONS_KEPT]; /* the earliest */
};

/* false: out of memory, or a record makes no sense (error says which). */
bool check_history(const struct history *h, const struct check_options *options, struct check_result *ret,
                   char error[256]);

#endif
