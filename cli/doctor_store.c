/*
 * The doctor's trial of the store: what an application does, done with an entry and a tag of its own,
 * and seen from a second store as another process would see it.
 */
#include <inttypes.h>
#include <string.h>
#include <sys/random.h>

#include "clock.h"
#include "doctor.h"

/* ---- asking ------------------------------------------------------------------------------------- */

/* An operation that an application needs, and what becomes of it where it cannot have it. */
struct need {
    const char *what, *without;
};
static const struct need need_ping = {"ping", "no request is answered from the cache"};
static const struct need need_epoch = {"epoch", "nothing that is rendered counts as fresh"};
static const struct need need_marks = {"tags", "nothing counts as fresh: every get is a miss"};
static const struct need need_put = {"put", "nothing is stored: every page is rendered anew"};
static const struct need need_get = {"get", "nothing is served from the cache"};
static const struct need need_list = {"list", "the application works; larder ls, prune and export do not"};
static const struct need need_revalidate = {"revalidate", "revalidateTag() reaches no other process"};
static const struct need need_remove = {"remove", "the application works; larder rm and prune do not"};

static void tell_failure(struct exam *exam, const struct need *need, int32_t status,
                         const struct larder_answer *answer) {
    const char *detail = answer ? answer->detail : "";
    const bool optional = need == &need_list && status == LARDER_UNSUPPORTED;
    char to_do[320];
    const char *cure = status == LARDER_DENIED        ? "give the application's user or role this right"
                       : status == LARDER_UNSUPPORTED ? "choose a driver that can do it"
                       : status == LARDER_CORRUPT
                           ? "find out who else writes there, or whether the disk fails"
                       : status == LARDER_TOO_BIG   ? "raise what limits values in the store"
                       : status == LARDER_THROTTLED ? "raise the quota of the store"
                                                    : "see that the store runs and can be reached from here";
    snprintf(to_do, sizeof to_do, "%s; without it %s", cure, need->without);
    tell(exam, optional ? WARN : FAIL, need->what, to_do, "%s%s%s", larder_status_name(status),
         *detail ? ": " : "", detail);
}

/* A failure is told.  The answer is the caller's to give back. */
static int32_t ask(struct exam *exam, struct larder_store *store, const struct need *need,
                   struct larder_request *request, const struct larder_answer **ret_answer) {
    request->deadline_ms = exam->cli->timeout_ms;
    *ret_answer = NULL;
    exam->asked_ns = clock_ns();
    int32_t status = larder_call(store, request, ret_answer);
    if (status < 0)
        tell_failure(exam, need, status, *ret_answer);
    return status;
}

/* The same for what is answered without anything to look at; notes how long it took. */
static bool done(struct exam *exam, const struct need *need, struct larder_request *request,
                 struct larder_histogram *times) {
    const struct larder_answer *answer;
    int32_t status = ask(exam, exam->cli->store, need, request, &answer);
    if (status >= 0 && times)
        larder_histogram_record(times, clock_ns() - exam->asked_ns);
    larder_answer_unref(answer);
    return status >= 0;
}

/* ---- what is there --------------------------------------------------------------------------------- */

static bool ping(struct exam *exam) {
    char time[TOOK_TEXT];
    struct larder_request request = {.code = LARDER_DO_PING};
    if (!done(exam, &need_ping, &request, NULL))
        return false;
    tell(exam, OK, "ping", NULL, "%s, connecting included", took(exam, time));
    return true;
}

/* An epoch is never behind the clocks of those who raise it; one that is far ahead of this machine's
 * tells of a clock that is wrong, here or there.  Order does not suffer from it. */
static void epoch(struct exam *exam) {
    enum { TOLERATED_MS = 60000 };
    char time[TOOK_TEXT];
    const struct larder_answer *answer;
    struct larder_request request = {.code = LARDER_DO_EPOCH};
    if (ask(exam, exam->cli->store, &need_epoch, &request, &answer) == LARDER_OK) {
        const int64_t ahead_ms = answer->epoch - clock_wall_ms();
        if (ahead_ms > TOLERATED_MS)
            tell(exam, WARN, "epoch", "run NTP on every machine that uses the store",
                 "%" PRId64 " is %" PRId64 " s ahead of this machine's clock: one of the clocks is wrong",
                 answer->epoch, ahead_ms / 1000);
        else if (ahead_ms > 0)
            tell(exam, OK, "epoch", NULL, "%" PRId64 ", %" PRId64 " ms ahead of this machine's clock, %s",
                 answer->epoch, ahead_ms, took(exam, time));
        else
            tell(exam, OK, "epoch", NULL, "%" PRId64 ", not ahead of this machine's clock, %s", answer->epoch,
                 took(exam, time));
    }
    larder_answer_unref(answer);
}

