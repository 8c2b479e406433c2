/** `chestmnist export`: the weights of a run, or of a file, as a file that other tools load. Needs no LibTorch. */
import { existsSync } from 'node:fs';
import { mkdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { type Command, Option } from 'commander';
import { writing } from '../../base/disk';
import { ChestMnistError } from '../../base/errors';
import { expandHome } from '../../base/folders';
import { isStdout } from '../../base/output';
import type { Model } from '../../judge/model';
import type { Exported, ExportFormat } from '../../weights/export';
import { cliOf } from '../context';
import { addFlags, readFlags } from '../flags';
import { unbroken } from '../terminal/width';

const FORMATS: readonly ExportFormat[] = ['safetensors', 'pth', 'onnx'];
const SHARED = ['size', 'resize', 'task', 'labelNames', 'weightsKey'] as const;

const EXAMPLES = `
Examples:
  chestmnist export runs/first --format pth -o resnet18.pth     for torch.load and load_state_dict
  chestmnist export runs/first --format onnx -o resnet18.onnx   for onnxruntime and others
  chestmnist export resnet18.pth --format safetensors --size 28 --resize 56 -o resnet18.safetensors

The file states the label names, the sizes and the stem, so that evaluate and predict need no flags for them.`;

export function register(program: Command): void {
  const command = program
    .command('export')
    .description('write the best weights of a run, or a file of weights, for other tools')
    .argument('<run|weights>', 'a run directory, that of an ensemble, or a .safetensors or .pth file')
    .addOption(
      new Option('--format <format>', "torchvision's state dict (safetensors, pth) or the evaluation graph (onnx)")
        .choices(FORMATS)
        .makeOptionMandatory(),
    )
    .requiredOption('-o, --output <file>', 'the file to write; of an ensemble, a folder of one file for each member')
    .option('--half', 'weights as float16, a file of half the size; only with --format onnx (needs LibTorch)', false)
    .option('--force', 'replace the file when it exists', false);
  addFlags(command, SHARED)
    .addHelpText('after', EXAMPLES)
    .action(async (source: string, _options: unknown, self: Command) => {
      const { openModel, unstated } = await import('../../judge/model.js');
      const { exportWeights } = await import('../../weights/export.js');
      const cli = cliOf(self);
      const options = self.opts<Options>();
      if (options.half && options.format !== 'onnx') throw notHalf(options.format);
      const waiting = (text: string): void => cli.say(text);
      let model = await openModel(source, readFlags(self, SHARED));
      for (const note of [...model.notes, ...(model.run?.changes ?? []), ...unstated(source, model)]) cli.say(note);
      if (options.half) {
        const { halved } = await import('../../judge/half.js');
        const half = await halved(model, source);
        model = half.model;
        cli.say(
          `weights as float16 change a probability by at most ${half.change.toExponential(1)} on synthetic images`,
        );
      }
      if (model.seeds) {
        const done = await exportMembers(model, model.seeds, options);
        cli.result({ folder: path.resolve(expandHome(options.output)), files: done }, () =>
          done.map(({ file }) => unbroken(file)).join('\n'),
        );
        return;
      }
      const [state] = model.states;
      const done = await exportWeights({ ...model, state }, { ...options, waiting });
      const facts = [done.format, `${done.stem} stem`, `${done.labels.length} labels`, `${done.bytes} bytes`];
      cli.written(options.output, done, () => `${unbroken(done.file)} (${facts.join(', ')})`);
    });
}

interface Options {
  format: ExportFormat;
  output: string;
  half: boolean;
  force: boolean;
}

const notHalf = (format: ExportFormat): ChestMnistError =>
  new ChestMnistError('ERR_CONFIG', {
    found: `--half with --format ${format}`,
    needed: '--format onnx',
    next: 'leave --half out, or choose another format',
  });

/** One file for each member of an ensemble, in a folder that is made. Files that exist are refused before any is written. */
async function exportMembers(
  model: Model,
  seeds: readonly number[],
  { output, ...options }: Options,
): Promise<Exported[]> {
  const folder = path.resolve(expandHome(output));
  const facts = await stat(folder).catch(() => undefined);
  if (isStdout(output) || path.extname(folder) === `.${options.format}` || (facts && !facts.isDirectory())) {
    throw new ChestMnistError('ERR_OUTPUT', {
      found: `--output ${output}${facts && !facts.isDirectory() ? ', which is a file' : ''}`,
      needed: `a folder: an ensemble of ${seeds.length} members becomes as many files`,
      next: 'pass the name of a folder, or export one member, which is a run by itself',
    });
  }
  const members = seeds.map((seed, i) => ({
    file: path.join(folder, `seed-${seed}.${options.format}`),
    state: model.states[i],
  }));
  const there = members.find(({ file }) => existsSync(file));
  if (there && !options.force) {
    throw new ChestMnistError('ERR_OUTPUT', {
      found: `${there.file} exists`,
      needed: 'a folder without these files, or --force to replace them',
      next: 'choose another --output, or add --force',
    });
  }
  const { exportWeights } = await import('../../weights/export.js');
  await writing(folder, () => mkdir(folder, { recursive: true }));
  const done: Exported[] = [];
  for (const { file, state } of members)
    done.push(await exportWeights({ ...model, state }, { ...options, output: file }));
  return done;
}
