"""Whether two files, or two folders of a run, hold the same HDF5 datasets and attributes but for those that tell how and how long.
Usage: same.py WHOLE OTHER"""
import glob, os, sys
import h5py

def content(path):
    found = {}
    def visit(name, item):
        for key, value in item.attrs.items():
            if key not in skipped:
                found[name + "@" + key] = bytes(memoryview(value).cast("B")) if hasattr(value, "dtype") else value
        if isinstance(item, h5py.Dataset):
            found[name] = item[()].tobytes()
    with h5py.File(path) as f:
        visit("/", f)
        f.visititems(visit)
    return found

whole, other = sys.argv[1:]
skipped = {"command", "seconds"}
if os.path.isdir(whole):
    skipped.add("parents")  # paths, and hashes of files with other commands and seconds
files = [(whole, other)]
if os.path.isdir(whole):  # figures are left out
    files = [(p, os.path.join(other, os.path.relpath(p, whole))) for p in glob.glob(whole + "/**/*.h5", recursive=True)]
for a, b in files:
    x, y = content(a), content(b)
    for key in sorted(set(x) | set(y)):
        if x.get(key) != y.get(key):
            sys.exit(f"{b}: {key} differs")
    if len(x) < 20:
        sys.exit(f"{a}: {len(x)} things to compare are too few")
for a in glob.glob(whole + "/calibration*.[cj]s*") + glob.glob(whole + "/attribution.[cj]s*"):
    b = os.path.join(other, os.path.basename(a))
    if open(a, "rb").read() != open(b, "rb").read():
        sys.exit(f"{b}: differs")
