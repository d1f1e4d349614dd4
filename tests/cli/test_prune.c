/* larder prune: which builds stay, and what is chosen by age, kind and tag. */
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"

static void put(const char *kind, const char *key, const char *build, const char *tag) {
    write_file("put.txt", "stored text", 11);
    CODE(run("put", STORE, "--kind", kind, "--build", build, "--text", "body=put.txt", "--tag", tag, "--",
             key),
         0);
}

/* The build becomes the current one, as `larder seed` makes it. */
static void deploy(const char *build) {
    mkdir("out", 0777);
    write_file("out/BUILD_ID", build, strlen(build));
    write_file("out/prerender-manifest.json", "{\"routes\":{}}", 13);
    CODE(run("seed", STORE, "--build=out", "--trust"), 0);
}

/* Nothing in it, and no build in its record but one. */
static void empty_store(void) {
    CODE(run("rm", STORE, "--everything"), 0);
    deploy("empty");
    CODE(run("prune", STORE, "--keep=0"), 0);
}

static void fill(void) {
    empty_store();
    put("page", "/a", "b1", "posts");
    put("page", "/a", "b2", "posts");
    put("page", "/b", "b3", "posts");
    put("fetch", "f1", "", "data");
    put("image", "i1", "", "data");
}

static int listed(const char *option) {
    const struct ran *r = run("ls", STORE, option);
    CODE(r, 0);
    return count_lines(r);
}

static void a_store_without_a_record_is_told_which_builds_stay(void) {
    fill();
    const struct ran *r = run("prune", STORE, "--set=namespace=new");
    CODE(r, 2);
    HAS(r->err, "no record of builds, and there is no .next/BUILD_ID: say with --keep-build which stay");
    r = run("prune", STORE, "--keep=b1");
    CODE(r, 2);
    HAS(r->err, "which ones stay is said with --keep-build");
    CODE(run("prune", STORE, "--keep=65"), 2);
    r = run("prune", STORE, "--keep=0", "--keep-build=b1", "--keep-build=b2", "--dry-run");
    CODE(r, 0);
    TEXT(r->out, "page      b3  /b\n");
    TEXT(r->err, "1 would be removed\n");
    CU_ASSERT_EQUAL(listed(NULL), 5);
    TEXT(run("prune", STORE, "--keep=0", "--keep-build=b1", "--keep-build=b2")->out, "1 removed\n");
    CU_ASSERT_EQUAL(listed(NULL), 4);
    CU_ASSERT_EQUAL(mkdir(".next", 0777), 0);
    write_file(".next/BUILD_ID", "b1\n", 3);
    TEXT(run("prune", STORE, "--json")->out,
         "{\"status\":\"ok\",\"removed\":1,\"current\":\"empty\",\"kept\":[\"empty\",\"b1\"]}\n");
    CU_ASSERT_EQUAL(listed("--build=b1"), 1);
    CU_ASSERT_EQUAL(listed("--build=shared"), 2);
    unlink(".next/BUILD_ID");
    rmdir(".next");
}

static void the_current_build_and_those_before_it_stay(void) {
    fill();
    deploy("b1");
    deploy("b2");
    deploy("b3");
    TEXT(run("prune", STORE, "--keep=2", "--dry-run")->out, "");
    TEXT(run("prune", STORE, "--json")->out,
         "{\"status\":\"ok\",\"removed\":1,\"current\":\"b3\",\"kept\":[\"b3\",\"b2\"]}\n");
    CU_ASSERT_EQUAL(listed("--build=b1"), 0);
    TEXT(run("prune", STORE, "--keep=0", "--json")->out,
         "{\"status\":\"ok\",\"removed\":1,\"current\":\"b3\",\"kept\":[\"b3\"]}\n");
    CU_ASSERT_EQUAL(listed(NULL), 3);
}

static void what_was_pruned_is_not_in_the_record_any_more(void) {
    fill();
    deploy("b1");
    deploy("b2");
    CODE(run("prune", STORE, "--keep=0"), 0);
    put("page", "/a", "b1", "posts");
    TEXT(run("prune", STORE, "--keep=5")->out, "1 removed\n");
}

static void a_roll_back_makes_the_build_current_again(void) {
    fill();
    deploy("b1");
    deploy("b2");
    deploy("b3");
    deploy("b1");
    HAS(run("prune", STORE, "--json")->out, "\"kept\":[\"b1\",\"b3\"]");
}

