/* A running store tells its counters: the socket, its folder, and who may not use them. */
#include <cJSON.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FAILING_ALLOC_HERE
#include "failing_alloc.h"
#include "live_folder.h"
#include "store_over_held.h"

/* ---- a folder of the test's own, and who asks ------------------------------------------ */

static char dir[64], folder[96];

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw) {
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

static void make_dir(void) {
    snprintf(dir, sizeof(dir), "/tmp/larder-live-XXXXXX");
    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(dir));
    snprintf(folder, sizeof(folder), "%s/live", dir);
}

static void remove_dir(void) {
    nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void open_live(void) {
    make_dir();
    open_with("held", "live", folder);
    pass_ms(reactor, LIVE_DELAY_MS);
}

static void close_live(void) {
    close_store();
    remove_dir();
}

/* How many names a folder has; -1: there is none. */
static int count_in(const char *path) {
    DIR *d = opendir(path);
    int n = d != NULL ? -2 : -1; /* . and .. */
    if (d == NULL)
        return n;
    while (readdir(d) != NULL)
        n++;
    closedir(d);
    return n;
}

struct asked { /* sockets that were found */
    int fds[8];
    size_t n;
};

static void note_fd(void *arg, int fd) {
    struct asked *asked = arg;
    CU_ASSERT_FATAL(asked->n < N_ELEMENTS(asked->fds));
    asked->fds[asked->n++] = fd;
}

static struct asked look(void) {
    struct larder_config *config = larder_config_new();
    struct larder_error error;
    struct asked asked = {.n = 0};
    if (config == NULL)
        return asked;
    int32_t status = larder_config_set(config, "live", folder, "test", &error);
    if (status == LARDER_OK)
        status = larder_live_each(config, note_fd, &asked, &error);
    CU_ASSERT(status == LARDER_OK ||
              (alloc_failures > 0 && (status == LARDER_NOMEM || status == LARDER_MISS)));
    larder_config_free(config);
    return asked;
}

static int connect_one(void) {
    struct asked asked = look();
    CU_ASSERT_EQUAL_FATAL(asked.n, 1);
    settle(reactor);
    return asked.fds[0];
}

static void say(int fd, const char *line) {
    CU_ASSERT_EQUAL(send(fd, line, strlen(line), MSG_NOSIGNAL), (ssize_t)strlen(line));
    settle(reactor);
}

/* What is there to read, with a NUL behind it; *ret_ended: and then the end. */
static char *hear(int fd, bool *ret_ended) {
    enum { MOST = 1 << 20 };
    char *text = calloc(1, MOST);
    size_t len = 0;
    ssize_t n;
    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    while ((n = recv(fd, text + len, MOST - 1 - len, MSG_DONTWAIT)) > 0) {
        len += (size_t)n;
        settle(reactor); /* there is room for more */
    }
    *ret_ended = n == 0 || errno == ECONNRESET;
    return text;
}

static void hears(int fd, const char *text, bool end) {
    bool ended;
    char *heard = hear(fd, &ended);
    CU_ASSERT_STRING_EQUAL(heard, text);
    CU_ASSERT_EQUAL(ended, end);
    free(heard);
}

/* A get of a key that is not there. */
static void miss(struct seen *seen, const char *key) {
    submit(seen, get_of(key, 0));
    settle(reactor);
    answer_namespace(held_take(LARDER_OP_TAGS_READ));
    answer_status(held_take(LARDER_OP_GET), LARDER_MISS);
    settle(reactor);
    CU_ASSERT_EQUAL(seen->times, 1);
}

/* ---- being asked ---------------------------------------------------------------------------- */

static const cJSON *at(const cJSON *json, const char *name) {
    return cJSON_GetObjectItemCaseSensitive(json, name);
}

static void who_asks_is_told_all_counters_and_then_the_end(void) {
    bool ended;
    struct seen seen = {0};
    open_live();
    miss(&seen, "a key");
    int fd = connect_one();
    say(fd, "metrics\n");
    char *text = hear(fd, &ended);
    CU_ASSERT(ended);
    cJSON *json = cJSON_Parse(text);
    CU_ASSERT_PTR_NOT_NULL_FATAL(json);
    CU_ASSERT_STRING_EQUAL(cJSON_GetStringValue(at(json, "larder")), larder_version());
    CU_ASSERT_STRING_EQUAL(cJSON_GetStringValue(at(json, "namespace")), "ns");
    CU_ASSERT_EQUAL(cJSON_GetNumberValue(at(json, "pid")), getpid());
    CU_ASSERT_EQUAL(cJSON_GetNumberValue(at(json, "upMs")), LIVE_DELAY_MS);
    CU_ASSERT_EQUAL(cJSON_GetNumberValue(at(at(json, "stats"), "misses")), 1);
    const cJSON *instance = cJSON_GetArrayItem(at(json, "instances"), 0);
    CU_ASSERT_STRING_EQUAL(cJSON_GetStringValue(at(instance, "driver")), "held");
    CU_ASSERT_EQUAL(cJSON_GetNumberValue(at(at(at(at(instance, "ops"), "get"), "answers"), "miss")), 1);
    CU_ASSERT_PTR_NULL(strstr(text, "a key"));
    cJSON_Delete(json);
    free(text);
    close(fd);
    forget(&seen);
    close_live();
}

static void another_question_is_not_answered(void) {
    static const char *const lines[] = {"metrics\r\n", "METRICS\n", "metrics please\n", "\n",
                                        "a line that is longer than any question, without its end"};
    open_live();
    for (size_t i = 0; i < N_ELEMENTS(lines); i++) {
        int fd = connect_one();
        say(fd, lines[i]);
        hears(fd, "", true);
        close(fd);
    }
    close_live();
}

static void a_question_may_come_in_pieces_and_an_answer_go_out_in_pieces(void) {
    bool ended;
    open_live();
    int fd = connect_one();
    say(fd, "met");
    hears(fd, "", false);
    int small = 1; /* the least there is, which the answer is longer than */
    CU_ASSERT_EQUAL(setsockopt(store->live.clients[0].fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)), 0);
    for (size_t i = 0; i < LARDER_N_BUCKETS; i++)
        store->requests[0].buckets[i] = UINT64_C(1) << 60;
    say(fd, "rics\n");
    CU_ASSERT(store->live.clients[0].n_sent < store->live.clients[0].n_answer);
    char *text = hear(fd, &ended);
    CU_ASSERT(ended);
    cJSON *json = cJSON_Parse(text);
    const cJSON *buckets = at(at(at(json, "requests"), "get-memory"), "buckets");
    CU_ASSERT_EQUAL(cJSON_GetArraySize(buckets), LARDER_N_BUCKETS);
    cJSON_Delete(json);
    free(text);
    close(fd);
    close_live();
}

