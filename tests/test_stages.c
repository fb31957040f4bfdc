/* The stages on small settings: the same for any number of threads and any block size, counts that add up, both
 * orderings, 23 and 21 parameters, and refusals. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "flavordiff/stages.h"
#include "folder.h"
#include "stages/common.h"

static fd_config small(const char *target) {
    fd_config c;
    fd_config_default(&c);
    snprintf(c.target, sizeof c.target, "%s", target);
    c.simulate.pairs = 3000;
    c.simulate.scan = 1000;
    c.network.n_hidden = 2;
    c.network.widths[0] = 40, c.network.widths[1] = 24;
    c.network.activations[0] = FD_SELU, c.network.activations[1] = FD_TANH;
    c.diffusion.steps = 50;
    c.train.updates = c.tune.updates = 200;
    fd_sampler_spec few = {.kind = FD_SAMPLER_DDPM, .steps = 10};
    c.select.generate.sampler = c.sample.generate.sampler = few;
    c.select.wanted = 150, c.select.max_generated = 5000;
    c.select.chi2_all = 1e9, c.select.chi2_mass = 1e7;
    c.sample.n = 777;
    return c;
}

static fd_run run_of(const fd_config *config) { return (fd_run){.config = config, .command = "test", .force = true}; }

/* pairs.h5, and net.h5 trained on them. */
static void pairs_and_network(const fd_run *run) {
    fd_error err;
    ok(fd_stage_simulate(run, at("pairs.h5"), &err), &err);
    ok(fd_stage_train(run, at("pairs.h5"), NULL, at("net.h5"), &err), &err);
}

typedef struct rows {
    fd_sample_info info;
    float *theta;
    double *labels, *chi2;
    uint8_t *flags;
    size_t n_params, n_labels;
} rows;

static rows load(const char *path) {
    rows r = {0};
    fd_error err;
    fd_sample_reader *reader;
    fd_model *model;
    ok(fd_samples_open(path, &reader, &r.info, &err), &err);
    ok(fd_model_create(&r.info.model, &model, &err), &err);
    size_t n = (size_t)r.info.n;
    r.n_params = (size_t)model->n_params, r.n_labels = (size_t)model->n_labels;
    r.theta = malloc(n * r.n_params * sizeof(float));
    r.labels = malloc(n * r.n_labels * sizeof(double));
    r.chi2 = malloc(n * sizeof(double));
    r.flags = malloc(n);
    ok(fd_samples_read(reader, 0, n, r.theta, r.labels, r.chi2, r.flags, &err), &err);
    fd_samples_close(reader);
    fd_model_free(model);
    return r;
}

static void drop(rows *r) { free(r->theta), free(r->labels), free(r->chi2), free(r->flags); }

static void assert_same(const char *a, const char *b) {
    rows x = load(a), y = load(b);
    assert_int_equal(x.info.n, y.info.n);
    assert_memory_equal(x.theta, y.theta, x.info.n * x.n_params * sizeof(float));
    assert_memory_equal(x.labels, y.labels, x.info.n * x.n_labels * sizeof(double));
    assert_memory_equal(x.chi2, y.chi2, x.info.n * sizeof(double));
    assert_memory_equal(x.flags, y.flags, x.info.n);
    y.info.tally.seconds = x.info.tally.seconds;
    assert_memory_equal(&x.info.tally, &y.info.tally, sizeof x.info.tally);
    drop(&x), drop(&y);
}

