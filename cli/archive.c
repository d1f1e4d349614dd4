#include "archive.h"

#include <stdlib.h>
#include <string.h>

/*
 * A file is eight bytes and then frames, which check themselves.  What a frame is, and the build of an
 * entry, stand before the key in it: one letter, the length of the build (little-endian), the build.
 */
enum { VERSION = 1, PREAMBLE = 8, KEY_PREFIX = 5, MOST_BYTES = INT32_MAX, CHUNK = 1 << 20 };
static const uint8_t preamble[PREAMBLE] = {0xC1, 'L', 'D', 'A', VERSION, 0, 0, 0};
enum { HEAD = 'H', ENTRY = 'E', TAIL = 'T' };

/* ---- writing ------------------------------------------------------------------------------------- */

static bool write_bytes(struct archive_writer *writer, struct larder_bytes bytes) {
    writer->n_bytes += bytes.len;
    return fwrite(bytes.ptr, 1, bytes.len, writer->file) == bytes.len;
}

static void append(uint8_t **to, struct larder_bytes bytes) {
    if (bytes.len > 0)
        memcpy(*to, bytes.ptr, bytes.len);
    *to += bytes.len;
}

static int32_t write_record(struct archive_writer *writer, uint8_t type, struct larder_bytes build,
                            struct larder_entry entry) {
    struct larder_frame *frame = NULL;
    if (build.len > UINT32_MAX || entry.key.len > SIZE_MAX / 2)
        return LARDER_INVALID;
    const size_t len = KEY_PREFIX + build.len + entry.key.len;
    uint8_t *key = malloc(len), *to = key;
    if (key == NULL)
        return LARDER_NOMEM;
    *to++ = type;
    for (unsigned shift = 0; shift < 32; shift += 8)
        *to++ = (uint8_t)(build.len >> shift);
    append(&to, build);
    append(&to, entry.key);
    entry.key = (struct larder_bytes){key, len};
    int32_t status = larder_frame_encode(&entry, &frame);
    if (status == LARDER_OK && !write_bytes(writer, larder_frame_bytes(frame)))
        status = LARDER_INTERNAL;
    larder_frame_free(frame);
    free(key);
    return status;
}

int32_t archive_begin(struct archive_writer *writer, FILE *file, const struct archive_proof *proof,
                      int64_t now_ms) {
    *writer = (struct archive_writer){.file = file};
    const struct larder_entry head = {.kind = LARDER_PAGE,
                                      .epoch = proof->epoch,
                                      .modified_ms = now_ms,
                                      .tags = &proof->tag,
                                      .n_tags = proof->tag.len > 0};
    if (!write_bytes(writer, (struct larder_bytes){preamble, PREAMBLE}))
        return LARDER_INTERNAL;
    return write_record(writer, HEAD, (struct larder_bytes){0}, head);
}

int32_t archive_put(struct archive_writer *writer, struct larder_bytes build,
                    const struct larder_entry *entry) {
    int32_t status = write_record(writer, ENTRY, build, *entry);
    writer->n_entries += status == LARDER_OK;
    return status;
}

int32_t archive_end(struct archive_writer *writer) {
    const struct larder_entry tail = {.kind = LARDER_PAGE, .epoch = (int64_t)writer->n_entries};
    int32_t status = write_record(writer, TAIL, (struct larder_bytes){0}, tail);
    return status == LARDER_OK && fflush(writer->file) != 0 ? LARDER_INTERNAL : status;
}

/* ---- reading ------------------------------------------------------------------------------------- */

static int32_t damaged(struct archive_reader *reader, const char *why) {
    reader->why = why;
    return LARDER_CORRUPT;
}

/* Up to len bytes behind what is there; memory grows with what comes, not with what a length claims. */
static int32_t read_more(struct archive_reader *reader, size_t *at, size_t len) {
    while (*at < len) {
        const size_t part = len - *at < CHUNK ? len - *at : CHUNK;
        if (reader->room - *at < part) {
            uint8_t *grown = realloc(reader->bytes, *at + part);
            if (grown == NULL)
                return LARDER_NOMEM;
            reader->bytes = grown;
            reader->room = *at + part;
        }
        const size_t n = fread(reader->bytes + *at, 1, part, reader->file);
        *at += n;
        if (n < part)
            return damaged(reader, ferror(reader->file) ? "it cannot be read further" : "it ends here");
    }
    return LARDER_OK;
}

