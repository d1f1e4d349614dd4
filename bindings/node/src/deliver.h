/*
 * From answers to JavaScript values.  JavaScript thread only.
 *
 * One call of deliver(count, ...values) hands over many answers.  What is a number goes through
 * a Float64Array, which costs no call into V8; `values` holds the rest, in order.  An answer is
 * this record in the array:
 *
 *     slot            where JavaScript keeps the promise
 *     code            LARDER_DO_*
 *     outcome         GET, CHECK: verdict or an error class; else status
 *     known           the greatest epoch known
 *     contents        bits: 1 a detail text in values; 2 an entry; 4 a block; 8 texts in an array;
 *                     16 from here on, another slab
 *   and with an entry:
 *     epoch  modified  revalidate  expire (NaN: none, Infinity: never)
 *     trusted         until this time (CLOCK_MONOTONIC, ms) it may be given again; 0: not
 *     n
 *     n pairs, one for each part:
 *       (offset, length)   bytes of the block, or of the slab where there is no block
 *       (-1, length)       the next value; bytes of it in C, for a text
 *
 * values, for each answer: detail; or meta, the slab where it is another one, the block (a Buffer over all
 * binary parts) and the texts, as one array where they are many.  count -1: values[0] is the array of numbers to use
 * from now on; count -2: lines of the log (log_lines.h).
 *
 * MEMORY.  Large texts and blocks are not copied: V8 keeps a reference to the memory of each, and gives
 * it back when it collects them, perhaps after this environment has ended.  It collects Buffers
 * soon and strings late, so none of these keeps more of its answer than it lies in.  Small blocks are copied one
 * after the other into a slab, a Buffer of which JavaScript gives out views.
 */
#ifndef NODE_DELIVER_H
#define NODE_DELIVER_H

#include "client.h"

/* Gives the calls' answers to JavaScript; how many there were.  They are still to be freed.  A value
 * that cannot be made (no memory, the environment is ending) becomes an error or is dropped. */
size_t deliver(struct client *client, napi_value js_deliver, struct call *calls);

/* How many external values V8 holds, over all environments: for tests. */
size_t deliver_externals(void);

#endif
