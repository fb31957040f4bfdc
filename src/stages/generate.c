/* Points from a trained network: x_T -> reverse process -> physical parameters -> verdict. */
#define _GNU_SOURCE
#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flavordiff/informant.h"
#include "stages/common.h"

struct fd_generator {
    fd_generate_spec spec;
    uint64_t seed;
    fd_setting setting;
    fd_model_file file;
    fd_schedule *schedule;
    fd_sampler *sampler;
    fd_informant *informant;
    fd_denoiser *network, *informed, *guided;
    float fixed_label[FD_MAX_LABELS]; /* normalised; central or the user's values */
    const double *given;              /* labels in place of drawn ones, one for `each` points, or NULL */
    uint64_t each;
    fd_projector *projector;          /* NULL: none */
    double aim[FD_MAX_LABELS];        /* what is projected onto with a fixed label: the nearest the model can have */
    double projecting;                /* wall seconds so far */
    fd_team *team;                    /* NULL: works alone */
};

/* "DPM-Solver++(2M) SDE, 20 steps, eta 1, Karras grid (rho 7), x0 clipped to the prior" */
static void sampler_words(const fd_sampler_spec *s, char *how, size_t size) {
    static const char *const names[] = {[FD_SAMPLER_DDPM] = "DDPM",
                                        [FD_SAMPLER_DDIM] = "DDIM",
                                        [FD_SAMPLER_DPMPP_2M] = "DPM-Solver++(2M)",
                                        [FD_SAMPLER_DPMPP_2M_SDE] = "DPM-Solver++(2M) SDE",
                                        [FD_SAMPLER_HEUN] = "Heun"};
    char noise[40] = "", grid[40] = "";
    if (s->kind == FD_SAMPLER_DDPM)
        snprintf(noise, sizeof noise, ", sigma^2 = %s", s->variance == FD_VARIANCE_BETA ? "beta" : "beta tilde");
    if (s->kind == FD_SAMPLER_DDIM || s->kind == FD_SAMPLER_DPMPP_2M_SDE)
        snprintf(noise, sizeof noise, ", eta %g", s->eta);
    if (s->grid == FD_GRID_LOG_SNR) snprintf(grid, sizeof grid, ", log-SNR grid");
    if (s->grid == FD_GRID_KARRAS) snprintf(grid, sizeof grid, ", Karras grid (rho %g)", s->rho);
    snprintf(how, size, "%s, %d steps%s%s%s", names[s->kind], s->steps, noise, grid,
             s->clip ? ", x0 clipped to the prior" : "");
}

void fd_generate_note(const fd_generate_spec *spec, char *note, size_t size) {
    const char *turned = spec->symmetries ? "; a random symmetry each" : "";
    char how[160], where[80] = "", projected[80] = "";
    sampler_words(&spec->sampler, how, sizeof how);
    if (spec->guidance_s_min > 0 || !isinf(spec->guidance_s_max))
        snprintf(where, sizeof where, " for noise levels s from %g to %g and 1 elsewhere", spec->guidance_s_min,
                 spec->guidance_s_max);
    if (spec->project.steps)
        snprintf(projected, sizeof projected, "; projected onto it (at most %d steps, trust %g)", spec->project.steps,
                 spec->project.trust);
    snprintf(note, size, "%s%s; guidance gamma = %g%s (eps = (1 - gamma) eps(null) + gamma eps(label)); label %s%s%s", how,
             spec->precision == FD_BF16 ? "; network in bfloat16" : "", spec->gamma, where, fd_label_word(spec), projected,
             turned);
}

/* label (n_labels, label space) -> the network's normalised coordinates. */
static void normalise_label(const fd_generator *g, const double *label, float *out) {
    for (int i = 0; i < g->file.labels.n; i++)
        out[i] = (float)((label[i] - g->file.labels.shift[i]) / g->file.labels.scale[i]);
}

static void choose_label(fd_generator *g) {
    fd_shared_label(&g->setting, &g->spec, g->aim);
    normalise_label(g, g->aim, g->fixed_label);
}