static void who_is_slow_is_dropped_and_who_waited_has_a_turn(void) {
    int slow[LIVE_CLIENTS];
    open_live();
    for (size_t i = 0; i < LIVE_CLIENTS; i++)
        slow[i] = connect_one();
    int next = connect_one();
    say(next, "metrics\n");
    pass_ms(reactor, LIVE_CLIENT_MS - 1);
    hears(slow[0], "", false);
    hears(next, "", false);
    pass_ms(reactor, 1);
    for (size_t i = 0; i < LIVE_CLIENTS; i++) {
        hears(slow[i], "", true);
        close(slow[i]);
    }
    bool ended;
    char *text = hear(next, &ended);
    CU_ASSERT(ended && text[0] == '{');
    free(text);
    close(next);
    close_live();
}

static unsigned open_descriptors(void) {
    return (unsigned)count_in("/proc/self/fd");
}

static void nothing_is_left_of_a_store_that_is_closed(void) {
    make_dir();
    unsigned before = open_descriptors();
    open_with("held", "live", folder);
    pass_ms(reactor, LIVE_DELAY_MS - 1);
    CU_ASSERT_EQUAL(count_in(folder), -1); /* a process of a moment makes none */
    pass_ms(reactor, 1);
    CU_ASSERT_EQUAL(count_in(folder), 1);
    int asking = connect_one(), silent = connect_one();
    say(asking, "metr");
    close_store();
    CU_ASSERT_EQUAL(count_in(folder), 0);
    hears(asking, "", true);
    close(asking);
    close(silent);
    CU_ASSERT_EQUAL(open_descriptors(), before);
    remove_dir();
}

static void who_goes_away_in_the_middle_does_no_harm(void) {
    open_live();
    unsigned before = open_descriptors();
    int fd = connect_one();
    int small = 1;
    CU_ASSERT_EQUAL(setsockopt(store->live.clients[0].fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)), 0);
    for (size_t i = 0; i < LARDER_N_BUCKETS; i++)
        store->requests[0].buckets[i] = UINT64_C(1) << 60;
    say(fd, "metrics\n");
    close(fd);
    settle(reactor);
    CU_ASSERT_EQUAL(open_descriptors(), before);
    close_live();
}

