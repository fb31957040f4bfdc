/* torch.optim.lr_scheduler.OneCycleLR, two phases, cosine. Update i uses the rate set by the i-th scheduler step:
 *
 *   up   from max/div to max            on [0, warmup * updates - 1]
 *   down from max to max/div/final_div  on [warmup * updates - 1, updates - 1]
 *
 * and beta1 the other way round. The boundary is a real number, as in PyTorch, not a whole update. */
#include <math.h>

#include "base/constants.h"
#include "flavordiff/trainer.h"

void fd_train_spec_paper(fd_train_spec *spec) {
    *spec = (fd_train_spec){
        .batch = 64,
        .updates = 100000,
        .max_rate = 1e-3,
        .warmup = 0.3,
        .div = 25,
        .final_div = 1e4,
        .cycle_momentum = true,
        .beta1_min = 0.85,
        .beta1_max = 0.95,
        .beta2 = 0.999,
        .epsilon = 1e-8,
        .label_drop = 0.1,
        .ema_decay = 0.999,
    };
}

static double cosine(double from, double to, double fraction) {
    return to + (from - to) / 2 * (1 + cos(FD_PI * fraction));
}

void fd_one_cycle(const fd_train_spec *spec, long update, double *rate, double *beta1) {
    double last = (double)(spec->updates - 1), top = spec->warmup * (double)spec->updates - 1, at = (double)update;
    double low = spec->max_rate / spec->div, end = low / spec->final_div;
    double high_beta = spec->beta1_max, low_beta = spec->cycle_momentum ? spec->beta1_min : spec->beta1_max;
    if (at > last) at = last;
    if (at <= top && top > 0) {
        *rate = cosine(low, spec->max_rate, at / top);
        *beta1 = cosine(high_beta, low_beta, at / top);
    } else {
        double fraction = last > top ? (at - top) / (last - top) : 1;
        *rate = cosine(spec->max_rate, end, fraction);
        *beta1 = cosine(low_beta, high_beta, fraction);
    }
}
