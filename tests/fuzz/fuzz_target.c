/* Target sets. */
#define _GNU_SOURCE
#include <math.h>

#include "flavordiff/files.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static fd_target target;
    char path[FUZZ_PATH];
    fd_error err = {0};
    int fd = file_of(data, size, path);
    fd_status status = fd_target_load(path, &target, &err);
    check_outcome(status, &err);
    drop_file(fd, path);
    if (status) return 0;
    MUST(target.n_measurements >= 1 && target.n_measurements <= FD_MAX_MEASUREMENTS);
    MUST(target.n_limits >= 0 && target.n_limits <= FD_MAX_LIMITS);
    for (int i = 0; i < target.n_measurements; i++) {
        const fd_measurement *m = &target.measurements[i];
        MUST(m->lo < m->hi && isfinite(m->lo) && isfinite(m->hi) && isfinite(m->best) && m->plus > 0 && m->minus > 0);
    }
    fd_model_options options; /* what measures only what the model predicts is judged by it */
    fd_model *model = NULL;
    fd_judge *judge = NULL;
    fd_model_options_default(&options);
    options.ordering = target.ordering;
    MUST(fd_model_create(&options, &model, NULL) == FD_OK);
    check_outcome(fd_judge_create(model, &target, &judge, &err), &err);
    fd_judge_free(judge);
    fd_model_free(model);
    return 0;
}
