/* test_text.c once more, over the loops for processors without SSE2. */
#undef __SSE2__
#include "../../core/src/text.c"

#include "test_text.c"
