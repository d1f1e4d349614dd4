/*
 * The variables of the environment that matter here, read once, when an instance is opened: getenv()
 * later would race with a setenv() elsewhere in the process (process.env of Node.js is one).
 */
#ifndef AWS_ENVIRONMENT_H
#define AWS_ENVIRONMENT_H

#include <stdbool.h>

#define AWS_VARIABLES(X)                                                       \
    X(ACCESS_KEY_ID, "AWS_ACCESS_KEY_ID")                                      \
    X(SECRET_ACCESS_KEY, "AWS_SECRET_ACCESS_KEY")                              \
    X(SESSION_TOKEN, "AWS_SESSION_TOKEN")                                      \
    X(REGION, "AWS_REGION")                                                    \
    X(DEFAULT_REGION, "AWS_DEFAULT_REGION")                                    \
    X(PROFILE, "AWS_PROFILE")                                                  \
    X(DEFAULT_PROFILE, "AWS_DEFAULT_PROFILE")                                  \
    X(CONFIG_FILE, "AWS_CONFIG_FILE")                                          \
    X(CREDENTIALS_FILE, "AWS_SHARED_CREDENTIALS_FILE")                         \
    X(HOME, "HOME")                                                            \
    X(ROLE_ARN, "AWS_ROLE_ARN")                                                \
    X(ROLE_SESSION_NAME, "AWS_ROLE_SESSION_NAME")                              \
    X(WEB_IDENTITY_TOKEN_FILE, "AWS_WEB_IDENTITY_TOKEN_FILE")                  \
    X(CONTAINER_RELATIVE_URI, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI")        \
    X(CONTAINER_FULL_URI, "AWS_CONTAINER_CREDENTIALS_FULL_URI")                \
    X(CONTAINER_TOKEN, "AWS_CONTAINER_AUTHORIZATION_TOKEN")                    \
    X(CONTAINER_TOKEN_FILE, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE")          \
    X(IMDS_DISABLED, "AWS_EC2_METADATA_DISABLED")                              \
    X(IMDS_ENDPOINT, "AWS_EC2_METADATA_SERVICE_ENDPOINT")                      \
    X(IMDS_ENDPOINT_MODE, "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE")            \
    X(IMDS_V1_DISABLED, "AWS_EC2_METADATA_V1_DISABLED")                        \
    X(ENDPOINT_URL, "AWS_ENDPOINT_URL")                                        \
    X(ENDPOINT_URL_DYNAMODB, "AWS_ENDPOINT_URL_DYNAMODB")                      \
    X(ENDPOINT_URL_S3, "AWS_ENDPOINT_URL_S3")                                  \
    X(ENDPOINT_URL_STS, "AWS_ENDPOINT_URL_STS")                                \
    X(IGNORE_ENDPOINT_URLS, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS")             \
    X(USE_FIPS, "AWS_USE_FIPS_ENDPOINT")                                       \
    X(USE_DUALSTACK, "AWS_USE_DUALSTACK_ENDPOINT")                             \
    X(CA_BUNDLE, "AWS_CA_BUNDLE")                                              \
    X(HTTP_PROXY, "http_proxy") /* in lower case alone, as libcurl reads it */ \
    X(HTTPS_PROXY, "https_proxy|HTTPS_PROXY")                                  \
    X(ALL_PROXY, "all_proxy|ALL_PROXY")                                        \
    X(NO_PROXY, "no_proxy|NO_PROXY")

#define AWS_VARIABLE_ENUM(id, names) AWS_VAR_##id,
enum aws_variable { AWS_VARIABLES(AWS_VARIABLE_ENUM) AWS_N_VARIABLES };
#undef AWS_VARIABLE_ENUM

struct aws_environment { /* all zero: every variable is unset */
    char *values[AWS_N_VARIABLES];
};

/* look: getenv(), or a test's.  False: no memory, and nothing is kept. */
bool aws_environment_read(struct aws_environment *environment, char *look(const char *name));
void aws_environment_done(struct aws_environment *environment);
/* NULL where it is unset or empty. */
const char *aws_variable(const struct aws_environment *environment, enum aws_variable variable);
/* "true", in any case. */
bool aws_variable_is_true(const struct aws_environment *environment, enum aws_variable variable);

#endif