static const struct larder_bytes own_tag = {(const uint8_t *)"larder-doctor", 13};

static void read_marks(struct exam *exam) {
    char time[TOOK_TEXT];
    struct larder_request request = {.code = LARDER_DO_READ_TAGS, .tags = &own_tag, .n_tags = 1};
    if (done(exam, &need_marks, &request, NULL))
        tell(exam, OK, "tags", NULL, "marks can be read, %s", took(exam, time));
}

/* ---- an entry of its own ------------------------------------------------------------------------------ */

enum { BODY_BYTES = 4096 };

/* One tag for all runs, so that there is one mark; a key for each, so that runs at one time do not meet. */
struct trial {
    char key[48];
    uint8_t body[BODY_BYTES];
    struct larder_part part;
    struct larder_entry entry;
};

static void trial_init(struct trial *trial, const struct larder_store *store) {
    uint64_t random = 0;
    if (getrandom(&random, sizeof random, 0) != (ssize_t)sizeof random)
        random = clock_ns();
    snprintf(trial->key, sizeof trial->key, "larder-doctor-%016" PRIx64, random);
    for (size_t i = 0; i < sizeof trial->body; i++)
        trial->body[i] = (uint8_t)(i * 131 >> 3);
    trial->part = (struct larder_part){.name = {(const uint8_t *)"body", 4},
                                       .data = {trial->body, sizeof trial->body}};
    trial->entry = (struct larder_entry){
        .kind = LARDER_FETCH,
        .key = {(const uint8_t *)trial->key, strlen(trial->key)},
        .n_parts = 1,
        .parts = &trial->part,
        .tags = &own_tag,
        .n_tags = 1,
        .epoch = cli_epoch_to_note(store),
        .modified_ms = clock_wall_ms(),
        .revalidate_ms = LARDER_UNSET,
        .expire_ms = 60000,
    };
}

static struct larder_request put_of(const struct trial *trial) {
    return (struct larder_request){.code = LARDER_DO_PUT, .entry = &trial->entry};
}

static struct larder_request about(const struct trial *trial, uint32_t code) {
    return (struct larder_request){.code = code, .kind = trial->entry.kind, .key = trial->entry.key};
}

static bool is_same(const struct larder_entry *found, const struct trial *trial) {
    return found && found->n_parts == 1 && found->parts[0].data.len == sizeof trial->body &&
           memcmp(found->parts[0].data.ptr, trial->body, sizeof trial->body) == 0;
}

enum seen { SEEN_FAILED, SEEN_SAME, SEEN_OTHER, SEEN_GONE, SEEN_NOTHING };

static enum seen look(struct exam *exam, struct larder_store *store, const struct trial *trial) {
    const struct larder_answer *answer;
    struct larder_request get = about(trial, LARDER_DO_GET);
    int32_t status = ask(exam, store, &need_get, &get, &answer);
    enum seen seen = SEEN_NOTHING;
    if (status < 0)
        seen = SEEN_FAILED;
    else if (status == LARDER_OK)
        seen = is_same(answer->entry, trial) ? SEEN_SAME : SEEN_OTHER;
    else if (answer->verdict == LARDER_GONE)
        seen = SEEN_GONE;
    larder_answer_unref(answer);
    return seen;
}

