/* HTML of the report: one file, no scripts, nothing fetched from anywhere. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stages/analyse.h"
#include "stages/report.h"

static const char style[] =
    ":root{color-scheme:light}"
    "body{font:16px/1.55 system-ui,-apple-system,'Segoe UI',Roboto,'Noto "
    "Sans',sans-serif;color:#1c1c1c;background:#fff;"
    "margin:0 auto;padding:1.2rem;max-width:72rem}"
    "h1{font-size:1.7rem;margin:.2rem 0}h2{font-size:1.25rem;margin:2.2rem 0 .6rem;border-bottom:1px solid "
    "#ccc;padding-bottom:.2rem}"
    "p{margin:.5rem 0;max-width:48rem}.sub{color:#555;margin-top:0}"
    ".wide{overflow-x:auto;margin:.6rem 0}"
    "table{border-collapse:collapse;font-size:.9rem;font-variant-numeric:tabular-nums}"
    "th,td{padding:.3rem .6rem;border-bottom:1px solid #e2e2e2;text-align:left;vertical-align:top}"
    "thead th{border-bottom:2px solid #888;background:#f6f6f6}"
    "td.n{text-align:right;white-space:nowrap}td.n small,td small{color:#666;display:block}"
    "figure{margin:1.2rem 0;break-inside:avoid}figure img{width:100%;height:auto;border:1px solid #e2e2e2}"
    "figcaption{font-size:.9rem;color:#333;max-width:52rem}"
    ".missing{background:#fff6e0;border-left:4px solid #e0a000;padding:.5rem .8rem}"
    ".headline{background:#eef4fb;border-left:4px solid #2166ac;padding:.6rem .8rem;max-width:none}"
    "pre{background:#f6f6f6;padding:.8rem;overflow-x:auto;font-size:.8rem;line-height:1.4}"
    "li{margin:.5rem 0;max-width:48rem}code{background:#f3f3f3;padding:0 .2em}"
    "@media(max-width:40rem){body{padding:.7rem;font-size:15px}th,td{padding:.25rem .4rem}}"
    "@media print{body{max-width:none;font-size:10.5pt;padding:0}h2{break-after:avoid}.wide{overflow:visible}"
    "table{font-size:8pt}details{display:none}}";

void fd_html_open(fd_text *html, const char *title) {
    fd_text_add(html, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>");
    fd_html_escape(html, title);
    fd_text_addf(html, "</title>\n<style>%s</style>\n</head>\n<body>\n", style);
}

void fd_html_close(fd_text *html) { fd_text_add(html, "</body>\n</html>\n"); }

void fd_html_escape(fd_text *html, const char *string) {
    for (; *string; string++) switch (*string) {
        case '<': fd_text_add(html, "&lt;"); break;
        case '>': fd_text_add(html, "&gt;"); break;
        case '&': fd_text_add(html, "&amp;"); break;
        case '"': fd_text_add(html, "&quot;"); break;
        case '\'': fd_text_add(html, "&#39;"); break;
        default: fd_text_bytes(html, string, 1);
        }
}

/* One escaped cell from a format. */
static void cell(fd_text *html, const char *format, va_list args) {
    char text[1200];
    vsnprintf(text, sizeof text, format, args);
    fd_text_add(html, "<td>");
    fd_html_escape(html, text);
    fd_text_add(html, "</td></tr>\n");
}

void fd_html_row(fd_text *html, const char *name, const char *format, ...) {
    va_list args;
    fd_text_add(html, "<tr><th>");
    fd_html_escape(html, name);
    fd_text_add(html, "</th>");
    va_start(args, format);
    cell(html, format, args);
    va_end(args);
}

void fd_html_pair(fd_text *html, const char *name, const char *paper, const char *format, ...) {
    va_list args;
    fd_text_add(html, "<tr><th>");
    fd_html_escape(html, name);
    fd_text_add(html, "</th><td>");
    fd_html_escape(html, paper);
    fd_text_add(html, "</td>");
    va_start(args, format);
    cell(html, format, args);
    va_end(args);
}

void fd_html_missing(fd_text *html, const char *format, ...) {
    char text[600];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    fd_text_add(html, "<p class=\"missing\">");
    fd_html_escape(html, text);
    fd_text_add(html, "</p>\n");
}

/* RFC 4648. */
static void base64(fd_text *html, const unsigned char *bytes, size_t n) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < n; i += 3) {
        size_t left = n - i;
        unsigned long word = (unsigned long)bytes[i] << 16;
        if (left > 1) word |= (unsigned long)bytes[i + 1] << 8;
        if (left > 2) word |= bytes[i + 2];
        char four[4] = {digits[word >> 18], digits[word >> 12 & 63], left > 1 ? digits[word >> 6 & 63] : '=',
                        left > 2 ? digits[word & 63] : '='};
        fd_text_bytes(html, four, 4);
    }
}

void fd_html_figure(fd_report *report, const char *name, const char *title, const char *caption) {
    char file[64], *png = NULL;
    size_t length = 0;
    snprintf(file, sizeof file, "%sfigures/%s.png", report->part->folder, name);
    char *path = fd_path(report->folder, file);
    fd_error err = {0};
    fd_status status = path ? fd_read_text(path, (size_t)64 << 20, &png, &length, &err)
                            : fd_fail(&err, FD_ERR_MEMORY, "out of memory");
    if (!fd_report_takes(report, path, status, &err)) {
        fd_html_missing(&report->html, "%s: %s is not there; `flavordiff plot` makes it.", title, file);
    } else {
        fd_text_add(&report->html, "<figure><img alt=\"");
        fd_html_escape(&report->html, title);
        fd_text_add(&report->html, "\" src=\"data:image/png;base64,");
        base64(&report->html, (const unsigned char *)png, length);
        fd_text_add(&report->html, "\">\n<figcaption><b>");
        fd_html_escape(&report->html, title);
        fd_text_addf(&report->html, ".</b> %s</figcaption></figure>\n", caption);
    }
    free(png);
    free(path);
}
