#include "figures.h"

#include <inttypes.h>
#include <stdio.h>

/* Three digits that say something: 1.23, 12.3, 123. */
static const char *three(double value, const char *unit, char out[FIGURE_TEXT]) {
    int places = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
    snprintf(out, FIGURE_TEXT, "%.*f%s", places, value, unit);
    return out;
}

static const char *in_thousands(double value, char out[FIGURE_TEXT]) {
    static const char *const units[] = {"k", "M", "G", "T", "P", "E"};
    unsigned i = 0;
    value /= 1000;
    while (value >= 999.5 && i < 5) {
        value /= 1000;
        i++;
    }
    return three(value, units[i], out);
}

const char *count_text(uint64_t count, char out[FIGURE_TEXT]) {
    if (count >= 10000)
        return in_thousands((double)count, out);
    snprintf(out, FIGURE_TEXT, "%" PRIu64, count);
    return out;
}

const char *rate_text(double per_second, char out[FIGURE_TEXT]) {
    if (per_second >= 999.5)
        return in_thousands(per_second, out);
    snprintf(out, FIGURE_TEXT, "%.*f", per_second > 0 && per_second < 9.95 ? 1 : 0, per_second);
    return out;
}

const char *bytes_text(uint64_t bytes, char out[FIGURE_TEXT]) {
    static const char *const units[] = {"KB", "MB", "GB", "TB", "PB", "EB"};
    double value = (double)bytes / 1024;
    unsigned i = 0;
    if (bytes < 1024) {
        snprintf(out, FIGURE_TEXT, "%" PRIu64 "B", bytes);
        return out;
    }
    while (value >= 1000 && i < 5) {
        value /= 1024;
        i++;
    }
    return three(value, units[i], out);
}

const char *ns_text(uint64_t ns, char out[FIGURE_TEXT]) {
    if (ns == 0)
        snprintf(out, FIGURE_TEXT, "-");
    else if (ns < 1000)
        snprintf(out, FIGURE_TEXT, "%" PRIu64 "ns", ns);
    else if (ns < 999500)
        three((double)ns / 1e3, "us", out);
    else if (ns < 999500000)
        three((double)ns / 1e6, "ms", out);
    else
        three((double)ns / 1e9, "s", out);
    return out;
}

const char *age_text(int64_t ms, char out[FIGURE_TEXT]) {
    int64_t s = ms / 1000, min = s / 60, h = min / 60;
    if (s < 100)
        snprintf(out, FIGURE_TEXT, "%" PRId64 "s", s);
    else if (min < 100)
        snprintf(out, FIGURE_TEXT, "%" PRId64 "min", min);
    else if (h < 48)
        snprintf(out, FIGURE_TEXT, "%" PRId64 "h%02" PRId64 "min", h, min % 60);
    else
        snprintf(out, FIGURE_TEXT, "%" PRId64 "d%02" PRId64 "h", h / 24, h % 24);
    return out;
}

const char *percent_text(uint64_t part, uint64_t whole, char out[FIGURE_TEXT]) {
    if (whole == 0)
        snprintf(out, FIGURE_TEXT, "-");
    else
        snprintf(out, FIGURE_TEXT, "%.1f%%", 100.0 * (double)part / (double)whole);
    return out;
}
