/* larder seed: what is stored, what is left out and why, and what goes wrong.  That entries are those of the
 * handlers is same_entries.test.js. */
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"

#define OF_B "--build=b"

/* ---- a build output ------------------------------------------------------------------------------------ */

static void lay(const char *path, const char *text) {
    char folder[256];
    for (const char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
        snprintf(folder, sizeof folder, "%.*s", (int)(slash - path), path);
        mkdir(folder, 0777);
    }
    write_file(path, text, strlen(text));
}

static void clear(void) {
    for (;;) { /* deepest first */
        FILE *found = popen("find .next .open-next store other -depth 2>/dev/null", "r");
        char line[512];
        int n = 0;
        while (found && fgets(line, sizeof line, found)) {
            line[strcspn(line, "\n")] = '\0';
            n += remove(line) == 0;
        }
        if (found)
            pclose(found);
        if (n == 0)
            return;
    }
}

static void lay_page(const char *name, const char *tag) {
    char path[256], text[256];
    snprintf(path, sizeof path, ".next/server/app/%s.html", name);
    snprintf(text, sizeof text, "<p>%s</p>", name);
    lay(path, text);
    snprintf(path, sizeof path, ".next/server/app/%s.rsc", name);
    lay(path, "rsc");
    snprintf(path, sizeof path, ".next/server/app/%s.meta", name);
    snprintf(text, sizeof text, "{\"headers\":{\"x-next-cache-tags\":\"%s\"},\"status\":200}", tag);
    lay(path, text);
}

static void lay_rest(const char *routes) {
    char manifest[1024];
    snprintf(manifest, sizeof manifest, "{\"version\":4,\"routes\":{%s},\"dynamicRoutes\":{}}", routes);
    lay(".next/prerender-manifest.json", manifest);
    lay(".next/diagnostics/framework.json", "{\"name\":\"Next.js\",\"version\":\"15.1.0\"}");
    lay(".next/BUILD_ID", "b\n");
}

static const char three[] =
    "\"/a\":{\"initialRevalidateSeconds\":60},\"/b\":{\"initialRevalidateSeconds\":false},"
    "\"/c\":{\"initialRevalidateSeconds\":60}";

/* Of three pages, /a and /b with the tag posts; the store's epoch was noted before. */
static void build(void) {
    clear();
    CODE(run("seed", "--begin", STORE), 0);
    lay_page("a", "posts");
    lay_page("b", "posts");
    lay_page("c", "other");
    lay_rest(three);
}

/* Seeds and compares these numbers; the rest must be 0. */
static void seeds(const char *option, int code, int seeded, int present, const char *other, int n) {
    static const char *const names[] = {"gone", "older", "missing", "failed"};
    const struct ran *r = run("seed", STORE, "--json", option);
    CODE(r, code);
    cJSON *json = json_only(r);
    CU_ASSERT_EQUAL(number(json, "seeded"), seeded);
    CU_ASSERT_EQUAL(number(json, "present"), present);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (number(json, names[i]) != (other && strcmp(other, names[i]) == 0 ? n : 0))
            printf("\n  %s: %s is %g\n", option ? option : "", names[i], number(json, names[i]));
        CU_ASSERT_EQUAL(number(json, names[i]), other && strcmp(other, names[i]) == 0 ? n : 0);
    }
    cJSON_Delete(json);
}

/* ---- what is stored -------------------------------------------------------------------------------------- */

static void what_was_prerendered_is_stored_and_fresh(void) {
    build();
    const struct ran *r = run("seed", STORE);
    CODE(r, 0);
    TEXT(r->out, "3 seeded, 0 were there already\n");
    TEXT(r->err, "");
    r = run("get", STORE, OF_B, "/a", "--part=html");
    TEXT(run("get", STORE, OF_B, "/a", "--meta")->out,
         "{\"kind\":\"APP_PAGE\",\"html\":\"<p>a</"
         "p>\",\"rscData\":\"$0\",\"headers\":{\"x-next-cache-tags\":\"posts\"},"
         "\"status\":200}");
    CODE(run("get", STORE, OF_B, "/a"), 0);
    CODE(run("get", STORE, OF_B, "/b"), 0);
}

static void it_may_be_run_again_and_goes_on_where_it_was_stopped(void) {
    build();
    seeds(NULL, 0, 3, 0, NULL, 0);
    seeds(NULL, 0, 0, 3, NULL, 0);
    CODE(run("rm", STORE, "/b", OF_B), 0);
    seeds(NULL, 0, 1, 2, NULL, 0);
    /* A driver that lists nothing says it of each. */
    CODE(run("rm", STORE, "/b", OF_B), 0);
    seeds("--set=fault=list:error=unsupported", 0, 1, 2, NULL, 0);
}

