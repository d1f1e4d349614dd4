/* The program larder, run as people run it, on folders of its own. */
#include <cjson/cJSON.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"

#define STORE "--cache=fs:store"

/* ---- helpers -------------------------------------------------------------------------------------- */

static void put(const char *kind, const char *key, const char *build, const char *tag) {
    write_file("put.txt", "stored text", 11);
    CODE(run("put", STORE, "--kind", kind, "--build", build, "--text", "body=put.txt", "--tag", tag, "--",
             key),
         0);
}

static void empty_store(void) {
    CODE(run("rm", STORE, "--everything"), 0);
    CODE(run("ls", STORE), 0);
    CU_ASSERT_EQUAL(count_lines(run("ls", STORE)), 0);
}

/* ---- the program itself ------------------------------------------------------------------------------ */

static void help_teaches_every_command(void) {
    static const char *const commands[] = {
        "get",       "put",     "ls",     "rm",         "tags",  "revalidate", "drivers", "config",
        "provision", "explain", "ping",   "doctor",     "prune", "seed",       "stats",   "top",
        "bench",     "export",  "import", "completion", "man",   "version"};
    const struct ran *r = run("--help");
    CODE(r, 0);
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        HAS(r->out, commands[i]);
    HAS(r->out, "Exit codes: 0 done; 1 not found");
    HAS(r->out, "Examples:");
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        char usage[64];
        snprintf(usage, sizeof usage, "Usage: larder %s", commands[i]);
        r = run(commands[i], "--help");
        CODE(r, 0);
        HAS(r->out, usage);
        HAS(r->out, "Exit codes: 0");
        HAS(r->out, "Examples:\n  ");
        TEXT(r->err, "");
    }
    CODE(run("help", "get"), 0);
    CODE(run("-h"), 0);
    r = run(NULL);
    CODE(r, 2);
    HAS(r->out, "Usage: larder COMMAND");
}

static void what_is_mistyped_is_refused_with_the_nearest(void) {
    const struct ran *r = run("revalidte", "x");
    CODE(r, 2);
    TEXT(r->err, "larder: unknown command 'revalidte', did you mean 'revalidate'?\nTry: larder --help\n");
    r = run("reval");
    CODE(r, 2);
    HAS(r->err, "did you mean 'revalidate'?");
    r = run("get", "--biuld=x", "k");
    CODE(r, 2);
    TEXT(r->err, "larder get: unknown option --biuld, did you mean --build?\nTry: larder get --help\n");
    r = run("get", "-x", "k");
    CODE(r, 2);
    HAS(r->err, "unknown option -x: options are words, such as --json");
    r = run("get");
    CODE(r, 2);
    TEXT(r->err, "larder get: it takes KEY\nTry: larder get --help\n");
    r = run("get", "a", "b");
    CODE(r, 2);
    HAS(r->err, "'b' is one word too many: it takes KEY");
    r = run("get", "a", "--kind");
    CODE(r, 2);
    HAS(r->err, "--kind takes a value: KIND");
    r = run("get", "a", "--json=1");
    CODE(r, 2);
    HAS(r->err, "--json takes no value");
    r = run("get", "a", "--kind", "pages");
    CODE(r, 2);
    HAS(r->err, "--kind is page, fetch, image or use-cache, not 'pages'");
    r = run("ping", "--timeout", "soon");
    CODE(r, 2);
    HAS(r->err, "--timeout: 'soon' is not a duration: a number with ms, s, min, h or d, such as 500ms");
    r = run("get", "a\\q");
    CODE(r, 2);
    HAS(r->err, "'a\\q': a backslash begins \\\\ or \\xNN");
    r = run("--json");
    CODE(r, 2);
    HAS(r->err, "a command is missing");
}

static void failures_come_as_json_too(void) {
    const struct ran *r = run("get", "--json", "--nope");
    CODE(r, 2);
    cJSON *json = json_only(r);
    TEXT(member(json, "status"), "invalid");
    TEXT(member(json, "error"), "unknown option --nope");
    cJSON_Delete(json);
    r = run("get", "--json", "k", "--set", "namespce=x");
    CODE(r, 2);
    json = json_only(r);
    TEXT(member(json, "error"),
         "unknown setting 'namespce' of the store (the command line), did you mean 'namespace'?");
    cJSON_Delete(json);
}

static void version_and_abi_are_told(void) {
    const struct ran *r = run("version");
    CODE(r, 0);
    CU_ASSERT_EQUAL(strncmp(r->out, "larder ", 7), 0);
    cJSON *json = json_only(run("version", "--json"));
    CU_ASSERT(strcmp(member(json, "version"), "(none)") != 0);
    CU_ASSERT_EQUAL(cJSON_GetObjectItem(json, "driverAbi")->valueint, 1);
    cJSON_Delete(json);
}

