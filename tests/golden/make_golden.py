#!/usr/bin/env python3
"""Writes training_*.txt: twenty updates of Table 2's network in PyTorch (float32), for tests/test_trainer.c.

    python3 make_golden.py DIRECTORY      (needs PyTorch and numpy)

Initial weights and batches come from an integer hash that the test computes as well, so that only results are stored:
per update the loss, the rate, beta1, and for every tensor how far it has moved (l2) and a few of its weights.
"""
import math
import sys

import numpy as np
import torch
import torch.nn as nn

WIDTHS = (64, 128, 256, 512, 256, 128, 64)
DIM, LABELS, BATCH, UPDATES = 23, 11, 64, 20
WEIGHTS, X, LABEL, TIME, NOISE = range(1, 6)  # streams of the hash
FEW, MANY = 6, 40  # sampled weights of a tensor: each update, last update


def words(stream, first, count):
    """lowbias32 (C. Wellons) of stream * 0x9E3779B9 + index, 32-bit."""
    h = (stream * 0x9E3779B9 + np.arange(first, first + count, dtype=np.uint64)) & 0xFFFFFFFF
    h ^= h >> 16
    h = h * 0x7FEB352D & 0xFFFFFFFF
    h ^= h >> 15
    h = h * 0x846CA68B & 0xFFFFFFFF
    return h ^ h >> 16


def symmetric(stream, first, count, bound):
    """Uniform on [-bound, bound): 24 bits, scaled in double, rounded once."""
    return (((words(stream, first, count) >> 8) * 2.0**-23 - 1.0) * bound).astype(np.float32)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        sizes = (DIM, *WIDTHS, DIM)
        self.layers = nn.ModuleList(nn.Linear(a + LABELS + 1, b) for a, b in zip(sizes, sizes[1:]))

    def forward(self, x, condition):
        last = len(self.layers) - 1
        for i, layer in enumerate(self.layers):
            x = layer(torch.cat((x, condition), 1))
            if i < last:
                x = torch.tanh(x) if i == last - 1 else torch.selu(x)
        return x


def initialise(net):
    first = 0
    with torch.no_grad():
        for layer in net.layers:
            bound = 1.0 / math.sqrt(layer.weight.shape[1])
            for p in (layer.weight, layer.bias):
                p.copy_(torch.from_numpy(symmetric(WEIGHTS, first, p.numel(), bound)).view(p.shape))
                first += p.numel()


def batch(update):
    def block(stream, columns, bound):
        n = BATCH * columns
        return torch.from_numpy(symmetric(stream, update * n, n, bound).reshape(BATCH, columns))

    label = block(LABEL, LABELS, 2.0)
    label[::10] = 0  # dropped
    t = 1 + words(TIME, update * BATCH, BATCH) % 1000
    time = torch.from_numpy((t / 1000.0).astype(np.float32))[:, None]
    return block(X, DIM, 2.0), torch.cat((label, time), 1), block(NOISE, DIM, 2.0)


def run(name, total, file):
    net = Net()
    initialise(net)
    start = [p.detach().clone() for p in net.parameters()]
    adam = torch.optim.Adam(net.parameters(), lr=1e-3, foreach=False)
    cycle = torch.optim.lr_scheduler.OneCycleLR(adam, max_lr=1e-3, total_steps=total)
    file.write(f"# PyTorch {torch.__version__}, {name}: OneCycleLR over {total} updates\n")
    file.write("# u update loss rate beta1;  t tensor moved n  then n lines: index weight\n")
    for update in range(UPDATES):
        x, condition, noise = batch(update)
        group = adam.param_groups[0]
        rate, beta1 = group["lr"], group["betas"][0]
        loss = ((net(x, condition) - noise) ** 2).mean()
        adam.zero_grad()
        loss.backward()
        adam.step()
        if update + 1 < total:
            cycle.step()
        file.write(f"u {update} {loss.item():.9g} {rate:.17g} {beta1:.17g}\n")
        samples = MANY if update == UPDATES - 1 else FEW
        for i, (p, p0) in enumerate(zip(net.parameters(), start)):
            flat = p.detach().view(-1)
            moved = (flat.double() - p0.view(-1).double()).norm().item()
            at = sorted(set((words(100 + i, update * MANY, samples) % flat.numel()).tolist()))
            file.write(f"t {i} {moved:.9g} {len(at)}\n")
            file.writelines(f"{j} {flat[j].item():.9g}\n" for j in at)


def main():
    torch.set_num_threads(1)
    for name, total in (("whole cycle", 20), ("start of a long one", 100)):
        with open(f"{sys.argv[1]}/training_{total}.txt", "w") as file:
            run(name, total, file)


if __name__ == "__main__":
    main()
