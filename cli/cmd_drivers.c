/* larder drivers: which there are, and what can be set. */
#include <inttypes.h>
#include <string.h>

#include "cli.h"
#include "settings.h"

static const char *offer_of(const struct larder_driver *driver) {
    return driver->cache && driver->tags ? "entries, tags" : driver->cache ? "entries" : "tags";
}

static void json_driver(struct json *out, const struct larder_driver *driver) {
    json_text(out, "name", driver->name);
    json_text(out, "version", driver->version);
    json_text(out, "summary", driver->summary);
    json_bool(out, "entries", driver->cache != NULL);
    json_bool(out, "tags", driver->tags != NULL);
    if (driver->schemes)
        json_text(out, "schemes", driver->schemes);
}

struct tally {
    struct cli *cli;
    unsigned n;
};

static void print_one(void *arg, const char *path, const struct larder_driver *driver,
                      const struct larder_error *error) {
    struct tally *tally = arg;
    struct cli *cli = tally->cli;
    tally->n++;
    if (cli->json) {
        json_object(&cli->out, NULL);
        json_text(&cli->out, "path", path);
        if (driver)
            json_driver(&cli->out, driver);
        else
            json_text(&cli->out, "error", error->text);
        json_end(&cli->out);
    } else if (driver) {
        printf("%-14s%-10s%-15s%s\n", driver->name, driver->version, offer_of(driver), driver->summary);
    } else {
        fflush(stdout);
        fprintf(stderr, "larder drivers: refused: %s\n", error->text);
    }
}

static int describe(struct cli *cli, const char *name) {
    const struct larder_driver *driver;
    struct larder_error error;
    int32_t status = larder_driver_find(name, &driver, &error);
    if (status != LARDER_OK) {
        cli_failed(cli, status, "%s", error.text);
        return status == LARDER_NOMEM ? CODE_STORE : CODE_NEGATIVE;
    }
    if (cli->json) {
        json_object(&cli->out, NULL);
        json_driver(&cli->out, driver);
        settings_json(&cli->out, driver->params, driver->n_params);
        json_end(&cli->out);
        return CODE_DONE;
    }
    printf("%s %s: %s\n", driver->name, driver->version, driver->summary);
    printf("keeps %s\n", offer_of(driver));
    if (driver->schemes)
        printf("URL schemes besides %s: %s\n", driver->name, driver->schemes);
    printf("\nSettings (cache.NAME, tags.NAME, or NAME=VALUE behind the ? of a URL):\n");
    settings_print(driver->params, driver->n_params);
    return CODE_DONE;
}

static int run(struct cli *cli) {
    if (cli->args.n_words > 0)
        return describe(cli, cli->args.words[0]);
    struct tally tally = {.cli = cli};
    larder_driver_each(print_one, &tally);
    if (tally.n > 0)
        return CODE_DONE;
    if (!cli->json)
        fputs("larder drivers: none found; LARDER_DRIVER_PATH names folders to look into\n", stderr);
    return CODE_NEGATIVE;
}

const struct command command_drivers = {
    .name = "drivers",
    .words = "[NAME]",
    .min_words = 0,
    .max_words = 1,
    .summary = "List the drivers, or describe one and its settings",
    .help =
        "Without NAME: one line for each driver in the folders of LARDER_DRIVER_PATH and in the folder\n"
        "`larder` beside the library, and a warning for each file there that is no driver for this core.\n"
        "NAME is a driver's name, one of its URL schemes, or a path with a slash in it.\n"
        "\n"
        "Exit codes: 0; 1 no driver, or NAME is refused; 2 as larder --help says.\n"
        "\n"
        "Examples:\n"
        "  larder drivers\n"
        "  larder drivers fs\n"
        "  larder drivers ./build/lib/larder/mine.so --json\n",
    .run = run,
};
