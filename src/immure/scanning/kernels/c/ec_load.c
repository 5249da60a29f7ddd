/* From bytes in memory to numbers, and from numbers to the digits of the comb. */
#include "ec_internal.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the loads below are written for little-endian processors"
#endif

static int field_bits(int field) { return ec_portable[field].scalar_bits; }

int64_t ec_width(int field, int layout, int kind)
{
    if (field < 0 || field >= EC_FIELDS || layout < 0 || layout >= EC_LAYOUTS) return -1;
    int bits = field_bits(field), montgomery = field == EC_25519 || field == EC_448;
    if (kind == EC_SEED) return montgomery && layout == EC_LE ? (field == EC_448 ? 57 : 32) : -1;
    if (kind != EC_NUMBER && !(kind == EC_CLAMPED && montgomery)) return -1;
    if (layout == EC_LE) return 8 * ec_portable[field].limbs;
    if (layout == EC_BE) return (bits + 7) / 8;
    return layout == EC_BE32W ? (bits + 31) / 32 * 4 : (bits + 29) / 30 * 4;
}

static void load_be(uint64_t *scalar, const uint8_t *src, int width)
{
    uint8_t bytes[8 * EC_MAX_LIMBS] = {0};
    for (int i = 0; i < width; i++) bytes[i] = src[width - 1 - i];
    memcpy(scalar, bytes, sizeof bytes);
    ec_wipe(bytes, sizeof bytes);
}

static void load_be32w(uint64_t *scalar, const uint8_t *src, int words)
{
    for (int i = 0; i < words; i++) {
        uint32_t word;
        memcpy(&word, src + 4 * (words - 1 - i), 4);
        scalar[i / 2] |= (uint64_t)word << (32 * (i % 2));
    }
}

static int load_py30(uint64_t *scalar, const uint8_t *src, int digits)
{
    for (int i = 0; i < digits; i++) {
        uint32_t digit;
        memcpy(&digit, src + 4 * i, 4);
        if (digit >> 30) return 0;
        int at = 30 * i / 64, by = 30 * i % 64;
        scalar[at] |= (uint64_t)digit << by;
        if (by > 34) scalar[at + 1] |= (uint64_t)digit >> (64 - by);
    }
    return 1;
}

/* RFC 7748, section 5: a multiple of the cofactor, with the top bit set. */
static void clamp(uint64_t *scalar, int field)
{
    if (field == EC_25519) {
        scalar[0] &= ~(uint64_t)7;
        scalar[3] = (scalar[3] & 0x7fffffffffffffff) | 0x4000000000000000;
    } else {
        scalar[0] &= ~(uint64_t)3;
        scalar[6] |= 0x8000000000000000;
    }
}

int ec_load(uint64_t *scalar, const uint8_t *src, int field, int layout, int kind)
{
    int bits = field_bits(field), limbs = ec_portable[field].limbs, width = (int)ec_width(field, layout, kind);
    memset(scalar, 0, (EC_MAX_LIMBS + 2) * sizeof *scalar);
    if (kind == EC_SEED) {
        uint8_t digest[114];
        if (field == EC_448)
            ec_shake256_57(src, digest);
        else
            ec_sha512_32(src, digest);
        memcpy(scalar, digest, 8 * limbs);
        ec_wipe(digest, sizeof digest);
    } else if (layout == EC_LE) {
        memcpy(scalar, src, 8 * limbs);
    } else if (layout == EC_BE) {
        load_be(scalar, src, width);
    } else if (layout == EC_BE32W) {
        load_be32w(scalar, src, width / 4);
    } else if (!load_py30(scalar, src, width / 4)) {
        return 0;
    }
    uint64_t above = scalar[limbs];
    if (bits % 64) above |= scalar[limbs - 1] >> (bits % 64);
    if (kind != EC_NUMBER) clamp(scalar, field);
    return above == 0;
}

void ec_digits(uint16_t *digits, const uint64_t *scalar, const ec_comb *comb)
{
    uint64_t mask = ((uint64_t)1 << comb->bits) - 1;
    for (int i = 0; i < comb->windows; i++) {
        int at = i * comb->bits / 64, by = i * comb->bits % 64;
        uint64_t value = (scalar[at] >> by) | (scalar[at + 1] << 1 << (63 - by));
        digits[(size_t)i * EC_BATCH] = (uint16_t)(value & mask);
    }
}
