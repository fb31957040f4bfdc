/* Configuration: defaults, round trip, overrides, and every kind of mistake a user can make. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <math.h>
#include <unistd.h>

#include "flavordiff/config.h"
#include "flavordiff/files.h"
#include "io/config_keys.h"

static char path[] = "test_config.XXXXXX";

static int make_file(void **state) {
    (void)state;
    int fd = mkstemp(path);
    return fd < 0 ? -1 : close(fd);
}

static int remove_file(void **state) {
    (void)state;
    return unlink(path);
}

static fd_status load_text(const char *text, int n_sets, const char *const *sets, fd_config *config, fd_error *err) {
    assert_int_equal(fd_write_text(path, text, strlen(text), NULL), FD_OK);
    return fd_config_load(path, n_sets, sets, config, err);
}

/* "%" in `wanted` stands for the name of the file. */
static void assert_message(const fd_error *err, const char *wanted) {
    char expected[512];
    size_t used = 0;
    for (; *wanted && used < sizeof expected - 1; wanted++)
        used += (size_t)snprintf(expected + used, sizeof expected - used, "%.*s", *wanted == '%' ? 99 : 1,
                                 *wanted == '%' ? path : wanted);
    if (!strstr(err->message, expected)) fail_msg("message '%s' lacks '%s'", err->message, expected);
    assert_null(strchr(err->message, '\n'));
}

static void refuse(const char *text, const char *set, const char *wanted) {
    fd_config config;
    fd_error err = {0};
    fd_status status = load_text(text, set ? 1 : 0, &set, &config, &err);
    if (fd_status_exit_code(status) != 2) fail_msg("'%s' (%s) gave status %d", text, set ? set : "", (int)status);
    assert_message(&err, wanted);
}

static void defaults_are_the_papers(void **state) {
    (void)state;
    fd_config c;
    assert_int_equal(fd_config_load(NULL, 0, NULL, &c, NULL), FD_OK);
    assert_string_equal(c.target, "paper-table1-no");
    assert_true(c.simulate.pairs == 100000 && c.simulate.train_fraction == 0.9);
    assert_true(c.network.n_hidden == 7 && c.network.widths[3] == 512 && c.network.activations[6] == FD_TANH);
    assert_true(c.diffusion.steps == 1000 && c.diffusion.beta_min == 1e-4 && c.diffusion.beta_max == 0.02);
    assert_true(c.train.batch == 64 && c.train.updates == 100000 && c.train.max_rate == 1e-3 && c.tune_rounds == 1);
    assert_true(c.select.wanted == 122306 && c.select.max_generated == 30000000);
    assert_true(c.select.chi2_all == 5500 && c.select.chi2_mass == 1000 && c.select.chi2_mixing == 4500);
    assert_true(c.sample.n == 30000000 && c.sample.generate.gamma == 8 && isinf(c.sample.keep_chi2_below));
    assert_true(c.sample.generate.sampler.kind == FD_SAMPLER_DDPM && c.sample.generate.sampler.steps == 1000);
    assert_true(c.sample.generate.project.steps == 0 && c.sample.generate.project.trust == 0.5);
    assert_true(c.model.vev_GeV == 246 && !c.model.real_majorana && c.model.phases == FD_PHASES_TAKAGI);
    fd_config blank;
    assert_int_equal(load_text("# all defaults\n\n", 0, NULL, &blank, NULL), FD_OK);
    assert_memory_equal(&blank, &c, sizeof c);
}

static void assert_round_trip(const fd_config *config) {
    char *text = NULL, *again = NULL;
    fd_config back;
    fd_error err = {0};
    assert_int_equal(fd_config_dump(config, &text, &err), FD_OK);
    if (load_text(text, 0, NULL, &back, &err)) fail_msg("%s\n%s", err.message, text);
    assert_int_equal(fd_config_dump(&back, &again, &err), FD_OK);
    assert_string_equal(text, again);
    assert_memory_equal(&back, config, sizeof back);
    free(text);
    free(again);
}

