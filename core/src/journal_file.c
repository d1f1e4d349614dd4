#include "journal_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bytes.h"
#include "error.h"
#include "hash.h"
#include "journal.h"
#include "key.h"
#include "log.h"

enum {
    LONG_BYTES = 1 << 20,
    MOST_BYTES = 64 << 20, /* of an orphan that is read: more is no journal of ours */
    SUM_LEN = 2 + 16       /* " #" and the digits */
};
static const char SUFFIX[] = ".journal";

/* ---- lines ---------------------------------------------------------------------- */

struct line { /* being written */
    char *text;
    size_t len, room;
    bool failed;
};

static void append(struct line *line, const void *bytes, size_t n) {
    if (line->failed)
        return;
    if (n > line->room - line->len) {
        size_t room = (line->len + n) * 2;
        char *grown = realloc(line->text, room);
        if (grown == NULL) {
            line->failed = true;
            return;
        }
        line->text = grown;
        line->room = room;
    }
    memcpy(line->text + line->len, bytes, n);
    line->len += n;
}

static void append_text(struct line *line, const char *text) {
    append(line, text, strlen(text));
}

static void append_number(struct line *line, int64_t value) {
    char digits[24];
    int n = snprintf(digits, sizeof(digits), " %" PRId64, value);
    append(line, digits, (size_t)n);
}

/* As build ids are escaped (key.h), so that a tag is one word. */
static void append_tag(struct line *line, struct larder_bytes tag) {
    size_t n = key_segment_len(tag);
    uint8_t *word = malloc(n + 1);
    if (word == NULL) {
        line->failed = true;
        return;
    }
    word[0] = ' ';
    key_segment_put(tag, word + 1);
    append(line, word, n + 1);
    free(word);
}

static void end_line(struct line *line) {
    char sum[SUM_LEN + 2];
    int n = snprintf(sum, sizeof(sum), " #%016" PRIx64 "\n", hash_64(line->text, line->len));
    append(line, sum, (size_t)n);
}

static void put_record(struct line *line, const struct journal_record *record) {
    append_text(line, "+");
    append_number(line, (int64_t)record->id);
    append_number(line, record->mode);
    if (record->expire_at_ms == LARDER_UNSET)
        append_text(line, " -");
    else
        append_number(line, record->expire_at_ms);
    for (size_t i = 0; i < record->n_tags; i++)
        append_tag(line, record->tags[i]);
    if (!line->failed)
        end_line(line);
}

/* ---- writing ------------------------------------------------------------------------ */

static void say_failed(struct journal_file *file, const char *what) {
    char why[64];
    if (!file->failed)
        log_line(LARDER_LOG_WARN, "journal: %s in %s: %s; what is pending is lost if this process ends", what,
                 file->folder, strerror_r(errno, why, sizeof(why)));
    file->failed = true;
}

static char *join(const char *folder, const char *name) {
    size_t size = strlen(folder) + strlen(name) + 2;
    char *path = malloc(size);
    if (path != NULL)
        snprintf(path, size, "%s/%s", folder, name);
    return path;
}

