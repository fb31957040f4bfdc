#include "io/sample_info.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

#include "io/provenance.h"

/* The counts of a tally and the names they have in files, once for writing, reading and describing. */
static const struct {
    const char *name;
    size_t offset;
    bool optional; /* files from before there was a projection have no counts of it */
} tally_counts[] = {
    {"n", offsetof(fd_tally, n), false},
    {"finite", offsetof(fd_tally, finite), false},
    {"in_prior", offsetof(fd_tally, in_prior), false},
    {"masses", offsetof(fd_tally, masses), false},
    {"angles", offsetof(fd_tally, angles), false},
    {"five", offsetof(fd_tally, five), false},
    {"labels", offsetof(fd_tally, labels), false},
    {"labels_in_prior", offsetof(fd_tally, labels_in_prior), false},
    {"five_in_prior", offsetof(fd_tally, five_in_prior), false},
    {"projected", offsetof(fd_tally, projected), true},
    {"unreached", offsetof(fd_tally, unreached), true},
};
enum { N_COUNTS = sizeof tally_counts / sizeof *tally_counts };
static const char *const group_names[3] = {"mass_only", "mixing_only", "both"};

static void write_tally(fd_h5 *h, const char *name, const fd_tally *tally, const char *description) {
    hid_t group = fd_h5_new_group(h, name);
    fd_h5_put_text(h, group, "description", description);
    for (int i = 0; i < N_COUNTS; i++) {
        uint64_t count;
        memcpy(&count, (const char *)tally + tally_counts[i].offset, sizeof count);
        fd_h5_put_u64(h, group, tally_counts[i].name, count);
    }
    fd_h5_put_real(h, group, "seconds", tally->seconds);
    fd_h5_drop(h, group);
}

static void read_tally(fd_h5 *h, const char *name, const char *where, fd_tally *tally) {
    hid_t group = fd_h5_group(h, name);
    for (int i = 0; i < N_COUNTS; i++) {
        if (tally_counts[i].optional && !fd_h5_has_attribute(h, group, tally_counts[i].name)) continue;
        uint64_t count = fd_h5_get_u64(h, group, where, tally_counts[i].name);
        memcpy((char *)tally + tally_counts[i].offset, &count, sizeof count);
    }
    tally->seconds = fd_h5_get_real(h, group, where, "seconds");
    if (group >= 0) H5Gclose(group);
}

void fd_sample_info_write(fd_h5 *h, const fd_sample_info *info, uint64_t rows) {
    fd_model_group_write(h, NULL, &info->model);
    hid_t group = fd_h5_group(h, "samples");
    fd_h5_put_text(h, group, "role", info->role);
    fd_h5_put_text(h, group, "target", info->target);
    if (info->target_numbers[0]) fd_h5_put_text(h, group, "target_numbers", info->target_numbers);
    fd_h5_put_text(h, group, "note", info->note);
    fd_h5_put_u64(h, group, "n", rows);
    fd_h5_put_u64(h, group, "n_train", info->n_train);
    fd_h5_put_u64(h, group, "seed", info->seed);
    fd_h5_drop(h, group);
    write_tally(h, "tally", &info->tally,
                "Counts over everything that was generated, kept or not; windows are 3 sigma");
    if (info->alone.n) write_tally(h, "tally_alone", &info->alone, "The same points before projection");
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
    if (fd_h5_has_attribute(h, group, "target_numbers"))
        fd_h5_get_text(h, group, "/samples", "target_numbers", info->target_numbers, sizeof info->target_numbers);
    fd_h5_get_text(h, group, "/samples", "note", info->note, sizeof info->note);
    info->n = fd_h5_get_u64(h, group, "/samples", "n");
    info->n_train = fd_h5_get_u64(h, group, "/samples", "n_train");
    info->seed = fd_h5_get_u64(h, group, "/samples", "seed");
    if (group >= 0) H5Gclose(group);
    read_tally(h, "tally", "/tally", &info->tally);
    if (fd_h5_has(h, "tally_alone")) read_tally(h, "tally_alone", "/tally_alone", &info->alone);
    group = fd_h5_group(h, "groups");
    for (int i = 0; i < 3; i++) info->groups[i] = fd_h5_get_u64(h, group, "/groups", group_names[i]);
    if (group >= 0) H5Gclose(group);
}

void fd_tally_join(fd_tally *into, const fd_tally *more) {
    for (int i = 0; i < N_COUNTS; i++) {
        uint64_t a, b;
        memcpy(&a, (const char *)into + tally_counts[i].offset, sizeof a);
        memcpy(&b, (const char *)more + tally_counts[i].offset, sizeof b);
        a += b;
        memcpy((char *)into + tally_counts[i].offset, &a, sizeof a);
    }
    into->seconds += more->seconds;
}

/* ---- the same for people --------------------------------------------------------------------------------------- */

static json_t *json_number(double x) { return isfinite(x) ? json_real(x) : json_null(); }

json_t *fd_model_options_json(const fd_model_options *o) {
    return json_pack("{s:s, s:s, s:s, s:s, s:b, s:o}", "kind", o->kind, "ordering", fd_ordering_name(o->ordering), "phases",
                     fd_phases_name(o->phases), "scale", fd_scale_name(o->scale), "real_majorana",
                     o->real_majorana, "vev_GeV", json_number(o->vev_GeV));
}

static json_t *tally_json(const fd_tally *tally) {
    json_t *json = json_object();
    for (int i = 0; i < N_COUNTS; i++) {
        uint64_t count;
        memcpy(&count, (const char *)tally + tally_counts[i].offset, sizeof count);
        json_object_set_new(json, tally_counts[i].name, json_integer((json_int_t)count));
    }
    json_object_set_new(json, "seconds", json_number(tally->seconds));
    return json;
}

void fd_sample_info_json(const fd_sample_info *info, json_t *into) {
    json_t *groups = json_object();
    for (int i = 0; i < 3; i++)
        json_object_set_new(groups, group_names[i], json_integer((json_int_t)info->groups[i]));
    json_object_set_new(into, "role", json_string(info->role));
    json_object_set_new(into, "target", json_string(info->target));
    json_object_set_new(into, "note", json_string(info->note));
    json_object_set_new(into, "rows", json_integer((json_int_t)info->n));
    json_object_set_new(into, "training_rows", json_integer((json_int_t)info->n_train));
    json_object_set_new(into, "model", fd_model_options_json(&info->model));
    json_object_set_new(into, "tally", tally_json(&info->tally));
    if (info->alone.n) json_object_set_new(into, "tally_alone", tally_json(&info->alone));
    if (strcmp(info->role, "selected") == 0)
        json_object_set_new(into, "groups", groups);
    else
        json_decref(groups);
}
