/*
 * The arithmetic of tags: merging marks, and what marks say of an entry.  Pure functions;
 * docs/semantics.md, "Tags".
 */
#ifndef CORE_MARKS_H
#define CORE_MARKS_H

#include "larder/larder.h"

/* What is stored for a tag after `add` arrives; `stored` NULL: nothing yet.  The same whatever
 * the order of arrival.  The tag member of the result is add's.  Drivers that merge in C use
 * the same rule: larder/merge.h is this function for them. */
struct larder_mark mark_merge(const struct larder_mark *stored, const struct larder_mark *add,
                              int64_t now_ms);

/* LARDER_FRESH, _STALE or _GONE: an entry of this epoch under one mark. */
uint32_t mark_verdict(const struct larder_mark *mark, int64_t epoch, int64_t now_ms);

/* The greatest epoch a mark mentions; 0 where none. */
int64_t mark_epoch(const struct larder_mark *mark);

#endif
