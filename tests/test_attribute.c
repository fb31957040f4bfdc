/* Attribution: laws whose divergence is known, and the chain from a file of solutions to the table. */
#include "physics_oracles.h"

#include <stdio.h>
#include <unistd.h>

#include "stages/attribute.h"

enum { N = 4000 };

/* Draws of the prior with k in the part [from, to] of its range: nothing else but masses depends on it. */
static void fill(const fd_model *model, uint64_t seed, double from, double to, fd_columns *c) {
    *c = (fd_columns){.n_columns = model->n_params + model->n_observables, .n = N, .room = N};
    for (int j = 0; j < c->n_columns; j++) c->data[j] = malloc(N * sizeof *c->data[j]);
    int k = fd_model_param(model, "k");
    for (size_t i = 0; i < N; i++) {
        double theta[FD_MAX_PARAMS], observables[FD_MAX_OBSERVABLES];
        const fd_param *p = &model->params[k];
        fd_rng rng;
        fd_rng_start(&rng, seed, FD_STREAM_TEST, i, 0);
        model->draw_prior(model, &rng, theta);
        theta[k] = p->lo + (p->hi - p->lo) * (from + (to - from) * (theta[k] - p->lo) / (p->hi - p->lo));
        model->forward(model, 1, theta, NULL, observables);
        for (int j = 0; j < model->n_params; j++) c->data[j][i] = theta[j];
        for (int j = 0; j < model->n_observables; j++) c->data[model->n_params + j][i] = observables[j];
    }
}

static const fd_attribution *named(const fd_attribution *rows, int n, const char *name) {
    for (int i = 0; i < n; i++)
        if (!strcmp(rows[i].quantity.name, name)) return &rows[i];
    fail_msg("no quantity %s", name);
    return NULL;
}

/* Prior, the lower half of k, the lowest quarter: U(0, 1) against U(0, 1/2) and against U(0, 1/4), u < 1/2 against u < 1/4. */
static void known_laws(void **state) {
    (void)state;
    fd_model_options options;
    fd_model *model;
    fd_target target = {.n_measurements = 2};
    fd_columns sets[FD_ATTRIBUTE_SETS];
    fd_attribution rows[FD_MAX_PARAMS + FD_MAX_OBSERVABLES];
    strcpy(target.measurements[0].observable, "s12sq");
    target.measurements[0].group = FD_GROUP_ANGLE;
    strcpy(target.measurements[1].observable, "delta_rad");
    target.measurements[1].group = FD_GROUP_PHASE;
    fd_model_options_default(&options);
    assert_int_equal(fd_model_create(&options, &model, NULL), FD_OK);
    fill(model, 91, 0, 1, &sets[FD_PRIOR]);
    fill(model, 92, 0, 0.5, &sets[FD_MASS_CUTS]);
    fill(model, 93, 0, 0.25, &sets[FD_POSTERIOR]);
    int n = sets[0].n_columns;
    assert_int_equal(fd_attribute(model, &target, sets, rows, NULL), FD_OK);
    const fd_attribution *k = named(rows, n, "k");
    double half = 0.5 * (0.5 * log2(2.0 / 3) + 0.5 + log2(4.0 / 3)); /* p = 1, q = 2 on a half; p alone on the other */
    double quarter = 0.5 * (0.25 * log2(2.0 / 5) + 0.75 + log2(8.0 / 5));
    assert_below(fabs(k->by_masses.distance - 0.5), 0.03);
    assert_below(fabs(k->by_all.distance - 0.75), 0.03);
    assert_below(fabs(k->by_masses.bits - half), 0.02);
    assert_below(fabs(k->by_mixing.bits - half), 0.02);
    assert_below(fabs(k->by_all.bits - quarter), 0.02);
    assert_string_equal(fd_attribution_verdict(k), "of mass splittings and mixing");
    assert_string_equal(fd_attribution_verdict(named(rows, n, "alpha21_rad")), "the prior's");
    assert_string_equal(fd_attribution_verdict(named(rows, n, "delta_rad")), "the prior's"); /* measured, never cut on */
    assert_string_equal(fd_attribution_verdict(named(rows, n, "s12sq")), "cut on");
    assert_below(named(rows, n, "alpha21_rad")->by_all.bits, 0.004);

    /* The same sets: 0 bits. Sets that exclude each other: 1 bit. */
    fd_columns_free(&sets[FD_POSTERIOR]);
    fd_columns_free(&sets[FD_MASS_CUTS]);
    fill(model, 91, 0, 1, &sets[FD_MASS_CUTS]);
    fill(model, 91, 0, 1, &sets[FD_POSTERIOR]);
    for (size_t i = 0; i < N; i++) sets[FD_POSTERIOR].data[20][i] += 100;
    assert_int_equal(fd_attribute(model, &target, sets, rows, NULL), FD_OK);
    for (int j = 0; j < n; j++) {
        assert_true(rows[j].by_masses.bits == 0 && rows[j].by_masses.distance == 0);
        assert_true(rows[j].by_all.bits == (j == 20) && rows[j].by_all.distance == (j == 20));
    }
    assert_string_equal(fd_attribution_verdict(named(rows, n, "k")), "of the mixing");
    for (int s = 0; s < FD_ATTRIBUTE_SETS; s++) fd_columns_free(&sets[s]);
    fd_model_free(model);
}

