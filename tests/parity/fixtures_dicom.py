"""Writes tests/fixtures/dicom: one small radiograph in every transfer syntax, and in every form of gray and colour.

Needs dcmtk and gdcm (Debian: dcmtk, libgdcm-tools). The stored values in expected.json are those that these tools decode;
the gray values follow the formulas of PS3.3 C.11, and dcm2pnm has to agree with them within one level where it has the same
function. Nothing in the files is about a person.
"""
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent.parent / "fixtures" / "dicom"
EXPLICIT = "1.2.840.10008.1.2.1"
HEIGHT, WIDTH = 17, 23
LONG = {"OB", "OW", "SQ", "UN"}


def element(tag, vr, value):
    group, number = tag >> 16, tag & 0xFFFF
    if isinstance(value, str):
        value = value.encode()
    elif isinstance(value, (int, list)):
        code = "<i2" if vr == "SS" else "<u2"
        value = np.asarray(value).astype(code).tobytes()
    if len(value) % 2:
        value += b"\0" if vr in ("UI", "OB") else b" "
    head = group.to_bytes(2, "little") + number.to_bytes(2, "little") + vr.encode()
    size = b"\0\0" + len(value).to_bytes(4, "little") if vr in LONG else len(value).to_bytes(2, "little")
    return head + size + value


def sequence(*items):
    return b"".join(b"\xfe\xff\x00\xe0" + len(item).to_bytes(4, "little") + item for item in items)


def lut(descriptor, entries, signed=False):
    vr = "SS" if signed else "US"
    return sequence(element(0x00283002, vr, descriptor) + element(0x00283006, "OW", np.asarray(entries, "<u2").tobytes()))


def dicom(pixels, photometric="MONOCHROME2", stored=12, allocated=16, high=None, signed=0, more=(), samples=1, frames=None):
    meta = element(0x00020001, "OB", b"\0\1")
    meta += element(0x00020002, "UI", "1.2.840.10008.5.1.4.1.1.7") + element(0x00020003, "UI", "1.2.3.4")
    meta += element(0x00020010, "UI", EXPLICIT) + element(0x00020012, "UI", "1.2.3.5")
    elements = {
        0x00080016: ("UI", "1.2.840.10008.5.1.4.1.1.7"),
        0x00080018: ("UI", "1.2.3.4"),
        0x00080060: ("CS", "OT"),
        0x00100010: ("PN", "NOBODY^AT ALL"),
        0x00280002: ("US", samples),
        0x00280004: ("CS", photometric),
        0x00280010: ("US", HEIGHT),
        0x00280011: ("US", WIDTH),
        0x00280100: ("US", allocated),
        0x00280101: ("US", stored),
        0x00280102: ("US", stored - 1 if high is None else high),
        0x00280103: ("US", signed),
        0x7FE00010: ("OW" if allocated == 16 else "OB", pixels.tobytes()),
    }
    if frames:
        elements[0x00280008] = ("IS", str(frames))
    for tag, vr, value in more:
        elements[tag] = (vr, value)
    body = b"".join(element(tag, *elements[tag]) for tag in sorted(elements))
    size = element(0x00020000, "UL", len(meta).to_bytes(4, "little"))
    return bytes(128) + b"DICM" + size + meta + body


rng = np.random.default_rng(0)
ramp = np.add.outer(np.arange(HEIGHT) * 150, np.arange(WIDTH) * 60) + rng.integers(0, 100, (HEIGHT, WIDTH))
TWELVE = (ramp % 4096).astype("<u2")
EIGHT = (ramp // 16 % 256).astype("u1")
SIGNED = (TWELVE.astype("<i2") - 2000).astype("<i2")
RGB = np.stack([EIGHT, EIGHT.T.reshape(HEIGHT, WIDTH), 255 - EIGHT], -1)
WINDOW = [(0x00281050, "DS", "1500\\99"), (0x00281051, "DS", "2500\\9")]
expected = {}


def linear(x, c, w):
    return np.clip((x - (c - 0.5)) / (w - 1) + 0.5, 0, 1)


def gray(white):
    return np.floor(np.clip(white, 0, 1) * 255 + 0.5).astype(int)


def run(*command):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))}: {done.stderr or done.stdout}")


