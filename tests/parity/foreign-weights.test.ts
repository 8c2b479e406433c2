/**
 * Weights as other tools save them, written by the live Python: what the common trainers write is read bit for bit, and
 * the Python that an error prints is run and converts the file.
 */
import { execSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { Stem } from '../../src/engine/contract';
import { fitHead, openWeights, recognise } from '../../src/weights';
import { describeWithPython, referencePython, runReference, testWith } from '../support/reference';
import { failure } from '../support/weights-fixtures';
import { digests, PRELUDE } from '../support/weights-python';

/** Saves what a program makes of `m`, a random network, and `s`, its state dict, in the file `f`. */
const SAVE = `${PRELUDE}
import argparse, collections, datetime, decimal, enum, fractions, functools, numpy, pathlib, pickle, types, uuid
f, stem, labels = sys.argv[1], sys.argv[2], int(sys.argv[3])
m = random_resnet18(stem, labels)
s = m.state_dict()
def renamed(rename): return collections.OrderedDict((rename(k), v) for k, v in s.items())
def prefixed(prefix): return renamed(lambda k: prefix + k)
class Level(enum.Enum): low = 1
class Config:
    def __init__(self, lr): self.lr = lr
class Slots:
    __slots__ = ("a",)
    def __init__(self): self.a = 1
for made in (Level, Config, Slots): setattr(sys.modules["__main__"], made.__name__, made)
`;

describeWithPython('weights of other tools', () => {
  const folder = mkdtempSync(path.join(os.tmpdir(), "chestmnist foreign's weights "));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const at = (name: string): string => path.join(folder, name);

  /** The file of a program of Python, and the digests that its last line prints; those of `m` by default. */
  async function made(program: string, stem: Stem = 'torchvision', labels = 3, name = 'made.pth') {
    const result = (await runReference(
      `${SAVE}${program}\nprint(json.dumps(digests(s)))`,
      at(name),
      stem,
      String(labels),
    )) as unknown[][];
    return { file: at(name), truth: result };
  }
  /** The command in an error's next step, without what is said of it. */
  const commandIn = (next: string): string => /^convert it with Python: (python .*\.converted\.pth'?)/.exec(next)![1];
  const opened = async (file: string, key?: string) => {
    const { state, notes, source } = await openWeights(file, key);
    return { ...recognise(state, source), notes, source };
  };
  const lightning = `'epoch': 3, 'global_step': 10, 'pytorch-lightning_version': '2.4.0', 'loops': {'fit_loop': {}},
    'callbacks': {'ModelCheckpoint': {'best_model_score': torch.tensor(0.5), 'dirpath': pathlib.PurePosixPath('/a')}},
    'optimizer_states': [torch.optim.Adam(m.parameters()).state_dict()], 'lr_schedulers': [],
    'hyper_parameters': argparse.Namespace(lr=numpy.float64(0.1))`;
  const huggingFace = `
import re
def hf(k):
    k = re.sub(r'^conv1', 'resnet.embedder.embedder.convolution', re.sub(r'^bn1', 'resnet.embedder.embedder.normalization', k))
    k = re.sub(r'^layer(\\d)\\.(\\d)', lambda g: f'resnet.encoder.stages.{int(g[1]) - 1}.layers.{g[2]}', k)
    k = re.sub(r'(layers\\.\\d)\\.conv(\\d)', lambda g: f'{g[1]}.layer.{int(g[2]) - 1}.convolution', k)
    k = re.sub(r'(layers\\.\\d)\\.bn(\\d)', lambda g: f'{g[1]}.layer.{int(g[2]) - 1}.normalization', k)
    return k.replace('downsample.0', 'shortcut.convolution').replace('downsample.1', 'shortcut.normalization').replace('fc.', 'classifier.1.')
`;

  it.each<[string, string, Stem?]>([
    [
      'MedMNIST’s 28 px network: shortcut, linear, under net',
      "torch.save({'net': renamed(lambda k: k.replace('downsample', 'shortcut').replace('fc.', 'linear.'))}, f)",
      'cifar',
    ],
    ['DataParallel', 'torch.save(torch.nn.DataParallel(m).state_dict(), f)'],
    ['torch.compile', "torch.save({'model': torch.compile(m).state_dict()}, f)", 'cifar'],
    ['torch.compile in DataParallel', 'torch.save(torch.nn.DataParallel(torch.compile(m)).state_dict(), f)'],
    ['DataParallel in torch.compile', 'torch.save(torch.compile(torch.nn.DataParallel(m)).state_dict(), f)'],
    ['one layer compiled', "m.layer2 = torch.compile(m.layer2); torch.save({'model_state_dict': m.state_dict()}, f)"],
    ['AveragedModel', 'torch.save(torch.optim.swa_utils.AveragedModel(m).state_dict(), f)'],
    [
      'AveragedModel of DataParallel',
      'torch.save(torch.optim.swa_utils.AveragedModel(torch.nn.DataParallel(m)).state_dict(), f)',
    ],
    [
      'Lightning, with a loss and a metric',
      `torch.save({'state_dict': {**prefixed('model.'), 'criterion.pos_weight': torch.ones(3),
        'val_auc.confmat': torch.ones(9, 3, 2, 2, dtype=torch.int64)}, ${lightning}}, f)`,
    ],
    ['Lightning’s net, compiled', `torch.save({'state_dict': prefixed('net._orig_mod.'), ${lightning}}, f)`],
    [
      'a backbone and a head of its own',
      `torch.save({'state_dict': renamed(lambda k: k.replace('fc.', 'head.') if k.startswith('fc.') else 'backbone.' + k), ${lightning}}, f)`,
    ],
    ['a dropout before the head', "torch.save(renamed(lambda k: k.replace('fc.', 'fc.1.')), f)"],
    [
      'the children of a resnet in a Sequential',
      `names = dict(conv1='0', bn1='1', layer1='4', layer2='5', layer3='6', layer4='7')
torch.save(renamed(lambda k: 'classifier.' + k[3:] if k.startswith('fc') else 'features.' + names[k.split('.')[0]] + k[k.index('.'):]), f)`,
    ],
    ['Hugging Face', `${huggingFace}torch.save(renamed(hf), f)`],
    [
      'plain objects beside the weights',
      `torch.save({'net': s, 'a': numpy.float32(1), 'b': numpy.arange(3), 'c': numpy.datetime64('2020-01-01'), 'd': {1, 2},
        'e': frozenset('ab'), 'g': collections.defaultdict(list, a=[1]), 'h': collections.deque([1]), 'i': collections.Counter('aab'),
        'j': datetime.datetime.now(datetime.timezone.utc), 'k': decimal.Decimal('1.5'), 'l': Level.low, 'm': Config(1), 'n': Slots(),
        'o': torch.Size([1]), 'p': torch.float32, 'q': torch.device('cpu'), 'r': 1j, 's': b'bytes', 't': 2 ** 80, 'u': range(3),
        'v': functools.partial(print, 1), 'w': types.SimpleNamespace(a=1), 'x': uuid.uuid4(), 'y': slice(1), 'z': bytearray(b'x'),
        'rng': torch.get_rng_state(), 'numpy': numpy.random.get_state(), 'half': torch.ones(2, dtype=torch.complex64), 'class': Config,
        'args': argparse.Namespace(lr=0.1, path=pathlib.Path('a')), 'history': [0.5] * 1000, 'optimizer': torch.optim.SGD(m.parameters(), 0.1).state_dict(),
        'byte': torch.ones(3, dtype=torch.uint8), 'u16': torch.ones(3, dtype=torch.uint16), 'f8': torch.ones(3).to(torch.float8_e4m3fn)}, f)`,
    ],
    ['plain objects in the dict of the weights', 's2 = dict(s, epoch=3, args=argparse.Namespace()); torch.save(s2, f)'],
    [
      'before PyTorch 1.6',
      'torch.save({"state_dict": s, "best": numpy.float64(1)}, f, _use_new_zipfile_serialization=False)',
    ],
    ['pickle protocol 5', 'torch.save({"model": s, "args": argparse.Namespace(a=b"x")}, f, pickle_protocol=5)'],
    ['before 1.6, protocol 4', 'torch.save(s, f, pickle_protocol=4, _use_new_zipfile_serialization=False)'],
    [
      'saved on a GPU',
      `tag = torch.serialization.location_tag
torch.serialization.location_tag = lambda storage: 'cuda:0'
try: torch.save(s, f)
finally: torch.serialization.location_tag = tag`,
    ],
    ['shared storages', "torch.save({'state_dict': s, 'again': dict(s), 'fc': s['fc.weight']}, f)"],
    ['channels last', 'm.to(memory_format=torch.channels_last); torch.save(m.state_dict(), f)'],
    ['parameters', 'torch.save(m.state_dict(keep_vars=True), f)'],
    ['a parameter with attributes', "m.fc.weight.tag = 'x'; torch.save(m.state_dict(keep_vars=True), f)"],
  ])('%s', async (_, program, stem = 'torchvision') => {
    const { file, truth } = await made(program, stem);
    const { state, stem: found, labelCount } = await opened(file);
    expect({ found, labelCount }).toEqual({ found: stem, labelCount: 3 });
    expect(digests(state)).toEqual(truth);
  });

  it.each([
    ['float16', 's = m.half().state_dict(); torch.save(s, f); s = m.float().state_dict()'],
    ['bfloat16', 's = m.bfloat16().state_dict(); torch.save({"net": s}, f); s = m.float().state_dict()'],
    ['float64', 's = m.double().state_dict(); torch.save(s, f); s = m.float().state_dict()'],
    [
      'no counters',
      "torch.save({k: v for k, v in s.items() if 'num_batches' not in k}, f); [v.zero_() for k, v in s.items() if 'num_batches' in k]",
    ],
    [
      'averaged counters',
      "[v.fill_(7) for k, v in s.items() if 'num_b' in k]; torch.save({k: v.float() for k, v in s.items()}, f)",
    ],
  ])('values: %s', async (_, program) => {
    const { file, truth } = await made(program);
    expect(digests((await opened(file)).state)).toEqual(truth);
  });

  testWith('safetensors').each([
    ['a prefix', "save_file(prefixed('module.model.'), f)"],
    ['a mask beside', "save_file({**s, 'loss.mask': torch.ones(3, dtype=torch.bool)}, f, {'format': 'pt'})"],
    ['Hugging Face', `${huggingFace}save_file(renamed(hf), f, {'format': 'pt'})`],
    [
      '__metadata__ of null',
      `save_file(s, f)
data = open(f, 'rb').read(); n = int.from_bytes(data[:8], 'little')
header = json.dumps({'__metadata__': None, **json.loads(data[8:8 + n])}).encode()
open(f, 'wb').write(len(header).to_bytes(8, 'little') + header + data[8 + n:])`,
    ],
  ])('safetensors: %s', async (_, program) => {
    const { file, truth } = await made(`from safetensors.torch import save_file\n${program}`, 'cifar');
    expect(digests((await opened(file)).state)).toEqual(truth);
  });

  it('one gray channel is spread over three, with a note', async () => {
    const { file, truth } = await made(
      "s['conv1.weight'] = s['conv1.weight'][:, :1] * 1; torch.save(s, f); s['conv1.weight'] = (s['conv1.weight'] / 3).repeat(1, 3, 1, 1)",
      'cifar',
    );
    const { state, notes } = await opened(file);
    expect(digests(state)).toEqual(truth);
    expect(notes).toEqual([expect.stringContaining('one channel')]);
  });

  it('of several networks the weights themselves are used, printed, and chosen by a key', async () => {
    const { file, truth } = await made(
      "torch.save({'ema': {'module': {k: v + 1 for k, v in s.items()}}, 'model': s, 'optimizer': {}}, f)",
    );
    const first = await opened(file);
    expect(digests(first.state)).toEqual(truth);
    expect(first.notes).toEqual([expect.stringMatching(/several networks: model is used; --weights-key ema\.module /)]);
    const ema = await opened(file, 'ema');
    expect(ema.notes).toEqual([]);
    expect(digests(ema.state)).not.toEqual(truth);
    const { needed } = await failure('ERR_CONFIG', () => openWeights(file, 'best'));
    expect(needed).toContain('model, ema.module');
  });

  it('what is left out is named', async () => {
    const { file } = await made(
      `torch.save({'state_dict': {**prefixed('model.'), 'criterion.pos_weight': torch.ones(3)}}, f)`,
    );
    expect((await opened(file)).notes).toEqual([expect.stringMatching(/left out.*criterion\.pos_weight/)]);
  });

  it('a network without a usable head starts training only', async () => {
    const fresh = (await opened((await made('torch.save(s, f)', 'torchvision', 3, 'fresh.pth')).file)).state;
    const programs = [
      ["torch.save({k: v for k, v in s.items() if 'fc' not in k}, f)", /without a head/, /have no head/],
      [
        `names = dict(conv1='0', bn1='1', layer1='4', layer2='5', layer3='6', layer4='7')
body = {'0.' + names[k.split('.')[0]] + k[k.index('.'):]: v for k, v in s.items() if 'fc' not in k}
torch.save({'model': {**body, '1.2.weight': torch.ones(1024), '1.4.weight': torch.ones(512, 1024), '1.8.weight': torch.ones(3, 512)}, 'opt': {}}, f)`,
        /fastai/,
        /not one linear layer \(1\.2\.weight/,
      ],
      [
        "torch.save({**{k: v for k, v in s.items() if 'fc' not in k}, 'fc.0.weight': torch.ones(9, 512), 'fc.2.weight': torch.ones(3, 9)}, f)",
        /not one linear layer/,
        /fc\.0\.weight/,
      ],
    ] as const;
    for (const [program, refused, note] of programs) {
      const { file } = await made(program);
      const { found, next } = await failure('ERR_WEIGHTS', () => opened(file));
      expect(found).toMatch(refused);
      expect(next).toContain('npx chestmnist train --weights');
      const { state, source } = await openWeights(file);
      const fitted = fitHead(state, fresh, source);
      expect(fitted).toMatchObject({ notes: [expect.stringMatching(note)], keptHead: false });
    }
  });

  it.each([
    ['a ResNet-34', 'torch.save(torchvision.models.resnet34(num_classes=3).state_dict(), f)', /ResNet-34/],
    [
      'a ResNet-50',
      "torch.save({'state_dict': {'model.' + k: v for k, v in torchvision.models.resnet50(num_classes=3).state_dict().items()}}, f)",
      /ResNet-50/,
    ],
    ['a DenseNet', 'torch.save(torchvision.models.densenet121(num_classes=3).state_dict(), f)', /DenseNet/],
    [
      'a vision transformer',
      'torch.save(torchvision.models.VisionTransformer(32, 16, 1, 1, 8, 8).state_dict(), f)',
      /vision transformer/,
    ],
    [
      'an EfficientNet',
      'torch.save(torchvision.models.efficientnet_b0(num_classes=3).state_dict(), f)',
      /EfficientNet/,
    ],
    ['three dimensions', "s['conv1.weight'] = torch.ones(64, 1, 7, 7, 7); torch.save(s, f)", /three-dimensional/],
  ])('another network is named: %s', async (_, program, network) => {
    const { file } = await made(program);
    const { found, next } = await failure('ERR_WEIGHTS', () => opened(file));
    expect(found).toMatch(network);
    expect(next).toMatch(/^no conversion exists/);
    expect(next).not.toContain('--stem');
  });

  it.each([
    [
      'MONAI: shortcuts with a bias',
      `torch.manual_seed(1)
biases = {k.replace('.weight', '.bias'): torch.randn(len(v)) for k, v in s.items() if 'downsample.0' in k}
torch.save({'state_dict': {'net.' + k: v for k, v in {**s, **biases}.items()}, 'args': argparse.Namespace()}, f)
for k, v in biases.items(): s[k.replace('0.bias', '1.running_mean')].sub_(v)`,
      /MONAI.*conv1_t_stride/,
    ],
    [
      'a head without bias',
      "torch.save({k: v for k, v in s.items() if k != 'fc.bias'}, f); s['fc.bias'].zero_()",
      /no bias/,
    ],
    ['a whole model', 'torch.save(m, f)', /torchvision\.models\.resnet\.ResNet/],
    ['a whole model, before 1.6', 'torch.save(m, f, _use_new_zipfile_serialization=False)', /resnet\.ResNet/],
    ['TorchScript', 'torch.jit.save(torch.jit.trace(m, torch.ones(1, 3, 28, 28)), f)', /holds no dict of tensors/],
    ['arrays of NumPy', 'torch.save({k: v.numpy() for k, v in s.items()}, f)', /numpy/],
    ['pickle.dump', "pickle.dump(s, open(f, 'wb'))", /torch\.save did not write/],
  ])('the Python of the error converts the file: %s', async (_, program, reason) => {
    const { file, truth } = await made(program);
    const { found, next } = await failure('ERR_WEIGHTS', () => opened(file));
    expect(found).toMatch(reason);
    // In this file's Python: importing torch takes seconds.
    await runReference(
      `import shlex, sys
words = shlex.split(sys.argv[1])[:5]
sys.argv = words[1:2] + words[3:]
exec(words[2], {})
print(0)`,
      commandIn(next),
    );
    expect(digests((await opened(at('made.converted.pth'))).state)).toEqual(truth);
  });

  it('and a shell takes it as it is printed', async () => {
    const { file } = await made('torch.save({k: v for k, v in s.items() if k != "fc.bias"}, f)');
    const { next } = await failure('ERR_WEIGHTS', () => opened(file));
    execSync(commandIn(next).replace(/^python/, `"${referencePython}"`), { stdio: 'pipe' });
    expect((await opened(at('made.converted.pth'))).labelCount).toBe(3);
  }, 60_000);

  it('nothing of a file is imported or executed', async () => {
    const { file } = await made(`
class Evil:
    def __reduce__(self): return exec, ("open(" + repr(f + ".executed") + ", 'w')",)
torch.save({'net': s, 'evil': Evil()}, f)`);
    expect((await opened(file)).labelCount).toBe(3);
    expect(() => readFileSync(`${file}.executed`)).toThrow('ENOENT');
  });

  it('a value that cannot be a weight is named with its tensor, in every dtype and buffer', async () => {
    const cases = [
      ["s['fc.weight'][1, 2] = float('nan'); torch.save(s, f)", /fc\.weight holds NaN at \[1, 2\]/],
      [
        "s['layer1.0.bn1.running_mean'][5] = float('-inf'); torch.save({'net': s}, f)",
        /running_mean holds -Infinity at \[5\]/,
      ],
      ["s['bn1.running_var'][3] = -0.5; torch.save(s, f)", /bn1\.running_var holds -0\.5 at \[3\]/],
      [
        "s['conv1.weight'][0] = float('inf'); torch.save(m.half().state_dict(), f); m.float()",
        /conv1\.weight holds Infinity at \[0, 0, 0, 0\], and 146 more/,
      ],
      [
        "m.double(); s = m.state_dict(); s['fc.bias'][0] = 1e300; torch.save(s, f); s = m.float().state_dict()",
        /fc\.bias holds Infinity/,
      ],
    ] as const;
    for (const [program, reason] of cases) {
      const { file } = await made(program);
      expect((await failure('ERR_WEIGHTS', () => openWeights(file))).found).toMatch(reason);
    }
  });

  it('other files are named', async () => {
    const file = at('other.bin');
    writeFileSync(file, Buffer.from('\x89HDF\r\n\x1a\n', 'latin1'));
    expect((await failure('ERR_WEIGHTS', () => openWeights(file))).found).toContain('Keras');
  });
});