/* A label without contradictions is projected onto as it is; central ones, midpoints of windows, may have some. */
static fd_status prepare_projection(fd_generator *g, fd_error *err) {
    if (!g->spec.project.steps) return FD_OK;
    fd_status status = fd_projector_create(g->setting.model, &g->file.params, &g->spec.project, &g->projector, err);
    if (!status && !fd_own_labels(&g->spec)) status = fd_projector_nearest_label(g->projector, g->aim, err);
    return status;
}

/* Normalised coordinates as float32 whose physical value, rounded as to_physical() does, is still inside the range: from
 * the bound itself a few units inwards. */
static float inner_bound(const fd_scaler *scaler, int j, double bound, double other) {
    float x = (float)((bound - scaler->shift[j]) / scaler->scale[j]);
    float inwards = (float)((other - scaler->shift[j]) / scaler->scale[j]);
    double lo = fmin(bound, other), hi = fmax(bound, other);
    for (;;) {
        double theta = (float)(scaler->shift[j] + scaler->scale[j] * (double)x);
        if ((theta >= lo && theta <= hi) || x == inwards) return x;
        x = nextafterf(x, inwards);
    }
}

/* The prior's box for x0. Periodic parameters have no walls. */
static fd_status clip_to_prior(fd_generator *g, fd_error *err) {
    const fd_model *model = g->setting.model;
    float lo[FD_MAX_PARAMS], hi[FD_MAX_PARAMS];
    for (int j = 0; j < model->n_params; j++) {
        const fd_param *p = &model->params[j];
        lo[j] = p->periodic ? -INFINITY : inner_bound(&g->file.params, j, p->lo, p->hi);
        hi[j] = p->periodic ? INFINITY : inner_bound(&g->file.params, j, p->hi, p->lo);
    }
    return fd_sampler_clip(g->sampler, model->n_params, lo, hi, err);
}

static fd_status prepare(fd_generator *g, const char *path, fd_error *err) {
    if (g->file.network->spec.dim != g->setting.model->n_params ||
        g->file.network->spec.n_labels != g->setting.model->n_labels)
        return fd_fail(err, FD_ERR_MISMATCH,
                       "%s: network of %d parameters and %d labels, but its model has %d and %d; train it again", path,
                       g->file.network->spec.dim, g->file.network->spec.n_labels, g->setting.model->n_params,
                       g->setting.model->n_labels);
    if (g->file.use_ema && g->file.ema)
        memcpy(g->file.network->weights, g->file.ema, g->file.network->n_weights * sizeof(float));
    if (g->spec.sampler.steps > g->file.schedule.steps)
        return fd_fail(err, FD_ERR_CONFIG, "sampler.steps: %d, but %s was trained with %d steps of noise",
                       g->spec.sampler.steps, path, g->file.schedule.steps);
    fd_status status = fd_check_label_choice(&g->setting, &g->spec, err);
    if (!status) choose_label(g);
    if (!status) status = fd_schedule_create(&g->file.schedule, &g->schedule, err);
    if (!status) status = fd_sampler_create(&g->spec.sampler, g->schedule, &g->sampler, err);
    if (!status && g->spec.sampler.clip) status = clip_to_prior(g, err);
    if (!status) status = fd_network_denoiser(g->file.network, g->schedule, g->spec.precision, &g->network, err);
    if (!status && g->file.informed)
        status = fd_model_informant(g->setting.model, &g->file.params, &g->file.labels, g->schedule, &g->file.told,
                                    &g->informant, err);
    if (!status && g->file.informed)
        status = fd_informed_denoiser(g->network, g->informant, g->schedule, &g->informed, err);
    if (!status)
        status = fd_guided_denoiser(g->informed ? g->informed : g->network, g->spec.gamma, &g->guided, err);
    if (!status)
        status = fd_guidance_between(g->guided, g->schedule, g->spec.guidance_s_min, g->spec.guidance_s_max, err);
    if (!status) status = prepare_projection(g, err);
    return status;
}