/* Everything with 1 thread and with 3, for a target set; with real Majorana masses also a network in bfloat16. */
static void chain_with_threads(const char *target, bool real_majorana) {
    fd_error err;
    fd_config c = small(target);
    c.model.real_majorana = real_majorana;
    c.sample.generate.precision = real_majorana ? FD_BF16 : FD_FLOAT32;
    fd_run run = run_of(&c);
    const int threads[] = {1, 3};
    for (int i = 0; i < 2; i++) {
        char name[5][32];
        const char *stems[] = {"pairs", "net", "selected", "tuned", "samples"};
        for (int k = 0; k < 5; k++) snprintf(name[k], 32, "%s-%d.h5", stems[k], i);
        omp_set_num_threads(threads[i]);
        ok(fd_stage_simulate(&run, at(name[0]), &err), &err);
        ok(fd_stage_train(&run, at(name[0]), NULL, at(name[1]), &err), &err);
        ok(fd_stage_select(&run, at(name[1]), at(name[2]), &err), &err);
        ok(fd_stage_train(&run, at(name[2]), at(name[1]), at(name[3]), &err), &err);
        ok(fd_stage_sample(&run, &c.sample, at(name[3]), at(name[4]), &err), &err);
    }
    omp_set_num_threads(2);
    assert_same(at("pairs-0.h5"), at("pairs-1.h5"));
    assert_same(at("selected-0.h5"), at("selected-1.h5"));
    assert_same(at("samples-0.h5"), at("samples-1.h5"));
    fd_model_file a, b;
    ok(fd_model_file_read(at("tuned-0.h5"), &a, &err), &err);
    ok(fd_model_file_read(at("tuned-1.h5"), &b, &err), &err);
    assert_int_equal(a.network->spec.dim, real_majorana ? 21 : 23);
    assert_int_equal(a.updates, 400);
    assert_memory_equal(a.network->weights, b.network->weights, a.network->n_weights * sizeof(float));
    assert_memory_equal(a.ema, b.ema, a.network->n_weights * sizeof(float));
    fd_model_file_clear(&a);
    fd_model_file_clear(&b);
}

static void threads_do_not_matter(void **state) {
    (void)state;
    chain_with_threads("paper-table1-no", false);
}
static void inverted_ordering_and_real_majorana(void **state) {
    (void)state;
    chain_with_threads("nufit-6.0-ic24-io", true);
}

/* Flags, chi2 and labels in a file are those of the model for the stored parameters, and the tally counts them. */
static void files_agree_with_the_model(void **state) {
    (void)state;
    fd_error err;
    fd_config c = small("paper-table1-no");
    fd_run run = run_of(&c);
    ok(fd_stage_simulate(&run, at("pairs.h5"), &err), &err);
    rows r = load(at("pairs.h5"));
    fd_setting setting;
    ok(fd_setting_create(&r.info.model, r.info.target, &setting, &err), &err);
    uint64_t masses = 0, angles = 0;
    for (size_t i = 0; i < r.info.n; i++) {
        double theta[FD_MAX_PARAMS], labels[FD_MAX_LABELS], obs[FD_MAX_OBSERVABLES];
        fd_chi2 chi2;
        for (size_t j = 0; j < r.n_params; j++) theta[j] = r.theta[i * r.n_params + j];
        setting.model->forward(setting.model, 1, theta, labels, obs);
        assert_memory_equal(labels, r.labels + i * r.n_labels, r.n_labels * sizeof(double));
        assert_int_equal(fd_judge_point(setting.judge, theta, obs, &chi2), r.flags[i]);
        assert_true(chi2.five == r.chi2[i]);
        assert_true(r.flags[i] & FD_IN_PRIOR);
        masses += (r.flags[i] & FD_MASSES) != 0, angles += (r.flags[i] & FD_ANGLES) != 0;
    }
    assert_int_equal(r.info.n, 3000);
    assert_int_equal(r.info.n_train, 2700);
    assert_int_equal(r.info.tally.n, 4000); /* pairs and scan */
    assert_int_equal(r.info.tally.finite, 4000);
    assert_true(r.info.tally.masses >= masses && r.info.tally.angles >= angles);
    fd_setting_free(&setting);
    drop(&r);
}

/* Selection: groups add up, every row obeys the thresholds, the wanted number is met exactly, and the rows are those that
 * sampling the same latents one by one would select, whatever the block. */
