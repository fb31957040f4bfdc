/* HDF5 files: sample sets, networks of both kinds and analyses. The bytes are a list of changes to a good file, made with
 * HDF5 itself, so that checksums hold and the change reaches our checks, and to the raw bytes, which mostly reaches those
 * of HDF5. Whatever the file says, readers must answer, close what they open and take no more memory than it is long. */
#define _GNU_SOURCE
#include <hdf5.h>
#include <math.h>
#include <sys/stat.h>

#include "flavordiff/files.h"
#include "fuzz.h"

/* HDF5 1.10 leaks a header it cannot decode; handles of ours are counted below. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void) { return "leak:libhdf5\n"; }

/* ---- good files --------------------------------------------------------------------------------------------------- */

enum { SAMPLES, NETWORK, INFORMED, ANALYSIS, KINDS, ROWS = 5, MAX_BYTES = 1 << 22 };
static fd_model *model;
static struct {
    uint8_t *bytes;
    size_t size;
} good[KINDS];
static const fd_provenance provenance = {.verb = "simulate", .command = "flavordiff", .config = "seed: 1\n", .parents = ""};

static void write_rows(const char *path, bool analysis) {
    static float theta[ROWS * FD_MAX_PARAMS];
    static double labels[ROWS * FD_MAX_OBSERVABLES], chi2[ROWS];
    static uint8_t flags[ROWS];
    fd_sample_writer *writer = NULL;
    fd_sample_info info = {.role = "generated", .target = "paper-table1-no", .note = "a note", .n = ROWS, .n_train = ROWS - 1,
                           .tally = {.n = 9, .finite = 8, .in_prior = 7}};
    fd_model_options_default(&info.model);
    if (analysis) {
        MUST(fd_analysis_write(path, true, model, &info, &provenance, ROWS, theta, labels, chi2, flags, NULL) == FD_OK);
        return;
    }
    MUST(fd_samples_create(path, true, model, &provenance, &writer, NULL) == FD_OK);
    MUST(fd_samples_append(writer, ROWS, theta, labels, chi2, flags, NULL) == FD_OK);
    MUST(fd_samples_finish(writer, &info, NULL) == FD_OK);
}

static void write_network(const char *path, bool informed) {
    fd_network_spec spec = {.dim = model->n_params, .n_labels = model->n_labels, .n_hidden = 2, .widths = {3, 2},
                            .activations = {FD_SELU, FD_TANH}};
    fd_model_file file = {.trained_on = "prior", .updates = 3, .n_log = 1, .informed = informed, .use_ema = informed};
    fd_informant_spec_default(&file.told);
    if (informed) spec.n_features = fd_informant_features(&file.told, spec.dim, spec.n_labels);
    MUST(fd_network_create(&spec, &file.network, NULL) == FD_OK);
    file.log = calloc(4, sizeof *file.log);
    if (informed) file.ema = calloc(file.network->n_weights, sizeof *file.ema);
    file.params.n = spec.dim, file.labels.n = spec.n_labels;
    for (int i = 0; i < spec.dim; i++) file.params.scale[i] = 1;
    for (int i = 0; i < spec.n_labels; i++) file.labels.scale[i] = 1;
    fd_schedule_spec_paper(&file.schedule);
    fd_model_options_default(&file.model);
    MUST(fd_model_file_write(path, true, &file, &provenance, NULL) == FD_OK);
    fd_model_file_clear(&file);
}

static void make_good_files(void) {
    char folder[] = "/tmp/fuzz_h5.XXXXXX", path[64];
    fd_model_options options;
    fd_model_options_default(&options);
    setenv("SOURCE_DATE_EPOCH", "1700000000", 1);
    MUST(mkdtemp(folder) && fd_model_create(&options, &model, NULL) == FD_OK);
    snprintf(path, sizeof path, "%s/good.h5", folder);
    for (int kind = 0; kind < KINDS; kind++) {
        char *text = NULL;
        if (kind == SAMPLES || kind == ANALYSIS)
            write_rows(path, kind == ANALYSIS);
        else
            write_network(path, kind == INFORMED);
        MUST(fd_read_text(path, MAX_BYTES, &text, &good[kind].size, NULL) == FD_OK);
        good[kind].bytes = (uint8_t *)text;
    }
    unlink(path);
    rmdir(folder);
}

