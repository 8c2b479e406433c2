/**
 * `chestmnist predict`: probabilities and decisions for images, as CSV or JSON. Not here: the prediction
 * (judge/predict.ts).
 */
import type { Command } from 'commander';
import type { Prediction } from '../../judge/predict';
import { cliOf } from '../context';
import { addFlags, readFlags } from '../flags';

const SHARED = ['size', 'resize', 'labelNames', 'weightsKey', 'device', 'threads'] as const;

const EXAMPLES = `
Examples:
  chestmnist predict runs/NAME xray.png another.jpg
  chestmnist predict runs/NAME images.npy --thresholds val-f1 -o predictions.csv
  chestmnist predict weights.safetensors data.npz --json

CSV: image, then for each label its probability and its decision (1 when above the threshold).
Pictures are converted to gray, cropped to the central square and resized to the model's size.`;

export function register(program: Command): void {
  const command = program
    .command('predict')
    .description('Probabilities and decisions for images. Research software, not a medical device.')
    .argument('<run|weights>', 'a run directory, or a .safetensors or .pth file')
    .argument('<input...>', 'PNG, JPEG, .npy or .npz files')
    .option('--thresholds <rule>', '0.5, val-f1, val-youden or a JSON file', '0.5')
    .option('-o, --output <file>', 'write to a file instead of stdout');
  addFlags(command, SHARED)
    .addHelpText('after', EXAMPLES)
    .action(async (target: string, inputs: string[], _options: unknown, self: Command) => {
      const { predict } = await import('../../judge/predict.js');
      const cli = cliOf(self);
      const { thresholds, output } = self.opts<{ thresholds: string; output?: string }>();
      const prediction = await predict(target, inputs, { ...readFlags(self, SHARED), thresholds });
      for (const note of prediction.notes) cli.say(note);
      const asJson = cli.json || output?.endsWith('.json') === true;
      const text = asJson ? JSON.stringify(documentOf(prediction), null, 2) : csvOf(prediction);
      if (output === undefined) return void process.stdout.write(`${text}\n`);
      const { writeAtomically } = await import('../../base/atomic.js');
      await writeAtomically(output, async (handle) => void (await handle.writeFile(`${text}\n`)));
      cli.say(`${prediction.images.length} images: ${output}`);
    });
}

const documentOf = ({ labels, thresholds, images, scores, decisions }: Prediction): unknown => ({
  labels,
  thresholds,
  predictions: images.map((image, i) => {
    const row = [i * labels.length, (i + 1) * labels.length] as const;
    return { image, probabilities: [...scores.subarray(...row)], decisions: [...decisions.subarray(...row)] };
  }),
});

function csvOf({ labels, images, scores, decisions }: Prediction): string {
  const header = ['image', ...labels.flatMap((label) => [label, `${label}_decision`])];
  const rows = images.map((image, i) => [
    image,
    ...labels.flatMap((_, l) => [scores[i * labels.length + l].toFixed(6), decisions[i * labels.length + l]]),
  ]);
  return [header, ...rows].map((row) => row.map(field).join(',')).join('\n');
}

/** A field of RFC 4180. */
const field = (value: string | number): string =>
  /[",\r\n]/.test(String(value)) ? `"${String(value).replaceAll('"', '""')}"` : String(value);
