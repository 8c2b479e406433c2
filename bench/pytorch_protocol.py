"""The MedMNIST protocol in PyTorch, as the peer of `chestmnist train` with its defaults: torchvision's ResNet-18, Adam
1e-3, x0.1 after 50 % and 75 % of the epochs, batch 128, binary cross-entropy, best epoch by validation AUC (mean over
the labels that have both values), test scored once. Prints one JSON line a seed.

Usage: pytorch_protocol.py DATA.npz [--epochs 100] [--seeds 0 1 2] [--threads N]
"""
import argparse
import copy
import json
import os
import time

import numpy as np
import torch
from sklearn.metrics import average_precision_score, f1_score, roc_auc_score

from pytorch_resnet18 import import_torchvision


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("npz")
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torchvision = import_torchvision()
    data = np.load(args.npz)
    x = {s: torch.from_numpy(data[f"{s}_images"]) for s in ("train", "val", "test")}
    y = {s: torch.from_numpy(data[f"{s}_labels"].astype(np.float32)) for s in x}

    def prepare(images):
        images = images.float().div_(255).sub_(0.5).div_(0.5).unsqueeze(1).expand(-1, 3, -1, -1)
        return images.contiguous(memory_format=torch.channels_last)

    def scores(model, split):
        model.eval()
        with torch.inference_mode():
            logits = torch.cat([model(prepare(part)) for part in x[split].split(128)])
        model.train()
        return logits.sigmoid().numpy()

    def judge(model, split):
        p, t = scores(model, split), y[split].numpy()
        both = [i for i in range(t.shape[1]) if 0 < t[:, i].sum() < len(t)]
        positive = [i for i in range(t.shape[1]) if t[:, i].sum() > 0]
        return {
            "auc": float(np.mean([roc_auc_score(t[:, i], p[:, i]) for i in both])),
            "average_precision": float(np.mean([average_precision_score(t[:, i], p[:, i]) for i in positive])),
            "f1": float(f1_score(t, p > 0.5, average="macro", zero_division=0)),
            "accuracy": float(((p > 0.5) == t).mean()),
        }

    for seed in args.seeds:
        start = time.perf_counter()
        torch.manual_seed(seed)
        model = torchvision.models.resnet18(num_classes=y["train"].shape[1])
        model = model.to(memory_format=torch.channels_last).train()
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)
        milestones = [int(0.5 * args.epochs), int(0.75 * args.epochs)]
        schedule = torch.optim.lr_scheduler.MultiStepLR(optimizer, milestones, gamma=0.1)
        criterion = torch.nn.BCEWithLogitsLoss()
        best = (-1.0, 0, None)
        for epoch in range(1, args.epochs + 1):
            for index in torch.randperm(len(x["train"])).split(128):
                optimizer.zero_grad(set_to_none=True)
                criterion(model(prepare(x["train"][index])), y["train"][index]).backward()
                optimizer.step()
            schedule.step()
            auc = judge(model, "val")["auc"]
            if auc > best[0]:
                best = (auc, epoch, copy.deepcopy(model.state_dict()))
        last = judge(model, "test")
        model.load_state_dict(best[2])
        print(json.dumps({
            "peer": "pytorch", "torch": torch.__version__, "seed": seed, "epochs": args.epochs, "best_epoch": best[1],
            "val_auc": best[0], "test": judge(model, "test"), "test_last_epoch": last,
            "seconds": round(time.perf_counter() - start, 1),
        }), flush=True)


if __name__ == "__main__":
    main()
