#include "output.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

/* ---- the notation of keys ---------------------------------------------------------------------- */

/* Length of the printable UTF-8 sequence at p; 0: there is none.  Control characters (C0, DEL,
 * C1), line separators and marks that turn the direction of text are no printable ones: a key
 * must not be able to fool the reader of a terminal. */
static size_t printable(const uint8_t *p, size_t len) {
    if (p[0] < 0x80)
        return p[0] >= 0x20 && p[0] < 0x7f;
    size_t n = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
    if (p[0] < 0xc2 || p[0] > 0xf4 || len < n)
        return 0;
    uint32_t code = p[0] & (0x7fu >> n);
    for (size_t i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
        code = code << 6 | (p[i] & 0x3fu);
    }
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    bool well_formed = code >= least[n] && code <= 0x10ffff && !(code >= 0xd800 && code < 0xe000);
    bool shows = code >= 0xa0 && code != 0x61c && !(code >= 0x200b && code < 0x2010) &&
                 !(code >= 0x2028 && code < 0x202f) && !(code >= 0x2060 && code < 0x2070) && code != 0xfeff;
    return well_formed && shows ? n : 0;
}

void escape_print(FILE *file, struct larder_bytes bytes) {
    for (size_t i = 0; i < bytes.len;) {
        size_t n = printable(bytes.ptr + i, bytes.len - i);
        if (n == 0)
            fprintf(file, "\\x%02x", bytes.ptr[i]);
        else if (bytes.ptr[i] == '\\')
            fputs("\\\\", file);
        else
            fwrite(bytes.ptr + i, 1, n, file);
        i += n ? n : 1;
    }
}

const char *tame_text(const char *text, char *out, size_t size) {
    size_t n = 0;
    for (; *text && n + 1 < size; text++)
        out[n++] = (char)(*text >= ' ' && *text <= '~' ? *text : '?');
    out[n] = '\0';
    return out;
}

static int hex_digit(char c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool escape_read(const char *text, uint8_t *out, size_t *ret_len) {
    size_t n = 0;
    for (const char *p = text; *p; p++) {
        if (*p != '\\') {
            out[n++] = (uint8_t)*p;
            continue;
        }
        p++;
        if (*p == '\\') {
            out[n++] = '\\';
            continue;
        }
        int high = *p == 'x' ? hex_digit(p[1]) : -1;
        int low = high < 0 ? -1 : hex_digit(p[2]);
        if (low < 0)
            return false;
        out[n++] = (uint8_t)(high << 4 | low);
        p += 2;
    }
    *ret_len = n;
    return true;
}

/* ---- JSON ------------------------------------------------------------------------------------- */

static void put_string(FILE *file, struct larder_bytes text) {
    fputc('"', file);
    for (size_t i = 0; i < text.len;) {
        uint8_t c = text.ptr[i];
        size_t n = printable(text.ptr + i, text.len - i);
        if (c == '"' || c == '\\')
            fprintf(file, "\\%c", c);
        else if (n > 0)
            fwrite(text.ptr + i, 1, n, file);
        else if (c < 0x80)
            fprintf(file, "\\u%04x", c);
        else
            fputs("\\ufffd", file);
        i += n ? n : 1;
    }
    fputc('"', file);
}

struct larder_bytes bytes_of_text(const char *text) {
    return (struct larder_bytes){(const uint8_t *)text, strlen(text)};
}

static void put_name(struct json *json, const char *name) {
    if (json->depth > 0) {
        if (json->some[json->depth - 1])
            fputc(',', json->file);
        json->some[json->depth - 1] = true;
    }
    if (name) {
        put_string(json->file, bytes_of_text(name));
        fputc(':', json->file);
    }
}

static void begin(struct json *json, const char *name, char open, char close) {
    put_name(json, name);
    fputc(open, json->file);
    if (json->depth < JSON_DEPTH) {
        json->some[json->depth] = false;
        json->close[json->depth++] = close;
    }
}

void json_object(struct json *json, const char *name) {
    begin(json, name, '{', '}');
}

void json_array(struct json *json, const char *name) {
    begin(json, name, '[', ']');
}

void json_end(struct json *json) {
    fputc(json->close[--json->depth], json->file);
    if (json->depth == 0)
        fputc('\n', json->file);
}

void json_utf8(struct json *json, const char *name, struct larder_bytes bytes) {
    put_name(json, name);
    put_string(json->file, bytes);
}

void json_text(struct json *json, const char *name, const char *text) {
    json_utf8(json, name, bytes_of_text(text));
}

/* The backslashes of the notation are doubled, as JSON has it. */
void json_bytes(struct json *json, const char *name, struct larder_bytes bytes) {
    put_name(json, name);
    fputc('"', json->file);
    for (size_t i = 0; i < bytes.len;) {
        size_t n = printable(bytes.ptr + i, bytes.len - i);
        if (n == 0)
            fprintf(json->file, "\\\\x%02x", bytes.ptr[i]);
        else if (bytes.ptr[i] == '\\')
            fputs("\\\\\\\\", json->file);
        else if (bytes.ptr[i] == '"')
            fputs("\\\"", json->file);
        else
            fwrite(bytes.ptr + i, 1, n, json->file);
        i += n ? n : 1;
    }
    fputc('"', json->file);
}

void json_number(struct json *json, const char *name, int64_t number) {
    put_name(json, name);
    fprintf(json->file, "%" PRId64, number);
}

void json_bool(struct json *json, const char *name, bool value) {
    put_name(json, name);
    fputs(value ? "true" : "false", json->file);
}

void json_null(struct json *json, const char *name) {
    put_name(json, name);
    fputs("null", json->file);
}

/* ---- times -------------------------------------------------------------------------------------- */

const char *time_text(int64_t ms, char out[TIME_TEXT]) {
    int64_t whole = ms / 1000, rest = ms % 1000;
    if (rest < 0) {
        rest += 1000;
        whole--;
    }
    time_t seconds = (time_t)whole;
    struct tm tm;
    if (gmtime_r(&seconds, &tm) == NULL || tm.tm_year > 8099)
        snprintf(out, TIME_TEXT, "%" PRId64 " ms", ms);
    else
        snprintf(out, TIME_TEXT, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", tm.tm_year + 1900, tm.tm_mon + 1,
                 tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, (int)rest);
    return out;
}

const char *duration_text(int64_t ms, char out[TIME_TEXT]) {
    static const struct {
        int64_t ms;
        const char *name;
    } units[] = {{86400000, "d"}, {3600000, "h"}, {60000, "min"}, {1000, "s"}, {1, "ms"}};
    size_t i = 0;
    while (ms % units[i].ms != 0)
        i++;
    snprintf(out, TIME_TEXT, "%" PRId64 "%s", ms / units[i].ms, ms ? units[i].name : "");
    return out;
}
