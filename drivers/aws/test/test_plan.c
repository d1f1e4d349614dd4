/* Where credentials, region and endpoint come from, decided from settings, environment and files. */
#include "../aws_plan.h"

#include <string.h>

#include "unit.h"

static struct aws_settings settings;
static struct aws_environment env;
static struct aws_profiles profiles;
static struct aws_plan plan;
static char error[LARDER_ERROR_SIZE];

static void begin(void) {
    settings = (struct aws_settings){0};
    env = (struct aws_environment){0};
    profiles = (struct aws_profiles){0};
}

static void end(void) {
    aws_plan_done(&plan);
    aws_profiles_done(&profiles);
    aws_environment_done(&env);
}

static void set(enum aws_variable variable, const char *value) {
    CU_ASSERT_TRUE(aws_copy(&env.values[variable], value));
}

static void credentials_file(const char *text) {
    CU_ASSERT_TRUE(aws_profiles_add(&profiles, aws_bytes(text), false));
}

static void config_file(const char *text) {
    CU_ASSERT_TRUE(aws_profiles_add(&profiles, aws_bytes(text), true));
}

static int32_t make(void) {
    aws_plan_done(&plan);
    return aws_plan_make(&plan, &settings, &env, &profiles, error);
}

static void expect_keys(const char *id, const char *secret, const char *token) {
    CU_ASSERT_EQUAL(make(), LARDER_OK);
    CU_ASSERT_EQUAL(plan.base, AWS_BASE_KEYS);
    CU_ASSERT_STRING_EQUAL(aws_or_empty(plan.keys.id), id);
    CU_ASSERT_STRING_EQUAL(aws_or_empty(plan.keys.secret), secret);
    CU_ASSERT_STRING_EQUAL(aws_or_empty(plan.keys.token), token);
}

static void expect_wrong(int32_t status, const char *reason) {
    const int32_t got = make();
    if (got != status || !strstr(error, reason))
        printf("%d: %s\n", got, error);
    CU_ASSERT_EQUAL(got, status);
    CU_ASSERT_PTR_NOT_NULL(strstr(error, reason));
    CU_ASSERT_PTR_NULL(strstr(error, "SECRET"));
}

static void files_are_read_as_the_sdks_read_them(void) {
    begin();
    credentials_file(
        "# a comment\n; another\nstray = 1\n[default]\r\naws_access_key_id=A\r\naws_secret_access_key = S=/+ "
        "\r\n"
        "[ dev ]\naws_access_key_id = D # not this\nempty =\n  nested = no\nplain = a#b;c\n[dev]\nmore = 1");
    config_file(
        "[default]\nregion = eu-west-1\naws_access_key_id = not this\n[profile dev]\nregion=\tus-west-2\n"
        "[dev]\nregion = wrong\n[sso-session dev]\nregion = wrong\n[profile  spaced ]\nx = "
        "y\n[broken\nregion = no\n");
    CU_ASSERT_STRING_EQUAL(aws_profile_get(&profiles, "default", "aws_access_key_id"), "A");
    CU_ASSERT_STRING_EQUAL(aws_profile_get(&profiles, "default", "aws_secret_access_key"), "S=/+");
    CU_ASSERT_STRING_EQUAL(aws_profile_get(&profiles, "default", "region"), "eu-west-1");
    CU_ASSERT_STRING_EQUAL(aws_profile_get(&profiles, "dev", "aws_access_key_id"), "D");
    CU_ASSERT_STRING_EQUAL(aws_profile_get(&profiles, "dev", "region"), "us-west-2");
    CU_ASSERT_STRING_EQUAL(aws_profile_get(&profiles, "dev", "plain"), "a#b;c");
    CU_ASSERT_STRING_EQUAL(aws_profile_get(&profiles, "dev", "more"), "1");
    CU_ASSERT_STRING_EQUAL(aws_profile_get(&profiles, "spaced", "x"), "y");
    CU_ASSERT_PTR_NULL(aws_profile_get(&profiles, "dev", "empty"));
    CU_ASSERT_PTR_NULL(aws_profile_get(&profiles, "dev", "nested"));
    CU_ASSERT_FALSE(aws_profile_exists(&profiles, "sso-session dev"));
    end();
}

