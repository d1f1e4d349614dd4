/* Mistake: the detail is what the store said, with its line breaks
 *
 * A body of XML or HTML, passed on.  Lines of a log that nobody wrote can be made that way.
 *
 * Caught by: limits/a_flag_of_the_future_is_refused_and_changes_nothing (a text that is not one line of UTF-8)
 */
#include "bad.h"

static void complete(struct larder_op *op, const struct larder_result *res) {
    struct larder_result wrong = *res;
    if (res->status < 0)
        wrong.detail = "<Error>\n  <Code>NotImplemented</Code>\n</Error>\n";
    the_host->complete(op, &wrong);
}

const struct mistake mistake = {.host.complete = complete};
