/* What stands within a record: OperationProperties, Folders, Item. Each function returns what is behind, or NULL if it is unusual. */
#ifndef IMMURE_PARTS_H
#define IMMURE_PARTS_H

#include "columns.h"
#include "json.h"

enum { LONGEST_ACCESS = 32, LONGEST_KEPT = 160, KEPT = 4, WINDOW = 64 };

typedef struct {
    span *all;
    size_t count, room;
} spans;

/* Kind of access in small letters, and whether logging has stopped: 1, 0, or -1 where it is not said. */
typedef struct {
    uint8_t action[LONGEST_ACCESS];
    uint32_t length;
    int8_t throttled;
} access_kind;

/* Few different OperationProperties are in a log. */
typedef struct {
    uint8_t bytes[LONGEST_KEPT];
    size_t length;
    access_kind is;
} kept_kind;

INLINE int is(span given, const char *word, size_t length) { return given.length == length && !memcmp(given.at, word, length); }
#define IS(given, word) is(given, word, sizeof word - 1)

/* Whether ASCII is the same in small letters; `word` is in small letters. */
INLINE int is_like(span given, const char *word, size_t length) {
    if (given.length != length) return 0;
    for (size_t i = 0; i < length; i++) {
        uint8_t c = given.at[i];
        if ((c | (c >= 'A' && c <= 'Z' ? 32 : 0)) != (uint8_t)word[i]) return 0;
    }
    return 1;
}
#define IS_LIKE(given, word) is_like(given, word, sizeof word - 1)

/* The name of a member and what is behind its colon; p is at its quote. */
INLINE const uint8_t *member(const uint8_t *p, const uint8_t *end, int lines, span *given) {
    if (*p != '"' || !(p = text(p + 1, end, given)) || !given->plain) return NULL;
    p = space(p, lines);
    return *p == ':' ? space(p + 1, lines) : NULL;
}

/* Behind what separates two members or elements, or at `close`; NULL if there is neither. */
INLINE const uint8_t *separated(const uint8_t *p, uint8_t close, int lines) {
    p = space(p, lines);
    if (*p == ',') return (p = space(p + 1, lines)), *p == close ? NULL : p;
    return *p == close ? p : NULL;
}

/* A text that was not there before, or null, which is as an empty one. */
INLINE const uint8_t *text_once(const uint8_t *p, const uint8_t *end, span *given, unsigned bit, unsigned *seen) {
    if (*seen & bit) return NULL;
    *seen |= bit;
    return *p == '"' ? text(p + 1, end, given) : literal(p, end, "null", 4);
}

/* --- OperationProperties --- */

static int property(span key, span value, access_kind *made, unsigned *seen) {
    int access = IS(key, "MailAccessType"), throttled = IS(key, "IsThrottled");
    if (!value.plain || (!access && IS_LIKE(key, "mailaccesstype")) || (!throttled && IS_LIKE(key, "isthrottled"))) return 0;
    if (*seen & (unsigned)(access | throttled << 1)) return 0;
    *seen |= (unsigned)(access | throttled << 1);
    if (access) {
        if (value.length > LONGEST_ACCESS) return 0;
        made->length = value.length;
        for (size_t i = 0; i < value.length; i++) made->action[i] = value.at[i] | (value.at[i] >= 'A' && value.at[i] <= 'Z' ? 32 : 0);
    } else if (throttled) {
        if (IS(value, "True") || IS(value, "true")) made->throttled = 1;
        else if (IS(value, "False") || IS(value, "false")) made->throttled = 0;
        else return 0;
    }
    return 1;
}

static const uint8_t *read_properties(const uint8_t *p, const uint8_t *end, int lines, access_kind *made) {
    unsigned seen = 0;
    made->length = 0, made->throttled = -1;
    if (*p == 'n') return literal(p, end, "null", 4);
    if (*p != '[') return NULL;
    for (p = space(p + 1, lines); *p != ']';) {
        span name, key, value;
        unsigned within = 0;
        if (*p != '{') return NULL;
        for (p = space(p + 1, lines); *p != '}';) {
            if (!(p = member(p, end, lines, &name)) || *p != '"') return NULL;
            if (IS(name, "Name")) p = text_once(p, end, &key, 1, &within);
            else if (IS(name, "Value")) p = text_once(p, end, &value, 2, &within);
            else return NULL;
            if (!p || !(p = separated(p, '}', lines))) return NULL;
        }
        if (within != 3 || !key.plain || !property(key, value, made, &seen)) return NULL;
        if (!(p = separated(p + 1, ']', lines))) return NULL;
    }
    return p + 1;
}

/* The same, once for each different one. */
static const uint8_t *properties(const uint8_t *p, const uint8_t *end, int lines, access_kind *made, kept_kind *kept, unsigned *next) {
    for (int i = 0; i < KEPT; i++)
        if (kept[i].length && (size_t)(end - p) > kept[i].length && !memcmp(p, kept[i].bytes, kept[i].length)) {
            *made = kept[i].is;
            return p + kept[i].length;
        }
    const uint8_t *behind = read_properties(p, end, lines, made);
    if (behind && *p == '[' && behind - p <= LONGEST_KEPT) {
        kept_kind *one = &kept[(*next)++ % KEPT];
        one->length = (size_t)(behind - p);
        memcpy(one->bytes, p, one->length);
        one->is = *made;
    }
    return behind;
}

