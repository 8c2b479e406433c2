"""A folder of images and a table of their labels as a data set for `chestmnist train --data my.npz`.

The table is a CSV file: file,patient,then one column of 0 and 1 for each label. Images of one patient stay in one split.
"""
import csv, hashlib, sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

table, folder, out = sys.argv[1:4]
SIZE = 28  # even, at least 28
splits = {name: ([], []) for name in ("train", "val", "test")}

with open(table, newline="") as file:
    rows = csv.reader(file)
    names = next(rows)[2:]
    for image, patient, *labels in rows:
        # A hash of the patient, so that the split does not change when rows are added: 70 %, 10 %, 20 %.
        share = int(hashlib.sha256(patient.encode()).hexdigest(), 16) % 100
        images, truth = splits["train" if share < 70 else "val" if share < 80 else "test"]
        gray = ImageOps.fit(Image.open(Path(folder) / image).convert("L"), (SIZE, SIZE), Image.Resampling.BOX)
        images.append(np.asarray(gray, np.uint8))
        truth.append([int(label) for label in labels])

arrays = {}
for name, (images, truth) in splits.items():
    arrays[f"{name}_images"] = np.stack(images)  # [N, SIZE, SIZE] uint8
    arrays[f"{name}_labels"] = np.array(truth, np.uint8)  # [N, L]
np.savez_compressed(out, **arrays)
print(f"{out}: {', '.join(names)}; " + ", ".join(f"{len(i)} {name}" for name, (i, _) in splits.items()))