/* Another doctor's revalidation may fall between the put and the get: then it is put once more. */
static bool put_and_get(struct exam *exam, struct trial *trial) {
    enum { ATTEMPTS = 3 };
    char time[TOOK_TEXT];
    enum seen seen = SEEN_GONE;
    for (int i = 0; i < ATTEMPTS && seen == SEEN_GONE; i++) {
        struct larder_request put = put_of(trial);
        trial->entry.epoch = cli_epoch_to_note(exam->cli->store);
        if (!done(exam, &need_put, &put, NULL)) {
            look(exam, exam->cli->store, trial); /* whether that is refused as well */
            return false;
        }
        if (i == 0)
            tell(exam, OK, "put", NULL, "%d bytes, %s", BODY_BYTES, took(exam, time));
        seen = look(exam, exam->cli->store, trial);
    }
    if (seen == SEEN_SAME) {
        tell(exam, OK, "get", NULL, "the same bytes, %s", took(exam, time));
        return true;
    }
    if (seen != SEEN_FAILED)
        tell(exam, FAIL, "get", "try the driver with larder-conform, or find out who else writes there", "%s",
             seen == SEEN_OTHER  ? "other bytes than were put"
             : seen == SEEN_GONE ? "what was put is gone at once, three times"
                                 : "what was put is not there");
    return false;
}

static void list(struct exam *exam, const struct trial *trial, bool stored) {
    char time[TOOK_TEXT];
    const struct larder_answer *answer;
    struct larder_request request = about(trial, LARDER_DO_LIST);
    if (ask(exam, exam->cli->store, &need_list, &request, &answer) == LARDER_OK) {
        if (answer->n_keys == stored)
            tell(exam, OK, "list", NULL, "%s", took(exam, time));
        else
            tell(exam, WARN, "list", "try the driver with larder-conform",
                 "what was put is not in the list: larder ls and prune miss entries");
    }
    larder_answer_unref(answer);
}

/* False: it has entries of its own, and nothing more can be tried on it. */
static bool other_sees_entry(struct exam *exam, const struct trial *trial) {
    char time[TOOK_TEXT];
    enum seen seen = look(exam, exam->other, trial);
    if (seen == SEEN_SAME)
        tell(exam, OK, "second store", NULL, "has what the first one put, %s", took(exam, time));
    else if (seen != SEEN_FAILED)
        tell(exam, WARN, "second store",
             "use a driver that processes share (larder drivers), or run one process alone",
             "does not have what the first one put: each process has a cache of its own");
    return seen == SEEN_SAME;
}

static void is_gone_for(struct exam *exam, struct larder_store *store, const struct trial *trial,
                        const char *what, const char *who) {
    char time[TOOK_TEXT];
    enum seen seen = look(exam, store, trial);
    if (seen == SEEN_GONE)
        tell(exam, OK, what, NULL, "what carries the tag is gone for %s, %s", who, took(exam, time));
    else if (seen != SEEN_FAILED)
        tell(exam, FAIL, what,
             "use no replica or cache before the tag store; try the driver with larder-conform",
             "what carries the tag is still served to %s: old pages stay after revalidateTag()", who);
}

/* The order is the point: the mark is completed before either store looks. */
static void revalidate(struct exam *exam, const struct trial *trial, bool stored, bool shared) {
    char time[TOOK_TEXT];
    struct larder_request request = {.code = LARDER_DO_REVALIDATE, .tags = &own_tag, .n_tags = 1};
    if (!done(exam, &need_revalidate, &request, &exam->revalidations))
        return;
    tell(exam, OK, "revalidate", NULL, "%s", took(exam, time));
    if (stored)
        is_gone_for(exam, exam->cli->store, trial, "revalidated", "this process");
    if (shared)
        is_gone_for(exam, exam->other, trial, "revalidated", "another process");
}

/* Which builds run here, as they themselves noted.  What fails was told of the entry before. */
static void builds(struct exam *exam) {
    const struct larder_answer *answer;
    struct larder_request request = {.code = LARDER_DO_BUILDS, .deadline_ms = exam->cli->timeout_ms};
    int32_t status = larder_call(exam->cli->store, &request, &answer);
    if (status == LARDER_OK && answer->n_builds > 0) {
        const struct larder_build *now = &answer->builds[0];
        char id[65], tame[65], first[TIME_TEXT], seen[TIME_TEXT];
        snprintf(id, sizeof id, "%.*s", (int)(now->id.len < 64 ? now->id.len : 64),
                 (const char *)now->id.ptr);
        tell(exam, OK, "builds", NULL, "%zu recorded; the current one is %s, noted first %s and last %s",
             answer->n_builds, tame_text(id, tame, sizeof tame), time_text(now->first_ms, first),
             time_text(now->seen_ms, seen));
    } else if (status == LARDER_OK) {
        tell(exam, OK, "builds", NULL, "none is recorded: `larder seed` does it, and a process that serves");
    }
    larder_answer_unref(answer);
}

