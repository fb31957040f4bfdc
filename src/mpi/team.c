#include "mpi/team.h"

#include <limits.h>
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* MPI counts bytes in ints: what is longer goes in pieces. Errors of MPI end all ranks (MPI_ERRORS_ARE_FATAL, its default). */
enum { PIECE = 1 << 30 };

static void broadcast_from(int rank, void *data, size_t bytes) {
    for (char *from = data; bytes > 0;) {
        int some = bytes < PIECE ? (int)bytes : PIECE;
        MPI_Bcast(from, some, MPI_BYTE, rank, MPI_COMM_WORLD);
        from += some, bytes -= (size_t)some;
    }
}

static void broadcast(void *user, void *data, size_t bytes) {
    (void)user;
    broadcast_from(0, data, bytes);
}

typedef struct ranks {
    fd_team team;
    int *counts, *starts;
} ranks;

static void share(void *user, void *data, const size_t *at) {
    ranks *r = user;
    if (at[r->team.size] > INT_MAX) {
        for (int i = 0; i < r->team.size; i++) broadcast_from(i, (char *)data + at[i], at[i + 1] - at[i]);
        return;
    }
    for (int i = 0; i < r->team.size; i++) r->starts[i] = (int)at[i], r->counts[i] = (int)(at[i + 1] - at[i]);
    MPI_Allgatherv(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, data, r->counts, r->starts, MPI_BYTE, MPI_COMM_WORLD);
}

/* Round by round, each rank with one it sends to and one it receives from. */
static void deal(void *user, const void *mine, const size_t *mine_at, void *got, const size_t *got_at) {
    const fd_team *t = &((const ranks *)user)->team;
    for (int k = 1; k < t->size; k++) {
        int to = (t->rank + k) % t->size, from = (t->rank - k + t->size) % t->size;
        size_t out = mine_at[to], in = got_at[from];
        while (out < mine_at[to + 1] || in < got_at[from + 1]) {
            size_t more_out = mine_at[to + 1] - out, more_in = got_at[from + 1] - in;
            MPI_Request requests[2];
            MPI_Status statuses[2]; /* gcc takes MPICH's MPI_STATUSES_IGNORE for an array too short */
            if (more_out > PIECE) more_out = PIECE;
            if (more_in > PIECE) more_in = PIECE;
            MPI_Irecv((char *)got + in, (int)more_in, MPI_BYTE, more_in ? from : MPI_PROC_NULL, 0, MPI_COMM_WORLD, &requests[0]);
            MPI_Isend((const char *)mine + out, (int)more_out, MPI_BYTE, more_out ? to : MPI_PROC_NULL, 0, MPI_COMM_WORLD, &requests[1]);
            MPI_Waitall(2, requests, statuses);
            out += more_out, in += more_in;
        }
    }
}

/* Where nobody launched it the program is alone and leaves MPI in peace, which would look for its daemons. */
static bool launched(void) {
    static const char *const signs[] = {"OMPI_COMM_WORLD_SIZE", "PMIX_RANK", "PMI_RANK", "PMI_SIZE", "MPI_LOCALNRANKS"};
    for (size_t i = 0; i < sizeof signs / sizeof *signs; i++)
        if (getenv(signs[i])) return true;
    return false;
}

fd_status fd_mpi_begin(int *argc, char ***argv, fd_team **team, fd_error *err) {
    int threads;
    *team = NULL;
    if (!launched()) return FD_OK;
    if (MPI_Init_thread(argc, argv, MPI_THREAD_FUNNELED, &threads) != MPI_SUCCESS || threads < MPI_THREAD_FUNNELED)
        return fd_fail(err, FD_ERR_TOOL, "MPI: cannot start with threads; use an MPI that has MPI_THREAD_FUNNELED");
    ranks *r = calloc(1, sizeof *r);
    if (!r) return fd_fail(err, FD_ERR_MEMORY, "out of memory");
    r->team = (fd_team){.broadcast = broadcast, .share = share, .deal = deal, .user = r};
    MPI_Comm_rank(MPI_COMM_WORLD, &r->team.rank);
    MPI_Comm_size(MPI_COMM_WORLD, &r->team.size);
    size_t n = (size_t)r->team.size;
    r->counts = malloc(n * sizeof *r->counts);
    r->starts = malloc(n * sizeof *r->starts);
    r->team.scratch = malloc((2 * n + 2) * sizeof *r->team.scratch);
    if (!r->counts || !r->starts || !r->team.scratch) { /* the others would wait */
        fprintf(stderr, "flavordiff: rank %d: out of memory\n", r->team.rank);
        MPI_Abort(MPI_COMM_WORLD, fd_status_exit_code(FD_ERR_MEMORY));
    }
    *team = &r->team;
    return FD_OK;
}

void fd_mpi_end(fd_team *team) {
    if (!team) return;
    ranks *r = team->user;
    MPI_Finalize();
    free(r->counts);
    free(r->starts);
    free(r->team.scratch);
    free(r);
}

void fd_mpi_version(char *text, size_t size) {
    char all[MPI_MAX_LIBRARY_VERSION_STRING];
    int length;
    MPI_Get_library_version(all, &length);
    size_t tab = strcspn(all, "\t"); /* "MPICH Version:<tab>4.0.2<newline>..." */
    if (all[tab]) all[tab] = ' ';
    snprintf(text, size, "%.*s", (int)strcspn(all, ",\n"), all);
}
