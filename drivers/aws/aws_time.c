#include "aws_time.h"

#include <string.h>
#include <time.h>

#include "aws_text.h"

static const int64_t LATEST_S = INT64_C(253402300799); /* the last second of 9999 */

static void put_digits(char *out, int n, int value) {
    for (int i = n; i-- > 0; value /= 10)
        out[i] = (char)('0' + value % 10);
}

void aws_stamp(char out[AWS_STAMP_SIZE], int64_t ms) {
    struct tm tm;
    time_t s = ms < 0 ? 0 : (time_t)(ms / 1000);
    if (s > LATEST_S)
        s = LATEST_S;
    gmtime_r(&s, &tm); /* cannot fail: the year fits */
    memcpy(out, "00000000T000000Z", AWS_STAMP_SIZE);
    put_digits(out, 4, tm.tm_year + 1900);
    put_digits(out + 4, 2, tm.tm_mon + 1);
    put_digits(out + 6, 2, tm.tm_mday);
    put_digits(out + 9, 2, tm.tm_hour);
    put_digits(out + 11, 2, tm.tm_min);
    put_digits(out + 13, 2, tm.tm_sec);
}

/* `form`: a digit stands for that many digits, read into values[]; anything else for itself. */
static size_t read_form(struct larder_bytes text, const char *form, int *values) {
    size_t at = 0;
    for (; *form; form++) {
        if (*form < '1' || *form > '9') {
            if (at >= text.len || text.ptr[at++] != (uint8_t)*form)
                return 0;
            continue;
        }
        int value = 0;
        for (int n = *form - '0'; n > 0; n--, at++) {
            if (at >= text.len || text.ptr[at] < '0' || text.ptr[at] > '9')
                return 0;
            value = value * 10 + (text.ptr[at] - '0');
        }
        *values++ = value;
    }
    return at;
}

static bool to_ms(int year, int month, int day, const int hms[3], int64_t *ret_ms) {
    if (year < 1970 || month < 1 || month > 12 || day < 1 || day > 31 || hms[0] > 23 || hms[1] > 59 ||
        hms[2] > 60)
        return false;
    struct tm tm = {.tm_year = year - 1900,
                    .tm_mon = month - 1,
                    .tm_mday = day,
                    .tm_hour = hms[0],
                    .tm_min = hms[1],
                    .tm_sec = hms[2]};
    *ret_ms = (int64_t)timegm(&tm) * 1000;
    return true;
}

bool aws_time_iso(struct larder_bytes text, int64_t *ret_ms) {
    int v[6], offset[2];
    int64_t ms;
    size_t at = read_form(text, "4-2-2T2:2:2", v);
    if (at == 0 || !to_ms(v[0], v[1], v[2], v + 3, &ms))
        return false;
    if (at < text.len && text.ptr[at] == '.')
        for (at++; at < text.len && text.ptr[at] >= '0' && text.ptr[at] <= '9';)
            at++;
    const struct larder_bytes zone = {text.ptr + at, text.len - at};
    const bool behind = zone.len > 0 && zone.ptr[0] == '-';
    if (!aws_is(zone, "Z")) {
        if (read_form(zone, behind ? "-2:2" : "+2:2", offset) != zone.len || zone.len == 0)
            return false;
        const int64_t offset_ms = (offset[0] * INT64_C(60) + offset[1]) * 60000;
        ms += behind ? offset_ms : -offset_ms;
    }
    *ret_ms = ms;
    return true;
}

bool aws_time_http(struct larder_bytes text, int64_t *ret_ms) {
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    int day, v[4];
    if (text.len != 29 || text.ptr[3] != ',' || text.ptr[4] != ' ' || text.ptr[11] != ' ')
        return false;
    if (read_form((struct larder_bytes){text.ptr + 5, 3}, "2 ", &day) == 0 ||
        read_form((struct larder_bytes){text.ptr + 12, 17}, "4 2:2:2 GMT", v) == 0)
        return false;
    for (int month = 0; month < 12; month++)
        if (memcmp(text.ptr + 8, months + (size_t)3 * (size_t)month, 3) == 0)
            return to_ms(v[0], month + 1, day, v + 1, ret_ms);
    return false;
}
