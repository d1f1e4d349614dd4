/* The replies of DynamoDB's operations: where in the JSON the items stand, and what is left to do. */
#ifndef DYNAMODB_REPLY_H
#define DYNAMODB_REPLY_H

#include "item.h"

/* All answer false for what is no reply of that operation.  What they return points into it. */

/* GetItem ("Item") and UpdateItem ("Attributes"); *ret_there: it was in the reply. */
bool ddb_reply_item(struct larder_bytes body, const char *member, struct ddb_item *ret, bool *ret_there);

struct ddb_page {              /* of Query */
    struct larder_bytes items; /* a JSON array: read it with ddb_item_read() */
    bool has_more;
    struct ddb_item last; /* has_more: the key that the page ended with */
};
bool ddb_reply_page(struct larder_bytes body, struct ddb_page *ret);

struct ddb_batch_reply {       /* JSON arrays, empty where there were none */
    struct larder_bytes items; /* BatchGetItem */
    struct larder_bytes left;  /* keys or requests that were not processed, as they go into a request */
};
bool ddb_reply_batch(struct larder_bytes body, struct ddb_batch_reply *ret);

/* A JSON array: whether anything is in it. */
bool ddb_array_has_any(struct larder_bytes array);

#endif
