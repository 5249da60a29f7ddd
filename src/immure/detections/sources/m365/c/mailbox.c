/* MailItemsAccessed, as the Management API spells it. What a record may look like to be no odd one:
 *
 * - It is JSON to the last brace, with members whose names are ASCII, none twice that is read or counted.
 * - Operation, Workload, RecordType, ResultStatus, LogonType and the flags have the values of FEW, times those of values.h.
 * - Id and CreationTime are there. All texts are UTF-8, and those that are read have no half of a surrogate pair.
 * - OperationProperties has pairs of Name and Value; Folders, FolderItems and Item hold objects.
 *
 * A record is read into `now`, and goes to the columns only when its last byte was looked at. */
#include "record.h"

#include "mailbox.h"

/* Texts that become columns, in the order of `columns`. */
enum { RECORD_ID, ACTION, MAILBOX, MAILBOX_ID, TENANT, TOKEN_TENANT, USER, USER_ID, LOGON, APP, CLIENT_APP, CLIENT_INFO, IP, SESSION, TOKEN_ID, TEXT_COLUMNS };
enum { TIME, COUNT, TOKEN_IAT, NUMBER_COLUMNS };
enum { EXTERNAL, THROTTLED, SUCCEEDED, FLAG_COLUMNS };
enum { READ = 0, NAME_UNKNOWN = 1, NO_ARRAY = 2, NO_MEMORY = 3, MOST_COUNTERS = 512, ODD_WIDTH = 3 };

typedef struct {
    int64_t records, start, line;
} counter;

struct mailbox {
    record now;
    const uint8_t *buf, *end, *at;
    int array, strict;
    int64_t line;
    size_t rows, room;
    texts columns[TEXT_COLUMNS];
    lists folders, messages;
    int64_t *numbers[NUMBER_COLUMNS];
    int8_t *flags[FLAG_COLUMNS];
    counter counters[MOST_COUNTERS];
    int64_t *odd;
    size_t odd_count, odd_room;
    day today, issued;
};

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

int mailbox_begin(mailbox *box, const uint8_t *buf, size_t nbytes, int array, int strict) {
    if (nbytes > 1u << 29) return 0; /* what is written of it must have offsets of 31 bits */
    box->buf = box->at = buf;
    box->end = buf + nbytes;
    box->array = array, box->strict = strict;
    box->line = 0;
    box->rows = box->odd_count = 0;
    box->now.closed = 0;
    for (int i = 0; i < TEXT_COLUMNS; i++) box->columns[i].length = box->columns[i].count = 0;
    box->folders.flat.length = box->folders.flat.count = 0;
    box->messages.flat.length = box->messages.flat.count = 0;
    memset(box->counters, 0, sizeof box->counters);
    return 1;
}

void mailbox_close(mailbox *box) { box->now.closed = 1; }

int mailbox_name(const mailbox *box, int64_t *place) {
    place[0] = box->now.unknown.at - box->buf;
    place[1] = box->now.unknown.length;
    return box->now.unknown_within;
}

/* Room for one more row in the columns that have a value in each. */
static int one_more(mailbox *box) {
    if (LIKELY(box->rows < box->room)) return 1;
    size_t wanted = box->room ? 2 * box->room : 1024;
    void **all[NUMBER_COLUMNS + FLAG_COLUMNS + 2];
    size_t sizes[NUMBER_COLUMNS + FLAG_COLUMNS + 2], count = 0;
    for (int i = 0; i < NUMBER_COLUMNS; i++) sizes[count] = 8, all[count++] = (void **)&box->numbers[i];
    for (int i = 0; i < FLAG_COLUMNS; i++) sizes[count] = 1, all[count++] = (void **)&box->flags[i];
    sizes[count] = 4, all[count++] = (void **)&box->folders.ends;
    sizes[count] = 4, all[count++] = (void **)&box->messages.ends;
    for (size_t i = 0; i < count; i++) {
        void *made = realloc(*all[i], wanted * sizes[i]);
        if (!made) return 0;
        *all[i] = made;
    }
    box->room = wanted;
    return 1;
}

/* --- from a record to a row --- */

/* The value of the first member that has one. */
INLINE span first_of(const record *now, int one, int other) { return now->texts[one].length ? now->texts[one] : now->texts[other]; }

static int add_list(lists *column, const spans *given, size_t row, const uint8_t *end) {
    for (size_t i = 0; i < given->count; i++)
        if (!add_text(&column->flat, given->all[i], end)) return 0;
    column->ends[row] = (int32_t)column->flat.count;
    return 1;
}

