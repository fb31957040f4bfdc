/* Settings with which every stage takes well under a second, and has several blocks. */
#ifndef FD_TESTS_SMALL_STAGES_H
#define FD_TESTS_SMALL_STAGES_H

#include <stdio.h>

#include "flavordiff/config.h"

static inline fd_config small_stages(void) {
    fd_config c;
    fd_config_default(&c);
    snprintf(c.target, sizeof c.target, "paper-table1-no");
    c.simulate.pairs = 3000;
    c.simulate.scan = 0;
    c.network.n_hidden = 2;
    c.network.widths[0] = 12, c.network.widths[1] = 8;
    c.network.activations[0] = FD_SELU, c.network.activations[1] = FD_TANH;
    c.diffusion.steps = 1000;
    c.train.updates = c.tune.updates = 10;
    c.select.generate.sampler = c.sample.generate.sampler = (fd_sampler_spec){.kind = FD_SAMPLER_DDPM, .steps = 1000, .clip = true};
    c.select.generate.gamma = c.sample.generate.gamma = 2;
    c.select.wanted = 700, c.select.max_generated = 5000;
    c.select.chi2_all = 1e30, c.select.chi2_mass = c.select.chi2_mixing = 1e30;
    c.sample.n = 2200;
    c.informed.width = 8, c.informed.hidden = 1, c.informed.last = 0;
    c.informed.validation = 64;
    c.informed.draws = FD_DRAWS_PRIOR;
    c.informed.train.updates = 70, c.informed.train.batch = 16; /* a pool lasts 32 */
    return c;
}

#endif