/* Goes on where something is refused: all that is refused is to be told at once. */
void doctor_store(struct exam *exam) {
    struct trial trial;
    char time[TOOK_TEXT];
    if (!ping(exam))
        return;
    epoch(exam);
    read_marks(exam);
    trial_init(&trial, exam->cli->store);
    const bool stored = put_and_get(exam, &trial);
    list(exam, &trial, stored);
    const bool shared = stored && other_sees_entry(exam, &trial);
    revalidate(exam, &trial, stored, shared);
    struct larder_request remove = about(&trial, LARDER_DO_REMOVE);
    if (done(exam, &need_remove, &remove, NULL))
        tell(exam, OK, "remove", NULL, "%s", took(exam, time));
    builds(exam);
}

/* ---- how long it takes ---------------------------------------------------------------------------------- */

static void compare(struct exam *exam, const char *what, const struct larder_histogram *times,
                    const char *setting, int64_t deadline_ms, const char *becomes) {
    const uint64_t p99_ns = larder_histogram_quantile(times, 0.99);
    char to_do[160], text[TIME_TEXT];
    if (times->count == 0 || deadline_ms == 0 || p99_ns <= (uint64_t)deadline_ms * 1000000 / 2)
        return;
    snprintf(to_do, sizeof to_do, "raise `%s`, or bring the store nearer: what takes longer is %s", setting,
             becomes);
    tell(exam, WARN, "deadlines", to_do, "the p99 of %s, %.0f ms, is above half of %s (%s)", what,
         (double)p99_ns / 1e6, setting, duration_text(deadline_ms, text));
}

void doctor_times(struct exam *exam) {
    struct trial trial;
    int64_t rounds = 20;
    if (exam->n_failed || cli_number(exam->cli, "rounds", LARDER_P_INT, 1, 10000, &rounds) != CODE_DONE)
        return;
    trial_init(&trial, exam->cli->store);
    bool good = true;
    for (int64_t i = 0; i < rounds && good; i++) {
        struct larder_request put = put_of(&trial), get = about(&trial, LARDER_DO_GET),
                              marks = {.code = LARDER_DO_READ_TAGS, .tags = &own_tag, .n_tags = 1};
        good = done(exam, &need_put, &put, &exam->puts) && done(exam, &need_get, &get, &exam->gets) &&
               done(exam, &need_marks, &marks, &exam->tags);
    }
    struct larder_request remove = about(&trial, LARDER_DO_REMOVE);
    done(exam, &need_remove, &remove, NULL);
    tell_times(exam, "times of get", &exam->gets);
    tell_times(exam, "times of put", &exam->puts);
    tell_times(exam, "times of tags", &exam->tags);
    compare(exam, "gets", &exam->gets, "get-deadline", exam->settings.get_deadline_ms, "a miss");
    compare(exam, "puts", &exam->puts, "write-deadline", exam->settings.write_deadline_ms, "not stored");
    compare(exam, "revalidations", &exam->revalidations, "write-deadline", exam->settings.write_deadline_ms,
            "reported as failed");
}

/* ---- what the layers below have seen meanwhile --------------------------------------------------------- */

void doctor_counters(struct exam *exam) {
    struct larder_metrics *metrics = larder_metrics(exam->cli->store);
    for (uint64_t i = 0; metrics && i < metrics->n_instances; i++) {
        const struct larder_instance_metrics *m = &metrics->instances[i];
        if (m->retry.retries > 0)
            tell(exam, WARN, "repeated", "look at the store's own log: it fails or throttles now and then",
                 "%" PRIu64 " calls of %s (%s) were sent again", m->retry.retries, m->driver, m->role);
        if (m->breaker.opened > 0)
            tell(exam, WARN, "breaker", "see the failures above", "it opened for %s (%s): %s", m->driver,
                 m->role, m->breaker.reason);
    }
    larder_metrics_free(metrics);
}
