/** Probabilities for your own PNG or JPEG files. Arguments: a run directory (or a file of weights), then the images. */
import { ChestMnistError, predict } from 'chestmnist';

const [run, ...images] = process.argv.slice(2);
try {
  // Each image is made gray, cut to its central square and brought to the model's size.
  // A finished run keeps thresholds that were tuned on its validation split: 'val-f1' takes them.
  const { labels, scores, decisions, images: names } = await predict(run, images, { thresholds: 'val-f1' });
  names.forEach((name, i) => {
    console.log(name);
    labels.forEach((label, l) => {
      const at = i * labels.length + l; // [N, L], row after row
      console.log(`  ${label.padEnd(20)} ${scores[at].toFixed(3)}${decisions[at] ? '  above its threshold' : ''}`);
    });
  });
} catch (error) {
  if (!(error instanceof ChestMnistError)) throw error;
  console.error(`${error.code}: ${error.found}\nneeded: ${error.needed}\nnext: ${error.next}`);
  process.exitCode = 1;
}
