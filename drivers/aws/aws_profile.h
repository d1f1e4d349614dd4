/*
 * The shared config and credentials files.
 * https://docs.aws.amazon.com/sdkref/latest/guide/file-format.html
 */
#ifndef AWS_PROFILE_H
#define AWS_PROFILE_H

#include "aws_text.h"

struct aws_profiles { /* all zero: none */
    struct aws_property *first, *last;
};

/* The text of ~/.aws/config, where sections are "[profile name]", or of ~/.aws/credentials, where they
 * are "[name]".  What is added first wins, so credentials come first.  False: no memory. */
bool aws_profiles_add(struct aws_profiles *profiles, struct larder_bytes text, bool is_config);
void aws_profiles_done(struct aws_profiles *profiles);

bool aws_profile_exists(const struct aws_profiles *profiles, const char *profile);
/* NULL: not there, or empty. */
const char *aws_profile_get(const struct aws_profiles *profiles, const char *profile, const char *name);

#endif