/* --- folders and messages --- */

/* 1 if it was added; 0 if it is unusual, -1 if there is no memory. */
static int add_span(spans *list, span given) {
    if (!given.whole) return 0;
    if (!grown((void **)&list->all, &list->room, list->count + 1, sizeof given)) return -1;
    list->all[list->count++] = given;
    return 1;
}

/* Whether there is another way of writing this text that is likely too. */
static int is_ambiguous(span given) {
    for (uint32_t i = 0; i + 1 < given.length; i++)
        if (given.at[i] == '\\') {
            i++;
            if (given.at[i] == 'u' || given.at[i] == '/') return 1;
        }
    return 0;
}

/* A folder, if it is none of the last WINDOW ones. As add_span. */
static int add_folder(spans *folders, span path, span id) {
    span given = path.length ? path : id;
    if (!given.length) return 1;
    size_t begin = folders->count > WINDOW ? folders->count - WINDOW : 0;
    for (size_t i = begin; i < folders->count; i++) {
        const span *other = &folders->all[i];
        if (other->length == given.length && !memcmp(other->at, given.at, given.length)) return 1;
    }
    if (folders->count && (is_ambiguous(given) || is_ambiguous(folders->all[0]))) return 0;
    return add_span(folders, given);
}

static int added(int made, int *no_memory) {
    *no_memory |= made < 0;
    return made > 0;
}

/* The members of ParentFolder, or of an element of Folders, whose items are put to `messages`. */
static const uint8_t *folder(const uint8_t *p, const uint8_t *end, int lines, spans *folders, spans *messages, int *no_memory);

/* Whether it is a name that says something in Item, in whatever spelling, or one that makes a wrapping of it. */
static int is_of_item(span name) {
    return IS_LIKE(name, "parentfolder") || IS(name, "_source") || IS(name, "_raw") || IS(name, "result");
}

/* An element of FolderItems, or Item: `folders` is NULL for the first; `messages` is for a name that is of no concern. */
static const uint8_t *item(const uint8_t *p, const uint8_t *end, int lines, spans *folders, spans *messages, int *no_memory) {
    span name, id = {p, 0, 1, 1}, message = id;
    unsigned seen = 0;
    if (*p != '{') return NULL;
    for (p = space(p + 1, lines); *p != '}';) {
        if (!(p = member(p, end, lines, &name))) return NULL;
        if (IS(name, "Id")) {
            p = text_once(p, end, &id, 1, &seen);
        } else if (IS(name, "InternetMessageId")) {
            p = text_once(p, end, &message, 2, &seen);
        } else if (IS(name, "ParentFolder") && folders) {
            if (seen & 4) return NULL;
            seen |= 4;
            p = *p == 'n' ? literal(p, end, "null", 4) : folder(p, end, lines, folders, NULL, no_memory);
        } else if (IS_LIKE(name, "id") || IS_LIKE(name, "internetmessageid") || (folders && is_of_item(name))) {
            return NULL;
        } else {
            p = skip_value(p, end, lines);
        }
        if (!p || !(p = separated(p, '}', lines))) return NULL;
    }
    if (!message.length) message = id;
    if (messages && message.length && !added(add_span(messages, message), no_memory)) return NULL;
    return p + 1;
}

static const uint8_t *items(const uint8_t *p, const uint8_t *end, int lines, spans *messages, int *no_memory) {
    if (*p == 'n') return literal(p, end, "null", 4);
    if (*p != '[') return NULL;
    for (p = space(p + 1, lines); *p != ']';)
        if (!(p = item(p, end, lines, NULL, messages, no_memory)) || !(p = separated(p, ']', lines))) return NULL;
    return p + 1;
}

static const uint8_t *folder(const uint8_t *p, const uint8_t *end, int lines, spans *folders, spans *messages, int *no_memory) {
    span name, id = {p, 0, 1, 1}, path = id;
    unsigned seen = 0;
    if (*p != '{') return NULL;
    for (p = space(p + 1, lines); *p != '}';) {
        if (!(p = member(p, end, lines, &name))) return NULL;
        if (IS(name, "Path")) {
            p = text_once(p, end, &path, 1, &seen);
        } else if (IS(name, "Id")) {
            p = text_once(p, end, &id, 2, &seen);
        } else if (IS(name, "FolderItems") && messages) {
            if (seen & 4) return NULL;
            seen |= 4;
            p = items(p, end, lines, messages, no_memory);
        } else if (IS_LIKE(name, "path") || IS_LIKE(name, "id") || (messages && IS_LIKE(name, "folderitems"))) {
            return NULL;
        } else {
            p = skip_value(p, end, lines);
        }
        if (!p || !(p = separated(p, '}', lines))) return NULL;
    }
    return added(add_folder(folders, path, id), no_memory) ? p + 1 : NULL;
}

static const uint8_t *read_folders(const uint8_t *p, const uint8_t *end, int lines, spans *folders, spans *messages, int *no_memory) {
    if (*p == 'n') return literal(p, end, "null", 4);
    if (*p != '[') return NULL;
    for (p = space(p + 1, lines); *p != ']';)
        if (!(p = folder(p, end, lines, folders, messages, no_memory)) || !(p = separated(p, ']', lines))) return NULL;
    return p + 1;
}

#endif
