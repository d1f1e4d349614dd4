#include "squeeze.h"

#include <endian.h>
#include <pthread.h>
#include <stdlib.h>
#include <zstd.h>

#include "buf.h"
#include "bytes.h"

enum { METHOD_RAW = 1, METHOD_ZSTD = 2 };
enum { KEEP_CONTEXTS = 4 }; /* the offload pool's threads, and the reactor's */

static const uint8_t magic[4] = {0xC1, 'L', 'D', 'Z'};

struct squeezer {
    pthread_mutex_t lock;
    int level;
    uint32_t n_compress, n_expand;
    ZSTD_CCtx *compress[KEEP_CONTEXTS];
    ZSTD_DCtx *expand[KEEP_CONTEXTS];
};

struct squeezer *squeezer_new(int level) {
    struct squeezer *s = calloc(1, sizeof(*s));

    if (s == NULL)
        return NULL;
    pthread_mutex_init(&s->lock, NULL);
    s->level = level;
    return s;
}

struct squeezer *squeezer_free(struct squeezer *s) {
    if (s == NULL)
        return NULL;
    while (s->n_compress > 0)
        ZSTD_freeCCtx(s->compress[--s->n_compress]);
    while (s->n_expand > 0)
        ZSTD_freeDCtx(s->expand[--s->n_expand]);
    pthread_mutex_destroy(&s->lock);
    free(s);
    return NULL;
}

static ZSTD_CCtx *take_compress(struct squeezer *s) {
    ZSTD_CCtx *context = NULL;

    pthread_mutex_lock(&s->lock);
    if (s->n_compress > 0)
        context = s->compress[--s->n_compress];
    pthread_mutex_unlock(&s->lock);
    return context != NULL ? context : ZSTD_createCCtx();
}

static void give_compress(struct squeezer *s, ZSTD_CCtx *context) {
    pthread_mutex_lock(&s->lock);
    if (s->n_compress < KEEP_CONTEXTS) {
        s->compress[s->n_compress++] = context;
        context = NULL;
    }
    pthread_mutex_unlock(&s->lock);
    ZSTD_freeCCtx(context);
}

static ZSTD_DCtx *take_expand(struct squeezer *s) {
    ZSTD_DCtx *context = NULL;

    pthread_mutex_lock(&s->lock);
    if (s->n_expand > 0)
        context = s->expand[--s->n_expand];
    pthread_mutex_unlock(&s->lock);
    return context != NULL ? context : ZSTD_createDCtx();
}

static void give_expand(struct squeezer *s, ZSTD_DCtx *context) {
    pthread_mutex_lock(&s->lock);
    if (s->n_expand < KEEP_CONTEXTS) {
        s->expand[s->n_expand++] = context;
        context = NULL;
    }
    pthread_mutex_unlock(&s->lock);
    ZSTD_freeDCtx(context);
}

/* ---- writing -------------------------------------------------------------------- */

static bool has_magic(struct larder_bytes value) {
    return value.len >= sizeof(magic) && memcmp(value.ptr, magic, sizeof(magic)) == 0;
}

static bool with_header(uint32_t method, uint64_t raw_len, struct larder_bytes coded,
                        struct larder_slice *ret) {
    size_t total;

    if (__builtin_add_overflow(coded.len, (size_t)SQUEEZE_HEADER_LEN, &total))
        return false;
    uint8_t *to = buf_new(total, ret);
    if (to == NULL)
        return false;
    method = htole32(method);
    raw_len = htole64(raw_len);
    memcpy(to, magic, sizeof(magic));
    memcpy(to + 4, &method, sizeof(method));
    memcpy(to + 8, &raw_len, sizeof(raw_len));
    bytes_put(to + SQUEEZE_HEADER_LEN, coded);
    return true;
}