static void an_output_that_cannot_be_written_is_a_failure(void) {
    run_output("/dev/full");
    const struct ran *r = run("version");
    CODE(r, 3);
    HAS(r->err, "the output could not be written");
}

/* ---- entries ------------------------------------------------------------------------------------------ */

static void bytes_out_are_bytes_in(void) {
    char bytes[70000];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)(i * 7 ^ i >> 8);
    write_file("in.bin", bytes, sizeof bytes);
    write_file("empty.bin", "", 0);
    CODE(run("put", STORE, "--kind", "fetch", "raw", "--part", "body=in.bin", "--part", "none=empty.bin"), 0);
    const struct ran *r = run("get", STORE, "--kind", "fetch", "raw", "--part", "body");
    CODE(r, 0);
    CU_ASSERT_EQUAL_FATAL(r->out_len, sizeof bytes);
    CU_ASSERT_EQUAL(memcmp(r->out, bytes, sizeof bytes), 0);
    r = run("get", STORE, "--kind", "fetch", "raw", "--part=none");
    CODE(r, 0);
    CU_ASSERT_EQUAL(r->out_len, 0);
    CODE(run("get", STORE, "--kind", "fetch", "raw", "--part=body", "--output=copy.bin"), 0);
    run_input("in.bin");
    CODE(run("put", STORE, "--kind", "fetch", "piped", "--part", "body=-"), 0);
    r = run("get", STORE, "--kind", "fetch", "piped", "--part=body");
    CU_ASSERT(r->out_len == sizeof bytes && memcmp(r->out, bytes, sizeof bytes) == 0);
    FILE *file = fopen("copy.bin", "rb");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    static char copy[sizeof bytes + 1];
    CU_ASSERT_EQUAL(fread(copy, 1, sizeof copy, file), sizeof bytes);
    CU_ASSERT_EQUAL(memcmp(copy, bytes, sizeof bytes), 0);
    fclose(file);
}

static void an_entry_is_shown_with_all_it_has(void) {
    write_file("h.html", "<p>hi</p>", 9);
    CODE(run("put", STORE, "/blog/hello", "--build", "b1", "--text", "html=h.html", "--meta",
             "{\"status\":200}", "--tag", "posts", "--tag", "_N_T_/blog", "--epoch", "7", "--revalidate",
             "60s", "--expire", "1h"),
         0);
    const struct ran *r = run("get", STORE, "/blog/hello", "--build", "b1", "--json", "--any");
    cJSON *json = json_only(r);
    TEXT(member(json, "kind"), "page");
    TEXT(member(json, "key"), "/blog/hello");
    TEXT(member(json, "meta"), "{\"status\":200}");
    CU_ASSERT_EQUAL(cJSON_GetObjectItem(json, "epoch")->valueint, 7);
    CU_ASSERT_EQUAL(cJSON_GetObjectItem(json, "revalidateMs")->valueint, 60000);
    CU_ASSERT_EQUAL(cJSON_GetObjectItem(json, "expireMs")->valueint, 3600000);
    cJSON *tags = cJSON_GetObjectItem(json, "tags"), *parts = cJSON_GetObjectItem(json, "parts");
    CU_ASSERT_EQUAL(cJSON_GetArraySize(tags), 2);
    CU_ASSERT_EQUAL_FATAL(cJSON_GetArraySize(parts), 1);
    TEXT(member(cJSON_GetArrayItem(parts, 0), "name"), "html");
    CU_ASSERT_EQUAL(cJSON_GetObjectItem(cJSON_GetArrayItem(parts, 0), "bytes")->valueint, 9);
    cJSON_Delete(json);
    r = run("get", STORE, "/blog/hello", "--build", "b1", "--any");
    HAS(r->out, "tags        posts\n            _N_T_/blog\n");
    HAS(r->out, "revalidate  1min\nexpire      1h\n");
    HAS(r->out, "parts       9 bytes, text, html\n");
    r = run("get", STORE, "/blog/hello", "--build", "b1", "--any", "--meta");
    TEXT(r->out, "{\"status\":200}");
}

static void what_is_not_stored_is_a_negative_answer(void) {
    const struct ran *r = run("get", STORE, "--kind", "fetch", "nothing");
    CODE(r, 1);
    TEXT(r->err, "larder get: not stored\n");
    r = run("get", STORE, "--kind", "fetch", "nothing", "--json");
    CODE(r, 1);
    TEXT(r->out, "{\"status\":\"miss\"}\n");
    put("fetch", "here", "", "t");
    r = run("get", STORE, "--kind", "fetch", "here", "--part", "html");
    CODE(r, 1);
    TEXT(r->err, "larder get: the entry has no part 'html'\n");
}

