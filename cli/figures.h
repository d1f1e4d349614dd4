/* Figures of a few characters, for tables. */
#ifndef CLI_FIGURES_H
#define CLI_FIGURES_H

#include <stdint.h>

enum { FIGURE_TEXT = 24 };

const char *count_text(uint64_t count, char out[FIGURE_TEXT]);   /* 9999, 12.3k, 4.56M */
const char *rate_text(double per_second, char out[FIGURE_TEXT]); /* 0, 0.3, 12.5, 1.23k */
const char *bytes_text(uint64_t bytes, char out[FIGURE_TEXT]);   /* 0B, 12.3MB */
const char *ns_text(uint64_t ns, char out[FIGURE_TEXT]);         /* 640ns, 21us, 3.25ms, 1.2s; - for 0 */
const char *age_text(int64_t ms, char out[FIGURE_TEXT]);         /* 12s, 3min, 2h 05min, 3d 4h */
/* 96.1%, or "-" of nothing. */
const char *percent_text(uint64_t part, uint64_t whole, char out[FIGURE_TEXT]);

#endif
