/* One entry of `larder seed`: its files, and what the store makes of it.  The answers come on the core's I/O
 * thread; what they count is under the lock of seed->flight. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bytes.h"
#include "clock.h"
#include "seed.h"

enum { MOST_BYTES = 1 << 30 };

/* ---- sets ------------------------------------------------------------------------------------------------- */

/* FNV-1a, and the last step of SplitMix64 to spread it. */
uint64_t hash_of(struct larder_bytes bytes) {
    uint64_t x = 0xcbf29ce484222325u;
    for (size_t i = 0; i < bytes.len; i++)
        x = (x ^ bytes.ptr[i]) * 0x100000001b3u;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    x ^= x >> 31;
    return x ? x : 1; /* 0 is a free slot */
}

static void insert(uint64_t *slots, size_t room, uint64_t hash) {
    size_t at = hash & (room - 1);
    while (slots[at] != 0 && slots[at] != hash)
        at = (at + 1) & (room - 1);
    slots[at] = hash;
}

bool hashes_have(const struct hashes *hashes, uint64_t hash) {
    if (hashes->room == 0)
        return false;
    size_t at = hash & (hashes->room - 1);
    while (hashes->slots[at] != 0 && hashes->slots[at] != hash)
        at = (at + 1) & (hashes->room - 1);
    return hashes->slots[at] == hash;
}

bool hashes_add(struct hashes *hashes, uint64_t hash) {
    if (hashes->n * 4 >= hashes->room * 3) {
        size_t room = hashes->room ? hashes->room * 2 : 1024;
        uint64_t *slots = calloc(room, sizeof *slots);
        if (slots == NULL)
            return false;
        for (size_t i = 0; i < hashes->room; i++) {
            if (hashes->slots[i] != 0)
                insert(slots, room, hashes->slots[i]);
        }
        free(hashes->slots);
        hashes->slots = slots;
        hashes->room = room;
    }
    hashes->n += !hashes_have(hashes, hash);
    insert(hashes->slots, hashes->room, hash);
    return true;
}

void hashes_done(struct hashes *hashes) {
    free(hashes->slots);
    *hashes = (struct hashes){0};
}

/* ---- counting and telling --------------------------------------------------------------------------------- */

void seed_count(struct seed *seed, uint64_t *counter) {
    pthread_mutex_lock(&seed->flight.lock);
    ++*counter;
    pthread_mutex_unlock(&seed->flight.lock);
}

bool seed_stopped(struct seed *seed) {
    pthread_mutex_lock(&seed->flight.lock);
    bool stop = seed->stop;
    pthread_mutex_unlock(&seed->flight.lock);
    return stop;
}

static void stop(struct seed *seed, int32_t status, const char *detail) {
    pthread_mutex_lock(&seed->flight.lock);
    if (!seed->stop) {
        seed->stop_status = status;
        snprintf(seed->stop_detail, sizeof seed->stop_detail, "%s", detail);
    }
    seed->stop = true;
    pthread_mutex_unlock(&seed->flight.lock);
}

static void complain(struct seed *seed, const char *file, const char *format, va_list args)
    __attribute__((format(printf, 3, 0)));
static void complain(struct seed *seed, const char *file, const char *format, va_list args) {
    char text[2 * LARDER_ERROR_TEXT];
    int len = snprintf(text, sizeof text, "%.*s: ", LARDER_ERROR_TEXT, file);
    vsnprintf(text + len, sizeof text - (size_t)len, format, args);
    pthread_mutex_lock(&seed->flight.lock);
    seed->counts.failed++;
    if (seed->n_complaints < SEED_COMPLAINTS && (seed->complaints[seed->n_complaints] = strdup(text)) != NULL)
        seed->n_complaints++;
    pthread_mutex_unlock(&seed->flight.lock);
}

void seed_complain(struct seed *seed, const char *file, const char *format, ...) {
    va_list args;
    va_start(args, format);
    complain(seed, file, format, args);
    va_end(args);
}

void seed_job_complain(struct seed_job *job, const char *file, const char *format, ...) {
    va_list args;
    va_start(args, format);
    complain(job->seed, file, format, args);
    va_end(args);
    job->failed = true;
}

/* ---- a job ------------------------------------------------------------------------------------------------ */

