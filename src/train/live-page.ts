/**
 * When report.html of a watched run is written: at the start, after each epoch and at the end. It is a help and no result:
 * where it cannot be written the run goes on, and a note says so once. Not here: what it shows (report/live/).
 */
import path from 'node:path';
import { writeAtomically, writeNow } from '../base/atomic';
import { asInstalled } from '../base/shell';
import type { LiveRun, LiveState, renderLive } from '../report/live';
import { resumeCommand, runFiles } from '../run/directory';
import type { EpochRow } from '../run/history';
import type { Dataset } from '../data/dataset';
import type { ResolvedOptions } from '../recipe/options';
import type { TrainEvent } from './events';

/** What it needs of the run. */
interface Session {
  directory: string;
  options: ResolvedOptions;
  dataset: Pick<Dataset, 'name'>;
  emit: (event: TrainEvent) => void;
  /** Whether this process still owns the run directory. */
  held: () => boolean;
}

export interface Ending {
  status: 'finished' | 'stopped' | 'failed';
  error?: string;
}

export class LivePage {
  readonly #file: string;
  readonly #run: LiveRun;
  readonly #session: Session;
  /** Loaded by the first page, so that the last one needs no waiting. */
  #render: typeof renderLive | undefined;
  #isLost = false;

  /** `history` is that of the journal, which grows. */
  constructor(session: Session, history: readonly EpochRow[]) {
    const { directory, options, dataset } = session;
    this.#session = session;
    this.#file = runFiles(directory).report;
    this.#run = { directory, name: path.basename(directory), data: dataset.name, options, history };
  }

  /** Shows what the run has reached. */
  refresh(): Promise<void> {
    return this.#write({ status: 'running', now: new Date() });
  }

  /** The last page. */
  end(ending: Ending): Promise<void> {
    return this.#write(this.#stateOf(ending));
  }

  /** The last page of a process that exits. */
  endNow(): void {
    const page = this.#render?.(this.#run, this.#stateOf({ status: 'stopped' }));
    if (page !== undefined) writeNow(this.#file, page);
  }

  #stateOf({ status, error }: Ending): LiveState {
    const goOn = status === 'stopped' ? `To go on: ${asInstalled(resumeCommand(this.#run.directory))}` : undefined;
    return { status, now: new Date(), text: error ?? goOn };
  }

  async #write(state: LiveState): Promise<void> {
    try {
      this.#render ??= (await import('../report/live/index.js')).renderLive;
      const page = this.#render(this.#run, state);
      if (this.#session.held()) await writeAtomically(this.#file, (handle) => handle.writeFile(page));
    } catch (error) {
      if (this.#isLost) return;
      this.#isLost = true;
      const text = `${this.#file} is not refreshed: ${(error as Error).message.split('\n')[0]}`;
      this.#session.emit({ type: 'note', text });
    }
  }
}