static void if_absent_leaves_what_is_there(void) {
    write_file("1.txt", "one", 3);
    write_file("2.txt", "two", 3);
    CODE(run("put", STORE, "--kind", "fetch", "once", "--text", "body=1.txt", "--if-absent"), 0);
    const struct ran *r = run("put", STORE, "--kind", "fetch", "once", "--text", "body=2.txt", "--if-absent");
    CODE(r, 1);
    TEXT(r->err, "larder put: an entry is there already\n");
    TEXT(run("get", STORE, "--kind", "fetch", "once", "--part=body")->out, "one");
}

static void a_word_behind_two_dashes_is_no_option(void) {
    put("fetch", "--json", "", "t");
    CODE(run("get", STORE, "--kind", "fetch", "--", "--json"), 0);
    CODE(run("rm", STORE, "--kind", "fetch", "--", "--json"), 0);
    CODE(run("get", STORE, "--kind", "fetch", "--", "--json"), 1);
}

static void odd_keys_are_printed_as_they_are_typed(void) {
    static const char *const keys[] = {"a\\x00b",
                                       "\\xff\\xfe",
                                       "quote\"s",
                                       "back\\\\slash",
                                       "\xc3\xa4\xe2\x82\xac",
                                       "new\\x0aline",
                                       "../../etc",
                                       "/",
                                       " space ",
                                       "\\xe2\\x80\\xaereversed",
                                       "\\xc2\\x9b31m",
                                       "\xf0\x9f\x98\x80",
                                       "\\xed\\xa0\\x80"};
    empty_store();
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        put("fetch", keys[i], "", "t");
    const struct ran *r = run("ls", STORE, "--json");
    CU_ASSERT_EQUAL(count_lines(r), (int)(sizeof keys / sizeof keys[0]));
    unsigned found = 0;
    char *lines = strdup(r->out);
    for (int line = 0;; line++) {
        struct ran again = {.out = lines};
        cJSON *json = json_line(&again, line);
        if (json == NULL)
            break;
        for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
            found += strcmp(member(json, "key"), keys[i]) == 0;
        CODE(run("get", STORE, "--kind", "fetch", "--", member(json, "key")), 0);
        cJSON_Delete(json);
    }
    free(lines);
    CU_ASSERT_EQUAL(found, sizeof keys / sizeof keys[0]);
    empty_store();
}

/* ---- lists ----------------------------------------------------------------------------------------------- */

static void fill(void) {
    empty_store();
    put("page", "/a", "b1", "posts");
    put("page", "/blog/1", "b1", "posts");
    put("page", "/blog/2", "b1", "posts");
    put("page", "/blog/1", "b2", "posts");
    put("fetch", "f1", "", "data");
    put("use-cache", "u1", "", "data");
}

static int listed(const char *a, const char *b, const char *c) {
    const struct ran *r = run("ls", STORE, a, b, c);
    CODE(r, 0);
    TEXT(r->err, "");
    return count_lines(r);
}

static void a_list_is_narrowed_by_kind_build_and_prefix(void) {
    fill();
    CU_ASSERT_EQUAL(listed(NULL, NULL, NULL), 6);
    CU_ASSERT_EQUAL(listed("--kind=page", NULL, NULL), 4);
    CU_ASSERT_EQUAL(listed("--kind=page", "--build=b1", NULL), 3);
    CU_ASSERT_EQUAL(listed("--kind=page", "--build=b1", "/blog/"), 2);
    CU_ASSERT_EQUAL(listed("--build=b1", NULL, NULL), 3);
    CU_ASSERT_EQUAL(listed("--build=b1", "/blog/1", NULL), 1);
    CU_ASSERT_EQUAL(listed("--build=shared", NULL, NULL), 2);
    CU_ASSERT_EQUAL(listed("--kind=fetch", NULL, NULL), 1);
    CU_ASSERT_EQUAL(listed("--kind=fetch", "--build=b1", NULL), 1);
    CU_ASSERT_EQUAL(listed("/blog/", NULL, NULL), 3);
    CU_ASSERT_EQUAL(listed("--limit=2", NULL, NULL), 2);
    CU_ASSERT_EQUAL(listed("--kind=image", NULL, NULL), 0);
    TEXT(run("ls", STORE, "--kind=fetch")->out, "fetch     shared  f1\n");
    TEXT(run("ls", STORE, "--build=b2", "--json")->out,
         "{\"build\":\"b2\",\"kind\":\"page\",\"key\":\"/blog/1\"}\n");
}