static void dump_reads_back(void **state) {
    (void)state;
    fd_config c;
    fd_config_default(&c);
    assert_round_trip(&c);
    const char *sets[] = {"name='it''s \"mine\": #1'",
                          "seed=18446744073709551615",
                          "target=a b.yaml",
                          "model={phases: paper, scale: as-printed, real_majorana: yes, vev_GeV: 174.104}",
                          "simulate={pairs: 1e3, train_fraction: 0.1, scan: 7}",
                          "network.widths=[1, 4096, 3]",
                          "network.activations=[silu, identity, tanh]",
                          "network.parameters=standard",
                          "network.labels=none",
                          "diffusion={schedule: cosine, steps: 50, beta_min: 0.1, beta_max: 0.30000000000000004}",
                          "train={updates: 12345678901, cycle_momentum: no, use_ema: on, label_drop: 0}",
                          "tune.frozen_layers=2",
                          "select.sampler={kind: ddim, steps: 7, eta: 0.123456789012345678}",
                          "sample.guidance=-2.5",
                          "sample.label=values",
                          "sample.label_values=[-4.1, 1e-300, 3, 4, 5, 6, 7, 8, 9, 10, 11]",
                          "before.keep_chi2_below=1e3",
                          "sample.sampler={kind: heun, steps: 9, grid: karras, rho: 6.5, clip: yes}",
                          "before.sampler={kind: dpmpp_2m_sde, grid: log_snr}",
                          "sample.guidance_s_min=0.05",
                          "before.guidance_s_max=12.5",
                          "before.label=window",
                          "reference={n: 5, method: rejection, cluster: 2.5}",
                          "sample.project={steps: 20, trust: 0.25, tolerance: 1e-5}"};
    fd_error err = {0};
    if (fd_config_load(NULL, sizeof sets / sizeof *sets, sets, &c, &err)) fail_msg("%s", err.message);
    assert_string_equal(c.name, "it's \"mine\": #1");
    assert_true(c.seed == UINT64_MAX && c.train.updates == 12345678901 && c.tune.updates == 12345678901);
    assert_true(c.select.generate.sampler.kind == FD_SAMPLER_DDIM && c.before.generate.sampler.steps == 50);
    const fd_sampler_spec *s = &c.sample.generate.sampler;
    assert_true(s->kind == FD_SAMPLER_HEUN && s->grid == FD_GRID_KARRAS && s->rho == 6.5 && s->clip && s->eta == 0);
    assert_true(c.sample.generate.guidance_s_min == 0.05 && isinf(c.sample.generate.guidance_s_max));
    assert_true(c.before.generate.guidance_s_min == 0 && c.before.generate.guidance_s_max == 12.5);
    assert_true(c.before.generate.sampler.kind == FD_SAMPLER_DPMPP_2M_SDE);
    assert_true(c.before.generate.sampler.eta == 1); /* an SDE that is not told otherwise has all its noise */
    assert_true(c.before.generate.sampler.grid == FD_GRID_LOG_SNR && !c.before.generate.sampler.clip);
    assert_round_trip(&c);
}

static void recipes_load(void **state) {
    (void)state;
    static const char *const recipes[] = {"paper", "quick", "results", "informed", "inverted"};
    for (int i = 0; i < (int)(sizeof recipes / sizeof *recipes); i++) {
        char file[512];
        fd_config c;
        fd_error err = {0};
        snprintf(file, sizeof file, "%s/recipes/%s.yaml", FD_SOURCE_DIR, recipes[i]);
        if (fd_config_load(file, 0, NULL, &c, &err)) fail_msg("%s", err.message);
        assert_round_trip(&c);
    }
}

static void tune_inherits_from_train(void **state) {
    (void)state;
    fd_config c;
    const char *set = "train.ema_decay=0.5";
    const char *text = "tune: {updates: 7}\ntrain: {batch: 8, updates: 9}\n";
    assert_int_equal(load_text(text, 1, &set, &c, NULL), FD_OK);
    assert_true(c.train.updates == 9 && c.tune.updates == 7 && c.tune.batch == 8 && c.tune.ema_decay == 0.5);
}

