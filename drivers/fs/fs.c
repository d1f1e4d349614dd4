/* The driver's table, its settings, and the frame around every op. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fs.h"

static const struct larder_param params[] = {
    {.name = "url",
     .type = LARDER_P_TEXT,
     .offset = LARDER_AT(struct fs_config, path),
     .preset = ".next/cache/larder",
     .help = "the folder; a relative path starts where the process was started"},
    {.name = "max-size",
     .type = LARDER_P_BYTES,
     .offset = LARDER_AT(struct fs_config, max_size),
     .preset = "1GB",
     .min = 0,
     .max = INT64_MAX / 2,
     .help = "entries may take so much disk; those used longest ago go first; 0: no limit"},
    {.name = "sweep-interval",
     .type = LARDER_P_MS,
     .offset = LARDER_AT(struct fs_config, sweep_interval_ms),
     .preset = "10min",
     .min = 1000,
     .max = 86400000,
     .help = "how often expired and left-over files are removed"},
    {.name = "fsync",
     .type = LARDER_P_TEXT,
     .offset = LARDER_AT(struct fs_config, fsync),
     .preset = "none",
     .choices = "none|marks|full",
     .help = "what is forced to the disk before it is acknowledged"},
    {.name = "coherence",
     .type = LARDER_P_TEXT,
     .offset = LARDER_AT(struct fs_config, coherence),
     .preset = "auto",
     .choices = "auto|local|network",
     .help = "network: the folder is on NFS or the like, opened anew for each look"},
    {.name = "mark-max-age",
     .type = LARDER_P_MS,
     .offset = LARDER_AT(struct fs_config, mark_max_age_ms),
     .preset = "366d",
     .min = 60000,
     .max = 3153600000000,
     .help = "older marks are summed up in one number; more than any entry's age"},
    {.name = "lanes",
     .type = LARDER_P_INT,
     .offset = LARDER_AT(struct fs_config, lanes),
     .preset = "4",
     .min = 1,
     .max = 64,
     .help = "how many calls may be in the file system at once"},
    {.name = "private",
     .type = LARDER_P_BOOL,
     .offset = LARDER_AT(struct fs_config, private),
     .preset = "false",
     .help = "files for this user alone (0700, 0600); else as the umask says"},
};

/* ---- the frame of an op ---------------------------------------------------------------------- */

static void complete(struct fs_call *c, int32_t status) {
    const struct larder_host *host = c->fs->host;
    struct larder_result res = c->result;
    res.size = sizeof(res);
    res.status = status;
    if (status == LARDER_OK && c->cursor[0] != 0) {
        uint8_t *p = host->buf_new(FS_NAME, &res.cursor);
        if (p == NULL)
            res.status = status = LARDER_NOMEM;
        else
            memcpy(p, c->cursor, FS_NAME);
    }
    if (status == LARDER_OK && (c->op->code == LARDER_OP_ADVANCE || c->op->code == LARDER_OP_BUMP))
        res.epoch = c->epoch;
    if (status < 0) {
        res.native_code = c->native_code;
        res.detail = c->detail[0] != 0 ? c->detail : NULL;
    }
    host->complete(c->op, &res);
}

/* `flags` are those this op knows.  A miss is no answer for ops that need not find anything. */
static void run(struct fs *fs, struct larder_op *op, uint32_t flags, enum fs_need need, bool may_miss,
                fs_fn *fn) {
    struct fs_call c;
    int32_t status;
    fs_call_init(&c, fs, op);
    if ((op->flags & ~flags) != 0)
        status = fs_fail(&c, LARDER_UNSUPPORTED, "a flag that this op does not know");
    else if (op->lane >= fs->n_lanes)
        status = fs_fail(&c, LARDER_INTERNAL, "lane %u of %u", op->lane, fs->n_lanes);
    else
        status = fs_with_folder(&c, need, fn);
    complete(&c, status == LARDER_MISS && !may_miss ? LARDER_OK : status);
}

#define OP(name, flags, need, may_miss, fn)                       \
    static void op_##name(void *instance, struct larder_op *op) { \
        run(instance, op, flags, need, may_miss, fn);             \
    }

OP(get, 0, FS_READ, true, fs_entry_get)
OP(put, LARDER_IF_ABSENT, FS_WRITE, true, fs_entry_put)
OP(remove, 0, FS_READ, false, fs_entry_remove)
OP(list, 0, FS_READ, false, fs_entry_list)
OP(claim, 0, FS_WRITE, true, fs_claim)
OP(release, 0, FS_READ, false, fs_release)
OP(tags_read, 0, FS_READ, false, fs_tags_read)
OP(tags_write, LARDER_IF_ABSENT, FS_WRITE, true, fs_tags_write)
OP(advance, 0, FS_WRITE, false, fs_advance)
OP(bump, 0, FS_WRITE, false, fs_bump)
OP(link, 0, FS_WRITE, false, fs_link)
OP(keys_of, 0, FS_READ, false, fs_keys_of)
OP(tags_of, 0, FS_READ, false, fs_tags_of)
OP(list_marks, 0, FS_READ, false, fs_list_marks)

