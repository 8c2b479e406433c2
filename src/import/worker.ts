/** A thread that reads pictures for an import: a file in, its answer out. Not here: who gets which (pool.ts). */
import { parentPort, workerData } from 'node:worker_threads';
import { answerTo, type Question, type Settings } from './pool';

parentPort?.on('message', (question: Question) => {
  void answerTo(question, workerData as Settings).then((answer) => parentPort?.postMessage(answer));
});
