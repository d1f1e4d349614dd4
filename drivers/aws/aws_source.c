#include "aws_source.h"

#include <stdio.h>
#include <string.h>

#include "aws_error.h"
#include "aws_json.h"
#include "aws_process.h"
#include "aws_time.h"

enum { MOST_ANSWER = 64 << 10 };

void aws_source_stop(struct aws_source *source) {
    if (source->call)
        aws_http_cancel(source->call);
    source->call = NULL;
    aws_process_stop(source);
    source->job = aws_job_drop(source->job);
    source->action = NULL;
    aws_text_done(&source->body);
    aws_wipe(&source->token);
}

void aws_source_got(struct aws_source *source, struct aws_keys *keys) {
    aws_source_stop(source);
    source->done(source->arg, LARDER_OK, keys, NULL);
    aws_keys_done(keys);
}

void aws_source_failed(struct aws_source *source, int32_t status, const char *detail) {
    char line[LARDER_ERROR_SIZE];
    snprintf(line, sizeof(line), "credentials from %.80s: %.140s", source->plan->what, detail);
    aws_source_stop(source);
    source->done(source->arg, status, NULL, line);
}

bool aws_source_is_fine(struct aws_source *source, const struct aws_http_answer *answer) {
    struct aws_error error;
    char line[LARDER_ERROR_SIZE];
    source->call = NULL;
    if (answer->status == LARDER_OK && answer->code == 200)
        return true;
    if (answer->status == LARDER_OK) {
        aws_error_read(&error, answer->code, answer->headers,
                       (struct larder_bytes){answer->body.ptr, answer->body.len});
        if (error.status == LARDER_INVALID)
            error.status = LARDER_DENIED; /* that request was not the op's */
    } else {
        error.status = answer->status == LARDER_DEADLINE ? LARDER_RETRY : answer->status;
        snprintf(error.detail, sizeof(error.detail), "%s", answer->detail);
    }
    snprintf(line, sizeof(line), "%.40s%s%.140s", aws_or_empty(source->action), source->action ? ": " : "",
             error.detail);
    aws_source_failed(source, error.status, line);
    return false;
}

int32_t aws_source_ask(struct aws_source *source, const char *method, const char *url,
                       const struct aws_header *headers, size_t n, uint32_t most_ms, aws_http_done *done) {
    const uint64_t due_ns = source->host->now_ns() + most_ms * UINT64_C(1000000);
    const struct aws_http_request request = {
        .method = method,
        .url = url,
        .headers = headers,
        .n_headers = n,
        .deadline_ns = due_ns < source->deadline_ns ? due_ns : source->deadline_ns,
        .max_body = MOST_ANSWER,
        .direct = true};
    return aws_http_send(source->http, &request, done, source, &source->call);
}

/* Absent or empty: *ret stays NULL. */
static bool take_member(struct larder_bytes json, const char *name, char **ret) {
    struct aws_text text = {0};
    const bool found = aws_json_member(json, name, &text) && text.len > 0;
    const bool ok = !found || aws_copy(ret, text.ptr);
    aws_text_done(&text);
    return ok;
}

void aws_source_json(struct aws_source *source, struct larder_bytes json, const char *token_name) {
    struct aws_keys keys = {0};
    char *expiration = NULL, *code = NULL;
    bool ok = take_member(json, "AccessKeyId", &keys.id) &&
              take_member(json, "SecretAccessKey", &keys.secret) &&
              take_member(json, token_name, &keys.token) && take_member(json, "Expiration", &expiration) &&
              take_member(json, "Code", &code);
    if (!ok) {
        aws_source_failed(source, LARDER_NOMEM, "out of memory");
    } else if (code && strcmp(code, "Success") != 0) {
        char line[120];
        snprintf(line, sizeof(line), "it answers %.80s", code);
        aws_source_failed(source, LARDER_DENIED, line);
    } else if (!keys.id || !keys.secret) {
        aws_source_failed(source, LARDER_DENIED, "no AccessKeyId and SecretAccessKey in the answer");
    } else if (expiration && !aws_time_iso(aws_bytes(expiration), &keys.expire_ms)) {
        aws_source_failed(source, LARDER_DENIED, "the answer's Expiration is no time");
    } else {
        aws_source_got(source, &keys);
    }
    aws_keys_done(&keys);
    aws_wipe(&expiration);
    aws_wipe(&code);
}