/* ---- changes ------------------------------------------------------------------------------------------------------- */

typedef struct stream {
    const uint8_t *at, *end;
} stream;

static uint8_t byte(stream *s) { return s->at < s->end ? *s->at++ : 0; }
static uint64_t word(stream *s) {
    uint64_t value = 0;
    for (int i = 0; i < 8; i++) value |= (uint64_t)byte(s) << (8 * i);
    return value;
}

static const char *const objects[] = {
    "/", "/samples", "/model", "/tally", "/tally_alone", "/groups", "/network", "/schedule", "/informant", "/training",
    "/scalers", "/observables", "/samples/theta", "/samples/labels", "/samples/chi2", "/samples/valid", "/model/parameters",
    "/model/parameters/name", "/model/parameters/prior", "/model/labels/name", "/network/layer_0", "/network/layer_0/weight",
    "/network/layer_1/bias", "/network/layer_2/ema_weight", "/scalers/labels/scale", "/scalers/parameters/shift",
    "/training/log", "/training/label_slopes", "/observables/mbb_eV"};
static const char *const attributes[] = {
    "format", "format_version", "seed", "config", "role", "target", "note", "n", "n_train", "kind", "ordering", "phases",
    "scale", "real_majorana", "vev_GeV", "finite", "projected", "seconds", "both", "dim", "n_labels", "n_features", "widths",
    "activations", "has_ema", "use_ema", "steps", "beta_min", "beta_max", "s_min", "s_max", "prediction", "oriented", "guess",
    "label_steps", "smooth", "waves", "regularisation", "clip", "margin", "fade", "trust", "trust_floor", "trained_on",
    "updates", "unit"};
#define PICK(list, s) (list)[byte(s) % (sizeof(list) / sizeof *(list))]

static hid_t some_type(stream *s) {
    switch (byte(s) % 9) {
    case 0: return H5Tcopy(H5T_STD_U64LE);
    case 1: return H5Tcopy(H5T_IEEE_F64LE);
    case 2: return H5Tcopy(H5T_IEEE_F32BE);
    case 3: return H5Tcopy(H5T_STD_I8LE);
    case 4: {
        hid_t type = H5Tcopy(H5T_C_S1);
        H5Tset_size(type, H5T_VARIABLE);
        return type;
    }
    case 5: return H5Tcreate(H5T_OPAQUE, 1 + (size_t)byte(s) * 1000);
    case 6: {
        hsize_t dims[1] = {1 + (hsize_t)byte(s)};
        return H5Tarray_create2(H5T_IEEE_F64LE, 1, dims);
    }
    case 7: return H5Tcopy(H5T_STD_REF_OBJ);
    default: {
        hid_t type = H5Tcopy(H5T_C_S1);
        H5Tset_size(type, 1 + (size_t)byte(s));
        return type;
    }
    }
}

static hid_t some_space(stream *s, int *rank, hsize_t dims[3]) {
    *rank = byte(s) % 5;
    if (*rank == 4) return *rank = 0, H5Screate(H5S_NULL);
    if (*rank == 0) return H5Screate(H5S_SCALAR);
    for (int i = 0; i < *rank; i++) {
        uint8_t b = byte(s);
        dims[i] = b < 200 ? b : (hsize_t)1 << (b - 200); /* up to 2^55 */
    }
    return H5Screate_simple(*rank, dims, NULL);
}

