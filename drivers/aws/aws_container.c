/* The endpoint of ECS tasks and EKS pods: one GET.
 * https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html */
#include <string.h>

#include "aws_source.h"

enum { MOST_MS = 2000 };

static void on_answer(void *arg, const struct aws_http_answer *answer) {
    struct aws_source *source = arg;
    if (aws_source_is_fine(source, answer))
        aws_source_json(source, (struct larder_bytes){answer->body.ptr, answer->body.len}, "Token");
}

static int32_t ask(struct aws_source *source, const char *token) {
    const struct aws_header headers[] = {{"authorization", token}};
    return aws_source_ask(source, "GET", source->plan->url, headers, token ? 1 : 0, MOST_MS, on_answer);
}

static void on_token(void *owner, struct aws_job *job) {
    struct aws_source *source = owner;
    struct aws_file *file = &((struct aws_files *)job)->files[0];
    source->job = NULL;
    if (file->error || file->text.len == 0) {
        aws_source_failed(source, LARDER_DENIED,
                          "the file AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE cannot be read");
        return;
    }
    file->text.ptr[strcspn(file->text.ptr, "\r\n")] = '\0'; /* the line's end is not the token's */
    const int32_t status = ask(source, file->text.ptr);
    if (status != LARDER_OK)
        aws_source_failed(source, status, "the token cannot be sent");
}

int32_t aws_container_begin(struct aws_source *source) {
    const char *path = source->plan->token_file;
    if (!path)
        return ask(source, source->plan->token);
    return aws_files_read(source->host, source->home, &path, 1, on_token, source, &source->job);
}
