/**
 * One parser under fuzzing, in a process that may read this repository and write its scratch folder and nothing else:
 * mutate, parse, judge; inputs that reach new code join the corpus. Prints JSON lines. Started by main.mjs, which notices
 * when an input takes too long or ends the process.
 */
import { ftruncateSync, openSync, readFileSync, readdirSync, writeFileSync, writeSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { complaint, countMemory } from './judge.mjs';
import { answerFor } from './memory-file.mjs';
import { mutate } from './mutate.mjs';
import { randomOf } from './random.mjs';

const HERE = fileURLToPath(new URL('.', import.meta.url));
const ROOT = path.resolve(HERE, '..', '..');
const MOST_KEPT = 2000;
const REPORT_EVERY = 10_000;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { replay: { type: 'string' }, mistakes: { type: 'boolean' } },
});
const { replay, mistakes } = values;
const [name, inputs, seed, scratch] = positionals;
const say = (facts) => process.stdout.write(`${JSON.stringify(facts)}\n`);
const { coverage } = createRequire(import.meta.url)('./coverage.cjs');
const covered = coverage(path.join(ROOT, 'dist') + path.sep);
const memory = countMemory();
const load = async (...place) => (await import(pathToFileURL(path.join(HERE, ...place)).href)).default;
const target = mistakes ? (await load('mistakes.mjs'))[name] : await load('targets', `${name}.mjs`);
const folder = path.join(HERE, 'corpus', target.corpus ?? name);
const own = readdirSync(folder).map((file) => path.join(folder, file));
const shared = (target.fixtures ?? []).map((file) => path.join(ROOT, 'tests', 'fixtures', file));
const corpus = [...own.sort(), ...shared].map((file) => readFileSync(file));
const file = path.join(scratch, target.file);
const random = randomOf(Number(seed));
/** One input in so many is read from the disk. */
const FROM_DISK = 100;
let inMemory;
let attempts = 0;
answerFor(file, () => inMemory);

let findings = 0;
const disk = openSync(file, 'w');
say({ input: file }); // where main.mjs finds what hangs
/** Parses one input; a finding is saved and reported. Returns whether it reached new code. */
async function attempt(bytes, origin) {
  writeSync(disk, bytes, 0, bytes.length, 0);
  ftruncateSync(disk, bytes.length);
  inMemory = attempts++ % FROM_DISK === 0 ? undefined : bytes;
  // Stacks cost a quarter of the time: they are recorded in a second try, which decides.
  Error.stackTraceLimit = 0;
  if ((await reasonAgainst(bytes, origin)) !== undefined) {
    Error.stackTraceLimit = 8;
    const reason = await reasonAgainst(bytes, origin);
    if (reason !== undefined) {
      writeFileSync(path.join(scratch, `finding-${findings++}`), bytes);
      say({ finding: reason, bytes: bytes.length });
    }
  }
  return covered.fresh() > 0;
}

/** What speaks against how the parser took this input; undefined when nothing does. */
async function reasonAgainst(bytes, origin) {
  memory();
  let reason = origin === 'corpus' ? 'a file of the corpus is refused' : undefined;
  try {
    await target.parse(file, bytes);
    reason = undefined;
  } catch (error) {
    reason = complaint(error) ?? reason;
  }
  const asked = memory();
  const allowed = target.memory(bytes.length);
  return asked > allowed ? `it asks for ${asked} bytes, ${allowed} allowed for ${bytes.length} of input` : reason;
}

if (replay !== undefined) {
  await attempt(readFileSync(replay));
} else {
  for (const bytes of corpus) await attempt(bytes, 'corpus');
  const change = target.mutate ?? mutate;
  for (let n = 1; n <= Number(inputs); n++) {
    const context = { vocabulary: target.vocabulary ?? [], other: random.pick(corpus) };
    const bytes = change(random.pick(corpus), random, context);
    if ((await attempt(bytes)) && corpus.length < MOST_KEPT) corpus.push(bytes);
    if (n % REPORT_EVERY === 0) say({ inputs: n, corpus: corpus.length, covered: covered.seen() });
  }
}
say({ inputs: replay === undefined ? Number(inputs) : 1, corpus: corpus.length, covered: covered.seen(), done: true });
