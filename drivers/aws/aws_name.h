/*
 * Addresses of host names, looked up on the pool and remembered.
 *
 * libcurl could do it, with a thread of its own for each lookup; but it waits for that thread where a
 * transfer is given up meanwhile, so a name server that is silent would stop the I/O thread for as
 * long.  libcurl is therefore told each address before it needs it (CURLOPT_RESOLVE).
 */
#ifndef AWS_NAME_H
#define AWS_NAME_H

#include "larder/driver.h"

enum aws_name_state {
    AWS_NAME_PLAIN, /* an address, or "localhost": nothing to be looked up */
    AWS_NAME_READY,
    AWS_NAME_PENDING, /* changed() will be called */
    AWS_NAME_FAILED
};

struct aws_names;

/* changed(arg): a lookup has ended, well or not.  NULL: no memory. */
struct aws_names *aws_names_new(const struct larder_host *host, struct larder_home *home, larder_fn *changed,
                                void *arg);
/* NULL is allowed.  Lookups under way end on their own, unseen. */
void aws_names_free(struct aws_names *names);

/* Starts a lookup where one is due.  READY: *ret_entry is an entry for CURLOPT_RESOLVE, or NULL where
 * libcurl has it already.  FAILED: *ret_entry is the reason.  Good until the next call. */
enum aws_name_state aws_names_look(struct aws_names *names, const char *name, const char *port,
                                   const char **ret_entry);
/* libcurl has taken this entry. */
void aws_names_told(struct aws_names *names, const char *entry);
/* Nobody answers at the addresses of name: look it up again before the next use. */
void aws_names_doubt(struct aws_names *names, const char *name);

#endif