struct seed_job *seed_job_new(struct seed *seed, const char *file) {
    struct seed_job *job = calloc(1, sizeof *job);
    char *copy = strdup(file);
    if (job == NULL || copy == NULL) {
        free(job);
        free(copy);
        stop(seed, LARDER_NOMEM, "out of memory");
        return NULL;
    }
    job->seed = seed;
    job->file = copy;
    return job;
}

void seed_job_free(struct seed_job *job) {
    if (job == NULL)
        return;
    if (job->made.no_memory)
        stop(job->seed, LARDER_NOMEM, "out of memory");
    seed_entry_done(&job->made);
    free(job->file);
    free(job);
}

static void over(struct seed_job *job) {
    struct seed *seed = job->seed;
    const size_t bytes = job->flight_bytes;
    seed_job_free(job);
    flight_end(&seed->flight, bytes);
}

static void over_as(struct seed_job *job, uint64_t *counter) {
    seed_count(job->seed, counter);
    over(job);
}

/* What one entry is refused for is that entry's; all else is the store's. */
static void refused(struct seed_job *job, int32_t status, const char *detail) {
    const bool own = status == LARDER_TOO_BIG || status == LARDER_INVALID;
    seed_complain(job->seed, job->file, "%s%s%s%s", larder_status_name(status), *detail ? ": " : "", detail,
                  status == LARDER_TOO_BIG   ? "; raise what limits values (max-value, or the store's own)"
                  : status == LARDER_INVALID ? "; is it damaged? build again"
                                             : "");
    if (!own)
        stop(job->seed, status, detail);
    over(job);
}

static void send_next(struct seed_job *job, struct larder_request *request, larder_answer_fn *done) {
    struct seed *seed = job->seed;
    request->deadline_ms = seed->cli->timeout_ms;
    int32_t status = larder_submit(seed->cli->store, request, done, job);
    if (status != LARDER_OK)
        refused(job, status, "the request was not taken");
}

static void was_put(void *arg, const struct larder_answer *answer) {
    struct seed_job *job = arg;
    struct seed *seed = job->seed;
    if (answer->status < 0) {
        refused(job, answer->status, answer->detail);
        return;
    }
    if (answer->status == LARDER_OK) {
        pthread_mutex_lock(&seed->flight.lock);
        seed->counts.bytes += job->made.bytes;
        pthread_mutex_unlock(&seed->flight.lock);
    }
    over_as(job, answer->status == LARDER_OK ? &seed->counts.seeded : &seed->counts.present);
}

static void send_put(struct seed_job *job) {
    struct larder_request request = {.code = LARDER_DO_PUT,
                                     .flags = job->put_flags,
                                     .build = bytes_of_text(job->seed->build),
                                     .entry = &job->made.entry};
    send_next(job, &request, was_put);
}

/* Only what began to be rendered later replaces what is there. */
static void was_got(void *arg, const struct larder_answer *answer) {
    struct seed_job *job = arg;
    struct seed *seed = job->seed;
    if (answer->status < 0) {
        refused(job, answer->status, answer->detail);
        return;
    }
    if (answer->entry && answer->entry->epoch >= job->made.entry.epoch) {
        over_as(job, &seed->counts.present);
        return;
    }
    job->put_flags = answer->entry ? LARDER_F_TELL : LARDER_F_IF_ABSENT;
    send_put(job);
}

static void show(struct seed_job *job) {
    const struct larder_entry *entry = &job->made.entry;
    const struct larder_listed listed = {
        .build = bytes_of_text(entry->kind == LARDER_PAGE ? job->seed->build : "shared"),
        .kind = entry->kind,
        .key = entry->key};
    if (job->seed->cli->json)
        json_object(&job->seed->cli->out, NULL);
    cli_print_key(job->seed->cli, &listed);
    if (job->seed->cli->json)
        json_end(&job->seed->cli->out);
    else
        putchar('\n');
}

static void was_checked(void *arg, const struct larder_answer *answer) {
    struct seed_job *job = arg;
    struct seed *seed = job->seed;
    if (answer->status < 0) {
        refused(job, answer->status, answer->detail);
    } else if (answer->verdict == LARDER_GONE) {
        over_as(job, &seed->counts.gone);
    } else if (seed->dry_run) {
        show(job);
        over_as(job, &seed->counts.seeded);
    } else if (seed->replace) {
        struct larder_request request = {.code = LARDER_DO_GET,
                                         .flags = LARDER_F_ANY,
                                         .kind = job->made.entry.kind,
                                         .build = bytes_of_text(seed->build),
                                         .key = job->made.entry.key};
        send_next(job, &request, was_got);
    } else {
        job->put_flags = LARDER_F_IF_ABSENT;
        send_put(job);
    }
}