static void a_long_list_tells_verdicts(void) {
    fill();
    CODE(run("revalidate", STORE, "data"), 0);
    const struct ran *r = run("ls", STORE, "--long", "--kind=fetch", "--json");
    CODE(r, 0);
    cJSON *json = json_only(r);
    TEXT(member(json, "verdict"), "gone");
    CU_ASSERT_EQUAL(cJSON_GetObjectItem(json, "bytes")->valueint, 11);
    cJSON_Delete(json);
    r = run("ls", STORE, "--long", "--build=b2");
    CODE(r, 0);
    HAS(r->out, "fresh           11  20");
}

static void rm_takes_keys_a_prefix_or_everything(void) {
    fill();
    TEXT(run("rm", STORE, "/a", "/nothing", "--build=b1")->out, "2 removed\n");
    CU_ASSERT_EQUAL(listed(NULL, NULL, NULL), 5);
    const struct ran *r = run("rm", STORE, "--prefix=/blog/", "--build=b1", "--dry-run");
    CODE(r, 0);
    CU_ASSERT_EQUAL(count_lines(r), 2);
    CU_ASSERT_EQUAL(listed(NULL, NULL, NULL), 5);
    TEXT(run("rm", STORE, "--prefix=/blog/", "--json")->out, "{\"status\":\"ok\",\"removed\":3}\n");
    CU_ASSERT_EQUAL(listed(NULL, NULL, NULL), 2);
    TEXT(run("rm", STORE, "--everything", "--kind=fetch")->out, "1 removed\n");
    TEXT(run("rm", STORE, "--everything")->out, "1 removed\n");
    CU_ASSERT_EQUAL(listed(NULL, NULL, NULL), 0);

    CODE(run("rm", STORE), 2);
    CODE(run("rm", STORE, "--prefix="), 2);
    CODE(run("rm", STORE, "--prefix=a", "b"), 2);
    CODE(run("rm", STORE, "--dry-run", "b"), 2);
}

static void progress_is_for_terminals(void) {
    static const char clear_line[] = "\r\x1b[K";
    fill();
    run_on_terminal();
    HAS(run("ls", STORE)->err, clear_line);
    run_on_terminal();
    HAS(run("rm", STORE, "--prefix=/blog/")->err, clear_line);
    TEXT(run("rm", STORE, "--everything")->err, "");
}

/* What looks like a hash is stored under one, whatever the driver takes. */
static void what_is_stored_under_a_hash_is_read_and_removed_too(void) {
    static const char key[] = "~0123456789abcdef0123456789abcdef";
    empty_store();
    put("fetch", key, "", "data");
    put("page", key, "b1", "posts");
    cJSON *json = json_only(run("ls", STORE, "--kind=fetch", "--long", "--json"));
    CU_ASSERT_TRUE(cJSON_IsTrue(cJSON_GetObjectItem(json, "hashed")));
    CU_ASSERT(strcmp(member(json, "key"), key) != 0);
    TEXT(member(json, "verdict"), "fresh");
    cJSON_Delete(json);
    CODE(run("revalidate", STORE, "data"), 0);
    TEXT(run("prune", STORE, "--keep-build=b1", "--gone")->out, "1 removed\n");
    CODE(run("get", STORE, "--kind=fetch", key, "--any"), 1);
    CODE(run("get", STORE, "--build=b1", key), 0);
    TEXT(run("rm", STORE, "--everything")->out, "1 removed\n");
    CODE(run("get", STORE, "--build=b1", key), 1);
    CU_ASSERT_EQUAL(listed(NULL, NULL, NULL), 0);
}

/* ---- tags -------------------------------------------------------------------------------------------------- */

static void a_revalidated_entry_is_gone(void) {
    fill();
    CODE(run("get", STORE, "/a", "--build=b1"), 0);
    const struct ran *r = run("revalidate", STORE, "posts", "other");
    CODE(r, 0);
    HAS(r->out, "2 tags revalidated, epoch ");
    r = run("get", STORE, "/a", "--build=b1");
    CODE(r, 1);
    TEXT(r->err, "larder get: gone: revalidated since it was rendered (--any shows it)\n");
    r = run("get", STORE, "/a", "--build=b1", "--json");
    CODE(r, 1);
    TEXT(r->out, "{\"status\":\"miss\",\"verdict\":\"gone\"}\n");
    r = run("get", STORE, "/a", "--build=b1", "--any");
    CODE(r, 1);
    HAS(r->out, "verdict     gone\n");
    CODE(run("get", STORE, "--kind=fetch", "f1"), 0);
    put("page", "/a", "b1", "posts");
    CODE(run("get", STORE, "/a", "--build=b1"), 0);
}

