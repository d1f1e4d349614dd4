#include "aws_credentials.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aws_source.h"

/* Replaced in time: five to six minutes before the end, so that not all processes ask at once; of keys
 * that live for less than that, in the middle of their life. */
enum { LEAD_MS = 300000, JITTER_MS = 60000, AGAIN_MS = 10000 };
/* An attempt for which nobody's deadline counts; longer than any of its steps. */
static const uint64_t LONGEST_NS = UINT64_C(90000000000);
/* A failure answers whoever comes within this; refused keys are replaced not more often than that. */
static const uint64_t FAILED_NS = UINT64_C(1000000000), REFUSED_NS = UINT64_C(5000000000);

struct aws_credentials {
    const struct larder_host *host;
    struct larder_home *home;
    const struct aws_settings *settings;
    const struct aws_environment *environment;

    struct aws_plan plan;
    char *region; /* of the plan, or else what the metadata service says */
    struct aws_keys keys;
    uint64_t generation; /* of keys; 0: there never were any */
    int64_t refresh_ms;  /* INT64_MAX: not needed */

    bool busy;
    struct aws_source source;
    struct aws_plan next_plan; /* of the attempt */
    struct aws_keys step_keys; /* of the last role of it */
    size_t roles_left;
    struct aws_endpoint sts;
    char *config_path, *credentials_path;

    uint64_t failed_ns, refused_ns; /* 0: never */
    int32_t failure;
    char detail[LARDER_ERROR_SIZE];
    struct aws_waiter *first, *last;
};

/* ---- who waits --------------------------------------------------------------------------------------------- */

static void wait_for(struct aws_credentials *c, struct aws_waiter *w) {
    w->prev = c->last;
    w->next = NULL;
    w->waits = true;
    *(c->last ? &c->last->next : &c->first) = w;
    c->last = w;
}

void aws_credentials_leave(struct aws_credentials *c, struct aws_waiter *w) {
    if (!w->waits)
        return;
    *(w->prev ? &w->prev->next : &c->first) = w->next;
    *(w->next ? &w->next->prev : &c->last) = w->prev;
    w->waits = false;
}

/* Those who wait now, and not those who come while they are told. */
static void tell(struct aws_credentials *c) {
    const struct aws_waiter *last = c->last;
    for (struct aws_waiter *w = c->first; w; w = c->first) {
        const bool was_last = w == last;
        aws_credentials_leave(c, w);
        w->ready(w->arg);
        if (was_last)
            break;
    }
}

/* ---- the end of an attempt ----------------------------------------------------------------------------------- */

static void attempt_done(struct aws_credentials *c) {
    aws_source_stop(&c->source);
    aws_keys_done(&c->step_keys);
    aws_plan_done(&c->next_plan);
    aws_endpoint_done(&c->sts);
    free(c->config_path);
    free(c->credentials_path);
    c->config_path = c->credentials_path = NULL;
    c->busy = false;
}

/* Keys that are good for some time yet are kept; somebody else's trouble may pass. */
static void fail(struct aws_credentials *c, int32_t status, const char *detail) {
    char line[LARDER_ERROR_SIZE + 48];
    c->failure = status;
    c->failed_ns = c->host->now_ns();
    aws_one_line(c->detail, sizeof(c->detail), aws_bytes(detail));
    if (c->keys.id) {
        c->refresh_ms = c->source.now_ms + AGAIN_MS;
        snprintf(line, sizeof(line), "keys are not yet replaced: %s", c->detail);
        c->host->log(c->home, LARDER_LOG_WARN, line);
    }
    attempt_done(c);
    tell(c);
}

static void succeed(struct aws_credentials *c) {
    const int64_t life_ms = c->step_keys.expire_ms ? c->step_keys.expire_ms - c->source.now_ms : 0;
    const int64_t jitter_ms = (int64_t)(c->host->now_ns() / 1000 % JITTER_MS);
    const int64_t lead_ms = life_ms / 2 < LEAD_MS + jitter_ms ? life_ms / 2 : LEAD_MS + jitter_ms;
    free(c->region);
    c->region = c->next_plan.region ? c->next_plan.region : c->source.region;
    *(c->next_plan.region ? &c->next_plan.region : &c->source.region) = NULL;
    c->refresh_ms = c->step_keys.expire_ms ? c->step_keys.expire_ms - lead_ms : INT64_MAX;
    aws_keys_move(&c->keys, &c->step_keys);
    aws_plan_done(&c->plan);
    c->plan = c->next_plan;
    c->next_plan = (struct aws_plan){0};
    c->generation++;
    c->failed_ns = 0;
    attempt_done(c);
    tell(c);
}

/* ---- an attempt: the files, the base, role by role -------------------------------------------------------------- */

static void on_step(void *arg, int32_t status, struct aws_keys *keys, const char *detail);

static void next_role(struct aws_credentials *c) {
    if (c->roles_left == 0) {
        succeed(c);
        return;
    }
    const struct aws_role *role = &c->next_plan.roles[--c->roles_left];
    const int32_t status = aws_assume_role_begin(&c->source, role, &c->step_keys);
    if (status != LARDER_OK)
        fail(c, status, "the request to STS cannot be made");
}

static void on_step(void *arg, int32_t status, struct aws_keys *keys, const char *detail) {
    struct aws_credentials *c = arg;
    if (status != LARDER_OK) {
        fail(c, status, detail);
        return;
    }
    aws_keys_move(&c->step_keys, keys);
    if (c->step_keys.expire_ms && c->step_keys.expire_ms <= c->source.now_ms)
        fail(c, LARDER_RETRY, "the credentials that came have expired already");
    else
        next_role(c);
}