static void what_is_stored_stays(void) {
    build();
    write_file("new.txt", "new", 3);
    CODE(run("put", STORE, "/a", OF_B, "--text=html=new.txt"), 0);
    seeds(NULL, 0, 2, 1, NULL, 0);
    TEXT(run("get", STORE, OF_B, "/a", "--part=html")->out, "new");
    seeds("--replace", 0, 0, 3, NULL, 0);
    TEXT(run("get", STORE, OF_B, "/a", "--part=html")->out, "new");
}

static void replace_replaces_what_began_to_be_rendered_before(void) {
    build();
    seeds(NULL, 0, 3, 0, NULL, 0);
    CODE(run("seed", "--begin", STORE), 0);
    lay_page("a", "new-tag"); /* built again under the same id */
    lay_page("b", "posts");
    lay_page("c", "other");
    seeds(NULL, 0, 0, 3, NULL, 0);
    seeds("--replace", 0, 3, 0, NULL, 0);
    HAS(run("get", STORE, OF_B, "/a", "--json")->out, "new-tag");
    seeds("--replace", 0, 0, 3, NULL, 0);
}

static void a_store_may_be_named_as_a_word(void) {
    build();
    const struct ran *r = run("seed", STORE, "fs:other");
    CODE(r, 2);
    HAS(r->err, "give one");
    CODE(run("seed", "fs:store"), 0);
    CODE(run("get", STORE, OF_B, "/a"), 0);
}

static void a_dry_run_lists_and_stores_nothing(void) {
    build();
    const struct ran *r = run("seed", STORE, "--dry-run");
    CODE(r, 0);
    TEXT(r->out, "page      b  /a\npage      b  /b\npage      b  /c\n");
    TEXT(r->err, "3 would be seeded, 0 were there already\n");
    TEXT(run("ls", STORE)->out, "");
    seeds(NULL, 0, 3, 0, NULL, 0);
}

static void the_build_is_the_current_one(void) {
    build();
    CODE(run("seed", STORE), 0);
    HAS(run("prune", STORE, "--json")->out, "\"current\":\"b\"");
}

static void a_bar_is_for_terminals(void) {
    build();
    run_on_terminal();
    const struct ran *r = run("seed", STORE);
    CODE(r, 0);
    HAS(r->err, "\r\x1b[K");
}

/* ---- epochs -------------------------------------------------------------------------------------------------- */

static void what_was_revalidated_since_the_build_began_is_left_out(void) {
    build();
    CODE(run("revalidate", STORE, "posts"), 0);
    seeds(NULL, 0, 1, 0, "gone", 2);
    CODE(run("get", STORE, OF_B, "/a", "--any"), 1);
    CODE(run("revalidate", STORE, "--all"), 0);
    CODE(run("rm", STORE, "--everything"), 0);
    seeds(NULL, 0, 0, 0, "gone", 3);
}

static void what_is_revalidated_after_the_seed_is_gone(void) {
    build();
    CODE(run("seed", STORE), 0);
    CODE(run("revalidate", STORE, "posts"), 0);
    CODE(run("get", STORE, OF_B, "/a"), 1);
    CODE(run("get", STORE, OF_B, "/c"), 0);
}

static void a_build_without_a_note_of_this_store_is_not_seeded(void) {
    build();
    const struct ran *r = run("seed", "fs:other");
    CODE(r, 1);
    HAS(r->err, "the epoch of another store");
    HAS(r->err, "larder seed --begin");
    TEXT(run("ls", "--cache=fs:other")->out, "");
    unlink(".next/cache/larder-build.json");
    r = run("seed", STORE, "--json");
    CODE(r, 1);
    HAS(r->err, "noted no epoch");
    HAS(r->out, "\"status\":\"miss\"");
    lay(".next/cache/larder-build.json", "{\"build\":1,\"epoch\":0,\"tag\":\"larder:build:1\",\"at\":5}\n");
    r = run("seed", STORE);
    CODE(r, 1);
    HAS(r->err, "the store did not answer when the build began");
    TEXT(run("seed", STORE, "--trust")->out, "3 seeded, 0 were there already\n");
    CODE(run("get", STORE, OF_B, "/a"), 0);
    CODE(run("seed", "fs:other", "--trust"), 0);
    CODE(run("get", "--cache=fs:other", OF_B, "/a"), 0);
}

