#include "aws_job.h"

#include <stddef.h>

static void job_work(void *arg) {
    struct aws_job *job = arg;
    job->work(job);
}

static void job_done(void *arg) {
    struct aws_job *job = arg;
    if (job->owner)
        job->done(job->owner, job);
    job->release(job);
}

int32_t aws_job_start(struct aws_job *job, const struct larder_host *host, struct larder_home *home) {
    const int32_t status = host->offload(home, job_work, job_done, job);
    if (status != LARDER_OK)
        job->release(job);
    return status;
}

struct aws_job *aws_job_drop(struct aws_job *job) {
    if (job)
        job->owner = NULL;
    return NULL;
}