/* Found by fuzzing: the value would be what stands before the NUL. */
static void a_line_with_a_nul_says_nothing(void) {
    static const char text[] = "[default]\nregion = eu\0x\nrole_arn = r\n[a\0b]\nregion = no\n";
    begin();
    CU_ASSERT_TRUE(
        aws_profiles_add(&profiles, (struct larder_bytes){(const uint8_t *)text, sizeof(text) - 1}, false));
    CU_ASSERT_PTR_NULL(aws_profile_get(&profiles, "default", "region"));
    CU_ASSERT_STRING_EQUAL(aws_profile_get(&profiles, "default", "role_arn"), "r");
    CU_ASSERT_FALSE(aws_profile_exists(&profiles, "a"));
    end();
}

static void settings_come_before_the_environment_and_that_before_the_profile(void) {
    begin();
    config_file("[default]\naws_access_key_id=F\naws_secret_access_key=FS\nregion=af-south-1\n[profile "
                "p]\nregion=ap-east-1\n"
                "aws_access_key_id=P\naws_secret_access_key=PS\naws_session_token=PT\n");
    expect_keys("F", "FS", "");
    CU_ASSERT_STRING_EQUAL(plan.region, "af-south-1");
    set(AWS_VAR_PROFILE, "p");
    expect_keys("P", "PS", "PT");
    CU_ASSERT_STRING_EQUAL(plan.region, "ap-east-1");
    set(AWS_VAR_ACCESS_KEY_ID, "E");
    set(AWS_VAR_SECRET_ACCESS_KEY, "ES");
    set(AWS_VAR_SESSION_TOKEN, "ET");
    set(AWS_VAR_DEFAULT_REGION, "eu-north-1");
    expect_keys("E", "ES", "ET");
    CU_ASSERT_STRING_EQUAL(plan.region, "eu-north-1");
    set(AWS_VAR_REGION, "eu-south-1");
    settings.profile = "default"; /* asked for by name: before the environment's keys */
    expect_keys("F", "FS", "");
    CU_ASSERT_STRING_EQUAL(plan.region, "eu-south-1");
    settings.access_key = "S";
    settings.secret_key = "SS";
    settings.region = "us-east-2";
    expect_keys("S", "SS", "");
    CU_ASSERT_STRING_EQUAL(plan.region, "us-east-2");
    end();
}

static void half_a_pair_of_keys_is_a_mistake(void) {
    begin();
    set(AWS_VAR_SECRET_ACCESS_KEY, "SECRET");
    expect_wrong(LARDER_INVALID, "AWS_ACCESS_KEY_ID");
    settings.access_key = "A";
    expect_wrong(LARDER_INVALID, "access-key and secret-key");
    end();
}

static void without_anything_the_container_and_then_the_instance_are_asked(void) {
    begin();
    config_file("[default]\nregion=eu-west-1\n");
    CU_ASSERT_EQUAL(make(), LARDER_OK);
    CU_ASSERT_EQUAL(plan.base, AWS_BASE_IMDS);
    set(AWS_VAR_IMDS_DISABLED, "true");
    expect_wrong(LARDER_DENIED, "AWS_EC2_METADATA_DISABLED");
    set(AWS_VAR_CONTAINER_FULL_URI, "http://localhost:81/x?a=b");
    set(AWS_VAR_CONTAINER_TOKEN, "T");
    CU_ASSERT_EQUAL(make(), LARDER_OK);
    CU_ASSERT_EQUAL(plan.base, AWS_BASE_CONTAINER);
    CU_ASSERT_STRING_EQUAL(plan.url, "http://localhost:81/x?a=b");
    CU_ASSERT_STRING_EQUAL(plan.token, "T");
    set(AWS_VAR_CONTAINER_RELATIVE_URI, "/v2/credentials/1");
    CU_ASSERT_EQUAL(make(), LARDER_OK);
    CU_ASSERT_STRING_EQUAL(plan.url, "http://169.254.170.2/v2/credentials/1");
    end();
}

/* A token for credentials in clear text goes nowhere but to this machine. */
static void a_container_is_asked_at_safe_addresses_alone(void) {
    static const struct {
        const char *url;
        bool ok;
    } cases[] = {{"https://x.example/c", true},         {"http://127.0.0.1:8/c", true},
                 {"http://127.1.2.3/c", true},          {"http://[::1]/c", true},
                 {"http://169.254.170.23/v1", true},    {"http://[fd00:ec2::23]/v1", true},
                 {"http://localhost:9", true},          {"http://x.example/c", false},
                 {"http://127.evil.example/c", false},  {"http://localhost.evil/c", false},
                 {"http://169.254.170.2.evil/", false}, {"http://10.0.0.1/c", false},
                 {"http://u@127.0.0.1/c", false},       {"ftp://127.0.0.1/", false}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        begin();
        set(AWS_VAR_CONTAINER_FULL_URI, cases[i].url);
        const int32_t status = make();
        if ((status == LARDER_OK) != cases[i].ok)
            printf("%s: %d\n", cases[i].url, status);
        CU_ASSERT_EQUAL(status, cases[i].ok ? LARDER_OK : LARDER_INVALID);
        end();
    }
    begin();
    set(AWS_VAR_CONTAINER_RELATIVE_URI, ".evil.example/"); /* the host goes on */
    expect_wrong(LARDER_INVALID, "RELATIVE_URI");
    end();
}

