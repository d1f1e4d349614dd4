/* A store as JavaScript holds it: an object whose functions make calls.  native.js says what
 * each takes; it is the only caller. */
#ifndef NODE_STORE_OBJECT_H
#define NODE_STORE_OBJECT_H

#include "client.h"

napi_status store_object_new(struct handle *handle, napi_value *ret);

#endif
