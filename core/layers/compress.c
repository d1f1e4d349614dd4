/*
 * Values are compressed on their way down and expanded on their way up.  Short ones at once;
 * longer ones on the offload pool, because the reactor's thread must not be held for more than
 * about 100 us.
 */
#include <stdio.h>
#include <stdlib.h>

#include "buf.h"
#include "bytes.h"
#include "forward.h"
#include "layers.h"
#include "squeeze.h"

/* What zstd does in about 100 us; bench_frame measures it. */
enum { COMPRESS_HERE = 32 * 1024, EXPAND_HERE = 96 * 1024 };

struct compress {
    struct backend *below;
    struct squeezer *squeezer;
    uint64_t min_bytes, max_value;
};

/* One value on the pool.  The upper op is not completed meanwhile, so it is there after. */
struct work {
    struct job job;
    struct compress *layer;
    struct larder_op *pub;
    struct op *child; /* get: what came up */
    struct larder_slice out;
    const char *detail;
    int32_t status;
    bool unwanted; /* cancelled meanwhile */
};

/* ---- put --------------------------------------------------------------------------- */

static void put_coded(struct compress *layer, struct larder_op *pub, int32_t status,
                      struct larder_slice *value) {
    uint64_t most = layer->below->info.max_value;

    if (status != LARDER_OK) {
        op_fail(pub, status, "out of memory");
    } else if (most != 0 && value->len > most) {
        op_fail(pub, LARDER_TOO_BIG, "the compressed value is too big for the store");
    } else {
        struct op_inputs in = op_inputs_of(pub);
        in.value = *value;
        forward_call(layer->below, pub, &in, forward_done);
    }
    slice_done(value);
}

static void put_work(void *arg) {
    struct work *work = arg;

    work->status = squeeze(work->layer->squeezer, work->pub->value, work->layer->min_bytes, &work->out);
}

static void put_worked(void *arg) {
    struct work *work = arg;

    work->pub->scratch[FORWARD_OWN] = NULL;
    if (work->unwanted)
        op_fail(work->pub, LARDER_CANCELLED, NULL);
    else
        put_coded(work->layer, work->pub, work->status, &work->out);
    slice_done(&work->out);
    free(work);
}

/* false: no memory for it. */
static bool offload(struct compress *layer, struct larder_op *pub, struct op *child, larder_fn *fn,
                    larder_fn *done) {
    struct work *work = calloc(1, sizeof(*work));

    if (work == NULL)
        return false;
    *work = (struct work){.layer = layer, .pub = pub, .child = child};
    work->job.work = fn;
    work->job.done = done;
    work->job.arg = work;
    pub->scratch[FORWARD_OWN] = work;
    reactor_offload(layer->below->reactor, &work->job);
    return true;
}

static void put(void *instance, struct larder_op *pub) {
    struct compress *layer = instance;
    struct larder_slice value = {0};

    if (pub->value.len > layer->max_value) { /* what get() would refuse to expand */
        op_fail(pub, LARDER_TOO_BIG, "the value is larger than max-value");
        return;
    }
    if (pub->value.len > layer->max_value) {
        op_fail(pub, LARDER_TOO_BIG, "the value is over the limit of the setting max-value");
        return;
    }
    if (pub->value.len > COMPRESS_HERE && pub->value.len >= layer->min_bytes) {
        if (!offload(layer, pub, NULL, put_work, put_worked))
            op_fail(pub, LARDER_NOMEM, "out of memory");
        return;
    }
    int32_t status = squeeze(layer->squeezer, pub->value, layer->min_bytes, &value);
    put_coded(layer, pub, status, &value);
}

/* ---- get --------------------------------------------------------------------------- */

/* Answers with what child brought, its value replaced; takes both references. */
static void get_expanded(struct larder_op *pub, struct op *child, int32_t status, const char *detail,
                         struct larder_slice *value) {
    if (status == LARDER_OK) {
        slice_done(&child->result.value);
        child->result.value = *value;
        *value = (struct larder_slice){0};
        forward_done(pub, child);
        return;
    }
    op_free(child);
    op_fail(pub, status, detail);
}

static void get_work(void *arg) {
    struct work *work = arg;

    work->status = expand(work->layer->squeezer, work->child->result.value, work->layer->max_value,
                          &work->out, &work->detail);
}

