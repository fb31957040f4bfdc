#!/usr/bin/env python3
"""The forward map with numpy and its LAPACK: a peer of bench/compare (peer.py).

    labels METHOD         points per second: mass matrix, masses and |U|
    observables METHOD    the same with mixing angles, delta and Majorana phases

METHOD: svd, numpy.linalg.svd of the stacked symmetric matrices, U from the singular vectors and their phases; eigh,
numpy.linalg.eigh of m^+ m, which squares the hierarchy.
"""
import sys

import numpy as np

import peer

POINTS = 4096
rng = np.random.default_rng(0)
Y = rng.uniform(-1, 1, (POINTS, 3, 3)) + 1j * rng.uniform(-1, 1, (POINTS, 3, 3))
R = np.sort(rng.uniform(1e-5, 1, (POINTS, 2)))
K, ARG = rng.uniform(-4.22, -0.22, POINTS), rng.uniform(-np.pi, np.pi, (POINTS, 2))


def mass_matrix():
    x = np.ones((POINTS, 3), complex)
    x[:, :2] = np.exp(-1j * ARG) / R
    return 10.0 ** K[:, None, None] * (Y.transpose(0, 2, 1) * x[:, None, :] @ Y)


def factorise(method):
    """Masses ascending and U with U^T m U = diag(masses)."""
    m = mass_matrix()
    if method == "svd":
        left, masses, right = np.linalg.svd(m)
        masses, u = masses[:, ::-1], right.conj().transpose(0, 2, 1)[:, :, ::-1]
        left = left[:, :, ::-1]
        phase = np.angle(np.einsum("nij,nij->nj", left, u))  # m u_j = d_j left_j, and left_j = e^{i phase} u_j^*
    else:
        squares, u = np.linalg.eigh(m.conj().transpose(0, 2, 1) @ m)
        masses = np.sqrt(np.maximum(squares, 0))
        phase = np.angle(np.einsum("nij,nij->nj", u, m @ u))
    return masses, u * np.exp(-0.5j * phase)[:, None, :]


def labels(method):
    m, u = factorise(method)
    squares = np.stack((m[:, 1] ** 2 - m[:, 0] ** 2, m[:, 2] ** 2 - m[:, 0] ** 2), 1)
    return np.concatenate((np.log10(squares), np.abs(u).reshape(-1, 9)), 1), m, u


def observables(method):
    out, m, u = labels(method)
    s13 = np.abs(u[:, 0, 2]) ** 2
    s12, s23 = np.abs(u[:, 0, 1]) ** 2 / (1 - s13), np.abs(u[:, 1, 2]) ** 2 / (1 - s13)
    jarlskog = (u[:, 0, 0] * u[:, 1, 1] * u[:, 0, 1].conj() * u[:, 1, 0].conj()).imag
    e = u[:, 0, 2] * u[:, 1, 0] * u[:, 0, 0].conj() * u[:, 1, 2].conj()
    delta = np.angle(-(e.conj() + (1 - s12) * (1 - s13) * s23 * s13))
    alpha21 = 2 * np.angle(u[:, 0, 1] * u[:, 0, 0].conj())
    eta = 2 * np.angle(u[:, 0, 2] * u[:, 0, 0].conj())
    mbb = np.abs((m * u[:, 0] ** 2).sum(1))
    return out, s12, s13, s23, jarlskog, delta, alpha21, eta + 2 * delta, mbb, m.sum(1)


if __name__ == "__main__":
    kinds = {"labels": labels, "observables": observables}
    peer.serve({"name": "numpy", "version": np.__version__}, lambda words: peer.timed(lambda: kinds[words[0]](words[1]), POINTS))
