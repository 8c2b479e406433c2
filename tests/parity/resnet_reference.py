"""PyTorch's side of resnet.test.ts: the same network, images, labels and order, on the same machine.

Reads a folder with config.json, images.bin [N, S, S] uint8, labels.bin [N, L] uint8 and order.bin int32; writes
initial.json (SHA-256 of every entry of the initial state dict), logits.bin (evaluation mode), gradients.bin (of the
first batch, in parameters() order), exact.bin (gradients of a few smaller batches, computed in float64), losses.json,
logits_trained.bin and state.pth (after all steps).
"""
import copy
import hashlib
import json
import pathlib
import sys

import numpy as np
import torch


def import_resnet():
    """torchvision's compiled operators are not needed; declare them when its binary does not match torch."""
    try:
        from torchvision.models import resnet
    except RuntimeError:
        for name in [n for n in sys.modules if n.startswith("torchvision")]:
            del sys.modules[name]
        library = torch.library.Library("torchvision", "DEF")
        for op in ("nms", "qnms"):
            library.define(f"{op}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        import_resnet.keep = library
        from torchvision.models import resnet
    return resnet


def main():
    folder = pathlib.Path(sys.argv[1])
    config = json.loads((folder / "config.json").read_text())
    labels, size, input_size, batch = (config[k] for k in ("labels", "size", "inputSize", "batch"))
    x = torch.from_numpy(np.fromfile(folder / "images.bin", np.uint8).reshape(-1, size, size))
    y = torch.from_numpy(np.fromfile(folder / "labels.bin", np.uint8).reshape(-1, labels)).float()
    order = torch.from_numpy(np.fromfile(folder / "order.bin", np.int32)).long()
    torch.set_num_threads(config["threads"])

    torch.manual_seed(config["seed"])
    if config["stem"] == "torchvision":
        model = import_resnet().resnet18(num_classes=labels)
    else:
        resnet = import_resnet()

        class CifarResNet(resnet.ResNet):
            """The network with conv1 3x3 stride 1 from the start, so that its draws come in construction order."""

            def __init__(self):
                conv2d = torch.nn.Conv2d

                def first(*args, **kwargs):
                    torch.nn.Conv2d = conv2d
                    return conv2d(3, 64, 3, stride=1, padding=1, bias=False)

                torch.nn.Conv2d = first
                super().__init__(resnet.BasicBlock, [2, 2, 2, 2], num_classes=labels)
                self.maxpool = torch.nn.Identity()

        model = CifarResNet()
    digest = {k: hashlib.sha256(v.contiguous().numpy().tobytes()).hexdigest() for k, v in model.state_dict().items()}
    (folder / "initial.json").write_text(json.dumps(digest))

    def prepare(index):
        z = (x[index].float() / 255 - 0.5) / 0.5
        z = z.unsqueeze(1).expand(-1, 3, -1, -1)
        if input_size != size:
            z = torch.nn.functional.interpolate(z, input_size, mode="nearest-exact")
        return z.contiguous(memory_format=torch.channels_last)

    def logits():
        model.eval()
        with torch.inference_mode():
            out = torch.cat([model(prepare(part)) for part in torch.arange(len(x)).split(batch)])
        model.train()
        return out.numpy()

    model = model.to(memory_format=torch.channels_last).train()
    criterion = torch.nn.BCEWithLogitsLoss()
    logits().tofile(folder / "logits.bin")

    kept = {k: v.clone() for k, v in model.state_dict().items()}
    criterion(model(prepare(order[:batch])), y[order[:batch]]).backward()
    flat = [p.grad.contiguous().flatten() for p in model.parameters()]
    torch.cat(flat).numpy().tofile(folder / "gradients.bin")
    model.zero_grad(set_to_none=True)
    model.load_state_dict(kept)

    exact = copy.deepcopy(model).to(torch.float64, memory_format=torch.contiguous_format)
    with open(folder / "exact.bin", "wb") as file:
        for start in range(0, config["exactBatches"] * batch, batch):
            index = order[start:start + config["exactBatch"]]
            exact.zero_grad()
            criterion(exact(prepare(index).double()), y[index].double()).backward()
            file.write(torch.cat([p.grad.flatten() for p in exact.parameters()]).float().numpy().tobytes())

    optimizer = getattr(torch.optim, config["optimizer"])(
        model.parameters(), lr=1e-3, weight_decay=config["weightDecay"], fused=True)
    losses = []
    for step in range(0, len(order), batch):
        index = order[step:step + batch]
        optimizer.zero_grad()
        loss = criterion(model(prepare(index)), y[index])
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    (folder / "losses.json").write_text(json.dumps(losses))
    logits().tofile(folder / "logits_trained.bin")
    torch.save(model.state_dict(), folder / "state.pth")


if __name__ == "__main__":
    main()
