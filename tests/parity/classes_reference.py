"""Figures of exclusive classes as scikit-learn and PyTorch compute them; None where the contract says undefined. MedMNIST's AUC and
ACC are its getAUC and getACC (medmnist/evaluator.py 3.0) on the classes that have both values.

As a program it reads a JSON file of cases {"labels": [N], "logits": [N, K]} and prints the JSON list of their figures.
"""
import json
import sys
import warnings

import numpy as np
import torch
from sklearn import metrics as sk

from metrics_reference import ece, mean, with_macro


def figures(case):
    y, z = np.array(case["labels"]), np.array(case["logits"])
    classes = range(z.shape[1])
    p = np.exp(z - z.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    decided = p.argmax(1)
    one, one_decided = np.eye(len(classes), dtype=int)[y], np.eye(len(classes), dtype=int)[decided]
    has_both = [0 < one[:, k].sum() < len(y) for k in classes]
    rank = lambda score, defined: [float(score(one[:, k], p[:, k])) if defined[k] else None for k in classes]
    recalls = [float((decided[y == k] == k).mean()) if (y == k).any() else None for k in classes]

    def averaged(score):
        of = lambda average: float(score(y, decided, labels=list(classes), average=average, zero_division=0))
        per_label = score(y, decided, labels=list(classes), average=None, zero_division=0)
        return {**{name: of(name) for name in ("micro", "macro", "weighted")}, "per_label": per_label.tolist()}

    confidence = p[np.arange(len(y)), decided]
    most = np.bincount(y, minlength=len(classes)).argmax()
    always = np.full(len(y), most)
    found = {
        "n": len(y),
        "loss": float(torch.nn.functional.cross_entropy(torch.from_numpy(z), torch.from_numpy(y))),
        "threshold": None,
        "auc": with_macro(rank(sk.roc_auc_score, has_both)),
        "average_precision": with_macro(rank(sk.average_precision_score, one.sum(0) > 0)),
        "accuracy": {
            "mean": float(sk.accuracy_score(y, decided)),
            "subset": float(sk.accuracy_score(one, one_decided)),
            "per_label": (one == one_decided).mean(0).tolist(),
        },
        "balanced_accuracy": {"macro": float(sk.balanced_accuracy_score(y, decided)), "per_label": recalls},
        "precision": averaged(sk.precision_score),
        "recall": averaged(sk.recall_score),
        "f1": averaged(sk.f1_score),
        "mcc": with_macro([float(sk.matthews_corrcoef(one[:, k], one_decided[:, k])) for k in classes]),
        "brier": {
            **with_macro([float(((p[:, k] - one[:, k]) ** 2).mean()) for k in classes]),
            "multiclass": float(((p - one) ** 2).sum(1).mean()),
        },
        "ece": {"top_label": ece((decided == y).astype(int), confidence)},
        "confusion": sk.multilabel_confusion_matrix(y, decided, labels=list(classes)).tolist(),
        "confusion_matrix": sk.confusion_matrix(y, decided, labels=list(classes)).tolist(),
        "support": one.sum(0).tolist(),
        "majority": {
            "class": int(most),
            "accuracy": float(sk.accuracy_score(y, always)),
            "balanced_accuracy": float(sk.balanced_accuracy_score(y, always)),
            "f1_macro": float(sk.f1_score(y, always, labels=list(classes), average="macro", zero_division=0)),
            "recall_macro": float(sk.recall_score(y, always, labels=list(classes), average="macro", zero_division=0)),
        },
    }
    kappa = sk.cohen_kappa_score(y, decided, labels=list(classes), weights="quadratic")
    return {**found, "quadratic_weighted_kappa": None if np.isnan(kappa) else float(kappa)}


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    with open(sys.argv[1], encoding="utf8") as file:
        print(json.dumps([figures(case) for case in json.load(file)]))
