/** `chestmnist export`: the weights of a run, or of a file, as a file that other tools load. Needs no LibTorch. */
import { type Command, Option } from 'commander';
import type { ExportFormat } from '../../weights/export';
import { cliOf } from '../context';
import { unbroken } from '../terminal/width';

const FORMATS: readonly ExportFormat[] = ['safetensors', 'pth', 'onnx'];

const EXAMPLES = `
Examples:
  chestmnist export runs/first --format pth -o resnet18.pth     for torch.load and load_state_dict
  chestmnist export runs/first --format onnx -o resnet18.onnx   for onnxruntime and others
  chestmnist export resnet18.pth --format safetensors -o resnet18.safetensors`;

export function register(program: Command): void {
  program
    .command('export')
    .description('write the best weights of a run, or a file of weights, for other tools')
    .argument('<run|weights>', 'a run directory, or a .safetensors or .pth file')
    .addOption(
      new Option('--format <format>', "torchvision's state dict (safetensors, pth) or the evaluation graph (onnx)")
        .choices(FORMATS)
        .makeOptionMandatory(),
    )
    .requiredOption('-o, --output <file>', 'the file to write')
    .option('--force', 'replace the file when it exists', false)
    .addHelpText('after', EXAMPLES)
    .action(
      async (source: string, options: { format: ExportFormat; output: string; force: boolean }, command: Command) => {
        const { openModel } = await import('../../judge/model.js');
        const { exportWeights } = await import('../../weights/export.js');
        const cli = cliOf(command);
        const waiting = (text: string): void => cli.say(text);
        const model = await openModel(source);
        for (const note of model.notes) cli.say(note);
        const done = await exportWeights(model, { ...options, waiting });
        const facts = [done.format, `${done.stem} stem`, `${done.labels.length} labels`, `${done.bytes} bytes`].join(
          ', ',
        );
        cli.written(options.output, done, () => `${unbroken(done.file)} (${facts})`);
      },
    );
}
