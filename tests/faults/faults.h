/* The kinds of calls that can be made to fail, shared by the shim and its driver. */
#ifndef FD_TESTS_FAULTS_H
#define FD_TESTS_FAULTS_H

enum {
    WRITES,     /* write, pwrite, ftruncate: ENOSPC */
    SHORTS,     /* the same writes half of what it was given */
    INTERRUPTS, /* the same: EINTR */
    SYNCS,      /* fsync, fdatasync: EIO */
    RENAMES,    /* rename: EIO */
    OPENS,      /* open, fopen: EMFILE */
    CLOSES,     /* close: EIO, though closed */
    READS,      /* read, pread, fread: EIO */
    MKDIRS,     /* mkdir: ENOSPC */
    ALLOC,      /* malloc, calloc, realloc, aligned_alloc of the program, libc, libcyaml, libyaml and libjansson */
    HDF5,       /* the same of libhdf5 */
    KINDS
};

static const char *const kind_names[KINDS] = {"write", "short", "eintr", "fsync", "rename", "open",
                                              "close", "read",  "mkdir", "alloc", "hdf5"};

#endif
