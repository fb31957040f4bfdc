#include "io/h5.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "io/h5_driver.h"

enum { CHUNK_BYTES = 1 << 16, MAX_CHUNK_BYTES = 1 << 28 };

void fd_h5_fail(fd_h5 *h, fd_status status, const char *format, ...) {
    if (h->status) return;
    char message[800];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    if (status == FD_ERR_FORMAT && h->io && *h->io) /* not the file is wrong, reading it failed */
        h->status = fd_fail(h->err, FD_ERR_FILE, "%s: cannot read: %s", h->path, strerror(*h->io));
    else
        h->status = fd_fail(h->err, status, "%s: %s", h->path, message);
}

static void fail_write(fd_h5 *h, const char *what) {
    if (h->io_error)
        fd_h5_fail(h, FD_ERR_FILE, "cannot write: %s", strerror(h->io_error));
    else
        fd_h5_fail(h, FD_ERR_FILE, "cannot write %s: HDF5 refused", what);
}

static void fail_read(fd_h5 *h, const char *what) {
    fd_h5_fail(h, FD_ERR_FORMAT, "%s cannot be read: the file is damaged; make it again or restore a copy", what);
}

static void silence(void) { H5Eset_auto2(H5E_DEFAULT, NULL, NULL); }

/* ---- writing -------------------------------------------------------------------------------------------------- */

void fd_h5_create(fd_h5 *h, const char *name, const char *path, fd_error *err) {
    *h = (fd_h5){.file = H5I_INVALID_HID, .path = path, .err = err};
    silence();
    hid_t access = H5Pcreate(H5P_FILE_ACCESS), create = H5Pcreate(H5P_FILE_CREATE);
    h->io = &h->io_error;
    h->driver = fd_h5_use_driver(access, h->io);
    /* 1.10: checksummed metadata, and readable by every HDF5 since 2016. */
    if (h->driver >= 0 && H5Pset_libver_bounds(access, H5F_LIBVER_V110, H5F_LIBVER_V110) >= 0 &&
        H5Pset_fclose_degree(access, H5F_CLOSE_STRONG) >= 0 && H5Pset_obj_track_times(create, false) >= 0)
        h->file = H5Fcreate(name, H5F_ACC_TRUNC, create, access);
    H5Pclose(access);
    H5Pclose(create);
    if (h->file >= 0) return;
    fail_write(h, "the file");
    fd_h5_leave(h);
}

void fd_h5_leave(fd_h5 *h) {
    if (h->file >= 0) H5Fclose(h->file);
    if (h->driver > 0) H5FDunregister(h->driver); /* not sooner: closing a file, HDF5 1.10 reads its driver after giving it up */
    h->file = H5I_INVALID_HID, h->driver = 0;
}

void fd_h5_close(fd_h5 *h) {
    if (h->file < 0) return;
    if (H5Fflush(h->file, H5F_SCOPE_LOCAL) < 0) fail_write(h, "the file");
    if (H5Fclose(h->file) < 0 || h->io_error) fail_write(h, "the file");
    h->file = H5I_INVALID_HID;
    fd_h5_leave(h);
}

void fd_h5_drop(fd_h5 *h, hid_t object) {
    if (object < 0) return;
    if ((H5Iget_type(object) == H5I_DATASET ? H5Dclose(object) : H5Gclose(object)) < 0) fail_write(h, "the file");
}

hid_t fd_h5_new_group(fd_h5 *h, const char *name) {
    if (h->status) return H5I_INVALID_HID;
    hid_t create = H5Pcreate(H5P_GROUP_CREATE);
    H5Pset_obj_track_times(create, false); /* same content, same bytes */
    hid_t group = H5Gcreate2(h->file, name, H5P_DEFAULT, create, H5P_DEFAULT);
    if (group < 0) fail_write(h, name);
    H5Pclose(create);
    return group;
}

static void put_attribute(fd_h5 *h, hid_t object, const char *name, hid_t file_type, hid_t memory_type, hid_t space,
                          const void *data) {
    hid_t attribute = H5I_INVALID_HID;
    if (!h->status) {
        attribute = H5Acreate2(object, name, file_type, space, H5P_DEFAULT, H5P_DEFAULT);
        if (attribute < 0 || H5Awrite(attribute, memory_type, data) < 0) fail_write(h, name);
    }
    if (attribute >= 0 && H5Aclose(attribute) < 0) fail_write(h, name);
    H5Sclose(space);
}

