/* attribute: what did the data move? Every quantity in the prior, in the prior with the two mass-squared differences cut on, and in the
 * solutions. */
#include "io/json.h"
#include "stages/attribute.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inference/stats.h"
#include "inference/two_sample.h"
#include "stages/analyse.h"
#include "stages/common.h"
#include "stages/overlay.h"
#include "stages/text.h"

static fd_step step(bool periodic, size_t n, const double *x, size_t m, const double *y) {
    fd_two_sample t = fd_compare_sorted(n, x, m, y);
    return (fd_step){periodic ? t.kuiper : t.ks, fd_jensen_shannon(n, x, m, y)};
}

static bool cut_on(const fd_target *target, const char *name) {
    for (int i = 0; i < target->n_measurements; i++)
        if (!strcmp(target->measurements[i].observable, name)) return target->measurements[i].group != FD_GROUP_PHASE;
    return false;
}

fd_status fd_attribute(const fd_model *model, const fd_target *target, const fd_columns sets[FD_ATTRIBUTE_SETS],
                       fd_attribution *out, fd_error *err) {
    size_t room = 0, n[FD_ATTRIBUTE_SETS];
    for (int s = 0; s < FD_ATTRIBUTE_SETS; s++) room += sets[s].n;
    double *memory = malloc((room + 1) * sizeof *memory), *x[FD_ATTRIBUTE_SETS];
    if (!memory) return fd_fail(err, FD_ERR_MEMORY, "out of memory");
    for (int j = 0; j < sets[0].n_columns; j++, out++) {
        fd_quantity q = fd_quantity_of(model, j);
        *out = (fd_attribution){.quantity = q, .cut_on = cut_on(target, q.name)};
        x[0] = memory;
        for (int s = 0; s < FD_ATTRIBUTE_SETS; s++) {
            n[s] = fd_columns_sorted(&sets[s], j, x[s]);
            if (s + 1 < FD_ATTRIBUTE_SETS) x[s + 1] = x[s] + n[s];
            for (int k = 0; k < 3; k++) out->quartiles[s][k] = fd_quantile(n[s], x[s], 0.25 * (k + 1));
        }
        out->by_masses = step(q.periodic, n[FD_PRIOR], x[FD_PRIOR], n[FD_MASS_CUTS], x[FD_MASS_CUTS]);
        out->by_mixing = step(q.periodic, n[FD_MASS_CUTS], x[FD_MASS_CUTS], n[FD_POSTERIOR], x[FD_POSTERIOR]);
        out->by_all = step(q.periodic, n[FD_PRIOR], x[FD_PRIOR], n[FD_POSTERIOR], x[FD_POSTERIOR]);
    }
    free(memory);
    return FD_OK;
}

const char *fd_attribution_verdict(const fd_attribution *a) {
    if (a->cut_on) return "cut on";
    if (a->by_all.bits < FD_ATTRIBUTE_LITTLE) return "the prior's";
    if (a->by_mixing.bits < FD_ATTRIBUTE_LITTLE) return "of the mass splittings";
    return a->by_masses.bits < FD_ATTRIBUTE_LITTLE ? "of the mixing" : "of mass splittings and mixing";
}

/* ---- as text, CSV and JSON -------------------------------------------------------------------------------- */

static const char *const set_names[FD_ATTRIBUTE_SETS] = {"prior", "mass cuts", "posterior"};

static void as_text(fd_text *text, int n, const fd_attribution *rows) {
    fd_text_addf(text, "%-15s %-28s %-28s %-28s %7s  %-23s %s\n", "", "prior", "with mass cuts", "posterior", "KS", "bits", "");
    fd_text_addf(text, "%-15s %-28s %-28s %-28s %7s  %7s %7s %7s  %s\n", "quantity", "median (quartiles)", "median (quartiles)",
                 "median (quartiles)", "all", "masses", "mixing", "all", "whose it is");
    for (int i = 0; i < n; i++) {
        const fd_attribution *a = &rows[i];
        fd_text_addf(text, "%-15s ", a->quantity.name);
        for (int s = 0; s < FD_ATTRIBUTE_SETS; s++) {
            char cell[64];
            snprintf(cell, sizeof cell, "%.3g (%.3g ... %.3g)", a->quartiles[s][1], a->quartiles[s][0], a->quartiles[s][2]);
            fd_text_addf(text, "%-28s ", cell);
        }
        fd_text_addf(text, "%7.3f  %7.3f %7.3f %7.3f  %s\n", a->by_all.distance, a->by_masses.bits, a->by_mixing.bits, a->by_all.bits,
                     fd_attribution_verdict(a));
    }
    fd_text_addf(text, "KS: largest distance of the distribution functions, Kuiper's for angles. bits: Jensen-Shannon divergence, 0 for one "
                 "law, 1 for laws that exclude each other; below %g it counts as none\n", FD_ATTRIBUTE_LITTLE);
}

