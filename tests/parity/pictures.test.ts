/**
 * Pictures and their resizing beside Pillow, in whose bicubic ChestMNIST was made: the same bytes. The sizes go up and down,
 * odd and not square.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { decode } from '../../src/data/pictures/decode';
import { prepare } from '../../src/data/pictures/prepare';
import { resize } from '../../src/data/pictures/resize';
import { describeWithPython, runReference } from '../support/reference';

let folder: string;
beforeAll(() => (folder = mkdtempSync(path.join(os.tmpdir(), 'pictures-'))));
afterAll(() => rmSync(folder, { recursive: true }));

/** Writes files of every kind, and prints what Pillow reads from each. */
const FILES = `
import json, sys, os
import numpy as np
from PIL import Image, ImageCms, ImageOps
folder = sys.argv[1]
at = lambda name: os.path.join(folder, name)
rng = np.random.default_rng(1)
gray = (np.add.outer(np.arange(61) * 3, np.arange(83) * 2) + rng.integers(0, 30, (61, 83))) % 256
gray = gray.astype("u1")
g = Image.fromarray(gray)
rgb = Image.fromarray(np.stack([gray, 255 - gray, np.roll(gray, 9, 1)], -1))
alpha = Image.fromarray(np.roll(gray, 5, 0))
rgba = rgb.copy(); rgba.putalpha(alpha)
la = Image.merge("LA", (g, alpha))
clear = rgb.quantize(30); clear.info["transparency"] = 3
exif = lambda n: (lambda e: (e.__setitem__(0x112, n), e)[1])(Image.Exif()).tobytes()
# A colour profile in which red and green have changed places.
profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
profile = profile.replace(b"rXYZ", b"----").replace(b"gXYZ", b"rXYZ").replace(b"----", b"gXYZ")
save = {
  "profile.png": (rgb, {"icc_profile": profile}), "profile.jpg": (rgb, {"icc_profile": profile}),
  "gray.png": (g, {}), "one-bit.png": (g.convert("1"), {}), "rgb.png": (rgb, {}), "rgba.png": (rgba, {}), "la.png": (la, {}),
  "palette.png": (rgb.quantize(200), {}), "palette-4-bit.png": (rgb.quantize(16), {"bits": 4}), "palette-2-bit.png": (rgb.quantize(4), {"bits": 2}),
  "palette-clear.png": (clear, {"transparency": 3}),
  "gray.jpg": (g, {"quality": 90}), "rgb.jpg": (rgb, {"quality": 90}), "progressive.jpg": (rgb, {"progressive": True}),
  "444.jpg": (rgb, {"subsampling": 0}), "no-transform.jpg": (rgb, {"keep_rgb": True}), "cmyk.jpg": (rgb.convert("CMYK"), {}),
  **{f"exif-{n}.jpg": (g, {"exif": exif(n)}) for n in range(1, 9)},
  "gray.tif": (g, {}), "lzw.tif": (rgb, {"compression": "tiff_lzw"}), "deflate.tif": (rgba, {"compression": "tiff_adobe_deflate"}),
  "cmyk.tif": (rgb.convert("CMYK"), {}), "one-bit.tif": (g.convert("1"), {}), "palette.tif": (rgb.quantize(200), {}),
  "jpeg.tif": (g, {"compression": "jpeg"}),
  "lossless.webp": (rgb, {"lossless": True}), "lossy.webp": (rgb, {}), "alpha.webp": (rgba, {"lossless": True, "exact": True}),
}
answer = {}
for name, (image, options) in save.items():
    image.save(at(name), **options)
    read = ImageOps.exif_transpose(Image.open(at(name))).convert("L")
    side = min(read.size); left, top = (read.width - side) // 2, (read.height - side) // 2
    small = read.crop((left, top, left + side, top + side)).resize((28, 28), Image.BICUBIC)
    answer[name] = [read.width, read.height, np.asarray(read).ravel().tolist(), np.asarray(small).ravel().tolist()]
for name, wide in {"16.png": gray.astype("u2") * 257, "12.png": gray.astype("u2") * 16, "16.tif": gray.astype("u2") * 257}.items():
    Image.fromarray(wide).save(at(name))
    answer[name] = [83, 61, wide.ravel().tolist(), None]
print(json.dumps(answer))
`;

// prettier-ignore
const SIZES: [from: [number, number], to: [number, number]][] = [
  [[1024, 1024], [28, 28]],
  [[1024, 1024], [224, 224]],
  [[101, 67], [28, 28]],
  [[67, 101], [64, 128]],
  [[28, 28], [28, 28]],
  [[28, 28], [27, 29]],
  [[13, 17], [224, 224]],
  [[1, 1], [28, 28]],
  [[1, 300], [28, 28]],
  [[2, 3], [5, 7]],
  [[299, 301], [300, 300]],
  [[2500, 2048], [28, 28]],
  [[57, 28], [28, 28]],
];

describeWithPython('as Pillow', () => {
  test('every kind of file: size, orientation, gray values, and the square of 28', async () => {
    type Theirs = Record<string, [number, number, number[], number[] | null]>;
    const theirs = (await runReference(FILES, folder)) as Theirs;
    const different: string[] = [];
    for (const [name, [width, height, values, small]] of Object.entries(theirs)) {
      const picture = await decode(path.join(folder, name));
      expect([name, picture.width, picture.height]).toEqual([name, width, height]);
      if (small === null) {
        expect([...picture.samples]).toEqual(values);
        continue;
      }
      const { samples, channels } = picture;
      const gray = channels === 1 ? samples : grayOf(samples);
      const { pixels } = prepare(picture, { size: 28, fit: 'crop', channels: 1 });
      if (values.some((value, i) => value !== gray[i]) || small.some((value, i) => value !== pixels[i])) {
        const worst = Math.max(...small.map((value, i) => Math.abs(value - pixels[i])));
        different.push(`${name} by ${Math.max(...values.map((value, i) => Math.abs(value - gray[i])))} and ${worst}`);
      }
    }
    expect(different).toEqual([]);
  });

  test.each(SIZES)('bicubic from %j to %j', async ([height, width], [toHeight, toWidth]) => {
    // Noise, and whole areas of black and white, where a cubic overshoots.
    const pixels = Uint8Array.from({ length: height * width }, (_, i) => {
      const noise = Math.imul(i + 1, 2654435761) >>> 24;
      return i % width < width / 2 ? noise : noise > 127 ? 255 : 0;
    });
    const source = path.join(folder, 'pixels.bin');
    writeFileSync(source, pixels);
    const program = `
import json, sys
import numpy as np
from PIL import Image
height, width, to_height, to_width = map(int, sys.argv[2:])
pixels = np.fromfile(sys.argv[1], "u1").reshape(height, width)
print(json.dumps(np.asarray(Image.fromarray(pixels).resize((to_width, to_height), Image.BICUBIC)).ravel().tolist()))`;
    const sizes = [height, width, toHeight, toWidth].map(String);
    const theirs = (await runReference(program, source, ...sizes)) as number[];
    expect([...resize(pixels, [height, width], [toHeight, toWidth])]).toEqual(theirs);
  });
});

const grayOf = (rgb: ArrayLike<number>): number[] =>
  Array.from(
    { length: rgb.length / 3 },
    (_, i) => (19595 * rgb[3 * i] + 38470 * rgb[3 * i + 1] + 7471 * rgb[3 * i + 2] + 0x8000) >> 16,
  );
