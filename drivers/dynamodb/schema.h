/* What the table shall be, and what one is that exists. */
#ifndef DYNAMODB_SCHEMA_H
#define DYNAMODB_SCHEMA_H

#include "item.h"

/* The bodies of CreateTable and UpdateTimeToLive. */
void ddb_text_table(struct ddb_text *t, const struct ddb_names *names);
/* UpdateTable, to add the index to a table that has none. */
void ddb_text_add_index(struct ddb_text *t, const struct ddb_names *names);
void ddb_text_ttl(struct ddb_text *t, const struct ddb_names *names);

enum { DDB_SCHEMA_TEXT = 64 };
struct ddb_schema { /* of DescribeTable, as far as it matters; texts as they are shown */
    char table_status[DDB_SCHEMA_TEXT];
    char key[2 * DDB_SCHEMA_TEXT];   /* "pk HASH, sk RANGE" */
    char types[4 * DDB_SCHEMA_TEXT]; /* "pk S, sk S ..." of our keys alone */
    bool has_index;
    char index_status[DDB_SCHEMA_TEXT];
    char index_key[2 * DDB_SCHEMA_TEXT];
    char projection[DDB_SCHEMA_TEXT];
    bool projects_x;
    bool has_revalidate; /* OpenNext's index, as its original mode asks it */
};

/* From the reply to DescribeTable; false: it is none. */
bool ddb_schema_read(struct larder_bytes body, struct ddb_schema *ret);
/* What does not fit, the first that is found, as the end of a sentence; false: all fits. */
bool ddb_schema_differs(const struct ddb_schema *schema, const struct ddb_names *names, char *out,
                        size_t size);
/* Whether nothing differs but that there is no index yet, and it can be added now. */
bool ddb_schema_lacks_index(const struct ddb_schema *schema, const struct ddb_names *names);
bool ddb_schema_is_active(const struct ddb_schema *schema);

/* From the reply to DescribeTimeToLive: whether items expire by expiresAt, or soon will; *ret_other: by
 * another attribute. */
bool ddb_ttl_is_on(struct larder_bytes body, bool *ret_other);

#endif