static void numbers_as_people_write_them(void **state) {
    (void)state;
    fd_config c;
    const char *text = "seed: 9007199254740993\nsample: {n: 3e7}\nselect: {wanted: 1.5e3, max_generated: 2.0E+4}\n";
    assert_int_equal(load_text(text, 0, NULL, &c, NULL), FD_OK);
    assert_true(c.sample.n == 30000000 && c.select.wanted == 1500 && c.select.max_generated == 20000);
    assert_true(c.seed == 9007199254740993u); /* 2^53 + 1 */
    refuse("sample: {n: 1.5}", NULL, "%:1: sample.n: '1.5' is not possible; allowed: a whole number");
    refuse("sample: {n: -1}", NULL, "sample.n: '-1'");
    refuse("sample: {n: 0x10}", NULL, "sample.n: '0x10'");
    refuse("sample: {n: 10 000}", NULL, "sample.n: '10 000'");
    refuse("sample: {n: 1e400}", NULL, "sample.n: '1e400'");
    refuse("seed: 18446744073709551616", NULL, "seed: '18446744073709551616'");
    refuse("train: {max_rate: nan}", NULL, "train.max_rate: 'nan'");
    refuse("train: {max_rate: .inf}", NULL, "train.max_rate: '.inf'");
    refuse("train: {max_rate: 1e-3x}", NULL, "train.max_rate: '1e-3x'");
    refuse("train: {max_rate: }", NULL, "train.max_rate: ''");
}

static void unknown_and_misplaced_keys(void **state) {
    (void)state;
    refuse("name: x\n\ntrain:\n  batch: 4\n  bacth: 5\n", NULL, "%:5: train.bacth: unknown key; known here: batch, updates");
    refuse("nme: x\n", NULL, "%:1: nme: unknown key; known here: name, seed, target, paper, model");
    refuse("select:\n  sampler:\n    stesp: 3\n", NULL, "%:3: select.sampler.stesp: unknown key; known here: kind, steps");
    refuse("train:\n  batch: [1, 2]\n", NULL, "%:2: train.batch: expected here: a single value");
    refuse("train: 3\n", NULL, "%:1: train: expected here:");
    refuse("network: {widths: 64}\n", NULL, "%:1: network.widths: expected here: a list");
    refuse("train: {batch: 4, batch: 5}\n", NULL, "train.batch: given twice");
    refuse("a: [1, 2\n", NULL, "%:2: not valid YAML");
    refuse("\tname: x\n", NULL, "%:1: not valid YAML");
    refuse("- 1\n", NULL, "%:1: ");
}

