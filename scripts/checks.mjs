/**
 * The checks of `npm test` and `npm run check` that run no test. Cached, they look only at what has changed: TypeScript
 * and Prettier exactly; a rule of ESLint that needs types may miss what a change in one file means for another, so
 * `npm test` takes no cache.
 */
import { stepBeside } from './steps.mjs';

const CACHE = 'node_modules/.cache';
const tool = (file, ...args) => [`node_modules/${file}`, ...args];

/** One after the other, beside other steps. The first that fails ends the script. */
export async function runChecks({ cached = false } = {}) {
  const cache = (...flags) => (cached ? flags : []);
  const checks = {
    types: tool(
      'typescript/bin/tsc',
      ...['-p', 'tsconfig.json', '--noEmit'],
      ...cache('--incremental', '--tsBuildInfoFile', `${CACHE}/types.tsbuildinfo`),
    ),
    lint: tool('eslint/bin/eslint.js', '.', ...cache('--cache', '--cache-location', `${CACHE}/eslint/`)),
    rooms: tool('dependency-cruiser/bin/dependency-cruise.mjs', 'src', '--progress', 'none'),
    formatting: tool(
      'prettier/bin/prettier.cjs',
      ...['--check', '.'],
      ...cache('--cache', '--cache-location', `${CACHE}/prettier`),
    ),
    'formatting of native code': ['scripts/format-native.mjs', '--check'],
  };
  for (const [name, args] of Object.entries(checks)) await stepBeside(name, process.execPath, args);
}
