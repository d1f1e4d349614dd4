/* The counters of a store as JavaScript reads them.  Functions of a store's object. */
#ifndef NODE_STORE_METRICS_H
#define NODE_STORE_METRICS_H

#include <node_api.h>

/* stats(): an object of numbers, with `instances`, one object for each driver instance. */
napi_value js_stats(napi_env env, napi_callback_info info);
/* metrics(format, names, values): text; format 1 Prometheus, 2 OTLP/JSON; the labels of every point as
 * two arrays of texts.  undefined: no memory, or no such format. */
napi_value js_metrics(napi_env env, napi_callback_info info);

#endif
