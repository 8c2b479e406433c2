/** `chestmnist export`: the weights of a run, or of a file, as a file that other tools load. Needs no LibTorch. */
import { type Command, Option } from 'commander';
import type { ExportFormat } from '../../weights/export';
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
    .argument('<run|weights>', 'a run directory, or a .safetensors or .pth file')
    .addOption(
      new Option('--format <format>', "torchvision's state dict (safetensors, pth) or the evaluation graph (onnx)")
        .choices(FORMATS)
        .makeOptionMandatory(),
    )
    .requiredOption('-o, --output <file>', 'the file to write')
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
      const done = await exportWeights(model, { ...options, waiting });
      const facts = [done.format, `${done.stem} stem`, `${done.labels.length} labels`, `${done.bytes} bytes`];
      cli.written(options.output, done, () => `${unbroken(done.file)} (${facts.join(', ')})`);
    });
}
