/*
 * What S3 says in XML, without a tree: https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html,
 * API_DeleteObjects.html, API_GetBucketLifecycleConfiguration.html.  Pure.
 */
#ifndef S3_XML_H
#define S3_XML_H

#include "aws_text.h"

/* The next element <name>...</name> at or behind *at, without its tags; *at moves behind it.  Of elements
 * that do not nest. */
bool s3_xml_next(struct larder_bytes xml, size_t *at, const char *name, struct larder_bytes *ret_inside);

struct s3_page { /* of a list; lent from its XML */
    struct larder_bytes xml;
    size_t at;
    bool is_truncated; /* there is more behind the last name */
    bool is_encoded;   /* names are, as in a URL */
};

/* False: it is no answer of ListObjectsV2, or not all of it. */
bool s3_page_read(struct larder_bytes xml, struct s3_page *ret);
/* The next name, in place of what `name` held; false: that was the last.  name->failed: no memory. */
bool s3_page_next(struct s3_page *page, struct aws_text *name);

/* False: it is no answer of DeleteObjects, or not all of it. */
bool s3_deleted_read(struct larder_bytes xml);
/* The next name that could not be deleted and the code of the reason; false: there is none. */
bool s3_deleted_next(struct larder_bytes xml, size_t *at, struct aws_text *name, struct aws_text *code);

struct s3_rule { /* what is older than so many days is deleted, and so is what it replaced */
    const char *id;
    const char *prefix; /* of names */
    unsigned days;
};
/*
 * The lifecycle configuration `old` (len 0: none) with this rule in place of the one with the same ID, or
 * added.  *ret_changed: false where such a rule was there, and nothing is added to out.  False: `old` is
 * none.
 */
bool s3_lifecycle_with(struct larder_bytes old, const struct s3_rule *rule, struct aws_text *out,
                       bool *ret_changed);

#endif
