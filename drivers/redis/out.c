/* Commands as they are written. */
#include "out.h"

#include <stdlib.h>
#include <string.h>

enum { LONGEST_HEAD = 32 /* "$", a number, CRLF */, MOST_KEPT = 512 << 10 };

void rds_out_done(struct rds_out *out) {
    free(out->text);
    free(out->pieces);
    *out = (struct rds_out){0};
}

void rds_out_clear(struct rds_out *out) {
    if (out->size > MOST_KEPT) { /* of thousands of marks, once */
        free(out->text);
        out->text = NULL;
        out->size = 0;
    }
    out->len = out->n_pieces = 0;
    out->sent_text = out->sent_pieces = out->sent_of_piece = 0;
    out->bytes = 0;
    out->failed = false;
}

static bool room(struct rds_out *out, size_t more) {
    size_t need;
    if (out->failed || __builtin_add_overflow(out->len, more, &need)) {
        out->failed = true;
        return false;
    }
    if (need <= out->size)
        return true;
    size_t size = out->size > 0 ? out->size : 4096;
    while (size < need && size <= SIZE_MAX / 2)
        size *= 2;
    uint8_t *text = size >= need ? realloc(out->text, size) : NULL;
    if (!text) {
        out->failed = true;
        return false;
    }
    out->text = text;
    out->size = size;
    return true;
}

static void add(struct rds_out *out, const void *ptr, size_t len) {
    if (len == 0 || !room(out, len))
        return;
    memcpy(out->text + out->len, ptr, len);
    out->len += len;
    out->bytes += len;
}

/* "$123\r\n" */
static void add_head(struct rds_out *out, char sign, uint64_t n) {
    uint8_t text[LONGEST_HEAD];
    size_t at = sizeof(text);
    text[--at] = '\n';
    text[--at] = '\r';
    do
        text[--at] = (uint8_t)('0' + n % 10);
    while ((n /= 10) > 0);
    text[--at] = (uint8_t)sign;
    add(out, text + at, sizeof(text) - at);
}

void rds_command(struct rds_out *out, const char *name, size_t argc) {
    static const char asking[] = "*1\r\n$6\r\nASKING\r\n";
    if (out->asking)
        add(out, asking, sizeof(asking) - 1);
    add_head(out, '*', argc);
    rds_arg_text(out, name);
    out->commands++;
}

void rds_arg_begin(struct rds_out *out, size_t len) {
    add_head(out, '$', len);
}

void rds_arg_part(struct rds_out *out, const void *ptr, size_t len) {
    add(out, ptr, len);
}

void rds_arg_end(struct rds_out *out) {
    add(out, "\r\n", 2);
}

void rds_arg(struct rds_out *out, struct larder_bytes arg) {
    rds_arg_begin(out, arg.len);
    add(out, arg.ptr, arg.len);
    rds_arg_end(out);
}

void rds_arg_text(struct rds_out *out, const char *arg) {
    rds_arg(out, (struct larder_bytes){(const uint8_t *)arg, strlen(arg)});
}

void rds_arg_number(struct rds_out *out, int64_t arg) {
    uint8_t text[24];
    size_t at = sizeof(text);
    uint64_t n = arg < 0 ? -(uint64_t)arg : (uint64_t)arg;
    do
        text[--at] = (uint8_t)('0' + n % 10);
    while ((n /= 10) > 0);
    if (arg < 0)
        text[--at] = '-';
    rds_arg(out, (struct larder_bytes){text + at, sizeof(text) - at});
}

static bool add_piece(struct rds_out *out, struct larder_bytes body) {
    if (out->n_pieces == out->pieces_size) {
        const size_t size = 2 * out->pieces_size + 16;
        struct rds_piece *pieces = reallocarray(out->pieces, size, sizeof(*pieces));
        if (!pieces)
            return false;
        out->pieces = pieces;
        out->pieces_size = size;
    }
    out->pieces[out->n_pieces++] = (struct rds_piece){.at = out->len, .ptr = body.ptr, .len = body.len};
    out->bytes += body.len;
    return true;
}

void rds_arg_value(struct rds_out *out, struct larder_bytes head, struct larder_bytes body) {
    rds_arg_begin(out, head.len + body.len);
    add(out, head.ptr, head.len);
    if (body.len < RDS_COPY_BELOW)
        add(out, body.ptr, body.len);
    else if (!out->failed && !add_piece(out, body))
        out->failed = true;
    rds_arg_end(out);
}

/* ---- writing ------------------------------------------------------------------------------------------------ */

int rds_out_next(const struct rds_out *out, struct iovec *iov, int max) {
    size_t text = out->sent_text, piece = out->sent_pieces, of_piece = out->sent_of_piece;
    int n = 0;
    while (n < max) {
        const size_t until = piece < out->n_pieces ? out->pieces[piece].at : out->len;
        if (text < until) {
            iov[n++] = (struct iovec){out->text + text, until - text};
            text = until;
        } else if (piece < out->n_pieces) {
            const struct rds_piece *p = &out->pieces[piece++];
            iov[n++] = (struct iovec){(uint8_t *)(uintptr_t)p->ptr + of_piece, p->len - of_piece};
            of_piece = 0;
        } else {
            break;
        }
    }
    return n;
}

void rds_out_sent(struct rds_out *out, size_t n) {
    out->bytes -= n;
    if (out->bytes == 0) {
        rds_out_clear(out);
        return;
    }
    while (n > 0) {
        const struct rds_piece *p = out->sent_pieces < out->n_pieces ? &out->pieces[out->sent_pieces] : NULL;
        const size_t until = p ? p->at : out->len;
        const bool in_text = out->sent_text < until || !p;
        const size_t left = in_text ? until - out->sent_text : p->len - out->sent_of_piece;
        const size_t step = n < left ? n : left;
        if (in_text)
            out->sent_text += step;
        else
            out->sent_of_piece += step;
        if (!in_text && step == left) {
            out->sent_pieces++;
            out->sent_of_piece = 0;
        }
        n -= step;
    }
}
