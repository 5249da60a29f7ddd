/* A mailbox: the columns of all records that were taken, and how one more gets into them. */
#ifndef IMMURE_ROWS_H
#define IMMURE_ROWS_H

#include "record.h"

#include "mailbox.h"

/* Texts that become columns, in the order of `columns`. */
enum {
    RECORD_ID, ACTION, MAILBOX, MAILBOX_ID, TENANT, TOKEN_TENANT, USER, USER_ID, LOGON, APP, CLIENT_APP, CLIENT_INFO, IP, SESSION,
    TOKEN_ID, TEXT_COLUMNS
};
enum { TIME, COUNT, TOKEN_IAT, NUMBER_COLUMNS };
enum { EXTERNAL, THROTTLED, SUCCEEDED, FLAG_COLUMNS };
enum { READ = 0, NAME_UNKNOWN = 1, NO_ARRAY = 2, NO_MEMORY = 3, MOST_COUNTERS = 512, ODD_WIDTH = 3, MOST_BYTES = 1 << 29 };

typedef struct {
    int64_t records, start, line;
} counter;

struct mailbox {
    record now;
    const uint8_t *buf, *end, *at;
    int array, strict;
    int64_t line;
    size_t rows, room;
    size_t begun[1 + TEXT_COLUMNS + 2][2]; /* lengths of the columns before this block, and of their texts; the rows are the first */
    size_t taken; /* bytes of all blocks of which there are rows */
    texts columns[TEXT_COLUMNS];
    lists folders, messages;
    int64_t *numbers[NUMBER_COLUMNS];
    int8_t *flags[FLAG_COLUMNS];
    counter counters[MOST_COUNTERS];
    int64_t *odd;
    size_t odd_count, odd_room;
    day today, issued;
};

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
    const int plain[][2] = {{RECORD_ID, T_ID}, {MAILBOX, T_OWNER}, {MAILBOX_ID, T_MAILBOX}, {TOKEN_TENANT, T_TOKEN_TENANT},
                            {USER, T_USER}, {APP, T_APP}, {CLIENT_INFO, T_INFO}};
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

#endif