/* ---- ping, provision, explain ------------------------------------------------------------------ */

/* The folder is there, or was made just now, and its log can be read. */
static int32_t usable(struct fs_call *c) {
    int32_t status = fs_log_read_begin(c);
    if (status == LARDER_OK)
        fs_log_read_end(c);
    return status;
}

OP(ping, 0, FS_WRITE, false, usable)

static int32_t tell(struct fs_call *c, const char *text) {
    return c->fs->host->emit_text(c->op, (struct larder_bytes){(const uint8_t *)text, strlen(text)});
}

static int32_t provision_dry(struct fs_call *c) {
    char line[512];
    snprintf(line, sizeof(line), "%.400s: there already, nothing to do\n", c->fs->root_path);
    return tell(c, line);
}

static int32_t provision(struct fs_call *c) {
    char line[512];
    int dir = -1;
    int32_t status = usable(c);
    if (status == LARDER_OK)
        status = fs_open_dir(c, FS_ENTRIES, (struct fs_id){0, 0}, /* create= */ true, &dir);
    sys_close(c->sys, &dir);
    if (status != LARDER_OK)
        return status;
    snprintf(line, sizeof(line), "%.400s: ready%s\n", c->fs->root_path,
             c->folder->network ? " (on a network file system)" : "");
    return tell(c, line);
}

static void op_provision(void *instance, struct larder_op *op) {
    struct fs_call c;
    struct fs *fs = instance;
    if (op->flags != LARDER_DRY_RUN) { /* run() refuses any other flag */
        run(fs, op, 0, FS_WRITE, false, provision);
        return;
    }
    fs_call_init(&c, fs, op);
    int32_t status = fs_with_folder(&c, FS_READ, provision_dry);
    if (status == LARDER_MISS) {
        char line[512];
        snprintf(line, sizeof(line), "%.400s: would be created, with %s in it\n", fs->root_path,
                 "larder-fs, marks, locks and entries/");
        status = tell(&c, line);
    }
    complete(&c, status);
}

static const char files_text[] =
    "larder-fs      the format and a random secret for the names of files\n"
    "marks          the log of marks and counters: never delete it alone\n"
    "locks          empty; processes lock bytes of it\n"
    "entries/XX/    one file per entry\n"
    "claims/XX/     one file per claim\n"
    "index-keys/XX/, index-tags/XX/   which key carries which tag, if the index is on\n"
    "tmp-*          being written, or left by a killed process and swept later\n"
    "The folder as a whole may be deleted at any time, also while in use.\n";

static const char permissions_text[] =
    "Every process needs to read and write the folder and search the folders above it.\n"
    "With read access alone, entries and marks are read and writes are refused.\n"
    "Files are made as the umask says; private=true makes them 0600 in folders of 0700.\n"
    "Several users can share it: a common group, a folder with its setgid bit, umask 002.\n";

static void op_explain(void *instance, struct larder_op *op) {
    static const struct {
        const char *topic, *text;
    } topics[] = {{"files", files_text}, {"permissions", permissions_text}};
    struct fs_call c;
    fs_call_init(&c, instance, op);
    int32_t status = LARDER_MISS;
    if (op->flags != 0)
        status = fs_fail(&c, LARDER_UNSUPPORTED, "a flag that this op does not know");
    for (size_t i = 0; status == LARDER_MISS && i < sizeof(topics) / sizeof(topics[0]); i++)
        if (op->key.len == strlen(topics[i].topic) && memcmp(op->key.ptr, topics[i].topic, op->key.len) == 0)
            status = tell(&c, topics[i].text);
    if (status == LARDER_MISS)
        status = fs_fail(&c, LARDER_INVALID, "topics: files, permissions");
    complete(&c, status);
}

/* ---- open, close --------------------------------------------------------------------------------- */

/* path/name, malloc()ed */
static char *join(const char *path, const char *name) {
    size_t len = strlen(path), name_len = strlen(name);
    char *out = malloc(len + name_len + 2);
    if (out != NULL) {
        memcpy(out, path, len);
        out[len] = '/';
        memcpy(out + len + 1, name, name_len + 1);
    }
    return out;
}

/* Absolute, without a slash at the end: the process may change its directory later. */
static char *absolute(const char *path) {
    char *out = NULL;
    if (path[0] == '/') {
        out = strdup(path);
    } else {
        char *here = getcwd(NULL, 0);
        if (here != NULL)
            out = join(here, path);
        free(here);
    }
    for (size_t len = out != NULL ? strlen(out) : 0; len > 1 && out[len - 1] == '/'; len--)
        out[len - 1] = 0;
    return out;
}

