/* larder stats and larder top, run as people run them, on processes that have stores open. */
#include <cjson/cJSON.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "check.h"

#define LIVE "--set=live=./live"
#define LACKS(text, part) CU_ASSERT_PTR_NULL(strstr(text, part))

static const char *larder, *live_process;

/* ---- processes to look at ------------------------------------------------------------------------ */

enum { N = 2 };
static struct running {
    pid_t pid;
    int in;
    char number[16];
} running[N];

static int sockets(void) {
    DIR *folder = opendir("live");
    int n = 0;
    for (struct dirent *e; folder && (e = readdir(folder)) != NULL;)
        n += strstr(e->d_name, ".sock") != NULL;
    if (folder)
        closedir(folder);
    return n;
}

static void begin(struct running *p) {
    int in[2];
    posix_spawn_file_actions_t files;
    const char *argv[] = {live_process, "shop", "./live", NULL};
    CU_ASSERT_EQUAL_FATAL(pipe2(in, O_CLOEXEC), 0);
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_adddup2(&files, in[0], 0);
    posix_spawn_file_actions_addopen(&files, 1, "/dev/null", O_WRONLY, 0);
    CU_ASSERT_EQUAL_FATAL(
        posix_spawn(&p->pid, live_process, &files, NULL, (char *const *)(void *)argv, environ), 0);
    posix_spawn_file_actions_destroy(&files);
    close(in[0]);
    p->in = in[1];
    snprintf(p->number, sizeof p->number, "%ld", (long)p->pid);
}

/* Their sockets come a second after their stores were opened. */
static void start_all(void) {
    for (size_t i = 0; i < N; i++)
        begin(&running[i]);
    for (int i = 0; i < 1000 && sockets() < N; i++)
        poll(NULL, 0, 20);
    CU_ASSERT_EQUAL_FATAL(sockets(), N);
}

