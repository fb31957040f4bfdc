/* Checkpoints as files: records come back as they were, a kill costs the record it cut short and no more, and nothing is taken for
 * a checkpoint that is not one, or one of something else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "flavordiff/files.h"
#include "io/checkpoint.h"

static char folder[] = "/tmp/flavordiff-checkpoint-XXXXXX";
static char out[128], name[160];
static const char text[] = "version: 1\nseed: 7\nbatch: 64\n";

static void ok(fd_status status, const fd_error *err) {
    if (status) fail_msg("%s", err->message);
}

static fd_checkpoint *start(fd_checkpoint_mode mode) {
    fd_checkpoint *c;
    fd_error err;
    ok(fd_checkpoint_open(out, text, mode, &c, &err), &err);
    return c;
}

static void refused(fd_checkpoint_mode mode, const char *other, fd_status status, const char *words) {
    fd_checkpoint *c;
    fd_error err = {0};
    assert_int_equal(fd_checkpoint_open(out, other, mode, &c, &err), status);
    if (!strstr(err.message, words)) fail_msg("'%s' is not in: %s", words, err.message);
    assert_null(c);
}

static void append(fd_checkpoint *c, char *word) {
    fd_error err;
    char again[] = "!";
    fd_piece pieces[] = {{word, strlen(word)}, {NULL, 0}, {again, 1}};
    ok(fd_checkpoint_append(c, 3, pieces, &err), &err);
}

/* The next record is `word`; NULL: there is none. */
static void expect(fd_checkpoint *c, const char *word) {
    const void *payload;
    size_t size;
    fd_error err;
    ok(fd_checkpoint_next(c, &payload, &size, &err), &err);
    if (!word) {
        assert_null(payload);
        return;
    }
    assert_non_null(payload);
    assert_int_equal(size, strlen(word));
    assert_memory_equal(payload, word, size);
}

static size_t load(char **bytes) {
    size_t n;
    fd_error err;
    ok(fd_read_text(name, 1 << 20, bytes, &n, &err), &err);
    return n;
}

static void store(const char *bytes, size_t n) {
    FILE *file = fopen(name, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, n, file), n);
    assert_int_equal(fclose(file), 0);
}

static void records_come_back(void **state) {
    (void)state;
    fd_checkpoint *c = start(FD_CHECKPOINT_FRESH);
    append(c, "first"), append(c, "the second, longer than eight bytes");
    refused(FD_CHECKPOINT_RESUME, text, FD_ERR_FILE, "another process is writing it");
    fd_checkpoint_close(c, true);
    refused(FD_CHECKPOINT_FRESH, text, FD_ERR_FILE, "--resume");
    c = start(FD_CHECKPOINT_RESUME);
    expect(c, "first!"), expect(c, "the second, longer than eight bytes!"), expect(c, NULL);
    append(c, "third");
    fd_checkpoint_close(c, true);
    c = start(FD_CHECKPOINT_EITHER);
    expect(c, "first!"), expect(c, "the second, longer than eight bytes!"), expect(c, "third!"), expect(c, NULL);
    fd_checkpoint_close(c, false);
    assert_int_not_equal(access(name, F_OK), 0);
}

static void a_state_replaces_all(void **state) {
    (void)state;
    fd_error err;
    char one[] = "one", two[] = "two, and then some";
    fd_checkpoint *c = start(FD_CHECKPOINT_RESUME); /* where there is none */
    expect(c, NULL);
    append(c, "x");
    ok(fd_checkpoint_replace(c, 1, &(fd_piece){one, 3}, &err), &err);
    ok(fd_checkpoint_replace(c, 1, &(fd_piece){two, sizeof two - 1}, &err), &err);
    ok(fd_checkpoint_sync(c, &err), &err);
    refused(FD_CHECKPOINT_RESUME, text, FD_ERR_FILE, "another process is writing it"); /* the new file is locked too */
    append(c, "y");
    fd_checkpoint_close(c, true);
    char part[200];
    snprintf(part, sizeof part, "%s.part", name); /* killed while replacing: goes with the rest */
    fclose(fopen(part, "w"));
    c = start(FD_CHECKPOINT_RESUME);
    expect(c, two), expect(c, "y!"), expect(c, NULL);
    fd_checkpoint_close(c, false);
}

/* One without records is not worth a file, and nobody's to refuse. */
static void nothing_in_it(void **state) {
    (void)state;
    char *bytes;
    fd_checkpoint *c = start(FD_CHECKPOINT_FRESH);
    size_t n = load(&bytes);
    fd_checkpoint_close(c, true);
    assert_int_not_equal(access(name, F_OK), 0);
    for (size_t cut = 0; cut <= n; cut++) { /* killed while the header was written */
        store(bytes, cut);
        c = start(cut % 2 ? FD_CHECKPOINT_FRESH : FD_CHECKPOINT_RESUME);
        expect(c, NULL);
        append(c, "z");
        fd_checkpoint_close(c, true);
        c = start(FD_CHECKPOINT_RESUME);
        expect(c, "z!");
        fd_checkpoint_close(c, false);
    }
    free(bytes);
}

