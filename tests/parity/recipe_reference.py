"""PyTorch's side of recipe.test.ts: training with the elements of a recipe, in float64, by PyTorch's own functions.

Reads, for each folder named on the command line, config.json, images.bin [N, S, S, C] uint8, labels.bin [N, L] uint8,
order.bin int32, and those of geometry.bin [N, 6], intensity.bin [N, 2], shares.bin [N] (float32), erased.bin [N, 4] and
partners.bin [N] (int32) that exist. Writes losses.json, and state.pth, moments.pth and average.pth (after the steps, as
float32).
"""
import json
import pathlib
import sys

import numpy as np
import torch
import torch.nn.functional as F
from resnet_reference import make_model


def loss_of(config, logits, y):
    """Targets [B, L] from 0 to 1."""
    weights = torch.tensor(config["labelWeights"], dtype=torch.float64) if config["labelWeights"] else None
    smoothing, a, b, margin = (config[k] for k in ("smoothing", "positiveFocus", "negativeFocus", "margin"))
    if config["exclusive"]:
        if a == 0:
            return F.cross_entropy(logits, y, weight=weights, label_smoothing=smoothing)
        y = y * (1 - smoothing) + smoothing / y.shape[1]
        p = F.softmax(logits, 1)
        terms = -y * (1 - p) ** a * torch.log(p)
        return (terms * weights if weights is not None else terms).sum(1).mean()
    y = y * (1 - smoothing) + smoothing / 2
    if a == 0 and b == 0:
        return F.binary_cross_entropy_with_logits(logits, y, pos_weight=weights)
    if a == b and margin == 0 and weights is None and bool(((y == 0) | (y == 1)).all()):
        import_ops()
        from torchvision.ops import sigmoid_focal_loss

        return sigmoid_focal_loss(logits, y, alpha=-1, gamma=a, reduction="mean")
    p = torch.sigmoid(logits)
    q = torch.clamp(p - margin, min=0)
    positive = y * (1 - p) ** a * torch.log(p) * (1 if weights is None else weights)
    return -(positive + (1 - y) * q**b * torch.log(1 - q)).mean()


def import_ops():
    """As import_resnet: the focal loss needs none of torchvision's compiled operators."""
    from resnet_reference import import_resnet

    import_resnet()


def run(folder):
    config = json.loads((folder / "config.json").read_text())
    labels, size, side, channels = (config[k] for k in ("labels", "size", "inputSize", "channels"))
    torch.set_num_threads(1)

    def rows(name, dtype, width):
        file = folder / f"{name}.bin"
        return torch.from_numpy(np.fromfile(file, dtype).reshape(-1, width)) if file.exists() else None

    x = torch.from_numpy(np.fromfile(folder / "images.bin", np.uint8).reshape(-1, size, size, channels))
    y = rows("labels", np.uint8, labels).double()
    order = torch.from_numpy(np.fromfile(folder / "order.bin", np.int32)).long()
    geometry, intensity = rows("geometry", np.float32, 6), rows("intensity", np.float32, 2)
    erased, partners, shares = rows("erased", np.int32, 4), rows("partners", np.int32, 1), rows("shares", np.float32, 1)

    def own(index):
        z = ((x[index].double() / 255 - 0.5) / 0.5).permute(0, 3, 1, 2)
        if side != size:
            z = F.interpolate(z, side, mode="nearest-exact")
        if geometry is not None:
            grid = F.affine_grid(geometry[index].double().view(-1, 2, 3), z.shape, align_corners=False)
            z = F.grid_sample(z, grid, mode="bilinear", padding_mode="border", align_corners=False)
        if intensity is not None:
            gain, offset = intensity[index].double().view(-1, 2, 1, 1, 1).unbind(1)
            z = (z * gain + offset).clamp(-1, 1)
        if erased is not None:
            for image, (top, left, bottom, right) in zip(z, erased[index].tolist()):
                image[:, top:bottom, left:right] = 0
        return z

    def batch(index):
        z, targets = own(index), y[index]
        if partners is not None:
            others, share = partners[index].view(-1).long(), shares[index].double()
            z = z * share.view(-1, 1, 1, 1) + own(others) * (1 - share.view(-1, 1, 1, 1))
            targets = targets * share + y[others] * (1 - share)
        return z, targets

    model = make_model(config).double().train()
    average = {k: v.clone() for k, v in model.state_dict().items()}
    decayed = [p for p in model.parameters() if p.dim() > 1 or config["decayNorms"]]
    rest = [p for p in model.parameters() if p.dim() == 1 and not config["decayNorms"]]
    groups = [{"params": decayed, "weight_decay": config["weightDecay"]}, {"params": rest, "weight_decay": 0}]
    optimizer = getattr(torch.optim, config["optimizer"])([g for g in groups if g["params"]], lr=1, foreach=False)
    losses = []
    for step, index in enumerate(order.split(config["batch"])):
        images, targets = batch(index)
        for group in optimizer.param_groups:
            group["lr"] = config["rates"][step]
        optimizer.zero_grad()
        loss = loss_of(config, model(images.expand(-1, 3, -1, -1)), targets)
        loss.backward()
        if config["clip"]:
            torch.nn.utils.clip_grad_norm_(model.parameters(), config["clip"])
        optimizer.step()
        losses.append(loss.item())
        k = step + 1
        decay = min(config["averageDecay"], (1 + k) / (10 + k))
        for name, value in model.state_dict().items():
            if value.is_floating_point():
                average[name] = decay * average[name] + (1 - decay) * value
            else:
                average[name] = value.clone()
    (folder / "losses.json").write_text(json.dumps(losses))

    def save(name, entries):
        torch.save({k: v.float() if v.is_floating_point() else v for k, v in entries.items()}, folder / name)

    moments = {"step": torch.tensor(float(len(losses)))}
    for name, parameter in model.named_parameters():
        for kind in ("exp_avg", "exp_avg_sq"):
            moments[f"{kind}.{name}"] = optimizer.state[parameter][kind]
    save("state.pth", model.state_dict())
    save("average.pth", average)
    save("moments.pth", moments)


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        run(pathlib.Path(argument))