/* Everything but the file: g owns that already. */
static fd_status complete(fd_generator *g, const fd_run *run, const char *name, fd_error *err) {
    fd_status status = fd_check_configured_model(run, name, &g->file.model, err);
    if (!status) {
        status = fd_setting_create(&g->file.model, run->config->target, &g->setting, err);
        if (status) fd_error_prefix(err, "%s", name);
    }
    /* As many steps as the configured schedule has means all: those of the network's own. */
    if (!status && g->spec.sampler.steps == run->config->diffusion.steps) g->spec.sampler.steps = g->file.schedule.steps;
    return status ? status : prepare(g, name, err);
}

fd_status fd_generator_adopt(const fd_run *run, const char *name, fd_model_file *file, const fd_generate_spec *spec,
                             uint64_t seed, fd_generator **generator, fd_error *err) {
    fd_generator *g = calloc(1, sizeof *g);
    *generator = NULL;
    if (!g) return fd_fail(err, FD_ERR_MEMORY, "out of memory");
    *g = (fd_generator){.spec = *spec, .seed = seed, .file = *file};
    *file = (fd_model_file){0};
    fd_status status = complete(g, run, name, err);
    if (status) fd_generator_free(g);
    else *generator = g;
    return status;
}

fd_status fd_generator_create(const fd_run *run, const char *model_path, const fd_generate_spec *spec, uint64_t seed,
                              fd_generator **generator, fd_error *err) {
    fd_model_file file = {0};
    *generator = NULL;
    fd_status status = fd_model_file_read(model_path, &file, err);
    if (!status) status = fd_generator_adopt(run, model_path, &file, spec, seed, generator, err);
    fd_model_file_clear(&file);
    return status;
}

void fd_generator_free(fd_generator *g) {
    if (!g) return;
    fd_projector_free(g->projector);
    fd_denoiser_free(g->guided);
    fd_denoiser_free(g->informed);
    fd_denoiser_free(g->network);
    fd_informant_free(g->informant);
    fd_sampler_free(g->sampler);
    fd_schedule_free(g->schedule);
    fd_setting_free(&g->setting);
    fd_model_file_clear(&g->file);
    free(g);
}

const fd_setting *fd_generator_setting(const fd_generator *g) { return &g->setting; }
const fd_generate_spec *fd_generator_spec(const fd_generator *g) { return &g->spec; }
const fd_model_file *fd_generator_model_file(const fd_generator *g) { return &g->file; }
void fd_generator_give_labels(fd_generator *g, const double *labels, uint64_t each) {
    g->given = labels;
    g->each = each;
}

void fd_generator_share(fd_generator *g, fd_team *team) { g->team = team; }

double fd_generator_projecting(const fd_generator *g) { return g->projecting; }

long fd_generator_evaluations(const fd_generator *g) { return fd_guided_evaluations(g->guided, g->sampler); }

enum { MOST_SHARED = 1 << 18 }; /* rows of a run of all ranks: every rank has room for them all */

size_t fd_generator_block(const fd_generator *g) {
    size_t tiles = (size_t)(8000 / g->sampler->evaluations);
    if (tiles < 1) tiles = 1;
    if (tiles > 256) tiles = 256;
    size_t block = tiles * (size_t)g->guided->max_rows * (size_t)omp_get_max_threads();
    if (fd_team_alone(g->team)) return block;
    block *= (size_t)g->team->size;
    return block < MOST_SHARED ? block : MOST_SHARED;
}

static void to_physical(const fd_generator *g, size_t rows, const float *x, float *theta) {
    size_t dim = (size_t)g->guided->dim;
    for (size_t i = 0; i < rows * dim; i++) {
        size_t j = i % dim;
        theta[i] = (float)(g->file.params.shift[j] + g->file.params.scale[j] * (double)x[i]);
    }
}

/* What one thread works on: rows of the outputs, and memory for a tile of max_rows. */
typedef struct tile {
    uint64_t first;
    size_t rows;
    float *theta;
    double *labels;
    fd_chi2 *chi2;
    uint8_t *flags, *alone;
    float *x, *before, *conditions; /* (rows, dim) twice, (rows, n_labels) normalised */
    double *aims;                   /* (rows, n_labels): what each row is projected onto */
    uint8_t *converged;
    void *sampler, *projector;      /* their scratch */
} tile;

