#include "io/sample_info.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

#include "io/provenance.h"

/* The counts of a tally and the names they have in files, once for writing, reading and describing. */
static const struct {
    const char *name;
    size_t offset;
} tally_counts[] = {
    {"n", offsetof(fd_tally, n)},
    {"finite", offsetof(fd_tally, finite)},
    {"in_prior", offsetof(fd_tally, in_prior)},
    {"masses", offsetof(fd_tally, masses)},
    {"angles", offsetof(fd_tally, angles)},
    {"five", offsetof(fd_tally, five)},
    {"labels", offsetof(fd_tally, labels)},
    {"labels_in_prior", offsetof(fd_tally, labels_in_prior)},
    {"five_in_prior", offsetof(fd_tally, five_in_prior)},
};
enum { N_COUNTS = sizeof tally_counts / sizeof *tally_counts };
static const char *const group_names[3] = {"mass_only", "mixing_only", "both"};

void fd_sample_info_write(fd_h5 *h, const fd_sample_info *info, uint64_t rows) {
    fd_model_group_write(h, NULL, &info->model);
    hid_t group = fd_h5_group(h, "samples");
    fd_h5_put_text(h, group, "role", info->role);
    fd_h5_put_text(h, group, "target", info->target);
    fd_h5_put_text(h, group, "note", info->note);
    fd_h5_put_u64(h, group, "n", rows);
    fd_h5_put_u64(h, group, "n_train", info->n_train);
    fd_h5_put_u64(h, group, "seed", info->seed);
    fd_h5_drop(h, group);
    group = fd_h5_new_group(h, "tally");
    fd_h5_put_text(h, group, "description", "Counts over everything that was generated, kept or not; windows are 3 sigma");
    for (int i = 0; i < N_COUNTS; i++) {
        uint64_t count;
        memcpy(&count, (const char *)&info->tally + tally_counts[i].offset, sizeof count);
        fd_h5_put_u64(h, group, tally_counts[i].name, count);
    }
    fd_h5_put_real(h, group, "seconds", info->tally.seconds);
    fd_h5_drop(h, group);
    group = fd_h5_new_group(h, "groups");
    fd_h5_put_text(h, group, "description", "Selected rows that meet the chi^2 cut on masses only, on mixing only, on both");
    for (int i = 0; i < 3; i++) fd_h5_put_u64(h, group, group_names[i], info->groups[i]);
    fd_h5_drop(h, group);
}

void fd_sample_info_read(fd_h5 *h, fd_sample_info *info) {
    fd_model_group_read(h, &info->model);
    hid_t group = fd_h5_group(h, "samples");
    fd_h5_get_text(h, group, "/samples", "role", info->role, sizeof info->role);
    fd_h5_get_text(h, group, "/samples", "target", info->target, sizeof info->target);
    fd_h5_get_text(h, group, "/samples", "note", info->note, sizeof info->note);
    info->n = fd_h5_get_u64(h, group, "/samples", "n");
    info->n_train = fd_h5_get_u64(h, group, "/samples", "n_train");
    info->seed = fd_h5_get_u64(h, group, "/samples", "seed");
    if (group >= 0) H5Gclose(group);
    group = fd_h5_group(h, "tally");
    for (int i = 0; i < N_COUNTS; i++) {
        uint64_t count = fd_h5_get_u64(h, group, "/tally", tally_counts[i].name);
        memcpy((char *)&info->tally + tally_counts[i].offset, &count, sizeof count);
    }
    info->tally.seconds = fd_h5_get_real(h, group, "/tally", "seconds");
    if (group >= 0) H5Gclose(group);
    group = fd_h5_group(h, "groups");
    for (int i = 0; i < 3; i++) info->groups[i] = fd_h5_get_u64(h, group, "/groups", group_names[i]);
    if (group >= 0) H5Gclose(group);
}

/* ---- the same for people --------------------------------------------------------------------------------------- */

static json_t *json_number(double x) { return isfinite(x) ? json_real(x) : json_null(); }

json_t *fd_model_options_json(const fd_model_options *o) {
    return json_pack("{s:s, s:s, s:s, s:s, s:b, s:o}", "kind", o->kind, "ordering", fd_ordering_name(o->ordering), "phases",
                     fd_phases_name(o->phases), "scale", fd_scale_name(o->scale), "real_majorana",
                     o->real_majorana, "vev_GeV", json_number(o->vev_GeV));
}

void fd_sample_info_json(const fd_sample_info *info, json_t *into) {
    json_t *tally = json_object(), *groups = json_object();
    for (int i = 0; i < N_COUNTS; i++) {
        uint64_t count;
        memcpy(&count, (const char *)&info->tally + tally_counts[i].offset, sizeof count);
        json_object_set_new(tally, tally_counts[i].name, json_integer((json_int_t)count));
    }
    json_object_set_new(tally, "seconds", json_number(info->tally.seconds));
    for (int i = 0; i < 3; i++)
        json_object_set_new(groups, group_names[i], json_integer((json_int_t)info->groups[i]));
    json_object_set_new(into, "role", json_string(info->role));
    json_object_set_new(into, "target", json_string(info->target));
    json_object_set_new(into, "note", json_string(info->note));
    json_object_set_new(into, "rows", json_integer((json_int_t)info->n));
    json_object_set_new(into, "training_rows", json_integer((json_int_t)info->n_train));
    json_object_set_new(into, "model", fd_model_options_json(&info->model));
    json_object_set_new(into, "tally", tally);
    if (strcmp(info->role, "selected") == 0)
        json_object_set_new(into, "groups", groups);
    else
        json_decref(groups);
}