static hid_t text_type(size_t size) {
    hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, size);
    H5Tset_cset(type, H5T_CSET_UTF8);
    return type;
}

void fd_h5_put_text(fd_h5 *h, hid_t object, const char *name, const char *text) {
    if (h->status) return;
    hid_t type = text_type(strlen(text) + 1);
    put_attribute(h, object, name, type, type, H5Screate(H5S_SCALAR), text);
    H5Tclose(type);
}

void fd_h5_put_u64(fd_h5 *h, hid_t object, const char *name, uint64_t value) {
    if (!h->status)
        put_attribute(h, object, name, H5T_STD_U64LE, H5T_NATIVE_UINT64, H5Screate(H5S_SCALAR), &value);
}

void fd_h5_put_real(fd_h5 *h, hid_t object, const char *name, double value) {
    if (!h->status)
        put_attribute(h, object, name, H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, H5Screate(H5S_SCALAR), &value);
}

void fd_h5_put_ints(fd_h5 *h, hid_t object, const char *name, int n, const int *values) {
    hsize_t dims[1] = {(hsize_t)n};
    if (!h->status)
        put_attribute(h, object, name, H5T_STD_I32LE, H5T_NATIVE_INT, H5Screate_simple(1, dims, NULL), values);
}

static hsize_t chunk_rows(const fd_h5_shape *shape, hid_t type) {
    hsize_t row_bytes = H5Tget_size(type);
    for (int i = 1; i < shape->rank; i++) row_bytes *= shape->dims[i];
    hsize_t rows = row_bytes ? CHUNK_BYTES / row_bytes : 1;
    if (shape->dims[0] > 0 && rows > shape->dims[0]) rows = shape->dims[0]; /* known size: no padding */
    return rows ? rows : 1;
}

hid_t fd_h5_new_dataset(fd_h5 *h, hid_t group, const char *name, hid_t type, const fd_h5_shape *shape, const char *unit,
                        const char *description) {
    if (h->status) return H5I_INVALID_HID;
    hsize_t limits[FD_H5_MAX_RANK], chunk[FD_H5_MAX_RANK];
    for (int i = 0; i < shape->rank; i++) limits[i] = chunk[i] = shape->dims[i] ? shape->dims[i] : 1;
    limits[0] = H5S_UNLIMITED;
    chunk[0] = chunk_rows(shape, type);
    hid_t dataset = H5I_INVALID_HID, create = H5Pcreate(H5P_DATASET_CREATE);
    hid_t space = H5Screate_simple(shape->rank, shape->dims, limits);
    if (H5Pset_chunk(create, shape->rank, chunk) >= 0 && H5Pset_fletcher32(create) >= 0 &&
        H5Pset_obj_track_times(create, false) >= 0)
        dataset = H5Dcreate2(group, name, type, space, H5P_DEFAULT, create, H5P_DEFAULT);
    if (dataset < 0) fail_write(h, name);
    H5Sclose(space);
    H5Pclose(create);
    fd_h5_put_text(h, dataset, "unit", unit);
    fd_h5_put_text(h, dataset, "description", description);
    return dataset;
}

/* Selects rows first..first + n - 1 of a dataset. */
static hid_t select_rows(hid_t dataset, hsize_t first, hsize_t n, hid_t *memory) {
    hid_t space = H5Dget_space(dataset);
    hsize_t dims[FD_H5_MAX_RANK], start[FD_H5_MAX_RANK] = {first};
    *memory = H5I_INVALID_HID;
    if (space < 0) return space;
    int rank = H5Sget_simple_extent_dims(space, dims, NULL);
    dims[0] = n;
    if (H5Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL, dims, NULL) >= 0)
        *memory = H5Screate_simple(rank, dims, NULL);
    return space;
}

