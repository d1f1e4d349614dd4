/*
 * The scripts.  They are written for Redis 4 to 8, Valkey, and what speaks the same: no functions but those of Lua
 * 5.1, no number that a double cannot hold (numbers are compared as bytes, see key.h), all keys in KEYS.
 * The theme `marks` of the suite compares them with larder/merge.h over every mark of a small domain.
 */
#include "script.h"

#include <openssl/evp.h>
#include <string.h>

#define LESS                                                                       \
    "local function less(a, b) for i = 1, 8 do local x, y = a:byte(i), b:byte(i) " \
    "if x ~= y then return x < y end end return false end\n"
#define UNSET "local U = string.rep('\\0', 8)\n"
/* Whether a time has come. */
#define OVER "local function over(at, now) return at ~= U and not less(now, at) end\n"

/* KEYS: entry.  ARGV: head and value, now, 1: only if absent, milliseconds to keep it.
 * 1: stored, or a newer one is there; 0: one is there, and that was what was asked. */
#define MAY_PUT                                                                                 \
    "local function may_put(old, epoch, now, absent)\n"                                         \
    "if #old < 32 or old:sub(1, 4) ~= 'Ldr1' or over(old:sub(25, 32), now) then return 2 end\n" \
    "if absent == '1' then return 0 end\n"                                                      \
    "if less(epoch, old:sub(17, 24)) then return 1 end\n"                                       \
    "return 2 end\n"

static const char put[] = LESS UNSET OVER MAY_PUT
    "local may = may_put(redis.call('GETRANGE', KEYS[1], 0, 31), ARGV[1]:sub(17, 24), ARGV[2], ARGV[3])\n"
    "if may ~= 2 then return may end\n"
    "if ARGV[4] == '0' then redis.call('SET', KEYS[1], ARGV[1])\n"
    "else redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[4]) end\n"
    "return 1";

/* KEYS: entry, staged.  ARGV: epoch, now, 1: only if absent, milliseconds to keep it. */
static const char place[] = LESS UNSET OVER MAY_PUT
    "if redis.call('EXISTS', KEYS[2]) == 0 then return -1 end\n"
    "local may = may_put(redis.call('GETRANGE', KEYS[1], 0, 31), ARGV[1], ARGV[2], ARGV[3])\n"
    "if may ~= 2 then redis.call('DEL', KEYS[2]) return may end\n"
    "redis.call('RENAME', KEYS[2], KEYS[1])\n"
    "if ARGV[4] == '0' then redis.call('PERSIST', KEYS[1]) "
    "else redis.call('PEXPIRE', KEYS[1], ARGV[4]) end\n"
    "return 1";

/* KEYS: claim.  ARGV: when it is over, owner, now, milliseconds to keep it. */
static const char claim[] = LESS UNSET OVER
    "local old = redis.call('GET', KEYS[1])\n"
    "if old and #old >= 8 and not over(old:sub(1, 8), ARGV[3]) and old:sub(9) ~= ARGV[2] then return 0 end\n"
    "if ARGV[4] == '0' then redis.call('SET', KEYS[1], ARGV[1] .. ARGV[2])\n"
    "else redis.call('SET', KEYS[1], ARGV[1] .. ARGV[2], 'PX', ARGV[4]) end\n"
    "return 1";

/* KEYS: claim.  ARGV: owner. */
static const char release[] = "local old = redis.call('GET', KEYS[1])\n"
                              "if old and old:sub(9) == ARGV[1] then redis.call('DEL', KEYS[1]) end\n"
                              "return 1";

/* The rule of larder/merge.h.  A mark is stored as expired, stale, expire_at, and when it was written. */
#define MERGE                                                                                   \
    "local function max(a, b) if less(a, b) then return b end return a end\n"                   \
    "local function sooner(a, b) if a == U then return b end "                                  \
    "if b == U or less(a, b) then return a end return b end\n"                                  \
    "local function settled(m, now) local e, s, x = m:sub(1, 8), m:sub(9, 16), m:sub(17, 24)\n" \
    "if s == U then x = U end\n"                                                                \
    "if over(x, now) then e, s, x = max(e, s), U, U end\n"                                      \
    "return e, s, x end\n"                                                                      \
    "local function merged(old, add, now)\n"                                                    \
    "local e, s, x = settled(add, now)\n"                                                       \
    "local f, t, y = settled(old, now)\n"                                                       \
    "return max(f, e) .. max(t, s) .. sooner(y, x) end\n"                                       \
    "local function put(key, field, old, add, now)\n"                                           \
    "if old and #old >= 24 then add = merged(old, add, now) end\n"                              \
    "redis.call('HSET', key, field, add .. now) end\n"

/* A counter is in the hash and in two keys beside it: the greatest counts. */
#define COUNTER                                                       \
    "local function counter(field)\n"                                 \
    "local n = redis.call('HGET', KEYS[1], field)\n"                  \
    "for i = 2, 3 do local m = redis.call('GET', KEYS[i])\n"          \
    "if m and #m == 8 and (not n or less(n, m)) then n = m end end\n" \
    "return n end\n"
