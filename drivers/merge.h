/* Moved: include "larder/merge.h". */
#include "larder/merge.h"
