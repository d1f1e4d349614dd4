/* Words for the numbers of the public headers. */
#include "bytes.h"
#include "larder/larder.h"

const char *larder_version(void) {
    return LARDER_VERSION;
}

const char *larder_status_name(int32_t status) {
    switch (status) {
    case LARDER_OK: return "ok";
    case LARDER_MISS: return "miss";
    case LARDER_RETRY: return "retry";
    case LARDER_THROTTLED: return "throttled";
    case LARDER_DEADLINE: return "deadline";
    case LARDER_CANCELLED: return "cancelled";
    case LARDER_TOO_BIG: return "too-big";
    case LARDER_DENIED: return "denied";
    case LARDER_INVALID: return "invalid";
    case LARDER_CORRUPT: return "corrupt";
    case LARDER_UNSUPPORTED: return "unsupported";
    case LARDER_NOMEM: return "out-of-memory";
    case LARDER_INTERNAL: return "internal";
    default: return "unknown";
    }
}

const char *larder_kind_name(uint32_t kind) {
    static const char *const names[LARDER_N_KINDS] = {
        [LARDER_PAGE] = "page",
        [LARDER_FETCH] = "fetch",
        [LARDER_IMAGE] = "image",
        [LARDER_USE_CACHE] = "use-cache",
    };
    return kind < N_ELEMENTS(names) ? names[kind] : NULL;
}

const char *larder_log_level_name(int32_t level) {
    static const char *const names[] = {
        [LARDER_LOG_ERROR] = "error",
        [LARDER_LOG_WARN] = "warn",
        [LARDER_LOG_INFO] = "info",
        [LARDER_LOG_DEBUG] = "debug",
    };
    return level >= 0 && (size_t)level < N_ELEMENTS(names) ? names[level] : NULL;
}

const char *larder_op_name(uint32_t code) {
    static const char *const names[LARDER_N_OPS] = {
        [LARDER_OP_GET] = "get",
        [LARDER_OP_PUT] = "put",
        [LARDER_OP_REMOVE] = "remove",
        [LARDER_OP_LIST] = "list",
        [LARDER_OP_CLAIM] = "claim",
        [LARDER_OP_RELEASE] = "release",
        [LARDER_OP_TAGS_READ] = "tags-read",
        [LARDER_OP_TAGS_WRITE] = "tags-write",
        [LARDER_OP_ADVANCE] = "advance",
        [LARDER_OP_BUMP] = "bump",
        [LARDER_OP_LINK] = "link",
        [LARDER_OP_KEYS_OF] = "keys-of",
        [LARDER_OP_TAGS_OF] = "tags-of",
        [LARDER_OP_LIST_MARKS] = "list-marks",
        [LARDER_OP_PING] = "ping",
        [LARDER_OP_PROVISION] = "provision",
        [LARDER_OP_EXPLAIN] = "explain",
    };
    return code < N_ELEMENTS(names) ? names[code] : NULL;
}

const char *larder_timed_name(uint32_t timed) {
    static const char *const names[LARDER_N_TIMED] = {
        [LARDER_TIMED_GET_MEMORY] = "get-memory",   [LARDER_TIMED_GET_STORE] = "get-store",
        [LARDER_TIMED_GET_NOTHING] = "get-nothing", [LARDER_TIMED_PUT] = "put",
        [LARDER_TIMED_REVALIDATE] = "revalidate",
    };
    return timed < N_ELEMENTS(names) ? names[timed] : NULL;
}

const char *larder_breaker_name(uint64_t state) {
    static const char *const names[] = {
        [LARDER_BREAKER_OFF] = "off",
        [LARDER_BREAKER_CLOSED] = "closed",
        [LARDER_BREAKER_OPEN] = "open",
        [LARDER_BREAKER_HALF_OPEN] = "half-open",
    };
    return state < N_ELEMENTS(names) ? names[state] : NULL;
}
