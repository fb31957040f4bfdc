/* Comparison of sample files: a change of one parameter is seen there and nowhere else, and the numbers are those of
 * the values in the files. */
#include "physics_oracles.h"

#include <stdio.h>
#include <unistd.h>

#include "flavordiff/compare.h"
#include "folder.h"

enum { DIM = 23, N_LAB = 11, ROWS = 1500 };
enum { ORIENTED = -2 };

/* theta through the symmetry that orients it. */
static void orient(const fd_model *model, double *theta) {
    float x[DIM], sign[DIM];
    int source[DIM];
    for (int j = 0; j < DIM; j++) {
        const fd_param *p = &model->params[j];
        x[j] = (float)((2 * theta[j] - p->lo - p->hi) / (p->hi - p->lo));
    }
    model->orient(model, x, source, sign);
    for (int j = 0; j < DIM; j++) {
        const fd_param *p = &model->params[j];
        theta[j] = 0.5 * (p->lo + p->hi + (p->hi - p->lo) * (double)(sign[j] * x[source[j]]));
    }
}

/* Prior draws `first`.. with all flags set on even rows; parameter `changed` (-1: none) is pulled to its lower end; ORIENTED:
 * all are brought into one image of the discrete symmetries. */
static void write_set(const char *path, fd_ordering ordering, uint64_t first, int changed) {
    fd_model_options options;
    fd_model *model;
    fd_sample_writer *writer;
    fd_error err = {.message = ""};
    fd_sample_info info = {.role = "generated", .target = "none", .note = "a test", .n_train = 0};
    const fd_provenance provenance = {.verb = "test", .command = "", .config = "", .parents = ""};
    fd_model_options_default(&options);
    options.ordering = ordering;
    info.model = options;
    assert_int_equal(fd_model_create(&options, &model, NULL), FD_OK);
    assert_int_equal(fd_samples_create(path, true, model, &provenance, &writer, &err), FD_OK);
    for (uint64_t i = 0; i < ROWS; i++) {
        double theta[DIM], labels[N_LAB], chi2 = 1;
        float row[DIM];
        uint8_t flags = i % 2 ? FD_FINITE | FD_IN_PRIOR : FD_FINITE | FD_IN_PRIOR | FD_MASSES | FD_ANGLES | FD_LABELS;
        fd_rng rng;
        fd_rng_start(&rng, 71, FD_STREAM_TEST, first + i, 0);
        model->draw_prior(model, &rng, theta);
        if (changed == ORIENTED) orient(model, theta);
        if (changed >= 0) theta[changed] -= 0.2 * (theta[changed] - model->params[changed].lo);
        for (int j = 0; j < DIM; j++) row[j] = (float)theta[j];
        model->forward(model, 1, theta, labels, NULL);
        assert_int_equal(fd_samples_append(writer, 1, row, labels, &chi2, &flags, &err), FD_OK);
    }
    assert_int_equal(fd_samples_finish(writer, &info, &err), FD_OK);
    fd_model_free(model);
}

static const fd_distance *named(const fd_comparison *c, const char *name) {
    for (int i = 0; i < c->n_distances; i++)
        if (strcmp(c->distances[i].name, name) == 0) return &c->distances[i];
    fail_msg("no quantity %s", name);
    return NULL;
}

/* The same draws but for k, which only scales masses: mixing is the same to the last bit, masses and k are not. */
static void one_change(void **state) {
    (void)state;
    fd_compare_spec spec = {.all_rows = true};
    fd_comparison c[2];
    write_set(at("a.h5"), FD_ORDERING_NORMAL, 0, -1);
    write_set(at("k.h5"), FD_ORDERING_NORMAL, 0, 20);
    write_set(at("b.h5"), FD_ORDERING_NORMAL, ROWS, -1);
    const char *paths[] = {at("a.h5"), at("k.h5"), at("b.h5")};
    fd_error err;
    assert_int_equal(fd_compare(3, paths, &spec, c, &err), FD_OK);
    assert_int_equal(c[0].n_distances, 52);
    assert_true(c[0].n == ROWS && c[0].m == ROWS);
    int outside = 0;
    for (int i = 0; i < c[0].n_distances; i++) {
        const fd_distance *d = &c[0].distances[i];
        bool scaled = !strcmp(d->name, "k") || !strcmp(d->unit, "eV") || !strcmp(d->unit, "eV2") || !strcmp(d->unit, "GeV");
        if (!scaled) assert_true(d->ks < 1e-3); /* U depends on rounding of 10^k at most where values tie */
        outside += d->outside;
    }
    assert_int_equal(outside, c[0].n_outside);
    assert_true(named(&c[0], "k")->outside && named(&c[0], "sum_m_eV")->outside && named(&c[0], "M3_GeV")->outside);
    assert_below(fabs(named(&c[0], "k")->ks - 0.2), 0.03); /* u against 0.8 u: sup is 0.2 */
    assert_true(c[1].n_outside <= 4); /* independent draws: 0.5 expected */
    assert_true(named(&c[1], "delta_rad")->periodic && named(&c[1], "arg_M1")->periodic && !named(&c[1], "k")->periodic);
    char *text = fd_compare_text(2, c, &spec);
    assert_non_null(strstr(text, "DIFFERENT: by chance less than once in 1,000,000"));
    assert_non_null(strstr(text, "as two draws of one"));
    free(text);
    for (int i = 0; i < 2; i++) fd_comparison_free(&c[i]);
}

