/** `chestmnist export`: the weights of a run, or of a file, as a file that other tools load. Needs no LibTorch. */
import { existsSync } from 'node:fs';
import { mkdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { type Command, Option } from 'commander';
import { writing } from '../../base/disk';
import { ChestMnistError } from '../../base/errors';
import { expandHome } from '../../base/folders';
import { isExclusive } from '../../base/task';
import { isStdout } from '../../base/output';
import { areUnnamed } from '../../data/labels';
import type { Model } from '../../judge/model';
import { hashFile } from '../../base/checksum';
import { runFiles } from '../../run/directory';
import type { Exported, ExportFormat, ExportOptions } from '../../weights/export';
import { cliOf } from '../context';
import { addFlags, readFlags } from '../flags';
import { unbroken } from '../terminal/width';

const FORMATS: readonly (ExportFormat | 'web')[] = ['safetensors', 'pth', 'onnx', 'web'];
const SHARED = ['size', 'resize', 'task', 'labelNames', 'weightsKey'] as const;

const EXAMPLES = `
Examples:
  chestmnist export runs/first --format pth -o resnet18.pth     for torch.load and load_state_dict
  chestmnist export runs/first --format onnx -o resnet18.onnx   for onnxruntime and others
  chestmnist export runs/first --format web -o first.html       a page that predicts pictures, without a network
  chestmnist export resnet18.pth --format safetensors --size 28 --resize 56 -o resnet18.safetensors

The file states the label names, the sizes and the stem, so that evaluate and predict need no flags for them. A model card is written beside it: FILE.card.md and FILE.card.json.`;

export function register(program: Command): void {
  const command = program
    .command('export')
    .description('write the best weights of a run, or a file of weights, for other tools')
    .argument('<run|weights>', 'a run directory, that of an ensemble, or a .safetensors or .pth file')
    .addOption(
      new Option(
        '--format <format>',
        "torchvision's state dict (safetensors, pth), the evaluation graph (onnx), or a page that runs it (web)",
      )
        .choices(FORMATS)
        .makeOptionMandatory(),
    )
    .requiredOption('-o, --output <file>', 'the file to write; of an ensemble, a folder of one file for each member')
    .option(
      '--half',
      'weights as float16, a file of half the size; only with --format onnx or web (needs LibTorch)',
      false,
    )
    .option('--force', 'replace the file when it exists', false);
  addFlags(command, SHARED)
    .addHelpText('after', EXAMPLES)
    .action(async (source: string, _options: unknown, self: Command) => {
      const { assumptions, openModel, unstated } = await import('../../judge/model.js');
      const { exportWeights } = await import('../../weights/export.js');
      const cli = cliOf(self);
      const options = self.opts<Options>();
      const { format } = options;
      if (options.half && format !== 'onnx' && format !== 'web') throw notHalf(format);
      const waiting = (text: string): void => cli.say(text);
      let model = await openModel(source, readFlags(self, SHARED));
      for (const note of [...model.notes, ...(model.run?.changes ?? [])]) cli.say(note);
      // The page has to know the size of its pictures: what predict assumes.
      const notes = format === 'web' ? assumptions(source, model, model.imageSize ?? 28) : unstated(source, model);
      for (const note of notes) cli.say(note);
      if (options.half) {
        const { halved } = await import('../../judge/half.js');
        const half = await halved(model, source);
        model = half.model;
        cli.say(
          `weights as float16 change a probability by at most ${half.change.toExponential(1)} on synthetic images`,
        );
      }
      if (format === 'web') {
        const done = await exportPage(source, model, { ...options, waiting });
        const beside = done.card === null ? '' : `\n${unbroken(done.card)}`;
        cli.written(options.output, done, () => `${unbroken(done.file)} (web, ${done.bytes} bytes)${beside}`);
        return;
      }
      if (model.seeds) {
        const done = await exportMembers(model, model.seeds, { ...options, format });
        cli.result({ folder: path.resolve(expandHome(options.output)), files: done }, () =>
          done
            .flatMap(({ file, card }) => [file, card!])
            .map(unbroken)
            .join('\n'),
        );
        return;
      }
      const [state] = model.states;
      const card = writeCard(model, model.run?.directory);
      const done = await exportWeights({ ...model, state }, { ...options, format, waiting, card });
      const facts = [
        done.format,
        `${done.stem} stem`,
        `${done.head} head`,
        `${done.labels.length} labels`,
        `${done.bytes} bytes`,
      ];
      const beside = done.card === null ? '' : `\n${unbroken(done.card)}`;
      cli.written(options.output, done, () => `${unbroken(done.file)} (${facts.join(', ')})${beside}`);
    });
}

interface Options {
  format: ExportFormat | 'web';
  output: string;
  half: boolean;
  force: boolean;
}

const notHalf = (format: string): ChestMnistError =>
  new ChestMnistError('ERR_CONFIG', {
    found: `--half with --format ${format}`,
    needed: '--format onnx or web',
    next: 'leave --half out, or choose another format',
  });

/** The page of a model, or of all members of an ensemble. */
async function exportPage(
  source: string,
  model: Model,
  { half, ...options }: Omit<ExportOptions, 'format'>,
): Promise<{ file: string; format: 'web'; bytes: number; labels: string[]; input_size: number; card: string | null }> {
  const { cardFiles, onnxBytes, outputFor } = await import('../../weights/export.js');
  const { writeWebPage } = await import('../../report/web/index.js');
  const card = writeCard(model, model.run?.directory);
  const output = await outputFor('web', { ...options, card });
  const labels = [...model.labels];
  const exclusive = isExclusive(model.task ?? undefined);
  const size = model.imageSize ?? 28;
  const inputSize = model.inputSize ?? size;
  const tuned = Object.entries(model.run?.metrics?.tuned ?? {}).map(([name, of]) => ({ name, values: of.thresholds }));
  const fixed = { name: '0.5', values: labels.map(() => 0.5) };
  let bytes = 0;
  await output.write(async (file) => {
    await writeWebPage(file, {
      name: path.basename(path.resolve(expandHome(source))),
      ...{ labels, exclusive, channels: model.channels ?? 1, size, inputSize },
      thresholds: exclusive ? [] : [...tuned, fixed],
      models: model.states.map((state) => onnxBytes({ ...model, state, inputSize }, { half })),
    });
    bytes = (await stat(file)).size;
  });
  const done = { file: output.path, format: 'web' as const, bytes, labels, input_size: inputSize };
  if (output.isSink) return { ...done, card: null };
  const cards = cardFiles(output.path);
  await card(done, cards);
  return { ...done, card: cards.markdown };
}

/** Writes the card of an exported network, which is that of `run` or of a file alone. */
const writeCard =
  (model: Model, run: string | undefined) =>
  async (
    { file, format, bytes }: { file: string; format: string; bytes: number },
    files: { markdown: string; json: string },
  ): Promise<void> => {
    const { architectureOf, writeFileCard, PREPROCESSING } = await import('../../report/card/index.js');
    const { stem, head, task, labels, imageSize, inputSize, channels, seeds } = model;
    await writeFileCard(files, {
      run,
      name: path.basename(file),
      changes: model.run?.changes,
      file: { name: path.basename(file), format, bytes, sha256: await hashFile(file, 'sha256') },
      model: {
        ...{ architecture: architectureOf(head), stem, task, labels: areUnnamed(labels) ? null : labels },
        ...{
          image_size: imageSize,
          input_size: inputSize,
          channels,
          members: format === 'web' && seeds ? [...seeds] : null,
        },
        preprocessing: run === undefined ? null : PREPROCESSING,
      },
    });
  };

/** One file for each member of an ensemble, in a folder that is made. Files that exist are refused before any is written. */
async function exportMembers(
  model: Model,
  seeds: readonly number[],
  { output, ...options }: Options & { format: ExportFormat },
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
    run: runFiles(model.run!.directory).member(seed),
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
  for (const { file, state, run } of members) {
    const card = writeCard(model, run);
    done.push(await exportWeights({ ...model, state }, { ...options, output: file, card }));
  }
  return done;
}
