/** A thread that reads pictures for an import: a file in, its pixels or its error out. Not here: who gets which (pool.ts). */
import { parentPort, workerData } from 'node:worker_threads';
import { ChestMnistError } from '../base/errors';
import { systemError } from '../base/disk';
import { readPicture, type Preparing } from './picture';
import type { Answer, Question } from './pool';

parentPort?.on('message', ({ id, file }: Question) => {
  void readPicture(file, workerData as Preparing).then(
    ({ prepared, ...facts }) => answer({ id, facts, prepared }),
    (error: unknown) => {
      const known = systemError(error);
      if (known instanceof ChestMnistError) {
        answer({ id, refused: { code: known.code, ...ChestMnistError.inFlags(known) } });
      } else answer({ id, failed: error instanceof Error ? (error.stack ?? error.message) : String(error) });
    },
  );
});

const answer = (message: Answer): void => parentPort?.postMessage(message);
