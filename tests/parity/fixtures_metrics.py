"""Writes tests/fixtures/metrics/*.json: small predictions and their figures by scikit-learn and torchmetrics.

Run it with the reference Python:  .venv-reference/bin/python tests/parity/fixtures_metrics.py
"""

import json
import pathlib
import warnings

import numpy as np
import torch

from metrics_reference import report

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "fixtures" / "metrics"


def cases():
    rng = np.random.default_rng(20)
    n, width = 60, 4
    y_true = (rng.random((n, width)) < [0.5, 0.3, 0.1, 0.05]).astype(int)
    y_true[0] = 1  # every label has a positive
    y_score = np.clip(rng.random((n, width)) * 0.7 + 0.3 * y_true * rng.random((n, width)), 0, 1)
    yield "random", y_true, y_score, 0.5
    yield "threshold-per-label", y_true, y_score, [0.1, 0.4, 0.6, 0.9]
    yield "tied", y_true, np.round(y_score * 4) / 4, 0.5
    yield "constant", y_true, np.full((n, width), 0.5), 0.5
    yield "all-negative", y_true, y_score * 0.4, 0.5
    yield "all-positive", y_true, 0.6 + y_score * 0.4, 0.5
    missing, full = y_true.copy(), y_true.copy()
    missing[:, 2] = 0
    full[:, 1] = 1
    yield "label-without-positives", missing, y_score, 0.3
    yield "label-without-negatives", full, y_score, 0.3
    yield "no-positives", np.zeros_like(y_true), y_score, 0.5
    yield "no-negatives", np.ones_like(y_true), y_score, 0.5
    extreme = rng.choice([0.0, 1e-300, 5e-324, 1e-16, 0.5, 1 - 2**-53, 1.0], size=(n, width))
    yield "extreme", y_true, extreme, 0.5
    edges = np.concatenate([np.linspace(0, 1, 16), torch.linspace(0, 1, 16, dtype=torch.float64).numpy()])
    yield "bin-edges", y_true, rng.choice(edges, size=(n, width)), 0.5
    yield "perfect", y_true, y_true.astype(float), 0.5
    yield "inverted", y_true, 1.0 - y_true, 0.5
    yield "single-label", y_true[:, :1], y_score[:, :1], 0.5
    yield "two-images", np.array([[0, 1], [1, 1]]), np.array([[0.2, 0.7], [0.9, 0.4]]), 0.5


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, y_true, y_score, threshold in cases():
        case = {"labels": y_true.tolist(), "scores": y_score.tolist(), "threshold": threshold}
        (FOLDER / f"{name}.json").write_text(json.dumps({**case, "expected": report(case)}) + "\n")
