/*
 * One request from larder_submit() to its answer, and after: whoever keeps the answer keeps
 * this.  References: one until the request is answered, one for each op, want or job under
 * way, one for each larder_answer_ref().  A request that is answered by its deadline lives on
 * until the last op has come back; nothing it does then is seen by anybody.
 */
#ifndef CORE_REQUEST_H
#define CORE_REQUEST_H

#include "store.h"

struct request {
    struct larder_answer answer; /* first: what larder_answer_ref() is given */
    uint32_t refs;               /* atomic */
    size_t size;                 /* of all of it, with the copies */
    struct larder_request in;    /* build, key, tags and cursor are copies */
    struct larder_store *store;  /* not to be used once answered: it may be gone */
    larder_answer_fn *done;
    void *arg;
    struct task task;
    struct larder_timer timer;
    uint64_t submitted_ns, deadline_ns;
    int64_t now_ms;      /* when it was begun */
    struct trace *trace; /* NULL: not traced */
    bool answered;
    bool borrowing;     /* a job reads the caller's memory: no answer before it ends */
    bool overdue;       /* the deadline passed meanwhile */
    struct arena arena; /* what the answer points to */
    char detail[256];

    uint8_t *physical; /* the key as the store has it (key_make) */
    size_t physical_len;
    struct op *op; /* the one op whose answer this request's is made of */
    uint32_t n_pending;
    int32_t failed; /* first failure of several ops */

    /* get */
    struct entry_want entry;
    struct larder_slice own_binary; /* LARDER_F_OWN_BINARY */
    struct kept *kept;              /* the entry, once it is here; NULL: there is none */
    int32_t read_status;            /* what was said of it */
    const char *read_why;           /* in the arena; NULL: nothing */
    struct mark_want want;          /* marks of the request's tags and the entry's, or those guessed */
    struct mark_want more;          /* those of the entry that were not asked for */
    struct epoch_wait epoch_wait;
    struct larder_bytes *tags; /* the request's tags as the store takes them, then the others */
    size_t n_own_tags, n_tags;
    struct larder_bytes entry_tag; /* request_entry_tag(), as the store takes it; ptr NULL: not asked */
    bool entry_here, marks_here, epoch_asked, epoch_here, more_here;
    bool in_outage;    /* answered by what this process knows, since marks cannot be read */
    uint32_t n_raises; /* how often a new epoch was asked for, after an outage */
    uint32_t verdict;

    /* get, before a render (claim.h) */
    enum claim_state claim_state;
    bool claim_waits; /* claim_timer is set, and has a reference */
    bool renewing;    /* another process renders what is old here */
    uint64_t claim_until_ns, claim_look_ms;
    struct larder_timer claim_timer;
    void (*go_on)(struct request *r);
    void (*read_again)(struct request *r);

    /* put */
    struct job job;
    struct larder_slice encoded;
    int32_t encode_status;
    int64_t number;                  /* LARDER_F_RENEWS: as which it stands in the store; else 0 */
    struct op *told_op;              /* LARDER_F_TELL: of the put or remove, while others are told of it */
    struct entry_flight *put_flight; /* gets of the key wait for it while this is encoded */

    /* revalidate */
    struct larder_mark *marks; /* one for each different tag, as the store takes them */
    size_t n_marks;
    uint32_t round;

    _Alignas(8) uint8_t copies[]; /* tags first */
};

/* The physical key of in.build, in.kind, in.key into r->physical; false: answered (no memory). */
bool request_make_key(struct request *r);
static inline struct larder_bytes request_key(const struct request *r) {
    return (struct larder_bytes){r->physical, r->physical_len};
}

/* The tag whose mark says since when what processes have of this entry in memory is outdated: of the
 * store's own, in r's arena.  Its mark has no say over what the store itself has.  ptr NULL: no memory. */
struct larder_bytes request_entry_tag(struct request *r);

/* tags as the tag store takes them, in r's arena; NULL: no memory. */
struct larder_bytes *request_map_tags(struct request *r, const struct larder_bytes *tags, size_t n);
/* The same for the index, in which each tag keeps its name, also where several share a mark. */
struct larder_bytes *request_index_tags(struct request *r, const struct larder_bytes *tags, size_t n);

/* An op of r's: takes one reference, which request_op_over() gives back; NULL: answered. */
struct op *request_op(struct request *r, uint32_t code, const struct op_inputs *in, op_done_fn *done);

/* Answers once: later calls do nothing.  detail is copied; NULL: "". */
void request_answer(struct request *r, int32_t status, const char *detail);
/* The same with what an op said. */
void request_answer_op(struct request *r, const struct op *op);

struct request *request_ref(struct request *r);
void request_unref(struct request *r);

/* What the codes do; on the reactor's thread, once. */
void get_start(struct request *r);
/* Its deadline has come: answers with what there is, or with LARDER_DEADLINE. */
void get_overdue(struct request *r, const char *why);
void check_start(struct request *r);
void read_tags_start(struct request *r);
void epoch_start(struct request *r);
void put_start(struct request *r);
void remove_start(struct request *r);
void link_start(struct request *r);
void revalidate_start(struct request *r);
void list_start(struct request *r);
void keys_of_start(struct request *r);
void tags_of_start(struct request *r);
void list_tags_start(struct request *r);
void ping_start(struct request *r);
void provision_start(struct request *r);
void explain_start(struct request *r);

#endif
