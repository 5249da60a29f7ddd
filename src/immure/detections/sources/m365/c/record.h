/* One record: its members, read into a struct that is used again for the next. */
#ifndef IMMURE_RECORD_H
#define IMMURE_RECORD_H

#include "names.h"
#include "parts.h"
#include "values.h"

#define BIT(number) (1ull << (number))

/* Members that are texts (or null, which is as an empty one): of the record, then of AppAccessContext. */
enum {
    T_ID, T_TIME, T_ORGANIZATION, T_ORGANIZATION_NAME, T_USER, T_USER_KEY, T_APP, T_CLIENT_APP, T_IP_ADDRESS, T_IP, T_INFO, T_MAILBOX,
    T_OWNER, T_SESSION, T_TOKEN_TENANT, T_TOKEN_OBJECT, T_CONTEXT_SESSION, T_CONTEXT_CLIENT_APP, T_ISSUED, T_TOKEN, TEXTS,
    M_OPERATION = TEXTS, M_WORKLOAD, M_RECORD_TYPE, M_STATUS, M_LOGON, M_EXTERNAL, M_COUNT, M_CONTEXT, M_PROPERTIES, M_FOLDERS, M_ITEM,
    IGNORED, ODD, COUNTED
};
enum { MOST_MEMBERS = 256, MOST_COUNTED = 32, LONGEST_COUNT = 18 };

static const char *const top_names[] = {
    "Id", "CreationTime", "OrganizationId", "OrganizationName", "UserId", "UserKey", "AppId", "ClientAppId", "ClientIPAddress", "ClientIP",
    "ClientInfoString", "MailboxGuid", "MailboxOwnerUPN", "SessionId", "TokenTenantId", "TokenObjectId", NULL, NULL, NULL, NULL,
    "Operation", "Workload", "RecordType", "ResultStatus", "LogonType", "ExternalAccess", "OperationCount", "AppAccessContext",
    "OperationProperties", "Folders", "Item"};
static const char *const context_names[] = {"AADSessionId", "ClientAppId", "IssuedAtTime", "UniqueTokenId"};

typedef struct {
    names top, context;
    kept_kind kept[KEPT];
    unsigned next_kept;
    int closed; /* names that are not known are odd */

    span texts[TEXTS];
    uint64_t seen;
    access_kind access;
    spans folders, messages;
    int64_t count;
    int8_t external, succeeded, logon;
    uint16_t counters[MOST_COUNTED];
    int counted, members, no_memory;
    span unknown;
    int unknown_within;
    const uint8_t *item;
} record;

static int record_prepare(record *now) {
    for (int i = 0; i < IGNORED; i++)
        if (top_names[i] && !learn(&now->top, (const uint8_t *)top_names[i], strlen(top_names[i]), i)) return 0;
    for (int i = 0; i < 4; i++)
        if (!learn(&now->context, (const uint8_t *)context_names[i], strlen(context_names[i]), T_CONTEXT_SESSION + i)) return 0;
    return 1;
}

/* Behind a whole number of few digits and no sign, or null: *out stays as it is. */
static const uint8_t *read_number(const uint8_t *p, const uint8_t *end, int64_t *out) {
    if (*p == 'n') return literal(p, end, "null", 4);
    const uint8_t *begun = p;
    int64_t made = 0;
    while (is_digit(*p) && p - begun < LONGEST_COUNT) made = made * 10 + *p++ - '0';
    if (p == begun || (*begun == '0' && p - begun > 1) || is_digit(*p) || *p == '.' || (*p | 32) == 'e') return NULL;
    *out = made;
    return p;
}

/* A text that is one of a few. */
static const uint8_t *read_word(const uint8_t *p, const uint8_t *end, span *out) {
    if (*p != '"' || !(p = text(p + 1, end, out)) || !out->plain) return NULL;
    return p;
}

static const uint8_t *read_status(record *now, const uint8_t *p, const uint8_t *end) {
    span given;
    if (*p == 'n') return literal(p, end, "null", 4);
    if (!(p = read_word(p, end, &given))) return NULL;
    if (IS(given, "Succeeded") || IS(given, "PartiallySucceeded")) now->succeeded = 1;
    else if (IS(given, "Failed")) now->succeeded = 0;
    else return NULL;
    return p;
}

