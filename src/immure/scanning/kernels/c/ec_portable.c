/* The portable kernel: the template of ec_comb.inc.h for each field. */
#include <stdlib.h>

#include "ec_internal.h"
#include "ec_reduce.h"

#define FIELD p256
#define LIMBS 4
#define BITS 256
#define REDUCE reduce_p256
#define PRIME {0xffffffffffffffff, 0x00000000ffffffff, 0, 0xffffffff00000001}
#define UNIT {1, 0xffffffff00000000, 0xffffffffffffffff, 0x00000000fffffffe}
#define ENTER {0x0000000000000003, 0xfffffffbffffffff, 0xfffffffffffffffe, 0x00000004fffffffd}
#include "ec_comb.inc.h"

#define FIELD k256
#define LIMBS 4
#define BITS 256
#define REDUCE reduce_k256
#define PRIME {0xfffffffefffffc2f, 0xffffffffffffffff, 0xffffffffffffffff, 0xffffffffffffffff}
#define UNIT {1, 0, 0, 0}
#define ENTER {1, 0, 0, 0}
#include "ec_comb.inc.h"

#define FIELD f25519
#define LIMBS 4
#define BITS 256
#define REDUCE reduce_25519
#define PRIME {0xffffffffffffffed, 0xffffffffffffffff, 0xffffffffffffffff, 0x7fffffffffffffff}
#define UNIT {1, 0, 0, 0}
#define ENTER {1, 0, 0, 0}
#include "ec_comb.inc.h"

#define FIELD p384
#define LIMBS 6
#define BITS 384
#define REDUCE reduce_p384
#define PRIME \
    {0x00000000ffffffff, 0xffffffff00000000, 0xfffffffffffffffe, 0xffffffffffffffff, 0xffffffffffffffff, \
    0xffffffffffffffff}
#define UNIT {0xffffffff00000001, 0x00000000ffffffff, 1, 0, 0, 0}
#define ENTER {0xfffffffe00000001, 0x0000000200000000, 0xfffffffe00000000, 0x0000000200000000, 1, 0}
#include "ec_comb.inc.h"

#define FIELD f448
#define LIMBS 7
#define BITS 448
#define REDUCE reduce_448
#define PRIME \
    {0xffffffffffffffff, 0xffffffffffffffff, 0xffffffffffffffff, 0xfffffffeffffffff, 0xffffffffffffffff, \
    0xffffffffffffffff, 0xffffffffffffffff}
#define UNIT {1, 0, 0, 0, 0, 0, 0}
#define ENTER {1, 0, 0, 0, 0, 0, 0}
#include "ec_comb.inc.h"

#define FIELD p521
#define LIMBS 9
#define BITS 521
#define REDUCE reduce_p521
#define PRIME \
    {0xffffffffffffffff, 0xffffffffffffffff, 0xffffffffffffffff, 0xffffffffffffffff, 0xffffffffffffffff, \
    0xffffffffffffffff, 0xffffffffffffffff, 0xffffffffffffffff, 0x00000000000001ff}
#define UNIT {1, 0, 0, 0, 0, 0, 0, 0, 0}
#define ENTER {1, 0, 0, 0, 0, 0, 0, 0, 0}
#include "ec_comb.inc.h"

const ec_ops ec_portable[EC_FIELDS] = {
    EC_OPS(p256),
    EC_OPS(k256),
    EC_OPS(f25519),
    EC_OPS(p384),
    EC_OPS(f448),
    EC_OPS(p521),
};
