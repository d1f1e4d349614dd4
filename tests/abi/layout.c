/*
 * The layout of larder/driver.h, ABI 1, in numbers: what drivers that are already built rely on.
 * Nothing is run; it compiles, or the layout has changed.
 *
 * A struct whose first member is `size` may grow at its end: then the new member gets its line
 * here, and END its new size.  No other number in this file may ever change without a new
 * LARDER_ABI.  Compiled as C11, with -fshort-enums and -funsigned-char, and as C++.
 */
#include "larder/driver.h"

#ifdef __cplusplus
#define HOLDS(condition, text) static_assert(condition, text)
#else
#define HOLDS(condition, text) _Static_assert(condition, text)
#endif

#define AT(type, member, offset, bytes)                                        \
    HOLDS(offsetof(type, member) == (offset), #type "." #member " has moved"); \
    HOLDS(sizeof(((type *)0)->member) == (bytes), #type "." #member " has another size")
/* Members fill a struct without gaps, so a new one shows in its size. */
#define END(type, bytes) HOLDS(sizeof(type) == (bytes), #type " has another size")
#define IS(constant, number) HOLDS((constant) == (number), #constant " has another value")

HOLDS(sizeof(void *) == 8 && sizeof(size_t) == 8 && sizeof(long) == 8, "64-bit platforms only");

AT(struct larder_bytes, ptr, 0, 8);
AT(struct larder_bytes, len, 8, 8);
END(struct larder_bytes, 16);

AT(struct larder_slice, ptr, 0, 8);
AT(struct larder_slice, len, 8, 8);
AT(struct larder_slice, owner, 16, 8);
END(struct larder_slice, 24);

AT(struct larder_mark, tag, 0, 16);
AT(struct larder_mark, expired_epoch, 16, 8);
AT(struct larder_mark, stale_epoch, 24, 8);
AT(struct larder_mark, expire_at_ms, 32, 8);
END(struct larder_mark, 40);

AT(struct larder_op, size, 0, 4);
AT(struct larder_op, code, 4, 4);
AT(struct larder_op, id, 8, 8);
AT(struct larder_op, deadline_ns, 16, 8);
AT(struct larder_op, now_ms, 24, 8);
AT(struct larder_op, flags, 32, 4);
AT(struct larder_op, lane, 36, 4);
AT(struct larder_op, scratch, 40, 32);
AT(struct larder_op, key, 72, 16);
AT(struct larder_op, value, 88, 24);
AT(struct larder_op, modified_ms, 112, 8);
AT(struct larder_op, epoch, 120, 8);
AT(struct larder_op, add, 128, 8);
AT(struct larder_op, ttl_ms, 136, 8);
AT(struct larder_op, marks, 144, 8);
AT(struct larder_op, n_marks, 152, 8);
AT(struct larder_op, cursor, 160, 16);
AT(struct larder_op, limit, 176, 8);
END(struct larder_op, 184);

AT(struct larder_result, size, 0, 4);
AT(struct larder_result, status, 4, 4);
AT(struct larder_result, value, 8, 24);
AT(struct larder_result, modified_ms, 32, 8);
AT(struct larder_result, epoch, 40, 8);
AT(struct larder_result, cursor, 48, 24);
AT(struct larder_result, retry_after_ms, 72, 4);
AT(struct larder_result, native_code, 76, 4);
AT(struct larder_result, detail, 80, 8);
END(struct larder_result, 88);

AT(struct larder_cache_ops, size, 0, 8);
AT(struct larder_cache_ops, get, 8, 8);
AT(struct larder_cache_ops, put, 16, 8);
AT(struct larder_cache_ops, remove, 24, 8);
AT(struct larder_cache_ops, list, 32, 8);
AT(struct larder_cache_ops, claim, 40, 8);
AT(struct larder_cache_ops, release, 48, 8);
END(struct larder_cache_ops, 56);

AT(struct larder_tag_ops, size, 0, 8);
AT(struct larder_tag_ops, read, 8, 8);
AT(struct larder_tag_ops, write, 16, 8);
AT(struct larder_tag_ops, advance, 24, 8);
AT(struct larder_tag_ops, bump, 32, 8);
AT(struct larder_tag_ops, link, 40, 8);
AT(struct larder_tag_ops, keys_of, 48, 8);
AT(struct larder_tag_ops, tags_of, 56, 8);
AT(struct larder_tag_ops, list_marks, 64, 8);
END(struct larder_tag_ops, 72);

AT(struct larder_host, size, 0, 4);
AT(struct larder_host, abi, 4, 4);
AT(struct larder_host, complete, 8, 8);
AT(struct larder_host, emit_mark, 16, 8);
AT(struct larder_host, emit_key, 24, 8);
AT(struct larder_host, emit_text, 32, 8);
AT(struct larder_host, mark_seen, 40, 8);
AT(struct larder_host, buf_new, 48, 8);
AT(struct larder_host, buf_wrap, 56, 8);
AT(struct larder_host, buf_ref, 64, 8);
AT(struct larder_host, buf_unref, 72, 8);
AT(struct larder_host, now_ns, 80, 8);
AT(struct larder_host, log, 88, 8);
AT(struct larder_host, watch, 96, 8);
AT(struct larder_host, rewatch, 104, 8);
AT(struct larder_host, unwatch, 112, 8);
AT(struct larder_host, timer, 120, 8);
AT(struct larder_host, timer_set, 128, 8);
AT(struct larder_host, timer_free, 136, 8);
AT(struct larder_host, post, 144, 8);
AT(struct larder_host, offload, 152, 8);
END(struct larder_host, 160);

AT(struct larder_info, size, 0, 4);
AT(struct larder_info, traits, 4, 4);
AT(struct larder_info, max_key, 8, 8);
AT(struct larder_info, max_value, 16, 8);
AT(struct larder_info, max_marks, 24, 4);
AT(struct larder_info, max_inflight, 28, 4);
AT(struct larder_info, lanes, 32, 4);
AT(struct larder_info, key_bytes, 36, 4);
AT(struct larder_info, max_attempts, 40, 4);
AT(struct larder_info, unused, 44, 4);
END(struct larder_info, 48);

AT(struct larder_param, name, 0, 8);
AT(struct larder_param, type, 8, 4);
AT(struct larder_param, offset, 12, 4);
AT(struct larder_param, preset, 16, 8);
AT(struct larder_param, min, 24, 8);
AT(struct larder_param, max, 32, 8);
AT(struct larder_param, choices, 40, 8);
AT(struct larder_param, env, 48, 8);
AT(struct larder_param, help, 56, 8);
END(struct larder_param, 64);

AT(struct larder_driver, size, 0, 4);
AT(struct larder_driver, abi, 4, 4);
AT(struct larder_driver, needs, 8, 8);
AT(struct larder_driver, name, 16, 8);
AT(struct larder_driver, schemes, 24, 8);
AT(struct larder_driver, version, 32, 8);
AT(struct larder_driver, summary, 40, 8);
AT(struct larder_driver, params, 48, 8);
AT(struct larder_driver, n_params, 56, 8);
AT(struct larder_driver, param_size, 64, 8);
AT(struct larder_driver, config_size, 72, 8);
AT(struct larder_driver, cache, 80, 8);
AT(struct larder_driver, tags, 88, 8);
AT(struct larder_driver, open, 96, 8);
AT(struct larder_driver, close, 104, 8);
AT(struct larder_driver, ping, 112, 8);
AT(struct larder_driver, provision, 120, 8);
AT(struct larder_driver, explain, 128, 8);
AT(struct larder_driver, cancel, 136, 8);
AT(struct larder_driver, flush, 144, 8);
END(struct larder_driver, 152);

IS(LARDER_OK, 0);
IS(LARDER_MISS, 1);
IS(LARDER_RETRY, -1);
IS(LARDER_THROTTLED, -2);
IS(LARDER_DEADLINE, -3);
IS(LARDER_CANCELLED, -4);
IS(LARDER_TOO_BIG, -5);
IS(LARDER_DENIED, -6);
IS(LARDER_INVALID, -7);
IS(LARDER_CORRUPT, -8);
IS(LARDER_UNSUPPORTED, -9);
IS(LARDER_NOMEM, -10);
IS(LARDER_INTERNAL, -11);

IS(LARDER_IF_ABSENT, 1);
IS(LARDER_DRY_RUN, 2);

IS(LARDER_OP_GET, 1);
IS(LARDER_OP_PUT, 2);
IS(LARDER_OP_REMOVE, 3);
IS(LARDER_OP_LIST, 4);
IS(LARDER_OP_CLAIM, 5);
IS(LARDER_OP_RELEASE, 6);
IS(LARDER_OP_TAGS_READ, 7);
IS(LARDER_OP_TAGS_WRITE, 8);
IS(LARDER_OP_ADVANCE, 9);
IS(LARDER_OP_BUMP, 10);
IS(LARDER_OP_LINK, 11);
IS(LARDER_OP_KEYS_OF, 12);
IS(LARDER_OP_TAGS_OF, 13);
IS(LARDER_OP_LIST_MARKS, 14);
IS(LARDER_OP_PING, 15);
IS(LARDER_OP_PROVISION, 16);
IS(LARDER_OP_EXPLAIN, 17);

IS(LARDER_READ, 1);
IS(LARDER_WRITE, 2);

IS(LARDER_LOG_ERROR, 0);
IS(LARDER_LOG_WARN, 1);
IS(LARDER_LOG_INFO, 2);
IS(LARDER_LOG_DEBUG, 3);

IS(LARDER_BLOCKING, 1);
IS(LARDER_SHARED, 2);
IS(LARDER_PERSISTENT, 4);
IS(LARDER_TTL, 8);
IS(LARDER_NEWEST, 16);
IS(LARDER_LOSSY, 32);
IS(LARDER_DURABLE, 64);
IS(LARDER_LOCAL, 128);

IS(LARDER_P_TEXT, 1);
IS(LARDER_P_SECRET, 2);
IS(LARDER_P_BOOL, 3);
IS(LARDER_P_INT, 4);
IS(LARDER_P_BYTES, 5);
IS(LARDER_P_MS, 6);

IS(LARDER_ABI, 1);
IS(LARDER_UNSET, INT64_MIN);
IS(LARDER_NEW_EPOCH, INT64_MAX);
IS(LARDER_ERROR_SIZE, 256);
