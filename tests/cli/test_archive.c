/* larder export and import: what comes back, what counts as fresh, and what damage costs. */
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "check.h"

#define A "--cache=fs:a"
#define B "--cache=fs:b"
#define TAGS_OF_A "--tags=fs:a"
#define HASHED "~0123456789abcdef0123456789abcdef" /* looks like a hash, and so is stored under one */

static const char *const kinds[] = {"page", "page", "fetch", "image", "use-cache", "fetch", "fetch"};
static const char *const builds[] = {"b1", "b 2/", "", "", "", "", ""};
static const char *const keys[] = {"/blog/1", "/blog/1", "data", "img", "uc", HASHED, "od\\x00d\\xff"};
enum { N_ENTRIES = sizeof keys / sizeof keys[0] };

/* In several parts, and of several sorts: a lone surrogate, bytes that are no text, nothing. */
static void fill(const char *store) {
    static const char text[] = "caf\xc3\xa9 \xed\xa0\x80 \xf0\x9f\x98\x80";
    char bytes[3000];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)(i * 7 ^ i >> 8);
    write_file("text.txt", text, sizeof text - 1);
    write_file("bytes.bin", bytes, sizeof bytes);
    write_file("empty.bin", "", 0);
    CODE(run("rm", store, "--everything"), 0);
    for (size_t i = 0; i < N_ENTRIES; i++) {
        CODE(run("rm", store, "--kind", kinds[i], "--build", builds[i], "--", keys[i]), 0);
        CODE(run("put", store, "--kind", kinds[i], "--build", builds[i], "--text=html=text.txt",
                 "--part=body=bytes.bin", "--part=again=bytes.bin", "--part=none=empty.bin", "--meta=null",
                 "--tag=posts", "--tag=t\\x00", "--revalidate=60s", "--expire=1d", "--", keys[i]),
             0);
    }
}

static const struct ran *get(const char *store, const char *tags, size_t i, const char *more) {
    return run("get", store, tags, "--any", "--kind", kinds[i], "--build", builds[i], more, "--", keys[i]);
}

/* All that an entry has, but for what the store knows of the epoch. */
static char *shown(const char *store, const char *tags, size_t i) {
    cJSON *json = json_only(get(store, tags, i, "--json"));
    cJSON_DeleteItemFromObject(json, "knownEpoch");
    char *text = cJSON_PrintUnformatted(json);
    cJSON_Delete(json);
    return text;
}

static void same_part(const char *part, size_t i) {
    const struct ran *r = get(A, TAGS_OF_A, i, part);
    char *bytes = malloc(r->out_len + 1);
    size_t len = r->out_len;
    CU_ASSERT_FATAL(bytes != NULL);
    memcpy(bytes, r->out, len + 1);
    r = get(B, TAGS_OF_A, i, part);
    CODE(r, 0);
    CU_ASSERT_EQUAL_FATAL(r->out_len, len);
    CU_ASSERT_EQUAL(memcmp(r->out, bytes, len), 0);
    free(bytes);
}

static void what_is_imported_is_what_was_exported(void) {
    fill(A);
    const struct ran *r = run("export", A, "all.larder", "--json");
    CODE(r, 0);
    cJSON *json = json_only(r);
    CU_ASSERT(number(json, "exported") == N_ENTRIES && number(json, "corrupt") == 0);
    cJSON_Delete(json);
    CU_ASSERT(access("all.larder.part", F_OK) != 0);
    r = run("import", B, TAGS_OF_A, "all.larder", "--json");
    CODE(r, 0);
    json = json_only(r);
    CU_ASSERT(number(json, "imported") == N_ENTRIES && number(json, "unproven") == 0);
    cJSON_Delete(json);
    for (size_t i = 0; i < N_ENTRIES; i++) {
        char *a = shown(A, TAGS_OF_A, i), *b = shown(B, TAGS_OF_A, i);
        TEXT(b, a);
        HAS(b, "\"verdict\":\"fresh\"");
        free(a);
        free(b);
        same_part("--part=html", i);
        same_part("--part=body", i);
        same_part("--part=again", i);
        same_part("--part=none", i);
        same_part("--meta", i);
    }
}