/* ---- its entry ---------------------------------------------------------------------------------------------- */

/* Made, perhaps, of data that was fetched before the build began. */
static bool may_be_older(const struct seed *seed, const struct larder_entry *entry) {
    if (!seed->older_fetches)
        return false;
    for (size_t i = 0; i < entry->n_tags; i++) {
        if (hashes_have(&seed->older_tags, hash_of(entry->tags[i])))
            return true;
    }
    return false;
}

void seed_job_send(struct seed_job *job, const struct seed_source *source, int64_t modified_ms,
                   struct span revalidate, struct span expire) {
    struct seed *seed = job->seed;
    struct larder_entry *entry = &job->made.entry;
    uint64_t *counter = NULL;
    seed_entry_make(&job->made, source);
    if (modified_ms < seed->at_ms || may_be_older(seed, entry))
        counter = &seed->counts.older;
    else if (hashes_have(&seed->present, hash_of(entry->key)))
        counter = &seed->counts.present;
    if (job->made.too_deep)
        seed_complain(seed, job->file,
                      "its JSON is nested deeper than 100 levels; it is rendered when it is asked for");
    if (counter)
        seed_count(seed, counter);
    progress_add(&seed->progress, 1);
    if (counter || job->made.too_deep || job->made.no_memory) {
        seed_job_free(job);
        return;
    }
    entry->epoch = seed->epoch;
    entry->modified_ms = modified_ms;
    entry->revalidate_ms = seed_life_ms(revalidate);
    entry->expire_ms = seed_life_ms(expire);
    job->flight_bytes = job->made.bytes;
    flight_begin(&seed->flight, job->flight_bytes);
    struct larder_request request = {
        .code = LARDER_DO_CHECK, .tags = entry->tags, .n_tags = entry->n_tags, .epoch = entry->epoch};
    send_next(job, &request, was_checked);
}

/* ---- its files ---------------------------------------------------------------------------------------------- */

char *seed_path(const char *dir, const char *name) {
    size_t size = strlen(dir) + strlen(name) + 2;
    char *path = malloc(size);
    if (path)
        snprintf(path, size, "%s/%s", dir, name);
    return path;
}

static uint8_t *read_all(struct seed_job *job, int fd, size_t len) {
    uint8_t *bytes = seed_keep(&job->made, len);
    size_t at = 0;
    while (bytes && at < len) {
        ssize_t n = read(fd, bytes + at, len - at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            if (n == 0)
                errno = ENODATA; /* it was cut while it was read */
            return NULL;
        }
        at += (size_t)n;
    }
    return bytes;
}

bool seed_read(struct seed_job *job, const char *path, struct seed_bytes *ret, int64_t *ret_modified_ms) {
    struct stat about;
    *ret = (struct seed_bytes){0};
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
        return false;
    ret->there = true;
    uint8_t *bytes = NULL;
    bool good = fd >= 0 && fstat(fd, &about) == 0;
    if (good && !S_ISREG(about.st_mode)) {
        close(fd);
        ret->there = false;
        return false;
    }
    if (good && about.st_size > MOST_BYTES) {
        errno = EFBIG;
        good = false;
    }
    if (good)
        bytes = read_all(job, fd, (size_t)about.st_size);
    if (!bytes && !job->made.no_memory)
        seed_job_complain(job, path, "it cannot be read: %s", cli_errno());
    if (fd >= 0)
        close(fd);
    if (bytes == NULL)
        return false;
    ret->bytes = (struct larder_bytes){bytes, (size_t)about.st_size};
    if (ret_modified_ms)
        *ret_modified_ms = about.st_mtim.tv_sec * 1000 + about.st_mtim.tv_nsec / 1000000;
    return true;
}

bool seed_read_json(struct seed_job *job, const char *path, struct span *ret, bool *ret_there) {
    struct seed_bytes bytes;
    size_t at;
    *ret = (struct span){0};
    bool good = seed_read(job, path, &bytes, NULL);
    *ret_there = bytes.there;
    if (good && !span_document(bytes.bytes, ret, &at)) {
        seed_job_complain(job, path, "it is no JSON at byte %zu; was the build interrupted? build again", at);
        good = false;
    }
    return good;
}
