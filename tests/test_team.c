/* Several ranks give what one gives: jobs, parts, failures, and whole stages, stopped and resumed with other numbers of ranks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "flavordiff/stages.h"
#include "folder.h"
#include "same_file.h"
#include "small_stages.h"
#include "team_threads.h"

/* ---- the manners ---------------------------------------------------------------------------------------------------- */

static void parts(void **state) {
    (void)state;
    size_t from, to;
    fd_team_part(NULL, 7, 3, &from, &to);
    assert_true(from == 0 && to == 7);
    for (int size = 1; size <= 9; size++)
        for (size_t n = 0; n < 40; n++)
            for (size_t unit = 1; unit <= 5; unit++) {
                size_t end = 0, most = 0, least = n;
                for (int r = 0; r < size; r++) {
                    fd_team_part(&(fd_team){.rank = r, .size = size}, n, unit, &from, &to);
                    assert_true(from == end && to >= from && (to == n || to % unit == 0));
                    end = to;
                    if ((to - from + unit - 1) / unit > most) most = (to - from + unit - 1) / unit;
                    if ((to - from) / unit < least) least = (to - from) / unit;
                }
                assert_true(end == n && most <= least + 2); /* one unit, and one that is cut short */
            }
}

/* Sums of squares: rank r makes rows r of every job; `broken` fails before job 2. */
typedef struct sums {
    int broken, size;
    uint64_t total[MOST_RANKS];
    int jobs[MOST_RANKS];
    fd_status status[MOST_RANKS];
    fd_error err[MOST_RANKS];
} sums;

static void one_job(fd_team *team, sums *s, uint64_t job) {
    enum { N = 10 };
    uint64_t rows[N], counts[N], items[N * N] = {0};
    size_t from, to, k = 0;
    fd_team_part(team, N, 3, &from, &to);
    for (size_t i = from; i < to; i++) rows[i] = job * i;
    fd_team_share_rows(team, rows, N, 3, sizeof *rows);
    for (size_t i = 0; i < N; i++) must(rows[i] == job * i);
    fd_team_part(team, N, 1, &from, &to);
    for (size_t i = 0; i < N; i++) counts[i] = i * job % 4; /* rows of item i */
    for (size_t i = 0; i < N; k += counts[i++])
        for (size_t j = 0; i >= from && i < to && j < counts[i]; j++) items[k + j] = 100 * i + j;
    fd_team_share_items(team, items, N, counts, sizeof *items);
    for (size_t i = 0, q = 0; i < N; i++)
        for (size_t j = 0; j < counts[i]; j++) must(items[q++] == 100 * i + j);
    for (size_t i = 0; i < N; i++) s->total[team->rank] += rows[i];
    s->jobs[team->rank]++;
}

static void do_sums(fd_team *team, void *user) {
    sums *s = user;
    fd_error *err = &s->err[team->rank];
    fd_status status = FD_OK;
    uint64_t job = 0;
    bool mine = s->broken == team->rank;
    if (team->rank == 0) {
        for (job = 1; !status && job <= 4; job++) {
            if (mine && job == 2) status = fd_fail(err, FD_ERR_FILE, "disk full");
            if (!status) status = fd_team_lead(team, &job, sizeof job, err);
            if (!status) one_job(team, s, job);
        }
    } else {
        while (fd_team_follow(team, &status, &job, sizeof job, err)) {
            one_job(team, s, job);
            if (mine && job == 1) status = fd_fail(err, FD_ERR_MEMORY, "out of memory");
        }
    }
    s->status[team->rank] = fd_team_end(team, status, err);
}

static void manners(void **state) {
    (void)state;
    for (int size = 1; size <= 4; size++)
        for (int broken = -1; broken < size; broken++) {
            sums s = {.broken = broken, .size = size};
            char told[64];
            in_ranks(size, do_sums, &s);
            snprintf(told, sizeof told, broken ? "rank %d: out of memory" : "disk full", broken);
            for (int r = 0; r < size; r++) {
                assert_int_equal(s.jobs[r], broken < 0 ? 4 : 1);
                assert_int_equal(s.total[r], 45 * (broken < 0 ? 10 : 1));
                assert_int_equal(s.status[r], broken < 0 ? FD_OK : broken ? FD_ERR_MEMORY : FD_ERR_FILE);
                if (broken >= 0 && r == 0) assert_string_equal(s.err[r].message, told);
            }
        }
}