static void selection_counts(void **state) {
    (void)state;
    fd_error err;
    fd_config c = small("paper-table1-no");
    fd_run run = run_of(&c);
    pairs_and_network(&run);
    ok(fd_stage_select(&run, at("net.h5"), at("selected.h5"), &err), &err);
    rows r = load(at("selected.h5"));
    assert_int_equal(r.info.n, 150);
    assert_int_equal(r.info.groups[0] + r.info.groups[1] + r.info.groups[2], 150);

    fd_generator *g;
    ok(fd_generator_create(&run, at("net.h5"), &c.select.generate, fd_derive_seed(c.seed, "select"), &g, &err), &err);
    const fd_model *model = fd_generator_setting(g)->model;
    fd_block block;
    ok(fd_block_create(model, 7, &block, &err), &err);
    uint64_t groups[3] = {0}, kept = 0, tried = 0;
    for (; kept < 150;
         tried++) { /* odd little blocks of which one row is used: the rest must come out the same again */
        ok(fd_generator_run(g, tried, 1 + tried % 7, block.theta, block.labels, block.chi2, block.flags, block.alone,
                            &err),
           &err);
        const fd_chi2 *x = &block.chi2[0];
        bool mass = x->mass < c.select.chi2_mass, mixing = x->mixing < c.select.chi2_mixing;
        if (!(x->all < c.select.chi2_all) || !(mass || mixing)) continue;
        groups[mass && mixing ? 2 : mixing ? 1 : 0]++;
        assert_memory_equal(block.theta, r.theta + kept * r.n_params, r.n_params * sizeof(float));
        kept++;
    }
    assert_int_equal(tried, r.info.tally.n);
    for (int i = 0; i < 3; i++) assert_int_equal(groups[i], r.info.groups[i]);
    fd_block_free(&block);
    fd_generator_free(g);
    drop(&r);
}

/* Dropping rows from the file never drops them from the ledger; periodic parameters come back in their range. */
static void keep_counts_everything(void **state) {
    (void)state;
    fd_error err;
    fd_config c = small("paper-table1-no");
    fd_run run = run_of(&c);
    pairs_and_network(&run);
    ok(fd_stage_sample(&run, &c.sample, at("net.h5"), at("all.h5"), &err), &err);
    fd_sample_spec few = c.sample;
    rows all = load(at("all.h5"));
    double sorted = 0; /* a threshold that keeps some: the mean */
    for (size_t i = 0; i < all.info.n; i++) sorted += all.chi2[i] / (double)all.info.n;
    few.keep_chi2_below = sorted;
    ok(fd_stage_sample(&run, &few, at("net.h5"), at("few.h5"), &err), &err);
    rows some = load(at("few.h5"));
    assert_int_equal(all.info.n, 777);
    assert_true(some.info.n > 0 && some.info.n < 777);
    some.info.tally.seconds = all.info.tally.seconds;
    assert_memory_equal(&some.info.tally, &all.info.tally, sizeof all.info.tally);
    fd_model *model;
    ok(fd_model_create(&all.info.model, &model, &err), &err);
    for (size_t i = 0; i < all.info.n; i++)
        for (size_t j = 0; j < all.n_params; j++)
            if (model->params[j].periodic) {
                double x = all.theta[i * all.n_params + j];
                assert_true(x >= model->params[j].lo && x < model->params[j].hi);
            }
    fd_model_free(model);
    drop(&all), drop(&some);
}

/* Rows outside the range of a parameter that is not periodic. */
static size_t outside(const rows *r) {
    fd_error err;
    fd_model *model;
    ok(fd_model_create(&r->info.model, &model, &err), &err);
    size_t n = 0;
    for (size_t i = 0; i < r->info.n; i++) {
        bool out = false;
        for (size_t j = 0; j < r->n_params; j++) {
            double x = r->theta[i * r->n_params + j];
            out |= !model->params[j].periodic && !(x >= model->params[j].lo && x <= model->params[j].hi);
        }
        n += out;
    }
    fd_model_free(model);
    return n;
}

/* Values of periodic parameters at the ends of their range: where they would pile up if they had walls. */
static size_t at_the_ends(const rows *r) {
    fd_error err;
    fd_model *model;
    ok(fd_model_create(&r->info.model, &model, &err), &err);
    size_t n = 0;
    for (size_t i = 0; i < r->info.n * r->n_params; i++) {
        const fd_param *p = &model->params[i % r->n_params];
        n += p->periodic && fmin(fabs(r->theta[i] - p->lo), fabs(r->theta[i] - p->hi)) < 1e-6;
    }
    fd_model_free(model);
    return n;
}

/* A clipped sample is inside every range to the last bit, however the network's coordinates are scaled, and the file says
 * that it was clipped. The same network leaves the box without. */
