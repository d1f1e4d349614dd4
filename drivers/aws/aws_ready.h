/*
 * What must be there before the first transfer and takes its time: libcurl itself, and for TLS the
 * certificates of the authorities that are trusted (5 to 50 ms to read).  Made on the pool when it is
 * first needed, once per instance.
 */
#ifndef AWS_READY_H
#define AWS_READY_H

#include <curl/curl.h>
#include <stdbool.h>

#include "larder/driver.h"

enum aws_ready_state { AWS_READY, AWS_READY_PENDING, AWS_READY_FAILED };

struct aws_ready;

/* ca_file: PEM; NULL: what libcurl was built to trust.  changed(arg): look again.  NULL: no memory. */
struct aws_ready *aws_ready_new(const struct larder_host *host, struct larder_home *home, const char *ca_file,
                                larder_fn *changed, void *arg);
/* NULL is allowed. */
void aws_ready_free(struct aws_ready *ready);

/* Starts what is missing for a transfer, with TLS or without.  FAILED: *ret_reason says why; a look
 * a second later tries again. */
enum aws_ready_state aws_ready_look(struct aws_ready *ready, bool tls, const char **ret_reason);
/* Makes a new handle trust what was read. */
void aws_ready_trust(struct aws_ready *ready, CURL *easy);

#endif
