"""PyTorch peer: trains torchvision's ResNet-18 on a MedMNIST-format .npz and prints images/s as JSON.

Modes
  medmnist  the protocol of the MedMNIST benchmark script: PIL + DataLoader per sample, eager, Adam
  tuned     what an expert writes: tensors resident on the device, channels_last, fused Adam
  compiled  `tuned` plus torch.compile(mode="max-autotune") (CUDA graphs on a GPU)
  bf16      `tuned` under bfloat16 autocast
  bf16c     `compiled` under bfloat16 autocast

All modes: batch 128, lr 1e-3, BCEWithLogitsLoss, x = (u8/255 - 0.5)/0.5 expanded to 3 channels.
--steps N times N optimizer steps after --warmup steps (whole epochs are not needed for a rate).

Also prints the rate of prediction. Needs torch, torchvision (its Python code is enough), numpy, pillow.
"""
import argparse
import json
import os
import time

import numpy as np
import torch


def import_torchvision():
    """torchvision's compiled operators are not needed; declare them when its binary does not match torch."""
    try:
        import torchvision
    except RuntimeError:
        import sys
        for name in [n for n in sys.modules if n.startswith("torchvision")]:
            del sys.modules[name]
        lib = torch.library.Library("torchvision", "DEF")
        for op in ("nms", "qnms"):
            lib.define(f"{op}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        import_torchvision.keep = lib
        import torchvision
    return torchvision


def medmnist_batches(images, labels, batch):
    from PIL import Image
    from torch.utils.data import DataLoader, Dataset
    from torchvision import transforms

    transform = transforms.Compose([transforms.ToTensor(), transforms.Normalize(mean=[.5], std=[.5])])

    class Images(Dataset):
        def __len__(self):
            return len(images)

        def __getitem__(self, i):
            return transform(Image.fromarray(images[i]).convert("RGB")), labels[i].astype(int)

    loader = DataLoader(Images(), batch_size=batch, shuffle=True, drop_last=True)
    while True:
        yield from loader


def resident_batches(images, labels, batch, device):
    x = torch.from_numpy(images).to(device)
    y = torch.from_numpy(labels).to(device)
    while True:
        order = torch.randperm(len(x), device=device)
        for i in range(0, len(x) - batch + 1, batch):
            index = order[i:i + batch]
            xb = x[index].unsqueeze(1).expand(-1, 3, -1, -1).float().div_(255).sub_(.5).div_(.5)
            yield xb.contiguous(memory_format=torch.channels_last), y[index].float()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("npz")
    parser.add_argument("--mode", default="medmnist", choices=["medmnist", "tuned", "compiled", "bf16", "bf16c"])
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--warmup", type=int, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--stem", default="torchvision", choices=["torchvision", "cifar"])
    args = parser.parse_args()

    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    torchvision = import_torchvision()
    device = torch.device(args.device)
    data = np.load(args.npz)
    images, labels = data["train_images"], data["train_labels"].astype(np.uint8)
    repeat = -(-args.batch * 2 // len(images))
    if repeat > 1:
        images, labels = np.concatenate([images] * repeat), np.concatenate([labels] * repeat)

    model = torchvision.models.resnet18(num_classes=labels.shape[1])
    if args.stem == "cifar":
        model.conv1 = torch.nn.Conv2d(3, 64, 3, stride=1, padding=1, bias=False)
        model.maxpool = torch.nn.Identity()
    model = model.to(device).train()
    step_model = model
    amp = args.mode in ("bf16", "bf16c")
    if args.mode == "medmnist":
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
        batches = medmnist_batches(images, labels, args.batch)
    else:
        model = model.to(memory_format=torch.channels_last)
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)
        batches = resident_batches(images, labels, args.batch, device)
        step_model = torch.compile(model, mode="max-autotune") if args.mode in ("compiled", "bf16c") else model
    criterion = torch.nn.BCEWithLogitsLoss()

    def step():
        x, y = next(batches)
        x, y = x.to(device), y.to(device, torch.float32)
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast(device.type, torch.bfloat16, enabled=amp):
            out = step_model(x)
        loss = criterion(out.float(), y)
        loss.backward()
        optimizer.step()
        return loss.item() if args.mode == "medmnist" else loss

    def sync():
        if device.type == "cuda":
            torch.cuda.synchronize()

    for _ in range(args.warmup):
        step()
    sync()
    start = time.perf_counter()
    times = []
    for _ in range(args.steps):
        t = time.perf_counter()
        loss = step()
        if device.type == "cpu":
            times.append(time.perf_counter() - t)
    sync()
    total = time.perf_counter() - start
    # Prediction: the tuned way, whatever the mode of training.
    model = model.to(memory_format=torch.channels_last).eval()
    x = torch.from_numpy(images[:args.batch * 8]).to(device).unsqueeze(1).expand(-1, 3, -1, -1)

    def predict():
        with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16, enabled=amp):
            for part in x.split(args.batch):
                model(part.float().div_(255).sub_(.5).div_(.5).contiguous(memory_format=torch.channels_last))
        sync()

    predict()
    start_predict = time.perf_counter()
    predict()
    predict_rate = len(x) / (time.perf_counter() - start_predict)
    median = sorted(times)[len(times) // 2] if times else total / args.steps
    print(json.dumps({
        "peer": "pytorch", "mode": args.mode, "torch": torch.__version__, "device": str(device),
        "threads": args.threads, "batch": args.batch, "steps": args.steps,
        "images_per_s": round(args.batch * args.steps / total, 1),
        "predict_images_per_s": round(predict_rate, 1),
        "images_per_s_median_step": round(args.batch / median, 1), "last_loss": float(loss.detach() if hasattr(loss, "detach") else loss),
    }))


if __name__ == "__main__":
    main()
