/* Taking entries out of the store, one by one, and telling how many: larder rm. */
#ifndef CLI_REMOVAL_H
#define CLI_REMOVAL_H

#include "cli.h"

struct removal {
    uint64_t n;
    struct progress progress; /* begun where many are removed */
};

/* flags: LARDER_F_TELL where it is a few keys; many tell nobody, since each costs a mark. */
int remove_key(struct cli *cli, uint32_t kind, struct larder_bytes build, struct larder_bytes key,
               uint32_t flags);
/* For cli_each_key(), arg a struct removal: removes, or with --dry-run prints. */
int remove_listed(struct cli *cli, const struct larder_listed *key, void *arg);
void removal_tell(struct cli *cli, const struct removal *removal);

#endif
