/* Larder on SQLite: both caches and the index in one file, shared by the processes of a machine.  A
 * blocking driver: each lane has a connection of its own, so nothing here needs a lock.  An op is one
 * transaction, completed after it was committed.  docs/writing-a-driver.md walks through it. */
#include <larder/driver.h>
#include <larder/merge.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Names and values are blobs: any bytes, compared one by one.  The value, as it is large, comes last. */
#define SCHEMA                                                                                     \
    "CREATE TABLE IF NOT EXISTS entry (key PRIMARY KEY, modified_ms, epoch, expire_at_ms, value);" \
    "CREATE INDEX IF NOT EXISTS entry_expiry ON entry (expire_at_ms);"                             \
    "CREATE TABLE IF NOT EXISTS claim (key PRIMARY KEY, owner, expire_at_ms);"                     \
    "CREATE TABLE IF NOT EXISTS mark (tag PRIMARY KEY, expired_epoch, stale_epoch, expire_at_ms);" \
    "CREATE TABLE IF NOT EXISTS counter (name PRIMARY KEY, epoch);"                                \
    "CREATE TABLE IF NOT EXISTS link (key, tag, PRIMARY KEY (key, tag)) WITHOUT ROWID;"            \
    "CREATE INDEX IF NOT EXISTS link_tag ON link (tag, key);"

struct config { /* filled by the core, as params[] says */
    const char *path, *synchronous;
    int64_t lanes;
};

struct lane { /* a connection, and the op that has it */
    const struct store *store;
    sqlite3 *db; /* NULL: not connected; the next op connects */
    struct larder_op *op;
    struct larder_result res;
};

struct store { /* an instance */
    const struct larder_host *host;
    const struct config *config;
    sqlite3_vfs vfs; /* the default one, but for short_sleep() */
    char vfs_name[32];
    char path[4096]; /* absolute: the process may change its directory before a lane connects */
    struct lane lanes[];
};

/* What the caller should do next.  SQLITE_BUSY comes when on_busy() has waited until the deadline. */
static int32_t failed(struct lane *l, int rc) {
    static const int32_t statuses[32] = {[SQLITE_BUSY] = LARDER_DEADLINE,   [SQLITE_CANTOPEN] = LARDER_RETRY,
                                         [SQLITE_FULL] = LARDER_RETRY,      [SQLITE_PROTOCOL] = LARDER_RETRY,
                                         [SQLITE_IOERR] = LARDER_RETRY,     [SQLITE_READONLY] = LARDER_DENIED,
                                         [SQLITE_CORRUPT] = LARDER_CORRUPT, [SQLITE_NOTADB] = LARDER_CORRUPT,
                                         [SQLITE_TOOBIG] = LARDER_TOO_BIG,  [SQLITE_NOMEM] = LARDER_NOMEM};
    l->res.detail = sqlite3_errstr(rc);
    l->res.native_code = rc;
    return statuses[rc & 31] != LARDER_OK ? statuses[rc & 31] : LARDER_INTERNAL;
}

struct arg { /* of a statement: a blob, which has an address even if it is empty, or a number */
    const void *ptr;
    size_t len;
    int64_t number;
};
#define NUMBER(n) ((struct arg){.number = (n)})
#define BLOB(b) ((struct arg){.ptr = (b).len > 0 ? (const void *)(b).ptr : "", .len = (b).len})
#define WITH(...) (struct arg[]){__VA_ARGS__}, sizeof((struct arg[]){__VA_ARGS__}) / sizeof(struct arg)

/* LARDER_OK: st has a row; LARDER_MISS: it has none, or no more. */
static int32_t step(struct lane *l, sqlite3_stmt *st) {
    int rc = sqlite3_step(st);
    return rc == SQLITE_ROW ? LARDER_OK : rc == SQLITE_DONE ? LARDER_MISS : failed(l, rc);
}

/* The first step of a statement, prepared once per lane.  What is bound is not copied: op outlives it. */
static int32_t query(struct lane *l, sqlite3_stmt **ret, const char *sql, const struct arg *args, size_t n) {
    int rc = SQLITE_OK;
    do /* the connection keeps them: about twenty */
        *ret = sqlite3_next_stmt(l->db, *ret);
    while (*ret && strcmp(sqlite3_sql(*ret), sql) != 0);
    if (!*ret)
        rc = sqlite3_prepare_v3(l->db, sql, -1, SQLITE_PREPARE_PERSISTENT, ret, NULL);
    sqlite3_reset(*ret);
    for (int at = 0; (size_t)at < n && rc == SQLITE_OK; at++)
        rc = args[at].ptr ? sqlite3_bind_blob64(*ret, at + 1, args[at].ptr, args[at].len, SQLITE_STATIC)
                          : sqlite3_bind_int64(*ret, at + 1, args[at].number);
    return rc == SQLITE_OK ? step(l, *ret) : failed(l, rc);
}

