/* What the files of this benchmark share. */
#ifndef BENCH_AWS_CONTENDER_H
#define BENCH_AWS_CONTENDER_H

#include <stddef.h>

enum { BODY = 1024 };

/* In a process of its own: answers each request with 200 and BODY bytes.  Its port. */
int stub_server_start(void);
void stub_server_stop(void);

/* `requests` POSTs of BODY bytes to url, `at_once` at a time. */
void bare_curl_begin(const char *url);
void bare_curl_run(size_t requests, size_t at_once);
void bare_curl_end(void);

void must(int ok, const char *what);

#endif