static void stop_all(void) {
    for (size_t i = 0; i < N; i++) {
        int status = -1;
        close(running[i].in);
        CU_ASSERT_EQUAL(waitpid(running[i].pid, &status, 0), running[i].pid);
        CU_ASSERT(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    CU_ASSERT_EQUAL(sockets(), 0);
}

/* ---- stats ----------------------------------------------------------------------------------------- */

static void where_nobody_tells_of_itself_a_way_out_is_named(void) {
    const struct ran *r = run("stats", LIVE);
    CU_ASSERT_EQUAL(r->code, 1);
    HAS(r->err, "larder stats: no process is running that tells of itself in ./live");
    HAS(r->err, "--set live=FOLDER");
    r = run("stats", LIVE, "--json");
    CU_ASSERT_EQUAL(r->code, 1);
    HAS(r->out, "{\"status\":\"miss\"");
    CU_ASSERT_EQUAL(run("top", LIVE, "--count", "1")->code, 1);
    CU_ASSERT_EQUAL(run("stats", LIVE, "x1")->code, 2);
    CU_ASSERT_EQUAL(run("stats", LIVE, "--json", "--prometheus")->code, 2);
    /* What others may write to is nobody's word. */
    CU_ASSERT(mkdir("open", 0700) == 0 && chmod("open", 0777) == 0);
    r = run("stats", "--set=live=./open");
    CU_ASSERT_EQUAL(r->code, 3);
    HAS(r->err, "others may write there");
}

static void people_read_all_processes_in_one_table(void) {
    const struct ran *r = run("stats", LIVE);
    CU_ASSERT_EQUAL(r->code, 0);
    HAS(r->out, "namespace shop, epoch 1");
    for (size_t i = 0; i < N; i++)
        HAS(r->out, running[i].number);
    HAS(r->out, "PROCESS  UP           GETS    HIT  STALE   GONE   MISS  ERROR  MEMORY\n");
    HAS(r->out, "     20  90.0%   0.0%   0.0%  10.0%   0.0%"); /* all */
    HAS(r->out, "get-memory                  18 ");
    HAS(r->out, "get-nothing                  2 ");
    HAS(r->out, "\nput                          2 ");
    HAS(r->out, "memory (cache+tags)");
    HAS(r->out, "in flight 0, queued 0; retried 0");
    r = run("stats", LIVE, running[1].number);
    CU_ASSERT_EQUAL(r->code, 0);
    HAS(r->out, running[1].number);
    LACKS(r->out, running[0].number);
    LACKS(r->out, "\nall ");
    r = run("stats", LIVE, running[1].number, "1");
    CU_ASSERT_EQUAL(r->code, 1);
    HAS(r->out, running[1].number);
    HAS(r->err, "no process 1 tells of itself");
    r = run("stats", LIVE, "--namespace", "other");
    CU_ASSERT_EQUAL(r->code, 1);
    HAS(r->err, "no such process is among the 2 that tell of themselves in ./live");
}

static double number_in(const cJSON *json, const char *object, const char *name) {
    return cJSON_GetNumberValue(cJSON_GetObjectItem(cJSON_GetObjectItem(json, object), name));
}

static void programs_read_one_document_for_each_or_one_text_for_all(void) {
    const struct ran *r = run("stats", LIVE, "--json");
    CU_ASSERT_EQUAL(r->code, 0);
    char *rest = r->out;
    for (size_t i = 0; i < N; i++) {
        cJSON *json = cJSON_Parse(strsep(&rest, "\n"));
        double pid = cJSON_GetNumberValue(cJSON_GetObjectItem(json, "pid"));
        CU_ASSERT(pid == running[0].pid || pid == running[1].pid);
        CU_ASSERT_EQUAL(number_in(json, "stats", "hits"), 9);
        const cJSON *requests = cJSON_GetObjectItem(json, "requests");
        CU_ASSERT_EQUAL(number_in(requests, "get-memory", "count"), 9);
        CU_ASSERT(number_in(requests, "put", "p50Ns") > 0);
        cJSON_Delete(json);
    }
    CU_ASSERT_STRING_EQUAL(rest, "");
    r = run("stats", LIVE, "--prometheus");
    CU_ASSERT_EQUAL(r->code, 0);
    for (size_t i = 0; i < N; i++) {
        char line[128];
        snprintf(line, sizeof line, "\nlarder_gets_total{namespace=\"shop\",pid=\"%s\",result=\"hit\"} 9\n",
                 running[i].number);
        HAS(r->out, line);
        snprintf(
            line, sizeof line,
            "\nlarder_request_latency_seconds_bucket{namespace=\"shop\",pid=\"%s\",request=\"get-memory\","
            "le=\"+Inf\"} 9\n",
            running[i].number);
        HAS(r->out, line);
    }
    const char *type = strstr(r->out, "# TYPE larder_gets_total ");
    CU_ASSERT(type && strstr(type + 1, "# TYPE larder_gets_total ") == NULL);
}

/* ---- top, without a terminal -------------------------------------------------------------------------- */

static void *keep_busy(void *arg) {
    atomic_bool *stop = arg;
    while (!atomic_load(stop) && write(running[0].in, "x", 1) == 1)
        poll(NULL, 0, 1);
    return NULL;
}

static void without_a_terminal_it_is_a_line_for_each_interval(void) {
    atomic_bool stop = false;
    pthread_t thread;
    const struct ran *r = run("top", LIVE, "--count", "2", "--interval", "100ms");
    CU_ASSERT_EQUAL(r->code, 0);
    int lines = 0;
    for (const char *c = r->out; *c; c++)
        lines += *c == '\n';
    CU_ASSERT_EQUAL(lines, 2);
    HAS(r->out, "  processes 2  gets/s 0  hit -  p50 -  p99 -  puts/s 0  memory ");
    LACKS(r->out, "\x1b");
    /* What is told is what was done since the last line, not all that ever was. */
    CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, keep_busy, &stop), 0);
    r = run("top", LIVE, "--count", "1", "--interval", "300ms", "--json");
    atomic_store(&stop, true);
    pthread_join(thread, NULL);
    CU_ASSERT_EQUAL(r->code, 0);
    cJSON *json = cJSON_Parse(r->out);
    CU_ASSERT(cJSON_GetNumberValue(cJSON_GetObjectItem(json, "hits")) > 0);
    CU_ASSERT_EQUAL(cJSON_GetNumberValue(cJSON_GetObjectItem(json, "misses")), 0);
    CU_ASSERT_EQUAL(cJSON_GetNumberValue(cJSON_GetObjectItem(json, "puts")), 0);
    CU_ASSERT(cJSON_GetNumberValue(cJSON_GetObjectItem(json, "memoryEntries")) == 2);
    cJSON_Delete(json);
}

