#include "reply.h"

#define EMPTY ddb_bytes_of("[]")

bool ddb_reply_item(struct larder_bytes body, const char *member, struct ddb_item *ret, bool *ret_there) {
    struct ddb_json j = ddb_json_of(body);
    struct larder_bytes name;
    *ret_there = false;
    for (bool first = ddb_json_enter(&j, '{'); ddb_json_member(&j, &first, &name);) {
        if (!ddb_json_is(name, member))
            ddb_json_skip(&j, NULL);
        else if (ddb_item_read(&j, ret))
            *ret_there = true;
        else
            return false;
    }
    return ddb_json_ended(&j);
}

bool ddb_reply_page(struct larder_bytes body, struct ddb_page *ret) {
    struct ddb_json j = ddb_json_of(body);
    struct larder_bytes name;
    *ret = (struct ddb_page){.items = EMPTY};
    for (bool first = ddb_json_enter(&j, '{'); ddb_json_member(&j, &first, &name);) {
        if (ddb_json_is(name, "Items")) {
            ddb_json_skip(&j, &ret->items);
        } else if (ddb_json_is(name, "LastEvaluatedKey")) {
            if (!ddb_item_read(&j, &ret->last))
                return false;
            ret->has_more = true;
        } else {
            ddb_json_skip(&j, NULL);
        }
    }
    return ddb_json_ended(&j);
}

/* {"TABLE": VALUE}: the value at the cursor of the one table that this driver asks for. */
static bool enter_table(struct ddb_json *j, bool *first, bool *ret_any) {
    struct larder_bytes table;
    *first = ddb_json_enter(j, '{');
    *ret_any = ddb_json_member(j, first, &table);
    return !j->bad;
}

static bool leave_table(struct ddb_json *j, bool *first) {
    struct larder_bytes other;
    return !ddb_json_member(j, first, &other) && !j->bad;
}

static bool read_array_of_table(struct ddb_json *j, struct larder_bytes *ret) {
    bool first, any;
    if (!enter_table(j, &first, &any))
        return false;
    return !any || (ddb_json_skip(j, ret) && leave_table(j, &first));
}

/* {"TABLE": {"Keys": [...], ...}} */
static bool read_keys_of_table(struct ddb_json *j, struct larder_bytes *ret) {
    struct larder_bytes name;
    bool first, any;
    if (!enter_table(j, &first, &any))
        return false;
    if (!any)
        return true;
    for (bool inner = ddb_json_enter(j, '{'); ddb_json_member(j, &inner, &name);)
        ddb_json_skip(j, ddb_json_is(name, "Keys") ? ret : NULL);
    return !j->bad && leave_table(j, &first);
}

bool ddb_reply_batch(struct larder_bytes body, struct ddb_batch_reply *ret) {
    struct ddb_json j = ddb_json_of(body);
    struct larder_bytes name;
    *ret = (struct ddb_batch_reply){.items = EMPTY, .left = EMPTY};
    for (bool first = ddb_json_enter(&j, '{'); ddb_json_member(&j, &first, &name);) {
        bool ok;
        if (ddb_json_is(name, "Responses"))
            ok = read_array_of_table(&j, &ret->items);
        else if (ddb_json_is(name, "UnprocessedItems"))
            ok = read_array_of_table(&j, &ret->left);
        else if (ddb_json_is(name, "UnprocessedKeys"))
            ok = read_keys_of_table(&j, &ret->left);
        else
            ok = ddb_json_skip(&j, NULL);
        if (!ok)
            return false;
    }
    return ddb_json_ended(&j);
}

bool ddb_array_has_any(struct larder_bytes array) {
    struct ddb_json j = ddb_json_of(array);
    bool first = ddb_json_enter(&j, '[');
    return ddb_json_element(&j, &first);
}
