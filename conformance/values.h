/* The beginning and the end of what drive.h says of names and values. */
#ifndef CONFORMANCE_VALUES_H
#define CONFORMANCE_VALUES_H

void names_begin(void);
/* All names are gone. */
void names_end(void);

#endif
