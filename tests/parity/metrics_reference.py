"""Every figure of src/metrics as scikit-learn (and, for ECE, torchmetrics) computes it; None where the contract says undefined.

Imported by tests/parity/fixtures_metrics.py, bench/metrics_sklearn.py and the parity tests. As a program it reads a JSON file
of cases {"labels": [[...]], "scores": [[...]], "threshold": x or [...]} and prints the JSON list of their figures.
"""

import functools
import json
import sys
import warnings

import numpy as np
from sklearn import metrics as sk

ECE_BINS = 15


def confusion(y_true, y_pred):
    """[[tn, fp], [fn, tp]] of each label."""
    return sk.multilabel_confusion_matrix(y_true, y_pred)


def mean(values):
    defined = [value for value in values if value is not None]
    return float(np.mean(defined)) if defined else None


def with_macro(values):
    return {"macro": mean(values), "per_label": values}


def ranks(score, y_true, y_score, is_defined):
    per_label = [
        float(score(y_true[:, i], y_score[:, i])) if is_defined(y_true[:, i]) else None for i in range(y_true.shape[1])
    ]
    flat = y_true.ravel()
    micro = float(score(flat, y_score.ravel())) if is_defined(flat) else None
    return {"macro": mean(per_label), "micro": micro, "per_label": per_label}


def averaged(score, y_true, y_pred):
    """scikit-learn takes one column for binary, where micro, macro and weighted would speak of both values."""

    def of(average):
        if y_true.shape[1] > 1:
            return float(score(y_true, y_pred, average=average, zero_division=0))
        if average == "samples":  # of one label: 1 for a hit, else 0
            return float(np.mean((y_true * y_pred)[:, 0]))
        return float(score(y_true[:, 0], y_pred[:, 0], average="binary", zero_division=0))

    per_label = [
        float(score(y_true[:, i], y_pred[:, i], average="binary", zero_division=0)) for i in range(y_true.shape[1])
    ]
    names = ("micro", "macro", "weighted", "samples")
    return {**{name: of(name) for name in names}, "per_label": per_label}


@functools.cache
def torchmetrics_ece():
    """torchmetrics imports torchvision, whose compiled operators do not load beside a CPU-only torch."""
    import torch

    try:
        import torchvision  # noqa: F401
    except RuntimeError:
        for name in [name for name in sys.modules if name.startswith("torchvision")]:
            del sys.modules[name]
        torchmetrics_ece.library = torch.library.Library("torchvision", "DEF")
        for operator in ("nms", "qnms"):
            torchmetrics_ece.library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    from torchmetrics.functional.classification import binary_calibration_error

    return binary_calibration_error


def ece(y_true, y_score):
    import torch

    binary_calibration_error = torchmetrics_ece()
    preds, target = torch.from_numpy(y_score.astype(np.float64)), torch.from_numpy(y_true.astype(np.int64))
    return float(binary_calibration_error(preds, target, n_bins=ECE_BINS, norm="l1"))


def ece_equal_mass(y_true, y_score):
    """The bins of sklearn.calibration.calibration_curve(strategy="quantile"), with the weights of its bins."""
    edges = np.percentile(y_score, np.linspace(0, 1, ECE_BINS + 1) * 100)
    bins = np.searchsorted(edges[1:-1], y_score)
    return float(
        sum(abs(np.sum(y_true[bins == b]) - np.sum(y_score[bins == b])) for b in range(ECE_BINS)) / len(y_true)
    )


def columns(figure, y_true, other):
    return [float(figure(y_true[:, i], other[:, i])) for i in range(y_true.shape[1])]


def decisions(y_score, threshold):
    return (y_score > np.asarray(threshold)).astype(int)


def both(y):
    return 0 < y.sum() < len(y)


def rank_figures(y_true, y_score):
    """The figures that depend on order alone: y_score are probabilities or logits."""
    return {
        "auc": ranks(sk.roc_auc_score, y_true, y_score, both),
        "average_precision": ranks(sk.average_precision_score, y_true, y_score, lambda y: y.sum() > 0),
    }


