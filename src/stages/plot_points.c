/* Points, legends and limit lines of the figures. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stages/plot.h"

/* From the bottom layer up. */
static const struct {
    int class, mark, rim;
    const char *title;
} kinds[] = {
    {FD_POINT_NEAREST, 6, 0, "nearest by χ², NOT solutions"},
    {FD_POINT_OUTSIDE, 9, 8, "solutions with parameters outside the prior box"},
    {FD_POINT_INSIDE, 7, 6, "solutions inside the prior box"},
};
enum { KINDS = sizeof kinds / sizeof *kinds };

/* Larger marks for fewer points. */
static double mark_size(int class, size_t n) {
    if (class == FD_POINT_NEAREST) return 1.1;
    return n <= 30 ? 2.0 : n <= 300 ? 1.2 : n <= 3000 ? 0.7 : 0.4;
}

/* Black on white, to be seen on points of any colour. */
static void contours(fd_text *script, const char *name, int panel, const char *x, const char *y) {
    static const struct {
        double share;
        const char *style;
    } lines[] = {{0.9, "#ffffff' lw 3.4"}, {0.9, "#000000' lw 1.5"}, {0.5, "#ffffff' lw 3.4"}, {0.5, "#000000' lw 1.5"}};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        fd_text_addf(script,
                     ", \\\n  '%s-exact-%d.csv' using (column('share') == %g ? column('%s') : NaN):'%s':'dx':'dy' with vectors nohead lc rgb '%s",
                     name, panel, lines[i].share, x, y, lines[i].style);
}

void fd_script_points(fd_text *script, const fd_plot *plot, const char *name, int panel, const char *x, const char *y) {
    for (int i = 0; i < KINDS; i++) {
        size_t n = plot->drawn[kinds[i].class];
        double size = mark_size(kinds[i].class, n);
        if (n == 0) continue;
        fd_text_addf(
            script,
            ", \\\n  '%s.csv' using (column('class') == %d ? column('%s') : NaN):(column('%s')):(column('chi2')) ",
            name, kinds[i].class, x, y);
        fd_text_addf(script, "with points pt %d ps %.2f lw %s lc palette", kinds[i].mark, size,
                     kinds[i].class == FD_POINT_NEAREST ? "0.9" : "0.5");
        if (kinds[i].rim && n <= 3000) /* a thin dark rim: the palette's yellow is pale on white */
            fd_text_addf(script,
                         ", \\\n  '' using (column('class') == %d ? column('%s') : NaN):(column('%s')) "
                         "with points pt %d ps %.2f lw 0.3 lc rgb '#333333'",
                         kinds[i].class, x, y, kinds[i].rim, size);
    }
    if (plot->exact.n_rows >= FD_LEAST_EXACT) contours(script, name, panel, x, y);
    fd_text_add(script, "\n");
}

void fd_legend_add(fd_legend *legend, fd_legend_kind kind, int mark, const char *style, const char *format, ...) {
    va_list args;
    if (legend->n == FD_LEGEND_ENTRIES) return;
    legend->entries[legend->n].kind = kind;
    legend->entries[legend->n].mark = mark;
    legend->entries[legend->n].style = style;
    va_start(args, format);
    vsnprintf(legend->entries[legend->n].text, sizeof legend->entries->text, format, args);
    va_end(args);
    legend->n++;
}

void fd_legend_points(fd_legend *legend, const fd_plot *plot) {
    char count[32];
    for (int i = KINDS; i-- > 0;)
        if (plot->drawn[kinds[i].class])
            fd_legend_add(legend, FD_LEGEND_POINT, kinds[i].mark, "lc rgb '#31688e'", "%s (%s)", kinds[i].title,
                          fd_text_count(plot->drawn[kinds[i].class], count));
    if (plot->exact.n_rows >= FD_LEAST_EXACT)
        fd_legend_add(legend, FD_LEGEND_LINE, 0, "lc rgb '#000000' lw 1.5", "half and 90%% of the exact solutions (%s)",
                      fd_text_count(plot->exact.n_rows, count));
}

/* Share of the figure's width one entry takes; markup characters and UTF-8 continuation bytes have none. */
static double entry_width(const char *text) {
    double characters = 0;
    for (; *text; text++) characters += ((unsigned char)*text & 0xc0) != 0x80 && !strchr("_{}^", *text);
    return 0.045 + 0.0055 * characters;
}