/* A file of a new name, locked before anybody can find something in it. */
static bool make_file(struct journal_file *file) {
    uint64_t random;
    char name[512];
    if (getrandom(&random, sizeof(random), 0) != (ssize_t)sizeof(random))
        return false;
    if (mkdir(file->folder, 0777) != 0 && errno != EEXIST)
        return false;
    snprintf(name, sizeof(name), "%s%016" PRIx64 "%s", file->prefix, random, SUFFIX);
    file->path = join(file->folder, name);
    if (file->path == NULL)
        return false;
    file->fd = open(file->path, O_WRONLY | O_APPEND | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (file->fd >= 0 && flock(file->fd, LOCK_EX | LOCK_NB) == 0) {
        file->size = 0;
        return true;
    }
    if (file->fd >= 0)
        close(file->fd);
    free(file->path);
    file->path = NULL;
    return false;
}

static void write_line(struct journal_file *file, struct line *line) {
    size_t at = 0;
    if (file->path == NULL && !make_file(file)) {
        say_failed(file, "no file could be made");
        return;
    }
    if (line->failed)
        errno = ENOMEM;
    while (!line->failed && at < line->len) {
        ssize_t n = write(file->fd, line->text + at, line->len - at);
        if (n < 0 && errno == EINTR)
            continue;
        line->failed = n <= 0;
        at += n > 0 ? (size_t)n : 0;
    }
    file->size += at;
    if (line->failed)
        say_failed(file, "writing failed");
}

void journal_file_add(struct journal_file *file, const struct journal_record *record) {
    struct line line = {0};
    if (file->folder == NULL)
        return;
    put_record(&line, record);
    write_line(file, &line);
    free(line.text);
}

void journal_file_remove(struct journal_file *file, uint64_t id) {
    struct line line = {0};
    if (file->path == NULL)
        return;
    append_text(&line, "-");
    append_number(&line, (int64_t)id);
    if (!line.failed)
        end_line(&line);
    write_line(file, &line);
    free(line.text);
}

void journal_file_clear(struct journal_file *file) {
    if (file->path == NULL || file->size == 0)
        return;
    if (ftruncate(file->fd, 0) != 0)
        say_failed(file, "a file could not be emptied");
    else
        file->size = 0;
}

bool journal_file_is_long(const struct journal_file *file) {
    return file->size > LONG_BYTES;
}

/* The old file goes when the new one has everything. */
void journal_file_rewrite(struct journal_file *file, const struct journal_record *first) {
    char *old_path = file->path;
    int old_fd = file->fd;
    file->path = NULL;
    if (!make_file(file)) {
        file->path = old_path;
        file->fd = old_fd;
        return;
    }
    for (const struct journal_record *record = first; record != NULL; record = record->next)
        journal_file_add(file, record);
    if (old_path != NULL) {
        unlink(old_path);
        close(old_fd);
        free(old_path);
    }
}

/* ---- orphans ---------------------------------------------------------------------------- */

static bool next_word(char **at, struct larder_bytes *ret) {
    char *begin = *at, *end = strchr(begin, ' ');
    if (*begin == 0)
        return false;
    if (end == NULL)
        end = begin + strlen(begin);
    *ret = (struct larder_bytes){(const uint8_t *)begin, (size_t)(end - begin)};
    *at = *end != 0 ? end + 1 : end;
    return true;
}

static bool number_of(struct larder_bytes word, int64_t *ret) {
    char digits[24], *end;
    if (word.len == 0 || word.len >= sizeof(digits))
        return false;
    memcpy(digits, word.ptr, word.len);
    digits[word.len] = 0;
    errno = 0;
    *ret = strtoll(digits, &end, 10);
    return errno == 0 && *end == 0;
}

/* Cuts the sum off a line that ends with the right one. */
static bool is_whole(char *line, size_t len) {
    char sum[SUM_LEN + 1];
    if (len < SUM_LEN)
        return false;
    snprintf(sum, sizeof(sum), " #%016" PRIx64, hash_64(line, len - SUM_LEN));
    if (memcmp(line + len - SUM_LEN, sum, SUM_LEN) != 0)
        return false;
    line[len - SUM_LEN] = 0;
    return true;
}

/* NULL: not a record, or no memory. */
static struct journal_record *record_of(char *words, int64_t id) {
    struct larder_bytes word;
    int64_t mode, expire_at_ms = LARDER_UNSET;
    if (!next_word(&words, &word) || !number_of(word, &mode) || mode < 0 || mode > LARDER_MAKE_STALE ||
        !next_word(&words, &word))
        return NULL;
    if (!bytes_equal(word, bytes_of("-")) && !number_of(word, &expire_at_ms))
        return NULL;
    size_t most = strlen(words) / 2 + 1;
    struct journal_record *record = malloc(sizeof(*record) + most * sizeof(*record->tags) + strlen(words));
    if (record == NULL)
        return NULL;
    uint8_t *room = (uint8_t *)&record->tags[most];
    *record = (struct journal_record){
        .id = (uint64_t)id, .mode = (uint32_t)mode, .expire_at_ms = expire_at_ms};
    while (next_word(&words, &word)) {
        if (!key_segment_parse(word, room, &record->tags[record->n_tags++])) {
            free(record);
            return NULL;
        }
        room += word.len;
    }
    return record;
}

/* What an orphan's text leaves pending, by id. */
static struct journal_record *read_lines(char *text, size_t len) {
    struct journal_record *first = NULL, **last = &first;
    for (char *line = text, *end; (end = memchr(line, '\n', len - (size_t)(line - text))) != NULL;
         line = end + 1) {
        struct larder_bytes word;
        int64_t id;
        char *words = line + 2;
        if (!is_whole(line, (size_t)(end - line)) || strlen(line) < 3 || line[1] != ' ' ||
            !next_word(&words, &word) || !number_of(word, &id))
            continue;
        if (line[0] == '+') {
            struct journal_record *record = record_of(words, id);
            if (record != NULL) {
                *last = record;
                last = &record->next;
            }
            continue;
        }
        struct journal_record **at = &first;
        while (*at != NULL && (*at)->id != (uint64_t)id)
            at = &(*at)->next;
        if (line[0] == '-' && *at != NULL) {
            struct journal_record *gone = *at;
            *at = gone->next;
            if (last == &gone->next)
                last = at;
            free(gone);
        }
    }
    return first;
}

/* All of a file, malloc()ed; NULL: it cannot be read. */
static char *read_all(int fd, size_t *ret_len) {
    struct stat st;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size > MOST_BYTES)
        return NULL;
    size_t size = (size_t)st.st_size, at = 0;
    char *text = malloc(size + 1);
    while (text != NULL && at < size) {
        ssize_t n = pread(fd, text + at, size - at, (off_t)at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        at += (size_t)n;
    }
    *ret_len = at;
    return text;
}

static void adopt_one(const char *path, journal_adopt_fn *fn, void *arg) {
    size_t len = 0;
    char *text = NULL;
    int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return;
    if (flock(fd, LOCK_EX | LOCK_NB) == 0 && (text = read_all(fd, &len)) != NULL) {
        struct journal_record *record = read_lines(text, len), *next;
        for (; record != NULL; record = next) {
            next = record->next;
            fn(arg, record->mode, record->expire_at_ms, record->tags, record->n_tags);
            free(record);
        }
        unlink(path);
    }
    free(text);
    close(fd);
}

static bool is_named(const struct journal_file *file, const char *name) {
    size_t len = strlen(name), prefix = strlen(file->prefix), suffix = sizeof(SUFFIX) - 1;
    return len == prefix + 16 + suffix && strncmp(name, file->prefix, prefix) == 0 &&
           strcmp(name + len - suffix, SUFFIX) == 0;
}

void journal_file_adopt(struct journal_file *file, journal_adopt_fn *fn, void *arg) {
    DIR *dir = file->folder != NULL ? opendir(file->folder) : NULL;
    if (dir == NULL)
        return;
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        char *path = is_named(file, entry->d_name) ? join(file->folder, entry->d_name) : NULL;
        if (path != NULL && (file->path == NULL || strcmp(path, file->path) != 0))
            adopt_one(path, fn, arg);
        free(path);
    }
    closedir(dir);
}

