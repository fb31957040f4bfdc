/* Updates per second of the paper's training recipe. Prints one JSON line.
 *
 *   bench_train [--batch 64] [--updates 1000] [--repeat 5] [--ema 1]      threads: OMP_NUM_THREADS */
#include "bench.h"

#include "flavordiff/rng.h"
#include "flavordiff/trainer.h"

enum { PAIRS = 100000, DIM = 23, LABELS = 11 };

int main(int argc, char **argv) {
    long updates = bench_option(argc, argv, "--updates", 1000), repeat = bench_option(argc, argv, "--repeat", 5);
    fd_network_spec spec;
    fd_schedule_spec schedule_spec;
    fd_train_spec train;
    fd_network *network = NULL;
    fd_schedule *schedule = NULL;
    fd_trainer *trainer = NULL;
    fd_error err = {0};
    fd_network_spec_paper(&spec, DIM, LABELS);
    fd_schedule_spec_paper(&schedule_spec);
    fd_train_spec_paper(&train);
    train.batch = (int)bench_option(argc, argv, "--batch", 64);
    if (bench_option(argc, argv, "--ema", 2) != 1) train.ema_decay = 0; /* the paper has none */
    float *x = malloc(sizeof *x * PAIRS * DIM), *labels = malloc(sizeof *labels * PAIRS * LABELS);
    if (!x || !labels) return 1;
    fd_rng rng;
    fd_rng_start(&rng, 1, FD_STREAM_TEST, 0, 0);
    for (size_t i = 0; i < (size_t)PAIRS * DIM; i++) x[i] = (float)(2 * fd_rng_uniform(&rng) - 1);
    for (size_t i = 0; i < (size_t)PAIRS * LABELS; i++) labels[i] = (float)fd_rng_normal(&rng);
    if (fd_network_create(&spec, &network, &err) || fd_schedule_create(&schedule_spec, &schedule, &err)) goto failed;
    fd_network_initialise(network, 1);
    if (fd_trainer_create(network, schedule, &train, &(fd_train_data){.n = PAIRS, .n_train = PAIRS, .x = x, .labels = labels}, 1, &trainer, &err)) goto failed;
    double best = 0;
    for (long r = 0; r <= repeat; r++) { /* the first warms up */
        double start = bench_now();
        for (long i = 0; i < updates; i++) fd_trainer_step(trainer);
        double rate = (double)updates / (bench_now() - start);
        if (r > 0 && rate > best) best = rate;
    }
    const fd_kernels *kernels = fd_kernels_get();
    /* forward, the weights' gradient, and the inputs' gradient but for the first layer */
    double flops = train.batch * (3 * bench_flops(&spec) - 2.0 * DIM * spec.widths[0]), peak = bench_peak(kernels);
    printf("{\"what\": \"train\", \"kernels\": \"%s\", \"threads\": %d, \"batch\": %d, \"ema\": %s, \"updates_per_s\": "
           "%.1f, "
           "\"gflops\": %.1f, \"peak_gflops\": %.1f, \"fraction\": %.3f}\n",
           kernels->name, omp_get_max_threads(), train.batch, train.ema_decay > 0 ? "true" : "false", best,
           best * flops * 1e-9, peak * 1e-9, best * flops / peak);
failed:
    if (err.message[0]) fprintf(stderr, "bench_train: %s\n", err.message);
    fd_trainer_free(trainer);
    fd_schedule_free(schedule);
    fd_network_free(network);
    free(x);
    free(labels);
    return err.message[0] != 0;
}
