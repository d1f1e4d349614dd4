/* JSON and JUnit XML. */
#include <inttypes.h>
#include <string.h>

#include "options.h"
#include "report.h"
#include "result.h"

/* ---- JSON (RFC 8259) ------------------------------------------------------------------------ */

/* What is no printable ASCII is escaped as the bytes of Latin-1: a test's texts may be any bytes. */
static void json_text(FILE *out, const char *text) {
    fputc('"', out);
    for (const char *at = text; *at; at++) {
        unsigned char c = (unsigned char)*at;
        if (c == '"' || c == '\\')
            fprintf(out, "\\%c", c);
        else if (c == '\n')
            fputs("\\n", out);
        else if (c < 0x20 || c >= 0x7f)
            fprintf(out, "\\u%04x", c);
        else
            fputc(c, out);
    }
    fputc('"', out);
}

static void json_member(FILE *out, const char *name, const char *text, const char *after) {
    fprintf(out, "\"%s\": ", name);
    json_text(out, text);
    fputs(after, out);
}

static void json_lines(FILE *out, const char *name, const struct outcome *o, const char *kinds) {
    const char *before = "";
    fprintf(out, ", \"%s\": [", name);
    for (const struct line *line = o->lines; line; line = line->next) {
        if (!strchr(kinds, line->kind))
            continue;
        fputs(before, out);
        json_text(out, line->text);
        before = ", ";
    }
    fputc(']', out);
}

static const char *status_word(enum result_status status) {
    static const char *const words[] = {"passed", "failed", "not claimed", "not tried"};
    return words[status];
}

static void json_outcome(FILE *out, const struct outcome *o) {
    char again[4096];
    fputs("    {", out);
    json_member(out, "id", o->id, ", ");
    json_member(out, "outcome", status_word(o->status), ", ");
    fprintf(out, "\"seconds\": %.3f, \"assertions\": %u", o->seconds, o->assertions);
    json_lines(out, "failures", o, "F");
    json_lines(out, "violations", o, "V");
    json_lines(out, "not_claimed", o, "U");
    json_lines(out, "notes", o, "N");
    if (o->status == TEST_FAILED) {
        options_command(o->id, again, sizeof(again));
        fputs(", ", out);
        json_member(out, "again", again, ", ");
        json_member(out, "output", o->output ? o->output : "", "");
    }
    fputs("}", out);
}

void report_json(FILE *out, const struct run *run) {
    const struct about *a = &run->about;
    char traits[128];
    traits_in_words(a->info.traits, traits, sizeof(traits));
    fputs("{\n  \"driver\": {", out);
    json_member(out, "name", a->name, ", ");
    json_member(out, "version", a->version, ", ");
    json_member(out, "claims", traits, ", ");
    fprintf(out,
            "\"cache\": %s, \"tags\": %s, \"max_key\": %" PRIu64 ", \"max_value\": %" PRIu64
            ", \"max_marks\": %u, \"max_inflight\": %u, \"lanes\": %u, \"key_bytes\": %u},\n",
            a->cache ? "true" : "false", a->tags ? "true" : "false", a->info.max_key, a->info.max_value,
            a->info.max_marks, a->info.max_inflight, a->info.lanes, a->info.key_bytes);
    fprintf(out, "  \"seed\": %" PRIu64 ",\n", options.seed);
    fprintf(
        out,
        "  \"passed\": %zu, \"failed\": %zu, \"not_claimed\": %zu, \"not_tried\": %zu, \"seconds\": %.3f,\n",
        run->n_passed, run->n_failed, run->n_unclaimed, run->n_not_run, run->seconds);
    fputs("  \"tests\": [\n", out);
    for (size_t i = 0; i < run->n; i++) {
        json_outcome(out, &run->outcomes[i]);
        fputs(i + 1 < run->n ? ",\n" : "\n", out);
    }
    fputs("  ]\n}\n", out);
}

/* ---- JUnit XML, as its readers agree on it ------------------------------------------------- */

/* Control characters have no place in XML 1.0, not even escaped. */
static void xml_text(FILE *out, const char *text) {
    for (const char *at = text; *at; at++) {
        unsigned char c = (unsigned char)*at;
        switch (c) {
        case '<': fputs("&lt;", out); break;
        case '>': fputs("&gt;", out); break;
        case '&': fputs("&amp;", out); break;
        case '"': fputs("&quot;", out); break;
        case '\n': fputs("&#10;", out); break;
        default:
            if (c < 0x20 || c >= 0x7f)
                fprintf(out, c < 0x20 || c == 0x7f ? "?" : "&#%u;", c);
            else
                fputc(c, out);
        }
    }
}

static void xml_first(FILE *out, const struct outcome *o) {
    for (const struct line *line = o->lines; line; line = line->next) {
        if (line->kind == RESULT_FAILURE || line->kind == RESULT_VIOLATION) {
            xml_text(out, line->text);
            return;
        }
    }
}

static void xml_outcome(FILE *out, const struct outcome *o) {
    fprintf(out, "  <testcase classname=\"%s\" name=\"%s\" time=\"%.3f\"",
            o->suite ? o->suite->name : "model", o->test ? o->test->name : "replay", o->seconds);
    if (o->status == TEST_PASSED) {
        fputs("/>\n", out);
        return;
    }
    fputs(">\n", out);
    if (o->status == TEST_FAILED) {
        char again[4096];
        options_command(o->id, again, sizeof(again));
        fputs("    <failure message=\"", out);
        xml_first(out, o);
        fputs("\">", out);
        for (const struct line *line = o->lines; line; line = line->next) {
            xml_text(out, line->text);
            fputs("\n", out);
        }
        fputs("again: ", out);
        xml_text(out, again);
        fputs("\n</failure>\n", out);
    } else {
        fprintf(out, "    <skipped message=\"%s\"/>\n",
                o->status == TEST_UNCLAIMED ? "not claimed" : "not tried: the time was up");
    }
    fputs("  </testcase>\n", out);
}

void report_junit(FILE *out, const struct run *run) {
    fprintf(out,
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"larder-conform %s\" tests=\"%zu\" "
            "failures=\"%zu\" skipped=\"%zu\" time=\"%.3f\">\n",
            run->about.name, run->n, run->n_failed, run->n_unclaimed + run->n_not_run, run->seconds);
    for (size_t i = 0; i < run->n; i++)
        xml_outcome(out, &run->outcomes[i]);
    fputs("</testsuite>\n", out);
}
