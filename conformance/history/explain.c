#include "explain.h"

#include <inttypes.h>

#include "index.h"

static const char *const verdicts[] = {"no verdict", "fresh", "stale", "gone"};

static const char *verdict_name(unsigned verdict) {
    return verdicts[verdict <= LARDER_GONE ? verdict : 0];
}

static const char *rule_words(enum rule rule) {
    static const char *const words[RULE_N] = {
        [RULE_STALE_AFTER_REVALIDATION] =
            "a get returned what was rendered before a revalidation that had completed before the get began",
        [RULE_NEVER_PUT] = "a get returned what nobody had put under that key",
        [RULE_NOT_WHOLE] = "a get returned other bytes, tags or another epoch than were put",
        [RULE_NOT_ALIVE] = "after quiet, the second get of a key was no hit",
        [RULE_FRESH_THOUGH_STALE] = "a get called fresh what a completed revalidation had made stale",
        [RULE_THERE_AFTER_DUE] =
            "a get returned what had to be gone by then, by the clocks of both processes",
        [RULE_GONE_TOO_EARLY] = "an entry was gone that no revalidation had made gone yet, by any clock",
        [RULE_ERROR] = "a call failed though nothing disturbed it",
    };
    return words[rule];
}

static double seconds(int64_t ns, int64_t start_ns) {
    return (double)(ns - start_ns) / 1e9;
}

static const struct record *record_at(const struct history *h, struct place place) {
    return &h->files[place.file].records[place.at];
}

static const struct history_head *head_of(const struct history *h, struct place place) {
    return h->files[place.file].head;
}

static const char *key_of(const struct history *h, struct place place, char name[WORLD_NAME]) {
    const struct world *w = &head_of(h, place)->world;
    unsigned key = record_at(h, place)->key;
    if (key < world_n_keys(w))
        world_key_name(w, key, name);
    else
        snprintf(name, WORLD_NAME, "key %u", key);
    return name;
}

static const char *tag_of(const struct history *h, struct place place, unsigned tag, char name[WORLD_NAME]) {
    if (tag == 0)
        snprintf(name, WORLD_NAME, "(the namespace's)");
    else
        world_tag_name(&head_of(h, place)->world, tag, name);
    return name;
}

static struct place place_of(uint64_t version) {
    return (struct place){(uint32_t)(version >> 32), (uint32_t)version};
}

static void print_time(FILE *out, const struct record *r, int64_t start_ns) {
    fprintf(out, "%.6f s", seconds(r->begin_ns, start_ns));
    if (r->end_ns != 0)
        fprintf(out, " to %.6f s", seconds(r->end_ns, start_ns));
    else
        fprintf(out, ", never answered");
}

static void print_where(FILE *out, const struct history *h, struct place place) {
    fprintf(out, "process %u [file %u, record %u]", head_of(h, place)->process, place.file, place.at);
}

static void print_cause(FILE *out, const struct history *h, const struct violation *v, int64_t start_ns) {
    const struct record *r = record_at(h, v->cause);
    char tag[WORLD_NAME];
    fprintf(out, "  revalidation of tag %s", tag_of(h, v->cause, v->tag, tag));
    if (r->mode == LARDER_MAKE_STALE && r->expire_in_ms != LARDER_UNSET)
        fprintf(out, " (stale, gone after %" PRId64 " ms)", r->expire_in_ms);
    else if (r->mode == LARDER_MAKE_STALE)
        fprintf(out, " (stale)");
    fprintf(out, ": ");
    print_time(out, r, start_ns);
    fprintf(out, ", by ");
    print_where(out, h, v->cause);
    fprintf(out, ", then knew epoch %" PRId64 "\n", r->epoch);
}