static void set_attribute(hid_t file, stream *s) {
    static uint8_t value[1 << 16];
    hsize_t dims[3];
    int rank;
    const char *object = PICK(objects, s), *name = PICK(attributes, s);
    hid_t type = some_type(s), space = some_space(s, &rank, dims), group = H5Oopen(file, object, H5P_DEFAULT);
    H5Adelete(group, name);
    hssize_t n = H5Sget_simple_extent_npoints(space);
    size_t size = H5Tget_size(type);
    bool small = n >= 0 && (uint64_t)n <= MAX_BYTES / size; /* HDF5 writes it whole at once */
    hid_t attribute = small ? H5Acreate2(group, name, type, space, H5P_DEFAULT, H5P_DEFAULT) : H5I_INVALID_HID;
    if (attribute >= 0 && n > 0 && (size_t)n <= sizeof value / size &&
        !(H5Tget_class(type) == H5T_STRING && H5Tis_variable_str(type) > 0)) {
        for (size_t i = 0; i < size * (size_t)n; i++) value[i] = byte(s);
        H5Awrite(attribute, type, value);
    }
    H5Aclose(attribute);
    H5Oclose(group);
    H5Sclose(space);
    H5Tclose(type);
}

/* A dataset in the place of another object, stored as the file likes it; most of its rows have no bytes. */
static void set_dataset(hid_t file, stream *s) {
    hsize_t dims[3], chunk[3] = {1, 1, 1}, limits[3] = {H5S_UNLIMITED, H5S_UNLIMITED, H5S_UNLIMITED};
    int rank;
    const char *name = PICK(objects, s);
    if (!name[1]) return;
    hid_t type = some_type(s), space = some_space(s, &rank, dims), create = H5Pcreate(H5P_DATASET_CREATE);
    switch (byte(s) % 5) {
    case 0:
        for (int i = 0; i < rank; i++) chunk[i] = 1 + (hsize_t)byte(s) * (i ? 1 : 1000);
        if (rank) H5Pset_chunk(create, rank, chunk), H5Sset_extent_simple(space, rank, dims, limits);
        if (rank && byte(s) % 2) H5Pset_deflate(create, 1);
        break;
    case 1: H5Pset_layout(create, H5D_COMPACT); break;
    case 2: H5Pset_alloc_time(create, H5D_ALLOC_TIME_LATE); break;
    case 3: H5Pset_external(create, "/proc/version", 0, H5F_UNLIMITED); break;
    default: break;
    }
    H5Ldelete(file, name, H5P_DEFAULT);
    /* What HDF5 allocates at creation must fit a file of the size that is fuzzed. */
    hssize_t n = H5Sget_simple_extent_npoints(space);
    bool small = n >= 0 && (uint64_t)n < MAX_BYTES && (uint64_t)n * H5Tget_size(type) < MAX_BYTES / 4;
    hid_t dataset = small || H5Pget_layout(create) == H5D_CHUNKED
                        ? H5Dcreate2(file, name, type, space, H5P_DEFAULT, create, H5P_DEFAULT) : H5I_INVALID_HID;
    if (dataset >= 0) H5Dclose(dataset);
    H5Pclose(create);
    H5Sclose(space);
    H5Tclose(type);
}

/* HDF5 makes whole chunks in memory and in the file when numbers are written. */
static bool small_chunks(hid_t dataset, hid_t type) {
    hsize_t sides[H5S_MAX_RANK], bytes = H5Tget_size(type);
    hid_t create = H5Dget_create_plist(dataset);
    int rank = H5Pget_layout(create) == H5D_CHUNKED ? H5Pget_chunk(create, H5S_MAX_RANK, sides) : 0;
    for (int i = 0; i < rank && bytes <= MAX_BYTES; i++) bytes = sides[i] > MAX_BYTES ? sides[i] : bytes * sides[i];
    H5Pclose(create);
    return rank >= 0 && bytes <= MAX_BYTES;
}