/* Solutions only, the first N of them; and the distance of one column by counting. */
static void rows_that_count(void **state) {
    (void)state;
    fd_compare_spec spec = {.most = 100};
    fd_comparison c;
    fd_error err;
    const char *paths[] = {at("a.h5"), at("b.h5")};
    assert_int_equal(fd_compare(2, paths, &spec, &c, &err), FD_OK);
    assert_true(c.n == 100 && c.m == 100);
    float x[2][ROWS][DIM];
    for (int f = 0; f < 2; f++) {
        fd_sample_reader *reader;
        assert_int_equal(fd_samples_open(paths[f], &reader, NULL, &err), FD_OK);
        assert_int_equal(fd_samples_read(reader, 0, ROWS, x[f][0], NULL, NULL, NULL, &err), FD_OK);
        fd_samples_close(reader);
    }
    double worst = 0;
    for (int k = 0; k < 200; k += 2)
        for (int f = 0; f < 2; f++) {
            int below[2] = {0};
            for (int i = 0; i < 200; i += 2) /* even rows are the solutions */
                for (int g = 0; g < 2; g++) below[g] += x[g][i][18] <= x[f][k][18];
            worst = fmax(worst, abs(below[0] - below[1]) / 100.0);
        }
    assert_below(fabs(named(&c, "r1")->ks - worst), 1e-12);
    fd_comparison_free(&c);
    spec.most = 0;
    assert_int_equal(fd_compare(2, paths, &spec, &c, &err), FD_OK);
    assert_true(c.n == ROWS / 2 && c.m == ROWS / 2);
    fd_comparison_free(&c);
}

/* All quantities together: two sets of prior draws are one law; masses that are scaled are seen, and leave the images as they
 * were; rows brought into the corner of space where each orbit of the discrete symmetries has one point fill one image only. */
static void whole_rows(void **state) {
    (void)state;
    fd_compare_spec spec = {.all_rows = true, .together = true, .c2st = {.permutations = 20}};
    fd_comparison c[3];
    fd_error err;
    char words[256];
    write_set(at("k.h5"), FD_ORDERING_NORMAL, 3 * ROWS, 20); /* draws of its own: rows that are twins mislead a classifier */
    write_set(at("o.h5"), FD_ORDERING_NORMAL, 2 * ROWS, ORIENTED);
    const char *paths[] = {at("a.h5"), at("b.h5"), at("k.h5"), at("o.h5")};
    assert_int_equal(fd_compare(4, paths, &spec, c, &err), FD_OK);
    for (int i = 0; i < 3; i++) assert_true(c[i].together && c[i].c2st.rows == ROWS && c[i].cells.cells > 30);
    assert_true(c[0].c2st.tail > 0.01 && c[0].cells.tail > 0.01 && c[0].images.tail > 0.01);
    assert_string_equal(fd_comparison_verdict(&c[0], words), "not told apart from the reference");
    assert_true(c[1].c2st.tail < 0.01 && c[1].images.tail > 0.01);
    assert_non_null(strstr(fd_comparison_verdict(&c[1], words), "the reference: told apart by single quantities, the classifier"));
    assert_true(c[2].images.cells > 400 && c[2].images.filled <= 1 && c[2].images.tail < 1e-6);
    assert_non_null(strstr(fd_comparison_verdict(&c[2], words), "the symmetry images"));
    char *text = fd_compare_json(3, c, &spec);
    assert_non_null(strstr(text, "\"verdict\": \"not told apart from the reference\""));
    free(text);
    for (int i = 0; i < 3; i++) fd_comparison_free(&c[i]);
}

static void refusals(void **state) {
    (void)state;
    fd_compare_spec spec = {.all_rows = true};
    fd_comparison c;
    fd_error err;
    write_set(at("io.h5"), FD_ORDERING_INVERTED, 0, -1);
    const char *orderings[] = {at("a.h5"), at("io.h5")};
    assert_int_equal(fd_compare(2, orderings, &spec, &c, &err), FD_ERR_MISMATCH);
    assert_non_null(strstr(err.message, "mass ordering"));
    const char *missing[] = {at("a.h5"), at("none.h5")};
    assert_int_equal(fd_compare(2, missing, &spec, &c, &err), FD_ERR_FILE);
    fd_comparison_free(&c); /* zeroed after a failure */
}

static int remove_all(void **state) {
    (void)state;
    static const char *const names[] = {"a.h5", "b.h5", "k.h5", "io.h5", "o.h5"};
    for (int i = 0; i < 5; i++) unlink(at(names[i]));
    return rmdir(folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_change),
        cmocka_unit_test(rows_that_count),
        cmocka_unit_test(whole_rows),
        cmocka_unit_test(refusals),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_all);
}
