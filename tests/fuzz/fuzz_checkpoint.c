/* Checkpoints: what a stage was stopped with is changed, and the stage asked to go on. The bytes are a list of changes to the
 * records, whose hashes are made anew, so that they reach the stage, and then to the raw file, for the header and the hashes.
 * Whatever a checkpoint says, a stage goes on, begins anew or refuses it with a reason; a refused one is not thrown away, an output
 * that is made can be read, and nothing else is left. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <hdf5.h>
#include <sys/stat.h>

#include "flavordiff/stages.h"
#include "fuzz.h"
#include "io/checkpoint.h"

enum { SIMULATE, REFERENCE, CHAINS, TRAIN, SAMPLE, KINDS, MAX_RECORDS = 6, MAX_SIZE = 1 << 20, TICKS = 4 };

static char folder[FUZZ_PATH], out[FUZZ_PATH + 16], file[FUZZ_PATH + 32], inputs[2][FUZZ_PATH + 16];
static fd_config config;
static struct {
    uint8_t *bytes; /* the file, header and all */
    size_t size;
} good[KINDS];
static int ticks;

/* ---- good checkpoints --------------------------------------------------------------------------------------------- */

static int stop(void *user, const char *stage, uint64_t done, uint64_t total, const fd_tally *tally, const char *detail) {
    (void)user, (void)stage, (void)done, (void)total, (void)tally, (void)detail;
    return --ticks < 0;
}

static fd_status make(const fd_run *run, int kind, fd_error *err) {
    config.reference.method = kind == CHAINS ? FD_REFERENCE_MCMC : FD_REFERENCE_REJECTION;
    config.reference.cuts = kind == CHAINS ? FD_CUTS_ALL : FD_CUTS_NONE;
    switch (kind) {
    case SIMULATE: return fd_stage_simulate(run, out, err);
    case TRAIN: return fd_stage_train(run, inputs[0], NULL, out, err);
    case SAMPLE: return fd_stage_sample(run, &config.sample, inputs[1], out, err);
    default: return fd_stage_reference(run, out, err);
    }
}

static void small_config(void) {
    fd_config_default(&config);
    snprintf(config.target, sizeof config.target, "paper-table1-no");
    config.simulate.pairs = config.simulate.scan = 20;
    config.network.n_hidden = 1, config.network.widths[0] = 3, config.network.activations[0] = FD_TANH;
    config.diffusion.steps = 2;
    config.train.updates = 5, config.train.batch = 4;
    config.sample.generate.sampler = (fd_sampler_spec){.kind = FD_SAMPLER_DDPM, .steps = 2, .clip = true};
    config.sample.until = 1000, config.sample.max_generated = 5000; /* several blocks */
    config.reference.n = 20, config.reference.chains = 2, config.reference.burn_in = 4, config.reference.steps = 300;
}

static void end_folder(void) {
    for (int i = 0; i < 2; i++) unlink(inputs[i]);
    rmdir(folder);
}

static void make_good(void) {
    const char *temporary = getenv("TMPDIR");
    fd_error err = {0};
    fd_run run = {.config = &config, .command = "fuzz", .progress = stop, .checkpoint_every = 1e9};
    snprintf(folder, sizeof folder, "%.200s/fuzz.XXXXXX", temporary && *temporary ? temporary : "/tmp");
    MUST(mkdtemp(folder));
    snprintf(inputs[0], sizeof inputs[0], "%s/pairs.h5", folder);
    snprintf(inputs[1], sizeof inputs[1], "%s/net.h5", folder);
    snprintf(out, sizeof out, "%s/out.h5", folder);
    snprintf(file, sizeof file, "%s.checkpoint", out);
    atexit(end_folder);
    small_config();
    ticks = 1000;
    MUST(fd_stage_simulate(&run, inputs[0], &err) == FD_OK && fd_stage_train(&run, inputs[0], NULL, inputs[1], &err) == FD_OK);
    for (int kind = 0; kind < KINDS; kind++) {
        char *text = NULL;
        ticks = 0;
        MUST(make(&run, kind, &err) == FD_ERR_STOPPED);
        MUST(fd_read_text(file, MAX_SIZE, &text, &good[kind].size, NULL) == FD_OK);
        good[kind].bytes = (uint8_t *)text;
        unlink(file);
    }
}

/* ---- changes ------------------------------------------------------------------------------------------------------- */

typedef struct stream {
    const uint8_t *at, *end;
} stream;

static uint64_t number(stream *s, int bytes) {
    uint64_t value = 0;
    for (int i = 0; i < bytes; i++) value |= (uint64_t)(s->at < s->end ? *s->at++ : 0) << (8 * i);
    return value;
}

typedef struct record {
    uint8_t *data;
    size_t size;
} record;

static record copy_of(const void *data, size_t size) {
    record r = {malloc(size + 1), size};
    MUST(r.data);
    if (size) memcpy(r.data, data, size);
    return r;
}

