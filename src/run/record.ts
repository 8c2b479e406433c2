/**
 * run.json: what ran where, and how it ended. Written at the start and at the end of a run, read when a run is resumed
 * and by the report. Not here: the options of a run (config.ts), its epochs (history.ts).
 */
import os from 'node:os';
import { z } from 'zod';
import { writeJson, writeJsonNow } from '../base/json';
import { version } from '../base/version';
import type { DataFacts } from '../data/dataset';
import { native } from '../engine/addon';
import { runFiles } from './directory';
import { readAs } from './own-json';

const count = z.int().min(1);
const whole = z.array(z.int().min(0));

/** What identifies the data of a run (DataFacts). */
export const dataFactsSchema = z.object({
  name: z.string(),
  size: z.int().min(1),
  md5: z.string(),
  counts: z.object({ train: count, val: count, test: count }),
}) satisfies z.ZodType<DataFacts>;

/** Fields that earlier versions did not write are optional; unknown fields are kept. */
const schema = z.looseObject({
  /** Drawn when the run began; its checkpoints have the same. */
  id: z.string().optional(),
  status: z.enum(['running', 'finished', 'stopped', 'failed']),
  versions: z.looseObject({
    chestmnist: z.string(),
    node: z.string(),
    libtorch: z.string(),
    /** CUDA version that LibTorch was built with; null on the CPU. */
    cuda: z.string().nullable(),
  }),
  device: z.string(),
  device_name: z.string(),
  threads: z.int(),
  cpu_capability: z.string(),
  platform: z.string(),
  data: dataFactsSchema
    .extend({
      path: z.string().nullable(),
      channels: z.literal([1, 3]).optional(),
      /** Images with each label, in label order. */
      positives: z.object({ train: whole, val: whole, test: whole }).optional(),
    })
    .loose(),
  /** Times are ISO 8601 in UTC. */
  started: z.iso.datetime(),
  /** Start of each continuation. */
  resumed: z.array(z.iso.datetime()),
  ended: z.iso.datetime().nullable(),
  /** Of this process only. */
  seconds: z.number().min(0).nullable(),
  peak_rss_bytes: z.number().min(0).nullable(),
  argv: z.array(z.string()),
  best_epoch: z.int().min(1).nullable(),
  /** Finished epochs. */
  epochs: z.int().min(0),
  /** SHA-256 of weights/best.safetensors. */
  best_sha256: z.string().optional(),
  /** SHA-256 of metrics.json; of finished runs. */
  metrics_sha256: z.string().optional(),
  error: z.looseObject({ code: z.string().optional(), message: z.string() }).optional(),
});

export type RunFile = z.infer<typeof schema>;
type RunStatus = RunFile['status'];

/** run.json of a run in progress. */
export interface RunRecord {
  /** Of this process only. */
  seconds(): number;
  /** The content of run.json for a run that ends like this. */
  ending(status: RunStatus, more: Partial<RunFile>): RunFile;
  write(file?: RunFile): Promise<void>;
  /** Without waiting, for a process that exits. What cannot be written then stays as it is. */
  writeNow(file: RunFile): void;
}

/** Writes run.json with status `running`. */
export async function startRunFile(
  directory: string,
  facts: Pick<RunFile, 'id' | 'device' | 'threads' | 'best_epoch' | 'epochs' | 'data'>,
  resumed: boolean,
): Promise<RunRecord> {
  const began = performance.now();
  const now = new Date().toISOString();
  const before = await readRunFile(directory).catch(() => undefined);
  const cuda = facts.device === 'cpu' ? undefined : native().cudaStatus();
  const index = Number(facts.device.split(':')[1] ?? 0);
  const run: RunFile = {
    id: facts.id,
    status: 'running',
    versions: {
      chestmnist: version,
      node: process.versions.node,
      libtorch: native().torchVersion(),
      cuda: cuda?.builtWith ?? null,
    },
    device: facts.device,
    device_name: cuda?.devices[index]?.name ?? os.cpus()[0]?.model.trim() ?? 'unknown',
    threads: facts.threads,
    cpu_capability: native().cpuCapability(),
    platform: `${process.platform}-${process.arch}`,
    data: facts.data,
    started: before?.started ?? now,
    resumed: [...(before?.resumed ?? []), ...(resumed ? [now] : [])],
    ended: null,
    seconds: null,
    peak_rss_bytes: null,
    argv: process.argv,
    best_epoch: facts.best_epoch,
    epochs: facts.epochs,
  };
  const record: RunRecord = {
    seconds: () => (performance.now() - began) / 1000,
    ending: (status, more) => ({
      ...run,
      status,
      ended: new Date().toISOString(),
      seconds: record.seconds(),
      peak_rss_bytes: process.resourceUsage().maxRSS * 1024,
      ...more,
    }),
    write: (file = run) => writeJson(runFiles(directory).run, file),
    writeNow: (file) => writeJsonNow(runFiles(directory).run, file),
  };
  await record.write();
  return record;
}

/** run.json; undefined when it does not exist. Throws ERR_DATA_CORRUPT when it is damaged. */
export const readRunFile = (directory: string): Promise<RunFile | undefined> =>
  readAs(directory, runFiles(directory).run, schema);
