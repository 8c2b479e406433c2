/**
 * `chestmnist predict`: probabilities and decisions for images, as CSV or JSON. Not here: the prediction
 * (judge/predict.ts).
 */
import type { Command } from 'commander';
import type { Prediction } from '../../judge/predict';
import { csvCell } from '../../base/csv';
import { jsonText } from '../../base/text';
import { cliOf } from '../context';
import { addFlags, readFlags } from '../flags';
import { unbroken } from '../terminal/width';

const SHARED = ['size', 'resize', 'task', 'labelNames', 'weightsKey', 'device', 'threads'] as const;

const EXAMPLES = `
Examples:
  chestmnist predict runs/NAME xray.png another.jpg
  chestmnist predict runs/NAME images.npy --thresholds val-f1 -o predictions.csv
  chestmnist predict weights.safetensors data.npz --json

CSV: image, then for each label its probability and its decision (1 when above the threshold); of exclusive classes the
image, the name of the most probable class, then the probability of each. A name that a spreadsheet
would run as a formula has an apostrophe before it; --json and .json have names as they are.
Pictures are converted to gray for a model of gray images, cropped to the central square and resized to the model's size.`;

export function register(program: Command): void {
  const command = program
    .command('predict')
    .description('Probabilities and decisions for images. Research software, not a medical device.')
    .argument('<run|weights>', 'a run directory, or a .safetensors or .pth file')
    .argument('<input...>', 'PNG, JPEG, .npy or .npz files')
    .option('--thresholds <rule>', '0.5, val-f1, val-youden or a JSON file', '0.5')
    .option('-o, --output <file>', 'write to a file instead of stdout: .csv or .json');
  addFlags(command, SHARED)
    .addHelpText('after', EXAMPLES)
    .action(async (target: string, inputs: string[], _options: unknown, self: Command) => {
      const [{ predict }, { isStdout, outputAt }, { writeAtomically }] = await Promise.all([
        import('../../judge/predict.js'),
        import('../../base/output.js'),
        import('../../base/atomic.js'),
      ]);
      const cli = cliOf(self);
      const { thresholds, output } = self.opts<{ thresholds: string; output?: string }>();
      const place = await outputAt(output ?? '-', ['.csv', '.json'], (text) => cli.say(text));
      const prediction = await predict(target, inputs, { ...readFlags(self, SHARED), thresholds });
      for (const note of prediction.notes) cli.say(note);
      const asJson = place.extension === '' ? cli.json : place.extension === '.json';
      const text = asJson ? jsonText(documentOf(prediction), 2) : csvOf(prediction);
      await place.write((file) => writeAtomically(file, (handle) => handle.writeFile(`${text}\n`)));
      if (output === undefined) return;
      const images = prediction.images.length;
      cli.say(`${images} ${images === 1 ? 'image' : 'images'}: ${unbroken(output)}`);
      if (!isStdout(output)) cli.emit({ output: place.path, images });
    });
}

const documentOf = ({ task, labels, thresholds, images, scores, decisions }: Prediction): unknown => ({
  ...(task !== 'multi-label' && { task }),
  labels,
  ...(thresholds && { thresholds }),
  predictions: images.map((image, i) => {
    const row = [i * labels.length, (i + 1) * labels.length] as const;
    const decided = decisions.subarray(...row);
    return {
      image,
      // Exclusive labels have no thresholds, and one decision.
      ...(thresholds === null && { decision: labels[decided.indexOf(1)] }),
      probabilities: [...scores.subarray(...row)],
      decisions: [...decided],
    };
  }),
});

function csvOf({ labels, images, scores, decisions, thresholds }: Prediction): string {
  // Two columns must not have one name, whatever the labels are called.
  let [image, suffix] = ['image', '_decision'];
  while (labels.includes(image)) image += '_';
  while (labels.some((label) => labels.includes(`${label}${suffix}`))) suffix += '_';
  if (thresholds === null) {
    let decision = 'decision';
    while (labels.includes(decision) || decision === image) decision += '_';
    const rows = images.map((name, i) => {
      const [start, end] = [i * labels.length, (i + 1) * labels.length];
      const decided = labels[decisions.subarray(start, end).indexOf(1)];
      return [name, decided, ...Array.from(scores.subarray(start, end), (score) => score.toFixed(6))];
    });
    return [[image, decision, ...labels], ...rows].map((row) => row.map(csvCell).join(',')).join('\n');
  }
  const header = [image, ...labels.flatMap((label) => [label, `${label}${suffix}`])];
  const rows = images.map((image, i) => [
    image,
    ...labels.flatMap((_, l) => [scores[i * labels.length + l].toFixed(6), decisions[i * labels.length + l]]),
  ]);
  return [header, ...rows].map((row) => row.map(csvCell).join(',')).join('\n');
}
