/**
 * `npm test`: all checks, from a bare clone: set-up, formatting, types, and all tests. Arguments are passed to Jest
 * (`npm test -- tests/unit`). Tests that are skipped are listed by name.
 */
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { ensureReference } from './reference.mjs';
import { makeReady, ROOT, say, secondsSince, step, stop } from './steps.mjs';

makeReady();
const reference = ensureReference();

const node = process.execPath;
step('lint', node, ['node_modules/eslint/bin/eslint.js', '.']);
step('rooms', node, ['node_modules/dependency-cruiser/bin/dependency-cruise.mjs', 'src', '--progress', 'none']);
step('formatting', node, ['node_modules/prettier/bin/prettier.cjs', '--check', '.']);
step('formatting of native code', node, ['scripts/format-native.mjs', '--check']);
step('types', node, ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.json', '--noEmit']);
step('API reference', node, ['scripts/docs.mjs', '--check']);
step('package', node, ['tests/package/main.mjs', '--short']);

say('\n== tests');
const results = path.join(ROOT, 'build', 'jest.json');
mkdirSync(path.dirname(results), { recursive: true });
rmSync(results, { force: true });
const args = ['node_modules/jest/bin/jest.js', '--json', `--outputFile=${results}`, ...process.argv.slice(2)];
// Without a reference the tests must not use an incomplete one.
const env = reference.python ? process.env : { ...process.env, CHESTMNIST_PYTHON: '' };
const jest = spawnSync(node, args, { cwd: ROOT, env, stdio: ['inherit', 'ignore', 'inherit'] });

let report;
try {
  report = JSON.parse(readFileSync(results, 'utf8'));
} catch {
  stop('tests', `Jest gave no results (${jest.signal ?? `exit ${jest.status}`})`, jest.status || 1);
}
const tests = report.testResults.flatMap(({ name, assertionResults }) =>
  assertionResults.map(({ status, fullName }) => ({ status, name: `${path.relative(ROOT, name)}: ${fullName}` })),
);
const skipped = tests.filter(({ status }) => status !== 'passed' && status !== 'failed');
// A file that does not run reports no failed test, so it counts as one.
const failed = report.numFailedTests + report.numRuntimeErrorTestSuites;

say('');
if (reference.reason) {
  say(`no Python reference: ${reference.reason}`);
  say('tests that compare with it live were skipped; those on committed fixtures ran');
}
for (const { name } of skipped) say(`skipped  ${name}`);
say(`time ${secondsSince()} s in all`);
say(`${report.numPassedTests} passed, ${failed} failed, ${skipped.length} skipped`);
if (jest.status !== 0 || failed > 0) stop('tests', `${failed} failed`, jest.status || 1);
