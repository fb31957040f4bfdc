/* Results that plot and report read back: a ledger (JSON) when the first byte is 'L', else a table (CSV). */
#define _GNU_SOURCE
#include "flavordiff/stages.h"
#include "fuzz.h"
#include "stages/ledger.h"
#include "stages/table.h"

enum { MAX_SETS = 64 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static fd_ledger_entry entries[MAX_SETS];
    char path[FUZZ_PATH];
    fd_error err = {0};
    if (size == 0) return 0;
    int fd = file_of(data + 1, size - 1, path), n = 0;
    if (*data == 'L') {
        fd_status status = fd_ledger_read(path, MAX_SETS, &n, entries, &err);
        check_outcome(status, &err);
        char *text = status ? NULL : fd_ledger_text(n, entries);
        MUST(status || text);
        free(text);
    } else {
        fd_table table;
        fd_status status = fd_table_read(path, &table, &err);
        check_outcome(status, &err);
        for (size_t i = 0; !status && i < table.n_rows; i++) (void)fd_table_at(&table, i, (int)table.n_columns - 1);
        fd_table_free(&table);
    }
    drop_file(fd, path);
    return 0;
}