/* It is not seen, or the answer is missing; all else goes on. */
static void where_memory_ends_nothing_but_the_view_is_lost(void) {
    unsigned n = 1;
    for (bool failed = true; failed; n++) {
        bool ended;
        struct seen seen = {0};
        make_dir();
        int before = count_in("/proc/self/fd");
        open_with("held", "live", folder);
        alloc_failures = 0;
        alloc_countdown = n;
        pass_ms(reactor, LIVE_DELAY_MS);
        struct asked asked = look();
        settle(reactor);
        if (asked.n > 0) {
            (void)send(asked.fds[0], "metrics\n", 8, MSG_NOSIGNAL); /* it may have been let go */
            settle(reactor);
        }
        alloc_countdown = 0;
        failed = alloc_failures > 0;
        char *text = asked.n > 0 ? hear(asked.fds[0], &ended) : NULL;
        CU_ASSERT(failed || (asked.n == 1 && text[0] == '{'));
        free(text);
        if (asked.n > 0)
            close(asked.fds[0]);
        miss(&seen, "k");
        forget(&seen);
        close_store();
        CU_ASSERT_EQUAL(count_in("/proc/self/fd"), before);
        remove_dir();
    }
    CU_ASSERT(n > 5);
}

/* ---- the folder ------------------------------------------------------------------------------ */

static void others_may_not_connect_whatever_the_umask_is(void) {
    struct stat st;
    mode_t umask_before = umask(0);
    open_live();
    umask(umask_before);
    CU_ASSERT(stat(folder, &st) == 0 && (st.st_mode & 07777) == 0700);
    CU_ASSERT(stat(store->live.path, &st) == 0 && S_ISSOCK(st.st_mode) && (st.st_mode & 07777) == 0600);
    close_live();
}

static int32_t opens(const char *path) {
    struct larder_error error;
    int fd = -1;
    int32_t status = live_folder_open(path, true, &fd, &error);
    if (status == LARDER_OK)
        close(fd);
    return status;
}

