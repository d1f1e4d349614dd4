/*
 * The options of withLarder(), which `next build` leaves in the build output
 * (bindings/node/lib/settings.js, OPTIONS_FILE): without them this program would look into
 * another store than the application does.
 */
#include "next_options.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Not for the store: NOT_SETTINGS in settings.js. */
static const char *const others[] = {"useCache", "images", "config"};

enum { MOST = 1 << 20 };

static int32_t take(cJSON *root, struct next_options *ret) {
    const char *config = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(root, "config"));
    if (config && (ret->config = strdup(config)) == NULL)
        return LARDER_NOMEM;
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        cJSON_DeleteItemFromObjectCaseSensitive(root, others[i]);
    ret->json = cJSON_PrintUnformatted(root);
    return ret->json ? LARDER_OK : LARDER_NOMEM;
}

int32_t next_options_read(const char *dir, struct next_options *ret) {
    *ret = (struct next_options){0};
    const size_t size = strlen(dir) + sizeof NEXT_OPTIONS_FILE + 1;
    char *path = malloc(size);
    if (path == NULL)
        return LARDER_NOMEM;
    snprintf(path, size, "%s/%s", dir, NEXT_OPTIONS_FILE);
    FILE *file = fopen(path, "rb");
    free(path);
    if (file == NULL)
        return LARDER_OK; /* no build here, or one without withLarder() */
    int32_t status = LARDER_NOMEM;
    cJSON *root = NULL;
    char *text = calloc(1, MOST);
    if (text) {
        size_t len = fread(text, 1, MOST - 1, file);
        root = cJSON_ParseWithLength(text, len);
        status = LARDER_OK;
    }
    fclose(file);
    free(text);
    /* As the handler does: what cannot be read is as good as absent. */
    if (cJSON_IsObject(root))
        status = take(root, ret);
    cJSON_Delete(root);
    return status;
}

void next_options_done(struct next_options *options) {
    free(options->config);
    if (options->json)
        explicit_bzero(options->json, strlen(options->json));
    free(options->json);
}
