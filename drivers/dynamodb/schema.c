#include "schema.h"

#include <stdio.h>
#include <string.h>

/* ---- what the table shall be ---- */

static void text_definition(struct ddb_text *t, const char *before, const char *name, const char *type) {
    ddb_text_json(t, before);
    ddb_text_json(t, "{'AttributeName':'");
    ddb_text_json(t, name);
    ddb_text_json(t, "','AttributeType':'");
    ddb_text_json(t, type);
    ddb_text_json(t, "'}");
}

/* ,'AttributeDefinitions':[..  and no ] */
static void text_definitions(struct ddb_text *t, const struct ddb_names *names) {
    text_definition(t, ",'AttributeDefinitions':[", names->pk, "S");
    text_definition(t, ",", names->sk, "S");
    text_definition(t, ",", "gk", "S");
    text_definition(t, ",", "gs", "S");
}

/* 'KeySchema':[..] */
static void text_key_schema(struct ddb_text *t, const char *hash, const char *range) {
    ddb_text_json(t, "'KeySchema':[{'AttributeName':'");
    ddb_text_json(t, hash);
    ddb_text_json(t, "','KeyType':'HASH'},{'AttributeName':'");
    ddb_text_json(t, range);
    ddb_text_json(t, "','KeyType':'RANGE'}]");
}

static void text_index(struct ddb_text *t) {
    ddb_text_json(t, "{'IndexName':'larder',");
    text_key_schema(t, "gk", "gs");
    ddb_text_json(t, ",'Projection':{'ProjectionType':'INCLUDE','NonKeyAttributes':['x']}}");
}

/* OpenNext's own index comes with a table that is made for both: its other tag caches ask it. */
static void text_index_of_opennext(struct ddb_text *t) {
    ddb_text_json(t, "{'IndexName':'revalidate',");
    text_key_schema(t, "path", "revalidatedAt");
    ddb_text_json(t, ",'Projection':{'ProjectionType':'ALL'}}");
}

void ddb_text_table(struct ddb_text *t, const struct ddb_names *names) {
    ddb_text_begin(t, names);
    ddb_text_json(t, ",'BillingMode':'PAY_PER_REQUEST'");
    text_definitions(t, names);
    if (ddb_names_are_opennext(names))
        text_definition(t, ",", "revalidatedAt", "N");
    ddb_text_json(t, "],");
    text_key_schema(t, names->pk, names->sk);
    ddb_text_json(t, ",'GlobalSecondaryIndexes':[");
    text_index(t);
    if (ddb_names_are_opennext(names)) {
        ddb_text_json(t, ",");
        text_index_of_opennext(t);
    }
    ddb_text_json(t, "]}");
}

void ddb_text_add_index(struct ddb_text *t, const struct ddb_names *names) {
    ddb_text_begin(t, names);
    text_definitions(t, names);
    ddb_text_json(t, "],'GlobalSecondaryIndexUpdates':[{'Create':");
    text_index(t);
    ddb_text_json(t, "}]}");
}

void ddb_text_ttl(struct ddb_text *t, const struct ddb_names *names) {
    ddb_text_begin(t, names);
    ddb_text_json(t, ",'TimeToLiveSpecification':{'AttributeName':'expiresAt','Enabled':true}}");
}

/* ---- what it is ---- */

/* What a server says ends up in a line for people. */
static void append(char *to, size_t size, const char *separator, struct larder_bytes text) {
    size_t len = strlen(to), before = len > 0 ? strlen(separator) : 0;
    if (before + text.len >= size - len)
        return;
    memcpy(to + len, separator, before);
    for (size_t i = 0; i < text.len; i++)
        to[len + before + i] = text.ptr[i] >= ' ' && text.ptr[i] < 127 ? (char)text.ptr[i] : '?';
    to[len + before + text.len] = '\0';
}

static void read_text(struct ddb_json *j, char *to, size_t size) {
    struct larder_bytes raw;
    to[0] = '\0';
    if (ddb_json_string(j, &raw))
        append(to, size, "", raw);
}

