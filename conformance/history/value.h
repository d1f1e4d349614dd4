/* Values that say which version they are, in their first bytes and in every other one. */
#ifndef HISTORY_VALUE_H
#define HISTORY_VALUE_H

#include "run.h"

enum { VALUE_MAX = 80 * 1024 };

/* An entry whose parts are in buffer (VALUE_MAX bytes); its tags in tags (64). */
void value_make(const struct run *run, unsigned key, uint64_t version, uint64_t tags, int64_t epoch,
                uint8_t *buffer, struct larder_bytes *tag_room, struct larder_part parts[2],
                struct larder_entry *ret);
/* Which version it says it is; *ret_tags what it carries; *ret_whole: all of it is as it was made. */
uint64_t value_read(const struct run *run, unsigned key, const struct larder_entry *entry, uint64_t *ret_tags,
                    bool *ret_whole);

#endif
