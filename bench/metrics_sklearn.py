"""scikit-learn's side of bench/metrics.mjs: reads labels and scores from an .npz, then for each line on stdin computes the
figures once and prints {"wall", "cpu", "figures"} as JSON, both times in seconds. Each figure comes from the call that does the least work.
"""

import json
import sys
import time
import warnings

import numpy as np
from sklearn import metrics as sk


def figures(y_true, y_score):
    y_pred = (y_score > 0.5).astype(np.uint8)
    labels = range(y_true.shape[1])
    tables = sk.multilabel_confusion_matrix(y_true, y_pred)
    tn, fp = tables[:, 0, 0], tables[:, 0, 1]
    auc = sk.roc_auc_score(y_true, y_score, average=None)
    ap = sk.average_precision_score(y_true, y_score, average=None)

    def prf(average):
        return sk.precision_recall_fscore_support(y_true, y_pred, average=average, zero_division=0)[:3]

    averages = {average: prf(average) for average in ("micro", "macro", "weighted", "samples")}
    per_label = prf(None)
    accuracy = [sk.accuracy_score(y_true[:, i], y_pred[:, i]) for i in labels]
    return {
        "auc.macro": auc.mean(),
        "auc.micro": sk.roc_auc_score(y_true, y_score, average="micro"),
        "average_precision.macro": ap.mean(),
        "average_precision.micro": sk.average_precision_score(y_true, y_score, average="micro"),
        "accuracy.mean": np.mean(accuracy),
        "accuracy.subset": sk.accuracy_score(y_true, y_pred),
        "balanced_accuracy.macro": np.mean([sk.balanced_accuracy_score(y_true[:, i], y_pred[:, i]) for i in labels]),
        "specificity.macro": np.mean(tn / (tn + fp)),
        "mcc.macro": np.mean([sk.matthews_corrcoef(y_true[:, i], y_pred[:, i]) for i in labels]),
        "brier.macro": np.mean([sk.brier_score_loss(y_true[:, i], y_score[:, i]) for i in labels]),
        **{
            f"{name}.{average}": value
            for average, values in averages.items()
            for name, value in zip(("precision", "recall", "f1"), values)
        },
        "recall.per_label.0": per_label[1][0],
    }


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    arrays = np.load(sys.argv[1])
    y_true, y_score = arrays["labels"], arrays["scores"]
    for _ in sys.stdin:
        start, cpu = time.perf_counter(), time.process_time()
        result = figures(y_true, y_score)
        wall, cpu = time.perf_counter() - start, time.process_time() - cpu
        print(json.dumps({"wall": wall, "cpu": cpu, "figures": {k: float(v) for k, v in result.items()}}), flush=True)
