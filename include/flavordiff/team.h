/* Several processes, ranks 0 .. size - 1, at one piece of work: how they speak to each other, and the manners that keep them from
 * waiting for one another for ever. The library knows only this interface; the program fills it in with MPI (src/mpi/team.c).
 *
 * Rank 0 leads: it alone decides, reads and writes checkpoints and writes results. It calls the others to one job after the other
 * (fd_team_lead), in which all do their parts and share what they found; the others wait for jobs (fd_team_follow) until it has
 * ended (fd_team_end). A rank that has failed says so when the next job is called, or where a job asks (fd_team_agree), and then all
 * fail with its message. Results are those of one rank alone, bit by bit.
 *
 * Every function accepts NULL and a team of one, and does nothing. */
#ifndef FLAVORDIFF_TEAM_H
#define FLAVORDIFF_TEAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flavordiff/status.h"

FD_DECLS_BEGIN

typedef struct fd_team {
    int rank, size;
    /* Collective: every rank calls the same one with the same sizes. They cannot fail: a rank that is lost is the end of all. */
    void (*broadcast)(void *user, void *data, size_t bytes);       /* rank 0's data to all */
    void (*share)(void *user, void *data, const size_t *at);       /* bytes at[r] .. at[r + 1] of rank r's data to all, in place;
                                                                    * at (size + 1) */
    void (*deal)(void *user, const void *mine, const size_t *mine_at, void *got, const size_t *got_at); /* bytes mine_at[r] .. of
                                                                    * mine to rank r, from which got_at[r] .. of got come; nothing for
                                                                    * itself */
    void *user;
    size_t *scratch; /* (2 size + 2) for the functions below; the maker's to give and to free */
    bool ended;      /* the leader has */
} fd_team;

enum { FD_TEAM_JOB = 64 }; /* bytes of a job at most */

bool fd_team_alone(const fd_team *team);
bool fd_team_follows(const fd_team *team); /* one of several, and not rank 0 */

/* Rank 0: calls the others to a job, told in `bytes` bytes. Fails when a rank has; there is then no job. */
fd_status fd_team_lead(fd_team *team, const void *job, size_t bytes, fd_error *err);
/* The others: the next job, having come to *status (FD_OK, or the failure in err, which is told instead of doing the job). False when
 * rank 0 has ended, with *status and err as it was agreed. */
bool fd_team_follow(fd_team *team, fd_status *status, void *job, size_t bytes, fd_error *err);
#ifdef __clang_analyzer__ /* which sees one file at a time: who comes with a failure is given no job */
#define fd_team_follow(team, status, job, bytes, err) (!*(status) && (fd_team_follow)(team, status, job, bytes, err))
#endif
/* All, in a job: the failure of the first rank that failed, or FD_OK. */
fd_status fd_team_agree(fd_team *team, fd_status status, fd_error *err);
/* All, once, whatever happened before: rank 0 ends, the others follow to the end. Returns what was agreed on. */
fd_status fd_team_end(fd_team *team, fd_status status, fd_error *err);
/* All: FD_ERR_MISMATCH where `text` is not that of rank 0. Called as a job of its own. */
fd_status fd_team_same(fd_team *team, const char *what, const char *text, fd_error *err);

/* This rank's part, *from .. *to - 1, of n items divided in whole units (but for the last). NULL team: all. */
void fd_team_part(const fd_team *team, size_t n, size_t unit, size_t *from, size_t *to);
/* All, in a job: rows (n, row_bytes), divided as above, from those who made them to all. */
void fd_team_share_rows(fd_team *team, void *rows, size_t n, size_t unit, size_t row_bytes);
/* The same for n items (unit 1) of rows[i] rows each, without gaps. */
void fd_team_share_items(fd_team *team, void *items, size_t n, const uint64_t *rows, size_t row_bytes);
/* All, in a job: rank 0's data to all. */
void fd_team_broadcast(fd_team *team, void *data, size_t bytes);

FD_DECLS_END

#endif