static void clipped_samples_are_in_the_box(void **state) {
    (void)state;
    fd_error err;
    const fd_param_scaling scalings[] = {FD_SCALING_NONE, FD_SCALING_STANDARD, FD_SCALING_BOX};
    for (int i = 0; i < 3; i++) {
        fd_config c = small("paper-table1-no");
        c.network.params = scalings[i];
        c.sample.generate.sampler = (fd_sampler_spec){.kind = (fd_sampler_kind[]){FD_SAMPLER_DDPM, FD_SAMPLER_DPMPP_2M,
                                                                                  FD_SAMPLER_HEUN}[i],
                                                      .steps = 10, .grid = FD_GRID_KARRAS, .rho = 7};
        fd_run run = run_of(&c);
        pairs_and_network(&run);
        ok(fd_stage_sample(&run, &c.sample, at("net.h5"), at("free.h5"), &err), &err);
        c.sample.generate.sampler.clip = true;
        c.sample.generate.guidance_s_min = 0.1, c.sample.generate.guidance_s_max = 3;
        ok(fd_stage_sample(&run, &c.sample, at("net.h5"), at("clipped.h5"), &err), &err);
        rows unbound = load(at("free.h5")), clipped = load(at("clipped.h5"));
        assert_true(outside(&unbound) > 100);
        assert_int_equal(outside(&clipped), 0);
        assert_true(at_the_ends(&clipped) < 5);
        assert_null(strstr(unbound.info.note, "clipped"));
        assert_non_null(strstr(clipped.info.note, "10 steps"));
        assert_non_null(strstr(clipped.info.note, "gamma = 8 for noise levels s from 0.1 to 3 and 1 elsewhere ("));
        assert_non_null(strstr(clipped.info.note, " evaluations of the network a sample"));
        assert_non_null(strstr(clipped.info.note, "Karras grid (rho 7), x0 clipped to the prior;"));
        drop(&unbound), drop(&clipped);
    }
}

/* Labels from the window differ from sample to sample; central ones do not change the latents. */
static void label_choices(void **state) {
    (void)state;
    fd_error err;
    fd_config c = small("paper-table1-no");
    fd_run run = run_of(&c);
    pairs_and_network(&run);
    c.sample.generate.label = FD_LABEL_WINDOW;
    ok(fd_stage_sample(&run, &c.sample, at("net.h5"), at("window.h5"), &err), &err);
    c.sample.generate.label = FD_LABEL_CENTRAL;
    ok(fd_stage_sample(&run, &c.sample, at("net.h5"), at("central.h5"), &err), &err);
    c.sample.generate.label = FD_LABEL_VALUES; /* the central values given by hand: the same samples */
    fd_setting setting;
    fd_model_options options;
    fd_model_options_default(&options);
    ok(fd_setting_create(&options, c.target, &setting, &err), &err);
    c.sample.generate.n_label_values = setting.model->n_labels;
    fd_judge_central_label(setting.judge, c.sample.generate.label_values);
    fd_setting_free(&setting);
    ok(fd_stage_sample(&run, &c.sample, at("net.h5"), at("values.h5"), &err), &err);
    assert_same(at("central.h5"), at("values.h5"));
    rows w = load(at("window.h5")), v = load(at("central.h5"));
    assert_int_not_equal(memcmp(w.theta, v.theta, w.info.n * w.n_params * sizeof(float)), 0);
    drop(&w), drop(&v);
    c.sample.generate.n_label_values = 3;
    assert_int_equal(fd_stage_sample(&run, &c.sample, at("net.h5"), at("x.h5"), &err), FD_ERR_CONFIG);
    assert_int_not_equal(access(at("x.h5"), F_OK), 0);
}

/* Sample i of a window set is the sample its own window label gives: every sample has its own. */
static void window_labels_belong_to_samples(void **state) {
    (void)state;
    fd_error err;
    fd_config c = small("paper-table1-no");
    fd_run run = run_of(&c);
    pairs_and_network(&run);
    c.sample.generate.label = FD_LABEL_WINDOW;
    ok(fd_stage_sample(&run, &c.sample, at("net.h5"), at("window.h5"), &err), &err);
    rows w = load(at("window.h5"));
    fd_setting setting;
    ok(fd_setting_create(&w.info.model, c.target, &setting, &err), &err);
    c.sample.generate.label = FD_LABEL_VALUES;
    c.sample.generate.n_label_values = setting.model->n_labels;
    const size_t chosen[] = {0, 1, 500};
    for (int k = 0; k < 3; k++) {
        fd_rng rng;
        fd_rng_start(&rng, fd_derive_seed(c.seed, "sample"), FD_STREAM_LABEL, chosen[k], 0);
        fd_judge_window_label(setting.judge, &rng, c.sample.generate.label_values);
        ok(fd_stage_sample(&run, &c.sample, at("net.h5"), at("values.h5"), &err), &err);
        rows v = load(at("values.h5"));
        for (size_t j = 0; j < w.n_params; j++) { /* the label's part is summed in another order: a few ulp a step */
            double x = w.theta[chosen[k] * w.n_params + j], y = v.theta[chosen[k] * w.n_params + j];
            assert_true(fabs(x - y) <= 1e-4 * (1 + fabs(y)));
        }
        drop(&v);
    }
    fd_setting_free(&setting);
    drop(&w);
}

