/* The doctor's look at the configuration: what should not be so in production, and at the disk. */
#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#include "doctor.h"

/* ---- reading what is in force ---------------------------------------------------------------- */

static void take_text(const cJSON *object, const char *name, char *out, size_t size) {
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, name));
    snprintf(out, size, "%s", text ? text : "");
}

/* Left alone where it is not there: it is printed as a number or as a text with a unit. */
static void take_number(const cJSON *object, const char *name, uint32_t type, int64_t *ret) {
    const struct larder_param param = {.name = name, .type = type, .min = 0, .max = INT64_MAX};
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);
    struct larder_error error;
    if (cJSON_IsNumber(item))
        *ret = (int64_t)item->valuedouble;
    else if (cJSON_IsString(item) && larder_param_read(&param, item->valuestring, ret, &error) != LARDER_OK)
        *ret = 0;
}

int doctor_read_settings(struct exam *exam) {
    struct doctor_settings *s = &exam->settings;
    struct larder_error error;
    char *text = NULL;
    int32_t status = larder_config_print(exam->cli->config, &text, &error);
    if (status != LARDER_OK)
        return cli_failed(exam->cli, status, "%s", error.text);
    cJSON *root = cJSON_Parse(text);
    free(text);
    if (root == NULL)
        return cli_failed(exam->cli, LARDER_NOMEM, "out of memory");
    const cJSON *cache = cJSON_GetObjectItemCaseSensitive(root, "cache");
    take_text(root, "namespace", s->ns, sizeof s->ns);
    take_text(root, "journal", s->journal, sizeof s->journal);
    take_text(root, "fault", s->fault, sizeof s->fault);
    take_text(cache, "driver", s->cache_driver, sizeof s->cache_driver);
    take_text(cache, "url", s->cache_url, sizeof s->cache_url);
    take_number(cache, "max-size", LARDER_P_BYTES, &s->cache_max_size);
    take_number(root, "get-deadline", LARDER_P_MS, &s->get_deadline_ms);
    take_number(root, "write-deadline", LARDER_P_MS, &s->write_deadline_ms);
    take_number(root, "mark-age", LARDER_P_MS, &s->mark_age_ms);
    take_number(root, "breaker", LARDER_P_INT, &s->breaker);
    take_number(root, "retries", LARDER_P_INT, &s->retries);
    cJSON_Delete(root);
    return CODE_DONE;
}

/* ---- what it says ------------------------------------------------------------------------------- */

void doctor_settings(struct exam *exam) {
    const struct doctor_settings *s = &exam->settings;
    char age[TIME_TEXT];
    tell(exam, OK, "configuration", NULL, "larder config prints it");
    if (*s->fault)
        tell(exam, WARN, "fault", "take the setting `fault` away, unless this is a drill",
             "faults are injected on purpose: %s", s->fault);
    if (s->breaker == 0)
        tell(exam, WARN, "breaker", "leave `breaker` at its default, 50",
             "off: while the store is down, each request waits for its deadline");
    if (s->retries == 0)
        tell(exam, WARN, "retries", "leave `retries` at its default, 2",
             "0: a call that fails in passing is not repeated, and throttling does not slow the sender");
    if (s->mark_age_ms > 0)
        tell(exam, OK, "mark-age", NULL, "%s: what another process revalidates is seen up to so much later",
             duration_text(s->mark_age_ms, age));
}

/* ---- the disk of the driver fs --------------------------------------------------------------- */

/* The file system that the folder is on, or will be on: that of its nearest parent. */
static int stat_place(const char *folder, struct statvfs *ret) {
    char path[sizeof((struct doctor_settings *)0)->cache_url];
    snprintf(path, sizeof path, "%s", folder);
    for (;;) {
        if (statvfs(path, ret) == 0)
            return 0;
        char *slash = strrchr(path, '/');
        if (slash == NULL)
            return statvfs(".", ret);
        if (slash == path)
            return statvfs("/", ret);
        *slash = '\0';
    }
}

/* A put that finds no room fails and lets the driver free a tenth of max-size: so much should be there. */
void doctor_disk(struct exam *exam) {
    enum { PART = 10, MB = 1 << 20 };
    static const char to_do[] = "free some space, lower cache.max-size, or move the folder";
    const struct doctor_settings *s = &exam->settings;
    struct statvfs st;
    if (strcmp(s->cache_driver, "fs") != 0)
        return;
    if (stat_place(s->cache_url, &st) != 0) {
        tell(exam, FAIL, "disk", "see that the folder can be reached by this user", "%s: %s", s->cache_url,
             cli_errno());
        return;
    }
    const double unit = (double)st.f_frsize, size = unit * (double)st.f_blocks,
                 free_bytes = unit * (double)st.f_bavail;
    const double most = (double)s->cache_max_size;
    if (st.f_files > 0 && st.f_favail == 0)
        tell(exam, FAIL, "disk", "remove files: each entry is one", "%s: no inodes are left", s->cache_url);
    else if (most > size)
        tell(exam, WARN, "disk", to_do, "%s: cache.max-size is %.0f MB, the whole disk has %.0f",
             s->cache_url, most / MB, size / MB);
    else if (free_bytes < most / PART)
        tell(exam, WARN, "disk", to_do, "%s: %.0f MB are free, less than a tenth of cache.max-size",
             s->cache_url, free_bytes / MB);
    else
        tell(exam, OK, "disk", NULL, "%s: %.0f MB are free", s->cache_url, free_bytes / MB);
}