static void as_csv(fd_text *text, int n, const fd_attribution *rows) {
    fd_text_add(text, "quantity,unit,kind,periodic");
    for (int s = 0; s < FD_ATTRIBUTE_SETS; s++) {
        const char *name = s == FD_MASS_CUTS ? "masses" : set_names[s];
        fd_text_addf(text, ",%s_q25,%s_median,%s_q75", name, name, name);
    }
    fd_text_add(text, ",ks_masses,ks_mixing,ks_all,bits_masses,bits_mixing,bits_all,verdict\n");
    for (int i = 0; i < n; i++) {
        const fd_attribution *a = &rows[i];
        fd_text_addf(text, "%s,%s,%s,%d", a->quantity.name, a->quantity.unit, a->quantity.parameter ? "parameter" : "observable",
                     a->quantity.periodic);
        for (int s = 0; s < FD_ATTRIBUTE_SETS; s++)
            fd_text_addf(text, ",%.17g,%.17g,%.17g", a->quartiles[s][0], a->quartiles[s][1], a->quartiles[s][2]);
        fd_text_addf(text, ",%.17g,%.17g,%.17g,%.17g,%.17g,%.17g,%s\n", a->by_masses.distance, a->by_mixing.distance, a->by_all.distance,
                     a->by_masses.bits, a->by_mixing.bits, a->by_all.bits, fd_attribution_verdict(a));
    }
}

static json_t *step_json(const fd_step *s) {
    return json_pack("{s:o, s:o}", "ks", fd_json_number(s->distance), "bits", fd_json_number(s->bits));
}

static json_t *quartiles_json(const double q[3]) {
    return json_pack("[o, o, o]", fd_json_number(q[0]), fd_json_number(q[1]), fd_json_number(q[2]));
}

static fd_status write_json(const char *path, const char *posterior, int n, const fd_attribution *rows, fd_error *err) {
    fd_json_watch();
    json_t *list = json_array();
    for (int i = 0; i < n; i++) {
        const fd_attribution *a = &rows[i];
        json_array_append_new(
            list, json_pack("{s:s, s:s, s:s, s:b, s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:s}", "quantity", a->quantity.name, "unit",
                            a->quantity.unit, "kind", a->quantity.parameter ? "parameter" : "observable", "periodic",
                            a->quantity.periodic, "cut_on", a->cut_on, "prior_quartiles", quartiles_json(a->quartiles[FD_PRIOR]),
                            "masses_quartiles", quartiles_json(a->quartiles[FD_MASS_CUTS]), "posterior_quartiles",
                            quartiles_json(a->quartiles[FD_POSTERIOR]), "by_masses", step_json(&a->by_masses), "by_mixing",
                            step_json(&a->by_mixing), "by_all", step_json(&a->by_all), "verdict", fd_attribution_verdict(a)));
    }
    json_t *root = json_pack("{s:s, s:i, s:s, s:f, s:o}", "format", "flavordiff-attribution", "format_version", 1, "posterior",
                             posterior, "little_bits", FD_ATTRIBUTE_LITTLE, "quantities", list);
    char *text = fd_json_text(root, JSON_INDENT(2) | JSON_REAL_PRECISION(17));
    fd_status status = text ? fd_write_text(path, text, strlen(text), err)
                            : fd_fail(err, FD_ERR_MEMORY, "%s: out of memory, or a file's name is not UTF-8", path);
    free(text);
    json_decref(root);
    return status;
}

/* ---- the stage -------------------------------------------------------------------------------------------- */