/* The same revalidation counts for both, whenever it comes. */
static void on_the_same_tags_a_revalidation_still_counts(void) {
    fill(A);
    CODE(run("export", A, "all.larder"), 0);
    CODE(run("revalidate", A, "posts"), 0);
    CODE(run("rm", B, TAGS_OF_A, "--everything"), 0);
    CODE(run("import", B, TAGS_OF_A, "all.larder", "--replace"), 0);
    for (size_t i = 0; i < N_ENTRIES; i++) {
        char *b = shown(B, TAGS_OF_A, i);
        HAS(b, "\"verdict\":\"gone\"");
        free(b);
    }
    CODE(run("export", B, TAGS_OF_A, "rest.larder"), 0); /* what is gone is left out */
    HAS(run("import", "--check", "rest.larder")->out, "0 entries, all whole\n");
    CODE(run("export", B, TAGS_OF_A, "rest.larder", "--gone"), 0);
    HAS(run("import", "--check", "rest.larder")->out, "7 entries, all whole\n");
}

/* Though the other store's clock and counter may say that it is newer. */
static void on_other_tags_nothing_counts_as_fresh(void) {
    fill(A);
    CODE(run("export", A, "all.larder"), 0);
    const struct ran *r = run("import", "--cache=fs:c", "all.larder");
    CODE(r, 0);
    HAS(r->out, "7 imported, 0 were there already\n");
    HAS(r->out,
        "7 count as gone until they are rendered anew: these tags are not those they were exported from\n");
    for (size_t i = 0; i < N_ENTRIES; i++) {
        char *c = shown("--cache=fs:c", "--tags=fs:c", i);
        HAS(c, "\"verdict\":\"gone\"");
        HAS(c, "\"epoch\":0,");
        free(c);
    }
    /* Nor in another namespace, nor without a proof. */
    HAS(run("import", A, "--set=namespace=other", "all.larder")->out, "7 count as gone");
    CODE(run("export", A, "no-proof.larder", "--no-proof"), 0);
    HAS(run("import", A, "no-proof.larder", "--replace")->out, "7 count as gone");
}

/* A mark of the same tag that another store has made is no proof. */
static void a_mark_of_another_epoch_proves_nothing(void) {
    fill(A);
    CODE(run("export", A, "all.larder"), 0);
    cJSON *json = json_line(run("tags", A, "--prefix=larder-archive-", "--json"), 0);
    char *proof = strdup(member(json, "tag"));
    cJSON_Delete(json);
    CODE(run("revalidate", "--cache=fs:e", proof), 0);
    HAS(run("import", "--cache=fs:e", "all.larder")->out, "7 count as gone");
    free(proof);
}

/* What a put with a later epoch than the proof's would claim, nobody can tell. */
static void what_was_rendered_during_the_export_counts_as_unknown(void) {
    fill(A);
    write_file("late.txt", "late", 4);
    CODE(run("put", A, "--kind=fetch", "late", "--text=body=late.txt", "--epoch=9000000000000000"), 0);
    CODE(run("export", A, "all.larder"), 0);
    CODE(run("rm", A, "--kind=fetch", "late"), 0);
    const struct ran *r = run("import", A, "all.larder");
    CODE(r, 0);
    HAS(r->out,
        "1 imported, 7 were there already\n1 count as gone until they are rendered anew: they were rendered");
    CODE(run("get", A, "--kind=fetch", "late"), 1);
    CODE(run("rm", A, "--kind=fetch", "late"), 0);
}

static void what_is_stored_stays_unless_it_is_to_be_replaced(void) {
    fill(A);
    CODE(run("export", A, "all.larder"), 0);
    write_file("new.txt", "new", 3);
    CODE(run("put", A, "--kind=fetch", "data", "--text=html=new.txt"), 0);
    HAS(run("import", A, "all.larder")->out, "0 imported, 7 were there already\n");
    HAS(run("import", A, "all.larder", "--if-absent")->out, "0 imported, 7 were there already\n");
    TEXT(run("get", A, "--kind=fetch", "data", "--part=html")->out, "new");
    HAS(run("import", A, "all.larder", "--replace")->out, "7 imported, 0 were there already\n");
    CODE(run("import", A, "all.larder", "--replace", "--if-absent"), 2);
}

static double count_of(const struct ran *r, const char *name) {
    CODE(r, 0);
    cJSON *json = json_only(r);
    double n = number(json, name);
    cJSON_Delete(json);
    return n;
}