static void roles_follow_each_other_to_a_base(void) {
    begin();
    config_file(
        "[profile "
        "a]\nrole_arn=arn:a\nsource_profile=b\nexternal_id=X\nduration_seconds=900\nregion=eu-west-1\n"
        "[profile b]\nrole_arn=arn:b\nrole_session_name=me\nsource_profile=c\n");
    credentials_file("[c]\naws_access_key_id=C\naws_secret_access_key=CS\n");
    set(AWS_VAR_PROFILE, "a");
    expect_keys("C", "CS", "");
    CU_ASSERT_EQUAL(plan.n_roles, 2);
    CU_ASSERT_STRING_EQUAL(plan.roles[0].arn, "arn:a");
    CU_ASSERT_STRING_EQUAL(plan.roles[0].session_name, "larder");
    CU_ASSERT_STRING_EQUAL(plan.roles[0].external_id, "X");
    CU_ASSERT_STRING_EQUAL(plan.roles[0].duration_s, "900");
    CU_ASSERT_STRING_EQUAL(plan.roles[1].arn, "arn:b");
    CU_ASSERT_STRING_EQUAL(plan.roles[1].session_name, "me");
    CU_ASSERT_STRING_EQUAL(plan.region, "eu-west-1");
    end();

    begin(); /* a profile may be its own source, with keys of its own */
    config_file(
        "[default]\nrole_arn=arn:a\nsource_profile=default\naws_access_key_id=D\naws_secret_access_key=DS\n");
    expect_keys("D", "DS", "");
    CU_ASSERT_EQUAL(plan.n_roles, 1);
    end();

    static const struct {
        const char *source;
        enum aws_base base;
    } sources[] = {{"Ec2InstanceMetadata", AWS_BASE_IMDS},
                   {"EcsContainer", AWS_BASE_CONTAINER},
                   {"Environment", AWS_BASE_KEYS}};
    for (size_t i = 0; i < 3; i++) {
        char text[128];
        snprintf(text, sizeof(text), "[profile a]\nrole_arn=arn:a\ncredential_source=%s\n",
                 sources[i].source);
        begin();
        config_file(text);
        settings.profile = "a";
        set(AWS_VAR_CONTAINER_RELATIVE_URI, "/v2/x");
        set(AWS_VAR_ACCESS_KEY_ID, "E");
        set(AWS_VAR_SECRET_ACCESS_KEY, "ES");
        CU_ASSERT_EQUAL(make(), LARDER_OK);
        CU_ASSERT_EQUAL(plan.base, sources[i].base);
        CU_ASSERT_EQUAL(plan.n_roles, 1);
        end();
    }
}

static void web_identities_and_processes_are_found(void) {
    begin();
    set(AWS_VAR_WEB_IDENTITY_TOKEN_FILE, "/token");
    expect_wrong(LARDER_INVALID, "role");
    set(AWS_VAR_ROLE_ARN, "arn:w");
    set(AWS_VAR_ROLE_SESSION_NAME, "pod");
    CU_ASSERT_EQUAL(make(), LARDER_OK);
    CU_ASSERT_EQUAL(plan.base, AWS_BASE_WEB_IDENTITY);
    CU_ASSERT_STRING_EQUAL(plan.web_role.arn, "arn:w");
    CU_ASSERT_STRING_EQUAL(plan.web_role.session_name, "pod");
    CU_ASSERT_STRING_EQUAL(plan.token_file, "/token");
    end();

    begin();
    config_file("[profile w]\nrole_arn=arn:w\nweb_identity_token_file=/t\n[profile p]\ncredential_process = "
                "a \"b c\" d\n");
    settings.profile = "w";
    CU_ASSERT_EQUAL(make(), LARDER_OK);
    CU_ASSERT_EQUAL(plan.base, AWS_BASE_WEB_IDENTITY);
    CU_ASSERT_STRING_EQUAL(plan.token_file, "/t");
    settings.profile = "p";
    CU_ASSERT_EQUAL(make(), LARDER_OK);
    CU_ASSERT_EQUAL(plan.base, AWS_BASE_PROCESS);
    CU_ASSERT_STRING_EQUAL(plan.command, "a \"b c\" d");
    end();
}

