/* A library that one of the drivers needs and that is not where the linker looks. */
#include "larder/driver.h"

LARDER_PUBLIC void larder_test_nobody_has_this(void);
void larder_test_nobody_has_this(void) {}