/* ---- top, on a terminal --------------------------------------------------------------------------------- */

struct terminal {
    int fd, other; /* the person's end; the program's */
    pid_t pid;
    struct termios before;
    char text[65536];
    size_t len;
};

static void top_on_terminal(struct terminal *t) {
    char name[64];
    const char *argv[] = {larder, "top", LIVE, NULL};
    posix_spawn_file_actions_t files;
    memset(t, 0, sizeof *t);
    t->fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
    CU_ASSERT_FATAL(t->fd >= 0 && grantpt(t->fd) == 0 && unlockpt(t->fd) == 0 &&
                    ptsname_r(t->fd, name, sizeof name) == 0);
    t->other = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
    CU_ASSERT_EQUAL_FATAL(tcgetattr(t->other, &t->before), 0);
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_adddup2(&files, t->other, 0);
    posix_spawn_file_actions_adddup2(&files, t->other, 1);
    CU_ASSERT_EQUAL_FATAL(posix_spawn(&t->pid, larder, &files, NULL, (char *const *)(void *)argv, environ),
                          0);
    posix_spawn_file_actions_destroy(&files);
}

/* Reads what is drawn until it has this in it. */
static bool drawn(struct terminal *t, const char *text) {
    struct pollfd readable = {.fd = t->fd, .events = POLLIN};
    while (strstr(t->text, text) == NULL) {
        if (t->len + 1 == sizeof t->text || poll(&readable, 1, 20000) <= 0)
            return false;
        ssize_t n = read(t->fd, t->text + t->len, sizeof t->text - 1 - t->len);
        if (n <= 0)
            return false;
        t->len += (size_t)n;
        t->text[t->len] = '\0';
    }
    return true;
}

static void is_as_before(struct terminal *t) {
    struct termios after;
    int status = -1;
    CU_ASSERT_TRUE(drawn(t, "\x1b[?25h\x1b[?1049l"));
    CU_ASSERT_EQUAL(waitpid(t->pid, &status, 0), t->pid);
    CU_ASSERT(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    CU_ASSERT_EQUAL(tcgetattr(t->other, &after), 0);
    CU_ASSERT(after.c_lflag == t->before.c_lflag && after.c_iflag == t->before.c_iflag &&
              memcmp(after.c_cc, t->before.c_cc, sizeof after.c_cc) == 0);
    close(t->fd);
    close(t->other);
}

static void a_terminal_is_drawn_on_and_left_as_it_was(void) {
    static struct terminal t;
    struct termios during;
    top_on_terminal(&t);
    CU_ASSERT_TRUE(drawn(&t, "\x1b[?1049h\x1b[?25l"));
    CU_ASSERT_TRUE(drawn(&t, "get-memory"));
    HAS(t.text, running[0].number);
    HAS(t.text, "larder top");
    CU_ASSERT_EQUAL(tcgetattr(t.other, &during), 0);
    CU_ASSERT_EQUAL(during.c_lflag & (tcflag_t)(ICANON | ECHO), 0);
    CU_ASSERT_EQUAL(write(t.fd, "q", 1), 1);
    is_as_before(&t);
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) {
        top_on_terminal(&t);
        CU_ASSERT_TRUE(drawn(&t, "\x1b[?1049h"));
        kill(t.pid, signals[i]);
        is_as_before(&t);
    }
}

/* ---- who lies -------------------------------------------------------------------------------------------- */

struct liar {
    const char *text;
    int fd;
};

static void *lie(void *arg) {
    struct liar *liar = arg;
    char line[16];
    for (int fd; (fd = accept4(liar->fd, NULL, NULL, SOCK_CLOEXEC)) >= 0; close(fd))
        if (read(fd, line, sizeof line) > 0 && write(fd, liar->text, strlen(liar->text)) < 0)
            break;
    return NULL;
}

/* What stats says of a process that tells this. */
static const struct ran *said_of(const char *text, const char *format) {
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "lies/1-00000000.sock"};
    struct liar liar = {text, socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    pthread_t thread;
    mkdir("lies", 0700);
    unlink(address.sun_path);
    CU_ASSERT_EQUAL_FATAL(bind(liar.fd, (struct sockaddr *)&address, sizeof address), 0);
    CU_ASSERT_EQUAL_FATAL(listen(liar.fd, 4), 0);
    CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, lie, &liar), 0);
    const struct ran *r = format ? run("stats", "--set=live=./lies", format)
                                 : run("stats", "--set=live=./lies");
    shutdown(liar.fd, SHUT_RDWR);
    pthread_join(thread, NULL);
    close(liar.fd);
    return r;
}