void fd_h5_append(fd_h5 *h, hid_t dataset, hid_t type, size_t n, const void *rows) {
    if (h->status || n == 0) return;
    hsize_t dims[FD_H5_MAX_RANK] = {0};
    hid_t space = H5Dget_space(dataset), memory = H5I_INVALID_HID;
    if (space < 0 || H5Sget_simple_extent_dims(space, dims, NULL) < 0) fail_write(h, "rows");
    if (space >= 0) H5Sclose(space);
    if (h->status) return;
    hsize_t first = dims[0];
    dims[0] += n;
    if (H5Dset_extent(dataset, dims) < 0) fail_write(h, "rows");
    if (h->status) return;
    space = select_rows(dataset, first, n, &memory);
    if (space < 0 || memory < 0 || H5Dwrite(dataset, type, memory, space, H5P_DEFAULT, rows) < 0 || h->io_error)
        fail_write(h, "rows"); /* told now, not at the end of the night */
    if (space >= 0) H5Sclose(space);
    if (memory >= 0) H5Sclose(memory);
}

void fd_h5_put_array(fd_h5 *h, hid_t group, const char *name, hid_t file_type, hid_t memory_type,
                     const fd_h5_shape *shape, const void *data, const char *unit, const char *description) {
    hid_t dataset = fd_h5_new_dataset(h, group, name, file_type, shape, unit, description);
    if (!h->status && shape->dims[0] > 0 &&
        H5Dwrite(dataset, memory_type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) < 0)
        fail_write(h, name);
    fd_h5_drop(h, dataset);
}

void fd_h5_put_texts(fd_h5 *h, hid_t group, const char *name, int n, const char *const *texts, const char *unit,
                     const char *description) {
    if (h->status) return;
    size_t size = 1;
    for (int i = 0; i < n; i++)
        if (strlen(texts[i]) + 1 > size) size = strlen(texts[i]) + 1;
    char *column = calloc(n > 0 ? (size_t)n : 1, size);
    if (!column) {
        fd_h5_fail(h, FD_ERR_MEMORY, "out of memory");
        return;
    }
    for (int i = 0; i < n; i++) strcpy(column + (size_t)i * size, texts[i]);
    hid_t type = text_type(size);
    fd_h5_put_array(h, group, name, type, type, &(fd_h5_shape){1, {(hsize_t)n}}, column, unit, description);
    H5Tclose(type);
    free(column);
}

/* ---- opening ---------------------------------------------------------------------------------------------------- */

static herr_t find_truncated(unsigned n, const H5E_error2_t *entry, void *user) {
    (void)n;
    if (entry->desc && strstr(entry->desc, "truncated")) *(bool *)user = true;
    return 0;
}

static void fail_open(fd_h5 *h) {
    unsigned char head[8] = {0};
    FILE *file = fopen(h->path, "rb");
    if (!file) {
        fd_h5_fail(h, FD_ERR_FILE, "cannot open: %s", strerror(errno));
        return;
    }
    size_t n = fread(head, 1, sizeof head, file);
    fclose(file);
    if (n == 0)
        fd_h5_fail(h, FD_ERR_FORMAT, "the file is empty; make it again");
    else if (n < sizeof head || memcmp(head, "\211HDF\r\n\032\n", 8) != 0)
        fd_h5_fail(h, FD_ERR_FORMAT, "not an HDF5 file; is it the right file?");
    else
        fd_h5_fail(h, FD_ERR_FORMAT, "the file is damaged; make it again or restore a copy");
}