def keep(name, data, stored=None, values=None, check=None):
    """`check`: the options with which dcm2pnm has to agree."""
    path = HERE / f"{name}.dcm"
    if data is not None:
        path.write_bytes(data)
    if check is not None:
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "out.pgm"
            run("dcm2pnm", "-q", "+op", *check, path, out)
            theirs = np.frombuffer(out.read_bytes()[-values.size:], "u1").reshape(values.shape).astype(int)
            worst = np.abs(theirs - values).max()
            assert worst <= 1, f"{name}: dcm2pnm differs by {worst}"
    facts = {"stored": stored, "values": values}
    lists = {key: np.asarray(array).ravel().tolist() for key, array in facts.items() if array is not None}
    # What is as in the first one is said by its name.
    first = expected.get("explicit", {})
    expected[name] = {key: "explicit" if first.get(key) == values else values for key, values in lists.items()}


def pixels_of(path):
    """The cells that gdcm decodes: they are last in an uncompressed file."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "raw.dcm"
        run("gdcmconv", "--raw", path, out)
        return np.frombuffer(out.read_bytes()[-2 * HEIGHT * WIDTH:], "<u2").reshape(HEIGHT, WIDTH)


def syntaxes():
    source = HERE / "explicit.dcm"
    keep("explicit", dicom(TWELVE, more=WINDOW), TWELVE, gray(linear(TWELVE, 1500, 2500)), ["+Wi", "1"])
    convert = {
        "implicit": ["dcmconv", "+ti"],
        "big-endian": ["dcmconv", "+tb"],
        "deflated": ["dcmconv", "+td"],
        "no-preamble-explicit": ["dcmconv", "-F", "+te"],
        "no-preamble-implicit": ["dcmconv", "-F", "+ti"],
        "rle": ["dcmcrle", "+un"],
        "jpeg-extended": ["dcmcjpeg", "+ee", "+un", "+q", "80"],
        "jpeg-ls": ["dcmcjpls", "+el", "+un"],
        "jpeg-ls-near": ["dcmcjpls", "+en", "+un"],
        "jpeg-lossless-sv1": ["dcmcjpeg", "+e1", "+un"],
        "jpeg-2000": ["gdcmconv", "--j2k"],
    }
    for predictor in range(1, 8):
        convert[f"jpeg-lossless-{predictor}"] = ["dcmcjpeg", "+el", "+sv", predictor, "+un"]
    for name, command in convert.items():
        target = HERE / f"{name}.dcm"
        run(*command, source, target)
        lossy = name in ("jpeg-extended", "jpeg-ls-near")
        stored = pixels_of(target) if lossy else TWELVE
        assert lossy == bool((stored != TWELVE).any()), name
        keep(name, None, stored, None if lossy else gray(linear(TWELVE, 1500, 2500)))
    eight = HERE / "eight.dcm"
    keep("eight", dicom(EIGHT, stored=8, allocated=8), EIGHT, EIGHT.astype(int), [])
    baseline = HERE / "jpeg-baseline.dcm"
    run("dcmcjpeg", "+eb", "+un", "+q", "90", eight, baseline)
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "raw.dcm"
        run("dcmdjpeg", baseline, out)
        data = out.read_bytes()
        at = data.index(b"\xe0\x7f\x10\x00O") + 12
        keep("jpeg-baseline", None, np.frombuffer(data[at:at + EIGHT.size], "u1"))


def grays():
    x = TWELVE.astype(float)
    keep("mono1", dicom(TWELVE, "MONOCHROME1", more=WINDOW), TWELVE, gray(1 - linear(x, 1500, 2500)), ["+Wi", "1"])
    keep("no-window", dicom(TWELVE), TWELVE, gray(x / 4095), [])
    exact = WINDOW + [(0x00281056, "CS", "LINEAR_EXACT")]
    keep("linear-exact", dicom(TWELVE, more=exact), TWELVE, gray((x - 1500) / 2500 + 0.5))
    sigmoid = WINDOW + [(0x00281056, "CS", "SIGMOID")]
    white = 1 / (1 + np.exp(-4 * (x - 1500) / 2500))
    keep("sigmoid", dicom(TWELVE, more=sigmoid), TWELVE, gray(white), ["+Wfs", "+Wi", "1"])
    rescale = [(0x00281052, "DS", "-100"), (0x00281053, "DS", "0.5"), (0x00281050, "DS", "-20"), (0x00281051, "DS", "700")]
    y = SIGNED * 0.5 - 100
    keep("signed", dicom(SIGNED, signed=1, more=rescale), SIGNED.view("<u2") & 4095, gray(linear(y, -20, 700)), ["+Wi", "1"])
    inverse = [(0x00281052, "DS", "4095"), (0x00281053, "DS", "-1")]
    keep("negative-slope", dicom(TWELVE, more=inverse), TWELVE, gray(1 - x / 4095), [])
    overlay = ((TWELVE << 2) | 0x8001).astype("<u2")
    keep("high-bit", dicom(overlay, high=13, more=WINDOW), TWELVE, gray(linear(x, 1500, 2500)), ["+Wi", "1"])
    curve = (np.sqrt(np.arange(1000) / 999) * 1023).astype(int)
    voi = [(0x00283010, "SQ", lut([1000, 500, 10], curve))]
    values = gray(curve[np.clip(TWELVE.astype(int) - 500, 0, 999)] / 1023)
    keep("voi-lut", dicom(TWELVE, more=WINDOW + voi), TWELVE, values, ["+Wl", "1"])
    # After the modality table, whose 8 bits are the whole range.
    down = 255 - np.arange(4096) // 16
    modality = [(0x00283000, "SQ", lut([4096, 0, 8], down))]
    keep("modality-lut", dicom(TWELVE, more=modality), TWELVE, gray(down[TWELVE] / 255), [])
    frames = np.stack([TWELVE, TWELVE[::-1], TWELVE[:, ::-1]])
    keep("frames", dicom(frames, frames=3, more=WINDOW), TWELVE, gray(linear(x, 1500, 2500)))
    for name, command in {"frames-rle": ["dcmcrle", "+un"], "frames-jpeg": ["dcmcjpeg", "+e1", "+un", "+fs", "1"]}.items():
        run(*command, HERE / "frames.dcm", HERE / f"{name}.dcm")
        keep(name, None, TWELVE, gray(linear(x, 1500, 2500)))


def colours():
    keep("rgb", dicom(RGB, "RGB", 8, 8, samples=3, more=[(0x00280006, "US", 0)]), None, RGB.astype(int))
    planar = RGB.transpose(2, 0, 1).copy()
    keep("rgb-planar", dicom(planar, "RGB", 8, 8, samples=3, more=[(0x00280006, "US", 1)]), None, RGB.astype(int))
    run("dcmcrle", "+un", HERE / "rgb.dcm", HERE / "rgb-rle.dcm")
    keep("rgb-rle", None, None, RGB.astype(int))
    y, cb, cr = (RGB[..., i].astype(float) for i in range(3))
    ybr = np.stack([y + 1.402 * (cr - 128), y - 0.344136 * (cb - 128) - 0.714136 * (cr - 128), y + 1.772 * (cb - 128)], -1)
    values = np.clip(np.floor(ybr + 0.5), 0, 255).astype(int)
    keep("ybr", dicom(RGB, "YBR_FULL", 8, 8, samples=3, more=[(0x00280006, "US", 0)]), None, values)
    tables = [rng.integers(0, 65536, 256).astype("<u2") for _ in range(3)]
    more = [(0x00281101 + i, "US", [256, 0, 16]) for i in range(3)]
    more += [(0x00281201 + i, "OW", table.tobytes()) for i, table in enumerate(tables)]
    values = np.stack([(table >> 8)[EIGHT] for table in tables], -1).astype(int)
    keep("palette", dicom(EIGHT, "PALETTE COLOR", 8, 8, more=more), None, values)


HERE.mkdir(parents=True, exist_ok=True)
syntaxes()
grays()
colours()
text = ",\n".join(f'  "{name}": {json.dumps(facts)}' for name, facts in expected.items())
(HERE / "expected.json").write_text(f'{{\n{text}\n}}\n')