/* Labels of the tile, as the network is told them and as they are. */
static void tile_labels(const fd_generator *g, tile *t) {
    size_t n_labels = (size_t)g->guided->n_labels;
    for (size_t i = 0; i < t->rows; i++) {
        double *label = t->aims + i * n_labels;
        if (!fd_own_labels(&g->spec)) {
            memcpy(label, g->aim, n_labels * sizeof *label);
            continue;
        }
        if (g->given) memcpy(label, g->given + (t->first + i) / g->each * n_labels, n_labels * sizeof *label);
        else fd_own_label(&g->setting, &g->spec, g->file.label_slopes, g->seed, t->first + i, label);
        normalise_label(g, label, t->conditions + i * n_labels);
    }
}

/* A random element of the model's symmetries for every row: labels stay, and a network that is not exactly symmetric becomes
 * so. */
static void turn_tile(const fd_generator *g, tile *t) {
    const fd_model *model = g->setting.model;
    size_t dim = (size_t)model->n_params;
    if (!g->spec.symmetries || !model->random_symmetry) return;
    for (size_t i = 0; i < t->rows; i++) {
        double point[FD_MAX_PARAMS];
        fd_rng rng;
        fd_rng_start(&rng, g->seed, FD_STREAM_SYMMETRY, t->first + i, 0);
        for (size_t j = 0; j < dim; j++) point[j] = t->theta[i * dim + j];
        if (!model->in_prior(model, point)) continue; /* what the network threw out stays out */
        model->random_symmetry(model, &rng, point);
        for (size_t j = 0; j < dim; j++) t->theta[i * dim + j] = (float)point[j];
    }
}

/* Moves the rows onto their labels, after a verdict on what the network made of them. */
static void project_tile(const fd_generator *g, tile *t) {
    size_t dim = (size_t)g->guided->dim;
    fd_judge_rows(&g->setting, t->rows, t->theta, t->labels, t->chi2, t->alone);
    memcpy(t->before, t->x, t->rows * dim * sizeof *t->x);
    fd_project_tile(g->projector, t->rows, t->x, t->aims, t->converged, t->projector);
    to_physical(g, t->rows, t->x, t->theta);
    turn_tile(g, t);
    fd_judge_rows(&g->setting, t->rows, t->theta, t->labels, t->chi2, t->flags);
    for (size_t i = 0; i < t->rows; i++) {
        bool moved = memcmp(t->before + i * dim, t->x + i * dim, dim * sizeof *t->x) != 0;
        if (t->converged[i] || moved) t->flags[i] |= FD_PROJECTED;
        if (!t->converged[i]) t->flags[i] |= FD_UNREACHED;
    }
}

/* Labels, reverse process, back to physical units, verdict. Returns the seconds spent projecting. */
static double run_tile(const fd_generator *g, tile *t) {
    int shared = !fd_own_labels(&g->spec);
    double start;
    tile_labels(g, t);
    fd_sampler_run(g->sampler, g->guided, g->seed, t->first, (int)t->rows, shared ? g->fixed_label : t->conditions, shared,
                   t->x, t->sampler);
    to_physical(g, t->rows, t->x, t->theta);
    start = fd_seconds();
    if (g->projector) {
        project_tile(g, t);
        return fd_seconds() - start;
    }
    turn_tile(g, t);
    fd_judge_rows(&g->setting, t->rows, t->theta, t->labels, t->chi2, t->flags);
    memcpy(t->alone, t->flags, t->rows);
    return 0;
}

/* Lays the parts of a tile out in one block of memory (NULL: only counts); returns its size in bytes. */
static size_t tile_memory(const fd_generator *g, char *memory, tile *t) {
    size_t rows = (size_t)g->guided->max_rows, dim = (size_t)g->guided->dim, n_labels = (size_t)g->guided->n_labels;
    size_t used = 0;
#define PART(place, bytes) (place = (void *)(memory ? memory + used : NULL), used += ((bytes) + 63) / 64 * 64)
    PART(t->x, rows * dim * sizeof *t->x);
    PART(t->before, rows * dim * sizeof *t->before);
    PART(t->conditions, rows * n_labels * sizeof *t->conditions);
    PART(t->aims, rows * n_labels * sizeof *t->aims);
    PART(t->converged, rows);
    PART(t->sampler, fd_sampler_scratch_bytes(g->sampler, g->guided));
    PART(t->projector, g->projector ? fd_projector_scratch_bytes(g->projector) : 0);
#undef PART
    return used;
}

