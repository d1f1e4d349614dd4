#ifndef AWS_PROCESS_H
#define AWS_PROCESS_H

#include "aws_source.h"

/* Ends the process of aws_process_begin(), if there is one. */
void aws_process_stop(struct aws_source *source);

#endif
