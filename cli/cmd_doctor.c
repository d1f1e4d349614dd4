/* larder doctor: everything that must work, tried in order; the parts are doctor_*.c. */
#include "doctor.h"

static const struct option options[] = {
    {"rounds", "N", "gets, puts and reads of marks to time; 20 if not given"},
    {NULL, NULL, NULL},
};

static void see_driver(void *arg, const char *path, const struct larder_driver *driver,
                       const struct larder_error *error) {
    struct exam *exam = arg;
    if (driver == NULL)
        tell(exam, WARN, "driver file", "build it for this core, or take it away", "%s", error->text);
    else
        tell(exam, OK, "driver", NULL, "%s %s, %s", driver->name, driver->version, path);
}

/* What is to be seen is the store, not this process's memory of it. */
static int set_apart(struct cli *cli) {
    static const char *const settings[][2] = {{"memory", "0"}, {"mark-age", "0"}, {"claim", "0"}};
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
        struct larder_error error;
        int32_t status = larder_config_set(cli->config, settings[i][0], settings[i][1], "larder doctor",
                                           &error);
        if (status != LARDER_OK)
            return cli_failed(cli, status, "%s", error.text);
    }
    return CODE_DONE;
}

static int open_stores(struct exam *exam) {
    struct larder_error error;
    int code = set_apart(exam->cli);
    if (code == CODE_DONE)
        code = cli_open(exam->cli);
    if (code != CODE_DONE)
        return code;
    int32_t status = larder_open(exam->cli->config, &exam->other, &error);
    return status == LARDER_OK ? CODE_DONE : cli_failed(exam->cli, status, "%s", error.text);
}

static int run(struct cli *cli) {
    struct exam exam = {.cli = cli};
    int64_t rounds = 0;
    int code = cli_number(cli, "rounds", LARDER_P_INT, 1, 10000, &rounds);
    if (code != CODE_DONE)
        return code;
    tell(&exam, OK, "version", NULL, "%s, drivers of ABI %u", larder_version(), LARDER_ABI);
    larder_driver_each(see_driver, &exam);
    code = cli_configure(cli);
    if (code == CODE_DONE)
        code = doctor_read_settings(&exam);
    if (code != CODE_DONE)
        return code;
    doctor_settings(&exam);
    doctor_disk(&exam);
    doctor_journal(&exam);
    code = open_stores(&exam);
    if (code == CODE_DONE) {
        doctor_store(&exam);
        doctor_times(&exam);
        doctor_counters(&exam);
        doctor_journal_again(&exam);
        tell_sum(&exam);
        code = exam.n_failed ? CODE_STORE : CODE_DONE;
    }
    larder_close(exam.other);
    return code;
}

const struct command command_doctor = {
    .name = "doctor",
    .words = "",
    .summary = "Try everything an application needs of the store, and say what is wrong",
    .help =
        "One line for each check: ok, warn or FAIL, what was looked at, what was found, and behind an\n"
        "arrow what to do about it.\n"
        "\n"
        "It looks at the configuration, the disk of the driver fs, and the folder of the setting `journal`;\n"
        "then it stores an entry of its own (kind fetch, key larder-doctor-...), reads it back, also from a\n"
        "second store as another process would, revalidates its tag (larder-doctor), sees that both have it\n"
        "gone, and removes it.  Gets, puts and reads of marks are timed and compared with the deadlines.\n"
        "A store that can be used shows no FAIL; of a warning you decide.  What stays is one mark, and the\n"
        "epoch is one higher.  Revalidations that wait in the journal are taken over, as by any process.\n"
        "\n"
        "It reads past the memory of entries (settings memory, mark-age and claim): the times are the "
        "store's.\n"
        "\n"
        "Exit codes: 0 nothing failed; 2 the configuration is wrong; 3 something failed.\n"
        "\n"
        "Examples:\n"
        "  larder doctor\n"
        "  larder doctor --rounds 1000\n"
        "  larder doctor --json | jq -r 'select(.verdict != \"ok\") | .found, .toDo'\n",
    .options = options,
    .run = run,
};
