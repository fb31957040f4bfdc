/* A team whose ranks are threads of one process: what MPI does, without MPI. */
#ifndef FD_TESTS_TEAM_THREADS_H
#define FD_TESTS_TEAM_THREADS_H

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flavordiff/team.h"

enum { MOST_RANKS = 4 };

/* What cmocka cannot say in other threads. */
#define must(what) ((what) ? (void)0 : (fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #what), abort()))

typedef struct threads_hall { /* where the ranks meet */
    int size;
    pthread_barrier_t gate;
    void *data[MOST_RANKS];
    const size_t *at[MOST_RANKS];
    size_t bytes[MOST_RANKS];
    const void *mine[MOST_RANKS];
} threads_hall;

typedef struct threads_rank {
    fd_team team;
    threads_hall *hall;
    size_t scratch[2 * MOST_RANKS + 2];
} threads_rank;

static inline void threads_broadcast(void *user, void *data, size_t bytes) {
    threads_rank *r = user;
    threads_hall *h = r->hall;
    h->data[r->team.rank] = data, h->bytes[r->team.rank] = bytes;
    pthread_barrier_wait(&h->gate);
    must(h->bytes[0] == bytes);
    if (r->team.rank) memcpy(data, h->data[0], bytes);
    pthread_barrier_wait(&h->gate);
}

static inline void threads_share(void *user, void *data, const size_t *at) {
    threads_rank *r = user;
    threads_hall *h = r->hall;
    h->data[r->team.rank] = data, h->at[r->team.rank] = at;
    pthread_barrier_wait(&h->gate);
    must(memcmp(h->at[0], at, (size_t)(h->size + 1) * sizeof *at) == 0);
    for (int i = 0; i < h->size; i++)
        if (i != r->team.rank && at[i + 1] > at[i])
            memcpy((char *)data + at[i], (const char *)h->data[i] + at[i], at[i + 1] - at[i]);
    pthread_barrier_wait(&h->gate);
}

static inline void threads_deal(void *user, const void *mine, const size_t *mine_at, void *got, const size_t *got_at) {
    threads_rank *r = user;
    threads_hall *h = r->hall;
    int me = r->team.rank;
    h->mine[me] = mine, h->at[me] = mine_at;
    pthread_barrier_wait(&h->gate);
    for (int i = 0; i < h->size; i++) {
        size_t bytes = h->at[i][me + 1] - h->at[i][me];
        must(bytes == got_at[i + 1] - got_at[i] && (i != me || bytes == 0));
        if (bytes) memcpy((char *)got + got_at[i], (const char *)h->mine[i] + h->at[i][me], bytes);
    }
    pthread_barrier_wait(&h->gate);
}

/* Runs work(team, user) in every rank, rank 0 in the calling thread. */
typedef void (*threads_work)(fd_team *team, void *user);
typedef struct threads_start {
    threads_rank *rank;
    threads_work work;
    void *user;
} threads_start;

static inline void *threads_run(void *start) {
    threads_start *s = start;
    s->work(&s->rank->team, s->user);
    return NULL;
}

static inline void in_ranks(int size, threads_work work, void *user) {
    threads_hall hall = {.size = size};
    threads_rank ranks[MOST_RANKS];
    threads_start starts[MOST_RANKS];
    pthread_t threads[MOST_RANKS];
    must(size <= MOST_RANKS);
    pthread_barrier_init(&hall.gate, NULL, (unsigned)size);
    for (int i = 0; i < size; i++) {
        ranks[i] = (threads_rank){.hall = &hall};
        ranks[i].team = (fd_team){.rank = i, .size = size, .broadcast = threads_broadcast, .share = threads_share, .deal = threads_deal,
                                  .user = &ranks[i], .scratch = ranks[i].scratch};
        starts[i] = (threads_start){&ranks[i], work, user};
        if (i) pthread_create(&threads[i], NULL, threads_run, &starts[i]);
    }
    threads_run(&starts[0]);
    for (int i = 1; i < size; i++) pthread_join(threads[i], NULL);
    pthread_barrier_destroy(&hall.gate);
}

#endif
