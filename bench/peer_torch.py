#!/usr/bin/env python3
"""The paper's network and recipe in PyTorch, as a physicist would write it: the peer bench/compare measures beside.

Stays alive and answers requests, so that it can be measured in turn with another program. A request is a line on the
standard input, the answer one JSON line:

    train MODE BATCH          updates per second: Adam, OneCycleLR, noising on the fly
    sample MODE DTYPE         guided steps per second: two evaluations, noise and update for 4096 samples

MODE is eager or compile (torch.compile), DTYPE float32 or bfloat16 (the state stays float32).
"""
import functools
import json
import sys
import time

import torch
import torch.nn as nn

DIM, LABELS, STEPS = 23, 11, 1000
WIDTHS = (64, 128, 256, 512, 256, 128, 64)
PAIRS, IN_FLIGHT, SAMPLE_STEPS = 100_000, 4096, 20


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


def in_mode(mode, module):
    return torch.compile(module) if mode == "compile" else module


@functools.cache
def trainer(mode, batch):
    """A function that makes one update."""
    torch.manual_seed(0)
    model = in_mode(mode, Denoiser())
    x0, label = torch.rand(PAIRS, DIM) * 2 - 1, torch.randn(PAIRS, LABELS)
    alpha_bar = torch.cumprod(1 - torch.linspace(1e-4, 0.02, STEPS), 0)
    adam = torch.optim.Adam(model.parameters(), lr=1e-3)
    cycle = torch.optim.lr_scheduler.OneCycleLR(adam, max_lr=1e-3, total_steps=10_000_000)

    def update():
        pick = torch.randint(0, PAIRS, (batch,))
        t = torch.randint(0, STEPS, (batch,))
        signal, noise = alpha_bar[t][:, None], torch.randn(batch, DIM)
        kept = (torch.rand(batch, 1) >= 0.1).float()
        condition = torch.cat((label[pick] * kept, (t[:, None] + 1) / STEPS), 1)
        predicted = model(signal.sqrt() * x0[pick] + (1 - signal).sqrt() * noise, condition)
        loss = nn.functional.mse_loss(predicted, noise)
        adam.zero_grad(set_to_none=True)
        loss.backward()
        adam.step()
        cycle.step()

    return update


@functools.cache
def sampler(mode, dtype):
    """A function that takes one guided step for all samples in flight."""
    torch.manual_seed(0)
    model = in_mode(mode, Denoiser().to(dtype))
    condition = torch.randn(2 * IN_FLIGHT, LABELS + 1, dtype=dtype)
    condition[IN_FLIGHT:, :LABELS] = 0
    x = torch.randn(IN_FLIGHT, DIM)

    @torch.inference_mode()
    def step():
        e = model(torch.cat((x, x)).to(dtype), condition).float()
        guided = 8 * e[:IN_FLIGHT] - 7 * e[IN_FLIGHT:]
        x.copy_(0.999 * (x - 0.01 * guided) + 0.01 * torch.randn_like(x))

    return step


def timed(action, count):
    action()
    start = time.perf_counter()
    for _ in range(count):
        action()
    return count / (time.perf_counter() - start)


def answer(words):
    if words[0] == "train":
        batch = int(words[2])
        update = trainer(words[1], batch)
        return timed(update, max(50, 400 * 64 // batch))
    return timed(sampler(words[1], getattr(torch, words[2])), SAMPLE_STEPS) * IN_FLIGHT


def main():
    torch.set_num_threads(int(sys.argv[1]))
    print(json.dumps({"version": torch.__version__, "threads": torch.get_num_threads()}), flush=True)
    for line in sys.stdin:
        try:
            reply = {"rate": answer(line.split())}
        except Exception as error:  # a mode that this build lacks is an answer, not an end
            reply = {"failed": str(error)[:200]}
        print(json.dumps(reply), flush=True)


if __name__ == "__main__":
    main()
