/*
 * The smallest driver that can be made of aws_client.h: an incremental cache, an object per key, as S3
 * has it.  It is no driver for use, but larder-conform watches it: what drivers/aws leaves behind, holds
 * up or forgets shows here.
 */
#include <larder/driver.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../aws_client.h"
#include "../aws_error.h"
#include "../aws_uri.h"

enum { MOST_KEY = 1000, MOST_VALUE = 2 << 20 };

struct config {
    struct aws_settings aws;
};

struct probe {
    const struct larder_host *host;
    struct aws_client *client;
};

/* In op->scratch: the probe, and the call that the op waits for. */
enum { SCRATCH_PROBE, SCRATCH_CALL };

static void answer(struct probe *p, struct larder_op *op, int32_t status, const char *detail) {
    const struct larder_result res = {.size = sizeof(res), .status = status, .detail = detail};
    p->host->complete(op, &res);
}

static int64_t number_of(struct larder_bytes headers, const char *name) {
    char text[32];
    aws_one_line(text, sizeof(text), aws_header_of(headers, name));
    return strtoll(text, NULL, 10);
}

static void on_answer(void *arg, const struct aws_answer *a) {
    struct larder_op *op = arg;
    struct probe *p = op->scratch[SCRATCH_PROBE];
    struct larder_result res = {.size = sizeof(res),
                                .status = a->status,
                                .retry_after_ms = a->retry_after_ms,
                                .native_code = a->http_status,
                                .detail = a->detail};
    if (op->code == LARDER_OP_PING && a->http_status == 404)
        res.status = LARDER_OK;
    else if (strcmp(a->code, "NoSuchKey") == 0 || strcmp(a->code, "PreconditionFailed") == 0)
        res.status = LARDER_MISS;
    if (a->status == LARDER_OK && op->code == LARDER_OP_GET) {
        res.value = a->body;
        if (a->body.owner) /* NULL for an empty value */
            p->host->buf_ref(a->body.owner);
        res.modified_ms = number_of(a->headers, "x-amz-meta-modified");
        res.epoch = number_of(a->headers, "x-amz-meta-epoch");
    }
    p->host->complete(op, &res);
}

static void send(struct probe *p, struct larder_op *op, const char *method) {
    char modified[24], epoch[24];
    struct aws_header headers[] = {
        {"x-amz-meta-modified", modified}, {"x-amz-meta-epoch", epoch}, {"if-none-match", "*"}};
    struct aws_text path = {0};
    const bool is_put = op->code == LARDER_OP_PUT;
    snprintf(modified, sizeof(modified), "%lld", (long long)op->modified_ms);
    snprintf(epoch, sizeof(epoch), "%lld", (long long)op->epoch);
    aws_text_adds(&path, "/store/k"); /* an empty key is one, too */
    aws_uri_add_path(&path, op->key);
    const struct aws_request request = {.method = method,
                                        .path = path.ptr,
                                        .headers = headers,
                                        .n_headers = is_put ? 2 + (op->flags & LARDER_IF_ABSENT ? 1 : 0) : 0,
                                        .body = {op->value.ptr, op->value.len},
                                        .payload_hash = "UNSIGNED-PAYLOAD",
                                        .now_ms = op->now_ms,
                                        .deadline_ns = op->deadline_ns,
                                        .max_body = MOST_VALUE};
    struct aws_call *call = NULL;
    int32_t status = LARDER_NOMEM;
    op->scratch[SCRATCH_PROBE] = p;
    if (!path.failed)
        status = aws_client_send(p->client, &request, on_answer, op, &call);
    aws_text_done(&path);
    if (status != LARDER_OK)
        answer(p, op, status, "the request cannot be made");
    else
        op->scratch[SCRATCH_CALL] = call;
}

static void probe_get(void *instance, struct larder_op *op) {
    if (op->flags != 0)
        answer(instance, op, LARDER_UNSUPPORTED, NULL);
    else
        send(instance, op, "GET");
}

static void probe_put(void *instance, struct larder_op *op) {
    if (op->flags & ~(uint32_t)LARDER_IF_ABSENT)
        answer(instance, op, LARDER_UNSUPPORTED, NULL);
    else if (op->value.len > MOST_VALUE)
        answer(instance, op, LARDER_TOO_BIG, "the value is larger than this driver takes");
    else
        send(instance, op, "PUT");
}

static void probe_remove(void *instance, struct larder_op *op) {
    if (op->flags != 0)
        answer(instance, op, LARDER_UNSUPPORTED, NULL);
    else
        send(instance, op, "DELETE");
}

static void probe_cancel(void *instance, struct larder_op *op) {
    aws_client_cancel(op->scratch[SCRATCH_CALL]);
    answer(instance, op, LARDER_CANCELLED, NULL);
}

static int32_t probe_open(const struct larder_host *host, struct larder_home *home, const void *config,
                          struct larder_info *info, void **instance, char *error) {
    const struct config *settings = config;
    struct probe *p = calloc(1, sizeof(*p));
    const struct aws_client_options options = {
        .host = host, .home = home, .settings = &settings->aws, .service = "s3", .is_s3 = true};
    snprintf(error, LARDER_ERROR_SIZE, "out of memory");
    const int32_t status = p ? aws_client_new(&options, &p->client, error) : LARDER_NOMEM;
    if (status != LARDER_OK) {
        free(p);
        return status;
    }
    p->host = host;
    info->traits = LARDER_SHARED;
    info->max_key = MOST_KEY;
    info->max_value = MOST_VALUE;
    *instance = p;
    return LARDER_OK;
}

static void probe_close(void *instance) {
    struct probe *p = instance;
    aws_client_free(p->client);
    free(p);
}

static const struct larder_param params[] = {AWS_PARAMS(struct config, aws)};

static const struct larder_cache_ops cache_ops = {
    .size = sizeof(cache_ops), .get = probe_get, .put = probe_put, .remove = probe_remove};

static const struct larder_driver probe_driver = {.size = sizeof(probe_driver),
                                                  .abi = LARDER_ABI,
                                                  .name = "probe",
                                                  .version = "0",
                                                  .summary = "an object per key, for tests",
                                                  .params = params,
                                                  .n_params = sizeof(params) / sizeof(params[0]),
                                                  .param_size = sizeof(params[0]),
                                                  .config_size = sizeof(struct config),
                                                  .cache = &cache_ops,
                                                  .open = probe_open,
                                                  .close = probe_close,
                                                  .ping = probe_get,
                                                  .cancel = probe_cancel};

LARDER_EXPORT_DRIVER(probe_driver);
