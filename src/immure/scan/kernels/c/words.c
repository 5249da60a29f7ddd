#include <stdint.h>
#include "words.h"
uint64_t words_version(void) { return 1; }