static fd_status run_rows(fd_generator *g, uint64_t first, size_t n, float *theta, double *labels, fd_chi2 *chi2,
                           uint8_t *flags, uint8_t *alone, fd_error *err) {
    size_t most = (size_t)g->guided->max_rows, dim = (size_t)g->guided->dim, n_labels = (size_t)g->guided->n_labels;
    size_t bytes = tile_memory(g, NULL, &(tile){0});
    long tiles = (long)((n + most - 1) / most);
    int failed = 0;
    double projecting = 0;
#pragma omp parallel reduction(| : failed) reduction(+ : projecting)
    {
        char *memory = aligned_alloc(64, bytes);
        failed = memory == NULL;
#pragma omp for schedule(dynamic, 1)
        for (long k = 0; k < tiles; k++) {
            size_t start = (size_t)k * most;
            tile t = {.first = first + start, .rows = n - start < most ? n - start : most, .theta = theta + start * dim,
                      .labels = labels + start * n_labels, .chi2 = chi2 + start, .flags = flags + start,
                      .alone = alone + start};
            tile_memory(g, memory, &t);
            if (memory) projecting += run_tile(g, &t);
        }
        free(memory);
    }
    if (failed) return fd_fail(err, FD_ERR_MEMORY, "out of memory for %zu bytes of sampling scratch", bytes);
    g->projecting += projecting / omp_get_max_threads();
    return FD_OK;
}

/* ---- ranks -------------------------------------------------------------------------------------------------------- */

typedef struct run_job {
    uint64_t first, n;
} run_job;

/* This rank's rows of a job, and then those of all; status: whether it can. */
static fd_status do_job(fd_generator *g, const run_job *job, const fd_block *b, fd_status status, fd_error *err) {
    size_t n = (size_t)job->n, unit = (size_t)g->guided->max_rows;
    size_t dim = (size_t)g->guided->dim, n_labels = (size_t)g->guided->n_labels;
    size_t from, to;
    fd_team_part(g->team, n, unit, &from, &to);
    if (!status)
        status = run_rows(g, job->first + from, to - from, b->theta + from * dim, b->labels + from * n_labels, b->chi2 + from,
                          b->flags + from, b->alone + from, err);
    if ((status = fd_team_agree(g->team, status, err))) return status;
    fd_team_share_rows(g->team, b->theta, n, unit, dim * sizeof *b->theta);
    fd_team_share_rows(g->team, b->labels, n, unit, n_labels * sizeof *b->labels);
    fd_team_share_rows(g->team, b->chi2, n, unit, sizeof *b->chi2);
    fd_team_share_rows(g->team, b->flags, n, unit, sizeof *b->flags);
    fd_team_share_rows(g->team, b->alone, n, unit, sizeof *b->alone);
    return FD_OK;
}

fd_status fd_generator_run(fd_generator *g, uint64_t first, size_t n, float *theta, double *labels, fd_chi2 *chi2,
                           uint8_t *flags, uint8_t *alone, fd_error *err) {
    const run_job job = {first, n};
    const fd_block block = {.theta = theta, .labels = labels, .chi2 = chi2, .flags = flags, .alone = alone};
    if (fd_team_alone(g->team)) return run_rows(g, first, n, theta, labels, chi2, flags, alone, err);
    fd_status status = fd_team_lead(g->team, &job, sizeof job, err);
    return status ? status : do_job(g, &job, &block, FD_OK, err);
}

fd_status fd_generator_follow(fd_generator *g, fd_team *team, fd_status status, fd_error *err) {
    run_job job;
    fd_block block = {0};
    while (fd_team_follow(team, &status, &job, sizeof job, err)) {
        if (!block.theta || job.n > block.capacity) {
            fd_block_free(&block);
            status = fd_block_create(g->setting.model, (size_t)job.n, &block, err);
        }
        status = do_job(g, &job, &block, status, err);
    }
    fd_block_free(&block);
    return status;
}
