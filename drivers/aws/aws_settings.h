/* The settings that all drivers for services of AWS have. */
#ifndef AWS_SETTINGS_H
#define AWS_SETTINGS_H

#include "larder/driver.h"

/* A member of the driver's config struct.  An empty text counts as one that is not set. */
struct aws_settings {
    const char *region, *endpoint, *profile;
    const char *access_key, *secret_key, *session_token;
    const char *ca_file;
    int64_t connections, connect_timeout_ms;
};

/* Rows for the driver's table of parameters.  The variables of the AWS SDKs (aws_environment.h) are not
 * named here: which of them counts depends on the others. */
#define AWS_PARAMS(config_t, aws_member)                                                                     \
    {.name = "region",                                                                                       \
     .type = LARDER_P_TEXT,                                                                                  \
     .offset = LARDER_AT(config_t, aws_member.region),                                                       \
     .preset = "",                                                                                           \
     .help = "as in eu-west-1; else AWS_REGION, AWS_DEFAULT_REGION, the profile's"},                         \
        {.name = "endpoint",                                                                                 \
         .type = LARDER_P_TEXT,                                                                              \
         .offset = LARDER_AT(config_t, aws_member.endpoint),                                                 \
         .preset = "",                                                                                       \
         .help = "URL of the service where it is not AWS's own; else AWS_ENDPOINT_URL_*, AWS_ENDPOINT_URL"}, \
        {.name = "profile",                                                                                  \
         .type = LARDER_P_TEXT,                                                                              \
         .offset = LARDER_AT(config_t, aws_member.profile),                                                  \
         .preset = "",                                                                                       \
         .help = "in ~/.aws/config and ~/.aws/credentials; else AWS_PROFILE, then \"default\""},             \
        {.name = "access-key",                                                                               \
         .type = LARDER_P_SECRET,                                                                            \
         .offset = LARDER_AT(config_t, aws_member.access_key),                                               \
         .preset = "",                                                                                       \
         .help = "with secret-key: instead of every other source of credentials"},                           \
        {.name = "secret-key",                                                                               \
         .type = LARDER_P_SECRET,                                                                            \
         .offset = LARDER_AT(config_t, aws_member.secret_key),                                               \
         .preset = "",                                                                                       \
         .help = "belongs to access-key"},                                                                   \
        {.name = "session-token",                                                                            \
         .type = LARDER_P_SECRET,                                                                            \
         .offset = LARDER_AT(config_t, aws_member.session_token),                                            \
         .preset = "",                                                                                       \
         .help = "belongs to a temporary access-key"},                                                       \
        {.name = "ca-file",                                                                                  \
         .type = LARDER_P_TEXT,                                                                              \
         .offset = LARDER_AT(config_t, aws_member.ca_file),                                                  \
         .preset = "",                                                                                       \
         .help = "certificates (PEM) that are trusted; else AWS_CA_BUNDLE, else the system's"},              \
        {.name = "connections",                                                                              \
         .type = LARDER_P_INT,                                                                               \
         .offset = LARDER_AT(config_t, aws_member.connections),                                              \
         .preset = "50",                                                                                     \
         .min = 1,                                                                                           \
         .max = 1000,                                                                                        \
         .help = "requests at once; others wait"},                                                           \
    {                                                                                                        \
        .name = "connect-timeout", .type = LARDER_P_MS,                                                      \
        .offset = LARDER_AT(config_t, aws_member.connect_timeout_ms), .preset = "3s", .min = 1,              \
        .max = 600000, .help = "for a connection, TLS included"                                              \
    }

#endif