/* A member that has a meaning of its own. */
static const uint8_t *read_other(record *now, int what, const uint8_t *p, const uint8_t *end, int lines) {
    span given;
    int64_t number = -1;
    switch (what) {
    case M_OPERATION: return (p = read_word(p, end, &given)) && IS(given, "MailItemsAccessed") ? p : NULL;
    case M_WORKLOAD: return (p = read_word(p, end, &given)) && IS(given, "Exchange") ? p : NULL;
    case M_RECORD_TYPE:
        p = read_number(p, end, &number);
        if (number < 0) now->seen &= ~BIT(M_RECORD_TYPE); /* null: it does not say */
        return number < 0 || number == 2 || number == 3 || number == 50 ? p : NULL;
    case M_STATUS: return read_status(now, p, end);
    case M_LOGON:
        p = read_number(p, end, &number);
        now->logon = (int8_t)(number <= 6 ? number : 7);
        return number <= 6 ? p : NULL;
    case M_EXTERNAL:
        if (*p == 'n') return literal(p, end, "null", 4);
        now->external = *p == 't';
        return *p == 't' ? literal(p, end, "true", 4) : literal(p, end, "false", 5);
    case M_COUNT: return read_number(p, end, &now->count);
    case M_PROPERTIES: return properties(p, end, lines, &now->access, now->kept, &now->next_kept);
    case M_FOLDERS: return read_folders(p, end, lines, &now->folders, &now->messages, &now->no_memory);
    default: /* M_ITEM: what it means is known when the kind of access is */
        if (*p == 'n') return literal(p, end, "null", 4);
        now->item = p;
        return skip_value(p, end, lines);
    }
}

static int count_one(record *now, int counter) {
    for (int i = 0; i < now->counted; i++)
        if (now->counters[i] == counter) return 0;
    if (now->counted == MOST_COUNTED) return 0;
    now->counters[now->counted++] = (uint16_t)counter;
    return 1;
}

static const uint8_t *read_members(record *now, names *known, const uint8_t *p, const uint8_t *end, int lines);

static const uint8_t *read_context(record *now, const uint8_t *p, const uint8_t *end, int lines) {
    return *p == '{' ? read_members(now, &now->context, p + 1, end, lines) : literal(p, end, "null", 4);
}

/* The members of the record or of AppAccessContext; p is behind the brace that opens. */
static const uint8_t *read_members(record *now, names *known, const uint8_t *p, const uint8_t *end, int lines) {
    uint16_t *guess = &known->first;
    for (p = space(p, lines); *p != '}';) {
        span given;
        if (*p != '"' || ++now->members > MOST_MEMBERS) return NULL;
        int number = next_name(known, &p, end, guess, &given);
        if (number == UNKNOWN) {
            if (p && !now->closed) now->unknown = given, now->unknown_within = known == &now->context;
            return NULL;
        }
        guess = &known->all[number].next;
        int what = known->all[number].what;
        p = space(p, lines);
        if (*p != ':') return NULL;
        p = space(p + 1, lines);
        if (what < IGNORED) {
            if (now->seen & BIT(what)) return NULL;
            now->seen |= BIT(what);
        }
        if (what < TEXTS) {
            p = LIKELY(*p == '"') ? text(p + 1, end, &now->texts[what]) : literal(p, end, "null", 4);
        } else if (what == IGNORED && LIKELY(*p == '"')) {
            p = text(p + 1, end, &given);
        } else if (what == M_CONTEXT) {
            p = read_context(now, p, end, lines);
        } else if (what < IGNORED) {
            p = read_other(now, what, p, end, lines);
        } else {
            if (what == ODD || (what >= COUNTED && !count_one(now, what - COUNTED))) return NULL;
            p = skip_value(p, end, lines);
        }
        if (!p || !(p = separated(p, '}', lines))) return NULL;
    }
    return p + 1;
}

/* Reads the record at p. Returns what is behind it; NULL if it is an odd one, or (`unknown` is set) has a name that is not known, or there is
 * no memory. */
static const uint8_t *record_read(record *now, const uint8_t *p, const uint8_t *end, int lines) {
    const span nothing = {p, 0, 1, 1};
    for (int i = 0; i < TEXTS; i++) now->texts[i] = nothing;
    now->seen = 0;
    now->access.length = 0, now->access.throttled = -1;
    now->folders.count = now->messages.count = 0;
    now->count = INT64_MIN;
    now->external = now->succeeded = now->logon = -1;
    now->counted = now->members = now->no_memory = 0;
    now->unknown.at = now->item = NULL;
    if (*p != '{' || !(p = read_members(now, &now->top, p + 1, end, lines))) return NULL;
    if (now->item) {
        int sync = now->access.length == 4 && !memcmp(now->access.action, "sync", 4);
        if (!item(now->item, end, lines, &now->folders, sync ? NULL : &now->messages, &now->no_memory)) return NULL;
    }
    return p;
}

#endif