static void print_version(FILE *out, const struct history *h, const struct violation *v, unsigned at,
                          int64_t start_ns) {
    const struct record *put = history_put(h, v->chain[at]);
    struct place place = place_of(v->chain[at]);
    char key[WORLD_NAME];
    if (put == NULL)
        return;
    fprintf(out, "  %*s%s%s: rendering began at %.6f s, noted epoch %" PRId64 "; put ", (int)at * 2, "",
            at == 0 ? "what it got, " : "built from ", key_of(h, place, key),
            seconds(put->began_ns, start_ns), put->epoch);
    print_time(out, put, start_ns);
    fprintf(out, ", by ");
    print_where(out, h, place);
    if (v->has_cause && at + 1 == v->n_chain)
        fprintf(out, ": %.6f s before that revalidation began",
                (double)(record_at(h, v->cause)->begin_ns - put->began_ns) / 1e9);
    fprintf(out, "\n");
}

void explain(FILE *out, const struct history *h, const struct violation *v, int64_t start_ns) {
    const struct record *call = record_at(h, v->call);
    char name[WORLD_NAME];
    fprintf(out, "%s: %s\n", rule_name(v->rule), rule_words(v->rule));
    if (v->has_cause)
        print_cause(out, h, v, start_ns);
    if (call->op == R_GET) {
        fprintf(out, "  get of %s: ", key_of(h, v->call, name));
        print_time(out, call, start_ns);
        fprintf(out, ", by ");
        print_where(out, h, v->call);
        fprintf(out, ": %s, %s", larder_status_name(call->status), verdict_name(call->verdict));
        if (call->version != VERSION_NONE)
            fprintf(out, ", epoch %" PRId64, call->epoch);
        fprintf(out, "%s\n", call->flags & R_WHOLE || call->version == VERSION_NONE ? "" : ", not whole");
    } else {
        fprintf(out, "  ");
        explain_record(out, h, v->call, start_ns);
    }
    for (unsigned i = 0; i < v->n_chain; i++)
        print_version(out, h, v, i, start_ns);
}

void explain_record(FILE *out, const struct history *h, struct place place, int64_t start_ns) {
    static const char *const names[] = {"?", "get", "put", "revalidate", "epoch", "loss of the tag store"};
    const struct record *r = record_at(h, place);
    char name[WORLD_NAME];
    fprintf(out, "%s", names[r->op < R_OPS ? r->op : 0]);
    if (r->op == R_GET || r->op == R_PUT)
        fprintf(out, " %s", key_of(h, place, name));
    for (unsigned tag = 0; r->op == R_REVALIDATE && tag < N_TAGS; tag++)
        if (r->tags >> tag & 1)
            fprintf(out, " %s", tag_of(h, place, tag, name));
    fprintf(out, ": ");
    print_time(out, r, start_ns);
    fprintf(out, ", by ");
    print_where(out, h, place);
    if (r->end_ns != 0)
        fprintf(out, ": %s", larder_status_name(r->status));
    if (r->op == R_GET)
        fprintf(out, ", %s", verdict_name(r->verdict));
    if (r->op == R_PUT || r->end_ns != 0)
        fprintf(out, ", epoch %" PRId64, r->epoch);
    fprintf(out, "\n");
}

uint64_t violations_of(const struct check_result *result) {
    uint64_t n = 0;
    for (int rule = 0; rule < RULE_N; rule++)
        n += result->n_violations[rule];
    return n;
}

