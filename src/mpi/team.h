/* The ranks of an MPI job as a team. */
#ifndef FD_MPI_TEAM_H
#define FD_MPI_TEAM_H

#include "flavordiff/team.h"

/* *team is NULL when no MPI launcher started this process. FD_ERR_TOOL, FD_ERR_MEMORY. */
fd_status fd_mpi_begin(int *argc, char ***argv, fd_team **team, fd_error *err);
/* To be called by all ranks at their end; a rank that ends without takes the others with it. NULL ok. */
void fd_mpi_end(fd_team *team);
/* "Open MPI v4.1.4, ..." into text. */
void fd_mpi_version(char *text, size_t size);

#endif