static void values_out_of_range(void **state) {
    (void)state;
    refuse("\ntrain:\n  batch: 0\n", NULL, "%:3: train.batch: '0' is not possible; allowed: a whole number from 1 to 65536");
    refuse("network:\n  widths: [64,\n    5000]\n", NULL,
           "%:3: network.widths[2]: '5000' is not possible; allowed: a whole number from 1 to 4096");
    refuse("network:\n  activations: [relu]\n", NULL,
           "%:2: network.activations[1]: 'relu' is not possible; allowed: identity, selu, tanh, silu");
    refuse("network:\n  widths: [8, 8]\n  activations: [selu]\n", NULL,
           "%:3: network.activations: 1 activations for 2 hidden layers");
    refuse("network: {activations: [selu]}\n", NULL, "1 activations for 7 hidden layers");
    refuse("simulate: {train_fraction: 0}", NULL, "a number more than 0 and at most 1");
    refuse("train: {beta2: 1}", NULL, "a number from 0 to less than 1");
    refuse("diffusion: {beta_min: 1}", NULL, "a number more than 0 and less than 1");
    refuse("diffusion: {beta_min: 0.5}", NULL, "diffusion.beta_min: '0.5' is not possible; allowed: at most beta_max, 0.02");
    refuse("diffusion: {schedule: sigmoid}", NULL, "'sigmoid' is not possible; allowed: linear, cosine, log_snr");
    refuse("diffusion: {s_min: 0}", NULL, "'0' is not possible; allowed: a number from 1e-06 to 1000000");
    refuse("diffusion: {schedule: log_snr, s_min: 50}", NULL,
           "diffusion.s_min: '50' is not possible; allowed: at most half of s_max, 80");
    refuse("informed: {diffusion: {schedule: log_snr, s_min: 0.002, s_max: 0.003}}", NULL,
           "informed.diffusion.s_min: '0.002' is not possible; allowed: at most half of s_max, 0.003");
    refuse("sample: {guidance_s_min: 3, guidance_s_max: 2}", NULL,
           "sample.guidance_s_min: '3' is not possible; allowed: at most guidance_s_max, 2");
    refuse("sample: {guidance_s_max: 0}", NULL, "allowed: a number more than 0 (.inf: no limit)");
    refuse("sample: {sampler: {grid: karras, rho: 0}}", NULL, "sample.sampler.rho: '0'");
    refuse("sample: {sampler: {kind: euler}}", NULL, "allowed: ddpm, ddim, dpmpp_2m, dpmpp_2m_sde, heun");
    refuse("diffusion: {steps: 10}\nsample:\n  sampler: {steps: 11}\n", NULL,
           "%:3: sample.sampler.steps: '11' is not possible; allowed: 1 to 10");
    refuse("sample: {sampler: {kind: ddim, eta: 1.5}}", NULL, "sample.sampler.eta: '1.5'");
    refuse("sample: {guidance: nan}", NULL, "sample.guidance: 'nan' is not possible");
    refuse("sample: {label: middle}", NULL, "allowed: central, window, values");
    refuse("sample:\n  label: values\n  label_values: [1, 2]\n", NULL,
           "%:3: sample.label_values: 2 values, but label: values needs 11");
    refuse("model: {phases: lapack}", NULL, "allowed: takagi, paper");
    refuse("model: {kind: unicorn}", NULL, "%:1: model.kind: ");
    refuse("train: {cycle_momentum: maybe}", NULL, "allowed: true, false");
    refuse("train: {beta1_min: 0.97}", NULL, "train.beta1_min: '0.97'");
    refuse("network: {widths: [4]}\ntune: {frozen_layers: 2}", NULL, "%:2: tune.frozen_layers: '2'");
    refuse("select: {wanted: 100, max_generated: 10}", NULL, "select.wanted: '100'");
    refuse("tune: {rounds: 21}", NULL, "%:1: tune.rounds: '21' is not possible; allowed: a whole number from 0 to 20");
    refuse("target: ''", NULL, "target: ''");
    refuse("name: \"a\\nb\"", NULL, "allowed: 1 to 63 printable characters");
    refuse("name: 0123456789012345678901234567890123456789012345678901234567890123", NULL, "1 to 63");
}

static void overrides(void **state) {
    (void)state;
    fd_config c;
    const char *sets[] = {"train.batch=16", "network.widths=[8, 9]", "select.sampler.kind=ddim", "train.batch=32"};
    assert_int_equal(load_text("name: x\ntrain: {batch: 8, updates: 5}\n", 4, sets, &c, NULL), FD_OK);
    assert_string_equal(c.name, "x");
    assert_true(c.train.batch == 32 && c.train.updates == 5 && c.network.n_hidden == 2 && c.network.widths[1] == 9);
    assert_true(c.network.activations[0] == FD_SELU && c.network.activations[1] == FD_TANH);
    assert_true(c.select.generate.sampler.kind == FD_SAMPLER_DDIM);

    refuse("", "train.batch=0", "--set train.batch=0: '0' is not possible; allowed: a whole number from 1 to 65536");
    refuse("", "train.bacth=1", "--set train.bacth=1: train.bacth: unknown key; known here: batch");
    refuse("", "train", "--set train: no '='; write it as block.key=value");
    refuse("", "=3", "--set =3: a key is empty");
    refuse("", "\n=3", "--set ?=3: unknown key");
    refuse("", "a\nb=3", "--set a?b=3: a: unknown key");
    refuse("", "train..x=3", "a key is empty");
    refuse("", "train.batch.x=3", "--set train.batch.x=3: ");
    refuse("train: {batch: 3}", "train.batch.x=3", "--set train.batch.x=3: unknown key");
    refuse("", "network.widths=[1, 2", "--set network.widths=[1, 2: the value is not valid YAML");
    refuse("", "network.widths=[1, 2.5]", "--set network.widths=[1, 2.5]: network.widths[2]: '2.5'");
    refuse("", "network.widths=&a [*a]", "--set network.widths=&a [*a]: ");
    refuse("", "sample.sampler.steps=1001", "--set sample.sampler.steps=1001: '1001' is not possible; allowed: 1 to 1000");
    refuse("\n\nsample: {n: 0}", "sample.n=5", "%:3: sample.n: '0'"); /* a wrong file is told of first */
    const char *two[] = {"diffusion.steps=10", "sample.sampler.steps=10"}; /* each is judged with the other */
    assert_int_equal(fd_config_load(NULL, 2, two, &c, NULL), FD_OK);
    const char *reversed[] = {"sample.sampler.steps=2000", "diffusion.steps=2000"};
    assert_int_equal(fd_config_load(NULL, 2, reversed, &c, NULL), FD_OK);
}