static char table[65536];
static void keep(void *user, const char *line) {
    (void)user;
    snprintf(table, sizeof table, "%s", line);
}

static const char *verdict_in_table(const char *quantity) {
    static char line[512];
    char start[32];
    snprintf(start, sizeof start, "\n%s ", quantity);
    const char *at = strstr(table, start);
    if (!at) fail_msg("no line of %s in:\n%s", quantity, table);
    snprintf(line, sizeof line, "%.*s", (int)strcspn(at + 1, "\n"), at + 1);
    return line;
}

/* Exact solutions, prior and mass cuts as the stage draws them. The two draws differ, and cuts are what they say. */
static void from_solutions(void **state) {
    (void)state;
    char folder[] = "/tmp/flavordiff-attribute-XXXXXX", solutions[64], out[64], path[128];
    fd_config config;
    fd_error err = {.message = ""};
    fd_config_default(&config);
    strcpy(config.target, "paper-table1-no");
    config.reference.n = 400;
    fd_run run = {.config = &config, .command = "test", .message = keep};
    assert_non_null(mkdtemp(folder));
    snprintf(solutions, sizeof solutions, "%s/solutions.h5", folder);
    snprintf(out, sizeof out, "%s/out", folder);
    assert_int_equal(fd_stage_reference(&run, solutions, &err), FD_OK);
    if (fd_stage_attribute(&run, solutions, out, &err)) fail_msg("%s", err.message);
    assert_non_null(strstr(verdict_in_table("dm21_eV2"), "cut on"));
    assert_non_null(strstr(verdict_in_table("sum_m_eV"), "of the mass splittings"));
    assert_non_null(strstr(verdict_in_table("jarlskog"), "of the mixing"));
    assert_non_null(strstr(verdict_in_table("arg_M2"), "the prior's"));
    assert_int_equal(fd_stage_attribute(&run, solutions, out, &err), FD_ERR_FILE); /* is there */
    run.force = true;
    assert_int_equal(fd_stage_attribute(&run, solutions, out, &err), FD_OK);

    static const struct { const char *name; uint64_t masses, angles; } cuts[] = {{"prior.h5", 0, 0}, {"masses.h5", 400, 0}};
    for (int s = 0; s < 2; s++) {
        fd_sample_reader *reader;
        fd_sample_info info;
        snprintf(path, sizeof path, "%s/%s", out, cuts[s].name);
        assert_int_equal(fd_samples_open(path, &reader, &info, &err), FD_OK);
        fd_samples_close(reader);
        assert_true(info.n == 400 && info.tally.in_prior >= 400);
        assert_true(s ? info.tally.masses >= 400 : info.tally.masses < 20); /* three in a thousand of the prior */
        assert_true(info.tally.angles < 40);
        assert_string_equal(info.role, s ? "reference" : "prior");
    }
    snprintf(path, sizeof path, "rm -r %s", folder);
    assert_int_equal(system(path), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_laws),
        cmocka_unit_test(from_solutions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