static void a_tag_of_the_request_counts_too(void) {
    fill();
    CODE(run("revalidate", STORE, "--path", "/a/"), 0);
    CODE(run("get", STORE, "/a", "--build=b1"), 0);
    CODE(run("get", STORE, "/a", "--build=b1", "--tag", "_N_T_/a"), 1);
}

static void a_stale_entry_is_still_an_answer(void) {
    fill();
    CODE(run("revalidate", STORE, "posts", "--expire-in=1h"), 0);
    const struct ran *r = run("get", STORE, "/a", "--build=b1", "--json");
    CODE(r, 0);
    cJSON *json = json_only(r);
    TEXT(member(json, "verdict"), "stale");
    cJSON_Delete(json);
    CODE(run("revalidate", STORE, "data", "--stale"), 0);
    HAS(run("get", STORE, "--kind=fetch", "f1")->out, "verdict     stale\n");
}

static void everything_is_revalidated_by_one_mark(void) {
    fill();
    const struct ran *r = run("revalidate", STORE, "--all", "--json");
    CODE(r, 0);
    cJSON *json = json_only(r);
    TEXT(member(cJSON_GetObjectItem(json, "tags"), "x"), "(none)");
    TEXT(cJSON_GetStringValue(cJSON_GetArrayItem(cJSON_GetObjectItem(json, "tags"), 0)), "");
    cJSON_Delete(json);
    CODE(run("get", STORE, "/a", "--build=b1"), 1);
    CODE(run("get", STORE, "--kind=fetch", "f1"), 1);
    HAS(run("tags", STORE)->out, "(everything)\n");
    CODE(run("revalidate", STORE), 2);
    CODE(run("revalidate", STORE, "--all", "x"), 2);
    CODE(run("revalidate", STORE, ""), 2);
}