static void bad_files(void **state) {
    (void)state;
    fd_config c;
    fd_error err = {0};
    assert_int_equal(fd_config_load("no/such.yaml", 0, NULL, &c, &err), FD_ERR_FILE);
    assert_string_equal(err.message, "no/such.yaml: cannot open: No such file or directory");
    assert_int_equal(fd_config_load("/", 0, NULL, &c, &err), FD_ERR_FILE);
    assert_int_equal(fd_write_text(path, "a: \0b\n", 6, NULL), FD_OK);
    assert_int_equal(fd_config_load(path, 0, NULL, &c, &err), FD_ERR_CONFIG);
    assert_message(&err, "%: not a text file; is it the right file?");
    assert_int_equal(fd_write_text(path, "a: \xff\n", 5, NULL), FD_OK);
    assert_int_equal(fd_config_load(path, 0, NULL, &c, &err), FD_ERR_CONFIG);
    assert_message(&err, "%:1: ");
    char *big = calloc(1, 2 << 20);
    memset(big, '#', 2 << 20);
    assert_int_equal(fd_write_text(path, big, 2 << 20, NULL), FD_OK);
    assert_int_equal(fd_config_load(path, 0, NULL, &c, &err), FD_ERR_FORMAT);
    free(big);
}

/* Whatever bytes a recipe is damaged by: an answer, never a crash. */
static void damaged_text_is_answered(void **state) {
    (void)state;
    char *text = NULL;
    size_t length = 0;
    fd_config c;
    assert_int_equal(fd_read_text(FD_SOURCE_DIR "/recipes/paper.yaml", 1 << 20, &text, &length, NULL), FD_OK);
    fd_rng rng;
    fd_rng_start(&rng, 1, FD_STREAM_TEST, 0, 0);
    for (int i = 0; i < 500; i++) {
        char *copy = malloc(length);
        memcpy(copy, text, length);
        for (int k = 0; k < 3; k++) copy[fd_rng_below(&rng, length)] = (char)fd_rng_u32(&rng);
        FILE *file = fopen(path, "wb"); /* no fsync five hundred times */
        assert_int_equal(fwrite(copy, 1, length, file), length);
        assert_int_equal(fclose(file), 0);
        fd_error err = {0};
        fd_status status = fd_config_load(path, 0, NULL, &c, &err);
        assert_true(status == FD_OK || (status == FD_ERR_CONFIG && err.message[0]));
        free(copy);
    }
    free(text);
}

/* Every key is explained: docs/configuration.md names all of them as `key`. */
static void check_documented(const fd_key *keys, const char *text) {
    for (; keys->kind != FD_KEY_END; keys++) {
        char quoted[80];
        snprintf(quoted, sizeof quoted, "`%s`", keys->name);
        if (!strstr(text, quoted)) fail_msg("docs/configuration.md does not explain %s", quoted);
        if (keys->kind == FD_KEY_BLOCK) check_documented(keys->rows, text);
    }
}

static void every_key_is_documented(void **state) {
    (void)state;
    char *text = NULL;
    fd_error err = {0};
    if (fd_read_text(FD_SOURCE_DIR "/docs/configuration.md", 1 << 20, &text, NULL, &err)) fail_msg("%s", err.message);
    check_documented(fd_config_keys, text);
    free(text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_are_the_papers),   cmocka_unit_test(dump_reads_back),
        cmocka_unit_test(recipes_load),              cmocka_unit_test(tune_inherits_from_train),
        cmocka_unit_test(numbers_as_people_write_them), cmocka_unit_test(unknown_and_misplaced_keys),
        cmocka_unit_test(values_out_of_range),       cmocka_unit_test(overrides),
        cmocka_unit_test(bad_files),                 cmocka_unit_test(damaged_text_is_answered),
        cmocka_unit_test(every_key_is_documented),
    };
    return cmocka_run_group_tests(tests, make_file, remove_file);
}