def without_calibration(y_true, y_score, threshold):
    """All that scikit-learn defines: what the benchmark times."""
    y_pred = decisions(y_score, threshold)
    labels = range(y_true.shape[1])
    tables = [sk.confusion_matrix(y_true[:, i], y_pred[:, i], labels=[0, 1]) for i in labels]
    specificity = [float(t[0, 0] / t[0].sum()) if t[0].sum() else None for t in tables]
    balanced = [
        float(sk.balanced_accuracy_score(y_true[:, i], y_pred[:, i])) if both(y_true[:, i]) else None for i in labels
    ]
    accuracy = columns(sk.accuracy_score, y_true, y_pred)
    return {
        "n": len(y_true),
        **rank_figures(y_true, y_score),
        "accuracy": {
            "mean": float(np.mean(accuracy)),
            "subset": float(np.mean(np.all(y_true == y_pred, axis=1))),
            "per_label": accuracy,
        },
        "balanced_accuracy": with_macro(balanced),
        "specificity": with_macro(specificity),
        "mcc": with_macro(columns(sk.matthews_corrcoef, y_true, y_pred)),
        "precision": averaged(sk.precision_score, y_true, y_pred),
        "recall": averaged(sk.recall_score, y_true, y_pred),
        "f1": averaged(sk.f1_score, y_true, y_pred),
        "brier": with_macro(
            [float(sk.brier_score_loss(y_true[:, i], y_score[:, i], pos_label=1)) for i in labels]
        ),
        "confusion": [t.tolist() for t in tables],
        "support": y_true.sum(axis=0).tolist(),
        "prevalence": y_true.mean(axis=0).tolist(),
    }


def figures(y_true, y_score, threshold):
    nothing = np.zeros_like(y_true)
    prevalence = y_true.mean(axis=0)
    constant = np.zeros(y_true.shape)
    return {
        **without_calibration(y_true, y_score, threshold),
        "ece": with_macro(columns(ece, y_true, y_score)),
        "ece_equal_mass": with_macro(columns(ece_equal_mass, y_true, y_score)),
        "all_negative": {
            "accuracy": mean(columns(sk.accuracy_score, y_true, nothing)),
            "subset": float(np.mean(np.all(y_true == 0, axis=1))),
            "f1_macro": averaged(sk.f1_score, y_true, nothing)["macro"],
            "recall_macro": averaged(sk.recall_score, y_true, nothing)["macro"],
            "auc_macro": ranks(sk.roc_auc_score, y_true, constant, both)["macro"],
            "average_precision_macro": mean([float(p) for p in prevalence if p > 0]),
        },
    }


def curves(y_true, y_score):
    """The curves of one label, which must have both values."""
    from sklearn.calibration import calibration_curve

    def lists(names, values):
        return {name: [None if np.isinf(v) else float(v) for v in value] for name, value in zip(names, values)}

    roc = ("fpr", "tpr", "thresholds")
    recall = ("precision", "recall", "thresholds")
    return {
        "roc": lists(roc, sk.roc_curve(y_true, y_score)),
        "roc_all": lists(roc, sk.roc_curve(y_true, y_score, drop_intermediate=False)),
        "pr": lists(recall, sk.precision_recall_curve(y_true, y_score)),
        "pr_dropped": lists(recall, sk.precision_recall_curve(y_true, y_score, drop_intermediate=True)),
        **{
            strategy: lists(("probTrue", "probPred"), calibration_curve(y_true, y_score, n_bins=15, strategy=strategy))
            for strategy in ("uniform", "quantile")
        },
    }


def report(case):
    if "logits" in case:
        return {"figures": rank_figures(np.asarray(case["labels"], dtype=int), np.asarray(case["logits"])), "curves": None}
    y_true, y_score = np.asarray(case["labels"], dtype=int), np.asarray(case["scores"], dtype=float)
    first = y_true[:, 0]
    return {
        "figures": figures(y_true, y_score, case["threshold"]),
        "curves": curves(first, y_score[:, 0]) if 0 < first.sum() < len(first) else None,
    }


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    with open(sys.argv[1]) as file:
        print(json.dumps([report(case) for case in json.load(file)]))
