/* A page for the README of a driver. */
#include <inttypes.h>
#include <string.h>

#include "options.h"
#include "report.h"
#include "result.h"
#include "strict.h"

static void row(FILE *out, const char *name, const char *text) {
    fprintf(out, "| %s | %s |\n", name, text);
}

static void row_limit(FILE *out, const char *name, uint64_t limit, const char *unit) {
    char text[64];
    snprintf(text, sizeof(text), "%" PRIu64 "%s", limit, unit);
    row(out, name, limit > 0 ? text : "no limit");
}

static void print_offers(FILE *out, const struct about *a) {
    static const struct {
        uint32_t code;
        const char *what;
    } optional[] = {
        {LARDER_OP_LIST, "listing"},
        {LARDER_OP_CLAIM, "claims"},
        {LARDER_OP_BUMP, "bump"},
        {LARDER_OP_LINK, "the index"},
        {LARDER_OP_LIST_MARKS, "listing marks"},
        {LARDER_OP_PROVISION, "provisioning"},
        {LARDER_OP_EXPLAIN, "explaining"},
    };
    static const char *const kinds[] = {"any", "UTF-8", "printable ASCII"};
    char traits[128];
    fputs("| | |\n|---|---|\n", out);
    row(out, "offers", a->cache && a->tags ? "entries and tags" : a->cache ? "entries" : "tags");
    fputs("| beyond that |", out);
    const char *before = " ";
    for (size_t i = 0; i < N_ELEMENTS(optional); i++) {
        if (a->codes & UINT32_C(1) << optional[i].code) {
            fprintf(out, "%s%s", before, optional[i].what);
            before = ", ";
        }
    }
    fputs(*before == ' ' ? " nothing |\n" : " |\n", out);
    traits_in_words(a->info.traits, traits, sizeof(traits));
    row(out, "claims", traits);
    row_limit(out, "longest key", a->info.max_key, " bytes");
    row(out, "bytes in keys and tags", kinds[a->info.key_bytes < 3 ? a->info.key_bytes : 0]);
    row_limit(out, "largest value", a->info.max_value, " bytes");
    row_limit(out, "marks in one call", a->info.max_marks, "");
}

static void print_failures(FILE *out, const struct run *run) {
    char again[4096];
    fputs("\n### What failed\n", out);
    for (size_t i = 0; i < run->n; i++) {
        const struct outcome *o = &run->outcomes[i];
        if (o->status != TEST_FAILED)
            continue;
        options_command(o->id, again, sizeof(again));
        fprintf(out, "\n**%s**: %s\n\n```\n", o->suite ? o->suite->name : "model", o->words);
        for (const struct line *line = o->lines; line; line = line->next) {
            if (line->kind != RESULT_UNCLAIMED)
                fprintf(out, "%s\n", line->text);
        }
        fprintf(out, "```\n\nTo repeat it:\n\n```\n%s\n```\n", again);
    }
}

/* Each thing once, however many tests asked for it. */
static void print_unclaimed(FILE *out, const struct run *run) {
    bool any = false;
    for (size_t i = 0; i < run->n; i++) {
        for (const struct line *line = run->outcomes[i].lines; line; line = line->next) {
            bool said = line->kind != RESULT_UNCLAIMED;
            for (size_t k = 0; k <= i && !said; k++) {
                for (const struct line *other = run->outcomes[k].lines; other && other != line;
                     other = other->next)
                    said = said || (other->kind == RESULT_UNCLAIMED && strcmp(other->text, line->text) == 0);
            }
            if (said)
                continue;
            if (!any)
                fputs("\n### Not claimed, and not tried\n\n", out);
            any = true;
            fprintf(out, "- %s\n", line->text);
        }
    }
}

void report_markdown(FILE *out, const struct run *run) {
    const struct about *a = &run->about;
    char command[4096];
    options_command(NULL, command, sizeof(command));
    fprintf(out, "## Conformance: %s %s\n\n%s\n\n", a->name, a->version, a->summary);
    print_offers(out, a);
    fprintf(out, "\nTests: %zu passed, %zu failed, %zu not claimed", run->n_passed, run->n_failed,
            run->n_unclaimed);
    if (run->n_not_run > 0)
        fprintf(out, ", %zu not tried", run->n_not_run);
    fprintf(out, " (larder-conform %s).\n\n```\n%s\n```\n", larder_version(), command);
    if (run->n_failed > 0)
        print_failures(out, run);
    print_unclaimed(out, run);
}
