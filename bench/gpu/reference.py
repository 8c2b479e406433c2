"""PyTorch's side of parity.mjs, for bfloat16: how far its gradients on the device are from its float64 on the CPU.

Reads, in the folder named on the command line, config.json, the weights it names, images.bin [B, S, S] uint8 and labels.bin
[B, L] uint8. Writes gradients.bin (float64's, in parameters() order, as float32) and distances.json: relative distances of
the gradients in float32 without TensorFloat-32, and under bfloat16 autocast.
"""
import json
import pathlib
import sys

import numpy as np
import torch

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from pytorch_resnet18 import import_torchvision  # noqa: E402

folder = pathlib.Path(sys.argv[1])
config = json.loads((folder / "config.json").read_text())
torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False

size = config["size"]
images = torch.from_numpy(np.fromfile(folder / "images.bin", np.uint8).reshape(-1, 1, size, size))
labels = torch.from_numpy(np.fromfile(folder / "labels.bin", np.uint8).reshape(-1, config["labels"]))


def gradients(device, dtype, autocast=False):
    model = import_torchvision().models.resnet18(num_classes=config["labels"])
    if config["stem"] == "cifar":
        model.conv1 = torch.nn.Conv2d(3, 64, 3, stride=1, padding=1, bias=False)
        model.maxpool = torch.nn.Identity()
    model.load_state_dict(torch.load(folder / config["weights"], weights_only=True))
    model = model.to(device, dtype, memory_format=torch.channels_last).train()
    x = ((images.to(device, dtype) / 255 - 0.5) / 0.5).expand(-1, 3, -1, -1).contiguous(memory_format=torch.channels_last)
    with torch.autocast(torch.device(device).type, torch.bfloat16, enabled=autocast):
        logits = model(x)
    torch.nn.functional.binary_cross_entropy_with_logits(logits.to(dtype), labels.to(device, dtype)).backward()
    return torch.cat([p.grad.flatten() for p in model.parameters()]).double().cpu()


exact = gradients("cpu", torch.float64)
exact.float().numpy().tofile(folder / "gradients.bin")
distance = {
    name: ((gradients(config["device"], torch.float32, autocast) - exact).norm() / exact.norm()).item()
    for name, autocast in (("float32", False), ("bfloat16", True))
}
(folder / "distances.json").write_text(json.dumps(distance))
