/**
 * `node scripts/python.mjs FILE.py…`: runs Python programs with the reference interpreter, which it creates when
 * needed.
 */
import { ensureReference } from './reference.mjs';
import { step, stop } from './steps.mjs';

const programs = process.argv.slice(2);
if (programs.length === 0) stop('python', 'usage: node scripts/python.mjs FILE.py…', 2);
const { python, reason } = await ensureReference();
if (!python) stop('Python reference', reason);
for (const program of programs) step(program, python, [program]);
