/*
 * Configuration from outside.  The first byte chooses: JSON, one setting by name, or one value
 * for each type of setting.  No driver is loaded: a name may be a path.
 */
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "fuzz.h"
#include "param.h"

struct settings {
    const char *url, *mode, *secret;
    int64_t flag, number, size, time;
};
#define AT(member) LARDER_AT(struct settings, member)
static const struct larder_param params[] = {
    {"url", LARDER_P_TEXT, AT(url), "", 0, 0, NULL, NULL, "An URL."},
    {"mode", LARDER_P_TEXT, AT(mode), "auto", 0, 0, "auto|on|off", NULL, "One of three."},
    {"secret", LARDER_P_SECRET, AT(secret), "", 0, 0, NULL, NULL, "A secret."},
    {"flag", LARDER_P_BOOL, AT(flag), "false", 0, 1, NULL, NULL, "A flag."},
    {"number", LARDER_P_INT, AT(number), "0", -5, 19, NULL, NULL, "A number."},
    {"size", LARDER_P_BYTES, AT(size), "0", 0, INT64_C(1) << 40, NULL, NULL, "A size."},
    {"time", LARDER_P_MS, AT(time), "0", 0, INT64_C(1) << 40, NULL, NULL, "A time."},
};

static char *text_of(const uint8_t *data, size_t size) {
    char *text = malloc(size + 1);
    CHECK(text != NULL);
    if (size > 0)
        memcpy(text, data, size);
    text[size] = '\0';
    return text;
}

static void check_error(int32_t status, const struct larder_error *error) {
    CHECK(status <= LARDER_OK);
    if (status != LARDER_OK) {
        CHECK(memchr(error->text, '\0', sizeof(error->text)) != NULL);
        CHECK(error->text[0] != '\0' && error->status == status);
        CHECK(strchr(error->text, '\n') == NULL);
    }
}

static void as_json(const uint8_t *data, size_t size) {
    struct larder_config *config = larder_config_new();
    struct larder_error error = {0};
    CHECK(config != NULL);
    check_error(larder_config_json(config, (const char *)data, size, "larder.json", &error), &error);
    larder_config_free(config);
}

static void as_setting(char *text) {
    struct larder_config *config = larder_config_new();
    struct larder_error error = {0};
    CHECK(config != NULL);
    char *value = strchr(text, '=');
    if (value != NULL) {
        *value++ = '\0';
        check_error(larder_config_set(config, text, value, "a test", &error), &error);
    }
    larder_config_free(config);
}

static void as_value(const char *text) {
    struct param_set *set = param_set_new(params, N_ELEMENTS(params), sizeof(struct settings));
    CHECK(set != NULL);
    for (size_t i = 0; i < N_ELEMENTS(params); i++) {
        struct larder_error error = {0};
        char shown[64];
        int32_t status = param_set_text(set, "the test", "here", params[i].name, text, &error);
        check_error(status, &error);
        param_redact(&params[i], text, shown, sizeof(shown));
        CHECK(memchr(shown, '\0', sizeof(shown)) != NULL);
        CHECK(params[i].type != LARDER_P_SECRET || text[0] == '\0' || strcmp(shown, text) != 0 ||
              strcmp(text, "***") == 0);
    }
    struct larder_error error = {0};
    CHECK(param_set_text(set, "the test", "here", text, "1", &error) <= LARDER_OK);
    const struct settings *s = param_set_config(set);
    CHECK(s->url != NULL && s->secret != NULL);
    CHECK(strcmp(s->mode, "auto") == 0 || strcmp(s->mode, "on") == 0 || strcmp(s->mode, "off") == 0);
    CHECK(s->flag == 0 || s->flag == 1);
    CHECK(s->number >= -5 && s->number <= 19);
    CHECK(s->size >= 0 && s->size <= INT64_C(1) << 40 && s->time >= 0 && s->time <= INT64_C(1) << 40);
    param_set_free(set);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 1)
        return 0;
    char *text = text_of(data + 1, size - 1);
    switch (data[0] % 3) {
    case 0: as_json(data + 1, size - 1); break;
    case 1: as_setting(text); break;
    default: as_value(text); break;
    }
    free(text);
    return 0;
}
