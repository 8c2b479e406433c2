#!/usr/bin/env python3
"""Writes tests/fixtures/data: .npz files made by NumPy itself, and what they hold as JSON. Deterministic."""
import io
import json
import pathlib
import zipfile

import numpy as np

OUT = pathlib.Path(__file__).resolve().parent.parent / "fixtures" / "data"
DATE = (1980, 1, 1, 0, 0, 0)


def save(name, arrays, compress=False, version=None):
    """As numpy.savez, with constant times so that the bytes do not change."""
    with zipfile.ZipFile(OUT / name, "w") as archive:
        for key, array in arrays.items():
            buffer = io.BytesIO()
            np.lib.format.write_array(buffer, np.asanyarray(array), version=version, allow_pickle=True)
            entry = zipfile.ZipInfo(f"{key}.npy", DATE)
            entry.compress_type = zipfile.ZIP_DEFLATED if compress else zipfile.ZIP_STORED
            archive.writestr(entry, buffer.getvalue())


def every_dtype():
    values = np.arange(-3, 9).reshape(3, 4)
    arrays = {kind: np.abs(values).astype(kind) if kind[0] == "u" else values.astype(kind)
              for kind in ("u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8")}
    arrays["b1"] = values % 2 == 0
    arrays["f4"] = (values / 7).astype("f4")
    arrays["f8"] = values / 7
    arrays["scalar"] = np.float64(2.5)
    arrays["empty"] = np.zeros((0, 3), "f4")
    arrays["vector_fortran"] = np.asfortranarray(np.arange(5, dtype="u1").reshape(1, 5))
    arrays["large_i8"] = np.array([2**53 - 1, -(2**53) + 1, 2**40 + 1])
    return arrays


def data_set(rng, dtype="u1", **replaced):
    arrays = {}
    for split, count in (("train", 5), ("val", 3), ("test", 4)):
        arrays[f"{split}_images"] = rng.integers(0, 256, (count, 28, 28), dtype="u1")
        arrays[f"{split}_labels"] = rng.integers(0, 2, (count, 14)).astype(dtype)
    return {**arrays, **replaced}


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    arrays = every_dtype()
    save("dtypes.npz", arrays)
    save("dtypes_deflated.npz", arrays, compress=True)
    for major in (2, 3):
        save(f"version_{major}.npz", {"a": np.arange(6, dtype="f4").reshape(2, 3)}, version=(major, 0))
    content = {key: {"dtype": array.dtype.str, "shape": list(array.shape), "values": array.ravel().tolist()}
               for key, array in ((key, np.asarray(array)) for key, array in arrays.items())}
    (OUT / "dtypes.json").write_text(json.dumps(content) + "\n")

    save("set.npz", data_set(rng), compress=True)
    save("set_bool.npz", data_set(rng, "?"), compress=True)
    save("set_int64.npz", data_set(rng, "i8"), compress=True)
    fortran = np.asfortranarray(rng.integers(0, 256, (5, 28, 28), dtype="u1"))
    save("set_fortran.npz", data_set(rng, train_images=fortran), compress=True)
    save("set_float.npz", data_set(rng, train_images=rng.random((5, 28, 28), "f4")), compress=True)
    save("set_object.npz", data_set(rng, train_labels=np.array([[1, None]] * 5, dtype=object)), compress=True)
    save("set_big_endian.npz", data_set(rng, train_labels=np.ones((5, 14), ">i4")), compress=True)
    save("set_structured.npz", data_set(rng, train_labels=np.zeros(5, [("a", "u1"), ("b", "u1")])), compress=True)
    save("set_text.npz", data_set(rng, train_labels=np.full((5, 14), "1")), compress=True)


if __name__ == "__main__":
    main()