static bool begins_base(struct aws_credentials *c, int32_t *ret_status) {
    struct aws_keys *keys = &c->next_plan.keys;
    switch (c->next_plan.base) {
    case AWS_BASE_KEYS: aws_keys_move(&c->step_keys, keys); return false;
    case AWS_BASE_WEB_IDENTITY: *ret_status = aws_web_identity_begin(&c->source); break;
    case AWS_BASE_PROCESS: *ret_status = aws_process_begin(&c->source); break;
    case AWS_BASE_CONTAINER: *ret_status = aws_container_begin(&c->source); break;
    case AWS_BASE_IMDS: *ret_status = aws_imds_begin(&c->source); break;
    }
    return true;
}

static void on_files(void *owner, struct aws_job *job) {
    struct aws_credentials *c = owner;
    const struct aws_file *files = ((struct aws_files *)job)->files;
    struct aws_profiles profiles = {0};
    char error[LARDER_ERROR_SIZE] = "out of memory";
    int32_t status = LARDER_NOMEM;
    c->source.job = NULL;
    if (aws_profiles_add(
            &profiles, (struct larder_bytes){(const uint8_t *)files[0].text.ptr, files[0].text.len}, false) &&
        aws_profiles_add(&profiles,
                         (struct larder_bytes){(const uint8_t *)files[1].text.ptr, files[1].text.len}, true))
        status = aws_plan_make(&c->next_plan, c->settings, c->environment, &profiles, error);
    aws_profiles_done(&profiles);
    if (status == LARDER_OK)
        status = aws_plan_endpoint(&c->next_plan, c->next_plan.region, NULL, c->environment, "sts", &c->sts,
                                   &c->source.sts_region, error);
    if (status == LARDER_OK) {
        c->roles_left = c->next_plan.n_roles;
        if (!begins_base(c, &status)) {
            next_role(c);
            return;
        }
        snprintf(error, sizeof(error), "credentials from %.100s: out of memory", c->next_plan.what);
    }
    if (status != LARDER_OK)
        fail(c, status, error);
}

static bool path_of(char **ret, const struct aws_environment *env, enum aws_variable variable,
                    const char *in_home) {
    const char *set = aws_variable(env, variable), *home = aws_variable(env, AWS_VAR_HOME);
    struct aws_text path = {0};
    aws_text_adds(&path, set ? set : aws_or_empty(home));
    if (!set)
        aws_text_adds(&path, in_home);
    const bool ok = !path.failed && aws_copy(ret, path.ptr);
    aws_text_done(&path);
    return ok;
}

static int32_t begin(struct aws_credentials *c, int64_t now_ms) {
    c->source = (struct aws_source){.host = c->host,
                                    .home = c->home,
                                    .http = c->source.http,
                                    .environment = c->environment,
                                    .plan = &c->next_plan,
                                    .sts = &c->sts,
                                    .now_ms = now_ms,
                                    .deadline_ns = c->host->now_ns() + LONGEST_NS,
                                    .region = c->source.region,
                                    .done = on_step,
                                    .arg = c};
    int32_t status = LARDER_NOMEM;
    if (path_of(&c->credentials_path, c->environment, AWS_VAR_CREDENTIALS_FILE, "/.aws/credentials") &&
        path_of(&c->config_path, c->environment, AWS_VAR_CONFIG_FILE, "/.aws/config")) {
        const char *const paths[] = {c->credentials_path, c->config_path};
        status = aws_files_read(c->host, c->home, paths, 2, on_files, c, &c->source.job);
    }
    c->busy = status == LARDER_OK;
    if (!c->busy)
        attempt_done(c);
    return status;
}

/* ---- for the client ------------------------------------------------------------------------------------------- */

int32_t aws_credentials_get(struct aws_credentials *c, int64_t now_ms, struct aws_waiter *waiter,
                            struct aws_identity *ret_identity, const char **ret_detail) {
    const bool good = c->keys.id && (!c->keys.expire_ms || now_ms < c->keys.expire_ms);
    const bool failed = c->failed_ns && c->host->now_ns() - c->failed_ns < FAILED_NS;
    if (!c->busy && !(failed && !good) && (!good || now_ms >= c->refresh_ms)) {
        const int32_t status = begin(c, now_ms);
        *ret_detail = "out of memory";
        if (status != LARDER_OK && !good)
            return status;
    }
    if (good) {
        *ret_identity = (struct aws_identity){&c->keys, c->generation, &c->plan, c->region};
        return LARDER_OK;
    }
    if (c->busy) {
        wait_for(c, waiter);
        return LARDER_MISS;
    }
    *ret_detail = c->detail;
    return c->failure;
}

bool aws_credentials_refused(struct aws_credentials *c, uint64_t generation) {
    const uint64_t now_ns = c->host->now_ns();
    if (generation != c->generation)
        return true; /* there are others already */
    if (c->refused_ns && now_ns - c->refused_ns < REFUSED_NS)
        return false;
    c->refused_ns = now_ns;
    c->failed_ns = 0;
    aws_keys_done(&c->keys);
    return true;
}

struct aws_credentials *aws_credentials_new(const struct larder_host *host, struct larder_home *home,
                                            struct aws_http *http, const struct aws_settings *settings,
                                            const struct aws_environment *environment) {
    struct aws_credentials *c = calloc(1, sizeof(*c));
    if (c)
        *c = (struct aws_credentials){.host = host,
                                      .home = home,
                                      .settings = settings,
                                      .environment = environment,
                                      .source = {.http = http}};
    return c;
}

void aws_credentials_free(struct aws_credentials *c) {
    if (!c)
        return;
    attempt_done(c);
    aws_wipe(&c->source.region);
    free(c->region);
    aws_keys_done(&c->keys);
    aws_plan_done(&c->plan);
    free(c);
}
