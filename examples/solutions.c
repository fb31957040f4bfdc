/* Exact solutions by the library: draws from the prior inside the 3 sigma windows of a target set, and what they predict.
 *
 *   cc solutions.c $(pkg-config --cflags --libs flavordiff) -o solutions
 *   ./solutions 10 nufit-6.0-ic24-no */
#include <flavordiff/region.h>
#include <flavordiff/files.h>
#include <flavordiff/target.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv) {
    const char *name = argc > 2 ? argv[2] : "paper-table1-no";
    size_t wanted = argc > 1 ? strtoul(argv[1], NULL, 10) : 10;
    fd_error err = {0};
    fd_target target;
    fd_model_options options;
    fd_model *model = NULL;
    fd_judge *judge = NULL;
    fd_region region;
    fd_rng rng;

    fd_model_options_default(&options);
    fd_status status = fd_target_load(name, &target, &err);
    options.ordering = target.ordering;
    if (!status) status = fd_model_create(&options, &model, &err);
    if (!status) status = fd_judge_create(model, &target, &judge, &err);
    if (status) {
        fprintf(stderr, "solutions: %s\n", err.message);
        return fd_status_exit_code(status);
    }
    int sum_m = fd_model_observable(model, "sum_m_eV"), mbb = fd_model_observable(model, "mbb_eV");
    fd_judge_region(judge, 1, &region);
    fd_rng_start(&rng, 1, FD_STREAM_REFERENCE, 0, 0);
    printf("sum_m_eV,mbb_eV\n");
    while (wanted > 0) {
        /* Proposals, not rows, end a call: to stop at the first row would favour orbits that give few. */
        enum { PROPOSALS = 4096, ROOM = 512 };
        static double theta[ROOM * FD_MAX_PARAMS];
        uint64_t tried = PROPOSALS;
        size_t n = fd_region_draw(model, &region, &rng, 0.3, ROOM, theta, &tried);
        for (size_t i = 0; i < n && wanted > 0; i++, wanted--) {
            double observables[FD_MAX_OBSERVABLES];
            model->forward(model, 1, theta + i * (size_t)model->n_params, NULL, observables);
            printf("%.17g,%.17g\n", observables[sum_m], observables[mbb]);
        }
    }
    fd_judge_free(judge);
    fd_model_free(model);
    return 0;
}
