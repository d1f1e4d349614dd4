/* Small files, read on the pool. */
#ifndef AWS_FILES_H
#define AWS_FILES_H

#include "aws_job.h"
#include "aws_text.h"

enum { AWS_MOST_FILES = 2 };

struct aws_files {
    struct aws_job job;
    size_t n;
    struct aws_file {
        char *path;
        struct aws_text text;
        int error; /* errno; 0: it was read whole */
    } files[AWS_MOST_FILES];
};

/* Reads them; done(owner, &files->job) on the I/O thread.  A status < 0: done is not called.  paths[i]
 * NULL: no such file.  *ret_job may be dropped. */
int32_t aws_files_read(const struct larder_host *host, struct larder_home *home, const char *const paths[],
                       size_t n, void (*done)(void *owner, struct aws_job *job), void *owner,
                       struct aws_job **ret_job);

#endif
