#include "ec_internal.h"
int ec_has_ifma(void) { return 0; }
const ec_ops ec_ifma[EC_FIELDS] = {{0}};