static void fs_close(void *instance) {
    struct fs *fs = instance;
    fs_sweeper_free(fs->sweeper);
    fs_folder_unref(fs->sys, fs->folder);
    pthread_mutex_destroy(&fs->lock);
    free(fs->root_path);
    free(fs->marker_path);
    free(fs->log_path);
    free(fs);
}

int32_t fs_open_with(const struct fs_sys *sys, const struct larder_host *host, struct larder_home *home,
                     const void *config, struct larder_info *info, void **instance, char *error) {
    const struct fs_config *settings = config;
    struct fs *fs = calloc(1, sizeof(*fs));
    uint64_t seed = 0;
    if (fs == NULL) {
        snprintf(error, LARDER_ERROR_SIZE, "out of memory");
        return LARDER_NOMEM;
    }
    fs->host = host;
    fs->home = home;
    fs->sys = sys;
    fs->config = settings;
    fs->durability = strcmp(settings->fsync, "full") == 0    ? FS_SYNC_FULL
                     : strcmp(settings->fsync, "marks") == 0 ? FS_SYNC_MARKS
                                                             : FS_SYNC_NONE;
    fs->dir_mode = settings->private ? 0700 : 0777;
    fs->file_mode = settings->private ? 0600 : 0666;
    fs->n_lanes = (uint32_t)settings->lanes;
    pthread_mutex_init(&fs->lock, NULL);
    int32_t status = LARDER_NOMEM;
    if (settings->path[0] == 0) {
        snprintf(error, LARDER_ERROR_SIZE, "no folder is named: fs:PATH");
        status = LARDER_INVALID;
        goto fail;
    }
    fs->root_path = absolute(settings->path);
    fs->marker_path = fs->root_path != NULL ? join(fs->root_path, FS_MARKER) : NULL;
    fs->log_path = fs->root_path != NULL ? join(fs->root_path, FS_LOG) : NULL;
    if (fs->log_path == NULL || fs->marker_path == NULL) {
        snprintf(error, LARDER_ERROR_SIZE, "out of memory, or no current directory");
        goto fail;
    }
    if (sys->random(&seed, sizeof(seed)) != (ssize_t)sizeof(seed))
        seed = host->now_ns(); /* names of temporary files: only their making must be exclusive, and it is */
    atomic_init(&fs->temp_n, seed);
    atomic_init(&fs->seen_ms, LARDER_UNSET);
    fs->sweeper = fs_sweeper_new(fs);
    if (fs->sweeper == NULL) {
        snprintf(error, LARDER_ERROR_SIZE, "out of memory");
        goto fail;
    }

    info->traits = LARDER_BLOCKING | LARDER_SHARED | LARDER_PERSISTENT | LARDER_TTL | LARDER_NEWEST;
    if (fs->durability != FS_SYNC_NONE)
        info->traits |= LARDER_DURABLE;
    if (strcmp(fs->config->coherence, "network") != 0)
        info->traits |= LARDER_LOCAL;
    info->lanes = fs->n_lanes;
    *instance = fs;
    return LARDER_OK;
fail:
    fs_close(fs);
    return status;
}

static int32_t fs_open(const struct larder_host *host, struct larder_home *home, const void *config,
                       struct larder_info *info, void **instance, char *error) {
    return fs_open_with(&fs_sys_real, host, home, config, info, instance, error);
}

static const struct larder_cache_ops cache_ops = {
    .size = sizeof(cache_ops),
    .get = op_get,
    .put = op_put,
    .remove = op_remove,
    .list = op_list,
    .claim = op_claim,
    .release = op_release,
};

static const struct larder_tag_ops tag_ops = {
    .size = sizeof(tag_ops),
    .read = op_tags_read,
    .write = op_tags_write,
    .advance = op_advance,
    .bump = op_bump,
    .link = op_link,
    .keys_of = op_keys_of,
    .tags_of = op_tags_of,
    .list_marks = op_list_marks,
};

const struct larder_driver fs_driver = {
    .size = sizeof(fs_driver),
    .abi = LARDER_ABI,
    .name = "fs",
    .schemes = "file",
    .version = "0.1.0",
    .summary = "a folder, on one machine or on a network file system",
    .params = params,
    .n_params = sizeof(params) / sizeof(params[0]),
    .param_size = sizeof(struct larder_param),
    .config_size = sizeof(struct fs_config),
    .cache = &cache_ops,
    .tags = &tag_ops,
    .open = fs_open,
    .close = fs_close,
    .ping = op_ping,
    .provision = op_provision,
    .explain = op_explain,
};

LARDER_EXPORT_DRIVER(fs_driver);
