/* Times, addresses and identifiers of tokens, in the ways in which nearly all are written; 0 for any other, which says nothing of it. */
#ifndef IMMURE_VALUES_H
#define IMMURE_VALUES_H

#include "json.h"

enum { LONGEST_ADDRESS = 45 };

/* The day that was read last: most times of a log are of the same. */
typedef struct {
    uint8_t text[10];
    int64_t days;
} day;

INLINE int two(const uint8_t *p) { return is_digit(p[0]) && is_digit(p[1]) ? (p[0] - '0') * 10 + p[1] - '0' : -1; }

/* Days since 1970 of YYYY-MM-DD from that year on, or -1 (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms"). */
static int64_t days_of(const uint8_t *p) {
    static const uint8_t lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int high = two(p), low = two(p + 2), month = two(p + 5), dom = two(p + 8), year = high * 100 + low;
    if (high < 0 || low < 0 || p[4] != '-' || p[7] != '-' || year < 1970 || month < 1 || month > 12 || dom < 1) return -1;
    int leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    if (dom > lengths[month - 1] + (month == 2 && leap)) return -1;
    year -= month <= 2;
    int era = year / 400, yoe = year - era * 400;
    int doy = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + dom - 1;
    return (int64_t)era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

/* YYYY-MM-DDTHH:MM:SS, perhaps with a fraction, perhaps with Z, as microseconds since 1970. */
static int time_of(span given, day *last, int64_t *out) {
    const uint8_t *p = given.at;
    if (!given.plain || given.length < 19) return 0;
    if (memcmp(p, last->text, 10)) {
        int64_t days = days_of(p);
        if (days < 0) return 0;
        last->days = days;
        memcpy(last->text, p, 10);
    }
    int hour = two(p + 11), minute = two(p + 14), second = two(p + 17);
    if ((p[10] != 'T' && p[10] != ' ') || p[13] != ':' || p[16] != ':') return 0;
    if ((unsigned)hour > 23 || (unsigned)minute > 59 || (unsigned)second > 59) return 0;
    int64_t micro = 0;
    const uint8_t *end = p + given.length;
    p += 19;
    if (p < end && *p == '.') {
        int64_t unit = 100000;
        const uint8_t *begun = ++p;
        for (; p < end && is_digit(*p); p++, unit /= 10) micro += unit * (*p - '0');
        if (p == begun || p - begun > 9) return 0;
    }
    if (p < end && *p == 'Z') p++;
    if (p != end) return 0;
    *out = (((last->days * 24 + hour) * 60 + minute) * 60 + second) * 1000000 + micro;
    return 1;
}

/* Length of four groups of one to three digits at the beginning, or 0. */
static size_t dotted(const uint8_t *p, size_t length) {
    size_t at = 0;
    for (int group = 0; group < 4; group++) {
        size_t begun = at;
        if (group && (at >= length || p[at] != '.')) return 0;
        begun = at += group > 0;
        while (at < length && at - begun < 3 && is_digit(p[at])) at++;
        if (at == begun) return 0;
    }
    return at;
}

/* Whether this is nothing, or a colon and one to five digits. */
static int is_port(const uint8_t *p, size_t length) {
    if (!length) return 1;
    if (p[0] != ':' || length < 2 || length > 6) return 0;
    for (size_t i = 1; i < length; i++)
        if (!is_digit(p[i])) return 0;
    return 1;
}

/* An address without port and brackets, in small letters; writes at most as many bytes as are given. Returns their number. */
static size_t address_of(span given, uint8_t *out) {
    static const uint8_t mapped[] = "::ffff:";
    const uint8_t *p = given.at;
    size_t length = given.length, four = dotted(p, length);
    if (four && is_port(p + four, length - four)) {
        memcpy(out, p, four);
        return four;
    }
    if (length && p[0] == '[') {
        const uint8_t *close = memchr(p, ']', length);
        if (!close || close - p < 3 || !is_port(close + 1, length - (size_t)(close + 1 - p))) return 0;
        length = (size_t)(close - ++p);
    }
    if (length < 2 || length > LONGEST_ADDRESS) return 0;
    for (size_t i = 0; i < length; i++) {
        if (hex_digit(p[i]) < 0 && p[i] != ':' && p[i] != '.') return 0;
        out[i] = p[i] | (p[i] >= 'A' && p[i] <= 'F' ? 32 : 0);
    }
    if (length > 7 && !memcmp(out, mapped, 7) && (four = dotted(out + 7, length - 7)) && is_port(out + 7 + four, length - 7 - four)) {
        memmove(out, out + 7, four);
        return four;
    }
    return length;
}

/* Whether these 36 bytes are a GUID; writes it in small letters. */
static int guid(const uint8_t *p, uint8_t *out) {
    for (int i = 0; i < 36; i++) {
        int dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash ? p[i] != '-' : hex_digit(p[i]) < 0) return 0;
        out[i] = dash ? '-' : p[i] | 32;
    }
    return 1;
}

/* Bytes of base64 or base64url, 3 for every 4 of `length`, which is a multiple of 2; 0 if it has other characters. */
static int base64(const uint8_t *p, size_t length, uint8_t *out) {
    uint32_t bits = 0;
    int have = 0;
    for (size_t i = 0; i < length; i++) {
        uint8_t c = p[i];
        uint32_t six;
        if ((uint8_t)(c - 'A') < 26) six = c - 'A';
        else if ((uint8_t)(c - 'a') < 26) six = c - 'a' + 26u;
        else if (is_digit(c)) six = c - '0' + 52u;
        else if (c == '+' || c == '-') six = 62;
        else if (c == '/' || c == '_') six = 63;
        else return 0;
        bits = bits << 6 | six;
        if ((have += 6) >= 8) *out++ = (uint8_t)(bits >> (have -= 8));
    }
    return 1;
}

/* A GUID from the 16 bytes that .NET writes of it. */
static void from_little_endian(const uint8_t *raw, uint8_t *out) {
    static const uint8_t order[16] = {3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15};
    static const char digits[] = "0123456789abcdef";
    for (int i = 0; i < 16; i++) {
        *out++ = (uint8_t)digits[raw[order[i]] >> 4];
        *out++ = (uint8_t)digits[raw[order[i]] & 15];
        if (i == 3 || i == 5 || i == 7 || i == 9) *out++ = '-';
    }
}

/* The identifier of a token as a GUID of 36 bytes. Returns 36; 0 if it stands for none; -1 if it is written otherwise. */
static int token_of(span given, uint8_t *out) {
    uint8_t raw[36];
    const uint8_t *p = given.at;
    size_t length = given.length;
    if (!given.plain) return -1;
    if (length == 38 && p[0] == '{' && p[37] == '}') p++, length = 36;
    if (length == 36) {
        if (!guid(p, out)) return -1;
    } else if (length == 22 || (length == 24 && p[22] == '=' && p[23] == '=')) {
        if (!base64(p, 22, raw)) return -1;
        from_little_endian(raw, out);
    } else if (length != 48 || !base64(p, 48, raw) || !guid(raw, out)) {
        return -1;
    }
    return memcmp(out, "00000000-0000-0000-0000-000000000000", 36) ? 36 : 0;
}

#endif
