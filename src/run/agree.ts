/**
 * Whether the files of a run directory agree with its checkpoint. A damaged or missing file is no contradiction: it is
 * written again. A whole one that says something else belongs to another run or was changed by hand, and nothing is
 * written before the user has decided. Not here: whether a checkpoint agrees with itself (checkpoint.ts).
 */
import { isDeepStrictEqual } from 'node:util';
import { exists } from '../base/atomic';
import { hashFile } from '../base/checksum';
import { ChestMnistError } from '../base/errors';
import { shellWord } from '../base/shell';
import type { DataFacts } from '../data/dataset';
import type { OptionName, ResolvedOptions } from '../recipe/options';
import { show } from '../base/arguments';
import { differingOptions } from '../recipe/resolve';
import type { Checkpoint, CheckpointFacts } from './checkpoint';
import { readConfig } from './config';
import { resumeCommand, runFiles, SCORED_SPLITS } from './directory';
import { isThere } from './entries';
import { outOfPatience, readHistory } from './history';
import { readRunFile, type RunFile } from './record';

/** Whether all epochs are trained, or patience ended. */
export const isComplete = ({ history, options }: Pick<CheckpointFacts, 'history' | 'options'>): boolean =>
  history.length >= options.epochs || outOfPatience(history, options);

/** Whether a finished run still has what it wrote: what is missing is written again by resuming it. */
export async function isWhole(directory: string): Promise<boolean> {
  const { config, run, history, metrics, best, last, scored } = runFiles(directory);
  const files = [config, run, history, metrics, best, last, ...SCORED_SPLITS.map(scored)];
  const there = await Promise.all(files.map(exists));
  return there.every(Boolean);
}

/** How run.json contradicts the facts of the newest checkpoint; undefined when it does not. */
export function contradictionOf(record: RunFile, facts: CheckpointFacts): string | undefined {
  const { run, data, history, options } = facts;
  const done = `${history.length} of ${options.epochs} epochs`;
  if (record.id !== undefined && run !== undefined && record.id !== run)
    return `is of the run ${record.id}, its checkpoint of the run ${run}`;
  if (!isSameData(record.data, data))
    return `has data with MD5 ${record.data.md5}, its checkpoint data with MD5 ${data.md5}`;
  if (record.status === 'finished' && !isComplete(facts)) return `says finished, its checkpoint has ${done}`;
  return record.epochs > history.length ? `has ${record.epochs} epochs, its checkpoint has ${done}` : undefined;
}

const isSameData = (a: DataFacts, b: DataFacts): boolean => a.md5 === b.md5 && a.size === b.size;

/**
 * Checks run.json and config.json against the checkpoint. `given` are the options of the caller, which decide anyway.
 * Returns run.json, and notes about files that are written again. Throws ERR_CHECKPOINT_INCOMPATIBLE.
 */
