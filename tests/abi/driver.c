/* A driver may be written in C11 without extensions, or in C++: its export, and the macros that
 * the header offers, compile without warnings. */
#include "larder/driver.h"

struct config {
    const char *path;
    int64_t lanes;
};

static const struct larder_param params[] = {
    {"path", LARDER_P_TEXT, LARDER_AT(struct config, path), "", 0, 0, NULL, NULL, "where"},
    {"lanes", LARDER_P_INT, LARDER_AT(struct config, lanes), "1", 1, 8, NULL, NULL, "how many"},
};

/* clang-format off */
static const struct larder_driver driver = {
    sizeof(struct larder_driver), LARDER_ABI, 0, "none", NULL, "0", "nothing",
    params, 2, sizeof(params[0]), sizeof(struct config),
    NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL};
/* clang-format on */

LARDER_EXPORT_DRIVER(driver);

int has_flush(const struct larder_driver *d);
int has_flush(const struct larder_driver *d) {
    return LARDER_HAS(d, flush);
}