void fd_legend_write(fd_text *script, const fd_legend *legend) {
    double total = 0;
    for (int i = 0; i < legend->n; i++) total += entry_width(legend->entries[i].text);
    int rows = total > 0.97 ? 2 : 1, done = 0;
    for (int row = 0; row < rows; row++) {
        double used = 0, y = rows == 1 ? 0.848 : 0.862 - 0.038 * row;
        int end = done;
        while (end < legend->n && (row == rows - 1 || used < 0.5 * total))
            used += entry_width(legend->entries[end++].text);
        double x = 0.5 - 0.5 * used + 0.01;
        for (; done < end; done++) {
            const char *style = legend->entries[done].style;
            if (legend->entries[done].kind == FD_LEGEND_LINE)
                fd_text_addf(script, "set arrow %d from screen %.4f,%.4f to screen %.4f,%.4f nohead %s\n", 100 + done,
                             x - 0.006, y, x + 0.016, y, style);
            if (legend->entries[done].kind == FD_LEGEND_BOX)
                fd_text_addf(script,
                             "set object %d rect from screen %.4f,%.4f to screen %.4f,%.4f fillcolor rgb '%s' "
                             "fillstyle solid 1 border lc rgb '#777777'\n",
                             100 + done, x - 0.006, y - 0.011, x + 0.016, y + 0.011, style);
            fd_text_addf(script, "set label %d ", 100 + done);
            fd_script_quote(script, legend->entries[done].text);
            fd_text_addf(script, " at screen %.4f,%.4f left font small\n", x + 0.02, y);
            if (legend->entries[done].kind == FD_LEGEND_POINT)
                fd_text_addf(script, "set label %d '' at screen %.4f,%.4f point pt %d ps 1.1 %s\n", 120 + done,
                             x + 0.007, y, legend->entries[done].mark, style);
            x += entry_width(legend->entries[done].text);
        }
    }
}

/* ---- limits ----------------------------------------------------------------------------------------------- */

typedef struct line {
    double at;
    char letter;
} line;

static int leftmost_first(const void *a, const void *b) {
    const line *x = a, *y = b;
    return (x->at > y->at) - (x->at < y->at);
}

char fd_limit_letter(fd_text *notes, const char *name) {
    char letter = 'a';
    size_t length = strlen(name);
    for (const char *at = notes->data; at && *at; at += strcspn(at, "\n") + 1, letter++)
        if (strncmp(at + 3, name, length) == 0 && at[3 + length] == '\n') return letter;
    fd_text_addf(notes, "%c: %s\n", letter, name);
    return letter;
}

void fd_limit_lines(fd_text *script, const fd_plot *plot, const char *observable, double lo, double hi, bool front,
                    fd_text *notes) {
    line lines[2 * FD_MAX_LIMITS] = {0};
    int n = 0;
    for (int i = 0; i < plot->target.n_limits; i++) {
        const fd_limit *limit = &plot->target.limits[i];
        if (strcmp(limit->observable, observable) != 0 || limit->band) continue;
        const double ends[2] = {1e3 * limit->lo, 1e3 * limit->hi};
        for (int end = 0; end < 2; end++)
            if (ends[end] > lo && ends[end] < hi) lines[n++] = (line){ends[end], fd_limit_letter(notes, limit->name)};
    }
    qsort(lines, (size_t)n, sizeof *lines, leftmost_first);
    fd_text_add(script, FD_PALE_GROUND);
    for (int i = 0; i < n; i++) { /* letters on alternating sides: two near lines do not share a place */
        fd_text_addf(
            script,
            "set arrow %d from first %.6g,graph 0 to first %.6g,graph 1 nohead lc rgb '#1b7837' dt '-' lw 1.1 %s\n",
            50 + i, lines[i].at, lines[i].at, front ? "front" : "back");
        fd_text_addf(script,
                     "set label %d '%c' at first %.6g,graph 0.965 %s offset character %s,0 font small textcolor rgb "
                     "'#1b7837' boxed front\n",
                     50 + i, lines[i].letter, lines[i].at, i % 2 ? "left" : "right", i % 2 ? "0.4" : "-0.4");
    }
}

void fd_limit_notes(fd_text *script, const fd_text *notes) {
    fd_text line_ = {0};
    script->failed |= notes->failed;
    if (!notes->length) return;
    fd_text_add(&line_, "limits   ");
    for (const char *c = notes->data; *c; c++) fd_text_bytes(&line_, *c == '\n' ? "    " : c, *c == '\n' ? 4 : 1);
    fd_text_add(script, "set label 90 ");
    fd_script_quote(script, line_.data ? line_.data : "");
    fd_text_add(script, " at screen 0.5,0.025 center font small textcolor rgb '#1b7837' noenhanced\n");
    script->failed |= line_.failed;
    fd_text_free(&line_);
}