static void of_several_notes_of_one_build_the_smallest_counts(void) {
    char note[1024], good[512];
    clear();
    CODE(run("seed", "--begin", STORE), 0);
    FILE *file = fopen(".next/cache/larder-build.json", "r");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    CU_ASSERT_PTR_NOT_NULL(fgets(good, sizeof good, file));
    fclose(file);
    lay_page("a", "posts");
    lay_rest("\"/a\":{\"initialRevalidateSeconds\":60}");
    long pid = strtol(strstr(good, "\"build\":") + 8, NULL, 10);
    snprintf(note, sizeof note,
             "{\"build\":1,\"epoch\":1,\"tag\":\"x\",\"at\":1}\n%s{\"build\":%ld,\"epoch\":9000000000000,"
             "\"tag\":\"y\",\"at\":9000000000000}\n",
             good, pid);
    lay(".next/cache/larder-build.json", note);
    seeds(NULL, 0, 1, 0, NULL, 0);
}

static void what_is_older_than_the_note_was_rendered_by_another_build(void) {
    static const struct timespec old[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};
    build();
    CU_ASSERT_EQUAL(utimensat(AT_FDCWD, ".next/server/app/a.html", old, 0), 0);
    seeds(NULL, 0, 2, 0, "older", 1);
    HAS(run("seed", STORE)->out, "were the files' times lost");
}

#define KEY_1 "1111111111111111111111111111111111111111111111111111111111111111"
#define KEY_2 "2222222222222222222222222222222222222222222222222222222222222222"

/* Next.js keeps what it fetched from build to build, and a page may be made of it: of data that was
 * revalidated before the build began, which no epoch of the build tells. */
static void pages_that_may_be_made_of_older_data_are_left_out(void) {
    static const struct timespec old[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};
    build();
    lay(".next/cache/fetch-cache/" KEY_1,
        "{\"kind\":\"FETCH\",\"data\":{\"body\":\"\"},\"tags\":[\"posts\"]}");
    lay(".next/cache/fetch-cache/" KEY_2, "{\"kind\":\"FETCH\",\"data\":{\"body\":\"\"},\"tags\":[]}");
    seeds(NULL, 0, 5, 0, NULL, 0);
    CODE(run("get", STORE, "--kind=fetch", KEY_1), 0);
    CODE(run("rm", STORE, "--everything"), 0);
    CU_ASSERT_EQUAL(utimensat(AT_FDCWD, ".next/cache/fetch-cache/" KEY_2, old, 0), 0);
    seeds(NULL, 0, 1, 0, "older", 4);
    CODE(run("get", STORE, OF_B, "/c"), 0);
    /* Where the build had a cache handler, nobody asked for what lies there. */
    lay(".next/required-server-files.json", "{\"config\":{\"cacheHandler\":\"../larder/lib/next.js\"}}");
    seeds(NULL, 0, 2, 1, NULL, 0);
}

/* ---- what is wrong ---------------------------------------------------------------------------------------------- */

static void a_folder_without_a_build_is_said(void) {
    clear();
    const struct ran *r = run("seed", STORE);
    CODE(r, 2);
    HAS(r->err, ".next holds no build: --build names the folder that `next build` writes");
    build();
    unlink(".next/prerender-manifest.json");
    r = run("seed", STORE);
    CODE(r, 2);
    HAS(r->err, ".next/prerender-manifest.json cannot be read: No such file");
    lay(".next/prerender-manifest.json", "{\"routes\":{\"/a\":{}");
    r = run("seed", STORE);
    CODE(r, 2);
    HAS(r->err, "is no JSON at byte 18");
}

static void what_is_listed_and_not_there_is_counted(void) {
    build();
    unlink(".next/server/app/b.rsc");
    unlink(".next/server/app/c.html");
    const struct ran *r = run("seed", STORE);
    CODE(r, 0);
    HAS(r->out, "1 seeded, 0 were there already\n");
    HAS(r->out, "2 are listed by the build and have no files");
}

static void files_that_cannot_be_read_are_named_and_the_rest_is_stored(void) {
    build();
    lay(".next/server/app/a.meta", "{\"headers\":");
    const struct ran *r = run("seed", STORE);
    CODE(r, 1);
    TEXT(r->out, "2 seeded, 0 were there already\n");
    HAS(r->err, "larder seed: .next/server/app/a.meta: it is no JSON at byte 11; was the build interrupted?");
    seeds(NULL, 1, 0, 2, "failed", 1);
}

