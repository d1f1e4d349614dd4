#include "journal.h"

#include <stdlib.h>

#include "bytes.h"
#include "hash.h"
#include "jitter.h"
#include "log.h"
#include "store.h"

static const uint64_t MS = 1000000u;
enum { FIRST_WAIT_MS = 250, LAST_WAIT_MS = 30000, MOST_DOUBLINGS = 7 };

/* ---- the tags that are pending ------------------------------------------------------ */

struct pending_tag {
    struct larder_bytes tag; /* a copy, never NULL; NULL: a free slot */
    uint64_t hash;
    uint32_t mode;
    int64_t expire_at_ms;
};

struct journal_set {
    size_t n_slots; /* a power of two, at most half full */
    struct pending_tag slots[];
};

static struct pending_tag *slot_of(struct journal_set *set, uint64_t hash, struct larder_bytes tag) {
    size_t at = (size_t)hash & (set->n_slots - 1);
    while (set->slots[at].tag.ptr != NULL &&
           (set->slots[at].hash != hash || !bytes_equal(set->slots[at].tag, tag)))
        at = (at + 1) & (set->n_slots - 1);
    return &set->slots[at];
}

static void free_set(struct journal *journal) {
    for (size_t i = 0; journal->set != NULL && i < journal->set->n_slots; i++)
        free((void *)(uintptr_t)journal->set->slots[i].tag.ptr);
    free(journal->set);
    journal->set = NULL;
}

/* Of two that are pending for one tag the worse counts: gone at once, or stale and gone the earlier. */
static void worsen(struct pending_tag *p, const struct journal_record *record) {
    int64_t a = p->expire_at_ms, b = record->expire_at_ms;
    if (record->mode == LARDER_EXPIRE)
        p->mode = LARDER_EXPIRE;
    p->expire_at_ms = a == LARDER_UNSET || (b != LARDER_UNSET && b < a) ? b : a;
}

static bool add_to_set(struct journal *journal, const struct journal_record *record,
                       struct larder_bytes tag) {
    uint8_t hashed[KEY_HASHED_LEN];
    struct key_rules rules = store_rules(journal->store, journal->store->tags.top);
    struct larder_bytes mapped;
    key_tag(&rules, tag, hashed, &mapped);
    uint64_t hash = hash_64(mapped.ptr, mapped.len);
    struct pending_tag *p = slot_of(journal->set, hash, mapped);
    if (p->tag.ptr != NULL) {
        worsen(p, record);
        return true;
    }
    uint8_t *copy = malloc(mapped.len + 1);
    if (copy == NULL)
        return false;
    bytes_put(copy, mapped);
    *p = (struct pending_tag){{copy, mapped.len}, hash, record->mode, record->expire_at_ms};
    return true;
}

static bool make_set(struct journal *journal) {
    size_t n_slots = 16;
    bool fits = true;
    while (n_slots < 2 * journal->n_tags + 2)
        n_slots *= 2;
    journal->set = calloc(1, sizeof(*journal->set) + n_slots * sizeof(struct pending_tag));
    if (journal->set == NULL)
        return false;
    journal->set->n_slots = n_slots;
    for (const struct journal_record *record = journal->first; record != NULL; record = record->next)
        for (size_t i = 0; i < record->n_tags; i++)
            fits = add_to_set(journal, record, record->tags[i]) && fits;
    return fits;
}

static uint32_t verdict_on(struct journal_set *set, struct larder_bytes tag, int64_t now_ms) {
    const struct pending_tag *p = slot_of(set, hash_64(tag.ptr, tag.len), tag);
    if (p->tag.ptr == NULL)
        return LARDER_FRESH;
    bool gone = p->mode == LARDER_EXPIRE || (p->expire_at_ms != LARDER_UNSET && p->expire_at_ms <= now_ms);
    return gone ? LARDER_GONE : LARDER_STALE;
}

/* Made when it is first asked for: what orphans had pending is taken over before the tag store is
 * open and tells how it takes tags.  Without memory for it everything counts as pending. */