static int32_t exec(struct lane *l, const char *sql, const struct arg *args, size_t n) {
    int32_t status = query(l, &(sqlite3_stmt *){NULL}, sql, args, n);
    return status == LARDER_MISS ? LARDER_OK : status;
}

static struct larder_bytes column(sqlite3_stmt *st, int at) {
    const uint8_t *ptr = sqlite3_column_blob(st, at); /* good until the next step */
    return (struct larder_bytes){ptr, (size_t)sqlite3_column_bytes(st, at)};
}

static struct larder_mark mark_of_row(sqlite3_stmt *st) {
    return (struct larder_mark){column(st, 0), sqlite3_column_int64(st, 1), sqlite3_column_int64(st, 2),
                                sqlite3_column_int64(st, 3)};
}

/* While another connection holds the lock; 0 gives up.  No wait outlasts the op's deadline. */
static int on_busy(void *lane, __attribute__((unused)) int times) {
    const struct lane *l = lane;
    return l->store->host->now_ns() < l->op->deadline_ns && sqlite3_sleep(1) > 0;
}

/* SQLite's own: up to 10 s in a hundred pieces, where a process stands still at the wrong moment. */
static int short_sleep(__attribute__((unused)) sqlite3_vfs *vfs, int us) {
    usleep((useconds_t)(us < 1000 ? us : 1000));
    return us;
}

static void disconnect(struct lane *l) {
    for (sqlite3_stmt *st; l->db && (st = sqlite3_next_stmt(l->db, NULL));)
        sqlite3_finalize(st);
    sqlite3_close(l->db);
    l->db = NULL;
}

static int32_t connect_lane(struct lane *l) {
    const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
    char sql[2048];
    snprintf(sql, sizeof(sql), "PRAGMA journal_mode = WAL; PRAGMA synchronous = %s; " SCHEMA,
             l->store->config->synchronous);
    int rc = sqlite3_open_v2(l->store->path, &l->db, flags, l->store->vfs_name);
    if (rc == SQLITE_OK)
        rc = sqlite3_busy_handler(l->db, on_busy, l);
    if (rc == SQLITE_OK)
        do /* not all who meet in a new file are asked on_busy() */
            rc = sqlite3_exec(l->db, sql, NULL, NULL, NULL);
        while (rc == SQLITE_BUSY && on_busy(l, 0));
    int32_t status = rc == SQLITE_OK ? LARDER_OK : failed(l, rc);
    if (status != LARDER_OK)
        disconnect(l);
    return status;
}

enum kind { READS, WRITES }; /* what reads and then writes has the lock from the beginning */
typedef int32_t body_fn(struct lane *l, struct larder_op *op);

static void run(struct store *s, struct larder_op *op, uint32_t flags, enum kind kind, body_fn *body) {
    struct lane *l = &s->lanes[op->lane];
    l->op = op;
    l->res = (struct larder_result){.size = sizeof(l->res)};
    int32_t status = (op->flags & ~flags) != 0 ? LARDER_UNSUPPORTED : l->db ? LARDER_OK : connect_lane(l);
    if (status == LARDER_OK)
        status = exec(l, kind == WRITES ? "BEGIN IMMEDIATE" : "BEGIN", NULL, 0);
    if (status == LARDER_OK)
        status = body(l, op);
    for (sqlite3_stmt *st = NULL; l->db && (st = sqlite3_next_stmt(l->db, st));)
        sqlite3_reset(st); /* a row that nobody asks for any more keeps a lock */
    int32_t committed = status < 0 ? status : exec(l, "COMMIT", NULL, 0);
    if (l->db && (!sqlite3_get_autocommit(l->db) || committed == LARDER_CORRUPT))
        disconnect(l); /* which rolls back; the next op begins anew */
    l->res.status = committed < 0 && kind == WRITES ? committed : status; /* what was read is good */
    s->host->complete(op, &l->res);
}

#define OP(name, flags, kind)                                     \
    static body_fn do_##name;                                     \
    static void op_##name(void *instance, struct larder_op *op) { \
        run(instance, op, flags, kind, do_##name);                \
    }                                                             \
    static int32_t do_##name(struct lane *l, struct larder_op *op)