/* A record into *ret (larder_frame_free() it), its letter, and what is behind its prefix. */
static int32_t read_record(struct archive_reader *reader, struct larder_frame **ret, uint8_t *ret_type) {
    size_t at = 0;
    reader->at = reader->end;
    int32_t status = read_more(reader, &at, LARDER_FRAME_HEAD);
    if (status != LARDER_OK)
        return status;
    const uint64_t len = larder_frame_length(reader->bytes);
    if (len < LARDER_FRAME_HEAD || len > MOST_BYTES)
        return damaged(reader, "no record begins here");
    status = read_more(reader, &at, (size_t)len);
    if (status == LARDER_OK)
        status = larder_frame_decode((struct larder_bytes){reader->bytes, (size_t)len}, ret);
    if (status == LARDER_MISS)
        return damaged(reader, "a record of a version that is newer than this program");
    if (status != LARDER_OK)
        return status == LARDER_CORRUPT && reader->why == NULL ? damaged(reader, "a checksum is wrong")
                                                               : status;
    reader->end += len;
    const struct larder_bytes key = larder_frame_entry(*ret)->key;
    *ret_type = key.len >= KEY_PREFIX ? key.ptr[0] : 0;
    return LARDER_OK;
}

int32_t archive_open(struct archive_reader *reader, FILE *file) {
    uint8_t begin[PREAMBLE], type;
    *reader = (struct archive_reader){.file = file};
    if (fread(begin, 1, sizeof begin, file) != sizeof begin || memcmp(begin, preamble, 4) != 0)
        return damaged(reader, "it is no archive of larder export");
    if (memcmp(begin, preamble, sizeof begin) != 0)
        return damaged(reader, "it is of a version that this program does not know");
    reader->end = PREAMBLE;
    int32_t status = read_record(reader, &reader->head, &type);
    if (status != LARDER_OK)
        return status;
    const struct larder_entry *head = larder_frame_entry(reader->head);
    if (type != HEAD)
        return damaged(reader, "its first record is missing");
    reader->made_ms = head->modified_ms;
    if (head->n_tags > 0)
        reader->proof = (struct archive_proof){head->tags[0], head->epoch};
    return LARDER_OK;
}

static int32_t take_entry(struct archive_reader *reader) {
    reader->entry = *larder_frame_entry(reader->now);
    struct larder_bytes *key = &reader->entry.key;
    size_t len = 0;
    for (unsigned i = KEY_PREFIX; i > 1; i--)
        len = len << 8 | key->ptr[i - 1];
    if (len > key->len - KEY_PREFIX)
        return damaged(reader, "a build is longer than its record");
    reader->build = (struct larder_bytes){key->ptr + KEY_PREFIX, len};
    key->ptr += KEY_PREFIX + len;
    key->len -= KEY_PREFIX + len;
    reader->n_entries++;
    return LARDER_OK;
}

int32_t archive_next(struct archive_reader *reader) {
    uint8_t type;
    reader->now = larder_frame_free(reader->now);
    int32_t status = read_record(reader, &reader->now, &type);
    if (status != LARDER_OK)
        return status;
    if (type == ENTRY)
        return take_entry(reader);
    if (type != TAIL)
        return damaged(reader, "a record of a kind that this program does not know");
    if (larder_frame_entry(reader->now)->epoch != (int64_t)reader->n_entries)
        return damaged(reader, "entries are missing before its end");
    return fgetc(reader->file) == EOF ? LARDER_MISS : damaged(reader, "something follows its end");
}

void archive_done(struct archive_reader *reader) {
    larder_frame_free(reader->head);
    larder_frame_free(reader->now);
    free(reader->bytes);
    *reader = (struct archive_reader){0};
}