static void a_part_is_chosen_by_kind_build_and_prefix(void) {
    static const struct {
        const char *a, *b;
        int n;
    } rows[] = {
        {"--kind=page", NULL, 2},           {"--kind=page", "--build=b1", 1},
        {"--build=shared", NULL, 5},        {"--kind=fetch", NULL, 3},
        {"--prefix=/blog/", NULL, 2},       {"--prefix=~0123", NULL, 1},
        {"--prefix=od\\x00", NULL, 1},      {"--prefix=x", NULL, 0},
        {"--build=b 2/", NULL, 1},          {"--kind=image", "--prefix=i", 1},
        {"--kind=image", "--prefix=ig", 0}, {"--gone", "--no-proof", 7},
    };
    fill(A);
    CODE(run("export", A, "all.larder"), 0);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        CU_ASSERT(count_of(run("export", A, "some.larder", "--json", rows[i].a, rows[i].b), "exported") ==
                  rows[i].n);
        if (strncmp(rows[i].a, "--gone", 6) == 0)
            continue;
        CODE(run("rm", "--cache=memory", "--everything"), 0);
        CU_ASSERT(count_of(run("import", "--cache=memory", "all.larder", "--json", rows[i].a, rows[i].b),
                           "imported") == rows[i].n);
    }
}

static void an_archive_goes_through_a_pipe(void) {
    fill(A);
    run_output("piped.larder");
    const struct ran *r = run("export", A, "-");
    CODE(r, 0);
    HAS(r->err, "7 exported, ");
    run_input("piped.larder");
    HAS(run("import", "--cache=memory", "-")->out, "7 imported, 0 were there already\n");
    CODE(run("export", A, "-", "--json"), 2);
    run_on_terminal();
    HAS(run("import", "--cache=memory", "piped.larder")->err, "\r\x1b[K");
}

/* ---- damage ----------------------------------------------------------------------------------------------- */

static char *read_archive(const char *path, size_t *ret_len) {
    enum { MOST = 1 << 20 };
    char *bytes = malloc(MOST);
    FILE *file = fopen(path, "rb");
    CU_ASSERT_FATAL(bytes != NULL && file != NULL);
    *ret_len = fread(bytes, 1, MOST, file);
    fclose(file);
    return bytes;
}

static void check_damaged(size_t at) {
    const struct ran *r = run("import", "--check", "damaged.larder", "--json");
    CODE(r, 1);
    cJSON *json = json_only(r);
    TEXT(member(json, "status"), "corrupt");
    CU_ASSERT(number(json, "damagedAt") <= (double)at);
    CU_ASSERT(number(json, "entries") <= N_ENTRIES);
    cJSON_Delete(json);
}

static void every_damage_is_noticed(void) {
    size_t len;
    fill(A);
    CODE(run("export", A, "all.larder"), 0);
    char *bytes = read_archive("all.larder", &len);
    for (size_t at = 0; at < len; at += at < 48 || len - at < 48 ? 7 : 3001) {
        bytes[at] ^= 0x20;
        write_file("damaged.larder", bytes, len);
        check_damaged(at);
        bytes[at] ^= 0x20;
        write_file("damaged.larder", bytes, at);
        check_damaged(at);
    }
    write_file("damaged.larder", bytes, len);
    FILE *file = fopen("damaged.larder", "ab");
    CU_ASSERT_FATAL(file != NULL);
    fputs("more", file);
    fclose(file);
    check_damaged(len);
    HAS(run("import", "--check", "damaged.larder")->err, "something follows its end\n");
    free(bytes);
}

/* From the head on, each record says how long it is (docs/frame.md). */
static size_t record_at(const char *bytes, unsigned n) {
    size_t at = 8;
    for (uint64_t len; n > 0; n--, at += len)
        memcpy(&len, bytes + at + 8, sizeof len);
    return at;
}

static void a_missing_record_is_noticed_at_the_end(void) {
    size_t len;
    fill(A);
    CODE(run("export", A, "all.larder"), 0);
    char *bytes = read_archive("all.larder", &len);
    const size_t second = record_at(bytes, 2), third = record_at(bytes, 3);
    memmove(bytes + second, bytes + third, len - third);
    write_file("damaged.larder", bytes, len - (third - second));
    free(bytes);
    const struct ran *r = run("import", "--check", "damaged.larder");
    CODE(r, 1);
    HAS(r->err, ", behind entry 6: entries are missing before its end\n");
}

