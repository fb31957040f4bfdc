#include "stages/settings.h"

#include <inttypes.h>
#include <stdio.h>

#include "flavordiff/rng.h"


fd_status fd_settings_text(const fd_config *config, unsigned sections, char **text, fd_error *err) {
    fd_config relevant;
    fd_config_default(&relevant);
    const fd_informed_spec defaults = relevant.informed;
    relevant.seed = config->seed;
    relevant.model = config->model;
    if (sections & FD_S_SIMULATE) relevant.simulate = config->simulate;
    if (sections & FD_S_NETWORK) relevant.network = config->network, relevant.diffusion = config->diffusion;
    if (sections & FD_S_TRAIN) relevant.train = config->train, relevant.train_use_ema = config->train_use_ema;
    if (sections & FD_S_TUNE) relevant.tune = config->tune, relevant.train_use_ema = config->train_use_ema;
    if (sections & FD_S_SELECT) relevant.select = config->select;
    if (sections & FD_S_BEFORE) relevant.before = config->before;
    if (sections & FD_S_SAMPLE) relevant.sample = config->sample;
    if (sections & FD_S_INFORMED) {
        relevant.informed = config->informed;
        relevant.informed.enabled = defaults.enabled;
        relevant.informed.sample = defaults.sample;
        relevant.informed.reference = defaults.reference;
    }
    if (sections & FD_S_INFORMED_SAMPLE) relevant.informed.sample = config->informed.sample;
    if (sections & FD_S_REFERENCE) relevant.reference = config->reference;
    if (sections & FD_S_EXACT) relevant.exact = config->exact;
    if (sections & FD_S_CALIBRATE) relevant.calibrate = config->calibrate;
    return fd_config_dump(&relevant, text, err);
}

fd_status fd_settings_target(const fd_config *config, unsigned sections, uint64_t *hash, fd_error *err) {
    fd_target target;
    char numbers[17];
    if (!(sections & FD_S_TARGET)) return FD_OK;
    fd_status status = fd_target_load(config->target, &target, err);
    if (status) return status;
    snprintf(numbers, sizeof numbers, "%016" PRIx64, fd_target_hash(&target));
    *hash = fd_derive_seed(*hash, numbers);
    return FD_OK;
}
