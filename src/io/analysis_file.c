/* Analysis files: the observables of selected rows, one dataset each, for people and their tools. docs/formats.md. */
#include <stdlib.h>
#include <unistd.h>

#include "flavordiff/files.h"
#include "io/file_safety.h"
#include "io/h5.h"
#include "io/provenance.h"
#include "io/sample_info.h"

static void write_rows(fd_h5 *h, const fd_model *model, size_t n, const float *theta, const double *chi2,
                       const uint8_t *flags) {
    hid_t group = fd_h5_new_group(h, "samples");
    fd_h5_put_array(h, group, "theta", H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, &(fd_h5_shape){2, {n, (hsize_t)model->n_params}},
                    theta, "see /model/parameters/unit", "Parameters G of each point");
    fd_h5_put_array(h, group, "chi2", H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, &(fd_h5_shape){1, {n}}, chi2, "1",
                    "chi^2 of the five observables (two mass-squared differences, three sin^2)");
    fd_h5_put_array(h, group, "valid", H5T_STD_U8LE, H5T_NATIVE_UINT8, &(fd_h5_shape){1, {n}}, flags, "bits",
                    "1: finite, 2: inside the prior, 4: masses inside 3 sigma, 8: angles inside 3 sigma, "
                    "16: all labels inside 3 sigma");
    fd_h5_drop(h, group);
}

/* observables (n, n_observables) -> one dataset a column; `column` holds n numbers. */
static void write_observables(fd_h5 *h, const fd_model *model, size_t n, const double *observables, double *column) {
    hid_t group = fd_h5_new_group(h, "observables");
    for (int k = 0; k < model->n_observables; k++) {
        const fd_observable *o = &model->observables[k];
        for (size_t i = 0; i < n; i++) column[i] = observables[i * (size_t)model->n_observables + (size_t)k];
        hid_t dataset = fd_h5_new_dataset(h, group, o->name, H5T_IEEE_F64LE, &(fd_h5_shape){1, {0}}, o->unit,
                                          o->description);
        fd_h5_append(h, dataset, H5T_NATIVE_DOUBLE, n, column);
        fd_h5_put_text(h, dataset, "latex", o->latex);
        fd_h5_put_u64(h, dataset, "periodic", o->periodic);
        fd_h5_drop(h, dataset);
    }
    fd_h5_drop(h, group);
}

fd_status fd_analysis_write(const char *path, bool force, const fd_model *model, const fd_sample_info *info,
                            const fd_provenance *provenance, size_t n, const float *theta, const double *observables,
                            const double *chi2, const uint8_t *flags, fd_error *err) {
    fd_part part = {.lock = -1};
    fd_h5 h = {.file = H5I_INVALID_HID};
    double *column = calloc(n + 1, sizeof *column);
    fd_status status = column ? fd_part_begin(path, force, &part, err)
                              : fd_fail(err, FD_ERR_MEMORY, "%s: out of memory", path);
    if (status) goto cleanup;
    fd_h5_create(&h, part.name, path, err);
    fd_provenance_write(&h, FD_FORMAT_ANALYSIS, provenance);
    fd_model_group_write(&h, model, NULL);
    write_rows(&h, model, n, theta, chi2, flags);
    fd_sample_info_write(&h, info, n);
    write_observables(&h, model, n, observables, column);
    fd_h5_close(&h);
    status = h.status ? h.status : fd_part_commit(&part, err);
cleanup:
    fd_part_abort(&part);
    free(column);
    return status;
}