typedef struct work {
    const fd_run *run;
    fd_config config; /* as given, with model and target of the solutions */
    const char *posterior;
    char *paths[FD_ATTRIBUTE_SETS], *csv, *json;
    fd_model *model;
    fd_target target;
    fd_columns sets[FD_ATTRIBUTE_SETS];
} work;

static fd_status name_files(work *w, const char *folder, fd_error *err) {
    w->paths[FD_PRIOR] = fd_path(folder, "prior.h5");
    w->paths[FD_MASS_CUTS] = fd_path(folder, "masses.h5");
    w->paths[FD_POSTERIOR] = strdup(w->posterior);
    w->csv = fd_path(folder, "attribution.csv");
    w->json = fd_path(folder, "attribution.json");
    bool all = w->paths[0] && w->paths[1] && w->paths[2] && w->csv && w->json;
    return all ? fd_make_folder(folder, err) : fd_fail(err, FD_ERR_MEMORY, "out of memory");
}

/* Prior draws with and without mass cuts, beside the solutions. */
static fd_status draw(work *w, const fd_sample_info *info, fd_error *err) {
    fd_run run = *w->run;
    run.config = &w->config;
    w->config.model = info->model;
    fd_status status = fd_named_target(w->run, info->target, &w->target, w->config.target, err);
    for (int s = FD_PRIOR; !status && s <= FD_MASS_CUTS; s++) {
        w->config.reference.cuts = s == FD_PRIOR ? FD_CUTS_NONE : FD_CUTS_MASSES;
        status = fd_stage_reference(&run, w->paths[s], err);
        if (!status) status = fd_columns_read(w->paths[s], 0, true, &w->model, &w->sets[s], NULL, err);
    }
    return status;
}

static fd_status conclude(work *w, fd_error *err) {
    int n = w->sets[0].n_columns;
    fd_text text = {0}, csv = {0};
    fd_attribution *rows = calloc((size_t)n, sizeof *rows);
    fd_status status = rows ? fd_attribute(w->model, &w->target, w->sets, rows, err) : fd_fail(err, FD_ERR_MEMORY, "out of memory");
    if (!status) {
        as_text(&text, n, rows);
        as_csv(&csv, n, rows);
        status = fd_text_write(&csv, w->csv, err);
    }
    if (!status) status = write_json(w->json, w->posterior, n, rows, err);
    if (!status && text.failed) status = fd_fail(err, FD_ERR_MEMORY, "out of memory");
    if (!status && w->run->message) w->run->message(w->run->user, text.data);
    fd_text_free(&text);
    fd_text_free(&csv);
    free(rows);
    return status;
}

static fd_status draw_figures(work *w, const char *folder, fd_error *err) {
    fd_run run = *w->run;
    run.force = run.force || run.resume; /* the draws are those of these settings, or they had been refused */
    fd_overlay overlay = {.model = w->model, .title = "What the data moved", .n_sets = FD_ATTRIBUTE_SETS};
    char *figures = fd_path(folder, "figures");
    for (int s = 0; s < FD_ATTRIBUTE_SETS; s++) overlay.sets[s].name = set_names[s], overlay.sets[s].columns = &w->sets[s];
    fd_status status = figures ? fd_overlay_draw(&overlay, &run, figures, NULL, err) : fd_fail(err, FD_ERR_MEMORY, "out of memory");
    free(figures);
    return status;
}

fd_status fd_stage_attribute(const fd_run *run, const char *posterior, const char *folder, fd_error *err) {
    work w = {.run = run, .config = *run->config, .posterior = posterior};
    fd_sample_info info;
    fd_status status = fd_columns_read(posterior, 0, false, &w.model, &w.sets[FD_POSTERIOR], &info, err);
    if (!status) status = name_files(&w, folder, err);
    if (!status) status = draw(&w, &info, err);
    if (!status) status = draw_figures(&w, folder, err);
    if (!status) status = conclude(&w, err);
    for (int s = 0; s < FD_ATTRIBUTE_SETS; s++) {
        fd_columns_free(&w.sets[s]);
        free(w.paths[s]);
    }
    fd_model_free(w.model);
    free(w.csv);
    free(w.json);
    return status;
}
