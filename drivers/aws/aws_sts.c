/* Roles: AssumeRole, and AssumeRoleWithWebIdentity, which needs no signature.
 * https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html */
#include <stdio.h>
#include <string.h>

#include "aws_signed.h"
#include "aws_source.h"
#include "aws_time.h"
#include "aws_uri.h"
#include "aws_xml.h"

enum { MOST_MS = 10000, MOST_ANSWER = 256 << 10, MOST_PARAMS = 8 };

static bool take_text(struct larder_bytes xml, const char *name, char **ret) {
    struct aws_text text = {0};
    const bool ok = aws_xml_text(xml, name, &text) && text.len > 0 && aws_copy(ret, text.ptr);
    aws_text_done(&text);
    return ok;
}

static void on_answer(void *arg, const struct aws_http_answer *answer) {
    struct aws_source *source = arg;
    const struct larder_bytes body = {answer->body.ptr, answer->body.len};
    struct aws_keys keys = {0};
    char *expiration = NULL;
    if (!aws_source_is_fine(source, answer))
        return;
    const bool ok = take_text(body, "AccessKeyId", &keys.id) &&
                    take_text(body, "SecretAccessKey", &keys.secret) &&
                    take_text(body, "SessionToken", &keys.token) &&
                    take_text(body, "Expiration", &expiration) &&
                    aws_time_iso(aws_bytes(expiration), &keys.expire_ms);
    if (ok)
        aws_source_got(source, &keys);
    else
        aws_source_failed(source, LARDER_RETRY, "the answer of STS is incomplete");
    aws_keys_done(&keys);
    aws_wipe(&expiration);
}

static int32_t send(struct aws_source *source, const struct aws_keys *keys, const char *web_token) {
    static const struct aws_header headers[] = {{"content-type", "application/x-www-form-urlencoded"}};
    struct aws_signer signer = {.region = source->sts_region, .service = "sts"};
    const struct aws_role *role = source->role;
    const uint64_t due_ns = source->host->now_ns() + MOST_MS * UINT64_C(1000000);
    struct aws_param params[MOST_PARAMS];
    size_t n = 0;
    params[n++] = (struct aws_param){aws_bytes("Action"), aws_bytes(source->action)};
    params[n++] = (struct aws_param){aws_bytes("Version"), aws_bytes("2011-06-15")};
    params[n++] = (struct aws_param){aws_bytes("RoleArn"), aws_bytes(role->arn)};
    params[n++] = (struct aws_param){aws_bytes("RoleSessionName"), aws_bytes(role->session_name)};
    if (role->external_id)
        params[n++] = (struct aws_param){aws_bytes("ExternalId"), aws_bytes(role->external_id)};
    if (role->duration_s)
        params[n++] = (struct aws_param){aws_bytes("DurationSeconds"), aws_bytes(role->duration_s)};
    if (web_token)
        params[n++] = (struct aws_param){aws_bytes("WebIdentityToken"), aws_bytes(web_token)};
    aws_text_clear(&source->body);
    if (!aws_uri_add_query(&source->body, params, n))
        return LARDER_NOMEM;
    const struct aws_signed_request request = {
        .method = "POST",
        .endpoint = source->sts,
        .path = "/",
        .headers = headers,
        .n_headers = 1,
        .body = {(const uint8_t *)source->body.ptr, source->body.len},
        .time_ms = source->now_ms,
        .deadline_ns = due_ns < source->deadline_ns ? due_ns : source->deadline_ns,
        .max_body = MOST_ANSWER,
    };
    const int32_t status = aws_send_signed(source->http, &signer, keys, &request, on_answer, source,
                                           &source->call);
    aws_signer_forget(&signer);
    return status;
}

int32_t aws_assume_role_begin(struct aws_source *source, const struct aws_role *role,
                              const struct aws_keys *keys) {
    source->role = role;
    source->action = "AssumeRole";
    return send(source, keys, NULL);
}

/* The file is read anew each time: its token lives for hours, and is replaced. */
static void on_token(void *owner, struct aws_job *job) {
    struct aws_source *source = owner;
    struct aws_file *file = &((struct aws_files *)job)->files[0];
    char line[LARDER_ERROR_SIZE];
    source->job = NULL;
    if (file->error || file->text.len == 0) {
        snprintf(line, sizeof(line), "the token's file %.80s cannot be read", file->path);
        aws_source_failed(source, LARDER_DENIED, line);
        return;
    }
    file->text.ptr[strcspn(file->text.ptr, "\r\n")] = '\0';
    const int32_t status = send(source, NULL, file->text.ptr);
    if (status != LARDER_OK)
        aws_source_failed(source, status, "the request to STS cannot be made");
}

int32_t aws_web_identity_begin(struct aws_source *source) {
    const char *path = source->plan->token_file;
    source->role = &source->plan->web_role;
    source->action = "AssumeRoleWithWebIdentity";
    return aws_files_read(source->host, source->home, &path, 1, on_token, source, &source->job);
}
