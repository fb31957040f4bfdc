/* Whether two HDF5 files hold the same: every dataset and attribute, bit by bit, but for those that tell when and how long. */
#ifndef FD_TESTS_SAME_FILE_H
#define FD_TESTS_SAME_FILE_H

#include <hdf5.h>
#include <stdlib.h>
#include <string.h>

typedef struct same_file {
    hid_t a, b;
    int objects;
    const char *path;
} same_file;

static inline size_t same_size(hid_t type, hid_t space) {
    hssize_t n = H5Sget_simple_extent_npoints(space);
    assert_true(n >= 0);
    return H5Tget_size(type) * (size_t)n;
}

static inline herr_t same_attribute(hid_t a, const char *name, const H5A_info_t *info, void *user) {
    same_file *f = user;
    (void)info;
    if (strcmp(name, "created_utc") == 0 || strcmp(name, "seconds") == 0) return 0;
    hid_t b = H5Oopen(f->b, f->path, H5P_DEFAULT), x = H5Aopen(a, name, H5P_DEFAULT), y = H5Aopen(b, name, H5P_DEFAULT);
    hid_t type = H5Aget_type(x), other = H5Aget_type(y), space = H5Aget_space(x), other_space = H5Aget_space(y);
    size_t size = same_size(type, space);
    assert_int_equal(size, same_size(other, other_space));
    char *left = malloc(size + 1), *right = malloc(size + 1);
    assert_true(H5Aread(x, type, left) >= 0 && H5Aread(y, other, right) >= 0);
    if (memcmp(left, right, size) != 0) fail_msg("the attribute '%s' of %s differs", name, f->path);
    free(left), free(right);
    H5Sclose(space), H5Sclose(other_space), H5Tclose(type), H5Tclose(other), H5Aclose(x), H5Aclose(y), H5Oclose(b);
    return 0;
}

static inline void same_dataset(same_file *f, const char *path) {
    hid_t x = H5Dopen2(f->a, path, H5P_DEFAULT), y = H5Dopen2(f->b, path, H5P_DEFAULT);
    assert_true(x >= 0 && y >= 0);
    hid_t type = H5Dget_type(x), space = H5Dget_space(x), other = H5Dget_space(y);
    size_t size = same_size(type, space);
    assert_int_equal(size, same_size(type, other));
    char *left = malloc(size + 1), *right = malloc(size + 1);
    assert_true(H5Dread(x, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, left) >= 0);
    assert_true(H5Dread(y, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, right) >= 0);
    if (memcmp(left, right, size) != 0) fail_msg("%s differs", path);
    free(left), free(right);
    H5Sclose(space), H5Sclose(other), H5Tclose(type), H5Dclose(x), H5Dclose(y);
}

static inline herr_t same_object(hid_t root, const char *path, const H5L_info_t *info, void *user) {
    same_file *f = user;
    hid_t object = H5Oopen(root, path, H5P_DEFAULT);
    (void)info;
    f->path = path;
    f->objects++;
    if (H5Iget_type(object) == H5I_DATASET) same_dataset(f, path);
    assert_true(H5Aiterate2(object, H5_INDEX_NAME, H5_ITER_INC, NULL, same_attribute, f) >= 0);
    H5Oclose(object);
    return 0;
}

static inline void assert_same_file(const char *a, const char *b) {
    same_file f = {H5Fopen(a, H5F_ACC_RDONLY, H5P_DEFAULT), H5Fopen(b, H5F_ACC_RDONLY, H5P_DEFAULT), 0, "/"};
    assert_true(f.a >= 0 && f.b >= 0);
    assert_true(H5Aiterate2(f.a, H5_INDEX_NAME, H5_ITER_INC, NULL, same_attribute, &f) >= 0);
    assert_true(H5Lvisit(f.a, H5_INDEX_NAME, H5_ITER_INC, same_object, &f) >= 0);
    assert_true(f.objects > 10);
    H5Fclose(f.a), H5Fclose(f.b);
}

#endif