/* `zeros` bytes of zero behind the others.  The reference becomes the caller's. */
static int32_t copy(struct lane *l, struct larder_bytes from, size_t zeros, struct larder_slice *ret) {
    uint8_t *to = l->store->host->buf_new(from.len + zeros, ret);
    if (!to)
        return LARDER_NOMEM;
    memcpy(to, from.len > 0 ? (const void *)from.ptr : "", from.len);
    memset(to + from.len, 0, zeros);
    return LARDER_OK;
}

/* One page of the names from ?1 on, with marks or without; ?2 is the query's own.  The cursor is the
 * smallest name behind the last one: that one and a byte of zero. */
static int32_t page(struct lane *l, const char *sql, struct larder_bytes prefix, struct arg own, bool marks) {
    const struct larder_host *host = l->store->host;
    struct larder_op *op = l->op;
    uint64_t left = op->limit > 0 && op->limit < 1000 ? op->limit : 1000;
    struct larder_bytes from = op->cursor.len > 0 ? op->cursor : prefix;
    sqlite3_stmt *st = NULL;
    int32_t status = query(l, &st, sql, WITH(BLOB(from), own));
    for (; status == LARDER_OK; status = step(l, st)) {
        struct larder_mark m = marks ? mark_of_row(st) : (struct larder_mark){.tag = column(st, 0)};
        if (m.tag.len < prefix.len || (prefix.len > 0 && memcmp(m.tag.ptr, prefix.ptr, prefix.len) != 0))
            return LARDER_OK;
        status = marks ? host->emit_mark(op, &m) : host->emit_key(op, m.tag);
        if (status != LARDER_OK || --left == 0)
            return status == LARDER_OK ? copy(l, m.tag, 1, &l->res.cursor) : status;
    }
    return status == LARDER_MISS ? LARDER_OK : status;
}

static int64_t until(const struct larder_op *op) {
    int64_t at_ms;
    return op->ttl_ms > 0 && !__builtin_add_overflow(op->now_ms, op->ttl_ms, &at_ms) ? at_ms : INT64_MAX;
}

OP(get, 0, READS) {
    sqlite3_stmt *st = NULL;
    int32_t status = query(l, &st, "SELECT * FROM entry WHERE key = ?1 AND expire_at_ms > ?2",
                           WITH(BLOB(op->key), NUMBER(op->now_ms)));
    if (status != LARDER_OK)
        return status;
    l->res.modified_ms = sqlite3_column_int64(st, 1);
    l->res.epoch = sqlite3_column_int64(st, 2);
    return copy(l, column(st, 4), 0, &l->res.value);
}

/* LARDER_NEWEST and LARDER_IF_ABSENT (?7).  What is over is not there, and goes two by two with each put. */
OP(put, LARDER_IF_ABSENT, WRITES) {
    static const char sweep[] =
        "DELETE FROM entry WHERE rowid IN (SELECT rowid FROM entry WHERE expire_at_ms <= ?1 LIMIT 2)";
    static const char put[] = "INSERT INTO entry VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (key) DO UPDATE SET"
                              " modified_ms = ?2, epoch = ?3, expire_at_ms = ?4, value = ?5"
                              " WHERE expire_at_ms <= ?6 OR (NOT ?7 AND epoch <= ?3)";
    int32_t status = exec(l, sweep, WITH(NUMBER(op->now_ms)));
    if (status == LARDER_OK)
        status = exec(l, put,
                      WITH(BLOB(op->key), NUMBER(op->modified_ms), NUMBER(op->epoch), NUMBER(until(op)),
                           BLOB(op->value), NUMBER(op->now_ms), NUMBER(op->flags & LARDER_IF_ABSENT)));
    const bool kept = sqlite3_changes(l->db) == 0;
    return status == LARDER_OK && kept && (op->flags & LARDER_IF_ABSENT) ? LARDER_MISS : status;
}

OP(remove, 0, WRITES) {
    return exec(l, "DELETE FROM entry WHERE key = ?1", WITH(BLOB(op->key)));
}

OP(list, 0, READS) {
    return page(l, "SELECT key FROM entry WHERE key >= ?1 AND expire_at_ms > ?2 ORDER BY key", op->key,
                NUMBER(op->now_ms), false);
}