static void do_same(fd_team *team, void *user) {
    sums *s = user;
    const char *text = team->rank == s->broken ? "other" : "the same";
    s->status[team->rank] = fd_team_end(team, fd_team_same(team, "texts are", text, &s->err[team->rank]), &s->err[team->rank]);
}

static void sameness(void **state) {
    (void)state;
    for (int broken = -1; broken < 3; broken++) {
        sums s = {.broken = broken};
        in_ranks(3, do_same, &s);
        for (int r = 0; r < 3; r++) assert_int_equal(s.status[r], broken < 0 ? FD_OK : FD_ERR_MISMATCH);
        if (broken > 0) assert_non_null(strstr(s.err[0].message, "texts are not as on rank 0"));
    }
}

/* ---- stages --------------------------------------------------------------------------------------------------------- */

static fd_config small(void) {
    fd_config c = small_stages();
    c.informed.train.batch = 80;
    return c;
}

typedef struct job {
    const fd_config *config;
    fd_status (*make)(const fd_run *run, const char *out, fd_error *err);
    const char *out;
    int stop_after; /* calls of progress */
    double checkpoint_every;
    fd_status status;
    fd_error err;
} job;

static char pairs_path[256], net_path[256];
static fd_status select_points(const fd_run *run, const char *out, fd_error *err) { return fd_stage_select(run, net_path, out, err); }
static fd_status sample(const fd_run *run, const char *out, fd_error *err) {
    return fd_stage_sample(run, &run->config->sample, net_path, out, err);
}
static fd_status train(const fd_run *run, const char *out, fd_error *err) {
    return fd_stage_train(run, pairs_path, NULL, out, err);
}
static fd_status tune(const fd_run *run, const char *out, fd_error *err) {
    return fd_stage_train(run, pairs_path, net_path, out, err);
}
static fd_status train_informed(const fd_run *run, const char *out, fd_error *err) { return fd_stage_train_informed(run, out, err); }
static fd_status reference(const fd_run *run, const char *out, fd_error *err) { return fd_stage_reference(run, out, err); }

static int stop(void *user, const char *stage, uint64_t done, uint64_t total, const fd_tally *tally, const char *detail) {
    (void)stage, (void)done, (void)total, (void)tally, (void)detail;
    return --((job *)user)->stop_after < 0;
}

static void do_stage(fd_team *team, void *user) {
    job *j = user;
    fd_error err = {0};
    omp_set_num_threads(1 + team->rank % 2);
    const fd_run run = {.config = j->config, .command = "test", .resume = true, .checkpoint_every = j->checkpoint_every,
                        .team = team, .progress = team->rank ? NULL : stop, .user = j};
    fd_status status = fd_team_end(team, j->make(&run, j->out, &err), &err);
    if (team->rank == 0) j->status = status, j->err = err;
}

