/* Descriptors and threads of this process, before and after. */
#ifndef CONFORMANCE_LEAKS_H
#define CONFORMANCE_LEAKS_H

/* Before the driver is opened for the first time. */
void leaks_before(void);
/* What there is now.  Once libraries have made what they keep for good: after a first open and
 * close, which must not have closed what was there before. */
void leaks_begin(void);
/* Reports (strict.h) what has come since, and descriptors that have gone. */
void leaks_end(void);

#endif