OP(claim, 0, WRITES) {
    static const char sql[] = "INSERT INTO claim VALUES (?1, ?2, ?3) ON CONFLICT (key) DO UPDATE SET"
                              " owner = ?2, expire_at_ms = ?3 WHERE expire_at_ms <= ?4 OR owner = ?2";
    int32_t status = exec(l, sql,
                          WITH(BLOB(op->key), BLOB(op->value), NUMBER(until(op)), NUMBER(op->now_ms)));
    return status == LARDER_OK && sqlite3_changes(l->db) == 0 ? LARDER_MISS : status;
}

OP(release, 0, WRITES) {
    return exec(l, "DELETE FROM claim WHERE key = ?1 AND owner = ?2", WITH(BLOB(op->key), BLOB(op->value)));
}

static const char get_mark[] = "SELECT * FROM mark WHERE tag = ?1";
OP(read, 0, READS) {
    int32_t status = LARDER_OK;
    for (size_t i = 0; i < op->n_marks && status >= 0; i++) {
        sqlite3_stmt *st = NULL;
        status = query(l, &st, get_mark, WITH(BLOB(op->marks[i].tag)));
        if (status == LARDER_OK) {
            struct larder_mark mark = mark_of_row(st);
            status = l->store->host->emit_mark(op, &mark);
        }
    }
    return status < 0 ? status : LARDER_OK;
}

/* LARDER_MISS: LARDER_IF_ABSENT has left one as it was. */
static int32_t merge_marks(struct lane *l, const struct larder_op *op, int64_t new_epoch) {
    int32_t status = LARDER_OK, answer = LARDER_OK;
    for (size_t i = 0; i < op->n_marks && status >= 0; i++) {
        struct larder_mark mark = op->marks[i];
        sqlite3_stmt *st = NULL;
        mark.expired_epoch = mark.expired_epoch == LARDER_NEW_EPOCH ? new_epoch : mark.expired_epoch;
        mark.stale_epoch = mark.stale_epoch == LARDER_NEW_EPOCH ? new_epoch : mark.stale_epoch;
        status = query(l, &st, get_mark, WITH(BLOB(mark.tag)));
        struct larder_mark stored = status == LARDER_OK ? mark_of_row(st) : mark;
        mark = larder_merge_mark(status == LARDER_OK ? &stored : NULL, &mark, op->now_ms);
        if (status == LARDER_OK && (op->flags & LARDER_IF_ABSENT))
            answer = LARDER_MISS;
        else if (status >= 0)
            status = exec(l, "REPLACE INTO mark VALUES (?1, ?2, ?3, ?4)",
                          WITH(BLOB(mark.tag), NUMBER(mark.expired_epoch), NUMBER(mark.stale_epoch),
                               NUMBER(mark.expire_at_ms)));
    }
    return status < 0 ? status : answer;
}

OP(write, LARDER_IF_ABSENT, WRITES) {
    return merge_marks(l, op, LARDER_NEW_EPOCH);
}

/* The counter ends one below LARDER_NEW_EPOCH, which is no number. */
static int32_t raise_counter(struct lane *l, const struct larder_op *op, int64_t add) {
    sqlite3_stmt *st = NULL;
    int32_t status = query(l, &st, "SELECT epoch FROM counter WHERE name = ?1", WITH(BLOB(op->key)));
    int64_t epoch = status == LARDER_OK ? sqlite3_column_int64(st, 0) : 0;
    if (status == LARDER_MISS || (status == LARDER_OK && add > 0)) {
        epoch = larder_merge_max(epoch < INT64_MAX - 1 - add ? epoch + add : INT64_MAX - 1, op->now_ms);
        status = exec(l, "REPLACE INTO counter VALUES (?1, ?2)", WITH(BLOB(op->key), NUMBER(epoch)));
    }
    l->res.epoch = epoch;
    return status;
}

OP(advance, 0, WRITES) {
    return op->add < 0 ? LARDER_INVALID : raise_counter(l, op, op->add);
}

OP(bump, 0, WRITES) {
    int32_t status = raise_counter(l, op, 1);
    return status == LARDER_OK ? merge_marks(l, op, l->res.epoch) : status;
}

OP(list_marks, 0, READS) {
    return page(l, "SELECT * FROM mark WHERE tag >= ?1 ORDER BY tag LIMIT ?2", op->key, NUMBER(-1), true);
}

OP(link, 0, WRITES) {
    int32_t status = exec(l, "DELETE FROM link WHERE key = ?1", WITH(BLOB(op->key)));
    for (size_t i = 0; i < op->n_marks && status == LARDER_OK; i++)
        status = exec(l, "INSERT INTO link VALUES (?1, ?2)", WITH(BLOB(op->key), BLOB(op->marks[i].tag)));
    return status;
}

