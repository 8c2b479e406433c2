/**
 * `npm run check`: the inner loop. Types, lint, formatting, all cached, and the tests that start no program of ours: they
 * need neither LibTorch nor Python. Arguments go to Jest. `npm test` is the whole.
 */
import { runChecks } from './checks.mjs';
import { conclude, runJest } from './jest.mjs';
import { compile } from './steps.mjs';

// The package's own types are checked as a user sees them, so dist/ has to be there.
compile();
const [results] = await Promise.all([
  runJest(['--selectProjects', 'unit', ...process.argv.slice(2)]),
  runChecks({ cached: true }),
]);
conclude(results);
