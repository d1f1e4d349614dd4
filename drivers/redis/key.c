/* Names of keys. */
#include "key.h"

#include "route.h"
#include "slot.h"

static bool is_tag(struct larder_bytes key) {
    return key.len > 0 && key.ptr[0] != '}';
}

void rds_arg_key(struct rds_out *out, const struct rds_names *names, enum rds_name kind,
                 struct larder_bytes key, struct larder_bytes suffix) {
    const bool plain = is_tag(key);
    const uint8_t front[] = {':', (uint8_t)(plain ? kind : kind - 'a' + 'A'), ':', '{'};
    const size_t more = suffix.len > 0 ? 1 + suffix.len : 0;
    rds_arg_begin(out, names->prefix_len + sizeof(front) + key.len + (plain ? 1 : 2) + more);
    rds_arg_part(out, names->prefix, names->prefix_len);
    rds_arg_part(out, front, sizeof(front));
    if (!plain)
        rds_arg_part(out, "-}", 2);
    rds_arg_part(out, key.ptr, key.len);
    if (plain)
        rds_arg_part(out, "}", 1);
    if (more) {
        rds_arg_part(out, ":", 1);
        rds_arg_part(out, suffix.ptr, suffix.len);
    }
    rds_arg_end(out);
}

bool rds_key_read(const struct rds_names *names, enum rds_name kind, struct larder_bytes stored,
                  struct larder_bytes *ret_key) {
    const size_t front = names->prefix_len + 4;
    if (stored.len < front + 1 || memcmp(stored.ptr, names->prefix, names->prefix_len) != 0)
        return false;
    const uint8_t *at = stored.ptr + names->prefix_len;
    if (at[0] != ':' || at[2] != ':' || at[3] != '{')
        return false;
    if (at[1] == (uint8_t)kind) {
        *ret_key = (struct larder_bytes){stored.ptr + front, stored.len - front - 1};
        return stored.ptr[stored.len - 1] == '}' && is_tag(*ret_key);
    }
    if (at[1] != (uint8_t)(kind - 'a' + 'A') || stored.len < front + 2 || memcmp(at + 4, "-}", 2) != 0)
        return false;
    *ret_key = (struct larder_bytes){stored.ptr + front + 2, stored.len - front - 2};
    return !is_tag(*ret_key);
}

static bool is_special(uint8_t c) {
    return c == '*' || c == '?' || c == '[' || c == ']' || c == '\\' || c == '^' || c == '-';
}

static size_t escaped_len(struct larder_bytes text) {
    size_t len = text.len;
    for (size_t i = 0; i < text.len; i++)
        len += is_special(text.ptr[i]);
    return len;
}

static void part_escaped(struct rds_out *out, struct larder_bytes text) {
    for (size_t i = 0; i < text.len; i++) {
        if (is_special(text.ptr[i]))
            rds_arg_part(out, "\\", 1);
        rds_arg_part(out, text.ptr + i, 1);
    }
}

/* Of the prefix nothing is special but `-`, which is so only inside []. */
void rds_arg_pattern(struct rds_out *out, const struct rds_names *names, enum rds_name kind,
                     struct larder_bytes beginning) {
    const uint8_t both[] = {':', '[', (uint8_t)kind, (uint8_t)(kind - 'a' + 'A'), ']', ':', '{', '*'};
    const uint8_t one[] = {':', (uint8_t)kind, ':', '{'};
    const bool plain = is_tag(beginning);
    rds_arg_begin(out, names->prefix_len + (plain ? sizeof(one) + escaped_len(beginning) + 1 : sizeof(both)));
    rds_arg_part(out, names->prefix, names->prefix_len);
    rds_arg_part(out, plain ? one : both, plain ? sizeof(one) : sizeof(both));
    if (plain) {
        part_escaped(out, beginning);
        rds_arg_part(out, "*", 1);
    }
    rds_arg_end(out);
}