/* Every count of the ledger for every combination of flags. */
static void tally_counts_flags(void **state) {
    (void)state;
    fd_tally t = {0};
    for (int flags = 0; flags < 32; flags++) fd_tally_add(&t, (uint8_t)flags);
    assert_int_equal(t.projected + t.unreached, 0);
    assert_int_equal(t.n, 32);
    assert_int_equal(t.finite, 16);
    assert_int_equal(t.in_prior, 16);
    assert_int_equal(t.masses, 16);
    assert_int_equal(t.angles, 16);
    assert_int_equal(t.labels, 16);
    assert_int_equal(t.five, 8);
    assert_int_equal(t.labels_in_prior, 8);
    assert_int_equal(t.five_in_prior, 4);
    fd_tally one = {0}; /* and none of them for another's sake */
    fd_tally_add(&one, FD_FINITE | FD_LABELS | FD_MASSES);
    assert_int_equal(one.labels, 1);
    assert_int_equal(one.labels_in_prior + one.five + one.five_in_prior + one.in_prior + one.angles, 0);
    fd_tally_add(&one, FD_PROJECTED);
    fd_tally_add(&one, FD_PROJECTED | FD_UNREACHED);
    assert_true(one.n == 3 && one.projected == 2 && one.unreached == 1 && one.finite == 1 && one.labels == 1);
}

/* Projected samples lie on their labels inside the prior, and beside them stands what the network alone had made of the
 * same latents: the tally of a run without projection. The same for any number of threads. */
static void projection(void **state) {
    (void)state;
    static const fd_label_choice choices[] = {FD_LABEL_WINDOW, FD_LABEL_CENTRAL};
    fd_error err;
    fd_config c = small("paper-table1-no");
    fd_run run = run_of(&c);
    pairs_and_network(&run);
    c.sample.generate.gamma = 1;
    for (int k = 0; k < 2; k++) {
        c.sample.generate.label = choices[k];
        c.sample.generate.project.steps = 0;
        ok(fd_stage_sample(&run, &c.sample, at("net.h5"), at("alone.h5"), &err), &err);
        c.sample.generate.project.steps = 20;
        omp_set_num_threads(1);
        ok(fd_stage_sample(&run, &c.sample, at("net.h5"), at("projected.h5"), &err), &err);
        omp_set_num_threads(3);
        ok(fd_stage_sample(&run, &c.sample, at("net.h5"), at("again.h5"), &err), &err);
        omp_set_num_threads(2);
        assert_same(at("projected.h5"), at("again.h5"));
        rows a = load(at("alone.h5")), p = load(at("projected.h5"));
        assert_int_equal(a.info.alone.n, 0);
        p.info.alone.seconds = a.info.tally.seconds;
        assert_memory_equal(&p.info.alone, &a.info.tally, sizeof a.info.tally);
        assert_int_equal(p.info.tally.n, 777);
        assert_true(p.info.tally.labels_in_prior >= 760 && a.info.tally.labels < 10);
        uint64_t projected = 0, unreached = 0;
        for (size_t i = 0; i < p.info.n; i++) {
            bool differs = memcmp(a.theta + i * a.n_params, p.theta + i * p.n_params, p.n_params * sizeof(float)) != 0;
            assert_true(!differs || (p.flags[i] & FD_PROJECTED));
            if (!(p.flags[i] & FD_UNREACHED)) assert_int_equal(p.flags[i] & 63, 63); /* a solution inside the prior */
            projected += (p.flags[i] & FD_PROJECTED) != 0, unreached += (p.flags[i] & FD_UNREACHED) != 0;
        }
        assert_true(p.info.tally.projected == projected && p.info.tally.unreached == unreached && projected > 770);
        assert_non_null(strstr(p.info.note, "; projected onto it (at most 20 steps, trust 0.5)"));
        fd_ledger_entry lines[2];
        assert_int_equal(fd_ledger_entries("network", &a.info, lines), 1);
        assert_string_equal(lines[0].set, "network");
        assert_int_equal(fd_ledger_entries("network", &p.info, lines), 2);
        assert_string_equal(lines[0].set, "network, network alone");
        assert_string_equal(lines[1].set, "network, projected");
        assert_true(lines[0].tally.labels == a.info.tally.labels && lines[1].tally.labels == p.info.tally.labels);
        drop(&a), drop(&p);
    }
    /* Selection tallies the samples it used, alone and projected. */
    c.select.generate.project.steps = 20;
    ok(fd_stage_select(&run, at("net.h5"), at("selected.h5"), &err), &err);
    rows s = load(at("selected.h5"));
    assert_true(s.info.alone.n == s.info.tally.n && s.info.tally.labels > s.info.alone.labels);
    drop(&s);
    c.sample.generate.label = FD_LABEL_VALUES; /* a label no point of the prior has: |U_e1| = |U_e2| = |U_e3| = 0.9, ... */
    c.sample.generate.n_label_values = 11;
    for (int k = 0; k < 11; k++) c.sample.generate.label_values[k] = k < 2 ? 40 : 0.9;
    assert_int_equal(fd_stage_sample(&run, &c.sample, at("net.h5"), at("x.h5"), &err), FD_ERR_VALUE);
    assert_non_null(strstr(err.message, "reaches this label"));
}

