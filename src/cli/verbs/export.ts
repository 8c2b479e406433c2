/** `chestmnist export`: the weights of a run, or of a file, as a file that other tools load. Needs no LibTorch. */
import { existsSync } from 'node:fs';
import { mkdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { type Command, Option } from 'commander';
import { writing } from '../../base/disk';
import { ChestMnistError } from '../../base/errors';
import { expandHome } from '../../base/folders';
import { isStdout } from '../../base/output';
import { areUnnamed } from '../../data/labels';
import type { Model } from '../../judge/model';
import { hashFile } from '../../base/checksum';
import { runFiles } from '../../run/directory';
import type { Exported, ExportFormat, exportWeights } from '../../weights/export';
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

The file states the label names, the sizes and the stem, so that evaluate and predict need no flags for them. A model card is written beside it: FILE.card.md and FILE.card.json.`;

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
    .option('--force', 'replace the file when it exists', false);
  addFlags(command, SHARED)
    .addHelpText('after', EXAMPLES)
    .action(async (source: string, _options: unknown, self: Command) => {
      const { openModel, unstated } = await import('../../judge/model.js');
      const { exportWeights } = await import('../../weights/export.js');
      const cli = cliOf(self);
      const options = self.opts<{ format: ExportFormat; output: string; force: boolean }>();
      const waiting = (text: string): void => cli.say(text);
      const model = await openModel(source, readFlags(self, SHARED));
      for (const note of [...model.notes, ...(model.run?.changes ?? []), ...unstated(source, model)]) cli.say(note);
      if (model.seeds) {
        const done = await exportMembers(model, model.seeds, options);
        cli.result({ folder: path.resolve(expandHome(options.output)), files: done }, () =>
          done
            .flatMap(({ file, card }) => [file, card!])
            .map(unbroken)
            .join('\n'),
        );
        return;
      }
      const [state] = model.states;
      const card = cardWriter(model, model.run?.directory);
      const done = await exportWeights({ ...model, state }, { ...options, waiting, card });
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

/** Writes the card of an exported network, which is that of `run` or of a file alone. */
const cardWriter =
  (model: Model, run: string | undefined): Parameters<typeof exportWeights>[1]['card'] =>
  async ({ file, format, bytes }, files) => {
    const { writeFileCard, PREPROCESSING } = await import('../../report/card/index.js');
    const { stem, task, labels, imageSize, inputSize, channels } = model;
    await writeFileCard(files, {
      run,
      name: path.basename(file),
      changes: model.run?.changes,
      file: { name: path.basename(file), format, bytes, sha256: await hashFile(file, 'sha256') },
      model: {
        ...{ architecture: 'ResNet-18', stem, task, labels: areUnnamed(labels) ? null : labels },
        ...{ image_size: imageSize, input_size: inputSize, channels, members: null },
        preprocessing: run === undefined ? null : PREPROCESSING,
      },
    });
  };

/** One file for each member of an ensemble, in a folder that is made. Files that exist are refused before any is written. */
async function exportMembers(
  model: Model,
  seeds: readonly number[],
  { format, output, force }: { format: ExportFormat; output: string; force: boolean },
): Promise<Exported[]> {
  const folder = path.resolve(expandHome(output));
  const facts = await stat(folder).catch(() => undefined);
  if (isStdout(output) || path.extname(folder) === `.${format}` || (facts && !facts.isDirectory())) {
    throw new ChestMnistError('ERR_OUTPUT', {
      found: `--output ${output}${facts && !facts.isDirectory() ? ', which is a file' : ''}`,
      needed: `a folder: an ensemble of ${seeds.length} members becomes as many files`,
      next: 'pass the name of a folder, or export one member, which is a run by itself',
    });
  }
  const members = seeds.map((seed, i) => ({
    file: path.join(folder, `seed-${seed}.${format}`),
    state: model.states[i],
    run: runFiles(model.run!.directory).member(seed),
  }));
  const there = members.find(({ file }) => existsSync(file));
  if (there && !force) {
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
    const card = cardWriter(model, run);
    done.push(await exportWeights({ ...model, state }, { format, output: file, force, card }));
  }
  return done;
}