void explain_result(FILE *out, const struct check_result *r) {
    double s = seconds(r->last_ns, r->first_ns);
    fprintf(out,
            "%" PRIu64 " calls in %.1f s (%.0f/s), %" PRIu64 " never answered\n"
            "%" PRIu64 " gets: %" PRIu64 " fresh, %" PRIu64 " stale, %" PRIu64 " gone, %" PRIu64
            " misses, %" PRIu64 " errors; the slowest took %.0f ms\n"
            "%" PRIu64 " renders, %" PRIu64 " puts, %" PRIu64 " of them failed\n"
            "%" PRIu64 " revalidations completed, %" PRIu64 " failed\n",
            r->n_records, s, s > 0 ? (double)r->n_records / s : 0.0, r->n_unanswered, r->n_gets, r->n_fresh,
            r->n_stale, r->n_gone, r->n_misses, r->n_get_errors, (double)r->slowest_get_ns / 1e6,
            r->n_renders, r->n_puts, r->n_put_errors, r->n_revalidations, r->n_revalidation_errors);
    if (r->first_error_ns != 0)
        fprintf(out,
                "gets failed from %.1f to %.1f s after the beginning; none was answered for at most %.2f s\n",
                seconds(r->first_error_ns, r->first_ns), seconds(r->last_error_ns, r->first_ns),
                (double)r->longest_outage_ns / 1e9);
    if (r->n_losses > 0)
        fprintf(out,
                "the tag store was lost %" PRIu64 " times; excused for that: %" PRIu64
                " gets whose revalidation was rolled back, %" PRIu64
                " whose epochs the counter gave out twice\n",
                r->n_losses, r->n_lost, r->n_unordered);
    fprintf(out, "alive after quiet: %" PRIu64 " second gets looked at\n", r->n_second_gets);
    for (int rule = 0; rule < RULE_N; rule++)
        if (r->n_violations[rule] > 0)
            fprintf(out, "VIOLATED %s: %" PRIu64 "\n", rule_name((enum rule)rule), r->n_violations[rule]);
    if (violations_of(r) == 0)
        fprintf(out, "no violation\n");
}

/* ---- JSON ------------------------------------------------------------------------------- */

static void json_text(FILE *out, const char *text) {
    fputc('"', out);
    for (const unsigned char *p = (const unsigned char *)text; *p != 0; p++) {
        if (*p == '"' || *p == '\\')
            fprintf(out, "\\%c", *p);
        else if (*p < 0x20)
            fprintf(out, "\\u%04x", *p);
        else
            fputc(*p, out);
    }
    fputc('"', out);
}

static void json_violation(FILE *out, const struct history *h, const struct violation *v, int64_t start_ns) {
    char words[4096];
    FILE *memory = fmemopen(words, sizeof(words), "w");
    fprintf(out, "{\"rule\": \"%s\", \"file\": %u, \"record\": %u, \"words\": ", rule_name(v->rule),
            v->call.file, v->call.at);
    if (memory != NULL) {
        explain(memory, h, v, start_ns);
        fclose(memory);
        words[sizeof(words) - 1] = '\0';
    }
    json_text(out, memory != NULL ? words : "");
    fprintf(out, "}");
}

void explain_json(FILE *out, const struct history *h, const struct check_result *r) {
    const struct {
        const char *name;
        uint64_t value;
    } numbers[] = {
        {"calls", r->n_records},
        {"unanswered", r->n_unanswered},
        {"gets", r->n_gets},
        {"fresh", r->n_fresh},
        {"stale", r->n_stale},
        {"gone", r->n_gone},
        {"misses", r->n_misses},
        {"getErrors", r->n_get_errors},
        {"renders", r->n_renders},
        {"puts", r->n_puts},
        {"putErrors", r->n_put_errors},
        {"revalidations", r->n_revalidations},
        {"revalidationErrors", r->n_revalidation_errors},
        {"losses", r->n_losses},
        {"excusedLost", r->n_lost},
        {"excusedUnordered", r->n_unordered},
        {"secondGets", r->n_second_gets},
        {"violations", violations_of(r)},
    };
    fprintf(out, "{\"seconds\": %.3f", seconds(r->last_ns, r->first_ns));
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        fprintf(out, ", \"%s\": %" PRIu64, numbers[i].name, numbers[i].value);
    fprintf(out, ", \"longestOutageMs\": %.0f, \"byRule\": {", (double)r->longest_outage_ns / 1e6);
    for (int rule = 0; rule < RULE_N; rule++)
        fprintf(out, "%s\"%s\": %" PRIu64, rule > 0 ? ", " : "", rule_name((enum rule)rule),
                r->n_violations[rule]);
    fprintf(out, "}, \"found\": [");
    for (uint64_t i = 0; i < r->n_found; i++) {
        fprintf(out, i > 0 ? ", " : "");
        json_violation(out, h, &r->found[i], r->first_ns);
    }
    fprintf(out, "]}\n");
}
