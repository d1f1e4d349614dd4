/* larder config: what is in force. */
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "settings.h"

static const struct option options[] = {
    {"check", NULL, "only tell whether the configuration is right"},
    {"settings", NULL, "list what can be set of a store, with defaults and bounds"},
    {NULL, NULL, NULL},
};

static int list_settings(struct cli *cli) {
    size_t n;
    const struct larder_param *params = larder_store_params(&n);
    if (cli->json) {
        json_object(&cli->out, NULL);
        settings_json(&cli->out, params, n);
        json_end(&cli->out);
        return CODE_DONE;
    }
    settings_print(params, n);
    printf("\nSettings of drivers: larder drivers NAME\n");
    return CODE_DONE;
}

static int check(struct cli *cli) {
    struct larder_error error;
    int32_t status = larder_config_check(cli->config, &error);
    if (status != LARDER_OK)
        return cli_failed(cli, status, "%s", error.text);
    if (cli->json) {
        json_object(&cli->out, NULL);
        json_text(&cli->out, "status", "ok");
        json_end(&cli->out);
    } else {
        puts("ok");
    }
    return CODE_DONE;
}

static int print(struct cli *cli) {
    struct larder_error error;
    char *json = NULL;
    int32_t status = larder_config_print(cli->config, &json, &error);
    if (status != LARDER_OK)
        return cli_failed(cli, status, "%s", error.text);
    puts(json);
    free(json);
    return CODE_DONE;
}

static int run(struct cli *cli) {
    if (args_has(&cli->args, "settings"))
        return list_settings(cli);
    int code = cli_configure(cli);
    if (code != CODE_DONE)
        return code;
    return args_has(&cli->args, "check") ? check(cli) : print(cli);
}

const struct command command_config = {
    .name = "config",
    .words = "",
    .summary = "Print or check the configuration that is in force",
    .help =
        "The configuration as one JSON object, with defaults filled in and secrets as ***: larder.json,\n"
        "LARDER_* variables and options put together.  It can be used as a larder.json.  Nothing is opened.\n"
        "\n"
        "Exit codes: 0; 2 the configuration is wrong, with what and where.\n"
        "\n"
        "Examples:\n"
        "  larder config\n"
        "  LARDER_CACHE=redis://cache:6379 larder config --check\n"
        "  larder config --settings\n",
    .options = options,
    .run = run,
};
