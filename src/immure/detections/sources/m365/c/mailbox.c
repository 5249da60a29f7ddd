/* MailItemsAccessed, as the Management API spells it. What a record may look like to be no odd one:
 *
 * - It is JSON to the last brace, with members whose names are ASCII, none twice that is read or counted.
 * - Operation, Workload, RecordType, ResultStatus, LogonType and the flags have the values of record.h, times those of values.h.
 * - Id and CreationTime are there. All texts are UTF-8, and those that are read have no half of a surrogate pair.
 * - OperationProperties has pairs of Name and Value; Folders, FolderItems and Item hold objects.
 *
 * A record is read into `now`, and goes to the columns only when its last byte was looked at. */
#include "rows.h"

mailbox *mailbox_new(void) {
    mailbox *box = calloc(1, sizeof *box);
    if (box && !record_prepare(&box->now)) {
        mailbox_free(box);
        return NULL;
    }
    return box;
}

void mailbox_free(mailbox *box) {
    if (!box) return;
    for (int i = 0; i < TEXT_COLUMNS; i++) free(box->columns[i].bytes), free(box->columns[i].ends);
    lists *both[] = {&box->folders, &box->messages};
    for (int i = 0; i < 2; i++) free(both[i]->flat.bytes), free(both[i]->flat.ends), free(both[i]->ends);
    for (int i = 0; i < NUMBER_COLUMNS; i++) free(box->numbers[i]);
    for (int i = 0; i < FLAG_COLUMNS; i++) free(box->flags[i]);
    free(box->odd);
    free(box->now.folders.all);
    free(box->now.messages.all);
    free(box);
}

int mailbox_learn(mailbox *box, const uint8_t *given, size_t length, int within, int what) {
    if (what < -2 || what >= MOST_COUNTERS) return 0;
    return learn(within ? &box->now.context : &box->now.top, given, length, what >= 0 ? COUNTED + what : what == -1 ? ODD : IGNORED);
}

/* All columns of texts. */
static texts *column_of(mailbox *box, int number) {
    if (number < TEXT_COLUMNS) return &box->columns[number];
    return number == TEXT_COLUMNS ? &box->folders.flat : &box->messages.flat;
}

static void mark(mailbox *box) {
    box->begun[0][0] = box->rows;
    for (int i = 0; i < TEXT_COLUMNS + 2; i++) {
        const texts *column = column_of(box, i);
        box->begun[i + 1][0] = column->count, box->begun[i + 1][1] = column->length;
    }
}

void mailbox_undo(mailbox *box) {
    box->rows = box->begun[0][0];
    for (int i = 0; i < TEXT_COLUMNS + 2; i++) {
        texts *column = column_of(box, i);
        column->count = box->begun[i + 1][0], column->length = box->begun[i + 1][1];
    }
}

void mailbox_clear(mailbox *box) {
    memset(box->begun, 0, sizeof box->begun);
    box->taken = 0;
    mailbox_undo(box);
}

int mailbox_begin(mailbox *box, const uint8_t *buf, size_t nbytes, int array, int strict) {
    if (!box->rows) box->taken = 0;
    if (nbytes > MOST_BYTES - box->taken) return 0;
    box->buf = box->at = buf;
    box->end = buf + nbytes;
    box->array = array, box->strict = strict;
    box->line = 0;
    box->odd_count = 0;
    box->now.closed = 0;
    box->taken += nbytes;
    mark(box);
    memset(box->counters, 0, sizeof box->counters);
    return 1;
}

void mailbox_close(mailbox *box) { box->now.closed = 1; }

int mailbox_name(const mailbox *box, int64_t *place) {
    place[0] = box->now.unknown.at - box->buf;
    place[1] = box->now.unknown.length;
    return box->now.unknown_within;
}

/* --- blocks --- */

static void count_members(mailbox *box, const uint8_t *start) {
    for (int i = 0; i < box->now.counted; i++) {
        counter *one = &box->counters[box->now.counters[i]];
        if (!one->records++) one->start = start - box->buf, one->line = box->line;
    }
}

static int add_odd(mailbox *box, const uint8_t *start, const uint8_t *end) {
    if (!grown((void **)&box->odd, &box->odd_room, ODD_WIDTH * (box->odd_count + 1), sizeof *box->odd)) return NO_MEMORY;
    int64_t *out = box->odd + ODD_WIDTH * box->odd_count++;
    out[0] = start - box->buf, out[1] = end - box->buf, out[2] = box->line;
    return READ;
}

