/** Jest as `npm test` and `npm run check` run it, and what is printed of it at the end. */
import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { ROOT, say, secondsSince, stop } from './steps.mjs';

/** Runs Jest. Each file is shown when it has ended; the results are for `conclude`. */
export async function runJest(args, env = process.env) {
  const file = path.join(ROOT, 'build', 'jest.json');
  mkdirSync(path.dirname(file), { recursive: true });
  rmSync(file, { force: true });
  const program = ['node_modules/jest/bin/jest.js', '--json', `--outputFile=${file}`, ...args];
  const jest = spawn(process.execPath, program, { cwd: ROOT, env, stdio: ['inherit', 'ignore', 'inherit'] });
  const [status, signal] = await new Promise((resolve) => jest.once('close', (...how) => resolve(how)));
  try {
    return { ...JSON.parse(readFileSync(file, 'utf8')), status };
  } catch {
    stop('tests', `Jest gave no results (${signal ?? `exit ${status}`})`, status || 1);
  }
}

/** Prints the skipped tests by name, where the time went, and the counts; a failed test makes the exit code. */
export function conclude({ status, testResults, ...report }, notes = []) {
  const seconds = {};
  const skipped = [];
  for (const { name, startTime, endTime, assertionResults } of testResults) {
    const file = path.relative(path.join(ROOT, 'tests'), name);
    const project = file.split(path.sep)[0];
    seconds[project] = (seconds[project] ?? 0) + (endTime - startTime) / 1000;
    for (const { status, fullName } of assertionResults)
      if (status !== 'passed' && status !== 'failed') skipped.push(`skipped  tests/${file}: ${fullName}`);
  }
  // A file that does not run reports no failed test, so it counts as one.
  const failed = report.numFailedTests + report.numRuntimeErrorTestSuites;
  const times = Object.entries(seconds).map(([project, time]) => `${project} ${time.toFixed(0)}`);
  for (const line of ['', ...notes, ...skipped, `seconds of the test files: ${times.join(', ')}`]) say(line);
  say(`time ${secondsSince()} s in all`);
  say(`${report.numPassedTests} passed, ${failed} failed, ${skipped.length} skipped`);
  if (status !== 0 || failed > 0) stop('tests', `${failed} failed`, status || 1);
}
