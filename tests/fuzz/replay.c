/*
 * Runs a fuzz target over files: replay PATH...  A folder stands for the files in it.  So the
 * corpora are tests in every build, also where there is no libFuzzer.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "fuzz.h"

enum { FILE_MAX = 1 << 20, PATH_SIZE = 4096 };

static unsigned n_run;

static int run_file(const char *path) {
    static uint8_t room[FILE_MAX];
    FILE *file = fopen(path, "rb");
    size_t len = 0;
    int status = 0;

    if (file != NULL)
        len = fread(room, 1, sizeof(room), file);
    if (file == NULL || ferror(file) || !feof(file)) {
        fprintf(stderr, "cannot read all of %s\n", path);
        status = 1;
    } else {
        /* As libFuzzer does: memory of exactly this length. */
        uint8_t *data = malloc(len > 0 ? len : 1);
        if (data == NULL)
            abort();
        memcpy(data, room, len);
        LLVMFuzzerTestOneInput(data, len);
        free(data);
        n_run++;
    }
    if (file != NULL)
        fclose(file);
    return status;
}

static int run_folder(const char *path) {
    DIR *dir = opendir(path);
    int status = 0;

    if (dir == NULL) {
        fprintf(stderr, "cannot open %s\n", path);
        return 1;
    }
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        char name[PATH_SIZE];
        if (entry->d_name[0] == '.')
            continue;
        int len = snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
        status |= len < 0 || (size_t)len >= sizeof(name) || run_file(name);
    }
    closedir(dir);
    return status;
}

int main(int argc, char **argv) {
    int status = 0;

    for (int i = 1; i < argc; i++) {
        struct stat st;
        status |= stat(argv[i], &st) == 0 && S_ISDIR(st.st_mode) ? run_folder(argv[i]) : run_file(argv[i]);
    }
    printf("%u inputs\n", n_run);
    return status || n_run == 0;
}