/* The records of a good file, through the reader; the header's text. */
static int read_good(int kind, char *text, record *records) {
    fd_checkpoint *c = NULL;
    const void *payload = NULL;
    size_t size, n = 0, length = 0;
    int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    MUST(fd >= 0 && write(fd, good[kind].bytes, good[kind].size) == (ssize_t)good[kind].size && close(fd) == 0);
    const char *head = (const char *)good[kind].bytes;
    MUST(sscanf(head, "flavordiff-checkpoint 1 %zu\n", &length) == 1 && length < MAX_SIZE);
    memcpy(text, strchr(head, '\n') + 1, length);
    text[length] = '\0';
    MUST(fd_checkpoint_open(out, text, FD_CHECKPOINT_RESUME, &c, NULL) == FD_OK);
    while (fd_checkpoint_next(c, &payload, &size, NULL) == FD_OK && payload) {
        MUST(n < MAX_RECORDS);
        records[n++] = copy_of(payload, size);
    }
    fd_checkpoint_close(c, true);
    MUST(n >= 1);
    return (int)n;
}

static void change_records(stream *s, record *records, int *n) {
    uint64_t op;
    while (s->at < s->end && (op = number(s, 1) % 8) < 7) {
        if (*n == 0) break;
        record *r = &records[number(s, 1) % (uint64_t)*n];
        size_t at = (size_t)number(s, 2) * 8;
        if (op <= 2 && r->size >= 8) { /* a word, a byte, a small change */
            uint8_t *to = r->data + (op == 1 ? at / 8 % r->size : at % (r->size / 8 * 8));
            uint64_t word;
            memcpy(&word, r->data + at % (r->size / 8 * 8), 8);
            word = op == 0 ? number(s, 8) : word + number(s, 1) - 128;
            if (op == 1) *to = (uint8_t)number(s, 1);
            else memcpy(to, &word, 8);
        } else if (op == 3) r->size = at / 8 % (r->size + 1); /* shorter */
        else if (op == 4) { /* longer */
            record longer = copy_of(r->data, r->size);
            size_t more = at / 8 % 4096;
            MUST(longer.data = realloc(longer.data, r->size + more + 1));
            memset(longer.data + r->size, (int)number(s, 1), more);
            longer.size += more;
            free(r->data);
            *r = longer;
        } else if (op == 5 && *n < MAX_RECORDS) records[(*n)++] = copy_of(r->data, r->size);
        else if (op == 6) {
            free(r->data);
            *r = records[--*n];
        }
    }
}

/* After the first op of 7: raw bytes, of the header most of all, or the length. */
static void change_bytes(stream *s) {
    struct stat info;
    int fd = open(file, O_WRONLY);
    if (fd < 0) return; /* without records there is no file */
    MUST(fstat(fd, &info) == 0);
    while (s->at < s->end) {
        uint64_t at = number(s, 2);
        uint8_t value = (uint8_t)number(s, 1);
        if (at >> 15) MUST(ftruncate(fd, (off_t)(at % 0x8000) % (info.st_size + 9)) == 0);
        else MUST(pwrite(fd, &value, 1, (off_t)at % info.st_size) == 1);
    }
    close(fd);
}

static void write_changed(int kind, stream *s) {
    static char text[MAX_SIZE];
    record records[MAX_RECORDS];
    fd_checkpoint *c = NULL;
    int n = read_good(kind, text, records);
    change_records(s, records, &n);
    MUST(fd_checkpoint_open(out, text, FD_CHECKPOINT_REPLACE, &c, NULL) == FD_OK);
    for (int i = 0; i < n; i++) {
        MUST(fd_checkpoint_append(c, 1, &(fd_piece){records[i].data, records[i].size}, NULL) == FD_OK);
        free(records[i].data);
    }
    fd_checkpoint_close(c, true);
    change_bytes(s);
}

/* ---- going on ------------------------------------------------------------------------------------------------------ */

static bool there(const char *path) { return access(path, F_OK) == 0; }

static void check_output(int kind) {
    fd_sample_reader *reader = NULL;
    fd_sample_info info;
    fd_model_file network;
    if (kind == TRAIN) {
        fd_error err = {0};
        fd_status status = fd_model_file_read(out, &network, &err);
        check_outcome(status, &err); /* weights that are no numbers are found out where they are read */
        if (!status) fd_model_file_clear(&network);
        return;
    }
    MUST(fd_samples_open(out, &reader, &info, NULL) == FD_OK);
    fd_samples_close(reader);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (!good[0].bytes) make_good();
    stream s = {data, data + size};
    int kind = (int)(number(&s, 1) % KINDS);
    uint64_t how = number(&s, 1);
    char part[sizeof file + 8];
    fd_error err = {0};
    fd_run run = {.config = &config, .command = "fuzz", .progress = stop, .resume = (how & 3) != 3, .force = (how & 3) == 2,
                  .checkpoint_every = how & 4 ? 1e-9 : 1e9};
    write_changed(kind, &s);
    bool was = there(file);
    ticks = TICKS;
    fd_status status = make(&run, kind, &err);
    check_outcome(status, &err);
    if (!status) check_output(kind);
    MUST(there(out) == (status == FD_OK || status == FD_ERR_WANTING));
    if (status == FD_ERR_FORMAT || status == FD_ERR_MISMATCH || status == FD_ERR_FILE) MUST(there(file) == was);
    if (!status) MUST(!there(file));
    snprintf(part, sizeof part, "%s.part", file);
    MUST(!there(part));
    snprintf(part, sizeof part, "%s.part", out);
    MUST(!there(part));
    unlink(out);
    unlink(file);
    H5garbage_collect(); /* or libFuzzer takes what HDF5 keeps for a leak, and looks for it for long */
    return 0;
}
