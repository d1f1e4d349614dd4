/* What driver and server of this example say to each other, on one machine: a request, its key and
 * value; then a reply and its value.  Replies come in the order of the requests. */
#ifndef SKELETON_WIRE_H
#define SKELETON_WIRE_H

#include <stdint.h>

enum verb { VERB_PING, VERB_GET, VERB_PUT, VERB_PUT_IF_ABSENT, VERB_REMOVE };

struct request {
    uint64_t verb, key_len, value_len;
    int64_t modified_ms, epoch;
};

struct reply {
    int64_t status; /* LARDER_OK or LARDER_MISS */
    uint64_t value_len;
    int64_t modified_ms, epoch;
};

enum { LARGEST_KEY = 1 << 20, LARGEST_VALUE = 64 << 20 };

#endif
