#include "aws_plan.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define SESSION_NAME "larder"

struct making {
    struct aws_plan *plan;
    const struct aws_settings *settings;
    const struct aws_environment *env;
    const struct aws_profiles *profiles;
    const char *profile;
    bool profile_named; /* by somebody, and not for want of a name */
    char *error;
};

static int32_t wrong(struct making *m, int32_t status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static int32_t wrong(struct making *m, int32_t status, const char *format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(m->error, LARDER_ERROR_SIZE, format, args);
    va_end(args);
    return status;
}

static int32_t is(struct making *m, enum aws_base base, const char *what) {
    m->plan->base = base;
    snprintf(m->plan->what, sizeof(m->plan->what), "%s", what);
    return LARDER_OK;
}

static const char *setting(const char *text) {
    return aws_given(text) ? text : NULL;
}

static const char *of_profile(const struct making *m, const char *profile, const char *name) {
    return aws_profile_get(m->profiles, profile, name);
}

/* ---- bases -------------------------------------------------------------------------------------------- */

static int32_t keys_are(struct making *m, const char *id, const char *secret, const char *token,
                        const char *what) {
    struct aws_keys *keys = &m->plan->keys;
    if (!id || !secret)
        return wrong(m, LARDER_INVALID,
                     "%s: the access key and the secret key belong together, and one is missing", what);
    if (!aws_copy(&keys->id, id) || !aws_copy(&keys->secret, secret) || !aws_copy(&keys->token, token))
        return LARDER_NOMEM;
    return is(m, AWS_BASE_KEYS, what);
}

static int32_t keys_of_environment(struct making *m) {
    return keys_are(m, aws_variable(m->env, AWS_VAR_ACCESS_KEY_ID),
                    aws_variable(m->env, AWS_VAR_SECRET_ACCESS_KEY),
                    aws_variable(m->env, AWS_VAR_SESSION_TOKEN), "the environment (AWS_ACCESS_KEY_ID)");
}

static int32_t role_is(struct aws_role *role, const char *arn, const char *session_name,
                       const char *external_id, const char *duration_s) {
    const bool ok = aws_copy(&role->arn, arn) &&
                    aws_copy(&role->session_name, session_name ? session_name : SESSION_NAME) &&
                    aws_copy(&role->external_id, external_id) && aws_copy(&role->duration_s, duration_s);
    return ok ? LARDER_OK : LARDER_NOMEM;
}

static int32_t web_identity_is(struct making *m, const char *arn, const char *session_name,
                               const char *token_file, const char *what) {
    if (!arn)
        return wrong(m, LARDER_INVALID, "%s: a web identity needs the role that it is for", what);
    if (role_is(&m->plan->web_role, arn, session_name, NULL, NULL) != LARDER_OK ||
        !aws_copy(&m->plan->token_file, token_file))
        return LARDER_NOMEM;
    return is(m, AWS_BASE_WEB_IDENTITY, what);
}

/* Plain HTTP only to where nobody else can listen.
 * https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html */
static bool may_be_asked(const char *url) {
    static const char *const hosts[] = {"localhost", "[::1]", "169.254.170.2", "169.254.170.23",
                                        "[fd00:ec2::23]"};
    struct aws_endpoint e = {0};
    char reason[LARDER_ERROR_SIZE];
    const char *path = strstr(url, "://") ? strchr(strstr(url, "://") + 3, '/') : NULL;
    char origin[256];
    snprintf(origin, sizeof(origin), "%.*s", path ? (int)(path - url) : (int)strlen(url), url);
    if (aws_endpoint_of_url(&e, origin, reason) != LARDER_OK)
        return false;
    bool ok = strncmp(e.origin, "https://", 8) == 0 || strncmp(e.host, "127.", 4) == 0;
    for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]) && !ok; i++) {
        const size_t len = strlen(hosts[i]);
        ok = strncasecmp(e.host, hosts[i], len) == 0 && (e.host[len] == '\0' || e.host[len] == ':');
    }
    /* "127.evil.example" */
    if (ok && strncmp(e.host, "127.", 4) == 0 && e.origin[4] == ':')
        ok = strspn(e.host, "0123456789.:") == strlen(e.host);
    aws_endpoint_done(&e);
    return ok;
}