void fd_h5_open(fd_h5 *h, const char *path, fd_error *err) {
    *h = (fd_h5){.file = H5I_INVALID_HID, .path = path, .err = err};
    h->io = &h->io_error;
    silence();
    struct stat info;
    if (stat(path, &info) != 0) {
        fd_h5_fail(h, FD_ERR_FILE, "cannot open: %s", strerror(errno));
    } else if (!S_ISREG(info.st_mode)) {
        fd_h5_fail(h, FD_ERR_FILE, "is a %s, not a file", S_ISDIR(info.st_mode) ? "folder" : "device");
    } else {
        hid_t access = H5Pcreate(H5P_FILE_ACCESS);
        h->driver = fd_h5_use_driver(access, h->io);
        if (h->driver >= 0 && H5Pset_fclose_degree(access, H5F_CLOSE_STRONG) >= 0)
            h->file = H5Fopen(path, H5F_ACC_RDONLY, access);
        bool truncated = false;
        if (h->file < 0) H5Ewalk2(H5E_DEFAULT, H5E_WALK_DOWNWARD, find_truncated, &truncated);
        H5Pclose(access);
        if (h->file < 0) fd_h5_leave(h);
        if (h->file < 0 && h->io_error)
            fd_h5_fail(h, FD_ERR_FILE, "cannot open: %s", /* EAGAIN: of the lock */
                       h->io_error == EAGAIN ? "another process is writing it; wait until it is done" : strerror(h->io_error));
        else if (truncated)
            fd_h5_fail(h, FD_ERR_FORMAT, "the file is truncated; make it again or restore a copy");
        else if (h->file < 0)
            fail_open(h);
    }
}

hid_t fd_h5_group(fd_h5 *h, const char *name) {
    if (h->status) return H5I_INVALID_HID;
    hid_t group = fd_h5_has(h, name) ? H5Gopen2(h->file, name, H5P_DEFAULT) : H5I_INVALID_HID;
    if (group < 0) fd_h5_fail(h, FD_ERR_FORMAT, "the group /%s is missing; make the file again", name);
    return group;
}

/* That HDF5 cannot tell whether something is there does not mean that it is not. */
static bool is_there(fd_h5 *h, htri_t exists, const char *what) {
    if (exists < 0) fail_read(h, what);
    return exists > 0;
}

