/* Guided sampling steps per second of the paper's network: two evaluations, noise and update each. Prints one JSON
 * line. The fraction counts only the multiply-adds of the layers, and times the whole loop.
 *
 *   bench_sample [--samples 4096] [--steps 20] [--repeat 5]      threads: OMP_NUM_THREADS */
#include "bench.h"

#include "flavordiff/sampler.h"

static const float label[11] = {0.1f, -0.3f, 0.8f, 0.5f, 0.1f, -0.4f, 0.6f, 0.7f, 0.3f, 0.6f, 0.7f};

/* Whole generation, tiles shared among the threads. False when memory is short. */
static bool generate(const fd_sampler *sampler, const fd_denoiser *denoiser, long samples, float *x) {
    bool ok = true;
#pragma omp parallel reduction(&& : ok)
    {
        void *scratch = aligned_alloc(64, (fd_sampler_scratch_bytes(sampler, denoiser) + 63) / 64 * 64);
        ok = scratch != NULL;
#pragma omp for schedule(dynamic)
        for (long first = 0; first < samples; first += denoiser->max_rows) {
            int rows = samples - first < denoiser->max_rows ? (int)(samples - first) : denoiser->max_rows;
            if (ok)
                fd_sampler_run(sampler, denoiser, 1, (uint64_t)first, rows, label, 1, x + first * denoiser->dim,
                               scratch);
        }
        free(scratch);
    }
    return ok;
}

int main(int argc, char **argv) {
    long samples = bench_option(argc, argv, "--samples", 4096), repeat = bench_option(argc, argv, "--repeat", 5);
    fd_network_spec spec;
    fd_schedule_spec schedule_spec;
    fd_sampler_spec sampler_spec = {.kind = FD_SAMPLER_DDPM, .steps = (int)bench_option(argc, argv, "--steps", 20)};
    fd_network *network = NULL;
    fd_schedule *schedule = NULL;
    fd_denoiser *inner = NULL, *guided = NULL;
    fd_sampler *sampler = NULL;
    fd_error err = {0};
    fd_network_spec_paper(&spec, 23, 11);
    fd_schedule_spec_paper(&schedule_spec);
    float *x = malloc(sizeof *x * (size_t)samples * (size_t)spec.dim);
    if (!x) return 1;
    if (fd_network_create(&spec, &network, &err) || fd_schedule_create(&schedule_spec, &schedule, &err)) goto failed;
    fd_network_initialise(network, 1);
    if (fd_network_denoiser(network, schedule, &inner, &err) || fd_guided_denoiser(inner, 8, &guided, &err) ||
        fd_sampler_create(&sampler_spec, schedule, &sampler, &err))
        goto failed;
    double best = 0;
    for (long r = 0; r <= repeat; r++) { /* the first warms up */
        double start = bench_now();
        if (!generate(sampler, guided, samples, x)) {
            fd_fail(&err, FD_ERR_MEMORY, "out of memory");
            goto failed;
        }
        double rate = (double)samples * sampler->n_steps / (bench_now() - start);
        if (r > 0 && rate > best) best = rate;
    }
    const fd_kernels *kernels = fd_kernels_get();
    double flops = 2 * bench_flops(&spec), peak = bench_peak(kernels);
    printf(
        "{\"what\": \"sample\", \"kernels\": \"%s\", \"threads\": %d, \"guided_steps_per_s\": %.1f, \"gflops\": %.1f, "
        "\"peak_gflops\": %.1f, \"fraction\": %.3f}\n",
        kernels->name, omp_get_max_threads(), best, best * flops * 1e-9, peak * 1e-9, best * flops / peak);
failed:
    if (err.message[0]) fprintf(stderr, "bench_sample: %s\n", err.message);
    fd_sampler_free(sampler);
    fd_denoiser_free(guided);
    fd_denoiser_free(inner);
    fd_schedule_free(schedule);
    fd_network_free(network);
    free(x);
    return err.message[0] != 0;
}