static void set_numbers(hid_t file, stream *s) {
    hid_t dataset = H5Dopen2(file, PICK(objects, s), H5P_DEFAULT);
    if (dataset < 0) return;
    hid_t space = H5Dget_space(dataset), type = H5Dget_type(dataset);
    hssize_t n = H5Sget_simple_extent_npoints(space);
    bool numbers = H5Tget_class(type) == H5T_FLOAT || H5Tget_class(type) == H5T_INTEGER;
    if (n > 0 && n < 4096 && numbers && small_chunks(dataset, type)) {
        double *all = calloc((size_t)n, sizeof *all), value;
        uint64_t bits, at = byte(s) % (uint64_t)n;
        H5Dread(dataset, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, all);
        bits = word(s);
        memcpy(&value, &bits, sizeof value);
        all[at] = value;
        H5Dwrite(dataset, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, all);
        free(all);
    }
    H5Tclose(type);
    H5Sclose(space);
    H5Dclose(dataset);
}

static void set_link(hid_t file, stream *s) {
    const char *name = PICK(objects, s), *to = PICK(objects, s);
    if (!name[1]) return;
    uint8_t how = byte(s) % 4;
    if (how < 3) H5Ldelete(file, name, H5P_DEFAULT);
    if (how == 0) H5Lcreate_soft(to, file, name, H5P_DEFAULT, H5P_DEFAULT);
    if (how == 1) H5Lcreate_external("/proc/self/exe", to, file, name, H5P_DEFAULT, H5P_DEFAULT);
    if (how == 2) H5Lcreate_hard(file, to, file, name, H5P_DEFAULT, H5P_DEFAULT);
}

static void change(const char *path, int fd, size_t size, stream *s) {
    hid_t file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT);
    MUST(file >= 0);
    uint8_t op;
    while (s->at < s->end && (op = byte(s) % 8) < 6) {
        if (op == 0 || op == 1) set_attribute(file, s);
        if (op == 2) set_dataset(file, s);
        if (op == 3) set_numbers(file, s);
        if (op == 4) set_link(file, s);
        if (op == 5) {
            const char *object = PICK(objects, s), *name = PICK(attributes, s);
            if (byte(s) % 2) H5Adelete_by_name(file, object, name, H5P_DEFAULT);
            else if (object[1]) H5Ldelete(file, object, H5P_DEFAULT);
        }
    }
    H5Fclose(file);
    while (s->at < s->end) { /* after the first op of 6 or 7: raw bytes */
        uint64_t at = byte(s) | (uint64_t)byte(s) << 8 | (uint64_t)byte(s) << 16;
        uint8_t value = byte(s);
        if (at >> 23) MUST(ftruncate(fd, (off_t)(at % size)) == 0);
        else MUST(pwrite(fd, &value, 1, (off_t)(at % size)) == 1);
    }
}

/* ---- reading ------------------------------------------------------------------------------------------------------- */

static void read_as_everything(const char *path) {
    fd_error err = {0};
    fd_sample_reader *reader = NULL;
    fd_model_file file;
    fd_sample_info info;
    char *text = NULL;
    bool informed;
    for (int json = 0; json < 2; json++) {
        fd_status status = fd_file_describe(path, json, &text, &err);
        check_outcome(status, &err);
        MUST((status == FD_OK) == (text != NULL));
        free(text);
    }
    fd_status status = fd_samples_open(path, &reader, &info, &err);
    check_outcome(status, &err);
    if (!status) check_outcome(fd_samples_check_model(reader, model, &err), &err);
    fd_samples_close(reader);
    status = fd_model_file_read(path, &file, &err);
    check_outcome(status, &err);
    if (!status) {
        for (size_t i = 0; i < file.network->n_weights; i++) MUST(isfinite(file.network->weights[i]));
        fd_model_file_clear(&file);
    }
    check_outcome(fd_model_file_is_informed(path, &informed, &err), &err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (!model) make_good_files();
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    stream s = {data, data + size};
    int kind = byte(&s) % KINDS;
    char path[FUZZ_PATH];
    int fd = file_of(good[kind].bytes, good[kind].size, path);
    change(path, fd, good[kind].size, &s);
    read_as_everything(path);
    MUST(H5Fget_obj_count((hid_t)H5F_OBJ_ALL, H5F_OBJ_ALL) == 0);
    drop_file(fd, path);
    return 0;
}