static void what_is_wrong_with_a_profile_is_named(void) {
    static const char *const cases[][2] = {
        {"[profile x]\nrole_arn=a\n", "role_arn needs source_profile"},
        {"[profile x]\nrole_arn=a\nsource_profile=x\ncredential_source=Environment\n",
         "role_arn needs source_profile"},
        {"[profile x]\nrole_arn=a\nsource_profile=gone\n", "no profile gone"},
        {"[profile x]\nrole_arn=a\nsource_profile=y\n[profile y]\nrole_arn=b\nsource_profile=x\n", "circle"},
        {"[profile x]\nrole_arn=a\nsource_profile=y\n[profile y]\nregion=z\n", "has no credentials"},
        {"[profile x]\nrole_arn=a\nsource_profile=x\nmfa_serial=m\n", "mfa_serial"},
        {"[profile x]\nrole_arn=a\ncredential_source=Moon\n", "credential_source"},
        {"[profile x]\nsso_session=s\n", "SSO, which is not supported"},
        {"[profile x]\nsso_start_url=s\n", "export-credentials"},
        {"[profile x]\naws_secret_access_key=SECRET\n", "profile x"},
        {"[profile y]\nregion=z\n", "no profile x"},
        {"[profile x]\naws_access_key_id=A\naws_secret_access_key=SECRET\nuse_dualstack_endpoint=true\n",
         "DUALSTACK"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        begin();
        config_file(cases[i][0]);
        settings.profile = "x";
        expect_wrong(LARDER_INVALID, cases[i][1]);
        end();
    }
}

static void expect_endpoint(const char *service, const char *setting, const char *origin,
                            const char *region) {
    struct aws_endpoint endpoint = {0};
    const char *signed_for = "";
    CU_ASSERT_EQUAL(make(), LARDER_OK);
    const int32_t status = aws_plan_endpoint(&plan, plan.region, setting, &env, service, &endpoint,
                                             &signed_for, error);
    CU_ASSERT_EQUAL(status, origin ? LARDER_OK : LARDER_INVALID);
    if (origin)
        CU_ASSERT_STRING_EQUAL(aws_or_empty(endpoint.origin), origin);
    if (origin)
        CU_ASSERT_STRING_EQUAL(signed_for, region);
    aws_endpoint_done(&endpoint);
}

static void an_endpoint_is_set_or_that_of_the_region(void) {
    begin();
    expect_endpoint("dynamodb", NULL, NULL, NULL);
    CU_ASSERT_PTR_NOT_NULL(strstr(error, "AWS_REGION"));
    expect_endpoint("sts", NULL, "https://sts.us-east-1.amazonaws.com", "us-east-1");
    expect_endpoint("dynamodb", "http://localhost:8000", "http://localhost:8000", "us-east-1");
    config_file("[default]\nendpoint_url=http://profile:1\n");
    expect_endpoint("s3", NULL, "http://profile:1", "us-east-1");
    set(AWS_VAR_REGION, "eu-west-1");
    set(AWS_VAR_ENDPOINT_URL, "http://all:1");
    expect_endpoint("dynamodb", "", "http://all:1", "eu-west-1");
    set(AWS_VAR_ENDPOINT_URL_DYNAMODB, "http://ddb:1");
    expect_endpoint("dynamodb", "", "http://ddb:1", "eu-west-1");
    expect_endpoint("s3", "", "http://all:1", "eu-west-1");
    set(AWS_VAR_IGNORE_ENDPOINT_URLS, "true");
    expect_endpoint("dynamodb", "", "https://dynamodb.eu-west-1.amazonaws.com", "eu-west-1");
    set(AWS_VAR_USE_FIPS, "true");
    expect_endpoint("dynamodb", "", "https://dynamodb-fips.eu-west-1.amazonaws.com", "eu-west-1");
    end();
}

UNIT_MAIN("aws plan", UNIT(files_are_read_as_the_sdks_read_them), UNIT(a_line_with_a_nul_says_nothing),
          UNIT(settings_come_before_the_environment_and_that_before_the_profile),
          UNIT(half_a_pair_of_keys_is_a_mistake),
          UNIT(without_anything_the_container_and_then_the_instance_are_asked),
          UNIT(a_container_is_asked_at_safe_addresses_alone), UNIT(roles_follow_each_other_to_a_base),
          UNIT(web_identities_and_processes_are_found), UNIT(what_is_wrong_with_a_profile_is_named),
          UNIT(an_endpoint_is_set_or_that_of_the_region))