static void get_worked(void *arg) {
    struct work *work = arg;

    work->pub->scratch[FORWARD_OWN] = NULL;
    if (work->unwanted) {
        work->status = LARDER_CANCELLED;
        work->detail = NULL;
    }
    get_expanded(work->pub, work->child, work->status, work->detail, &work->out);
    slice_done(&work->out);
    free(work);
}

static void got(void *arg, struct op *child) {
    struct larder_op *pub = arg;
    struct compress *layer = pub->scratch[FORWARD_LAYER];
    struct larder_slice value = {0};
    const char *detail = NULL;
    uint64_t raw_len = 0;
    bool coded = false;
    int32_t status;

    pub->scratch[FORWARD_CHILD] = NULL;
    if (child->result.status != LARDER_OK) {
        forward_done(pub, child);
        return;
    }
    status = squeeze_look(slice_bytes(child->result.value), layer->max_value, &raw_len, &coded, &detail);
    if (status == LARDER_OK && coded && raw_len > EXPAND_HERE) {
        if (offload(layer, pub, child, get_work, get_worked))
            return;
        status = LARDER_NOMEM;
        detail = "out of memory";
    }
    if (status == LARDER_OK)
        status = expand(layer->squeezer, child->result.value, layer->max_value, &value, &detail);
    get_expanded(pub, child, status, detail, &value);
}

static void get(void *instance, struct larder_op *pub) {
    struct compress *layer = instance;
    struct op_inputs in = op_inputs_of(pub);

    pub->scratch[FORWARD_LAYER] = layer;
    forward_call(layer->below, pub, &in, got);
}

/* ---- the rest ----------------------------------------------------------------------- */

static void call(void *instance, struct larder_op *pub) {
    struct compress *layer = instance;

    forward_as_is(layer->below, pub);
}

static void cancel(void *instance, struct larder_op *pub) {
    struct work *work = pub->scratch[FORWARD_OWN];

    (void)instance;
    if (work != NULL)
        work->unwanted = true;
    forward_cancel(pub);
}

static void close_compress(void *instance) {
    struct compress *layer = instance;

    squeezer_free(layer->squeezer);
    free(layer);
}

static int32_t open_compress(const struct larder_host *host, struct larder_home *home, const void *config,
                             struct larder_info *info, void **instance, char *error) {
    const struct layer_config *layer_config = config;
    const struct layer_compress_settings *settings = layer_config->settings;
    struct compress *layer = calloc(1, sizeof(*layer));

    (void)host;
    (void)home;
    if (layer == NULL)
        return LARDER_NOMEM;
    layer->squeezer = squeezer_new((int)settings->level);
    if (layer->squeezer == NULL) {
        snprintf(error, LARDER_ERROR_SIZE, "compress: out of memory");
        free(layer);
        return LARDER_NOMEM;
    }
    layer->below = layer_config->below;
    layer->min_bytes = settings->min_bytes > 0 ? (uint64_t)settings->min_bytes : 0;
    /* What is compressed already is still read. */
    if (settings->spare_local && (layer->below->info.traits & LARDER_LOCAL))
        layer->min_bytes = UINT64_MAX;
    layer->max_value = settings->max_value;
    *info = forward_info(layer->below);
    /* What is too big for the store as it is may fit when compressed: put() looks. */
    info->max_value = settings->max_value;
    *instance = layer;
    return LARDER_OK;
}

static const struct larder_cache_ops cache_ops = {
    .size = sizeof(cache_ops),
    .get = get,
    .put = put,
    .remove = call,
    .list = call,
    .claim = call,
    .release = call,
};
static const struct larder_tag_ops tag_ops = FORWARD_TAG_OPS(call);

const struct larder_driver layer_compress = {
    .size = sizeof(struct larder_driver),
    .abi = LARDER_ABI,
    .name = "compress",
    .version = LARDER_VERSION,
    .summary = "Compresses values with zstd.",
    .param_size = sizeof(struct larder_param),
    .config_size = sizeof(struct layer_compress_settings),
    .cache = &cache_ops,
    .tags = &tag_ops,
    .open = open_compress,
    .close = close_compress,
    .ping = call,
    .provision = call,
    .explain = call,
    .cancel = cancel,
};
