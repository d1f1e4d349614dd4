/*
 * Work on a pool thread for somebody who may be gone when it ends: an instance is closed while a name
 * is looked up.  The job owns what it works on; its owner is told only if it still wants to know.
 */
#ifndef AWS_JOB_H
#define AWS_JOB_H

#include "larder/driver.h"

struct aws_job {                       /* the first member of a struct with its data, from malloc() */
    void *owner;                       /* set by the I/O thread alone; NULL: nobody wants it any more */
    void (*work)(struct aws_job *job); /* on a pool thread: touches nothing but the job */
    void (*done)(void *owner, struct aws_job *job); /* on the I/O thread, while there is an owner */
    void (*release)(struct aws_job *job);           /* on the I/O thread, at the very end: frees all of it */
};

/* Takes the job over.  On failure it is released, and a status < 0 comes back. */
int32_t aws_job_start(struct aws_job *job, const struct larder_host *host, struct larder_home *home);
/* done() will not be called.  NULL is allowed.  Returns NULL. */
struct aws_job *aws_job_drop(struct aws_job *job);

#endif
