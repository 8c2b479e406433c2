/** What the tests of weights against the live Python share: a random resnet18 there, and digests on both sides. */
import { createHash } from 'node:crypto';
import type { StateDict } from '../../src/engine/contract';

/** torchvision without its compiled operators, a resnet18 with every entry random, and digests of a state dict. */
export const PRELUDE = `
import hashlib, json, sys, torch
try:
    import torchvision
except RuntimeError:
    for name in [n for n in sys.modules if n.startswith("torchvision")]:
        del sys.modules[name]
    library = torch.library.Library("torchvision", "DEF")
    for operator in ("nms", "qnms"):
        library.define(operator + "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    import torchvision

def resnet18(stem, label_count):
    model = torchvision.models.resnet18(num_classes=label_count)
    if stem == "cifar":
        model.conv1 = torch.nn.Conv2d(3, 64, 3, 1, 1, bias=False)
        model.maxpool = torch.nn.Identity()
    return model.eval()

def random_resnet18(stem, label_count):
    torch.manual_seed(7)
    model = resnet18(stem, label_count)
    for name, value in model.state_dict().items():
        if value.dtype == torch.int64: value.fill_(2 ** 40 + 1)
        elif "running_var" in name or "bn" in name and "weight" in name: value.uniform_(0.5, 1.5)
        elif value.dim() == 1: value.uniform_(-0.2, 0.2)
    return model

def digests(state):
    return [[k, "I64" if v.dtype == torch.int64 else "F32", list(v.shape),
             hashlib.sha256(v.detach().contiguous().numpy().tobytes()).hexdigest()] for k, v in state.items()]
`;

export const digests = (state: StateDict) =>
  state.map(({ name, dtype, shape, data }) => {
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    return [name, dtype, [...shape], createHash('sha256').update(bytes).digest('hex')];
  });