uint32_t journal_verdict(struct journal *journal, struct larder_bytes tag, int64_t now_ms) {
    if (journal->first == NULL)
        return LARDER_FRESH;
    if (journal->set == NULL && !make_set(journal)) {
        free_set(journal);
        return LARDER_GONE;
    }
    return verdict_on(journal->set, tag, now_ms);
}

/* ---- records ---------------------------------------------------------------------------- */

static struct journal_record *record_new(uint32_t mode, int64_t expire_at_ms, const struct larder_bytes *tags,
                                         size_t n_tags) {
    struct journal_record *record;
    size_t size = sizeof(*record) + n_tags * sizeof(*tags);
    for (size_t i = 0; i < n_tags; i++)
        size += tags[i].len;
    record = malloc(size);
    if (record == NULL)
        return NULL;
    *record = (struct journal_record){.mode = mode, .expire_at_ms = expire_at_ms, .n_tags = n_tags};
    uint8_t *at = (uint8_t *)&record->tags[n_tags];
    for (size_t i = 0; i < n_tags; i++)
        record->tags[i] = bytes_put_next(&at, tags[i]);
    return record;
}

static bool is_same(const struct journal_record *a, const struct journal_record *b) {
    bool same = a->mode == b->mode && a->expire_at_ms == b->expire_at_ms && a->n_tags == b->n_tags;
    for (size_t i = 0; i < a->n_tags && same; i++)
        same = bytes_equal(a->tags[i], b->tags[i]);
    return same;
}

static void remove_record(struct journal *journal, struct journal_record **at) {
    struct journal_record *record = *at;
    *at = record->next;
    if (journal->last == &record->next)
        journal->last = at;
    journal->n_records--;
    journal->n_tags -= record->n_tags;
    journal_file_remove(&journal->file, record->id);
    free(record);
}

/* The records are others now. */
static void changed(struct journal *journal) {
    free_set(journal);
    marks_changed(&journal->store->marks, NULL, 0);
    __atomic_store_n(journal->stat_pending, journal->n_records, __ATOMIC_RELAXED);
    if (journal->first == NULL)
        journal_file_clear(&journal->file);
    else if (journal_file_is_long(&journal->file))
        journal_file_rewrite(&journal->file, journal->first);
}

/* One revalidation of everything in the place of all that is pending: it needs no room. */
static struct journal_record *everything(struct journal *journal) {
    static const struct larder_bytes ns = {(const uint8_t *)"", 0};
    struct journal_record *record = record_new(LARDER_EXPIRE, LARDER_UNSET, &ns, 1);
    if (record == NULL)
        return NULL;
    log_line(LARDER_LOG_WARN,
             "journal: more than %d tags wait for the store: all of the namespace will be "
             "revalidated instead",
             JOURNAL_TAGS);
    while (journal->first != NULL)
        remove_record(journal, &journal->first);
    return record;
}

/* ---- trying again ----------------------------------------------------------------------------- */

static void try_next(void *arg);

static void set_timer(struct journal *journal) {
    unsigned doublings = journal->tries < MOST_DOUBLINGS ? journal->tries : MOST_DOUBLINGS;
    uint64_t most_ms = (uint64_t)FIRST_WAIT_MS << doublings;
    if (most_ms > LAST_WAIT_MS)
        most_ms = LAST_WAIT_MS;
    uint64_t wait_ns = most_ms * MS / 2 + jitter_upto(&journal->random, most_ms * MS / 2);
    if (journal->first == NULL || journal->sending || journal->stopped)
        return;
    if (timer_set(&journal->timer, reactor_now_ns(journal->store->reactor) + wait_ns) != LARDER_OK)
        log_line(LARDER_LOG_ERROR, "journal: out of memory: what is pending waits for the next failure");
}

static void tried(void *arg, const struct larder_answer *answer) {
    struct journal *journal = arg;
    struct journal_record **at = &journal->first;
    journal->sending = false;
    while (*at != NULL && (*at)->id != journal->sent_id)
        at = &(*at)->next;
    if (answer->status < 0 && journal_may_cure(answer->status)) {
        journal->tries++;
        set_timer(journal);
        return;
    }
    if (answer->status < 0)
        log_line(LARDER_LOG_ERROR, "journal: a revalidation is given up: %s", answer->detail);
    journal->tries = 0;
    if (*at != NULL)
        remove_record(journal, at);
    changed(journal);
    if (journal->first != NULL && !journal->stopped)
        try_next(journal);
}

