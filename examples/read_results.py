#!/usr/bin/env python3
"""The solutions of a sample file in one figure: effective Majorana mass against the lightest neutrino mass.

    read_results.py samples.h5 figure.png

Needs h5py, numpy and matplotlib. Predictions are computed here from the parameters, by the seesaw formula alone."""
import sys

import h5py
import matplotlib
matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

IN_PRIOR, LABELS = 2, 16  # bits of /samples/valid

with h5py.File(sys.argv[1]) as f:
    names = [n.decode() for n in f["model/parameters/name"]]
    valid = f["samples/valid"][:]
    solution = (valid & IN_PRIOR != 0) & (valid & LABELS != 0)
    theta = f["samples/theta"][:][solution].astype(float)
    ordering = f["model"].attrs["ordering"]
    made_by = f.attrs["command"]
text = lambda x: x.decode() if isinstance(x, bytes) else x
ordering, made_by = text(ordering), text(made_by)
if not len(theta):
    sys.exit(f"{sys.argv[1]}: no row is a solution inside the prior")

G = {name: theta[:, i] for i, name in enumerate(names)}
flavours = "e", "mu", "tau"
Y = np.stack([[G[f"re_Y_{i}{a}"] + 1j * G[f"im_Y_{i}{a}"] for a in flavours] for i in (1, 2, 3)]).transpose(2, 0, 1)
zero = np.zeros(len(theta))
inverse_M = np.stack([np.exp(-1j * G.get("arg_M1", zero)) / G["r1"], np.exp(-1j * G.get("arg_M2", zero)) / G["r2"], zero + 1], axis=1)
# m_nu = <H>^2 Y^T M^-1 Y in eV; the overall sign and complex conjugation leave masses and |m_bb| alone
m_nu = 10.0 ** G["k"][:, None, None] * np.einsum("nia,ni,nib->nab", Y, inverse_M, Y)
masses = np.linalg.svd(m_nu, compute_uv=False)
m_bb, lightest, sum_m = np.abs(m_nu[:, 0, 0]), masses[:, -1], masses.sum(axis=1)

plt.scatter(lightest, m_bb, s=6, c=sum_m)
plt.xscale("log"), plt.yscale("log")
plt.colorbar(label=r"$\sum m_i$ [eV]")
plt.xlabel("lightest mass [eV]"), plt.ylabel(r"$m_{\beta\beta}$ [eV]")
plt.title(f"{len(theta)} solutions, {ordering} ordering", fontsize=10)
plt.figtext(0.01, 0.01, made_by, fontsize=5)
plt.savefig(sys.argv[2], dpi=150)
print(f"{len(theta)} solutions; median sum_m {np.median(sum_m):.17g} eV, m_bb {np.median(m_bb):.17g} eV -> {sys.argv[2]}")
