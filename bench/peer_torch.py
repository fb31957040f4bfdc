#!/usr/bin/env python3
"""The paper's network and recipe in PyTorch: a peer of bench/compare (peer.py).

    train MODE BATCH DTYPE    updates per second: Adam (fused), OneCycleLR, noising on the fly
    sample MODE DTYPE         guided steps per second: two evaluations, noise and update for 4096 samples

MODE of training: eager, compile (torch.compile). MODE of sampling: eager and compile, as a physicist would write it, with
[x, label, t] put together in front of every layer; folded, compiled, with the label part of every layer worked out beforehand
and added as a bias; frozen, that with the weights frozen (inductor hands the layers, packed once, to oneDNN).
DTYPE: float32; autocast, bfloat16 where torch.autocast thinks fit; bfloat16, weights and activations, sampling only. State and
weights being trained are always float32.
"""
import contextlib
import functools
import sys

import torch
import torch.nn as nn
import torch.nn.functional as F

import peer
from peer import DIM, IN_FLIGHT, LABELS, STEPS, WIDTHS

PAIRS = 100_000


class Denoiser(nn.Module):
    """Every layer sees the one before, the label and the time."""

    def __init__(self):
        super().__init__()
        sizes = (DIM, *WIDTHS, DIM)
        self.layers = nn.ModuleList(nn.Linear(a + LABELS + 1, b) for a, b in zip(sizes, sizes[1:]))
        self.activations = [nn.SELU()] * (len(WIDTHS) - 1) + [nn.Tanh(), nn.Identity()]

    def forward(self, x, condition):
        for layer, activation in zip(self.layers, self.activations):
            x = activation(layer(torch.cat((x, condition), 1)))
        return x


class Folded(nn.Module):
    """The same for two conditions, whose part of every layer is a row of a bias: (2, rows, DIM) -> (2, rows, DIM)."""

    def __init__(self, denoiser):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(l.in_features - LABELS - 1, l.out_features, bias=False) for l in denoiser.layers)
        for mine, layer in zip(self.layers, denoiser.layers):
            mine.weight.data.copy_(layer.weight[:, : mine.in_features])
        self.activations = denoiser.activations

    def forward(self, x, biases):
        x = x.expand(2, -1, -1)
        for layer, activation, bias in zip(self.layers, self.activations, biases):
            x = activation(layer(x) + bias)
        return x


def precision(dtype):
    return torch.autocast("cpu", torch.bfloat16) if dtype == "autocast" else contextlib.nullcontext()


@functools.cache
def trainer(mode, batch, dtype):
    """A function that makes one update."""
    torch.manual_seed(0)
    plain = Denoiser()
    model = torch.compile(plain) if mode == "compile" else plain
    x0, label = torch.rand(PAIRS, DIM) * 2 - 1, torch.randn(PAIRS, LABELS)
    alpha_bar = torch.cumprod(1 - torch.linspace(1e-4, 0.02, STEPS), 0)
    adam = torch.optim.Adam(plain.parameters(), lr=1e-3, fused=True)
    cycle = torch.optim.lr_scheduler.OneCycleLR(adam, max_lr=1e-3, total_steps=10_000_000)

    def update():
        pick = torch.randint(0, PAIRS, (batch,))
        t = torch.randint(0, STEPS, (batch,))
        signal, noise = alpha_bar[t][:, None], torch.randn(batch, DIM)
        kept = (torch.rand(batch, 1) >= 0.1).float()
        condition = torch.cat((label[pick] * kept, (t[:, None] + 1) / STEPS), 1)
        with precision(dtype):
            predicted = model(signal.sqrt() * x0[pick] + (1 - signal).sqrt() * noise, condition)
        loss = F.mse_loss(predicted.float(), noise)
        adam.zero_grad(set_to_none=True)
        loss.backward()
        adam.step()
        cycle.step()

    return update


def folded(mode, dtype):
    """Evaluation of x (rows, DIM) with and without label."""
    import torch._inductor.config as inductor

    weights = torch.bfloat16 if dtype == "bfloat16" else torch.float32
    denoiser = Denoiser()
    biases = [(torch.randn(2, 1, LABELS + 1) @ l.weight[:, -LABELS - 1 :].T + l.bias).detach().to(weights) for l in denoiser.layers]
    inductor.freezing = mode == "frozen"
    model = torch.compile(Folded(denoiser).to(weights).eval())
    return lambda x: model(x.to(weights)[None], biases)


def plain(mode, dtype):
    weights = torch.bfloat16 if dtype == "bfloat16" else torch.float32
    model = Denoiser().to(weights).eval()
    if mode == "compile":
        model = torch.compile(model)
    condition = torch.randn(2 * IN_FLIGHT, LABELS + 1, dtype=weights)
    condition[IN_FLIGHT:, :LABELS] = 0
    return lambda x: model(torch.cat((x, x)).to(weights), condition).view(2, IN_FLIGHT, DIM)


@functools.cache
def sampler(mode, dtype):
    """A function that takes one guided step for all samples in flight."""
    torch.manual_seed(0)
    evaluate = plain(mode, dtype) if mode in ("eager", "compile") else folded(mode, dtype)
    x = torch.randn(IN_FLIGHT, DIM)

    @torch.no_grad()
    def step():
        with precision(dtype):
            e = evaluate(x).float()
        x.copy_(0.999 * (x - 0.01 * (8 * e[0] - 7 * e[1])) + 0.01 * torch.randn_like(x))

    return step


def answer(words):
    if words[0] == "train":
        return peer.timed(trainer(words[1], int(words[2]), words[3]))
    return peer.timed(sampler(words[1], words[2]), IN_FLIGHT)


if __name__ == "__main__":
    torch.set_num_threads(int(sys.argv[1]))
    peer.serve({"name": "PyTorch", "version": torch.__version__}, answer)