/* [{"AttributeName":"pk","KeyType":"HASH"},...] as "pk HASH, ..."; or the same with AttributeType. */
static void read_attributes(struct ddb_json *j, const char *what, bool ours_alone, char *to, size_t size) {
    to[0] = '\0';
    for (bool first = ddb_json_enter(j, '['); ddb_json_element(j, &first);) {
        struct larder_bytes member, name = {0}, kind = {0};
        for (bool inner = ddb_json_enter(j, '{'); ddb_json_member(j, &inner, &member);) {
            if (ddb_json_is(member, "AttributeName"))
                ddb_json_string(j, &name);
            else if (ddb_json_is(member, what))
                ddb_json_string(j, &kind);
            else
                ddb_json_skip(j, NULL);
        }
        bool ours = ddb_json_is(name, "pk") || ddb_json_is(name, "sk") || ddb_json_is(name, "tag") ||
                    ddb_json_is(name, "path") || ddb_json_is(name, "gk") || ddb_json_is(name, "gs");
        if (j->bad || name.len == 0 || (ours_alone && !ours))
            continue;
        append(to, size, ", ", name);
        append(to, size, " ", kind);
    }
}

static void read_projection(struct ddb_json *j, struct ddb_schema *schema) {
    struct larder_bytes member, name;
    for (bool first = ddb_json_enter(j, '{'); ddb_json_member(j, &first, &member);) {
        if (ddb_json_is(member, "ProjectionType")) {
            read_text(j, schema->projection, sizeof(schema->projection));
        } else if (ddb_json_is(member, "NonKeyAttributes")) {
            for (bool inner = ddb_json_enter(j, '['); ddb_json_element(j, &inner);)
                schema->projects_x |= ddb_json_string(j, &name) && ddb_json_is(name, "x");
        } else {
            ddb_json_skip(j, NULL);
        }
    }
}

static void read_index(struct ddb_json *j, struct ddb_schema *schema) {
    struct ddb_schema found = {0};
    struct larder_bytes member, name = {0};
    for (bool first = ddb_json_enter(j, '{'); ddb_json_member(j, &first, &member);) {
        if (ddb_json_is(member, "IndexName"))
            ddb_json_string(j, &name);
        else if (ddb_json_is(member, "IndexStatus"))
            read_text(j, found.index_status, sizeof(found.index_status));
        else if (ddb_json_is(member, "KeySchema"))
            read_attributes(j, "KeyType", false, found.index_key, sizeof(found.index_key));
        else if (ddb_json_is(member, "Projection"))
            read_projection(j, &found);
        else
            ddb_json_skip(j, NULL);
    }
    if (!j->bad && ddb_json_is(name, "revalidate"))
        schema->has_revalidate = strcmp(found.index_key, "path HASH, revalidatedAt RANGE") == 0;
    if (j->bad || !ddb_json_is(name, "larder"))
        return;
    schema->has_index = true;
    memcpy(schema->index_status, found.index_status, sizeof(found.index_status));
    memcpy(schema->index_key, found.index_key, sizeof(found.index_key));
    memcpy(schema->projection, found.projection, sizeof(found.projection));
    schema->projects_x = found.projects_x;
}

bool ddb_schema_read(struct larder_bytes body, struct ddb_schema *ret) {
    struct ddb_json j = ddb_json_of(body);
    struct larder_bytes outer, member;
    *ret = (struct ddb_schema){0};
    for (bool first = ddb_json_enter(&j, '{'); ddb_json_member(&j, &first, &outer);) {
        if (!ddb_json_is(outer, "Table")) {
            ddb_json_skip(&j, NULL);
            continue;
        }
        for (bool inner = ddb_json_enter(&j, '{'); ddb_json_member(&j, &inner, &member);) {
            if (ddb_json_is(member, "TableStatus")) {
                read_text(&j, ret->table_status, sizeof(ret->table_status));
            } else if (ddb_json_is(member, "KeySchema")) {
                read_attributes(&j, "KeyType", false, ret->key, sizeof(ret->key));
            } else if (ddb_json_is(member, "AttributeDefinitions")) {
                read_attributes(&j, "AttributeType", true, ret->types, sizeof(ret->types));
            } else if (ddb_json_is(member, "GlobalSecondaryIndexes")) {
                for (bool each = ddb_json_enter(&j, '['); ddb_json_element(&j, &each);)
                    read_index(&j, ret);
            } else {
                ddb_json_skip(&j, NULL);
            }
        }
    }
    return ddb_json_ended(&j);
}