/* The oldest, as an ordinary request. */
static void try_next(void *arg) {
    struct journal *journal = arg;
    const struct journal_record *record = journal->first;
    if (record == NULL || journal->sending || journal->stopped)
        return;
    struct larder_request request = {.code = LARDER_DO_REVALIDATE,
                                     .tags = record->tags,
                                     .n_tags = record->n_tags,
                                     .mode = record->mode,
                                     .expire_in_ms = LARDER_UNSET};
    if (record->expire_at_ms != LARDER_UNSET) {
        request.expire_in_ms = record->expire_at_ms - reactor_now_ms(journal->store->reactor);
        if (request.expire_in_ms <= 0)
            request.mode = LARDER_EXPIRE;
    }
    journal->sending = true;
    journal->sent_id = record->id;
    __atomic_fetch_add(journal->stat_repeats, 1, __ATOMIC_RELAXED);
    int32_t status = larder_submit(journal->store, &request, tried, journal);
    if (status != LARDER_OK) {
        journal->sending = false;
        journal->tries++;
        set_timer(journal);
    }
}

/* ---- coming in ----------------------------------------------------------------------------------- */

bool journal_may_cure(int32_t status) {
    return status < 0 && status != LARDER_INVALID && status != LARDER_UNSUPPORTED && status != LARDER_TOO_BIG;
}

void journal_add(struct journal *journal, uint32_t mode, int64_t expire_at_ms,
                 const struct larder_bytes *tags, size_t n_tags) {
    struct journal_record *record;
    if (n_tags > JOURNAL_TAGS || journal->n_tags + n_tags > JOURNAL_TAGS)
        record = everything(journal);
    else
        record = record_new(mode, expire_at_ms, tags, n_tags);
    if (record == NULL) {
        log_line(LARDER_LOG_ERROR, "out of memory: a revalidation that failed is not tried again");
        return;
    }
    for (struct journal_record **at = &journal->first; *at != NULL; at = &(*at)->next) {
        if (is_same(*at, record) && (!journal->sending || (*at)->id != journal->sent_id)) {
            free(record);
            return;
        }
    }
    record->id = ++journal->next_id;
    *journal->last = record;
    journal->last = &record->next;
    journal->n_records++;
    journal->n_tags += record->n_tags;
    __atomic_fetch_add(journal->stat_kept, 1, __ATOMIC_RELAXED);
    journal_file_add(&journal->file, record);
    changed(journal);
    set_timer(journal);
}

static void adopt(void *arg, uint32_t mode, int64_t expire_at_ms, const struct larder_bytes *tags,
                  size_t n_tags) {
    journal_add(arg, mode, expire_at_ms, tags, n_tags);
}

void journal_init(struct journal *journal, struct larder_store *store, const char *folder) {
    struct larder_stats *stats = &store->stats;
    *journal = (struct journal){.store = store,
                                .random = reactor_now_ns(store->reactor) ^ (uint64_t)(uintptr_t)journal,
                                .stat_pending = &stats->journal_pending,
                                .stat_repeats = &stats->journal_repeats,
                                .stat_kept = &stats->journal_kept};
    journal->last = &journal->first;
    timer_init(&journal->timer, store->reactor, try_next, journal);
    if (!journal_file_init(&journal->file, folder, store->settings->ns))
        log_line(LARDER_LOG_ERROR, "journal: out of memory: nothing is written to %s", folder);
    journal_file_adopt(&journal->file, adopt, journal);
}

void journal_stop(struct journal *journal) {
    journal->stopped = true;
    timer_done(&journal->timer);
}

void journal_done(struct journal *journal) {
    struct journal_record *next;
    journal_file_done(&journal->file, journal->first == NULL);
    for (struct journal_record *record = journal->first; record != NULL; record = next) {
        next = record->next;
        free(record);
    }
    free_set(journal);
}