OP(keys_of, 0, READS) {
    return page(l, "SELECT key FROM link WHERE key >= ?1 AND tag = ?2 ORDER BY key", (struct larder_bytes){0},
                BLOB(op->key), false);
}

OP(tags_of, 0, READS) {
    sqlite3_stmt *st = NULL;
    int32_t status = query(l, &st, "SELECT tag FROM link WHERE key = ?1", WITH(BLOB(op->key)));
    while (status == LARDER_OK) {
        struct larder_mark mark = {column(st, 0), LARDER_UNSET, LARDER_UNSET, LARDER_UNSET};
        if ((status = l->store->host->emit_mark(op, &mark)) == LARDER_OK)
            status = step(l, st);
    }
    return status == LARDER_MISS ? LARDER_OK : status;
}

OP(ping, 0, READS) {
    return exec(l, "SELECT * FROM counter WHERE name = ?1", WITH(BLOB(op->key)));
}

static void sqlite_close(void *instance) {
    struct store *store = instance;
    for (int64_t i = 0; i < store->config->lanes; i++)
        disconnect(&store->lanes[i]);
    sqlite3_vfs_unregister(&store->vfs);
    free(store);
}

static int32_t sqlite_open(const struct larder_host *host, __attribute__((unused)) struct larder_home *home,
                           const void *config, struct larder_info *info, void **instance, char *error) {
    const struct config *settings = config;
    sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);
    struct store *store = calloc(1, sizeof(*store) + (size_t)settings->lanes * sizeof(store->lanes[0]));
    if (!store || !vfs || !settings->path[0] ||
        vfs->xFullPathname(vfs, settings->path, sizeof(store->path), store->path) & 0xff) {
        snprintf(error, LARDER_ERROR_SIZE, "out of memory, or no path: '%.100s'", settings->path);
        free(store);
        return LARDER_INVALID;
    }
    snprintf(store->vfs_name, sizeof(store->vfs_name), "larder-%p", (void *)store);
    store->vfs = *vfs;
    store->vfs.zName = store->vfs_name;
    store->vfs.xSleep = short_sleep;
    sqlite3_vfs_register(&store->vfs, 0);
    store->host = host;
    store->config = settings;
    for (int64_t i = 0; i < settings->lanes; i++)
        store->lanes[i].store = store;
    *instance = store;
    info->traits = LARDER_BLOCKING | LARDER_SHARED | LARDER_PERSISTENT | LARDER_TTL | LARDER_NEWEST |
                   LARDER_LOCAL | (strcmp(settings->synchronous, "full") == 0 ? LARDER_DURABLE : 0);
    info->max_value = 512 << 20; /* SQLite's own limit is 1 GB for a row */
    info->lanes = (uint32_t)settings->lanes;
    return LARDER_OK;
}

/* clang-format off */
static const struct larder_param params[] = {
    {"url", LARDER_P_TEXT, LARDER_AT(struct config, path), NULL, 0, 0, NULL, NULL, "the database file"},
    {"synchronous", LARDER_P_TEXT, LARDER_AT(struct config, synchronous), "normal", 0, 0,
     "off|normal|full", NULL, "when SQLite waits for the disk; full: no commit is lost with the power"},
    {"lanes", LARDER_P_INT, LARDER_AT(struct config, lanes), "4", 1, 64, NULL, NULL, "calls at once"},
};
static const struct larder_cache_ops cache_ops = {
    .size = sizeof(cache_ops), .get = op_get, .put = op_put, .remove = op_remove, .list = op_list,
    .claim = op_claim, .release = op_release,
};
static const struct larder_tag_ops tag_ops = {
    .size = sizeof(tag_ops), .read = op_read, .write = op_write, .advance = op_advance, .bump = op_bump,
    .link = op_link, .keys_of = op_keys_of, .tags_of = op_tags_of, .list_marks = op_list_marks,
};
static const struct larder_driver sqlite_driver = {
    .size = sizeof(sqlite_driver), .abi = LARDER_ABI, .name = "sqlite", .version = "0.1.0",
    .summary = "one SQLite database, shared by the processes of a machine", .params = params,
    .n_params = sizeof(params) / sizeof(params[0]), .param_size = sizeof(params[0]),
    .config_size = sizeof(struct config), .cache = &cache_ops, .tags = &tag_ops, .open = sqlite_open,
    .close = sqlite_close, .ping = op_ping,
};
LARDER_EXPORT_DRIVER(sqlite_driver);
