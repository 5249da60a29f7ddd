/* Mailbox records as the Management API writes them, from JSON to the columns of Arrow. Read by the C compiler and, as it stands, by cffi:
 * declarations only, no directives.
 *
 * Whatever is not written as nearly all records are (see mailbox.c) is not judged here: it is named an odd one, with its place, and
 * somebody else looks at it. A record is taken whole or not at all. The kernel keeps its memory from block to block, so one thread
 * at a time may use it. */

typedef struct mailbox mailbox;

/* NULL if there is no memory. */
mailbox *mailbox_new(void);
void mailbox_free(mailbox *box);

/* Teaches the name of a member, of the record or (within) of AppAccessContext. what: -2 it is of no concern, -1 it makes a record odd, 0 and
 * more: it is counted by this counter; below 512. Returns 0 if there is no room for more names, or the name is too long. */
int mailbox_learn(mailbox *box, const uint8_t *name, size_t length, int within, int what);

/* Begins with a block of nbytes bytes behind which stands a zero byte. It must stay where it is until it is read. Its rows come behind
 * those of the blocks before; its odd records and counts are its own. array: elements with commas between them; otherwise one record a line.
 * strict: lines without anything are odd, and a record has to say its user and its type. Returns 0 if with it there would be more
 * than 2^29 bytes of rows. */
int mailbox_begin(mailbox *box, const uint8_t *buf, size_t nbytes, int array, int strict);

/* Reads on. 0: the block is read. 1: there is a member whose name is not known, see mailbox_name; after it was taught, or learning was closed,
 * it goes on with the same record. 2: between the elements of an array stands something else than a comma; nothing of
 * the block counts. 3: there is no memory; nothing of the block counts. */
int mailbox_read(mailbox *box);

/* Place and length of the name that is not known; returns whether it is of AppAccessContext. */
int mailbox_name(const mailbox *box, int64_t *place);

/* From now on a record with a name that is not known is an odd one. */
void mailbox_close(mailbox *box);

/* counts[0] all rows, [1] rows of this block, [2] odd records of it, [3] bytes that mailbox_lay writes. */
void mailbox_counts(mailbox *box, int64_t *counts);

/* (start, end, line from 0) of the odd records, in order. */
void mailbox_odd(const mailbox *box, int64_t *out);

/* (records, start and line of the first) of each counter. */
void mailbox_counters(const mailbox *box, int64_t *out, size_t count);

/* Writes the columns, in the order of rows.h, with what Arrow asks for: bits of validity, offsets of 32 bits, bytes. places gets for each of
 * the MAILBOX_COLUMNS columns the number of nulls, and the places in `out` of the bits, of the offsets or numbers, and of the bytes; lists
 * have one more such row of four, with the number of their texts in place of the nulls. */
void mailbox_lay(const mailbox *box, uint8_t *out, int64_t *places);

/* Forgets the rows of this block. */
void mailbox_undo(mailbox *box);

/* Forgets all rows. */
void mailbox_clear(mailbox *box);