static int32_t container_is(struct making *m) {
    const char *relative = aws_variable(m->env, AWS_VAR_CONTAINER_RELATIVE_URI);
    const char *full = aws_variable(m->env, AWS_VAR_CONTAINER_FULL_URI);
    struct aws_text url = {0};
    if (relative)
        aws_text_adds(&url, "http://169.254.170.2");
    aws_text_adds(&url, relative ? relative : aws_or_empty(full));
    const bool copied = !url.failed && aws_copy(&m->plan->url, url.ptr) &&
                        aws_copy(&m->plan->token, aws_variable(m->env, AWS_VAR_CONTAINER_TOKEN)) &&
                        aws_copy(&m->plan->token_file, aws_variable(m->env, AWS_VAR_CONTAINER_TOKEN_FILE));
    aws_text_done(&url);
    if (!copied)
        return LARDER_NOMEM;
    if (!may_be_asked(m->plan->url))
        return wrong(
            m, LARDER_INVALID,
            "AWS_CONTAINER_CREDENTIALS_%s: only https, or an address of this machine or of ECS or EKS",
            relative ? "RELATIVE_URI" : "FULL_URI");
    return is(m, AWS_BASE_CONTAINER, "the container's endpoint (AWS_CONTAINER_CREDENTIALS_*)");
}

static bool has_container(const struct making *m) {
    return aws_variable(m->env, AWS_VAR_CONTAINER_RELATIVE_URI) ||
           aws_variable(m->env, AWS_VAR_CONTAINER_FULL_URI);
}

static int32_t imds_is(struct making *m) {
    return is(m, AWS_BASE_IMDS, "the metadata service of EC2");
}

/* ---- profiles ------------------------------------------------------------------------------------------- */

/* Of a profile, behind its roles.  LARDER_MISS: it has none. */
static int32_t base_of_profile(struct making *m, const char *profile) {
    const char *id = of_profile(m, profile, "aws_access_key_id");
    const char *secret = of_profile(m, profile, "aws_secret_access_key");
    const char *command = of_profile(m, profile, "credential_process");
    char what[160];
    snprintf(what, sizeof(what), "the profile %.100s", profile);
    if (of_profile(m, profile, "sso_session") || of_profile(m, profile, "sso_start_url"))
        return wrong(m, LARDER_INVALID,
                     "the profile %.60s uses SSO, which is not supported; credential_process = aws configure "
                     "export-credentials --profile NAME does the same",
                     profile);
    if (id || secret)
        return keys_are(m, id, secret, of_profile(m, profile, "aws_session_token"), what);
    if (!command)
        return LARDER_MISS;
    if (!aws_copy(&m->plan->command, command))
        return LARDER_NOMEM;
    snprintf(what, sizeof(what), "credential_process of the profile %.100s", profile);
    return is(m, AWS_BASE_PROCESS, what);
}

static int32_t base_of_source(struct making *m, const char *profile, const char *source) {
    if (strcasecmp(source, "Environment") == 0)
        return keys_of_environment(m);
    if (strcasecmp(source, "Ec2InstanceMetadata") == 0)
        return imds_is(m);
    if (strcasecmp(source, "EcsContainer") == 0 && has_container(m))
        return container_is(m);
    return wrong(m, LARDER_INVALID,
                 "the profile %.60s: credential_source is Environment, Ec2InstanceMetadata or EcsContainer "
                 "(with AWS_CONTAINER_CREDENTIALS_*)",
                 profile);
}

