#include <stdlib.h>
#include <string.h>

#include "inference/mcmc_internal.h"

void fd_mcmc_share(fd_mcmc *m, fd_team *team) { m->team = team; }

/* traces holds, rank after rank, draws (draws, chains of the rank, dim); trace gets them as one. */
static void join_traces(const fd_mcmc *m, size_t n, size_t draws, const double *traces, double *trace) {
    size_t dim = (size_t)m->dim, from, to;
    fd_team rank = *m->team;
    for (rank.rank = 0; rank.rank < rank.size; rank.rank++) {
        fd_team_part(&rank, n, FD_MCMC_TILE, &from, &to);
        for (size_t t = 0; t < draws; t++)
            memcpy(trace + (t * n + from) * dim, traces + (from * draws + t * (to - from)) * dim, (to - from) * dim * sizeof *trace);
    }
}

static void share_counts(const fd_mcmc *m, fd_mcmc_counts *of_rank, fd_mcmc_counts *sum) {
    fd_team_share_rows(m->team, of_rank, (size_t)m->team->size, 1, sizeof *of_rank);
    for (int r = 0; r < m->team->size; r++) {
        sum->moves += of_rank[r].moves, sum->accepted += of_rank[r].accepted;
        sum->unsolved += of_rank[r].unsolved, sum->irreversible += of_rank[r].irreversible;
    }
}

static fd_status run_shared(const fd_mcmc *m, uint64_t first_chain, size_t n, double *theta, uint32_t first_step, uint32_t steps,
                            uint32_t stride, double *trace, fd_mcmc_counts *counts, fd_error *err) {
    size_t from, to, draws = trace ? steps / stride : 0, row = (size_t)m->dim;
    fd_mcmc_counts *of_rank = calloc((size_t)m->team->size, sizeof *of_rank);
    double *traces = malloc(draws * n * row * sizeof *traces + 1);
    fd_team_part(m->team, n, FD_MCMC_TILE, &from, &to);
    fd_status status = of_rank && traces ? FD_OK : fd_fail(err, FD_ERR_MEMORY, "out of memory");
    if (!status)
        status = fd_mcmc_run_alone(m, first_chain + from, to - from, theta + from * row, first_step, steps, stride,
                          trace ? traces + from * draws * row : NULL, &of_rank[m->team->rank], err);
    status = fd_team_agree(m->team, status, err);
    if (!status && of_rank && traces) {
        fd_team_share_rows(m->team, theta, n, FD_MCMC_TILE, row * sizeof *theta);
        fd_team_share_rows(m->team, traces, n, FD_MCMC_TILE, draws * row * sizeof *traces);
        share_counts(m, of_rank, counts);
        join_traces(m, n, draws, traces, trace);
    }
    free(of_rank);
    free(traces);
    return status;
}

fd_status fd_mcmc_run(const fd_mcmc *m, uint64_t first_chain, size_t n, double *theta, uint32_t first_step, uint32_t steps,
                      uint32_t stride, double *trace, fd_mcmc_counts *counts, fd_error *err) {
    if (fd_team_alone(m->team)) return fd_mcmc_run_alone(m, first_chain, n, theta, first_step, steps, stride, trace, counts, err);
    return run_shared(m, first_chain, n, theta, first_step, steps, stride, trace, counts, err);
}
