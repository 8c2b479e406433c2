"""The MedMNIST protocol in PyTorch, as the peer of `chestmnist train` with its defaults: torchvision's ResNet-18, Adam
1e-3, x0.1 after 50 % and 75 % of the epochs, batch 128, best epoch by validation AUC (mean over the labels that have both
values), test scored once. Binary cross-entropy for several columns of labels or one of 0 and 1, cross-entropy for a column
of class numbers; gray or RGB. Prints one JSON line a seed.

Usage: pytorch_protocol.py DATA.npz [--stem torchvision|cifar] [--epochs 100] [--seeds 0 1 2] [--threads N]
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
    parser.add_argument("--stem", choices=["torchvision", "cifar"], default="torchvision")
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torchvision = import_torchvision()
    data = np.load(args.npz)
    x = {s: torch.from_numpy(data[f"{s}_images"]) for s in ("train", "val", "test")}
    numbers = {s: data[f"{s}_labels"].astype(np.int64) for s in x}
    highest = max(n.max() for n in numbers.values())
    exclusive = highest > 1
    # Of class numbers one column for each class, to judge it against the rest.
    y = {s: torch.from_numpy((np.eye(highest + 1)[n.ravel()] if exclusive else n).astype(np.float32)) for s, n in numbers.items()}

    def prepare(images):
        images = images.float().div_(255).sub_(0.5).div_(0.5)
        images = images.permute(0, 3, 1, 2) if images.dim() == 4 else images.unsqueeze(1).expand(-1, 3, -1, -1)
        return images.contiguous(memory_format=torch.channels_last)

    def network():
        model = torchvision.models.resnet18(num_classes=y["train"].shape[1])
        if args.stem == "cifar":
            model.conv1 = torch.nn.Conv2d(3, 64, 3, stride=1, padding=1, bias=False)
            torch.nn.init.kaiming_normal_(model.conv1.weight, mode="fan_out", nonlinearity="relu")
            model.maxpool = torch.nn.Identity()
        return model.to(memory_format=torch.channels_last).train()

    def scores(model, split):
        model.eval()
        with torch.inference_mode():
            logits = torch.cat([model(prepare(part)) for part in x[split].split(128)])
        model.train()
        return (logits.softmax(1) if exclusive else logits.sigmoid()).numpy()

    def judge(model, split):
        p, t = scores(model, split), y[split].numpy()
        both = [i for i in range(t.shape[1]) if 0 < t[:, i].sum() < len(t)]
        positive = [i for i in range(t.shape[1]) if t[:, i].sum() > 0]
        decided = np.eye(t.shape[1])[p.argmax(1)] if exclusive else p > 0.5
        return {
            "auc": float(np.mean([roc_auc_score(t[:, i], p[:, i]) for i in both])),
            "average_precision": float(np.mean([average_precision_score(t[:, i], p[:, i]) for i in positive])),
            "f1": float(np.mean([f1_score(t[:, i], decided[:, i], zero_division=0) for i in range(t.shape[1])])),
            "accuracy": float((p.argmax(1) == t.argmax(1)).mean() if exclusive else (decided == t).mean()),
        }

    # With probabilities as the target, which those of 0 and 1 are, cross_entropy is that of class numbers.
    criterion = torch.nn.CrossEntropyLoss() if exclusive else torch.nn.BCEWithLogitsLoss()
    for seed in args.seeds:
        start = time.perf_counter()
        torch.manual_seed(seed)
        model = network()
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)
        milestones = [int(0.5 * args.epochs), int(0.75 * args.epochs)]
        schedule = torch.optim.lr_scheduler.MultiStepLR(optimizer, milestones, gamma=0.1)
        best = (-1.0, 0, None)
        for epoch in range(1, args.epochs + 1):
            for index in torch.randperm(len(x["train"])).split(128):
                if len(index) < 2:  # no batch statistics
                    continue
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
