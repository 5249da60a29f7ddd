/* Columns while they grow. Memory is kept from block to block. */
#ifndef IMMURE_COLUMNS_H
#define IMMURE_COLUMNS_H

#include <stdlib.h>

#include "json.h"

/* So many bytes may be written behind the end of a column of texts. */
enum { SLACK = 64 };

/* Texts, one behind the other: offsets[i] is the end of the i-th. */
typedef struct {
    uint8_t *bytes;
    int32_t *ends;
    size_t length, room, count, places;
} texts;

/* Lists of texts: ends[row] is the number of texts up to the end of the row. */
typedef struct {
    texts flat;
    int32_t *ends;
} lists;

/* Whether there is room for `count` more of `size` bytes each, now or after growing. */
static int grown(void **memory, size_t *room, size_t needed, size_t size) {
    if (LIKELY(needed <= *room)) return 1;
    size_t wanted = *room ? *room : 4096;
    while (wanted < needed) wanted *= 2;
    void *made = realloc(*memory, wanted * size);
    if (!made) return 0;
    *memory = made;
    *room = wanted;
    return 1;
}

INLINE int room_for(texts *column, size_t length) {
    return grown((void **)&column->bytes, &column->room, column->length + length + SLACK, 1) &&
           grown((void **)&column->ends, &column->places, column->count + 1, sizeof *column->ends);
}

/* Ends the text whose `length` bytes stand behind the others. */
INLINE void end_text(texts *column, size_t length) {
    column->length += length;
    column->ends[column->count++] = (int32_t)column->length;
}

/* Adds what a text means; `end`: up to where bytes may be read. 0 if there is no memory. */
INLINE int add_text(texts *column, span given, const uint8_t *end) {
    if (!room_for(column, given.length)) return 0;
    uint8_t *out = column->bytes + column->length;
    if (LIKELY(given.plain)) {
        if (LIKELY(given.length <= 48 && end - given.at >= 48))
            memcpy(out, given.at, 48); /* three loads and stores, whatever the length */
        else
            memcpy(out, given.at, given.length);
        end_text(column, given.length);
    } else {
        end_text(column, unescape(given, out));
    }
    return 1;
}

INLINE size_t aligned(size_t at) { return (at + 63) & ~(size_t)63; }

INLINE size_t size_of_bits(size_t rows) { return aligned((rows + 7) / 8); }

static size_t size_of_texts(const texts *column) {
    return size_of_bits(column->count) + aligned(4 * (column->count + 1)) + aligned(column->length);
}

static size_t size_of_lists(const lists *column, size_t rows) {
    return size_of_bits(rows) + aligned(4 * (rows + 1)) + size_of_texts(&column->flat);
}

/* Writes ends as offsets, and bits of which are not empty; returns how many are. */
static int64_t lay_offsets(const int32_t *ends, size_t count, uint8_t *bits, uint8_t *offsets) {
    int64_t nulls = 0;
    int32_t before = 0;
    memcpy(offsets, &before, 4);
    if (count) memcpy(offsets + 4, ends, 4 * count);
    for (size_t i = 0; i < count; i += 8) {
        unsigned byte = 0;
        for (size_t j = 0; j < 8 && i + j < count; j++) {
            unsigned full = ends[i + j] != before;
            before = ends[i + j];
            byte |= full << j;
            nulls += !full;
        }
        bits[i / 8] = (uint8_t)byte;
    }
    return nulls;
}

/* Each writes a column to out[at...] and four places; returns the place behind it. */
static size_t lay_texts(const texts *column, uint8_t *out, size_t at, int64_t *places) {
    size_t offsets = at + size_of_bits(column->count), bytes = offsets + aligned(4 * (column->count + 1));
    places[0] = lay_offsets(column->ends, column->count, out + at, out + offsets);
    places[1] = (int64_t)at, places[2] = (int64_t)offsets, places[3] = (int64_t)bytes;
    if (column->length) memcpy(out + bytes, column->bytes, column->length);
    return bytes + aligned(column->length);
}

static size_t lay_lists(const lists *column, size_t rows, uint8_t *out, size_t at, int64_t *places) {
    size_t offsets = at + size_of_bits(rows), behind = offsets + aligned(4 * (rows + 1));
    places[0] = lay_offsets(column->ends, rows, out + at, out + offsets);
    places[1] = (int64_t)at, places[2] = (int64_t)offsets, places[3] = 0;
    behind = lay_texts(&column->flat, out, behind, places + 4);
    places[4] = (int64_t)column->flat.count;
    return behind;
}

/* Numbers; the least of all stands for null. */
static size_t lay_numbers(const int64_t *given, size_t rows, uint8_t *out, size_t at, int64_t *places) {
    size_t numbers = at + size_of_bits(rows);
    int64_t nulls = 0;
    memset(out + at, 0, (rows + 7) / 8);
    for (size_t i = 0; i < rows; i++) {
        int full = given[i] != INT64_MIN;
        out[at + i / 8] |= (uint8_t)(full << i % 8);
        nulls += !full;
    }
    if (rows) memcpy(out + numbers, given, 8 * rows);
    places[0] = nulls, places[1] = (int64_t)at, places[2] = (int64_t)numbers, places[3] = 0;
    return numbers + aligned(8 * rows);
}

/* Flags: 0, 1, and -1 for null. */
static size_t lay_flags(const int8_t *given, size_t rows, uint8_t *out, size_t at, int64_t *places) {
    size_t values = at + size_of_bits(rows);
    int64_t nulls = 0;
    memset(out + at, 0, (rows + 7) / 8);
    memset(out + values, 0, (rows + 7) / 8);
    for (size_t i = 0; i < rows; i++) {
        out[at + i / 8] |= (uint8_t)((given[i] >= 0) << i % 8);
        out[values + i / 8] |= (uint8_t)((given[i] > 0) << i % 8);
        nulls += given[i] < 0;
    }
    places[0] = nulls, places[1] = (int64_t)at, places[2] = (int64_t)values, places[3] = 0;
    return values + size_of_bits(rows);
}

#endif
