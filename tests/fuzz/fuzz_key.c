/* The input as a physical key, and cut at its first byte's value into a build id and a key. */
#include <stdlib.h>

#include "bytes.h"
#include "fuzz.h"
#include "key.h"

/* A key that parses is the one that is made of its parts. */
static void as_physical(struct larder_bytes physical) {
    static const struct key_rules rules;
    static const struct key_rules shared = {.shared_kinds = ~0u};
    struct larder_listed listed;
    struct larder_bytes made;
    uint8_t *memory = NULL;
    if (key_parse(physical, &listed, &memory) != LARDER_OK) {
        CHECK(memory == NULL);
        return;
    }
    bool is_shared = bytes_begin_with(physical, bytes_of("shared/"));
    /* What is hashed cannot be made again; its build id may be hashed, too. */
    if (!listed.hashed && physical.ptr[0] != '~') {
        CHECK(key_make(is_shared ? &shared : &rules, listed.kind, listed.build, listed.key, &made) ==
              LARDER_OK);
        CHECK(bytes_equal(made, physical));
        free((void *)(uintptr_t)made.ptr);
    }
    free(memory);
}

static void as_parts(struct larder_bytes build, struct larder_bytes key, uint32_t choice) {
    const struct key_rules rules = {.max_key = choice & 1 ? KEY_LEAST + (choice >> 4) : 0,
                                    .key_bytes = (choice >> 1) % 3};
    uint32_t kind = 1 + choice % (LARDER_N_KINDS - 1);
    struct larder_bytes made;
    struct larder_listed listed;
    uint8_t *memory = NULL, tag_room[KEY_HASHED_LEN];
    CHECK(key_make(&rules, kind, build, key, &made) == LARDER_OK);
    CHECK(rules.max_key == 0 || made.len <= rules.max_key);
    CHECK(key_bytes_allowed(rules.key_bytes, made));
    CHECK(key_parse(made, &listed, &memory) == LARDER_OK);
    CHECK(listed.kind == kind);
    CHECK(listed.hashed || bytes_equal(listed.key, key));
    CHECK(made.ptr[0] == '~' || bytes_equal(listed.build, build));
    free(memory);
    free((void *)(uintptr_t)made.ptr);

    struct larder_bytes tag;
    key_tag(&rules, key, tag_room, &tag);
    CHECK(rules.max_key == 0 || tag.len <= rules.max_key);
    CHECK(key_bytes_allowed(rules.key_bytes, tag));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    as_physical((struct larder_bytes){data, size});
    if (size >= 2) {
        size_t cut = data[0] % (size - 1);
        as_parts((struct larder_bytes){data + 2, cut}, (struct larder_bytes){data + 2 + cut, size - 2 - cut},
                 data[1]);
    }
    return 0;
}