export async function checkAgreement(
  directory: string,
  checkpoint: CheckpointFacts & Pick<Checkpoint, 'isPrevious'>,
  given: readonly OptionName[],
): Promise<{ record?: RunFile; notes: string[] }> {
  const files = runFiles(directory);
  const notes: string[] = [];
  const record = await readRunFile(directory).catch(() => undefined);
  if (!record) notes.push('run.json is missing or damaged: it is rewritten, as if the run started now');
  // The previous checkpoint may know less than run.json.
  const facts = checkpoint.isPrevious && record ? { ...record, status: 'stopped' as const, epochs: 0 } : record;
  const contradiction = facts && contradictionOf(facts, checkpoint);
  if (contradiction !== undefined) {
    throw new ChestMnistError('ERR_CHECKPOINT_INCOMPATIBLE', {
      found: `${files.run} ${contradiction}`,
      needed: 'run.json and the checkpoint of one run',
      next: `put back the run's own file; or, to continue from this checkpoint alone, remove ${[files.run, files.config, files.history].map(shellWord).join(' and ')}, then ${resumeCommand(directory)}`,
    });
  }
  const foreign =
    (record && (await replaced(directory, record))[0]) ??
    ((await isOtherHistory(directory, checkpoint)) ? files.history : undefined);
  if (foreign !== undefined) {
    throw new ChestMnistError('ERR_CHECKPOINT_INCOMPATIBLE', {
      found: `${foreign} is not the file that the run wrote`,
      needed: 'the files of one run: resuming would replace this one',
      next: `put back the run's own file; or move this one away, then ${resumeCommand(directory)} writes its own again`,
    });
  }
  const config = await readConfig(directory).catch((error: unknown) => error as ChestMnistError);
  if (!(config instanceof Error)) {
    const changed = config ? changedOptions(config, checkpoint, given) : [];
    if (config && changed.length > 0) {
      const valuesOf = (options: ResolvedOptions): string =>
        changed.map((name) => `${name} ${show(options[name])}`).join(', ');
      throw edited(directory, `says ${valuesOf(config)}, its checkpoint ${valuesOf(checkpoint.options)}`);
    }
  } else if (config.cause instanceof ChestMnistError) throw edited(directory, `is wrong: ${config.cause.found}`);
  else notes.push('config.json is damaged: it is rewritten from the checkpoint');
  return { record, notes };
}

/**
 * What changed in a run since it was trained, in sentences: its weights, and with `data`, those that are used as its own.
 * For using a run without resuming it.
 */
export async function changesOf(
  directory: string,
  record: RunFile | undefined,
  data?: Pick<DataFacts, 'name' | 'md5'>,
): Promise<string[]> {
  const others = record ? await replaced(directory, record) : [];
  const notes = others.map(
    (file) => `${file} is not the file that the run wrote: its figures are not those of the run`,
  );
  // Synthetic data are made anew, as many as are needed.
  if (!data || data.name === 'synthetic') return notes;
  if (!record)
    notes.push(`run.json is missing or damaged: it is not known whether ${data.name} is the data of the run`);
  else if (data.md5 !== record.data.md5)
    notes.push(
      `${data.name} is not the data that the run was trained on (MD5 ${data.md5}, the run's has ${record.data.md5}): its figures cannot be compared with those of the run`,
    );
  return notes;
}

/** The files whose checksum run.json has, and that are others now. */
async function replaced(directory: string, record: RunFile): Promise<string[]> {
  const { best, metrics } = runFiles(directory);
  const found: string[] = [];
  for (const [file, before] of [
    [best, record.best_sha256],
    [metrics, record.metrics_sha256],
  ] as const) {
    if (before !== undefined && (await isThere(directory, file)) && (await hashFile(file, 'sha256')) !== before)
      found.push(file);
  }
  return found;
}

/** Whether history.csv has other epochs than the checkpoint. A damaged one is no contradiction. */
async function isOtherHistory(directory: string, { history, isPrevious }: Parameters<typeof checkAgreement>[1]) {
  const rows = (await readHistory(directory).catch(() => undefined)) ?? [];
  const common = rows.slice(0, history.length);
  return !isDeepStrictEqual(common, history.slice(0, common.length)) || (rows.length > history.length && !isPrevious);
}

/** The options that config.json has from neither the checkpoint nor what the process before began to change. */
function changedOptions(
  config: ResolvedOptions,
  { options, former }: CheckpointFacts,
  given: readonly OptionName[],
): OptionName[] {
  if (former && differingOptions(config, former).length === 0) return [];
  return differingOptions(config, options).filter((name) => !given.includes(name));
}

function edited(directory: string, what: string): ChestMnistError {
  const { config: file } = runFiles(directory);
  return new ChestMnistError('ERR_CHECKPOINT_INCOMPATIBLE', {
    found: `${file} ${what}`,
    needed: 'the options that the run has been trained with',
    next: `for a new run with these options: npx chestmnist train --config ${shellWord(file)}; to continue this one, remove that file, then ${resumeCommand(directory)}, where --epochs and other flags that may differ are given anew`,
  });
}