static void a_folder_that_others_could_fill_is_refused(void) {
    char link[128];
    make_dir();
    CU_ASSERT_EQUAL(opens(folder), LARDER_OK);
    CU_ASSERT_EQUAL(chmod(folder, 0755), 0);
    CU_ASSERT_EQUAL(opens(folder), LARDER_OK); /* they may look; the sockets are not theirs */
    CU_ASSERT_EQUAL(chmod(folder, 0720), 0);
    CU_ASSERT_EQUAL(opens(folder), LARDER_DENIED);
    CU_ASSERT_EQUAL(chmod(folder, 0702), 0);
    CU_ASSERT_EQUAL(opens(folder), LARDER_DENIED);
    CU_ASSERT_EQUAL(chmod(folder, 0700), 0);
    snprintf(link, sizeof(link), "%s/link", dir);
    CU_ASSERT_EQUAL(symlink(folder, link), 0);
    CU_ASSERT_EQUAL(opens(link), LARDER_DENIED);
    CU_ASSERT_EQUAL(unlink(link), 0);
    close(open(link, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    CU_ASSERT_EQUAL(opens(link), LARDER_DENIED);
    if (geteuid() != 0) {
        printf("(not root: another owner's folder is not tried) ");
    } else {
        int fd = -1;
        struct larder_error error;
        CU_ASSERT_EQUAL(chown(folder, 65534, 65534), 0);
        CU_ASSERT_EQUAL(opens(folder), LARDER_DENIED);
        CU_ASSERT_EQUAL(live_folder_open(folder, false, &fd, &error), LARDER_OK); /* root may look */
        close(fd);
    }
    remove_dir();
}

static void a_store_works_where_its_folder_does_not(void) {
    struct seen seen = {0};
    make_dir();
    close(open(folder, O_WRONLY | O_CREAT | O_CLOEXEC, 0600)); /* a file is there */
    open_with("held", "live", folder);
    pass_ms(reactor, LIVE_DELAY_MS);
    miss(&seen, "k");
    forget(&seen);
    close_live();
}

/* A socket that nobody listens on, as a process leaves it that was killed. */
static void leave_dead(const char *name) {
    int folder_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_un address = live_folder_address(folder_fd, name);
    CU_ASSERT_EQUAL(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    close(fd);
    close(folder_fd);
}

static void what_dead_processes_left_is_removed_and_nothing_else(void) {
    char path[160], link[160];
    open_live();
    leave_dead("1-00000000.sock");
    leave_dead("1-00000001.new"); /* perhaps somebody is about to listen */
    snprintf(path, sizeof(path), "%s/1-00000002.sock", folder);
    close(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600)); /* no socket at all */
    snprintf(link, sizeof(link), "%s/1-00000003.sock", folder);
    CU_ASSERT_EQUAL(symlink(store->live.path, link), 0);
    CU_ASSERT_EQUAL(count_in(folder), 5);
    int fd = connect_one(); /* the link is not followed */
    CU_ASSERT_EQUAL(count_in(folder), 4);
    close(fd);
    leave_dead("2-00000000.sock");
    struct larder_store *first = store; /* a store that opens looks, too */
    struct larder_config *config = larder_config_new();
    struct store_config *typed = NULL;
    struct larder_error error;
    larder_config_set(config, "cache", "held", "test", &error);
    larder_config_set(config, "live", folder, "test", &error);
    CU_ASSERT_EQUAL_FATAL(store_config_new(config, &typed, &error), LARDER_OK);
    larder_config_free(config);
    CU_ASSERT_EQUAL_FATAL(store_open_on(reactor, typed, &store, &error), LARDER_OK);
    settle(reactor);
    pass_ms(reactor, LIVE_DELAY_MS);
    CU_ASSERT_EQUAL(count_in(folder), 5);
    struct asked asked = look();
    CU_ASSERT_EQUAL(asked.n, 2);
    for (size_t i = 0; i < asked.n; i++)
        close(asked.fds[i]);
    bool closed = false;
    store_close_begin(store, note_closed, &closed);
    for (int i = 0; i < 100 && !closed; i++)
        pass_ms(reactor, 5);
    CU_ASSERT(closed);
    store = first;
    close_live();
}

static void a_folder_has_a_slash_and_is_deep_where_it_must(void) {
    struct larder_config *config = larder_config_new();
    struct larder_error error;
    struct store_config *typed = NULL;
    larder_config_set(config, "cache", "held", "test", &error);
    larder_config_set(config, "live", "on", "test", &error);
    CU_ASSERT_EQUAL(store_config_new(config, &typed, &error), LARDER_INVALID);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.text, "'on' is not off, auto, or a folder with a slash in it"));
    larder_config_free(config);

    char expected[64], *path = live_folder_path("auto"), *off = live_folder_path("off");
    snprintf(expected, sizeof(expected), "/tmp/larder-%u", (unsigned)geteuid());
    CU_ASSERT_STRING_EQUAL(path, expected);
    CU_ASSERT_STRING_EQUAL(off, expected);
    free(path);
    free(off);
    /* Longer than the address of a socket can be. */
    make_dir();
    char deep[400];
    int n = snprintf(deep, sizeof(deep), "%s/%0150d", dir, 1);
    CU_ASSERT(n > 0 && (size_t)n < sizeof(deep));
    open_with("held", "live", deep);
    pass_ms(reactor, LIVE_DELAY_MS);
    CU_ASSERT_EQUAL(count_in(deep), 1);
    close_live();
}

int main(void) {
    static const struct unit_test tests[] = {
        UNIT(who_asks_is_told_all_counters_and_then_the_end),
        UNIT(another_question_is_not_answered),
        UNIT(a_question_may_come_in_pieces_and_an_answer_go_out_in_pieces),
        UNIT(who_is_slow_is_dropped_and_who_waited_has_a_turn),
        UNIT(nothing_is_left_of_a_store_that_is_closed),
        UNIT(who_goes_away_in_the_middle_does_no_harm),
        UNIT(where_memory_ends_nothing_but_the_view_is_lost),
        UNIT(others_may_not_connect_whatever_the_umask_is),
        UNIT(a_folder_that_others_could_fill_is_refused),
        UNIT(a_store_works_where_its_folder_does_not),
        UNIT(what_dead_processes_left_is_removed_and_nothing_else),
        UNIT(a_folder_has_a_slash_and_is_deep_where_it_must),
    };
    return store_main("live", tests, N_ELEMENTS(tests));
}