static void a_path_stands_for_the_tags_of_next_js(void) {
    static const struct {
        const char *path, *tags;
    } rows[] = {
        {"/blog", "\"tags\":[\"_N_T_/blog\"]}"},
        {"/blog/", "\"tags\":[\"_N_T_/blog\"]}"},
        {"/", "\"tags\":[\"_N_T_/\",\"_N_T_/index\"]}"},
        {"/index", "\"tags\":[\"_N_T_/index\",\"_N_T_/\"]}"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct ran *r = run("revalidate", STORE, "--json", "--path", rows[i].path);
        CODE(r, 0);
        HAS(r->out, rows[i].tags);
    }
    CODE(run("revalidate", STORE, "--path", "blog"), 2);
    CODE(run("revalidate", STORE, "--path", "/\xc3\xa4"), 2);
    HAS(run("revalidate", STORE, "x", "x", "--path=/y", "--path=/y")->out, "2 tags revalidated");
}

static void marks_are_listed(void) {
    CODE(run("revalidate", "--cache=fs:marks", "one"), 0);
    CODE(run("revalidate", "--cache=fs:marks", "two", "odd\\x00tag", "--expire-in=1h"), 0);
    const struct ran *r = run("tags", "--cache=fs:marks", "one");
    CODE(r, 0);
    CU_ASSERT_EQUAL(count_lines(r), 1);
    HAS(r->out, "-               -                         one\n");
    r = run("tags", "--cache=fs:marks", "--prefix=t", "--json");
    CODE(r, 0);
    cJSON *json = json_only(r);
    TEXT(member(json, "tag"), "two");
    CU_ASSERT_PTR_NULL(cJSON_GetObjectItem(json, "expiredEpoch"));
    CU_ASSERT(cJSON_IsNumber(cJSON_GetObjectItem(json, "staleEpoch")));
    CU_ASSERT(cJSON_IsNumber(cJSON_GetObjectItem(json, "expireAtMs")));
    cJSON_Delete(json);
    HAS(run("tags", "--cache=fs:marks")->out, "odd\\x00tag\n");
    r = run("tags", "--cache=fs:marks", "three", "four");
    CODE(r, 1);
    HAS(r->err, "no mark");
    CODE(run("tags", "--cache=fs:marks", "one", "--prefix=o"), 2);
    CODE(run("tags", "--cache=fs:marks", "--kind=page"), 2);
}

static void the_index_answers_where_it_is_kept(void) {
    const char *index = "--set=index=true", *cache = "--cache=fs:indexed";
    write_file("put.txt", "x", 1);
    CODE(run("put", cache, index, "/a", "--build=b1", "--text=html=put.txt", "--tag=posts", "--tag=more"), 0);
    CODE(run("put", cache, index, "--kind=fetch", "f", "--text=body=put.txt", "--tag=posts"), 0);
    const struct ran *r = run("tags", cache, index, "--keys=posts");
    CODE(r, 0);
    CU_ASSERT_EQUAL(count_lines(r), 2);
    TEXT(run("tags", cache, index, "--keys=posts", "--kind=page", "--json")->out,
         "{\"build\":\"b1\",\"kind\":\"page\",\"key\":\"/a\"}\n");
    r = run("tags", cache, index, "--of=/a", "--build=b1");
    CODE(r, 0);
    CU_ASSERT_EQUAL(count_lines(r), 2);
    r = run("tags", cache, index, "--keys=nothing");
    CODE(r, 1);
    HAS(r->err, "the index knows of none");
}

/* ---- configuration -------------------------------------------------------------------------------------------- */

static void later_places_win(void) {
    static const char text[] =
        "{\"namespace\": \"file\", \"cache\": {\"driver\": \"fs\", \"url\": \"from-file\"}}";
    write_file("larder.json", text, sizeof text - 1);
    HAS(run("config")->out, "\"url\":\t\"from-file\"");
    setenv("LARDER_NAMESPACE", "env", 1);
    HAS(run("config")->out, "\"namespace\":\t\"env\"");
    const struct ran *r = run("config", "--set=namespace=option", "--cache=fs:from-option");
    HAS(r->out, "\"namespace\":\t\"option\"");
    HAS(r->out, "\"url\":\t\"from-option\"");
    unsetenv("LARDER_NAMESPACE");
    write_file("other.json", "{\"namespace\": \"other\"}", 22);
    HAS(run("config", "--config=other.json")->out, "\"namespace\":\t\"other\"");
    unlink("larder.json");
    cJSON *json = cJSON_Parse(run("config", "--json")->out);
    TEXT(member(cJSON_GetObjectItem(json, "cache"), "url"), ".next/cache/larder");
    cJSON_Delete(json);
}

static void options_of_the_application_are_known(void) {
    static const char options[] =
        "{\"namespace\": \"next\", \"useCache\": true, \"images\": false, \"config\": \"c.json\"}";
    static const char config[] = "{\"namespace\": \"file\", \"build\": \"from-file\"}";
    write_file("c.json", config, sizeof config - 1);
    CU_ASSERT_EQUAL(mkdir(".next", 0777), 0);
    CU_ASSERT_EQUAL(mkdir(".next/cache", 0777), 0);
    write_file(".next/cache/larder-options.json", options, sizeof options - 1);
    const struct ran *r = run("config");
    CODE(r, 0);
    HAS(r->out, "\"namespace\":\t\"next\"");
    HAS(r->out, "\"build\":\t\"from-file\"");
    HAS(run("config", "--set=namespace=option")->out, "\"namespace\":\t\"option\"");
    write_file(".next/cache/larder-options.json", "{\"namespce\": 1}", 15);
    r = run("config");
    CODE(r, 2);
    HAS(r->err, "unknown setting 'namespce' of the store (withLarder()), did you mean 'namespace'?");
    write_file(".next/cache/larder-options.json", "broken", 6);
    CODE(run("config"), 0);
    unlink(".next/cache/larder-options.json");
}

static void a_wrong_configuration_is_named_and_placed(void) {
    const struct ran *r = run("config", "--check");
    CODE(r, 0);
    TEXT(r->out, "ok\n");
    r = run("config", "--check", "--cache=fs:x?max-szie=1GB");
    CODE(r, 2);
    TEXT(r->err, "larder config: unknown setting 'max-szie' of driver fs (the command line), did you mean "
                 "'max-size'?\n");
    r = run("ping", "--set=namespace");
    CODE(r, 2);
    HAS(r->err, "--set takes name=value");
    r = run("ping", "--config=nowhere.json");
    CODE(r, 2);
    HAS(r->err, "nowhere.json cannot be read: No such file or directory");
    setenv("LARDER_CAHCE", "fs:x", 1);
    r = run("config", "--check", "--json");
    CODE(r, 2);
    cJSON *json = json_only(r);
    TEXT(member(json, "error"),
         "unknown setting LARDER_CAHCE in the environment, did you mean LARDER_CACHE?");
    cJSON_Delete(json);
    unsetenv("LARDER_CAHCE");
}

static void settings_are_listed_with_their_bounds(void) {
    const struct ran *r = run("config", "--settings");
    CODE(r, 0);
    HAS(r->out, "duration, 1ms to 10min; default 500ms\n");
    cJSON *json = json_only(run("config", "--settings", "--json"));
    CU_ASSERT(cJSON_GetArraySize(cJSON_GetObjectItem(json, "settings")) > 10);
    cJSON_Delete(json);
}

static void drivers_are_listed_and_described(void) {
    const struct ran *r = run("drivers");
    CODE(r, 0);
    HAS(r->out, "memory ");
    HAS(r->out, "fs ");
    r = run("drivers", "--json");
    for (int i = 0; i < count_lines(r); i++)
        cJSON_Delete(json_line(r, i));
    r = run("drivers", "memory");
    CODE(r, 0);
    HAS(r->out, "keeps entries, tags\n");
    HAS(r->out, "max-size");
    cJSON *json = json_only(run("drivers", "memory", "--json"));
    TEXT(member(json, "name"), "memory");
    CU_ASSERT(cJSON_IsArray(cJSON_GetObjectItem(json, "settings")));
    cJSON_Delete(json);
    r = run("drivers", "memry");
    CODE(r, 1);
    HAS(r->err, "no driver 'memry', did you mean 'memory'?");
}

static void files_that_are_no_drivers_are_told(void) {
    setenv("LARDER_DRIVER_PATH", BAD_DRIVERS_DIR, 1);
    const struct ran *r = run("drivers");
    CODE(r, 0);
    HAS(r->out, "good ");
    HAS(r->err, "refused: " BAD_DRIVERS_DIR "/abi2.so: built for ABI 2, this core speaks 1\n");
    r = run("config", "--cache=entries-only");
    CODE(r, 2);
    HAS(r->err, "driver entries-only keeps no tags: set `tags`, for example to good or later or ");
    TEXT(run("config", "--check", "--cache=entries-only", "--tags=good")->out, "ok\n");
    r = run("drivers", "./nowhere.so");
    CODE(r, 1);
    HAS(r->err, "driver ./nowhere.so cannot be read: No such file or directory");
    unsetenv("LARDER_DRIVER_PATH");
}

/* ---- the store as a whole ------------------------------------------------------------------------------------- */

static void a_store_that_answers_is_told(void) {
    HAS(run("ping", "--cache=memory")->out, "ok, ");
    cJSON *json = json_only(run("ping", STORE, "--json"));
    TEXT(member(json, "status"), "ok");
    cJSON_Delete(json);
    CODE(run("ping", "--cache=memory", "--tags=fs:tags"), 0);
}

static void a_store_that_cannot_be_had_is_a_failure(void) {
    write_file("a-file", "", 0);
    static const char *const commands[][2] = {{"ping", NULL}, {"ls", NULL},        {"get", "k"}, {"rm", "k"},
                                              {"tags", NULL}, {"revalidate", "t"}, {"put", "k"}};
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        const struct ran *r = run(commands[i][0], "--cache=fs:a-file/x", "--json", commands[i][1]);
        CODE(r, 3);
        HAS(r->err, "a-file");
        cJSON *json = json_only(r);
        CU_ASSERT(strcmp(member(json, "error"), "(none)") != 0);
        cJSON_Delete(json);
    }
}

