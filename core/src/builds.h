/* The record of a namespace's builds: LARDER_DO_BUILDS and LARDER_DO_NOTE_BUILD.  Reactor's thread only. */
#ifndef CORE_BUILDS_H
#define CORE_BUILDS_H

struct request;

void builds_start(struct request *r);
void note_build_start(struct request *r);

#endif
