#include "suites.h"

#include "race.h"

extern const struct suite basic_suite, values_suite, keys_suite, list_suite, times_suite, marks_suite,
    tags_suite, epoch_suite, index_suite, limits_suite, flight_suite, life_suite, claims_suite;

const struct suite *const all_suites[] = {
    &basic_suite, &values_suite, &keys_suite,   &list_suite,   &times_suite, &marks_suite, &tags_suite,
    &epoch_suite, &index_suite,  &limits_suite, &flight_suite, &life_suite,  &claims_suite};
const size_t n_suites = N_ELEMENTS(all_suites);

extern const struct role raises_role;
const struct role *const all_roles[] = {&raises_role};
const size_t n_roles = N_ELEMENTS(all_roles);

bool has_cache(void) {
    return backend_can(drive.one, LARDER_OP_PUT);
}

bool has_tags(void) {
    return backend_can(drive.one, LARDER_OP_TAGS_WRITE);
}

int32_t get_op(struct backend *b, struct larder_bytes key, struct larder_result *ret) {
    struct op *op = call(b, LARDER_OP_GET, (struct op_inputs){.key = key});
    int32_t status = op->result.status;
    *ret = op->result;
    ret->value.owner = NULL; /* goes with the op */
    ret->detail = NULL;
    op_free(op);
    return status;
}

bool key_byte_allowed(int byte) {
    switch (drive.one->info.key_bytes) {
    case 0: return true;
    case 1: return byte < 0x80;
    default: return byte >= 0x20 && byte < 0x7f;
    }
}

bool is_exactly(const struct larder_mark *a, int64_t expired, int64_t stale, int64_t expire_at_ms) {
    return a->expired_epoch == expired && a->stale_epoch == stale && a->expire_at_ms == expire_at_ms;
}
