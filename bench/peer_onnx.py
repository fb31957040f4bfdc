#!/usr/bin/env python3
"""Guided sampling of the paper's network with ONNX Runtime: a peer of bench/compare (peer.py).

    sample DTYPE    guided steps per second: two evaluations (one call), noise and update in numpy for 4096 samples

The graph has the label part of every layer folded into a bias, as ours. DTYPE float32.
"""
import functools
import sys

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

import peer
from peer import DIM, IN_FLIGHT, WIDTHS


def graph():
    """(2 IN_FLIGHT, DIM) -> (2 IN_FLIGHT, DIM)."""
    rng, nodes, weights, at = np.random.default_rng(0), [], [], "x"
    sizes = (DIM, *WIDTHS, DIM)
    for i, (a, b) in enumerate(zip(sizes, sizes[1:])):
        weights += [numpy_helper.from_array(rng.uniform(-1, 1, shape).astype(np.float32) / np.sqrt(np.float32(a)), f"{kind}{i}")
                    for kind, shape in (("w", (a, b)), ("b", (b,)))]
        nodes.append(helper.make_node("Gemm", [at, f"w{i}", f"b{i}"], [f"p{i}"]))
        at = f"h{i}"
        kind = "Selu" if i < len(WIDTHS) - 1 else "Tanh" if i < len(WIDTHS) else "Identity"
        nodes.append(helper.make_node(kind, [f"p{i}"], [at]))
    shape = [2 * IN_FLIGHT, DIM]
    body = helper.make_graph(nodes, "denoiser", [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
                             [helper.make_tensor_value_info(at, TensorProto.FLOAT, shape)], weights)
    return helper.make_model(body, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@functools.cache
def sampler(dtype):
    if dtype != "float32":
        raise ValueError("only float32")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = int(sys.argv[1])
    session = onnxruntime.InferenceSession(graph().SerializeToString(), options, providers=["CPUExecutionProvider"])
    rng, x = np.random.default_rng(0), np.random.default_rng(1).standard_normal((IN_FLIGHT, DIM), dtype=np.float32)

    def step():
        e = session.run(None, {"x": np.concatenate((x, x))})[0]
        noise = rng.standard_normal(x.shape, dtype=np.float32)
        x[:] = 0.999 * (x - 0.01 * (8 * e[:IN_FLIGHT] - 7 * e[IN_FLIGHT:])) + 0.01 * noise

    return step


if __name__ == "__main__":
    peer.serve({"name": "ONNX Runtime", "version": onnxruntime.__version__}, lambda words: peer.timed(sampler(words[1]), IN_FLIGHT))