void rds_arg_field_pattern(struct rds_out *out, char c, struct larder_bytes beginning) {
    rds_arg_begin(out, 1 + escaped_len(beginning) + 1);
    rds_arg_part(out, &c, 1);
    part_escaped(out, beginning);
    rds_arg_part(out, "*", 1);
    rds_arg_end(out);
}

/* P:t:{P}:N */
static void part_group(struct rds_out *out, const struct rds_names *names, size_t more) {
    rds_arg_begin(out, 2 * names->prefix_len + 6 + more);
    rds_arg_part(out, names->prefix, names->prefix_len);
    rds_arg_part(out, ":t:{", 4);
    rds_arg_part(out, names->prefix, names->prefix_len);
    rds_arg_part(out, "}:", 2);
}

void rds_arg_group(struct rds_out *out, const struct rds_names *names, struct larder_bytes group) {
    part_group(out, names, group.len);
    rds_arg_part(out, group.ptr, group.len);
    rds_arg_end(out);
}

void rds_arg_counter(struct rds_out *out, const struct rds_names *names, char which,
                     struct larder_bytes name) {
    const char behind[] = {'}', ':', which, ':'};
    rds_arg_begin(out, 2 * names->prefix_len + 8 + name.len);
    rds_arg_part(out, names->prefix, names->prefix_len);
    rds_arg_part(out, ":n:{", 4);
    rds_arg_part(out, names->prefix, names->prefix_len);
    rds_arg_part(out, behind, sizeof(behind));
    rds_arg_part(out, name.ptr, name.len);
    rds_arg_end(out);
}

/* There are few namespaces: the others are left out by whoever asks. */
void rds_arg_group_pattern(struct rds_out *out, const struct rds_names *names) {
    part_group(out, names, 1);
    rds_arg_part(out, "*", 1);
    rds_arg_end(out);
}

bool rds_group_read(const struct rds_names *names, struct larder_bytes stored,
                    struct larder_bytes *ret_group) {
    const size_t front = 2 * names->prefix_len + 6;
    if (stored.len < front)
        return false;
    *ret_group = (struct larder_bytes){stored.ptr + front, stored.len - front};
    return true;
}

void rds_arg_field(struct rds_out *out, char c, struct larder_bytes name) {
    rds_arg_begin(out, 1 + name.len);
    rds_arg_part(out, &c, 1);
    rds_arg_part(out, name.ptr, name.len);
    rds_arg_end(out);
}

/* ---- numbers -------------------------------------------------------------------------------------------------- */

void rds_number_write(int64_t n, uint8_t to[RDS_NUMBER_BYTES]) {
    const uint64_t sortable = __builtin_bswap64((uint64_t)n ^ (UINT64_C(1) << 63));
    memcpy(to, &sortable, sizeof(sortable));
}

int64_t rds_number_read(const uint8_t from[RDS_NUMBER_BYTES]) {
    uint64_t sortable;
    memcpy(&sortable, from, sizeof(sortable));
    return (int64_t)(__builtin_bswap64(sortable) ^ (UINT64_C(1) << 63));
}

void rds_arg_sortable(struct rds_out *out, int64_t n) {
    uint8_t bytes[RDS_NUMBER_BYTES];
    rds_number_write(n, bytes);
    rds_arg(out, (struct larder_bytes){bytes, sizeof(bytes)});
}

/* ---- slots ---------------------------------------------------------------------------------------------------- */

uint16_t rds_key_slot(struct larder_bytes key) {
    const uint8_t *close = key.len > 0 ? memchr(key.ptr, '}', key.len) : NULL;
    if (!is_tag(key))
        return rds_crc16((struct larder_bytes){(const uint8_t *)"-", 1}) % RDS_SLOTS;
    return rds_crc16((struct larder_bytes){key.ptr, close ? (size_t)(close - key.ptr) : key.len}) % RDS_SLOTS;
}
