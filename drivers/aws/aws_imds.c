/*
 * The metadata service of EC2, version 2: a token first, then what is asked for.
 * https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/configuring-instance-metadata-service.html
 *
 * Version 1, without the token, is used where AWS_EC2_METADATA_V1_DISABLED says "false", and nowhere else.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "aws_source.h"

/* On a machine that is none of EC2 the address leads nowhere, and an op waits for this. */
enum { MOST_MS = 1000 };
#define ROLES "/latest/meta-data/iam/security-credentials/"

static const char *origin_of(const struct aws_source *source) {
    const char *set = aws_variable(source->environment, AWS_VAR_IMDS_ENDPOINT);
    const char *mode = aws_variable(source->environment, AWS_VAR_IMDS_ENDPOINT_MODE);
    if (set)
        return set;
    return mode && strcasecmp(mode, "IPv6") == 0 ? "http://[fd00:ec2::254]" : "http://169.254.169.254";
}

static int32_t ask(struct aws_source *source, const char *method, const char *path, const char *more,
                   const struct aws_header *header, aws_http_done *done) {
    const char *origin = origin_of(source);
    struct aws_text url = {0};
    size_t len = strlen(origin);
    while (len > 0 && origin[len - 1] == '/')
        len--;
    aws_text_add(&url, origin, len);
    aws_text_adds(&url, path);
    aws_text_adds(&url, more);
    const int32_t status = url.failed ? LARDER_NOMEM
                                      : aws_source_ask(source, method, url.ptr, header, header ? 1 : 0,
                                                       MOST_MS, done);
    aws_text_done(&url);
    return status;
}

static int32_t get(struct aws_source *source, const char *path, const char *more, aws_http_done *done) {
    const struct aws_header token = {"x-aws-ec2-metadata-token", source->token};
    return ask(source, "GET", path, more, source->token ? &token : NULL, done);
}

/* False, and source has ended: it is no answer to go on with. */
static bool is_fine(struct aws_source *source, const struct aws_http_answer *answer) {
    char line[LARDER_ERROR_SIZE];
    if (answer->status == LARDER_OK && answer->code != 404)
        return aws_source_is_fine(source, answer);
    source->call = NULL;
    if (answer->status == LARDER_OK) {
        aws_source_failed(source, LARDER_DENIED, "no role is attached to the instance");
    } else {
        snprintf(line, sizeof(line), "%.70s. Not on EC2? Set AWS_ACCESS_KEY_ID, a profile or access-key",
                 answer->detail);
        aws_source_failed(source, answer->status == LARDER_DEADLINE ? LARDER_RETRY : answer->status, line);
    }
    return false;
}

static void go_on(struct aws_source *source, int32_t status) {
    if (status != LARDER_OK)
        aws_source_failed(source, status, "the request cannot be made");
}

static void on_credentials(void *arg, const struct aws_http_answer *answer) {
    struct aws_source *source = arg;
    if (is_fine(source, answer))
        aws_source_json(source, (struct larder_bytes){answer->body.ptr, answer->body.len}, "Token");
}

static void on_role(void *arg, const struct aws_http_answer *answer) {
    struct aws_source *source = arg;
    char role[128];
    if (!is_fine(source, answer))
        return;
    struct larder_bytes name = {answer->body.ptr, answer->body.len};
    const uint8_t *end = name.len > 0 ? memchr(name.ptr, '\n', name.len) : NULL;
    if (end)
        name.len = (size_t)(end - name.ptr);
    aws_one_line(role, sizeof(role), name);
    if (name.len == 0 || name.len >= sizeof(role) || strpbrk(role, " /?#"))
        aws_source_failed(source, LARDER_DENIED, "no role is attached to the instance");
    else
        go_on(source, get(source, ROLES, role, on_credentials));
}

static void on_region(void *arg, const struct aws_http_answer *answer) {
    struct aws_source *source = arg;
    char region[40];
    if (!is_fine(source, answer))
        return;
    aws_one_line(region, sizeof(region), (struct larder_bytes){answer->body.ptr, answer->body.len});
    aws_wipe(&source->region);
    go_on(source, aws_copy(&source->region, region) ? get(source, ROLES, "", on_role) : LARDER_NOMEM);
}

static void begin(struct aws_source *source) {
    if (source->plan->region || source->region)
        go_on(source, get(source, ROLES, "", on_role));
    else
        go_on(source, get(source, "/latest/meta-data/placement/region", "", on_region));
}

static void on_token(void *arg, const struct aws_http_answer *answer) {
    struct aws_source *source = arg;
    const char *disabled = aws_variable(source->environment, AWS_VAR_IMDS_V1_DISABLED);
    const bool v1 = disabled && strcasecmp(disabled, "false") == 0;
    const bool refused = answer->status == LARDER_OK && answer->code != 200 && answer->code != 400;
    if (refused && v1) {
        source->call = NULL;
        begin(source);
    } else if (is_fine(source, answer)) {
        if (aws_copy_bytes(&source->token, (struct larder_bytes){answer->body.ptr, answer->body.len}))
            begin(source);
        else
            aws_source_failed(source, LARDER_NOMEM, "out of memory");
    }
}

int32_t aws_imds_begin(struct aws_source *source) {
    const struct aws_header life_s = {"x-aws-ec2-metadata-token-ttl-seconds", "300"};
    return ask(source, "PUT", "/latest/api/token", "", &life_s, on_token);
}
