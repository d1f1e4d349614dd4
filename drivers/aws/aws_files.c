#include "aws_files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LONGEST = 1 << 20 };

static int read_file(const char *path, struct aws_text *text) {
    char bytes[4096];
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = 1;
    if (fd < 0)
        return errno;
    while (n > 0 && text->len < LONGEST) {
        n = read(fd, bytes, sizeof(bytes));
        if (n > 0)
            aws_text_add(text, bytes, (size_t)n);
    }
    const int error = n < 0 ? errno : text->failed ? ENOMEM : n > 0 ? EFBIG : 0;
    explicit_bzero(bytes, sizeof(bytes));
    close(fd);
    return error;
}

static void work(struct aws_job *job) {
    struct aws_files *files = (struct aws_files *)job;
    for (size_t i = 0; i < files->n; i++)
        files->files[i].error = files->files[i].path ? read_file(files->files[i].path, &files->files[i].text)
                                                     : ENOENT;
}

static void release(struct aws_job *job) {
    struct aws_files *files = (struct aws_files *)job;
    for (size_t i = 0; i < files->n; i++) {
        free(files->files[i].path);
        aws_text_done(&files->files[i].text);
    }
    free(files);
}

int32_t aws_files_read(const struct larder_host *host, struct larder_home *home, const char *const paths[],
                       size_t n, void (*done)(void *owner, struct aws_job *job), void *owner,
                       struct aws_job **ret_job) {
    struct aws_files *files = calloc(1, sizeof(*files));
    bool ok = true;
    if (!files)
        return LARDER_NOMEM;
    files->job = (struct aws_job){owner, work, done, release};
    files->n = n;
    for (size_t i = 0; ok && i < n; i++)
        ok = aws_copy(&files->files[i].path, paths[i]);
    if (!ok) {
        release(&files->job);
        return LARDER_NOMEM;
    }
    const int32_t status = aws_job_start(&files->job, host, home);
    if (status == LARDER_OK)
        *ret_job = &files->job;
    return status;
}
