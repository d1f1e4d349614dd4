#include "failing.h"

#include "log.h"
#include "request.h"

static const uint64_t QUIET_NS = 60000000000u; /* between the beginnings that are told */
static const uint64_t MS = 1000000u;

static int sort_of(uint32_t code) {
    switch (code) {
    case LARDER_DO_GET: return FAILING_READS;
    case LARDER_DO_PUT:
    case LARDER_DO_REMOVE: return FAILING_WRITES;
    case LARDER_DO_REVALIDATE: return FAILING_REVALIDATIONS;
    default: return N_FAILING; /* of tools, which say themselves what fails */
    }
}

static const char *const names[N_FAILING] = {"reading", "writing", "revalidating"};

static const char *effect_of(const struct request *r, int sort) {
    static const char *const effects[N_FAILING] = {"; entries are misses", "; entries are rendered again",
                                                   ""};
    return sort == FAILING_REVALIDATIONS && (r->in.flags & LARDER_F_KEEP_TRYING)
               ? "; it is tried again until it succeeds, and until then other processes may serve old entries"
               : effects[sort];
}

static const char *why(const struct request *r, int32_t status) {
    return r->detail[0] != '\0' ? r->detail : larder_status_name(status);
}

static bool is_open(const struct stack *stack) {
    uint64_t state = __atomic_load_n(&stack->breaker.m.state, __ATOMIC_RELAXED);
    return state == LARDER_BREAKER_OPEN || state == LARDER_BREAKER_HALF_OPEN;
}

/* An open breaker has said what is wrong. */
static bool is_worth_telling(const struct failing *failing, const struct larder_store *store,
                             uint64_t now_ns) {
    bool lately = failing->told_ns != 0 && now_ns - failing->told_ns < QUIET_NS;
    return !lately && !is_open(&store->cache) && !is_open(&store->tags);
}

static void fail(struct failing *failing, const struct request *r, int sort, int32_t status) {
    uint64_t now_ns = reactor_now_ns(r->store->reactor);
    failing->failed++;
    if (failing->since_ns != 0)
        return;
    failing->since_ns = now_ns;
    failing->told = is_worth_telling(failing, r->store, now_ns);
    if (!failing->told)
        return;
    failing->told_ns = now_ns;
    log_line(LARDER_LOG_WARN, "%s fails (%s)%s", names[sort], why(r, status), effect_of(r, sort));
}

static void succeed(struct failing *failing, const struct request *r, int sort) {
    uint64_t ms = (reactor_now_ns(r->store->reactor) - failing->since_ns) / MS;
    if (failing->told)
        log_line(LARDER_LOG_WARN, "%s works again after %llu ms (%llu failed)", names[sort],
                 (unsigned long long)ms, (unsigned long long)failing->failed);
    failing->since_ns = failing->failed = 0;
}

void failing_note(const struct request *r, int32_t status) {
    int sort = sort_of(r->in.code);
    if (sort == N_FAILING)
        return;
    struct failing *failing = &r->store->failing[sort];
    if (r->in_outage && status >= 0) /* by what this process knows, which tells nothing of the store */
        return;
    if (status >= 0) {
        if (failing->since_ns != 0)
            succeed(failing, r, sort);
    } else if (!journal_may_cure(status)) { /* this request alone: the store is well */
        log_line(LARDER_LOG_WARN, "%s is refused (%s); it is not tried again", names[sort], why(r, status));
    } else {
        fail(failing, r, sort, status);
    }
}
