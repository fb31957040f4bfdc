"""Exports of ROOT.h5 as their own tools and grammars read them, beside the file itself (h5py) and the formulas (numpy)."""
import re
import sys

import h5py
import numpy as np

root = sys.argv[1]
with h5py.File(root + ".h5") as f:
    names = [n.decode() for n in f["model/parameters/name"]]
    theta, chi2, valid = f["samples/theta"][:].astype(float), f["samples/chi2"][:], f["samples/valid"][:]
    prior, periodic = f["model/parameters/prior"][:], f["model/parameters/periodic"][:]
G = dict(zip(names, theta.T))
n = len(theta)
assert n >= 100

# The model by itself: m_nu = 10^k Y^T M^-1 Y, masses its singular values.
Y = np.array([[G[f"re_Y_{i}{a}"] + 1j * G[f"im_Y_{i}{a}"] for a in ("e", "mu", "tau")] for i in (1, 2, 3)]).transpose(2, 0, 1)
inverse = np.array([np.exp(-1j * G["arg_M1"]) / G["r1"], np.exp(-1j * G["arg_M2"]) / G["r2"], np.ones(n)]).T
m_nu = 10 ** G["k"][:, None, None] * np.einsum("nia,ni,nib->nab", Y, inverse, Y)
sum_m, m_bb = np.linalg.svd(m_nu, compute_uv=False).sum(axis=1), abs(m_nu[:, 0, 0])


def close(a, b, tolerance=1e-9):
    assert np.all(abs(np.asarray(a) / np.asarray(b) - 1) < tolerance), (a, b)


# CSV
csv = np.genfromtxt(root + ".csv", delimiter=",", names=True)
for name in names:
    assert np.array_equal(csv[name], G[name]), name
assert np.array_equal(csv["chi2"], chi2) and np.array_equal(csv["valid"], valid)
close(csv["sum_m_eV"], sum_m)
close(csv["mbb_eV"], m_bb, 1e-7)

# NPZ: the same numbers to the last bit; numpy checks the archive's checksums.
npz = np.load(root + ".npz")
assert list(npz) == list(csv.dtype.names)
for name in npz:
    assert np.array_equal(npz[name], csv[name]) and npz[name].dtype == (np.uint8 if name == "valid" else np.float64), name

# GetDist: weight, -log, then one column for each line of .paramnames, NAME or NAME* (derived) and LaTeX; .ranges has NAME LO HI
# [periodic], N for an open end.
lines = [line.rstrip("\n").split("\t") for line in open(root + ".paramnames")]
assert all(len(line) == 2 and re.fullmatch(r"[^\s*?]+\*?", line[0]) and line[1] and "$" not in line[1] for line in lines)
chain = np.loadtxt(root + ".txt")
assert chain.shape == (n, 2 + len(lines)) and np.all(chain[:, 0] == 1) and np.array_equal(chain[:, 1], chi2 / 2)
for column, (name, _) in enumerate(lines):
    assert np.array_equal(chain[:, 2 + column], csv[name.rstrip("*")]), name
assert [line[0] for line in lines if not line[0].endswith("*")] == names
ranges = {line.split()[0]: line.split()[1:] for line in open(root + ".ranges")}
assert set(ranges) == {line[0].rstrip("*") for line in lines}
for name, (lo, hi), around in zip(names, prior, periodic):
    assert [float(x) for x in ranges[name][:2]] == [lo, hi] and (ranges[name][2:] == ["periodic"]) == bool(around), name
for name in "delta_rad", "alpha21_rad", "alpha31_rad", "eta_rad":
    assert ranges[name][2] == "periodic" and float(ranges[name][0]) == 0 and float(ranges[name][1]) == 2 * np.pi
for name, (lo, hi, *_) in ranges.items():
    assert (lo == "N" or csv[name].min() >= float(lo)) and (hi == "N" or csv[name].max() <= float(hi)), name
try:
    import getdist
    samples = getdist.loadMCSamples(root, settings={"ignore_rows": 0})
    assert samples.numrows == n and samples.ranges.periodic >= {"delta_rad", "arg_M1"}
    close(samples.mean("sum_m_eV"), sum_m.mean())
except ImportError:
    pass  # not in Debian

# SLHA: BLOCK lines, then indices and a value, # begins a comment. U in SLHA2's own convention must give m_bb and sum m.
points, block = [], None
for line in open(root + ".slha"):
    if line.startswith("# point"):
        points.append({})
    words = line.split("#")[0].split()
    if not words:
        continue
    if words[0] == "BLOCK":
        block = points[-1].setdefault(words[1], {})
    else:
        block[tuple(int(w) for w in words[:-1])] = float(words[-1])
assert len(points) == n
for i, p in enumerate(points):
    m = 1e9 * np.array([p["SMINPUTS"][k,] for k in (12, 14, 8)])
    t12, t23, t13, delta, a1, a2 = (p["UPMNSIN"][k,] for k in range(1, 7))
    row = np.array([np.cos(t12) * np.cos(t13) * np.exp(0.5j * a1), np.sin(t12) * np.cos(t13) * np.exp(0.5j * a2),
                    np.sin(t13) * np.exp(-1j * delta)])
    assert abs(abs((row**2 * m).sum()) - m_bb[i]) < 1e-9 * m.sum(), i
    assert abs(m.sum() / sum_m[i] - 1) < 1e-9
    close(np.sin(t23) ** 2, csv["s23sq"][i])
    y = np.array([[p["YNU"][r, c] + 1j * p["IMYNU"][r, c] for c in (1, 2, 3)] for r in (1, 2, 3)])
    M = np.array([p["MNUR"][r, r] + 1j * p["IMMNUR"][r, r] for r in (1, 2, 3)])
    close(abs(10 ** p["FLAVORDIFF"][4,] * M[2] * (y[:, 0] ** 2 / M).sum()), m_bb[i], 1e-7)

# NuFIT: quantiles as numpy takes them.
table = np.genfromtxt(root + ".nufit", names=True, dtype=None, encoding="utf-8")
best = chi2.argmin()
levels = 0.5, 0.8413447460685429, 0.15865525393145705, 0.0013498980316300946, 0.9986501020
for row in table:
    name = {"theta12": "s12sq", "theta13": "s13sq", "theta23": "s23sq", "delta": "delta_rad"}.get(row["quantity"], row["quantity"])
    x, shown = csv[name], np.array([row["central"], row["hi1"], row["lo1"], row["lo3"], row["hi3"]])
    close(row["plus1"] + 1, row["hi1"] - row["central"] + 1), close(row["minus1"] + 1, row["central"] - row["lo1"] + 1)
    if name.endswith("_rad"):
        if row["unit"] == "deg":
            shown = np.radians(shown)
        mean = np.angle(np.exp(1j * x).mean())
        x = mean + np.angle(np.exp(1j * (x - mean)))
        q = np.quantile(x, levels)
        assert np.all(abs(np.exp(1j * q) - np.exp(1j * shown)) < 1e-6), name
        continue
    if row["unit"] == "deg":
        shown = np.sin(np.radians(shown)) ** 2
    else:
        assert row["best"] == x[best], name
    assert np.allclose(shown, np.quantile(x, levels), rtol=1e-7, atol=0), (name, shown)
assert {"sum_m_eV", "mbb_eV", "theta12", "delta", "dm3l_eV2"} <= set(table["quantity"])