static void provision_and_explain_speak_for_the_drivers(void) {
    const struct ran *r = run("provision", "--cache=fs:made", "--dry-run");
    CODE(r, 0);
    CU_ASSERT(access("made", F_OK) != 0);
    CODE(run("provision", "--cache=fs:made"), 0);
    CU_ASSERT(access("made", F_OK) == 0);
    CODE(run("provision", "--cache=fs:made", "--json"), 0);
    CODE(run("explain", "--cache=memory"), 1);
    cJSON_Delete(json_only(run("explain", "--cache=memory", "--json")));
}

/* ---- what happens on the way ------------------------------------------------------------------------- */

static void a_trace_tells_why_an_entry_is_no_hit(void) {
    write_file("h.html", "<p>hi</p>", 9);
    CODE(run("put", STORE, "/blog/hello", "--text", "html=h.html", "--tag", "posts"), 0);
    const struct ran *r = run("get", STORE, "/blog/hello", "--trace");
    CODE(r, 0);
    HAS(r->err, "trace: get page \"/blog/hello\"\n         0 us  queued\n");
    HAS(r->err, " us  verdict: fresh, no tag has a mark that is later than epoch ");
    HAS(r->err, " us  answered: ok, fresh\n");
    HAS(r->out, "verdict     fresh\n");
    r = run("revalidate", STORE, "posts", "--trace");
    HAS(r->err, "trace: revalidate tag \"posts\"\n");
    HAS(r->err, " us  answered: ok\n");
    r = run("get", STORE, "/blog/hello", "--trace");
    CODE(r, 1);
    HAS(r->err, " us  verdict: gone by tag \"posts\", expired at epoch ");
    TEXT(run("get", STORE, "/blog/hello")->err,
         "larder get: gone: revalidated since it was rendered (--any shows it)\n");
}

