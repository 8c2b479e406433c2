"""Temperatures by SciPy: the root of the derivative of the mean cross-entropy, by PyTorch's autograd in float64.

Reads a JSON file of cases {"exclusive", "truth": [N][L], "logits": [N][L]} and prints the JSON list of their temperatures.
"""
import json
import sys

import torch
from scipy.optimize import brentq


def temperature(loss):
    def slope(scale):
        x = torch.tensor(scale, dtype=torch.float64, requires_grad=True)
        return torch.autograd.grad(loss(x), x)[0].item()

    low, high = 1 / 20, 20.0
    if slope(low) >= 0:
        return 1 / low
    if slope(high) <= 0:
        return 1 / high
    return 1 / brentq(slope, low, high, xtol=1e-14, rtol=1e-14)


def temperatures(case):
    z, y = (torch.tensor(case[name], dtype=torch.float64) for name in ("logits", "truth"))
    f = torch.nn.functional
    if case["exclusive"]:
        return [temperature(lambda s: f.cross_entropy(z * s, y.argmax(1)))] * z.shape[1]
    return [
        temperature(lambda s: f.binary_cross_entropy_with_logits(z[:, k] * s, y[:, k])) if 0 < y[:, k].sum() < len(y) else 1
        for k in range(z.shape[1])
    ]


with open(sys.argv[1]) as file:
    print(json.dumps([temperatures(case) for case in json.load(file)]))
