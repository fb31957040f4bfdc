#include "flavordiff/team.h"

#include <stdint.h>
#include <string.h>

/* What rank 0 says to the others before anything else. */
typedef struct call {
    uint64_t bytes; /* of the job; ENDED: there is none */
    unsigned char job[FD_TEAM_JOB];
} call;
static const uint64_t ENDED = UINT64_MAX;

bool fd_team_alone(const fd_team *team) { return !team || team->size == 1; }
bool fd_team_follows(const fd_team *team) { return !fd_team_alone(team) && team->rank > 0; }

void fd_team_broadcast(fd_team *team, void *data, size_t bytes) {
    if (!fd_team_alone(team) && bytes) team->broadcast(team->user, data, bytes);
}

fd_status fd_team_agree(fd_team *team, fd_status status, fd_error *err) {
    if (fd_team_alone(team)) return status;
    size_t *at = team->scratch, *statuses = at + team->size + 1;
    for (int r = 0; r <= team->size; r++) at[r] = (size_t)r * sizeof *statuses;
    statuses[team->rank] = (size_t)status;
    team->share(team->user, statuses, at);
    int first = 0;
    while (first < team->size && statuses[first] == FD_OK) first++;
    if (first == team->size) return FD_OK;
    fd_error told = {.status = status, .message = "a rank failed"};
    if (first == team->rank && err) told = *err;
    for (int r = 0; r <= team->size; r++) at[r] = r > first ? sizeof told : 0;
    team->share(team->user, &told, at);
    status = (fd_status)statuses[first];
    if (first == team->rank || !err) return status;
    *err = told;
    if (first) fd_error_prefix(err, "rank %d", first);
    return status;
}

fd_status fd_team_lead(fd_team *team, const void *job, size_t bytes, fd_error *err) {
    if (fd_team_alone(team)) return FD_OK;
    call c = {.bytes = bytes};
    memcpy(c.job, job, bytes);
    team->broadcast(team->user, &c, sizeof c);
    return fd_team_agree(team, FD_OK, err);
}

bool(fd_team_follow)(fd_team *team, fd_status *status, void *job, size_t bytes, fd_error *err) {
    while (!team->ended) {
        call c;
        team->broadcast(team->user, &c, sizeof c);
        team->ended = c.bytes == ENDED;
        if (!team->ended && !*status && c.bytes != bytes)
            *status = fd_fail(err, FD_ERR_MISMATCH, "called to another job than expected; all ranks need the same command");
        fd_error others; /* what another rank says is not ours to say again */
        fd_status agreed = fd_team_agree(team, *status, team->ended || *status ? err : &others);
        if (team->ended) *status = agreed;
        if (team->ended || agreed) continue;
        memcpy(job, c.job, bytes);
        return true;
    }
    return false;
}

fd_status fd_team_end(fd_team *team, fd_status status, fd_error *err) {
    if (fd_team_alone(team) || team->ended) return status;
    if (team->rank > 0) {
        char none;
        while (fd_team_follow(team, &status, &none, 0, err)) continue;
        return status;
    }
    call c = {.bytes = ENDED};
    team->ended = true;
    team->broadcast(team->user, &c, sizeof c);
    return fd_team_agree(team, status, err);
}

fd_status fd_team_same(fd_team *team, const char *what, const char *text, fd_error *err) {
    if (fd_team_alone(team)) return FD_OK;
    uint64_t mine = 0xcbf29ce484222325u, theirs;
    for (; *text; text++) mine = (mine ^ (unsigned char)*text) * 0x100000001b3u;
    theirs = mine;
    fd_status status = FD_OK;
    if (team->rank == 0) status = fd_team_lead(team, &mine, sizeof mine, err);
    else if (!fd_team_follow(team, &status, &theirs, sizeof theirs, err)) return status;
    if (status) return status;
    if (theirs != mine) status = fd_fail(err, FD_ERR_MISMATCH, "%s not as on rank 0", what);
    return fd_team_agree(team, status, err);
}

/* First item of a rank; where the next one's begin, its own end. */
static size_t first_of(const fd_team *team, int rank, size_t n, size_t unit) {
    size_t units = (n + unit - 1) / unit, size = (size_t)team->size, r = (size_t)rank;
    size_t first = (units / size * r + units % size * r / size) * unit;
    return first < n ? first : n;
}

void fd_team_part(const fd_team *team, size_t n, size_t unit, size_t *from, size_t *to) {
    bool alone = fd_team_alone(team);
    *from = alone ? 0 : first_of(team, team->rank, n, unit);
    *to = alone ? n : first_of(team, team->rank + 1, n, unit);
}

void fd_team_share_rows(fd_team *team, void *rows, size_t n, size_t unit, size_t row_bytes) {
    if (fd_team_alone(team)) return;
    for (int r = 0; r <= team->size; r++) team->scratch[r] = first_of(team, r, n, unit) * row_bytes;
    team->share(team->user, rows, team->scratch);
}

void fd_team_share_items(fd_team *team, void *items, size_t n, const uint64_t *rows, size_t row_bytes) {
    if (fd_team_alone(team)) return;
    size_t at = 0, i = 0;
    for (int r = 0; r <= team->size; r++) {
        for (size_t first = first_of(team, r, n, 1); i < first; i++) at += (size_t)rows[i] * row_bytes;
        team->scratch[r] = at;
    }
    team->share(team->user, items, team->scratch);
}
