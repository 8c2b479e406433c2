"""Writes the small weight files in tests/fixtures/weights that the unit tests read.

Run it with the reference Python (torch, numpy, safetensors):  .venv-reference/bin/python tests/parity/fixtures_weights.py
expected.json has the values that torch reads back from them.
"""

import argparse
import collections
import json
import os
import pathlib
import tarfile

import numpy
import torch
from safetensors.torch import save_file

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "fixtures" / "weights"


def views():
    """Float tensors in every layout a state dict may hold: views, transposes, strides, shared storages, empty, scalar."""
    torch.manual_seed(0)
    base = torch.randn(4, 6)
    image = torch.randn(2, 3, 4, 5)
    shared = torch.arange(24, dtype=torch.float32)
    return collections.OrderedDict(
        contiguous=base.clone(),
        transposed=base.clone().t(),
        rows=base[1:3],
        columns=base[:, 1:5:2],
        corner=base[2:, 3:],
        channels_last=image.contiguous(memory_format=torch.channels_last),
        permuted=image.permute(3, 0, 2, 1),
        shared_head=shared[:10],
        shared_tail=shared[10:].view(2, 7),
        scalar=torch.tensor(-0.0),
        empty=torch.empty(0, 3),
        special=torch.tensor([float("nan"), float("inf"), float("-inf"), 1e-45, 3.4028235e38]),
        counter=torch.tensor(2**53 + 1),
        counters=torch.tensor([-(2**63), -1, 0, 2**63 - 1]),
        parameter=torch.nn.Parameter(base.clone()),
    )


def dtypes():
    """Every floating dtype that is read, including what halves can hold at their limits."""
    halves = torch.tensor([0.0, -0.0, 1.0, -2.5, 6.1e-5, 6e-8, 65504.0, float("inf"), float("-inf"), float("nan"), 1 / 3])
    return collections.OrderedDict(
        f16=halves.half(),
        bf16=halves.bfloat16(),
        f64=torch.tensor([1 / 3, 1e300, -1e-300, 0.1], dtype=torch.float64),
        f32=halves.clone(),
        i64=torch.tensor([7]),
    )


def expected(state):
    """Values as JSON: floats by their float32 bits, integers as text, so that nothing is rounded on the way."""
    entries = []
    for name, tensor in state.items():
        tensor = tensor.detach()
        if tensor.dtype == torch.int64:
            values = [str(value) for value in tensor.reshape(-1).tolist()]
            entries.append({"name": name, "dtype": "I64", "shape": list(tensor.shape), "values": values})
        else:
            bits = tensor.float().contiguous().view(torch.int32).reshape(-1).tolist()
            entries.append({"name": name, "dtype": "F32", "shape": list(tensor.shape), "bits": bits})
    return entries


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    state = views()
    torch.save(state, FOLDER / "views.pth")
    torch.save(dtypes(), FOLDER / "dtypes.pth")
    # contiguous clones: safetensors stores neither shared storages nor strides
    save_file({k: v.detach().contiguous().clone() for k, v in state.items()}, FOLDER / "views.safetensors", {"format": "pt", "by": "python"})
    save_file(dict(dtypes()), FOLDER / "dtypes.safetensors")

    small = {"fc.weight": torch.arange(6.0).reshape(2, 3), "fc.bias": torch.zeros(2)}
    prefixed = collections.OrderedDict((f"module.{k}", v) for k, v in small.items())
    optimizer = {"state": {0: {"step": torch.tensor(1.0), "exp_avg": torch.ones(2, 3)}}, "param_groups": [{"lr": 0.1, "params": [0, 1]}]}
    torch.save({"epoch": 3, "best": 0.5, "state_dict": prefixed, "optimizer": optimizer}, FOLDER / "wrapped.pth")
    torch.save({"net": small}, FOLDER / "medmnist.pth")
    torch.save(torch.nn.Linear(3, 2).state_dict(), FOLDER / "metadata.pth")

    # Older layouts, newer pickles, and plain objects beside the weights.
    torch.save({"x": torch.ones(3), "note": "text"}, FOLDER / "mixed.pth")
    torch.save(small, FOLDER / "legacy.pth", _use_new_zipfile_serialization=False)
    torch.save(small, FOLDER / "protocol4.pth", pickle_protocol=4)
    beside = {"args": argparse.Namespace(lr=0.1), "best": numpy.float64(0.5), "at": pathlib.PurePosixPath("a"), "sizes": torch.Size([1])}
    torch.save({"model": small, "labels": {"a", "b"}, "counts": collections.Counter("aab"), **beside}, FOLDER / "objects.pth")

    # What must be refused.
    torch.save(torch.nn.Linear(3, 2), FOLDER / "refused-module.pth")
    torch.save({"x": torch.ones(1).expand(1000)}, FOLDER / "refused-expanded.pth")
    torch.save({"x": torch.ones(3, dtype=torch.int32)}, FOLDER / "refused-int32.pth")
    torch.save([torch.ones(3)], FOLDER / "refused-list.pth")
    with tarfile.open(FOLDER / "refused-tar.pth", "w") as tar:
        tar.add(FOLDER / "medmnist.pth", "pickle", filter=lambda info: (setattr(info, "mtime", 0), info)[1])

    class Evil:
        def __reduce__(self):
            return os.system, ("echo executed > executed.txt",)

    torch.save({"x": Evil()}, FOLDER / "refused-evil.pth")

    # What torch itself reads back.
    (FOLDER / "expected.json").write_text(
        json.dumps({"views": expected(torch.load(FOLDER / "views.pth", weights_only=True)), "dtypes": expected(dtypes())})
    )


if __name__ == "__main__":
    main()
