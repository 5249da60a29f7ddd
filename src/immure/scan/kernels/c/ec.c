#include <stdint.h>
#include "ec.h"
uint64_t ec_version(void) { return 1; }