/* Whether a record is as it must be; then `times` and the address and the token in their columns are made, but not ended. */
static int is_usual(mailbox *box, int64_t *times, size_t *address, int *token) {
    const record *now = &box->now;
    const span *texts = now->texts;
    if (!texts[T_ID].length || !(now->seen & BIT(M_OPERATION)) || !(now->seen & BIT(M_WORKLOAD))) return 0;
    if (box->strict && (!texts[T_USER].length || !(now->seen & BIT(M_RECORD_TYPE)))) return 0;
    for (int i = 0; i < TEXTS; i++)
        if (!texts[i].whole) return 0;
    if (!time_of(texts[T_TIME], &box->today, &times[0])) return 0;
    times[1] = INT64_MIN;
    if (texts[T_ISSUED].length) {
        if (!time_of(texts[T_ISSUED], &box->issued, &times[1])) return 0;
        times[1] = times[1] >= 1000000 ? times[1] / 1000000 : INT64_MIN;
    }
    *address = 0;
    span ip = first_of(now, T_IP_ADDRESS, T_IP);
    if (ip.length && (!ip.plain || !(*address = address_of(ip, box->columns[IP].bytes + box->columns[IP].length)))) return 0;
    *token = 0;
    if (texts[T_TOKEN].length) *token = token_of(texts[T_TOKEN], box->columns[TOKEN_ID].bytes + box->columns[TOKEN_ID].length);
    return *token >= 0;
}

static span words_of(const char *words) {
    span made = {(const uint8_t *)words, (uint32_t)strlen(words), 1, 1};
    return made;
}

/* Adds the row of `now`. READ, NO_MEMORY, or -1 if the record is an odd one. */
static int add_row(mailbox *box) {
    static const char *const logons[] = {"", "owner", "admin", "delegate", "transport", "system", "best-access", "delegated-admin"};
    const record *now = &box->now;
    const span *texts = now->texts;
    const uint8_t *end = box->end;
    int64_t times[2];
    size_t address, row = box->rows;
    int token;
    if (!one_more(box) || !room_for(&box->columns[IP], LONGEST_ADDRESS + texts[T_IP_ADDRESS].length + texts[T_IP].length) ||
        !room_for(&box->columns[TOKEN_ID], 64))
        return NO_MEMORY;
    if (!is_usual(box, times, &address, &token)) return -1;
    const int plain[][2] = {{RECORD_ID, T_ID}, {MAILBOX, T_OWNER}, {MAILBOX_ID, T_MAILBOX}, {TOKEN_TENANT, T_TOKEN_TENANT}, {USER, T_USER}, {APP, T_APP}, {CLIENT_INFO, T_INFO}};
    int ok = 1;
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++) ok &= add_text(&box->columns[plain[i][0]], texts[plain[i][1]], end);
    ok &= add_text(&box->columns[TENANT], first_of(now, T_ORGANIZATION, T_ORGANIZATION_NAME), end);
    ok &= add_text(&box->columns[USER_ID], first_of(now, T_TOKEN_OBJECT, T_USER_KEY), end);
    ok &= add_text(&box->columns[CLIENT_APP], first_of(now, T_CLIENT_APP, T_CONTEXT_CLIENT_APP), end);
    ok &= add_text(&box->columns[SESSION], first_of(now, T_CONTEXT_SESSION, T_SESSION), end);
    span action = {now->access.action, now->access.length, 1, 1};
    ok &= add_text(&box->columns[ACTION], action, now->access.action + sizeof now->access.action);
    span logon = words_of(logons[now->logon + 1]);
    ok &= add_text(&box->columns[LOGON], logon, logon.at + logon.length);
    ok &= add_list(&box->folders, &now->folders, row, end) & add_list(&box->messages, &now->messages, row, end);
    if (!ok) return NO_MEMORY;
    end_text(&box->columns[IP], address);
    end_text(&box->columns[TOKEN_ID], (size_t)token);
    box->numbers[TIME][row] = times[0];
    box->numbers[COUNT][row] = now->count;
    box->numbers[TOKEN_IAT][row] = times[1];
    box->flags[EXTERNAL][row] = now->external;
    box->flags[THROTTLED][row] = now->access.throttled;
    box->flags[SUCCEEDED][row] = now->succeeded;
    box->rows++;
    return READ;
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

int mailbox_read(mailbox *box) { return box->array ? read_array(box) : read_lines(box); }

/* --- what was read --- */

void mailbox_counts(mailbox *box, int64_t *counts) {
    size_t rows = box->rows, size = size_of_lists(&box->folders, rows) + size_of_lists(&box->messages, rows);
    for (int i = 0; i < TEXT_COLUMNS; i++) size += size_of_texts(&box->columns[i]);
    size += NUMBER_COLUMNS * (size_of_bits(rows) + aligned(8 * rows)) + FLAG_COLUMNS * 2 * size_of_bits(rows);
    counts[0] = (int64_t)rows, counts[1] = (int64_t)box->odd_count, counts[2] = (int64_t)size;
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