/* The order of AttributeDefinitions is DynamoDB's choice. */
static bool is_typed(const struct ddb_schema *schema, const char *attribute, const char *type) {
    char typed[32];
    const char *at = schema->types;
    snprintf(typed, sizeof(typed), "%s %s", attribute, type);
    while ((at = strstr(at, typed))) {
        if (at == schema->types || at[-1] == ' ')
            return true;
        at++;
    }
    return false;
}

static bool key_differs(const struct ddb_schema *schema, const struct ddb_names *names, char *out,
                        size_t size) {
    char key[32];
    snprintf(key, sizeof(key), "%s HASH, %s RANGE", names->pk, names->sk);
    if (strcmp(schema->key, key) == 0)
        return false;
    snprintf(out, size, "its key is (%s) and must be (%s)", schema->key, key);
    return true;
}

/* What is declared is the key of the table, or of one of its indexes. */
static bool types_differ(const struct ddb_schema *schema, const struct ddb_names *names, char *out,
                         size_t size) {
    const char *const keys[] = {names->pk, names->sk, "gk", "gs"};
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        bool is_needed = i < 2 || schema->has_index, is_declared = is_typed(schema, keys[i], "");
        if (is_typed(schema, keys[i], "S") || !(is_needed || is_declared))
            continue;
        snprintf(out, size, "the types of its keys are (%.99s) and must all be S", schema->types);
        return true;
    }
    return false;
}

bool ddb_schema_lacks_index(const struct ddb_schema *schema, const struct ddb_names *names) {
    char out[200];
    return !schema->has_index && strcmp(schema->table_status, "ACTIVE") == 0 &&
           !key_differs(schema, names, out, sizeof(out)) && !types_differ(schema, names, out, sizeof(out));
}

/* What differs first, into out; false: nothing does. */
bool ddb_schema_differs(const struct ddb_schema *schema, const struct ddb_names *names, char *out,
                        size_t size) {
    if (key_differs(schema, names, out, size) || types_differ(schema, names, out, size))
        return true;
    if (names->original && !schema->has_revalidate) {
        snprintf(out, size,
                 "it has no global secondary index named revalidate (path HASH, revalidatedAt RANGE), which "
                 "OpenNext needs");
        return true;
    }
    if (!schema->has_index) {
        snprintf(out, size, "it has no global secondary index named larder (gk HASH, gs RANGE, including x)");
        return true;
    }
    if (strcmp(schema->index_key, "gk HASH, gs RANGE") != 0) {
        snprintf(out, size, "the key of its index larder is (%s) and must be (gk HASH, gs RANGE)",
                 schema->index_key);
        return true;
    }
    if (strcmp(schema->projection, "ALL") != 0 && !schema->projects_x) {
        snprintf(out, size, "its index larder must include the attribute x");
        return true;
    }
    return false;
}

bool ddb_schema_is_active(const struct ddb_schema *schema) {
    return strcmp(schema->table_status, "ACTIVE") == 0 && strcmp(schema->index_status, "ACTIVE") == 0;
}

bool ddb_ttl_is_on(struct larder_bytes body, bool *ret_other) {
    struct ddb_json j = ddb_json_of(body);
    struct larder_bytes outer, member, status = {0}, attribute = {0};
    for (bool first = ddb_json_enter(&j, '{'); ddb_json_member(&j, &first, &outer);) {
        if (!ddb_json_is(outer, "TimeToLiveDescription")) {
            ddb_json_skip(&j, NULL);
            continue;
        }
        for (bool inner = ddb_json_enter(&j, '{'); ddb_json_member(&j, &inner, &member);) {
            if (ddb_json_is(member, "TimeToLiveStatus"))
                ddb_json_string(&j, &status);
            else if (ddb_json_is(member, "AttributeName"))
                ddb_json_string(&j, &attribute);
            else
                ddb_json_skip(&j, NULL);
        }
    }
    bool on = ddb_json_is(status, "ENABLED") || ddb_json_is(status, "ENABLING");
    *ret_other = on && !ddb_json_is(attribute, "expiresAt");
    return on && !*ret_other;
}
