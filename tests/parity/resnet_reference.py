"""PyTorch's side of resnet.test.ts: the same networks, images, labels and orders, on the same machine, in one process.

Reads, for each folder named on the command line, config.json, images.bin [N, S, S, C] uint8, labels.bin [N, L] uint8 and
order.bin int32, and writes what float64 gives: logits.bin (evaluation mode), gradients.bin (of the first batch, in
parameters() order, as float32), losses.json (of the steps of order.bin), state.pth and moments.pth (after them, as
float32), logits_trained.bin (of that state). initial.json has the SHA-256 of every entry of the initial state dict.
rounding.json says how far PyTorch's own float32 is from float64: the logits, and some more steps that each start from
one state; distances are those of tests/support/rounding.ts.
"""
import copy
import hashlib
import json
import pathlib
import re
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


def with_attention(model, labels):
    """Gives a torchvision resnet18 the attention head: queries of zero, one per label, over the positions of layer4."""

    def attend(self, x):
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x)))).flatten(2).transpose(1, 2)  # [B, P, 512]
        shares = torch.softmax(self.query(x) / x.shape[2] ** 0.5, 1)  # [B, P, L]
        return (shares * torch.nn.functional.linear(x, self.fc.weight)).sum(1) + self.fc.bias

    model.query = torch.nn.Linear(512, labels, bias=False)
    torch.nn.init.zeros_(model.query.weight)
    # By class: a copy of the model keeps it.
    model.__class__ = type("AttentionResNet", (type(model),), {"forward": attend})
    return model


def make_model(config):
    """The seeded network with its head."""
    model = make_backbone(config)
    return with_attention(model, config["labels"]) if config["head"] == "attention" else model


def make_backbone(config):
    """torchvision's; for the CIFAR stem conv1 is 3x3 from the start, so that its draws come in construction order."""
    resnet = import_resnet()
    torch.manual_seed(config["seed"])
    if config["stem"] == "torchvision":
        return resnet.resnet18(num_classes=config["labels"])
    conv2d = torch.nn.Conv2d

    def first(*args, **kwargs):
        torch.nn.Conv2d = conv2d
        return conv2d(3, 64, 3, stride=1, padding=1, bias=False)

    torch.nn.Conv2d = first
    model = resnet.ResNet(resnet.BasicBlock, [2, 2, 2, 2], num_classes=config["labels"])
    model.maxpool = torch.nn.Identity()
    return model


class Side:
    """A network with its optimizer in one precision, as the plain execution has it: channels_last, fused Adam."""

    def __init__(self, config, model, dtype):
        self.config, self.dtype = config, dtype
        self.model = copy.deepcopy(model).to(dtype, memory_format=torch.channels_last).train()
        # In float64 Adam by its plain formula.
        how = {"fused": True} if dtype == torch.float32 else {"foreach": False}
        optimizer = getattr(torch.optim, config["optimizer"])
        self.optimizer = optimizer(self.model.parameters(), lr=1e-3, weight_decay=config["weightDecay"], **how)

    def input(self, x):
        z = ((x.to(self.dtype) / 255 - 0.5) / 0.5).permute(0, 3, 1, 2).expand(-1, 3, -1, -1)
        if self.config["inputSize"] != self.config["size"]:
            z = torch.nn.functional.interpolate(z, self.config["inputSize"], mode="nearest-exact")
        return z.contiguous(memory_format=torch.channels_last)

    def logits(self, x):
        self.model.eval()
        with torch.inference_mode():
            out = torch.cat([self.model(self.input(part)) for part in x.split(self.config["batch"])])
        self.model.train()
        return out

    def backward(self, x, y):
        self.optimizer.zero_grad()
        logits = self.model(self.input(x))
        if self.config["exclusive"]:
            # By class numbers, as training scripts do it.
            loss = torch.nn.functional.cross_entropy(logits, y.argmax(1))
        else:
            loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, y.to(self.dtype))
        loss.backward()
        return loss.item()

    def step(self, x, y):
        loss = self.backward(x, y)
        self.optimizer.step()
        return loss

    def moments(self):
        entries = {}
        for name, parameter in self.model.named_parameters():
            state = self.optimizer.state[parameter]
            entries["step"] = state["step"].float()
            entries[f"exp_avg.{name}"] = state["exp_avg"].float().contiguous()
            entries[f"exp_avg_sq.{name}"] = state["exp_avg_sq"].float().contiguous()
        return entries

    def state(self):
        return {k: v.float() if v.is_floating_point() else v for k, v in self.model.state_dict().items()}

    def whole(self):
        """Copies of all that a step changes, as float32."""
        return {k: v.detach().clone() for k, v in {**self.state(), **self.moments()}.items()}

    def load(self, whole):
        self.model.load_state_dict({k: whole[k] for k in self.model.state_dict()})
        for name, parameter in self.model.named_parameters():
            state = self.optimizer.state[parameter]
            state["step"] = whole["step"].clone()
            for kind in ("exp_avg", "exp_avg_sq"):
                state[kind] = torch.empty_like(parameter).copy_(whole[f"{kind}.{name}"])