static void what_a_process_tells_is_not_believed_blindly(void) {
    static const char *const nonsense[] = {"",
                                           "hello",
                                           "{}",
                                           "[1]",
                                           "{\"larder\":\"1\",\"instances\":{}}",
                                           "{\"larder\":\"1\",\"instances\":[1,2,3,4,5,6,7,8,9]}"};
    for (size_t i = 0; i < sizeof nonsense / sizeof nonsense[0]; i++) {
        const struct ran *r = said_of(nonsense[i], NULL);
        CU_ASSERT_EQUAL(r->code, 1);
        HAS(r->err, "1 that should tell of themselves in ./lies did not");
    }
    static const char wild[] =
        "{\"larder\":\"1\",\"pid\":-5,\"upMs\":1e300,\"namespace\":\"\x1b[31mred\",\"stats\":{\"gets\":\"x\","
        "\"hits\":-1,"
        "\"epoch\":1e19},\"requests\":{\"put\":{\"count\":3,\"buckets\":[[9999,1],[-1,1],[\"a\",2],3,[1,1e99]"
        ",[2,3]]}},"
        "\"instances\":[{\"role\":\"\x1b[2J\",\"driver\":7,\"breakerState\":99,\"breakerOpened\":1,"
        "\"breakerReason\":\"\x1b]0;title\",\"ops\":{\"get\":{\"answers\":{\"ok\":1}}}}]}";
    static const char *const formats[] = {NULL, "--json", "--prometheus"};
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
        const struct ran *r = said_of(wild, formats[i]);
        CU_ASSERT_EQUAL(r->code, 0);
        LACKS(r->out, "\x1b");
        LACKS(r->err, "\x1b");
    }
}

static void what_somebody_should_know_is_said(void) {
    static const char troubled[] =
        "{\"larder\":\"1\",\"pid\":7,\"upMs\":9000000,\"namespace\":\"shop\",\"stats\":{\"journalPending\":3,"
        "\"corrupt\":4,\"deadlines\":5},\"requests\":{},\"instances\":[{\"role\":\"cache\",\"driver\":"
        "\"redis\","
        "\"breakerState\":2,\"breakerSinceMs\":1700000000000,\"breakerOpened\":1,\"refused\":6,"
        "\"breakerReason\":\"the breaker of redis is open since noon\",\"faults\":8,\"ops\":{}}]}";
    const struct ran *r = said_of(troubled, NULL);
    CU_ASSERT_EQUAL(r->code, 0);
    HAS(r->out, "7        2h30min");
    HAS(r->out, "\n7: the breaker of redis is open since noon; 6 calls were refused\n");
    HAS(r->out, "\n7: 8 faults were injected on purpose");
    HAS(r->out, "\n7: 3 revalidations have not reached the store yet");
    HAS(r->out, "\n7: 4 entries could not be verified");
    HAS(r->out, "\n7: 5 requests were answered by their deadline");
}

int main(int argc, char **argv) {
    static const struct unit_test tests[] = {
        UNIT(where_nobody_tells_of_itself_a_way_out_is_named),
        UNIT(start_all),
        UNIT(people_read_all_processes_in_one_table),
        UNIT(programs_read_one_document_for_each_or_one_text_for_all),
        UNIT(without_a_terminal_it_is_a_line_for_each_interval),
        UNIT(a_terminal_is_drawn_on_and_left_as_it_was),
        UNIT(what_a_process_tells_is_not_believed_blindly),
        UNIT(what_somebody_should_know_is_said),
        UNIT(stop_all),
    };
    char absolute[4096];
    signal(SIGPIPE, SIG_IGN);
    if (argc != 3 || (larder = realpath(argv[1], NULL)) == NULL ||
        (live_process = realpath(argv[2], absolute)) == NULL || !program_init(larder)) {
        fprintf(stderr, "usage: test_live LARDER LIVE_PROCESS\n");
        return 2;
    }
    int failed = unit_main("live", tests, sizeof tests / sizeof tests[0]);
    program_done();
    return failed;
}
