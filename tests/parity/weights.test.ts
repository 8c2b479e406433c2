/**
 * Weights against the live Python: torch and safetensors read what we write and the other way round, bit for bit, and
 * onnxruntime computes torch's logits from our ONNX file.
 */
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { Stem } from '../../src/engine/contract';
import { fitHead, loadWeights, openWeights, recognise, saveWeights } from '../../src/weights';
import { resnet18State } from '../../src/weights/state';
import { exportWeights } from '../../src/weights/export';
import { rounded } from '../../src/weights/half';
import { describeWithPython, runReference, testWith } from '../support/reference';
import { FACTOR } from '../support/rounding';
import { digests, PRELUDE } from '../support/weights-python';

describeWithPython('weights and Python', () => {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'chestmnist-parity-weights-'));
  const at = (name: string) => path.join(folder, name);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const stems: Stem[] = ['torchvision', 'cifar'];
  let truth: Record<Stem, unknown[][]>;
  beforeAll(async () => {
    truth = (await runReference(
      `${PRELUDE}
truth = {}
for stem in ("torchvision", "cifar"):
    model = random_resnet18(stem, 14)
    truth[stem] = digests(model.state_dict())
    torch.save(model.state_dict(), f"{sys.argv[1]}/{stem}.pth")
    torch.save(torch.nn.DataParallel(model).state_dict(), f"{sys.argv[1]}/{stem}.parallel.pth")
print(json.dumps(truth))`,
      folder,
    )) as typeof truth;
  });

  it.each(stems)('names, dtypes and shapes of the %s stem are torchvision’s, in its order', (stem) => {
    const described = resnet18State(stem, 14).map(({ name, dtype, shape }) => [name, dtype, shape]);
    expect(described).toEqual(truth[stem].map((row) => row.slice(0, 3)));
  });

  it.each(stems)('a %s .pth of torch.save is read bit for bit', async (stem) => {
    expect(digests(await loadWeights(at(`${stem}.pth`)))).toEqual(truth[stem]);
    expect(digests(await loadWeights(at(`${stem}.parallel.pth`)))).toEqual(truth[stem]);
  });

  it('our .pth loads in torch with weights_only and strict, bit for bit, also mapped', async () => {
    for (const stem of stems) await saveWeights(at(`ours-${stem}.pth`), await loadWeights(at(`${stem}.pth`)));
    const read = await runReference(
      `${PRELUDE}
read = {}
for stem in ("torchvision", "cifar"):
    file = f"{sys.argv[1]}/ours-{stem}.pth"
    model = resnet18(stem, 14)
    model.load_state_dict(torch.load(file, weights_only=True), strict=True)
    read[stem] = digests(model.state_dict())
    mapped = torch.load(file, weights_only=True, mmap=True)
    assert digests(mapped) == read[stem]
    assert all(value.data_ptr() % 64 == 0 for value in mapped.values())
print(json.dumps(read))`,
      folder,
    );
    expect(read).toEqual(truth);
  });

  it('our .pth states its facts, where torch.load and load_state_dict pass over them and torch.save keeps them', async () => {
    const state = await loadWeights(at('cifar.pth'));
    const source = { state, task: null, channels: null, labels: ['ä', 'b'], imageSize: 28, inputSize: 56 };
    await exportWeights(source, { format: 'pth', output: at('stated.pth') });
    const read = await runReference(
      `${PRELUDE}
file = f"{sys.argv[1]}/stated.pth"
state = torch.load(file, weights_only=True)
model = resnet18("cifar", 14)
model.load_state_dict(state, strict=True)
assert list(state) == list(model.state_dict())
torch.nn.DataParallel(model).module.load_state_dict(state, strict=True)
torch.save({"state_dict": state}, f"{sys.argv[1]}/kept.pth")
torch.save(state, f"{sys.argv[1]}/kept-legacy.pth", _use_new_zipfile_serialization=False)
print(json.dumps([digests(model.state_dict()), state._metadata[""]["chestmnist"]]))`,
      folder,
    );
    const facts = { stem: 'cifar', labels: '["ä","b"]', image_size: '28', input_size: '56' };
    expect(read).toEqual([truth.cifar, facts]);
    for (const name of ['stated.pth', 'kept.pth', 'kept-legacy.pth'])
      expect((await openWeights(at(name))).metadata).toEqual(facts);
  });

  testWith('safetensors')('our .safetensors loads in Python with strict, bit for bit', async () => {
    for (const stem of stems) {
      await saveWeights(at(`ours-${stem}.safetensors`), await loadWeights(at(`${stem}.pth`)), { labels: '[]' });
    }
    const read = await runReference(
      `${PRELUDE}
from safetensors import safe_open
from safetensors.torch import load_file
read = {}
for stem in ("torchvision", "cifar"):
    file = f"{sys.argv[1]}/ours-{stem}.safetensors"
    model = resnet18(stem, 14)
    model.load_state_dict(load_file(file), strict=True)
    read[stem] = digests(model.state_dict())
    with safe_open(file, "pt") as opened: assert opened.metadata() == {"format": "pt", "labels": "[]"}
print(json.dumps(read))`,
      folder,
    );
    expect(read).toEqual(truth);
  });

  testWith('safetensors')('a .safetensors of Python is read bit for bit', async () => {
    await runReference(
      `${PRELUDE}
from safetensors.torch import save_file
save_file(random_resnet18("cifar", 14).state_dict(), sys.argv[1], {"format": "pt"})
print("0")`,
      at('python.safetensors'),
    );
    const { stem, labelCount, state } = recognise(await loadWeights(at('python.safetensors')));
    expect({ stem, labelCount }).toEqual({ stem: 'cifar', labelCount: 14 });
    expect(digests(state)).toEqual(truth.cifar);
  });

  it('weights like torchvision’s published file (1000 labels, parameters, no counters) fit 14 labels', async () => {
    const published = (await runReference(
      `${PRELUDE}
import collections
model = random_resnet18("torchvision", 1000)
state = collections.OrderedDict((k, v) for k, v in model.state_dict(keep_vars=True).items() if "num_batches" not in k)
torch.save(state, sys.argv[1])
print(json.dumps(digests(state)))`,
      at('published.pth'),
    )) as [string, ...unknown[]][];
    const fresh = await loadWeights(at('torchvision.pth'));
    const { state, notes } = fitHead(await loadWeights(at('published.pth')), fresh);
    expect(notes).toHaveLength(2);
    const backbone = digests(state).filter(([name]) =>
      published.some(([other]) => other === name && !other.startsWith('fc.')),
    );
    expect(backbone).toEqual(published.filter(([name]) => !name.startsWith('fc.')));
    const head = (rows: unknown[][]) => rows.filter(([name]) => String(name).startsWith('fc.'));
    expect(head(digests(state))).toEqual(head(digests(fresh)));
  });

  testWith('onnxruntime')(
    'our ONNX file gives torch’s logits, and maps that sum to them, either stem and head, with a fixed and a free input size',
    async () => {
      const labels = Array.from({ length: 14 }, (_, i) => `label ${i}`);
      const cases: { stem: Stem; head?: 'attention'; inputSize: number | null; side: number; file: string }[] = [
        { stem: 'torchvision', inputSize: 28, side: 28, file: at('a.onnx') },
        { stem: 'torchvision', inputSize: null, side: 64, file: at('b.onnx') },
        { stem: 'cifar', inputSize: 28, side: 28, file: at('c.onnx') },
        { stem: 'cifar', inputSize: null, side: 32, file: at('d.onnx') },
        { stem: 'torchvision', inputSize: 97, side: 97, file: at('e.onnx') },
        { stem: 'torchvision', head: 'attention', inputSize: null, side: 70, file: at('f.onnx') },
        { stem: 'cifar', head: 'attention', inputSize: 28, side: 28, file: at('g.onnx') },
      ];
      for (const { stem, head, inputSize, file } of cases) {
        const state = await loadWeights(at(`${stem}.pth`));
        // Queries as large as fc's weights: attention far from the average.
        const { shape, data } = state.find(({ name }) => name === 'fc.weight')!;
        if (head) state.push({ name: 'query.weight', dtype: 'F32', shape, data: (data as Float32Array).toReversed() });
        await exportWeights(
          { state, task: null, channels: null, labels, imageSize: 28, inputSize },
          { format: 'onnx', output: file },
        );
      }
      const reports = (await runReference(
        `${PRELUDE}
import onnxruntime
sys.path.append(sys.argv[2])
from resnet_reference import with_attention
def network(case):
    model = random_resnet18(case["stem"], 14)
    if "head" in case:
        query = model.fc.weight.flatten().flip(0).reshape(14, 512)
        with_attention(model, 14).query.weight.data.copy_(query)
    return model
reports = []
for case in json.loads(sys.argv[1]):
    session = onnxruntime.InferenceSession(case["file"], providers=["CPUExecutionProvider"])
    x = torch.rand(5, 3, case["side"], case["side"], generator=torch.Generator().manual_seed(1)) * 2 - 1
    with torch.inference_mode():
        single = network(case)(x)
        exact = network(case).double()(x.double())
    def distance(logits, of): return float((torch.as_tensor(logits) - of).norm() / of.norm())
    logits, = session.run(["logits"], {"input": x.numpy()})
    one = session.run(None, {"input": x[:1].numpy()})[0]
    source, target = session.get_inputs()[0], session.get_outputs()[0]
    maps = [output for output in session.get_outputs() if output.name == "evidence"]
    evidence = None
    if maps:
        model = random_resnet18(case["stem"], 14)
        values, = session.run(["evidence"], {"input": x.numpy()})
        # Of the map itself: the head at each place of layer4, in float64; by attention with the share of the place.
        layers = torch.nn.Sequential(*list(model.double().children())[:-2])
        with torch.inference_mode():
            features = layers(x.double())
            map64 = torch.einsum("nkhw,lk->nlhw", features, model.fc.weight)
            if "head" in case:
                query = model.fc.weight.flatten().flip(0).reshape(14, 512)
                scores = torch.einsum("nkhw,lk->nlhw", features, query).flatten(2) / 512 ** 0.5
                map64 *= (scores.softmax(-1) * scores.shape[-1]).reshape(map64.shape)
        sums = torch.as_tensor(values).double().mean((2, 3)) + model.fc.bias.detach()
        evidence = {"shape": maps[0].shape, "sum": float((sums - torch.as_tensor(logits)).abs().max()),
                    "distance": distance(values, map64)}
    reports.append({
        "torch": distance(single, exact),
        "distances": [distance(logits, exact), distance(one, exact[:1])],
        "spread": float(exact.std()),
        "input": [source.name, source.type, source.shape],
        "output": [target.name, target.type, target.shape],
        "evidence": evidence,
        "metadata": session.get_modelmeta().custom_metadata_map,
    })
print(json.dumps(reports))`,
        JSON.stringify(cases),
        __dirname,
      )) as Record<string, unknown>[];
      reports.forEach((report, i) => {
        const { stem, inputSize } = cases[i];
        expect(report.spread).toBeGreaterThan(0.01);
        // As far from float64 as torch's own float32, times the factor of every such comparison.
        for (const one of report.distances as number[]) expect(one).toBeLessThan(FACTOR * (report.torch as number));
        expect(report.input).toEqual(['input', 'tensor(float)', ['N', 3, inputSize ?? 'H', inputSize ?? 'W']]);
        expect(report.output).toEqual(['logits', 'tensor(float)', ['N', 14]]);
        expect(report.metadata).toMatchObject({ stem, labels: JSON.stringify(labels), image_size: '28' });
        expect((report.metadata as Record<string, string>).input_size).toBe(inputSize?.toString());
        // One place, or a number that is not known, says nothing of where.
        const evidence = report.evidence as { shape: unknown[]; sum: number; distance: number } | null;
        expect(evidence?.shape).toEqual([2, 4, 6].includes(i) ? ['N', 14, 4, 4] : undefined);
        if (!evidence) return;
        expect(evidence.sum).toBeLessThan(1e-5);
        expect(evidence.distance).toBeLessThan(FACTOR * (report.torch as number));
      });
    },
  );

  testWith('onnxruntime')(
    'with float16 weights it gives the logits of torch with such weights, in half the bytes',
    async () => {
      const source = { task: null, channels: null, labels: ['one'], imageSize: 28, inputSize: 28 };
      const state = rounded(await loadWeights(at('cifar.pth')));
      await exportWeights({ ...source, state }, { format: 'onnx', output: at('half.onnx'), half: true });
      const [ours, torchs] = (await runReference(
        `${PRELUDE}
import onnxruntime
model = random_resnet18("cifar", 14)
for value in model.parameters():
    if value.dim() > 1: value.data = value.data.half().float()
session = onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
x = torch.rand(5, 3, 28, 28, generator=torch.Generator().manual_seed(1)) * 2 - 1
with torch.inference_mode():
    single = model(x)
    exact = model.double()(x.double())
logits, = session.run(["logits"], {"input": x.numpy()})
def distance(logits, of): return float((torch.as_tensor(logits) - of).norm() / of.norm())
print(json.dumps([distance(logits, exact), distance(single, exact)]))`,
        at('half.onnx'),
      )) as [number, number];
      expect(ours).toBeLessThan(FACTOR * torchs);
      expect(statSync(at('half.onnx')).size).toBeLessThan(0.51 * statSync(at('cifar.pth')).size);
    },
  );
});