/* ---- looking ---------------------------------------------------------------------------------- */

static uint64_t count_lines(char *text, size_t len) {
    uint64_t n = 0;
    struct journal_record *record = read_lines(text, len), *next;
    for (; record != NULL; record = next, n++) {
        next = record->next;
        free(record);
    }
    return n;
}

/* An empty file has nothing to tell, and its process may be about to lock it. */
static void look_at(const char *path, struct larder_journal_waiting *waiting) {
    size_t len = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    char *text = fd >= 0 ? read_all(fd, &len) : NULL;
    if (text != NULL && len > 0) {
        bool is_orphan = flock(fd, LOCK_SH | LOCK_NB) == 0;
        *(is_orphan ? &waiting->of_ended : &waiting->of_living) += count_lines(text, len);
    }
    free(text);
    if (fd >= 0)
        close(fd);
}

/* A failure leaves its reason in errno. */
static int32_t look(const struct journal_file *file, struct larder_journal_waiting *ret_waiting) {
    *ret_waiting = (struct larder_journal_waiting){0};
    DIR *dir = opendir(file->folder);
    if (dir == NULL && errno == ENOENT)
        return LARDER_OK;
    if (dir == NULL)
        return errno == EACCES ? LARDER_DENIED : LARDER_INTERNAL;
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        char *path = is_named(file, entry->d_name) ? join(file->folder, entry->d_name) : NULL;
        if (path != NULL)
            look_at(path, ret_waiting);
        free(path);
    }
    closedir(dir);
    return LARDER_OK;
}

int32_t larder_journal_look(const char *folder, const char *ns, struct larder_journal_waiting *ret_waiting,
                            struct larder_error *error) {
    struct journal_file file;
    char why[64];
    if (folder == NULL || *folder == 0)
        return error_set(error, LARDER_INVALID, "no folder was given");
    if (!journal_file_init(&file, folder, ns))
        return error_set(error, LARDER_NOMEM, "out of memory");
    int32_t status = look(&file, ret_waiting);
    if (status != LARDER_OK)
        error_set(error, status, "%s cannot be read: %s", folder, strerror_r(errno, why, sizeof(why)));
    journal_file_done(&file, true);
    return status;
}

/* ---- beginning and end --------------------------------------------------------------------- */

bool journal_file_init(struct journal_file *file, const char *folder, const char *ns) {
    struct larder_bytes name = bytes_of(ns);
    size_t n = key_segment_len(name);
    *file = (struct journal_file){.fd = -1};
    if (folder == NULL || *folder == 0)
        return true;
    file->folder = strdup(folder);
    file->prefix = malloc(n + 2);
    if (file->folder == NULL || file->prefix == NULL) {
        journal_file_done(file, true);
        return false;
    }
    key_segment_put(name, (uint8_t *)file->prefix);
    memcpy(file->prefix + n, ".", 2);
    return true;
}

void journal_file_done(struct journal_file *file, bool is_empty) {
    if (file->path != NULL) {
        if (is_empty)
            unlink(file->path);
        close(file->fd);
    }
    free(file->path);
    free(file->prefix);
    free(file->folder);
    *file = (struct journal_file){.fd = -1};
}