/* H5Lexists wants every part of a path to exist. */
bool fd_h5_has(fd_h5 *h, const char *name) {
    char part[256];
    if (h->status || strlen(name) >= sizeof part) return false;
    strcpy(part, name);
    for (char *slash = strchr(part, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (!is_there(h, H5Lexists(h->file, part, H5P_DEFAULT), name)) return false;
        *slash = '/';
    }
    return is_there(h, H5Lexists(h->file, name, H5P_DEFAULT), name);
}

bool fd_h5_has_attribute(fd_h5 *h, hid_t object, const char *name) {
    return !h->status && object >= 0 && is_there(h, H5Aexists(object, name), name);
}

/* ---- attributes --------------------------------------------------------------------------------------------------- */

typedef struct attribute {
    hid_t id, type;
    H5T_class_t type_class;
    size_t size;    /* bytes of one element */
    hssize_t count; /* elements */
} attribute;

static bool open_attribute(fd_h5 *h, hid_t object, const char *where, const char *name, attribute *a) {
    *a = (attribute){.id = H5I_INVALID_HID, .type = H5I_INVALID_HID, .type_class = H5T_NO_CLASS};
    if (h->status) return false;
    if (!fd_h5_has_attribute(h, object, name)) {
        fd_h5_fail(h, FD_ERR_FORMAT, "the attribute '%s' of %s is missing; make the file again", name, where);
        return false;
    }
    a->id = H5Aopen(object, name, H5P_DEFAULT);
    a->type = a->id < 0 ? H5I_INVALID_HID : H5Aget_type(a->id);
    hid_t space = a->id < 0 ? H5I_INVALID_HID : H5Aget_space(a->id);
    if (a->type >= 0 && space >= 0) {
        a->type_class = H5Tget_class(a->type);
        a->size = H5Tget_size(a->type);
        a->count = H5Sget_simple_extent_npoints(space);
    } else {
        fail_read(h, name);
    }
    if (space >= 0) H5Sclose(space);
    return !h->status;
}

static void close_attribute(attribute *a) {
    if (a->type >= 0) H5Tclose(a->type);
    if (a->id >= 0) H5Aclose(a->id);
}

static bool is_text(const attribute *a) {
    return a->type_class == H5T_STRING && H5Tis_variable_str(a->type) == 0 && a->count == 1 &&
           a->size <= FD_H5_MAX_TEXT;
}

char *fd_h5_get_long_text(fd_h5 *h, hid_t object, const char *where, const char *name) {
    attribute a;
    char *text = NULL;
    if (open_attribute(h, object, where, name, &a)) {
        if (!is_text(&a))
            fd_h5_fail(h, FD_ERR_FORMAT, "the attribute '%s' of %s is not a text of fixed length", name, where);
        else if (!(text = calloc(1, a.size + 1)))
            fd_h5_fail(h, FD_ERR_MEMORY, "out of memory");
        else if (H5Aread(a.id, a.type, text) < 0)
            fail_read(h, name);
    }
    close_attribute(&a);
    if (h->status) free(text), text = NULL;
    return text;
}

void fd_h5_get_text(fd_h5 *h, hid_t object, const char *where, const char *name, char *text, size_t room) {
    char *whole = fd_h5_get_long_text(h, object, where, name);
    text[0] = '\0';
    if (whole && strlen(whole) >= room)
        fd_h5_fail(h, FD_ERR_FORMAT, "the attribute '%s' of %s is longer than %zu characters", name, where, room - 1);
    else if (whole)
        strcpy(text, whole);
    free(whole);
}

static void get_number(fd_h5 *h, hid_t object, const char *where, const char *name, H5T_class_t type_class, hid_t type,
                       void *value) {
    attribute a;
    if (open_attribute(h, object, where, name, &a)) {
        if (a.type_class != type_class || a.count != 1)
            fd_h5_fail(h, FD_ERR_FORMAT, "the attribute '%s' of %s is not a %snumber", name, where,
                       type_class == H5T_INTEGER ? "whole " : "");
        else if (H5Aread(a.id, type, value) < 0)
            fail_read(h, name);
    }
    close_attribute(&a);
}

uint64_t fd_h5_get_u64(fd_h5 *h, hid_t object, const char *where, const char *name) {
    uint64_t value = 0;
    get_number(h, object, where, name, H5T_INTEGER, H5T_NATIVE_UINT64, &value);
    return h->status ? 0 : value;
}

double fd_h5_get_real(fd_h5 *h, hid_t object, const char *where, const char *name) {
    double value = 0;
    get_number(h, object, where, name, H5T_FLOAT, H5T_NATIVE_DOUBLE, &value);
    return h->status ? 0 : value;
}

int fd_h5_get_ints(fd_h5 *h, hid_t object, const char *where, const char *name, int max, int *values) {
    attribute a;
    int n = 0;
    if (open_attribute(h, object, where, name, &a)) {
        if (a.type_class != H5T_INTEGER || a.count < 1 || a.count > max)
            fd_h5_fail(h, FD_ERR_FORMAT, "the attribute '%s' of %s is not a list of 1 to %d whole numbers", name, where,
                       max);
        else if (H5Aread(a.id, H5T_NATIVE_INT, values) < 0)
            fail_read(h, name);
        else
            n = (int)a.count;
    }
    close_attribute(&a);
    return n;
}

/* ---- datasets ------------------------------------------------------------------------------------------------------ */

static const char *class_name(H5T_class_t type_class) {
    return type_class == H5T_FLOAT ? "real numbers" : type_class == H5T_INTEGER ? "whole numbers" : "texts";
}

/* The file itself must be long enough for what the dimensions declare: no memory is asked for on the word of a header, and
 * nothing is read from other files (external storage, virtual datasets). */
static bool is_stored(const fd_h5 *h, hid_t dataset, size_t element, const fd_h5_shape *shape) {
    hsize_t stored = H5Dget_storage_size(dataset), declared = element, chunk[FD_H5_MAX_RANK] = {0}, bytes = element;
    hsize_t length = 0;
    for (int i = 0; i < shape->rank; i++) {
        if (shape->dims[i] && declared > (hsize_t)LLONG_MAX / shape->dims[i]) return false;
        declared *= shape->dims[i];
    }
    hid_t create = H5Dget_create_plist(dataset);
    bool sane = create >= 0 && H5Fget_filesize(h->file, &length) >= 0 && stored <= length;
    sane = sane && H5Pget_external_count(create) == 0 && H5Pget_layout(create) != H5D_VIRTUAL;
    if (sane && H5Pget_layout(create) == H5D_CHUNKED) {
        sane = H5Pget_chunk(create, shape->rank, chunk) == shape->rank;
        for (int i = 0; sane && i < shape->rank; i++) {
            sane = chunk[i] <= MAX_CHUNK_BYTES / bytes;
            bytes *= sane ? chunk[i] : 1;
        }
    }
    if (create >= 0) H5Pclose(create);
    return sane && declared <= stored;
}

hid_t fd_h5_dataset(fd_h5 *h, const char *name, H5T_class_t type_class, fd_h5_shape *shape) {
    if (h->status) return H5I_INVALID_HID;
    if (!fd_h5_has(h, name)) {
        fd_h5_fail(h, FD_ERR_FORMAT, "the dataset /%s is missing; make the file again", name);
        return H5I_INVALID_HID;
    }
    hsize_t dims[H5S_MAX_RANK];
    hid_t dataset = H5Dopen2(h->file, name, H5P_DEFAULT), type = H5I_INVALID_HID, space = H5I_INVALID_HID;
    if (dataset < 0 || (type = H5Dget_type(dataset)) < 0 || (space = H5Dget_space(dataset)) < 0) {
        fail_read(h, name);
        goto cleanup;
    }
    if (H5Tget_class(type) != type_class || (type_class == H5T_STRING && H5Tis_variable_str(type) != 0)) {
        fd_h5_fail(h, FD_ERR_FORMAT, "/%s does not hold %s; make the file again", name, class_name(type_class));
        goto cleanup;
    }
    if (H5Sget_simple_extent_ndims(space) != shape->rank || H5Sget_simple_extent_dims(space, dims, NULL) < 0) {
        fd_h5_fail(h, FD_ERR_FORMAT, "/%s must have %d axes; make the file again", name, shape->rank);
        goto cleanup;
    }
    for (int i = 0; i < shape->rank; i++) {
        if (shape->dims[i] != FD_H5_ANY && shape->dims[i] != dims[i]) {
            fd_h5_fail(h, FD_ERR_FORMAT, "/%s has %llu entries along axis %d where %llu are needed; make the file again",
                       name, (unsigned long long)dims[i], i, (unsigned long long)shape->dims[i]);
            goto cleanup;
        }
        shape->dims[i] = dims[i];
    }
    if (!is_stored(h, dataset, H5Tget_size(type), shape))
        fd_h5_fail(h, FD_ERR_FORMAT, "/%s declares more rows than the file holds; make the file again", name);
cleanup:
    if (space >= 0) H5Sclose(space);
    if (type >= 0) H5Tclose(type);
    if (h->status && dataset >= 0) H5Dclose(dataset), dataset = H5I_INVALID_HID;
    return dataset;
}

void fd_h5_get_rows(fd_h5 *h, hid_t dataset, const char *name, hid_t type, uint64_t first, size_t n, void *rows) {
    if (h->status || n == 0) return;
    hid_t memory, space = select_rows(dataset, first, n, &memory);
    if (space < 0 || memory < 0 || H5Dread(dataset, type, memory, space, H5P_DEFAULT, rows) < 0) {
        char what[128];
        snprintf(what, sizeof what, "/%s", name);
        fail_read(h, what);
    }
    if (memory >= 0) H5Sclose(memory);
    if (space >= 0) H5Sclose(space);
}

void fd_h5_get_array(fd_h5 *h, const char *name, H5T_class_t type_class, hid_t type, fd_h5_shape *shape, void *data) {
    hid_t dataset = fd_h5_dataset(h, name, type_class, shape);
    fd_h5_get_rows(h, dataset, name, type, 0, shape->dims[0], data);
    if (dataset >= 0) H5Dclose(dataset);
}

void fd_h5_get_texts(fd_h5 *h, const char *name, int n, char *texts, size_t room) {
    fd_h5_shape shape = {1, {(hsize_t)n}};
    hid_t dataset = fd_h5_dataset(h, name, H5T_STRING, &shape);
    if (h->status) return;
    hid_t type = text_type(room);
    fd_h5_get_rows(h, dataset, name, type, 0, (size_t)n, texts);
    for (int i = 0; i < n; i++) texts[(size_t)i * room + room - 1] = '\0';
    H5Tclose(type);
    H5Dclose(dataset);
}
