/* Ledger: written, read back, refused, as a table of text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "flavordiff/stages.h"
#include "folder.h"
#include "stages/ledger.h"
#include "stages/text.h"

static void ledger_round_trip(void **state) {
    (void)state;
    fd_ledger_entry out[4] = {
        {"prior draws",
         "100 draws <&> \"quoted\" γ",
         {.n = 1000000, .finite = 1000000, .in_prior = 1000000, .masses = 4321, .angles = 17, .seconds = 1.25},
         false},
        {"tuned network",
         "",
         {.n = 30000000,
          .finite = 29999999,
          .in_prior = 20000000,
          .masses = 900000,
          .angles = 50000,
          .five = 210,
          .labels = 104,
          .labels_in_prior = 60,
          .five_in_prior = 100,
          .seconds = 3600},
         false},
        {"tuned network, projected",
         "",
         {.n = 1000000,
          .finite = 1000000,
          .labels = 999000,
          .labels_in_prior = 999000,
          .in_prior = 999500,
          .projected = 999990,
          .unreached = 12},
         false},
        {"reference", "drawn", fd_exact_tally(5000), true}};
    fd_ledger_entry in[4];
    fd_error err;
    int n = 0;
    out[3].tally.seconds = 0.5;
    ok(fd_ledger_write(at("ledger.json"), 4, out, &err), &err);
    ok(fd_ledger_read(at("ledger.json"), 4, &n, in, &err), &err);
    assert_int_equal(n, 4);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(in[i].exact, out[i].exact);
        assert_string_equal(in[i].set, out[i].set);
        assert_string_equal(in[i].note, out[i].note);
        assert_memory_equal(&in[i].tally, &out[i].tally, sizeof out[i].tally);
    }
    json_t *root = json_load_file(at("ledger.json"), 0, NULL);
    json_t *sets = json_object_get(root, "sets");
    json_t *none = json_object_get(json_object_get(json_array_get(sets, 0), "windows"), "all_labels");
    double lo, hi;
    fd_wilson(0, 1000000, &lo, &hi);
    assert_int_equal(json_integer_value(json_object_get(none, "count")), 0);
    assert_true(json_number_value(json_array_get(json_object_get(none, "wilson95"), 0)) == 0);
    assert_true(json_number_value(json_array_get(json_object_get(none, "wilson95"), 1)) == hi);
    assert_int_equal(json_integer_value(json_object_get(json_array_get(sets, 1), "non_finite")), 1);
    assert_int_equal(json_integer_value(json_object_get(json_array_get(sets, 1), "out_of_prior")), 9999999);
    /* An exact set has a number, and nothing that could be taken for a yield. */
    assert_int_equal(json_integer_value(json_object_get(json_array_get(sets, 3), "solutions")), 5000);
    assert_null(json_object_get(json_array_get(sets, 3), "windows"));
    assert_null(json_object_get(json_array_get(sets, 3), "n"));
    json_decref(root);

    char *text = fd_ledger_text(4, out);
    const char *exact = strstr(text, "reference");
    assert_non_null(exact);
    assert_string_equal(exact, "reference: 5,000 exact solutions\n");
    assert_non_null(strstr(text, "30,000,000"));
    assert_non_null(strstr(text, "0.9989, 0.99906")); /* not 1, 1 */
    assert_non_null(strstr(text, "tuned network, projected: 12 of 1,000,000 samples did not reach their label\n"));
    assert_non_null(strstr(text, "0, 3.84e-06"));
    for (const char *line = text; *line; line += strcspn(line, "\n") + 1) assert_true(strcspn(line, "\n") <= 112);
    free(text);
    assert_int_equal(fd_ledger_read(at("ledger.json"), 2, &n, in, &err), FD_ERR_FORMAT);
    assert_int_equal(n, 0);
}

static void bad_ledgers(void **state) {
    (void)state;
    static const char *const bad[] = {
        "",
        "{",
        "[]",
        "{\"format\": \"flavordiff-ledger\", \"format_version\": 2, \"sets\": []}",
        "{\"format\": \"flavordiff-ledger\", \"format_version\": 1, \"sets\": 3}",
        "{\"format\": \"flavordiff-ledger\", \"format_version\": 1, \"sets\": [{}]}",
        "{\"format\": \"flavordiff-ledger\", \"format_version\": 1, \"sets\": [{\"set\": \"a\", \"note\": \"\", \"n\": "
        "-1}]}",
        "{\"format\": \"flavordiff-ledger\", \"format_version\": 1, \"sets\": [{\"set\": \"a\", \"note\": \"\", \"n\": "
        "5, \"finite\": 9, "
        "\"in_prior\": 1, \"seconds\": 1, \"windows\": {}}]}",
        "{\"format\": \"flavordiff-ledger\", \"format_version\": 1, \"sets\": [{\"set\": \"a\", \"note\": \"\", "
        "\"exact\": true, \"solutions\": -5, \"seconds\": 1}]}",
    };
    fd_ledger_entry entries[2];
    fd_error err;
    int n;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ok(fd_write_text(at("bad.json"), bad[i], strlen(bad[i]), &err), &err);
        assert_int_equal(fd_ledger_read(at("bad.json"), 2, &n, entries, &err), FD_ERR_FORMAT);
        assert_non_null(strstr(err.message, "bad.json"));
        assert_int_equal(n, 0);
    }
    assert_int_equal(fd_ledger_read(at("absent.json"), 2, &n, entries, &err), FD_ERR_FILE);
    fd_ledger_entry impossible = {"x", "", {.n = 1, .finite = 2}, false};
    assert_int_equal(fd_ledger_write(at("bad.json"), 1, &impossible, &err), FD_ERR_VALUE);
}

/* Both ends of an interval can be told apart, however near to nothing or to all. */
static void fractions_are_told_with_their_digits(void **state) {
    (void)state;
    static const struct {
        double p;
        const char *text;
    } told[] = {{0, "0"}, {1.3689e-5, "1.37e-05"}, {0.12345, "0.123"}, {0.4996, "0.5"}, {0.6390, "0.639"}, {0.6449, "0.645"}, {0.9, "0.900"},
                {0.999634, "0.99963"}, {0.9999953, "0.9999953"}, {1, "1"}};
    char text[32];
    for (size_t i = 0; i < sizeof told / sizeof *told; i++) assert_string_equal(fd_text_fraction(told[i].p, 3, text), told[i].text);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(ledger_round_trip), cmocka_unit_test(bad_ledgers),
                                       cmocka_unit_test(fractions_are_told_with_their_digits)};
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
