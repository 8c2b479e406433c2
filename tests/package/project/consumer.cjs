// A CommonJS consumer: the same classes as ESM, and the native code in the main thread and in workers.
const { writeFileSync } = require('node:fs');
const path = require('node:path');
const { Worker, isMainThread, parentPort } = require('node:worker_threads');
const chestmnist = require('chestmnist');

const run = path.resolve('runs', 'first');
const score = async () => (await chestmnist.evaluate(run, { device: 'cpu', threads: 1 })).metrics.auc.macro;

if (!isMainThread) {
  score().then((auc) => parentPort.postMessage(auc));
} else {
  const inWorker = () =>
    new Promise((resolve, reject) => new Worker(__filename).once('message', resolve).once('error', reject));
  (async () => {
    const esm = await import('chestmnist');
    if (esm.ChestMnistError !== chestmnist.ChestMnistError) throw new Error('two error classes');
    const [first, ...others] = [await score(), ...(await Promise.all([inWorker(), inWorker()]))];
    if (typeof first !== 'number' || others.some((auc) => auc !== first)) throw new Error(`AUC ${first}, ${others}`);
    writeFileSync('auc.json', JSON.stringify(first));
    console.log('ok');
  })().catch((error) => {
    console.error(error);
    process.exitCode = 1;
  });
}