def squares(tensor):
    """Their sum in float64, without a copy in float64."""
    return torch.linalg.vector_norm(tensor, dtype=torch.float64).square()


def distance(values, exact, before=None):
    """As distance() of rounding.ts; of float32 values. The difference of two close ones is exact in float32."""
    exact = exact.float()
    change = squares(exact if before is None else exact - before)
    square = squares(values - exact) + 2.0 ** -48 * squares(exact)
    if change == 0:
        return 0.0 if torch.equal(values, exact) else float("inf")
    return (square / change).sqrt().item()


def kind_of(name, rank):
    if re.search(r"running_(mean|var)$", name):
        return "running statistics"
    if name.startswith("exp_avg_sq."):
        return "second moments"
    what = "first moments" if name.startswith("exp_avg.") else "weights"
    return f"{what} of {'convolutions' if rank == 4 else 'fc' if rank == 2 else 'norms'}"


def furthest(values, exact, before):
    result = {}
    for name, tensor in exact.items():
        if name == "step" or not tensor.is_floating_point():
            continue
        kind = kind_of(name, tensor.dim())
        result[kind] = max(result.get(kind, 0.0), distance(values[name], tensor, before[name]))
    return result


def run(folder):
    config = json.loads((folder / "config.json").read_text())
    labels, size, batch = (config[k] for k in ("labels", "size", "batch"))
    x = torch.from_numpy(np.fromfile(folder / "images.bin", np.uint8).reshape(-1, size, size, config["channels"]))
    y = torch.from_numpy(np.fromfile(folder / "labels.bin", np.uint8).reshape(-1, labels))
    order = torch.from_numpy(np.fromfile(folder / "order.bin", np.int32)).long()
    torch.set_num_threads(config["threads"])

    def write(name, tensor, dtype):
        tensor.detach().to(dtype).contiguous().numpy().tofile(folder / name)

    model = make_model(config)
    digest = {k: hashlib.sha256(v.contiguous().numpy().tobytes()).hexdigest() for k, v in model.state_dict().items()}
    (folder / "initial.json").write_text(json.dumps(digest))

    single, exact = Side(config, model, torch.float32), Side(config, model, torch.float64)
    rounding = {"logits": [], "losses": [], "steps": []}

    def compare_logits(name):
        logits = exact.logits(x)
        write(name, logits, torch.float64)
        rounding["logits"].append(distance(single.logits(x), logits))

    compare_logits("logits.bin")
    kept = copy.deepcopy(exact.model.state_dict())
    exact.backward(x[order[:batch]], y[order[:batch]])
    write("gradients.bin", torch.cat([p.grad.contiguous().flatten() for p in exact.model.parameters()]), torch.float32)
    exact.model.load_state_dict(kept)

    losses = [exact.step(x[index], y[index]) for index in order.split(batch)]
    (folder / "losses.json").write_text(json.dumps(losses))
    torch.save(exact.state(), folder / "state.pth")
    torch.save(exact.moments(), folder / "moments.pth")

    before = exact.whole()
    for side in (single, exact):
        side.load(before)
    compare_logits("logits_trained.bin")
    for index in order.split(batch)[: config["compared"]]:
        part = index[: config["few"]]
        for side in (single, exact):
            side.load(before)
        rounding["losses"].append([side.step(x[part], y[part]) for side in (single, exact)])
        after = exact.whole()
        rounding["steps"].append(furthest(single.whole(), after, before))
        before = after
    (folder / "rounding.json").write_text(json.dumps(rounding))


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        run(pathlib.Path(argument))
