/**
 * The `data` verbs: info, fetch, verify, synthesize. None loads LibTorch; the data part itself is loaded by the action.
 */
import { basename, join, resolve } from 'node:path';
import type { Command } from 'commander';
import { isExclusive, type Task } from '../../base/task';
import type { CatalogueSet } from '../../data/catalogue';
import type { SplitName } from '../../data/dataset';
import { ChestMnistError } from '../../base/errors';
import { outputAt } from '../../base/output';
import { listed } from '../../base/text';
import { cliOf, type Cli } from '../context';
import { onSignals } from '../signals';
import { countLabels, fileTable, labelTable } from '../terminal/data-tables';
import { unbroken, wrap } from '../terminal/width';

const LAYOUT = `
Examples:
  chestmnist data info
  chestmnist data info retinamnist
  chestmnist data fetch chestmnist
  chestmnist data fetch --size 64 --out ~/data
  chestmnist data verify my.npz
  chestmnist data synthesize -o small.npz --counts 2000,500,500

An .npz file holds {train,val,test}_images, uint8, gray [N, H, H] or RGB [N, H, H, 3] with H even and at least 28, and
{train,val,test}_labels: [N, L] of 0 and 1, or one column of class numbers from 0; and, when they are known, the names of
the labels as text, label_names. The catalogue holds the twelve 2D sets of MedMNIST; its files are looked for in this
folder, $CHESTMNIST_DATA, ~/.medmnist and the user's cache.`;

const SPLITS = ['train', 'val', 'test'] as const satisfies readonly SplitName[];

export function register(program: Command): void {
  const data = program
    .command('data')
    .description('data set facts, download, check, synthesize')
    .addHelpText('after', LAYOUT);
  data
    .command('info')
    .description('what a set is, its files, licence and labels, and which files are on this machine')
    .argument('[name]', 'one of the 2D sets of MedMNIST', 'chestmnist')
    .action(async (name: string, _options: object, command: Command) => info(cliOf(command), name));
  data
    .command('fetch')
    .description('download a set, resuming what is there, and check its MD5')
    .argument('[name]', 'one of the 2D sets of MedMNIST', 'chestmnist')
    .option('--size <pixels>', '28, 64, 128 or 224', '28')
    .option('--out <folder>', "where to; default $CHESTMNIST_DATA, ~/.medmnist when it exists, or the user's cache")
    .action(async (name: string, options: { size: string; out?: string }, command: Command) =>
      fetchFile(cliOf(command), name, options),
    );
  data
    .command('verify')
    .description('check everything about a data set that can be checked, and count its labels')
    .argument('[file]', 'an .npz file, or one of the 2D sets of MedMNIST', 'chestmnist')
    .option('--size <pixels>', 'of a set: 28, 64, 128 or 224', '28')
    .option('--task <name>', 'what the labels ask, as in train')
    .action(async (file: string, options: VerifyFlags, command: Command) => verify(cliOf(command), file, options));
  data
    .command('synthesize')
    .description('write a synthetic data set in which every label leaves a mark that a network can learn')
    .requiredOption('-o, --out <file>', 'the .npz file to write')
    .option('--seed <n>', 'the same seed gives the same bytes', '0')
    .option('--size <pixels>', 'even, 28 to 224', '28')
    .option('--counts <train,val,test>', "images per split; default ChestMNIST's 78468,11219,22433")
    .option('--force', 'overwrite the file')
    .action(async (options: SynthesizeFlags, command: Command) => synthesize(cliOf(command), options));
}

function integer(flag: string, text: string): number {
  if (/^\d+$/.test(text) && Number.isSafeInteger(Number(text))) return Number(text);
  throw new ChestMnistError('ERR_CONFIG', {
    found: `${flag} ${text}`,
    needed: 'a whole number',
    next: 'npx chestmnist data --help',
  });
}

/** The set that a user names. Throws ERR_CONFIG. */
async function setOf(given: string, what: string): Promise<CatalogueSet> {
  const { setNamed, suggestSet } = await import('../../data/catalogue.js');
  const set = setNamed(given);
  if (set) return set;
  throw new ChestMnistError('ERR_CONFIG', {
    found: `no data set that ${what} is called ${JSON.stringify(given)}`,
    needed: suggestSet(given),
    next:
      given === 'synthetic'
        ? 'npx chestmnist data synthesize -o synthetic.npz; or train with --data synthetic, which needs no file'
        : 'npx chestmnist data fetch chestmnist; a file of your own needs no fetch: pass its path as --data FILE.npz',
  });
}

