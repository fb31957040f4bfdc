/* bench: what it counts against closed forms, and that a sample set on its way to the disk stays out of memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "flavordiff/bench.h"
#include "folder.h"

/* ---- memory --------------------------------------------------------------------------------------------------------- */

/* The most memory this process has had, bytes. */
static long peak_memory(void) {
    char line[256];
    long kilobytes = 0;
    FILE *f = fopen("/proc/self/status", "r");
    while (f && fgets(line, sizeof line, f)) (void)!sscanf(line, "VmHWM: %ld", &kilobytes);
    if (f) fclose(f);
    return kilobytes * 1024;
}

/* A network too small to take time. */
static void write_tiny(const char *path) {
    fd_error err;
    fd_network_spec spec = {.dim = 23, .n_labels = 11, .n_hidden = 1, .widths = {8}, .activations = {FD_SELU}};
    fd_model_file file = {.params = {.n = 23}, .labels = {.n = 11}};
    for (int i = 0; i < 64; i++) file.params.scale[i] = file.labels.scale[i] = 1;
    fd_model_options_default(&file.model);
    fd_schedule_spec_paper(&file.schedule);
    ok(fd_network_create(&spec, &file.network, &err), &err);
    fd_network_initialise(file.network, 1);
    fd_provenance provenance = {.verb = "train", .command = "test", .config = "", .parents = ""};
    ok(fd_model_file_write(path, true, &file, &provenance, &err), &err);
    fd_model_file_clear(&file);
}

static void sample(uint64_t n, const char *path) {
    fd_error err;
    fd_config c;
    fd_config_default(&c);
    c.sample.n = n;
    c.sample.generate.sampler = (fd_sampler_spec){.kind = FD_SAMPLER_DDIM, .steps = 2};
    c.sample.generate.gamma = 1;
    fd_run run = {.config = &c, .command = "test", .force = true};
    ok(fd_stage_sample(&run, &c.sample, at("tiny.h5"), path, &err), &err);
}

static void assert_rows_equal(const char *a, const char *b, uint64_t first, size_t n) {
    float x[2][64 * 23];
    const char *path[2] = {a, b};
    assert_true(n <= 64);
    for (int i = 0; i < 2; i++) {
        fd_error err;
        fd_sample_reader *reader;
        ok(fd_samples_open(path[i], &reader, NULL, &err), &err);
        ok(fd_samples_read(reader, first, n, x[i], NULL, NULL, NULL, &err), &err);
        fd_samples_close(reader);
    }
    assert_memory_equal(x[0], x[1], n * 23 * sizeof(float));
}

/* A row is 23 floats, 11 + 1 doubles and a byte: 189 bytes. Both sets take several blocks, so what grows is kept rows. */
static void sampling_streams(void **state) {
    (void)state;
    enum { FEW = 70000, MANY = 400000, ROW = 189 };
    write_tiny(at("tiny.h5"));
    sample(FEW, at("few.h5"));
    long before = peak_memory();
    sample(MANY, at("many.h5"));
    long grown = peak_memory() - before;
    assert_rows_equal(at("few.h5"), at("many.h5"), FEW - 64, 64);
#if defined(__SANITIZE_ADDRESS__)
    skip(); /* keeps freed memory back */
#endif
    if (!before) skip(); /* no /proc */
    if (grown > (long)(MANY - FEW) * ROW / 4) fail_msg("%ld bytes more for %d more samples", grown, MANY - FEW);
}

/* ---- rates ---------------------------------------------------------------------------------------------------------- */

typedef struct seen {
    int n;
    fd_bench_row rows[32];
} seen;

static void see(void *user, const fd_bench_row *row) {
    seen *s = user;
    s->rows[s->n++] = *row;
}

static fd_status bench(const fd_config *config, const char *only, seen *s, fd_error *err) {
    fd_run run = {.config = config, .command = "test"};
    s->n = 0;
    return fd_stage_bench(&run, &(fd_bench_spec){.only = only, .seconds = 0.02}, see, s, err);
}

static const fd_bench_row *row_of(const seen *s, const char *name) {
    for (int i = 0; i < s->n; i++)
        if (strcmp(s->rows[i].name, name) == 0) return &s->rows[i];
    fail_msg("no rate %s", name);
    return NULL;
}

static fd_config quick(void) {
    fd_config c;
    fd_config_default(&c);
    c.informed.width = 32;
    c.sample.generate.sampler.steps = 4;
    return c;
}

static void every_rate_is_measured(void **state) {
    (void)state;
    fd_error err;
    seen s;
    fd_config c = quick();
    ok(bench(&c, NULL, &s, &err), &err);
    for (int i = 0; fd_bench_name(i); i++) {
        const fd_bench_row *r = row_of(&s, fd_bench_name(i));
        assert_ptr_equal(r, &s.rows[i]); /* once, in their order */
        assert_true(r->repetitions >= 5);
        assert_true(r->lo <= r->rate && r->rate <= r->hi);
        /* Informed samples of random weights may never be solutions. */
        if (strcmp(r->name, "informed-projected") != 0) assert_true(r->lo > 0);
        assert_true((r->flops > 0) == (r->peak > 0));
    }
}

/* Table 2: 23 64 128 256 512 256 128 64 23. */
static void operations_are_those_of_table_2(void **state) {
    (void)state;
    fd_error err;
    seen s;
    fd_config c = quick();
    const double one = 2.0 * (2 * 23 * 64 + 2 * 64 * 128 + 2 * 128 * 256 + 2 * 256 * 512);
    ok(bench(&c, "train-64,sample", &s, &err), &err);
    assert_int_equal(s.n, 2);
    assert_true(row_of(&s, "sample")->flops == 2 * one);
    assert_true(row_of(&s, "train-64")->flops == 64 * (3 * one - 2.0 * 23 * 64));
    c.sample.generate.gamma = 1;
    ok(bench(&c, "sample", &s, &err), &err);
    assert_true(row_of(&s, "sample")->flops == one);
}

static void names_are_checked(void **state) {
    (void)state;
    fd_error err;
    seen s;
    fd_config c = quick();
    const char *const bad[] = {"label", "labels,", "labels,sampl", "", "labelsx"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(bench(&c, bad[i], &s, &err), FD_ERR_USAGE);
        assert_non_null(strstr(err.message, "there are labels, "));
        assert_int_equal(s.n, 0);
    }
}

int main(void) {
    if (!mkdtemp(folder)) return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sampling_streams), /* first: the peak of memory is the process's */
        cmocka_unit_test(every_rate_is_measured),
        cmocka_unit_test(operations_are_those_of_table_2),
        cmocka_unit_test(names_are_checked),
    };
    int failures = cmocka_run_group_tests(tests, NULL, NULL);
    const char *const files[] = {"tiny.h5", "few.h5", "many.h5"};
    for (int i = 0; i < 3; i++) unlink(at(files[i]));
    rmdir(folder);
    return failures;
}