static void what_stands_before_the_damage_is_imported(void) {
    size_t len;
    fill(A);
    CODE(run("export", A, "all.larder"), 0);
    char *bytes = read_archive("all.larder", &len);
    bytes[len / 2] ^= 1;
    write_file("damaged.larder", bytes, len);
    free(bytes);
    const struct ran *r = run("import", "--cache=fs:d", "damaged.larder");
    CODE(r, 1);
    HAS(r->out, "3 imported, 0 were there already\n");
    HAS(r->err, "larder import: damaged.larder is damaged at byte ");
    HAS(r->err, ", behind entry 3: a checksum is wrong\n");
    CU_ASSERT_EQUAL(count_lines(run("ls", "--cache=fs:d")), 3);
}

static void what_is_no_archive_is_told(void) {
    write_file("text.larder", "some text, long enough", 22);
    const struct ran *r = run("import", A, "text.larder");
    CODE(r, 1);
    HAS(r->err, "text.larder is damaged at byte 0, behind entry 0: it is no archive of larder export\n");
    write_file("new.larder", "\xc1LDA\2\0\0\0", 8);
    HAS(run("import", A, "new.larder")->err, "it is of a version that this program does not know\n");
    r = run("import", A, "nowhere.larder");
    CODE(r, 2);
    HAS(r->err, "nowhere.larder cannot be read: No such file or directory");
}

/* ---- what fails ------------------------------------------------------------------------------------------- */

static void an_archive_that_failed_is_not_there(void) {
    fill(A);
    CODE(run("export", A, "kept.larder"), 0);
    CODE(run("export", A, "kept.larder", "--set=fault=list:error=denied"), 3);
    HAS(run("import", "--check", "kept.larder")->out, "7 entries, all whole\n"); /* the one before */
    CU_ASSERT(access("kept.larder.part", F_OK) != 0);
    const struct ran *r = run("export", A, "no/such/folder");
    CODE(r, 3);
    HAS(r->err, "no/such/folder.part cannot be written: No such file or directory");
    run_output("/dev/full");
    CODE(run("export", A, "-"), 3);
}

static void without_the_right_to_write_marks_there_is_no_proof(void) {
    fill(A);
    const struct ran *r = run("export", A, "all.larder", "--set=fault=bump,tags-write:error=denied");
    CODE(r, 0);
    HAS(r->err, "larder export: no proof of its tag store: denied: ");
    HAS(run("import", A, "all.larder", "--replace")->out, "7 count as gone");
}

static void an_entry_that_is_refused_does_not_stop_the_others(void) {
    fill(A);
    write_file("s.txt", "s", 1);
    CODE(run("put", A, "--kind=fetch", "small", "--text=body=s.txt"), 0);
    CODE(run("export", A, "all.larder"), 0);
    const struct ran *r = run("import", "--cache=memory", "all.larder", "--set=max-value=1KB");
    CODE(r, 1);
    HAS(r->out, "1 imported, 0 were there already\n");
    HAS(r->out, "7 refused, the first: too-big: ");
    write_file("a-file", "", 0);
    CODE(run("import", "--cache=fs:a-file/x", "all.larder"), 3);
    CODE(run("rm", A, "--kind=fetch", "small"), 0);
}

static const struct unit_test tests[] = {
    UNIT(what_is_imported_is_what_was_exported),
    UNIT(on_the_same_tags_a_revalidation_still_counts),
    UNIT(on_other_tags_nothing_counts_as_fresh),
    UNIT(a_mark_of_another_epoch_proves_nothing),
    UNIT(what_was_rendered_during_the_export_counts_as_unknown),
    UNIT(what_is_stored_stays_unless_it_is_to_be_replaced),
    UNIT(a_part_is_chosen_by_kind_build_and_prefix),
    UNIT(an_archive_goes_through_a_pipe),
    UNIT(every_damage_is_noticed),
    UNIT(a_missing_record_is_noticed_at_the_end),
    UNIT(what_stands_before_the_damage_is_imported),
    UNIT(what_is_no_archive_is_told),
    UNIT(an_archive_that_failed_is_not_there),
    UNIT(without_the_right_to_write_marks_there_is_no_proof),
    UNIT(an_entry_that_is_refused_does_not_stop_the_others),
};

int main(int argc, char **argv) {
    return check_main(argc, argv, "archive", tests, sizeof tests / sizeof tests[0]);
}
