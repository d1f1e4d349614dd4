/*
 * The folder in which running stores listen (live.h), one socket for each: `auto` is larder-<uid>
 * below the temporary folder.  What is in it is believed because nobody else can put anything
 * there: it must be a folder and no symbolic link, belong to this user, and be writable by nobody
 * else.  Any thread.
 */
#ifndef CORE_LIVE_FOLDER_H
#define CORE_LIVE_FOLDER_H

#include <stdbool.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "larder/larder.h"

/* Whether the value is one that the setting `live` may have: "off", "auto", or a path with a slash. */
bool live_folder_is_valid(const char *setting);
/* The path that the setting means, "off" being taken for "auto"; free() it.  NULL: no memory. */
char *live_folder_path(const char *setting);

/* Opens the folder, after making it where that is wanted.  LARDER_MISS: there is none.
 * LARDER_DENIED: it is not to be trusted.  make: for one's own sockets; without it root may look at
 * anybody's. */
int32_t live_folder_open(const char *path, bool make, int *ret_fd, struct larder_error *error);

/* The address of a socket in an open folder, short however deep the folder lies. */
struct sockaddr_un live_folder_address(int folder_fd, const char *name);

/* Looks at sockets in the folder, at most `most`: those of dead processes are removed, and fn (may be
 * NULL) is given a connected, non-blocking one to each of the others. */
void live_folder_each(int folder_fd, unsigned most, void (*fn)(void *arg, int fd), void *arg);

#endif