/* false: not worth it, or no memory. */
static bool compressed(struct squeezer *s, struct larder_slice raw, struct larder_slice *ret) {
    /* zstd gives up when it needs more than this. */
    size_t room = raw.len - raw.len / 8;
    if (room <= SQUEEZE_HEADER_LEN)
        return false;
    room -= SQUEEZE_HEADER_LEN;

    bool done = false;
    ZSTD_CCtx *context = take_compress(s);
    uint8_t *coded = malloc(room);
    if (context != NULL && coded != NULL) {
        size_t len = ZSTD_compressCCtx(context, coded, room, raw.ptr, raw.len, s->level);
        done = !ZSTD_isError(len) &&
               with_header(METHOD_ZSTD, raw.len, (struct larder_bytes){coded, len}, ret);
    }
    free(coded);
    if (context != NULL)
        give_compress(s, context);
    return done;
}

int32_t squeeze(struct squeezer *s, struct larder_slice raw, uint64_t min_bytes, struct larder_slice *ret) {
    if (raw.len >= min_bytes && compressed(s, raw, ret))
        return LARDER_OK;
    if (has_magic(slice_bytes(raw)))
        return with_header(METHOD_RAW, raw.len, slice_bytes(raw), ret) ? LARDER_OK : LARDER_NOMEM;
    *ret = slice_ref(raw);
    return LARDER_OK;
}

/* ---- reading -------------------------------------------------------------------- */

static int32_t corrupt(const char **ret_detail, const char *detail) {
    *ret_detail = detail;
    return LARDER_CORRUPT;
}

static int32_t look(struct larder_bytes stored, uint64_t max_raw, uint32_t *ret_method, uint64_t *ret_raw_len,
                    const char **ret_detail) {
    uint32_t method = METHOD_RAW;
    uint64_t raw_len = stored.len;

    if (has_magic(stored)) {
        if (stored.len < SQUEEZE_HEADER_LEN)
            return corrupt(ret_detail, "compressed value without a whole header");
        memcpy(&method, stored.ptr + 4, sizeof(method));
        memcpy(&raw_len, stored.ptr + 8, sizeof(raw_len));
        method = le32toh(method);
        raw_len = le64toh(raw_len);
        if (method > METHOD_ZSTD)
            return LARDER_MISS;
        if (method == 0)
            return corrupt(ret_detail, "compressed value by an impossible method");
        if (method == METHOD_RAW && raw_len != stored.len - SQUEEZE_HEADER_LEN)
            return corrupt(ret_detail, "value of another length than its header says");
        if (raw_len > max_raw)
            return corrupt(ret_detail, "compressed value that would be longer than max-value");
    }
    *ret_method = method;
    *ret_raw_len = raw_len;
    return LARDER_OK;
}

int32_t squeeze_look(struct larder_bytes stored, uint64_t max_raw, uint64_t *ret_raw_len, bool *ret_coded,
                     const char **ret_detail) {
    uint32_t method;
    int32_t status = look(stored, max_raw, &method, ret_raw_len, ret_detail);

    if (status == LARDER_OK)
        *ret_coded = method == METHOD_ZSTD;
    return status;
}

int32_t expand(struct squeezer *s, struct larder_slice stored, uint64_t max_raw, struct larder_slice *ret,
               const char **ret_detail) {
    uint32_t method;
    uint64_t raw_len;
    struct larder_slice raw = {0};
    int32_t status = look(slice_bytes(stored), max_raw, &method, &raw_len, ret_detail);

    if (status != LARDER_OK)
        return status;
    if (method == METHOD_RAW) {
        raw = slice_ref(stored);
        if (raw_len < stored.len)
            raw = (struct larder_slice){raw.ptr + SQUEEZE_HEADER_LEN, raw_len, raw.owner};
        *ret = raw;
        return LARDER_OK;
    }

    ZSTD_DCtx *context = take_expand(s);
    uint8_t *to = context != NULL ? buf_new(raw_len, &raw) : NULL;
    if (to == NULL) {
        status = LARDER_NOMEM;
    } else {
        size_t len = ZSTD_decompressDCtx(context, to, raw_len, stored.ptr + SQUEEZE_HEADER_LEN,
                                         stored.len - SQUEEZE_HEADER_LEN);
        if (ZSTD_isError(len) || len != raw_len) {
            status = corrupt(ret_detail, "compressed value that does not expand to what its header says");
            slice_done(&raw);
        }
    }
    if (context != NULL)
        give_expand(s, context);
    if (status == LARDER_OK)
        *ret = raw;
    return status;
}
