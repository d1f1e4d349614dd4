/* The core's own frames, to compare this driver's with. */
#ifndef S3_TEST_FRAME_OF_CORE_H
#define S3_TEST_FRAME_OF_CORE_H

#include <stdbool.h>

#include "larder/driver.h"

/* Whether the core decodes it. */
bool core_reads(struct larder_bytes frame);
/* A page with the key "/blog", epoch 5, two tags and four parts, of which the third is the first again. */
struct larder_bytes core_writes(uint8_t *room, size_t size);

#endif
