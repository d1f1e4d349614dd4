/* larder doctor, in parts: each looks at one thing and tells what it found. */
#ifndef CLI_DOCTOR_H
#define CLI_DOCTOR_H

#include "cli.h"

/* What the checks need to know of the configuration in force. */
struct doctor_settings {
    char ns[65], journal[4096], fault[256];
    char cache_driver[64], cache_url[4096];
    int64_t get_deadline_ms, write_deadline_ms, cache_max_size; /* max-size 0: none is known */
    int64_t breaker, retries, mark_age_ms;
};

struct exam {
    struct cli *cli;
    struct doctor_settings settings;
    struct larder_store *other; /* opened beside cli->store, as another process would */
    unsigned n_failed, n_warned;
    uint64_t asked_ns; /* when the last request was sent */
    struct larder_histogram gets, puts, tags, revalidations;
};

enum verdict { OK, WARN, FAIL };

/* ---- telling (doctor_tell.c) ------------------------------------------------------------------- */

/* What was looked at, what was found and, unless it is good, what to do. */
void tell(struct exam *exam, enum verdict verdict, const char *what, const char *to_do, const char *format,
          ...) __attribute__((format(printf, 5, 6)));
/* Percentiles of a kind of request. */
void tell_times(struct exam *exam, const char *what, const struct larder_histogram *times);
void tell_sum(const struct exam *exam);
/* "0.123 ms" since the last request was sent. */
enum { TOOK_TEXT = 32 };
const char *took(const struct exam *exam, char out[TOOK_TEXT]);

/* ---- the parts ------------------------------------------------------------------------------------- */

/* Needs a configuration, and no store yet: what it finds there, the store would take over. */
int doctor_read_settings(struct exam *exam);
void doctor_settings(struct exam *exam);
void doctor_journal(struct exam *exam);
void doctor_disk(struct exam *exam);
/* Need a store. */
void doctor_store(struct exam *exam);
void doctor_times(struct exam *exam);
void doctor_counters(struct exam *exam);
void doctor_journal_again(struct exam *exam);

#endif