static void names_that_lead_out_of_the_folder_are_refused(void) {
    static const char *const names[] = {"/../../../secret", "/a/../../../../secret", "/..", "secret",
                                        "/\\u0000"};
    lay("secret.html", "secret");
    lay("secret.rsc", "secret");
    lay("secret.meta", "{}");
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char routes[128];
        build();
        snprintf(routes, sizeof routes, "\"%s\":{}", names[i]);
        lay_rest(routes);
        seeds(NULL, 1, 0, 0, "failed", 1);
    }
}

static void one_that_the_store_refuses_is_named_and_the_rest_is_stored(void) {
    static char large[8192];
    build();
    memset(large, 'x', sizeof large - 1);
    lay(".next/server/app/b.html", large);
    const struct ran *r = run("seed", STORE, "--set=max-value=4KB");
    CODE(r, 1);
    TEXT(r->out, "2 seeded, 0 were there already\n");
    HAS(r->err, ".next/server/app/b: too-big");
    HAS(r->err, "raise what limits values");
}

static void a_store_that_fails_stops_it_and_it_goes_on_later(void) {
    build();
    const struct ran *r = run("seed", STORE, "--set=fault=put:error=denied", "--inflight=1");
    CODE(r, 3);
    HAS(r->err, "denied");
    build();
    CODE(run("seed", STORE, "--set=fault=put:error=denied@50%;seed=3", "--inflight=1", "--json"), 3);
    r = run("seed", STORE);
    CODE(r, 0);
    CODE(run("get", STORE, OF_B, "/a"), 0);
    CODE(run("get", STORE, OF_B, "/c"), 0);
    r = run("seed", STORE, "--set=fault=tags-read:error=denied");
    CODE(r, 3);
}

static void an_open_next_folder_without_a_build_is_said(void) {
    clear();
    lay(".open-next/cache/one/a.cache", "{}");
    lay(".open-next/cache/two/a.cache", "{}");
    CODE(run("seed", STORE, "--build=.open-next"), 2);
    clear();
    CODE(run("seed", "--begin", STORE), 0);
    lay(".open-next/cache/one/a.cache", "{\"type\":\"app\"}");
    lay(".open-next/cache/one/b.cache",
        "{\"type\":\"route\",\"meta\":{\"headers\":{\"content-type\":\"image/png\"}},"
        "\"body\":\"?\"}");
    lay(".open-next/cache/one/c.cache", "{\"type\":\"odd\",\"html\":\"\"}");
    const struct ran *r = run("seed", STORE, "--build=.open-next", "--json");
    CODE(r, 1);
    HAS(r->out, "a.cache: it has no html");
    HAS(r->out, "b.cache: its body is no base64");
    HAS(r->out, "c.cache: it is neither app, page nor route");
}

int main(int argc, char **argv) {
    static const struct unit_test tests[] = {UNIT(what_was_prerendered_is_stored_and_fresh),
                                             UNIT(it_may_be_run_again_and_goes_on_where_it_was_stopped),
                                             UNIT(what_is_stored_stays),
                                             UNIT(replace_replaces_what_began_to_be_rendered_before),
                                             UNIT(a_store_may_be_named_as_a_word),
                                             UNIT(a_dry_run_lists_and_stores_nothing),
                                             UNIT(the_build_is_the_current_one),
                                             UNIT(a_bar_is_for_terminals),
                                             UNIT(what_was_revalidated_since_the_build_began_is_left_out),
                                             UNIT(what_is_revalidated_after_the_seed_is_gone),
                                             UNIT(a_build_without_a_note_of_this_store_is_not_seeded),
                                             UNIT(of_several_notes_of_one_build_the_smallest_counts),
                                             UNIT(what_is_older_than_the_note_was_rendered_by_another_build),
                                             UNIT(pages_that_may_be_made_of_older_data_are_left_out),
                                             UNIT(a_folder_without_a_build_is_said),
                                             UNIT(what_is_listed_and_not_there_is_counted),
                                             UNIT(files_that_cannot_be_read_are_named_and_the_rest_is_stored),
                                             UNIT(names_that_lead_out_of_the_folder_are_refused),
                                             UNIT(one_that_the_store_refuses_is_named_and_the_rest_is_stored),
                                             UNIT(a_store_that_fails_stops_it_and_it_goes_on_later),
                                             UNIT(an_open_next_folder_without_a_build_is_said)};
    return check_main(argc, argv, "cli.seed", tests, sizeof tests / sizeof tests[0]);
}
