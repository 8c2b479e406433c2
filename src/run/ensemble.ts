/**
 * ensemble.json: the members of an ensemble, which are run directories beside it that differ in their seeds alone, and how
 * far they are. Not here: the training of the members (train/ensemble.ts), their common predictions (judge/ensemble.ts).
 */
import { z } from 'zod';
import { show } from '../base/arguments';
import { exists } from '../base/atomic';
import { ChestMnistError } from '../base/errors';
import { writeJson, writeJsonNow } from '../base/json';
import { shellWord } from '../base/shell';
import type { DataFacts } from '../data/dataset';
import type { ResolvedOptions } from '../recipe/options';
import { configOf, differingOptions, isFree } from '../recipe/resolve';
import { optionsSchema } from './checkpoint';
import { hasCheckpoint, resumeCommand, runFiles } from './directory';
import { readAs } from './own-json';
import { dataFactsSchema, type RunFile } from './record';

const ended = ['finished', 'stopped', 'failed'] as const;

/** Unknown fields are kept. */
const schema = z.looseObject({
  status: z.enum(['running', ...ended]),
  data: dataFactsSchema,
  /** Those of all members; `seed` is that of none. */
  options: optionsSchema,
  members: z
    .array(
      z.looseObject({
        seed: z.int().min(0),
        status: z.enum(['waiting', 'running', ...ended]),
        best_epoch: z.int().min(1).nullable(),
      }),
    )
    .min(2),
  /** Times are ISO 8601 in UTC. */
  started: z.iso.datetime(),
  resumed: z.array(z.iso.datetime()),
  ended: z.iso.datetime().nullable(),
  argv: z.array(z.string()),
  /** SHA-256 of metrics.json; of finished ensembles. */
  metrics_sha256: z.string().optional(),
  error: z.looseObject({ code: z.string().optional(), message: z.string() }).optional(),
});

export type Ensemble = z.infer<typeof schema>;

export const isEnsemble = (directory: string): Promise<boolean> => exists(runFiles(directory).ensemble);

/** ensemble.json; undefined when it does not exist. Throws ERR_DATA_CORRUPT when it is damaged. */
export const readEnsemble = (directory: string): Promise<Ensemble | undefined> =>
  readAs(directory, runFiles(directory).ensemble, schema);

const saved = (ensemble: Ensemble) => ({ ...ensemble, options: configOf(ensemble.options) });

export const writeEnsemble = (directory: string, ensemble: Ensemble): Promise<void> =>
  writeJson(runFiles(directory).ensemble, saved(ensemble));

/** Without waiting, for a process that exits. */
export const writeEnsembleNow = (directory: string, ensemble: Ensemble): void =>
  writeJsonNow(runFiles(directory).ensemble, saved(ensemble));

/**
 * Refuses a member that was trained with other options than the ensemble, or on other data: ERR_CHECKPOINT_INCOMPATIBLE.
 */
export function checkMember(
  directory: string,
  seed: number,
  { options, data }: Pick<Ensemble, 'options' | 'data'>,
  member: { config?: ResolvedOptions; record?: Pick<RunFile, 'data'> },
): void {
  checkPart(directory, runFiles(directory).member(seed), { options: { ...options, seed }, data }, member);
}

/** The same for any run of several, whose options are to be these. */
export function checkPart(
  directory: string,
  at: string,
  { options: all, data }: Pick<Ensemble, 'options' | 'data'>,
  { config, record }: { config?: ResolvedOptions; record?: Pick<RunFile, 'data'> },
): void {
  const refuse = (found: string, needed: string): ChestMnistError =>
    new ChestMnistError('ERR_CHECKPOINT_INCOMPATIBLE', {
      found: `${at} ${found}`,
      needed: `a run of ${directory}: ${needed}`,
      next: `put its own folder back; or remove ${shellWord(at)}, then ${resumeCommand(directory)} trains it again`,
    });
  if (config) {
    const others = differingOptions(config, all).filter((name) => !isFree(name));
    const list = (values: ResolvedOptions): string => others.map((name) => `${name} ${show(values[name])}`).join(', ');
    if (others.length > 0) throw refuse(`was trained with ${list(config)}`, list(all));
  }
  if (record && !isSame(record.data, data)) throw refuse(`was trained on ${textOf(record.data)}`, textOf(data));
}

/** Data may have another name: their file may have moved. */
export const isSame = (a: DataFacts, b: DataFacts): boolean => {
  const splits = ['train', 'val', 'test'] as const;
  return a.md5 === b.md5 && a.size === b.size && splits.every((name) => a.counts[name] === b.counts[name]);
};

const textOf = ({ name, md5, size, counts }: DataFacts): string =>
  `${name} with MD5 ${md5} and ${Object.values(counts).join('/')} images of ${size} px`;

/** The error of a member, which names it. */
export const errorOf = (seed: number, cause: unknown, next?: string): unknown =>
  errorIn(`member seed-${seed}`, cause, next);

/** The error of one run of several, which names it. */
export function errorIn(part: string, cause: unknown, next?: string): unknown {
  if (!(cause instanceof ChestMnistError)) return cause;
  const parts = ChestMnistError.inFlags(cause);
  const more = { cause, reason: cause.reason };
  return new ChestMnistError(
    cause.code,
    { ...parts, found: `${part}: ${parts.found}`, next: next ?? parts.next },
    more,
  );
}

/**
 * What `work` reads of a member; its error names the member and the command that repairs it: a member is an ordinary run,
 * which writes again what it has lost when it is resumed.
 */
export async function ofMember<T>(directory: string, seed: number, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    const { member } = runFiles(directory);
    const at = member(seed);
    const again = `${resumeCommand(directory)} trains this member again`;
    if (!(await exists(at))) throw errorOf(seed, cause, again);
    if ((cause as ChestMnistError).code !== 'ERR_WEIGHTS') throw errorOf(seed, cause);
    const isKept = await hasCheckpoint(at);
    const [lost, next] = isKept ? [runFiles(at).best, `${resumeCommand(at)} writes it again`] : [at, again];
    throw errorOf(seed, cause, `remove ${shellWord(lost)}, then ${next}`);
  }
}

/** The error for an ensemble whose members are not all trained and scored. */
export function unfinished(directory: string, { members }: Ensemble): ChestMnistError {
  const finished = members.filter(({ status }) => status === 'finished').length;
  return new ChestMnistError('ERR_CONFIG', {
    found: `the ensemble ${directory} is not finished: ${finished} of its ${members.length} members are`,
    needed: 'a finished ensemble, or one member, which is a run by itself',
    next: resumeCommand(directory),
  });
}