/* A record at p, and the row of it: *behind is what follows; NULL if it is an odd one. */
static int one_record(mailbox *box, const uint8_t *p, const uint8_t **behind) {
    *behind = record_read(&box->now, p, box->end, box->array);
    if (box->now.no_memory) return NO_MEMORY;
    if (!*behind) return box->now.unknown.at ? NAME_UNKNOWN : READ;
    *behind = space(*behind, box->array);
    if (*behind != box->end && **behind != (box->array ? ',' : '\n')) {
        *behind = NULL;
        return READ;
    }
    int made = add_row(box);
    if (made < 0) *behind = NULL;
    return made < 0 ? READ : made;
}

static int read_lines(mailbox *box) {
    while (box->at < box->end) {
        const uint8_t *start = box->at, *p = space(start, 0), *behind = NULL;
        int nothing = p == box->end || *p == '\n', bad = READ;
        if (nothing && !box->strict)
            behind = p;
        else if ((bad = one_record(box, p, &behind)))
            return bad;
        else if (behind)
            count_members(box, start);
        if (!behind) {
            behind = memchr(start, '\n', (size_t)(box->end - start));
            if (!behind) behind = box->end;
            if (add_odd(box, start, behind)) return NO_MEMORY;
        }
        box->at = behind == box->end ? behind : behind + 1;
        box->line++;
    }
    return READ;
}

static int read_array(mailbox *box) {
    for (;;) {
        const uint8_t *start = space(box->at, 1), *behind = NULL;
        box->at = start;
        if (*start != '{') return NO_ARRAY;
        int bad = one_record(box, start, &behind);
        if (bad) return bad;
        if (behind) {
            count_members(box, start);
        } else {
            behind = skip_brackets(start, box->end);
            if (!behind || add_odd(box, start, behind)) return behind ? NO_MEMORY : NO_ARRAY;
            behind = space(behind, 1);
        }
        if (behind == box->end) return READ;
        if (*behind != ',') return NO_ARRAY;
        box->at = behind + 1;
    }
}

int mailbox_read(mailbox *box) {
    int made = box->array ? read_array(box) : read_lines(box);
    if (made == NO_ARRAY || made == NO_MEMORY) mailbox_undo(box);
    return made;
}

/* --- what was read --- */

void mailbox_counts(mailbox *box, int64_t *counts) {
    size_t rows = box->rows, size = size_of_lists(&box->folders, rows) + size_of_lists(&box->messages, rows);
    for (int i = 0; i < TEXT_COLUMNS; i++) size += size_of_texts(&box->columns[i]);
    size += NUMBER_COLUMNS * (size_of_bits(rows) + aligned(8 * rows)) + FLAG_COLUMNS * 2 * size_of_bits(rows);
    counts[0] = (int64_t)rows, counts[1] = (int64_t)(rows - box->begun[0][0]);
    counts[2] = (int64_t)box->odd_count, counts[3] = (int64_t)size;
}

void mailbox_odd(const mailbox *box, int64_t *out) {
    if (box->odd_count) memcpy(out, box->odd, ODD_WIDTH * sizeof *out * box->odd_count);
}

void mailbox_counters(const mailbox *box, int64_t *out, size_t count) {
    for (size_t i = 0; i < count && i < MOST_COUNTERS; i++) {
        const counter *one = &box->counters[i];
        *out++ = one->records, *out++ = one->start, *out++ = one->line;
    }
}

void mailbox_lay(const mailbox *box, uint8_t *out, int64_t *places) {
    size_t at = 0;
    for (int i = 0; i < TEXT_COLUMNS; i++, places += 4) at = lay_texts(&box->columns[i], out, at, places);
    for (int i = 0; i < NUMBER_COLUMNS; i++, places += 4) at = lay_numbers(box->numbers[i], box->rows, out, at, places);
    for (int i = 0; i < FLAG_COLUMNS; i++, places += 4) at = lay_flags(box->flags[i], box->rows, out, at, places);
    at = lay_lists(&box->folders, box->rows, out, at, places);
    lay_lists(&box->messages, box->rows, out, at, places + 8);
}