/* From role to role by source_profile, until something is no role. */
static int32_t follow_profile(struct making *m, const char *profile) {
    for (;;) {
        const char *arn = of_profile(m, profile, "role_arn");
        const char *session = of_profile(m, profile, "role_session_name");
        const char *token_file = of_profile(m, profile, "web_identity_token_file");
        const char *next = of_profile(m, profile, "source_profile");
        const char *source = of_profile(m, profile, "credential_source");
        char what[160];
        if (token_file) {
            snprintf(what, sizeof(what), "the profile %.100s (web_identity_token_file)", profile);
            return web_identity_is(m, arn, session, token_file, what);
        }
        if (!arn)
            return base_of_profile(m, profile);
        if (of_profile(m, profile, "mfa_serial"))
            return wrong(m, LARDER_INVALID,
                         "the profile %.60s: mfa_serial asks a person for a code, and here is none", profile);
        if ((next != NULL) == (source != NULL))
            return wrong(m, LARDER_INVALID,
                         "the profile %.60s: role_arn needs source_profile or credential_source, and one of "
                         "them alone",
                         profile);
        if (m->plan->n_roles == AWS_MOST_ROLES)
            return wrong(m, LARDER_INVALID,
                         "the profile %.60s: more than %d roles behind each other, or a circle of them",
                         profile, AWS_MOST_ROLES);
        if (role_is(&m->plan->roles[m->plan->n_roles++], arn, session, of_profile(m, profile, "external_id"),
                    of_profile(m, profile, "duration_seconds")) != LARDER_OK)
            return LARDER_NOMEM;
        if (source)
            return base_of_source(m, profile, source);
        if (!aws_profile_exists(m->profiles, next))
            return wrong(m, LARDER_INVALID,
                         "the profile %.60s: there is no profile %.60s, its source_profile", profile, next);
        if (strcmp(next, profile) == 0) /* the role's own keys */
            return base_of_profile(m, profile);
        profile = next;
    }
}

static int32_t find_base(struct making *m) {
    const struct aws_settings *s = m->settings;
    const bool by_setting = aws_given(s->profile);
    if (aws_given(s->access_key) || aws_given(s->secret_key))
        return keys_are(m, setting(s->access_key), setting(s->secret_key), setting(s->session_token),
                        "the settings access-key and secret-key");
    if (!by_setting &&
        (aws_variable(m->env, AWS_VAR_ACCESS_KEY_ID) || aws_variable(m->env, AWS_VAR_SECRET_ACCESS_KEY)))
        return keys_of_environment(m);
    const char *token_file = aws_variable(m->env, AWS_VAR_WEB_IDENTITY_TOKEN_FILE);
    if (!by_setting && token_file)
        return web_identity_is(m, aws_variable(m->env, AWS_VAR_ROLE_ARN),
                               aws_variable(m->env, AWS_VAR_ROLE_SESSION_NAME), token_file,
                               "the environment (AWS_WEB_IDENTITY_TOKEN_FILE)");
    if (m->profile_named && !aws_profile_exists(m->profiles, m->profile))
        return wrong(m, LARDER_INVALID, "there is no profile %.60s in the config and credentials files",
                     m->profile);
    const size_t roles = m->plan->n_roles;
    const int32_t status = follow_profile(m, m->profile);
    if (status != LARDER_MISS)
        return status;
    if (m->plan->n_roles > roles)
        return wrong(m, LARDER_INVALID, "the profile %.60s: its source_profile has no credentials",
                     m->profile);
    if (has_container(m))
        return container_is(m);
    if (!aws_variable_is_true(m->env, AWS_VAR_IMDS_DISABLED))
        return imds_is(m);
    return wrong(
        m, LARDER_DENIED,
        "no credentials: none in settings (access-key), AWS_ACCESS_KEY_ID, AWS_WEB_IDENTITY_TOKEN_FILE, "
        "profile %.40s, AWS_CONTAINER_CREDENTIALS_*; AWS_EC2_METADATA_DISABLED is set",
        m->profile);
}

static bool is_true(const char *text) {
    return text && strcasecmp(text, "true") == 0;
}