/** What is asked, in a line. */
function taskText({ task, channels, labels }: CatalogueSet): string {
  const images = channels === 1 ? 'gray images' : 'RGB images';
  if (task === 'multi-label') return `${task}, ${labels.length} binary labels per image, ${images}`;
  if (task === 'binary-class') return `${task}, ${labels[0]} (0) or ${labels[1]} (1), ${images}`;
  const order = task === 'ordinal-regression' ? ' in order' : '';
  return `${task}, one of ${labels.length} classes${order} per image, ${images}`;
}

async function info(cli: Cli, given: string): Promise<void> {
  const { CATALOGUE } = await import('../../data/catalogue.js');
  const { findDataFile } = await import('../../data/places.js');
  const set = await setOf(given, 'is known');
  const { name, title, task, channels, licence, licenceUrl, homepage, record, citation, splits } = set;
  const files = set.files.map((known) => ({ ...known, path: findDataFile(known.file) ?? null }));
  const positives = (label: number): Partial<Record<SplitName, number>> | undefined =>
    splits.train.positives && Object.fromEntries(SPLITS.map((split) => [split, splits[split].positives?.[label]]));
  const labels = set.labels.map((label, i) => ({
    name: label,
    ...(splits.train.positives && {
      positives: positives(i),
      prevalence: splits.train.positives[i] / splits.train.count,
    }),
  }));
  const facts = { name, title, task, channels, licence, licenceUrl, homepage, record, citation };
  const others = CATALOGUE.map((other) => other.name).filter((other) => other !== name);
  cli.result({ ...facts, files, splits, labels, others }, (columns) =>
    [
      title,
      wrap(taskText(set), columns, 'Task      '),
      wrap(`${licence} (${licenceUrl})`, columns, 'Licence   '),
      wrap(`${record}, ${homepage}`, columns, 'Source    '),
      ...citation.map((text) => wrap(text, columns, 'Cite      ')),
      '',
      fileTable(files, name, columns),
      '',
      labelTable(
        set.labels,
        SPLITS.map((split) => ({ name: split, ...splits[split] })),
        columns,
      ),
      '',
      wrap(`${others.join(', ')}: npx chestmnist data info NAME`, columns, 'Others    '),
    ].join('\n'),
  );
}

async function fetchFile(cli: Cli, name: string, options: { size: string; out?: string }): Promise<void> {
  const { knownFile } = await import('../../data/catalogue.js');
  const set = await setOf(name, 'can be fetched');
  const { downloadDirectory } = await import('../../data/places.js');
  const { download } = await import('../../base/download.js');
  const { watchDownload } = await import('../terminal/download.js');
  const { file, url, md5, size } = knownFile(set, integer('--size', options.size));
  const path = join(options.out === undefined ? downloadDirectory() : resolve(options.out), file);
  cli.say(`${url}\n-> ${unbroken(path)}`);
  const progress = watchDownload(cli, file);
  const abort = new AbortController();
  const stop = (): void => {
    progress.note('interrupted: what has arrived is kept, and the same command resumes it');
    abort.abort();
  };
  const unlisten = onSignals({ stop });
  try {
    await download(url, path, {
      md5,
      onProgress: progress.update,
      onRetry: (reason, delay) => progress.note(`${reason}; trying again in ${delay / 1000} s`),
      signal: abort.signal,
      instead: 'name another folder with --out FOLDER or CHESTMNIST_DATA=FOLDER',
    });
  } finally {
    progress.end();
    unlisten();
  }
  cli.result({ path, size, md5, url }, () => unbroken(path));
}

interface VerifyFlags {
  size: string;
  task?: string;
}

