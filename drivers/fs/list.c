/* Enumeration of entries, in the order of their names, shard by shard. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pick.h"

/* A page ends here even when nothing was emitted: it is one op with one deadline. */
enum { SCAN = 4096 };
static const uint64_t SPARE_NS = 50000000u;

struct scan {
    struct fs_pick pick;
    bool from_start;
    struct fs_id after;
};

static bool offer(void *arg, const char *name) {
    struct scan *s = arg;
    struct fs_id id;
    if (fs_name_parse(name, strlen(name), &id) && (s->from_start || fs_id_order(id, s->after) > 0))
        fs_pick_offer(&s->pick, id, NULL);
    return true;
}

/* Emits the entry's key if it has the prefix.  What is gone, expired or damaged is no entry. */
static int32_t emit(struct fs_call *c, int dir, struct fs_id id, bool *ret_emitted) {
    struct larder_bytes prefix = c->op->key;
    char name[FS_NAME + 1];
    struct fs_entry e;
    uint64_t file_len;
    size_t len = 0;
    uint8_t *key = NULL;
    int fd = -1, err;
    *ret_emitted = false;
    fs_name(id, name);
    int32_t status = fs_entry_head(c, dir, name, &e, &file_len, &fd);
    if (status == LARDER_MISS || status == LARDER_CORRUPT)
        return LARDER_OK;
    if (status != LARDER_OK)
        return status;
    if (fs_entry_expired(&e, c->now_ms) || e.key_len < prefix.len)
        goto out;
    key = malloc(e.key_len + 1);
    if (key == NULL) {
        status = fs_fail(c, LARDER_NOMEM, "out of memory for a key");
        goto out;
    }
    err = sys_read(c->sys, fd, key, e.key_len, FS_ENTRY_HEADER, &len);
    if (err != 0)
        status = fs_fail_errno(c, err, "read an entry in", NULL);
    else if (len == e.key_len && e.key_check == fs_check(c->folder, key, len) &&
             (prefix.len == 0 || memcmp(key, prefix.ptr, prefix.len) == 0)) {
        status = c->fs->host->emit_key(c->op, (struct larder_bytes){key, len});
        *ret_emitted = true;
    }
out:
    free(key);
    sys_close(c->sys, &fd);
    return status;
}

static bool time_is_short(const struct fs_call *c) {
    return c->deadline_ns != UINT64_MAX && c->fs->host->now_ns() + SPARE_NS >= c->deadline_ns;
}

int32_t fs_entry_list(struct fs_call *c) {
    struct scan s = {0};
    size_t emitted = 0, looked = 0;
    int32_t status = fs_page_begin(c, &s.pick, &s.from_start, &s.after);
    size_t limit = s.pick.size;
    bool full = false;
    for (unsigned shard = (unsigned)(s.after.hi >> 56); shard < 256 && status == LARDER_OK && !full;
         shard++) {
        struct fs_id any = {(uint64_t)shard << 56, 0};
        int dir = -1;
        status = fs_open_dir(c, FS_ENTRIES, any, /* create= */ false, &dir);
        if (status == LARDER_MISS) {
            status = LARDER_OK;
            continue;
        }
        do {
            s.pick.n = 0;
            s.pick.more = false;
            int err = status == LARDER_OK ? sys_each(c->sys, dir, ".", offer, &s) : 0;
            if (err != 0 && err != ENOENT)
                status = fs_fail_errno(c, err, "list", "entries");
            fs_pick_sort(&s.pick);
            for (size_t i = 0; i < s.pick.n && status == LARDER_OK && !full; i++) {
                bool did;
                status = emit(c, dir, s.pick.items[i].id, &did);
                s.after = s.pick.items[i].id;
                s.from_start = false;
                emitted += did;
                full = emitted >= limit || ++looked >= SCAN || (looked % 64 == 0 && time_is_short(c));
            }
        } while (s.pick.more && status == LARDER_OK && !full);
        sys_close(c->sys, &dir);
    }
    /* A full page may have ended with the very last entry; then one more page comes, empty. */
    if (status == LARDER_OK && full)
        fs_page_end(c, s.after);
    fs_pick_done(&s.pick);
    return status;
}
