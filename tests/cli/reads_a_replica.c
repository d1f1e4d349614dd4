/* A driver for the test of larder doctor, made as the wrong ones of conformance/bad are: every instance
 * but the first reads its tags from a copy that has heard of nothing but the namespace's own mark. */
#include "bad.h"

static bool is_of_namespace(struct larder_bytes tag) {
    return tag.len > 0 && tag.ptr[tag.len - 1] == '/';
}

static void read(void *instance, struct larder_op *op) {
    static void *first;
    if (first == NULL)
        first = instance;
    struct larder_op copy = disguised(op);
    struct larder_mark of_namespace;
    for (size_t i = 0; instance != first && i < op->n_marks; i++) {
        if (!is_of_namespace(op->marks[i].tag))
            continue;
        of_namespace = op->marks[i];
        copy.marks = &of_namespace;
        copy.n_marks = 1;
    }
    right->tags->read(instance, &copy);
}

const struct mistake mistake = {.tags.read = read};