static void kinds_tags_and_ages_are_of_every_build(void) {
    fill();
    deploy("b1");
    TEXT(run("prune", STORE, "--kind=image")->out, "1 removed\n");
    CU_ASSERT_EQUAL(listed("--kind=image"), 0);
    TEXT(run("prune", STORE, "--tag=nothing")->out, "0 removed\n");
    TEXT(run("prune", STORE, "--tag=nothing", "--tag=data")->out, "1 removed\n");
    CU_ASSERT_EQUAL(listed(NULL), 3);
    TEXT(run("prune", STORE, "--older-than=1h")->out, "0 removed\n");
    TEXT(run("prune", STORE, "--older-than=1h", "--tag=posts")->out, "0 removed\n");
    TEXT(run("prune", STORE, "--tag=posts", "--kind=fetch")->out, "0 removed\n");
    /* With builds that stay, only of the others. */
    TEXT(run("prune", STORE, "--tag=posts", "--keep=0", "--keep-build=b2")->out, "1 removed\n");
    CU_ASSERT_EQUAL(listed("--build=b3"), 0);
    TEXT(run("prune", STORE, "--tag=posts")->out, "2 removed\n");
    CU_ASSERT_EQUAL(listed(NULL), 0);
}

/* A file of long ago, as a build's output of which no time was kept. */
static void what_was_rendered_longer_ago_is_chosen_by_its_time(void) {
    empty_store();
    deploy("b1");
    mkdir("out/server", 0777);
    mkdir("out/server/app", 0777);
    write_file("out/server/app/a.html", "a", 1);
    write_file("out/server/app/a.rsc", "r", 1);
    write_file("out/server/app/a.meta", "{}", 2);
    write_file("out/prerender-manifest.json", "{\"routes\":{\"/a\":{\"initialRevalidateSeconds\":false}}}",
               52);
    static const struct timespec old[2] = {{.tv_sec = 1000000000}, {.tv_sec = 1000000000}};
    CU_ASSERT_EQUAL(utimensat(-100 /* AT_FDCWD */, "out/server/app/a.html", old, 0), 0);
    CODE(run("seed", STORE, "--build=out", "--trust"), 0);
    put("page", "/new", "b1", "posts");
    CU_ASSERT_EQUAL(listed(NULL), 2);
    TEXT(run("prune", STORE, "--older-than=365d")->out, "1 removed\n");
    HAS(run("ls", STORE)->out, "/new");
}

static void gone_is_what_was_revalidated_since(void) {
    fill();
    deploy("b1");
    CODE(run("revalidate", STORE, "data"), 0);
    put("fetch", "f2", "", "data");
    TEXT(run("prune", STORE, "--gone")->out, "4 removed\n"); /* f1, i1; b2 and b3 */
    TEXT(run("ls", STORE, "--build=shared")->out, "fetch     shared  f2\n");
    CU_ASSERT_EQUAL(listed("--build=b1"), 1);
    CODE(run("prune", STORE, "--gone", "--kind=page"), 2);
}

static void namespaces_know_nothing_of_each_other(void) {
    fill();
    deploy("b1");
    CODE(run("put", STORE, "--set=namespace=other", "--build=b9", "/x", "--text=body=put.txt"), 0);
    TEXT(run("prune", STORE, "--keep=0")->out, "2 removed\n");
    CODE(run("get", STORE, "--set=namespace=other", "--build=b9", "/x"), 0);
}

static void a_store_that_fails_says_how_far_it_came(void) {
    fill();
    deploy("b3");
    const struct ran *r = run("prune", STORE, "--set=fault=remove:error=denied", "--inflight=1");
    CODE(r, 3);
    HAS(r->err, "after 0 were removed: denied");
    CODE(run("prune", STORE, "--set=fault=list:error=denied"), 3);
    TEXT(run("prune", STORE)->out, "2 removed\n");
}

static void the_doctor_tells_which_build_is_current(void) {
    fill();
    HAS(run("doctor", STORE, "--set=namespace=new")->out, "none is recorded");
    deploy("b1");
    deploy("b2");
    HAS(run("doctor", STORE)->out, "3 recorded; the current one is b2, noted first 20");
}

static void progress_is_for_terminals(void) {
    fill();
    deploy("b3");
    run_on_terminal();
    HAS(run("prune", STORE)->err, "\r\x1b[K");
}

int main(int argc, char **argv) {
    static const struct unit_test tests[] = {UNIT(a_store_without_a_record_is_told_which_builds_stay),
                                             UNIT(the_current_build_and_those_before_it_stay),
                                             UNIT(what_was_pruned_is_not_in_the_record_any_more),
                                             UNIT(a_roll_back_makes_the_build_current_again),
                                             UNIT(kinds_tags_and_ages_are_of_every_build),
                                             UNIT(what_was_rendered_longer_ago_is_chosen_by_its_time),
                                             UNIT(gone_is_what_was_revalidated_since),
                                             UNIT(namespaces_know_nothing_of_each_other),
                                             UNIT(a_store_that_fails_says_how_far_it_came),
                                             UNIT(the_doctor_tells_which_build_is_current),
                                             UNIT(progress_is_for_terminals)};
    return check_main(argc, argv, "cli.prune", tests, sizeof tests / sizeof tests[0]);
}