static int stop_at_once(void *user, const char *stage, uint64_t done, uint64_t total, const fd_tally *tally,
                        const char *detail) {
    (void)user, (void)stage, (void)done, (void)total, (void)tally, (void)detail;
    return 1;
}

static void refusals(void **state) {
    (void)state;
    fd_error err;
    fd_config c = small("paper-table1-no");
    fd_run run = run_of(&c);
    pairs_and_network(&run);
    run.force = false;
    assert_int_equal(fd_stage_train(&run, at("pairs.h5"), NULL, at("net.h5"), &err), FD_ERR_FILE);
    assert_non_null(strstr(err.message, "--force"));
    run.force = true;
    /* pairs of another model */
    fd_config other = c;
    other.model.real_majorana = true;
    run.config = &other;
    ok(fd_stage_simulate(&run, at("pairs21.h5"), &err), &err);
    assert_int_equal(fd_stage_train(&run, at("pairs21.h5"), at("net.h5"), at("x.h5"), &err), FD_ERR_MISMATCH);
    assert_non_null(strstr(err.message, "different models"));
    /* a target of the other ordering */
    snprintf(other.target, sizeof other.target, "paper-table1-io");
    assert_int_equal(fd_stage_sample(&run, &c.sample, at("net.h5"), at("x.h5"), &err), FD_ERR_MISMATCH);
    run.config = &c;
    /* nothing selected */
    other = c;
    other.select.chi2_all = 1e-12;
    run.config = &other;
    assert_int_equal(fd_stage_select(&run, at("net.h5"), at("x.h5"), &err), FD_ERR_EMPTY);
    run.config = &c;
    /* stopped */
    run.progress = stop_at_once;
    assert_int_equal(fd_stage_sample(&run, &c.sample, at("net.h5"), at("x.h5"), &err), FD_ERR_STOPPED);
    assert_int_equal(fd_stage_train(&run, at("pairs.h5"), NULL, at("x.h5"), &err), FD_ERR_STOPPED);
    assert_int_not_equal(access(at("x.h5"), F_OK), 0);
    assert_int_not_equal(access(at("x.h5.part"), F_OK), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_do_not_matter),   cmocka_unit_test(inverted_ordering_and_real_majorana),
        cmocka_unit_test(files_agree_with_the_model), cmocka_unit_test(selection_counts),
        cmocka_unit_test(clipped_samples_are_in_the_box),
        cmocka_unit_test(keep_counts_everything),  cmocka_unit_test(label_choices),
        cmocka_unit_test(window_labels_belong_to_samples), cmocka_unit_test(tally_counts_flags),
        cmocka_unit_test(projection),
        cmocka_unit_test(refusals),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