static int32_t find_place(struct making *m) {
    const char *region = setting(m->settings->region);
    if (!region)
        region = aws_variable(m->env, AWS_VAR_REGION);
    if (!region)
        region = aws_variable(m->env, AWS_VAR_DEFAULT_REGION);
    if (!region)
        region = of_profile(m, m->profile, "region");
    m->plan->fips = aws_variable_is_true(m->env, AWS_VAR_USE_FIPS) ||
                    is_true(of_profile(m, m->profile, "use_fips_endpoint"));
    if (aws_variable_is_true(m->env, AWS_VAR_USE_DUALSTACK) ||
        is_true(of_profile(m, m->profile, "use_dualstack_endpoint")))
        return wrong(m, LARDER_INVALID,
                     "AWS_USE_DUALSTACK_ENDPOINT (use_dualstack_endpoint) is not supported; set endpoint to "
                     "that address");
    const bool ignore = aws_variable_is_true(m->env, AWS_VAR_IGNORE_ENDPOINT_URLS);
    const bool ok = aws_copy(&m->plan->region, region) &&
                    aws_copy(&m->plan->endpoint_url,
                             ignore ? NULL : of_profile(m, m->profile, "endpoint_url"));
    return ok ? LARDER_OK : LARDER_NOMEM;
}

int32_t aws_plan_make(struct aws_plan *plan, const struct aws_settings *settings,
                      const struct aws_environment *environment, const struct aws_profiles *profiles,
                      char error[LARDER_ERROR_SIZE]) {
    struct making m = {
        .plan = plan, .settings = settings, .env = environment, .profiles = profiles, .error = error};
    m.profile = setting(settings->profile);
    if (!m.profile)
        m.profile = aws_variable(environment, AWS_VAR_PROFILE);
    if (!m.profile)
        m.profile = aws_variable(environment, AWS_VAR_DEFAULT_PROFILE);
    m.profile_named = m.profile != NULL;
    if (!m.profile)
        m.profile = "default";
    *plan = (struct aws_plan){0};
    snprintf(error, LARDER_ERROR_SIZE, "out of memory");
    int32_t status = find_base(&m);
    if (status == LARDER_OK)
        status = find_place(&m);
    if (status != LARDER_OK)
        aws_plan_done(plan);
    return status;
}

static void role_done(struct aws_role *role) {
    aws_wipe(&role->arn);
    aws_wipe(&role->session_name);
    aws_wipe(&role->external_id);
    aws_wipe(&role->duration_s);
}

void aws_plan_done(struct aws_plan *plan) {
    free(plan->region);
    free(plan->endpoint_url);
    free(plan->token_file);
    free(plan->url);
    aws_wipe(&plan->command);
    aws_wipe(&plan->token);
    aws_keys_done(&plan->keys);
    role_done(&plan->web_role);
    for (size_t i = 0; i < AWS_MOST_ROLES; i++)
        role_done(&plan->roles[i]);
    *plan = (struct aws_plan){0};
}

int32_t aws_plan_endpoint(const struct aws_plan *plan, const char *region, const char *setting,
                          const struct aws_environment *environment, const char *service,
                          struct aws_endpoint *endpoint, const char **ret_region,
                          char error[LARDER_ERROR_SIZE]) {
    static const struct {
        const char *service;
        enum aws_variable variable;
    } own[] = {{"dynamodb", AWS_VAR_ENDPOINT_URL_DYNAMODB},
               {"s3", AWS_VAR_ENDPOINT_URL_S3},
               {"sts", AWS_VAR_ENDPOINT_URL_STS}};
    const char *url = aws_given(setting) ? setting : NULL;
    const bool ignore = aws_variable_is_true(environment, AWS_VAR_IGNORE_ENDPOINT_URLS);
    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]) && !ignore && !url; i++)
        if (strcmp(own[i].service, service) == 0)
            url = aws_variable(environment, own[i].variable);
    if (!url && !ignore)
        url = aws_variable(environment, AWS_VAR_ENDPOINT_URL);
    if (!url)
        url = plan->endpoint_url;
    *ret_region = region ? region : "us-east-1";
    snprintf(error, LARDER_ERROR_SIZE, "out of memory");
    if (url)
        return aws_endpoint_of_url(endpoint, url, error);
    /* STS has one for the whole world as well, so that roles need no region. */
    if (!region && strcmp(service, "sts") != 0) {
        snprintf(error, LARDER_ERROR_SIZE,
                 "no region: set region, AWS_REGION, or region in the profile (an endpoint of your own needs "
                 "none)");
        return LARDER_INVALID;
    }
    return aws_endpoint_of_region(endpoint, service, *ret_region, plan->fips, error);
}