/* By one rank and at once; by 2, 3, 4 and at once; stopped again and again, and resumed by 1, 2, 3 in turn. */
static void same_in_ranks(const fd_config *config, fd_status (*make)(const fd_run *, const char *, fd_error *), int least_stops) {
    char whole[256], other[256], checkpoint[300];
    snprintf(whole, sizeof whole, "%s", at("whole.h5"));
    snprintf(other, sizeof other, "%s", at("other.h5"));
    snprintf(checkpoint, sizeof checkpoint, "%s.checkpoint", other);
    job j = {.config = config, .make = make, .out = whole, .stop_after = 1 << 30};
    in_ranks(1, do_stage, &j);
    if (j.status) fail_msg("one rank: %s", j.err.message);
    for (int ranks = 2; ranks <= 4; ranks++) {
        j = (job){.config = config, .make = make, .out = other, .stop_after = 1 << 30};
        in_ranks(ranks, do_stage, &j);
        if (j.status) fail_msg("%d ranks: %s", ranks, j.err.message);
        assert_same_file(whole, other);
        unlink(other);
    }
    int stops = 0;
    for (;; stops++) {
        j = (job){.config = config, .make = make, .out = other, .checkpoint_every = stops % 2 ? 1e9 : 1e-9};
        in_ranks(1 + stops % 3, do_stage, &j);
        if (j.status == FD_OK) break;
        if (j.status != FD_ERR_STOPPED) fail_msg("%s", j.err.message);
        assert_true(access(other, F_OK) != 0 && access(checkpoint, F_OK) == 0 && stops < 1000);
    }
    assert_true(stops >= least_stops);
    assert_same_file(whole, other);
    unlink(whole), unlink(other);
}

static void make_files(void) {
    fd_config c = small();
    fd_error err;
    const fd_run run = {.config = &c, .command = "test"};
    snprintf(pairs_path, sizeof pairs_path, "%s", at("pairs.h5"));
    snprintf(net_path, sizeof net_path, "%s", at("net.h5"));
    if (fd_stage_simulate(&run, pairs_path, &err) || fd_stage_train(&run, pairs_path, NULL, net_path, &err))
        fail_msg("%s", err.message);
}

static void networks(void **state) {
    (void)state;
    fd_config c = small();
    make_files();
    c.train.batch = 150; /* shards of 32: one is cut short */
    same_in_ranks(&c, train, 10);
    c.train.precision = FD_BF16;
    same_in_ranks(&c, train, 10);
    c.train.precision = FD_FLOAT32;
    c.tune.frozen_layers = 1;
    same_in_ranks(&c, tune, 10);
    c.train.ema_decay = 0; /* no averaged weights */
    c.train.batch = 20;    /* ranks without a shard */
    same_in_ranks(&c, train, 10);
    same_in_ranks(&c, train_informed, 70);
}

static void points(void **state) {
    (void)state;
    fd_config c = small();
    same_in_ranks(&c, sample, 1);
    same_in_ranks(&c, select_points, 1);
    c.sample.until = 1500, c.sample.max_generated = 5000;
    c.sample.keep_chi2_below = 1e5;
    c.sample.generate.label = FD_LABEL_WINDOW;
    c.sample.generate.sampler = (fd_sampler_spec){.kind = FD_SAMPLER_DDIM, .steps = 5, .clip = true};
    c.sample.generate.project.steps = 20;
    same_in_ranks(&c, sample, 0);
}

static void draws(void **state) {
    (void)state;
    fd_config c = small();
    c.reference.n = 900;
    same_in_ranks(&c, reference, 1);
    c.reference.method = FD_REFERENCE_REJECTION;
    c.reference.cuts = FD_CUTS_NONE;
    c.reference.n = 70000;
    same_in_ranks(&c, reference, 1);
}

static void chains(void **state) {
    (void)state;
    fd_config c = small();
    c.reference.method = FD_REFERENCE_MCMC;
    c.reference.n = 500;
    c.reference.chains = 40; /* tiles of 16 */
    c.reference.burn_in = 64;
    c.reference.steps = 400;
    same_in_ranks(&c, reference, 1);
}

/* An input that is not there: all ranks say so, none waits. */
static void refusals(void **state) {
    (void)state;
    fd_config c = small();
    snprintf(net_path, sizeof net_path, "%s", at("nothing.h5"));
    job j = {.config = &c, .make = sample, .out = at("out.h5")};
    in_ranks(3, do_stage, &j);
    assert_int_equal(j.status, FD_ERR_FILE);
    assert_null(strstr(j.err.message, "rank"));
    assert_true(access(j.out, F_OK) != 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(parts), cmocka_unit_test(manners), cmocka_unit_test(sameness),
                                       cmocka_unit_test(networks), cmocka_unit_test(points), cmocka_unit_test(draws), cmocka_unit_test(chains), cmocka_unit_test(refusals)};
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