async function verify(cli: Cli, source: string, options: VerifyFlags): Promise<void> {
  const { CATALOGUE, knownByMd5 } = await import('../../data/catalogue.js');
  const { checkCatalogueMd5, loadDataset } = await import('../../data/load.js');
  // loadDataset checks the word.
  const asked = options.task as Task | undefined;
  const dataset = await loadDataset(source, { size: integer('--size', options.size), task: asked });
  const { name, size, channels, task, md5, path = null, labels } = dataset;
  // A file of the catalogue's name is held to the catalogue's checksum, wherever it lies.
  for (const set of CATALOGUE) {
    const named = set.files.find(({ file }) => path !== null && basename(path) === file);
    if (path !== null && named) checkCatalogueMd5(set, path, named.size, md5);
  }
  const known = knownByMd5(md5)?.set;
  const official = known !== undefined;
  const splits = SPLITS.map((split) => countLabels(dataset, split));
  const undefinedAuc = splits.flatMap(({ name: split, count, positives = [] }) =>
    positives.flatMap((n, i) => (n === 0 || n === count ? [{ split, label: labels[i], positives: n }] : [])),
  );
  const document = {
    ok: true,
    name,
    path,
    size,
    md5,
    official,
    set: known?.name ?? null,
    task,
    channels,
    labels,
    splits: Object.fromEntries(splits.map(({ name: split, ...counts }) => [split, counts])),
    undefined_auc: undefinedAuc,
  };
  const what = isExclusive(task) ? 'classes' : labels.length === 1 ? 'label' : 'labels';
  const taskLabels = `${labels.length} ${what}${task === 'multi-label' ? '' : ` (${task})`}`;
  cli.result(document, (columns) =>
    [
      unbroken(path ?? name),
      `MD5 ${md5} (${known ? `the catalogue's ${known.name}` : 'not a file of the catalogue'})`,
      wrap(
        `${size} x ${size} pixels${channels === 3 ? ', RGB' : ''}, ${taskLabels}: everything that can be checked is right`,
        columns,
      ),
      '',
      labelTable(labels, splits, columns),
      ...(undefinedAuc.length > 0
        ? [
            '',
            `One value only, so AUC is undefined: ${undefinedAuc.map(({ split, label }) => `${listed([label])} in ${split}`).join(', ')}`,
          ]
        : []),
    ].join('\n'),
  );
}

interface SynthesizeFlags {
  out: string;
  seed: string;
  size: string;
  counts?: string;
  force?: boolean;
}

async function synthesize(cli: Cli, flags: SynthesizeFlags): Promise<void> {
  const { loadDataset } = await import('../../data/load.js');
  const { writeNpz } = await import('../../base/npz.js');
  const output = await outputAt(flags.out, ['.npz'], (text) => cli.say(text));
  const { path } = output;
  if (output.isFile && !flags.force) {
    throw new ChestMnistError('ERR_OUTPUT', {
      found: `${path} exists`,
      needed: 'a file name that is free',
      next: 'choose another name, or add --force to overwrite it',
    });
  }
  const counts = flags.counts === undefined ? undefined : parseCounts(flags.counts);
  const [seed, size] = [integer('--seed', flags.seed), integer('--size', flags.size)];
  const dataset = await loadDataset('synthetic', { seed, size, counts });
  const arrays: Record<string, { shape: number[]; data: Uint8Array }> = {};
  for (const split of SPLITS) {
    const { images, truth: labels, count, labelCount } = dataset.splits[split];
    arrays[`${split}_images`] = { shape: [count, size, size], data: images };
    arrays[`${split}_labels`] = { shape: [count, labelCount], data: labels };
  }
  await output.write((file) => writeNpz(file, arrays, { compress: true }));
  const splits = SPLITS.map((split) => countLabels(dataset, split));
  const document = {
    path,
    seed,
    size,
    content_md5: dataset.md5,
    labels: dataset.labels,
    splits: Object.fromEntries(splits.map(({ name: split, ...rest }) => [split, rest])),
  };
  cli.written(flags.out, document, (columns) =>
    [unbroken(path), '', labelTable(dataset.labels, splits, columns)].join('\n'),
  );
}

function parseCounts(text: string): Record<SplitName, number> {
  const parts = text.split(',');
  if (parts.length !== SPLITS.length) {
    throw new ChestMnistError('ERR_CONFIG', {
      found: `--counts ${text}`,
      needed: 'three whole numbers: train,val,test',
      next: 'for example --counts 4000,500,1000',
    });
  }
  const [train, val, test] = parts.map((part) => integer('--counts', part.trim()));
  return { train, val, test };
}
