/*
 * Where the credentials come from, decided from settings, environment and files alone: a base, and
 * the roles that are assumed from there on.  The order is that of the AWS SDKs:
 *
 *   1. the settings access-key and secret-key
 *   2. AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY           (not with the setting profile)
 *   3. AWS_WEB_IDENTITY_TOKEN_FILE and AWS_ROLE_ARN          (not with the setting profile)
 *   4. the profile: role_arn, keys, credential_process
 *   5. AWS_CONTAINER_CREDENTIALS_RELATIVE_URI or _FULL_URI   (ECS, EKS)
 *   6. the metadata service of EC2, unless AWS_EC2_METADATA_DISABLED
 *
 * https://docs.aws.amazon.com/sdkref/latest/guide/standardized-credentials.html
 */
#ifndef AWS_PLAN_H
#define AWS_PLAN_H

#include "aws_endpoint.h"
#include "aws_environment.h"
#include "aws_keys.h"
#include "aws_profile.h"
#include "aws_settings.h"

enum aws_base { AWS_BASE_KEYS, AWS_BASE_WEB_IDENTITY, AWS_BASE_PROCESS, AWS_BASE_CONTAINER, AWS_BASE_IMDS };

enum { AWS_MOST_ROLES = 5 };

struct aws_role {
    char *arn;
    char *session_name;
    char *external_id, *duration_s; /* NULL: not given */
};

struct aws_plan {       /* all zero: none */
    char *region;       /* NULL: not said; the metadata service may know */
    char *endpoint_url; /* of the profile; NULL: none */
    bool fips;
    enum aws_base base;
    char what[160];                        /* it is, for people: "the environment (AWS_ACCESS_KEY_ID)" */
    struct aws_keys keys;                  /* KEYS */
    struct aws_role web_role;              /* WEB_IDENTITY */
    char *token_file;                      /* WEB_IDENTITY; CONTAINER, or NULL */
    char *command;                         /* PROCESS: for /bin/sh */
    char *url, *token;                     /* CONTAINER; token may be NULL */
    struct aws_role roles[AWS_MOST_ROLES]; /* assumed from the last to the first */
    size_t n_roles;
};

/* LARDER_OK; LARDER_DENIED where there is no way to credentials, LARDER_INVALID where what was found is
 * wrong: error says so, and the way out; LARDER_NOMEM.  plan is all zero unless LARDER_OK. */
int32_t aws_plan_make(struct aws_plan *plan, const struct aws_settings *settings,
                      const struct aws_environment *environment, const struct aws_profiles *profiles,
                      char error[LARDER_ERROR_SIZE]);
void aws_plan_done(struct aws_plan *plan);

/* Where a service answers: the setting endpoint, AWS_ENDPOINT_URL_<service>, AWS_ENDPOINT_URL, the
 * profile's endpoint_url, or the region's own.  region: the plan's, or found elsewhere; NULL: none.
 * *ret_region: what to sign for.  LARDER_INVALID with the reason in error, or LARDER_NOMEM. */
int32_t aws_plan_endpoint(const struct aws_plan *plan, const char *region, const char *setting,
                          const struct aws_environment *environment, const char *service,
                          struct aws_endpoint *endpoint, const char **ret_region,
                          char error[LARDER_ERROR_SIZE]);

#endif