/* Cut anywhere in its last record, the others stand and the next one takes its place. */
static void cut_short(void **state) {
    (void)state;
    char *bytes;
    fd_checkpoint *c = start(FD_CHECKPOINT_FRESH);
    append(c, "kept");
    size_t kept = load(&bytes);
    free(bytes);
    append(c, "the one that is cut short");
    fd_checkpoint_close(c, true);
    size_t n = load(&bytes);
    for (size_t cut = kept; cut < n; cut++) {
        store(bytes, cut);
        c = start(FD_CHECKPOINT_RESUME);
        expect(c, "kept!"), expect(c, NULL);
        append(c, "new");
        fd_checkpoint_close(c, true);
        c = start(FD_CHECKPOINT_RESUME);
        expect(c, "kept!"), expect(c, "new!"), expect(c, NULL);
        fd_checkpoint_close(c, true);
    }
    free(bytes);
    unlink(name);
}

/* Any bit flipped anywhere: refused, or (a length that now runs past the end) the record is not there. Never other contents. */
static void damaged(void **state) {
    (void)state;
    char *bytes;
    fd_error err;
    int told = 0;
    fd_checkpoint *c = start(FD_CHECKPOINT_FRESH);
    append(c, "a record of some length");
    size_t header = load(&bytes);
    free(bytes);
    append(c, "another");
    fd_checkpoint_close(c, true);
    size_t n = load(&bytes);
    for (size_t bit = 0; bit < 8 * n; bit++) {
        const void *payload = "";
        size_t size, records = 0;
        bytes[bit / 8] ^= (char)(1 << bit % 8);
        store(bytes, n);
        bytes[bit / 8] ^= (char)(1 << bit % 8);
        fd_status status = fd_checkpoint_open(out, text, FD_CHECKPOINT_RESUME, &c, &err);
        for (; !status && payload; records += payload != NULL) {
            status = fd_checkpoint_next(c, &payload, &size, &err);
            if (!status && payload) assert_int_equal(size, records ? 8 : 24);
        }
        assert_true(status == FD_ERR_FORMAT || status == FD_ERR_MISMATCH || (status == FD_OK && records < 2));
        assert_true(status == FD_OK || strncmp(err.message, name, strlen(name)) == 0);
        told += status != FD_OK;
        fd_checkpoint_close(c, true);
    }
    assert_true(told > (int)n && header < n);
    store(bytes, n);
    free(bytes);
}

/* What `damaged` left is whole. */
static void of_something_else(void **state) {
    (void)state;
    refused(FD_CHECKPOINT_RESUME, "version: 1\nseed: 8\nbatch: 64\n", FD_ERR_MISMATCH, "'seed: 7' there, 'seed: 8' now");
    refused(FD_CHECKPOINT_RESUME, "version: 1\nseed: 7\nbatch: 640\n", FD_ERR_MISMATCH, "'batch: 64' there, 'batch: 640' now");
    refused(FD_CHECKPOINT_RESUME, "version: 2\nseed: 7\nbatch: 64\n", FD_ERR_MISMATCH, "'version: 1' there, 'version: 2' now");
    refused(FD_CHECKPOINT_RESUME, "version: 1\nseed: 7\n", FD_ERR_MISMATCH, "'batch: 64' there, '' now");
    fd_checkpoint *c = start(FD_CHECKPOINT_RESUME); /* refusing changes nothing */
    expect(c, "a record of some length!");
    fd_checkpoint_close(c, true);
    c = start(FD_CHECKPOINT_REPLACE);
    expect(c, NULL);
    fd_checkpoint_close(c, true);
    static const char *const strangers[] = {"hello", "flavordiff-checkpoint 1 99999999999999999999\n", "flavordiff-checkpoint 1 400\nversion",
                                            "flavordiff-checkpoint 1 18446744073709551615\nversion: 1\n", "flavordiff-checkpoint 2 3\nab"};
    for (size_t i = 0; i < sizeof strangers / sizeof *strangers; i++) {
        store(strangers[i], strlen(strangers[i]));
        refused(FD_CHECKPOINT_RESUME, text, FD_ERR_FORMAT, "--force");
        refused(FD_CHECKPOINT_FRESH, text, FD_ERR_FILE, "--force");
    }
    c = start(FD_CHECKPOINT_EITHER);
    expect(c, NULL);
    fd_checkpoint_close(c, true);
}

/* A record says it is as long as memory is: nothing is taken for it that is not in the file. */
static void lengths_are_not_trusted(void **state) {
    (void)state;
    char *bytes;
    fd_checkpoint *c = start(FD_CHECKPOINT_FRESH);
    append(c, "x");
    fd_checkpoint_close(c, true);
    size_t n = load(&bytes);
    memset(bytes + n - 18, 0xff, 8); /* head: 16 bytes, payload: 2 */
    store(bytes, n);
    free(bytes);
    c = start(FD_CHECKPOINT_RESUME);
    expect(c, NULL);
    fd_checkpoint_close(c, false);
}

static int make_folder(void **state) {
    (void)state;
    if (!mkdtemp(folder)) return -1;
    snprintf(out, sizeof out, "%s/out.h5", folder);
    snprintf(name, sizeof name, "%s.checkpoint", out);
    return 0;
}
static int remove_folder(void **state) {
    (void)state;
    return rmdir(folder); /* nothing is left in it */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_come_back), cmocka_unit_test(a_state_replaces_all), cmocka_unit_test(nothing_in_it),
        cmocka_unit_test(cut_short),         cmocka_unit_test(damaged),              cmocka_unit_test(of_something_else),
        cmocka_unit_test(lengths_are_not_trusted),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
