/* CSV files of points. */
#define _GNU_SOURCE
#include <math.h>

#include "cli/csv.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static fd_model *model;
    char path[FUZZ_PATH];
    fd_error err = {0};
    csv_reader reader;
    double theta[FD_MAX_PARAMS];
    if (!model) {
        fd_model_options options;
        fd_model_options_default(&options);
        MUST(fd_model_create(&options, &model, NULL) == FD_OK);
    }
    int fd = file_of(data, size, path), more = 1;
    fd_status status = csv_open(path, model, &reader, &err);
    while (!status && more) {
        status = csv_next(&reader, model, theta, &more, &err);
        for (int p = 0; p < model->n_params && !status && more; p++) MUST(isfinite(theta[p]));
    }
    check_outcome(status, &err);
    csv_close(&reader);
    drop_file(fd, path);
    return 0;
}