/* How many steps the answer has, the last of which must be this. */
static int steps_of(const struct ran *r, const char *last) {
    cJSON *json = json_only(r), *trace = cJSON_GetObjectItem(json, "trace");
    int n = cJSON_GetArraySize(trace);
    if (n > 0) {
        const cJSON *step = cJSON_GetArrayItem(trace, n - 1);
        TEXT(member(step, "step"), last);
        CU_ASSERT_TRUE(cJSON_IsNumber(cJSON_GetObjectItem(step, "us")));
    }
    cJSON_Delete(json);
    return n;
}

static void with_json_a_trace_is_part_of_the_answer(void) {
    write_file("h.html", "<p>hi</p>", 9);
    CODE(run("put", STORE, "/blog/hello", "--text", "html=h.html"), 0);
    const struct ran *r = run("get", STORE, "/blog/hello", "--trace", "--json");
    TEXT(r->err, "");
    CU_ASSERT(steps_of(r, "answered: ok, fresh") > 5);
    CU_ASSERT(steps_of(run("get", STORE, "/no", "--trace", "--json"), "answered: miss") > 5);
    CU_ASSERT(steps_of(run("revalidate", STORE, "a", "--trace", "--json"), "answered: ok") > 3);
    CU_ASSERT_EQUAL(steps_of(run("get", STORE, "/no", "--json"), ""), 0);
}

static void the_log_is_for_who_asks(void) {
    static const char warning[] = "larder: warning: FAULTS ARE ON";
    TEXT(run("ping", STORE, "--set=fault=get:drop")->err, "");
    HAS(run("ping", STORE, "--set=fault=get:drop", "--verbose")->err, warning);
    setenv("LARDER_LOG", "warn", 1);
    HAS(run("ping", STORE, "--set=fault=get:drop")->err, warning);
    setenv("LARDER_LOG", "error", 1);
    TEXT(run("ping", STORE, "--set=fault=get:drop")->err, "");
    unsetenv("LARDER_LOG");
    setenv("LARDER_TRACE", "1", 1);
    HAS(run("ping", STORE)->err, "larder: debug: trace: ping\n         0 us  queued\n");
    unsetenv("LARDER_TRACE");
}

static const struct unit_test tests[] = {
    UNIT(help_teaches_every_command),
    UNIT(what_is_mistyped_is_refused_with_the_nearest),
    UNIT(failures_come_as_json_too),
    UNIT(version_and_abi_are_told),
    UNIT(an_output_that_cannot_be_written_is_a_failure),
    UNIT(bytes_out_are_bytes_in),
    UNIT(an_entry_is_shown_with_all_it_has),
    UNIT(what_is_not_stored_is_a_negative_answer),
    UNIT(if_absent_leaves_what_is_there),
    UNIT(a_word_behind_two_dashes_is_no_option),
    UNIT(odd_keys_are_printed_as_they_are_typed),
    UNIT(a_list_is_narrowed_by_kind_build_and_prefix),
    UNIT(a_long_list_tells_verdicts),
    UNIT(rm_takes_keys_a_prefix_or_everything),
    UNIT(progress_is_for_terminals),
    UNIT(what_is_stored_under_a_hash_is_read_and_removed_too),
    UNIT(a_revalidated_entry_is_gone),
    UNIT(a_tag_of_the_request_counts_too),
    UNIT(a_stale_entry_is_still_an_answer),
    UNIT(everything_is_revalidated_by_one_mark),
    UNIT(a_path_stands_for_the_tags_of_next_js),
    UNIT(marks_are_listed),
    UNIT(the_index_answers_where_it_is_kept),
    UNIT(later_places_win),
    UNIT(options_of_the_application_are_known),
    UNIT(a_wrong_configuration_is_named_and_placed),
    UNIT(settings_are_listed_with_their_bounds),
    UNIT(drivers_are_listed_and_described),
    UNIT(files_that_are_no_drivers_are_told),
    UNIT(a_store_that_answers_is_told),
    UNIT(a_store_that_cannot_be_had_is_a_failure),
    UNIT(provision_and_explain_speak_for_the_drivers),
    UNIT(a_trace_tells_why_an_entry_is_no_hit),
    UNIT(with_json_a_trace_is_part_of_the_answer),
    UNIT(the_log_is_for_who_asks),
};

int main(int argc, char **argv) {
    return check_main(argc, argv, "cli", tests, sizeof tests / sizeof tests[0]);
}
