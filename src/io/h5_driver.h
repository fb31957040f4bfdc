/* How HDF5 reads and writes our files: plain pread() and pwrite(), with the first error kept for us.
 *
 * The library does not survive a failing write or close: closing the file fails half way and the process crashes at exit.
 * So on a full disk the driver goes on as if all were well, the caller sees the error it kept, and drops the file. A
 * failing read is told to both. */
#ifndef FD_IO_H5_DRIVER_H
#define FD_IO_H5_DRIVER_H

#include <hdf5.h>

/* Makes files created or opened with `access` go through the driver; *error (0 before) receives the first errno (EAGAIN:
 * another process has locked the file for writing) and must stay in place until the file is closed. Returns the driver's id
 * for H5FDunregister() after H5Fclose(), or negative. */
hid_t fd_h5_use_driver(hid_t access, int *error);

#endif
