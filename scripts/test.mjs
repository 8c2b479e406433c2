/**
 * `npm test`: all checks, from a bare clone: set-up, formatting, types, the package, and all tests. Arguments are passed
 * to Jest (`npm test -- tests/unit`). Steps that do not need each other run at the same time.
 */
import { runChecks } from './checks.mjs';
import { conclude, runJest } from './jest.mjs';
import { ensureReference } from './reference.mjs';
import { compile, say, SETUP, stepBeside } from './steps.mjs';

compile();
const [reference] = await Promise.all([
  ensureReference(),
  stepBeside(...SETUP).then(() => stepBeside('API reference', process.execPath, ['scripts/docs.mjs', '--check'])),
  runChecks(),
]);

say('\n== tests');
// Without a reference the tests must not use an incomplete one.
const env = reference.python ? process.env : { ...process.env, CHESTMNIST_PYTHON: '' };
const [results] = await Promise.all([
  runJest(process.argv.slice(2), env),
  stepBeside('package', process.execPath, ['tests/package/main.mjs', '--short']),
]);
const without = [
  `no Python reference: ${reference.reason}`,
  'tests that compare with it live were skipped; those on committed fixtures ran',
];
conclude(results, reference.python ? [] : without);