#define COUNT                                 \
    "local function count(field, n)\n"        \
    "redis.call('HSET', KEYS[1], field, n)\n" \
    "redis.call('SET', KEYS[2], n)\n"         \
    "redis.call('SET', KEYS[3], n)\n"         \
    "return n end\n"
/* max(stored + 1, now); the greatest number stays the greatest but one, for the greatest means something. */
#define RAISE                                                                                         \
    "local function raise(field, now)\n"                                                              \
    "local b = {(counter(field) or '\\128' .. string.rep('\\0', 7)):byte(1, 8)}\n"                    \
    "for i = 8, 1, -1 do if b[i] < 255 then b[i] = b[i] + 1 break end b[i] = 0 end\n"                 \
    "local new = string.char(unpack(b))\n"                                                            \
    "if new == string.rep('\\255', 8) or new == U then new = string.rep('\\255', 7) .. '\\254' end\n" \
    "return count(field, max(new, now)) end\n"

/* KEYS: the hash, and the other two of the counter, where ARGV[3] names one.  ARGV: now, 1: only if absent, the
 * counter's field, the field of the namespace's mark, then for each mark its field and itself.
 * 1: all written; 0: one was there.
 * The mark of the namespace tells that none was lost.  So where it is not there it is not made with less than the
 * counter says: this call may be older than what was lost. */
static const char merge[] = LESS UNSET OVER MERGE COUNTER
    "local all = 1\n"
    "for i = 5, #ARGV, 2 do\n"
    "local old = redis.call('HGET', KEYS[1], ARGV[i])\n"
    "if old and ARGV[2] == '1' then all = 0 else\n"
    "if not old and ARGV[i] == ARGV[4] and ARGV[3] ~= '' then\n"
    "local least = counter(ARGV[3])\n"
    "if least then old = least .. U .. U end\n"
    "end\n"
    "put(KEYS[1], ARGV[i], old, ARGV[i + 1], ARGV[1])\n"
    "end end\n"
    "return all";

/* KEYS: the counter's three, then the hashes of marks that are in others.  ARGV: now, the counter's field, then for
 * each mark the number of its hash, its field, and itself. */
static const char bump[] = LESS UNSET OVER MERGE COUNTER COUNT RAISE
    "local new, last = raise(ARGV[2], ARGV[1]), string.rep('\\255', 8)\n"
    "for i = 3, #ARGV, 3 do\n"
    "local m = ARGV[i + 2]\n"
    "local e, s = m:sub(1, 8), m:sub(9, 16)\n"
    "if e == last then e = new end\n"
    "if s == last then s = new end\n"
    "local key = KEYS[tonumber(ARGV[i])]\n"
    "put(key, ARGV[i + 1], redis.call('HGET', key, ARGV[i + 1]), e .. s .. m:sub(17, 24), ARGV[1])\n"
    "end\n"
    "return new";

/* KEYS: the counter's three.  ARGV: now, field, 1: raise. */
static const char advance[] = LESS UNSET OVER MERGE COUNTER COUNT RAISE
    "if ARGV[3] == '1' then return raise(ARGV[2], ARGV[1]) end\n"
    "return count(ARGV[2], counter(ARGV[2]) or max('\\128' .. string.rep('\\0', 7), ARGV[1]))";

static const struct {
    const char *text;
    size_t len;
} scripts[RDS_SCRIPTS] = {
    [RDS_PUT] = {put, sizeof(put) - 1},
    [RDS_PLACE] = {place, sizeof(place) - 1},
    [RDS_TAKE] = {claim, sizeof(claim) - 1},
    [RDS_GIVE] = {release, sizeof(release) - 1},
    [RDS_MERGE] = {merge, sizeof(merge) - 1},
    [RDS_BUMP] = {bump, sizeof(bump) - 1},
    [RDS_ADVANCE] = {advance, sizeof(advance) - 1},
};

bool rds_script_shas(struct rds_script_sha ret[RDS_SCRIPTS]) {
    static const char digits[] = "0123456789abcdef";
    for (int i = 0; i < RDS_SCRIPTS; i++) {
        uint8_t sha[EVP_MAX_MD_SIZE];
        unsigned len = 0;
        if (EVP_Digest(scripts[i].text, scripts[i].len, sha, &len, EVP_sha1(), NULL) != 1 || len != 20)
            return false;
        for (unsigned j = 0; j < len; j++) {
            ret[i].hex[2 * j] = digits[sha[j] >> 4];
            ret[i].hex[2 * j + 1] = digits[sha[j] & 15];
        }
        ret[i].hex[40] = '\0';
    }
    return true;
}

void rds_script_begin(struct rds_out *out, const struct rds_script_sha *shas, const struct rds_request *r,
                      enum rds_script which, size_t n_keys, size_t n_args) {
    const bool whole = (r->flags & RDS_EVAL) != 0;
    rds_command(out, whole ? "EVAL" : "EVALSHA", 3 + n_keys + n_args);
    if (whole)
        rds_arg(out, (struct larder_bytes){(const uint8_t *)scripts[which].text, scripts[which].len});
    else
        rds_arg(out, (struct larder_bytes){(const uint8_t *)shas[which].hex, 40});
    rds_arg_number(out, (int64_t)n_keys);
}
