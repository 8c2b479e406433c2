/** Formats the C++ under native/ by .clang-format; with --check it changes nothing and names the files that differ. */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { ROOT, say, stop } from './steps.mjs';

const check = process.argv.includes('--check');
const packaged = path.join(
  path.dirname(createRequire(import.meta.url).resolve('clang-format/package.json')),
  'bin',
  { 'linux-x64': 'linux_x64/clang-format', 'win32-x64': 'win32/clang-format.exe' }[
    `${process.platform}-${process.arch}`
  ] ?? (process.platform === 'darwin' ? 'darwin_x64/clang-format' : 'none'),
);
const program = existsSync(packaged) ? packaged : 'clang-format';

const files = readdirSync(path.join(ROOT, 'native'), { recursive: true })
  .filter((name) => /\.(h|cc|cu|inc)$/.test(name))
  .map((name) => path.join('native', name))
  .sort();
const differing = [];
for (const file of files) {
  const { status, stdout, error, stderr } = spawnSync(program, [file], {
    cwd: ROOT,
    encoding: 'utf8',
    maxBuffer: 1 << 26,
  });
  if (status !== 0) stop('clang-format', error?.message ?? stderr);
  if (stdout === readFileSync(path.join(ROOT, file), 'utf8')) continue;
  differing.push(file);
  if (!check) writeFileSync(path.join(ROOT, file), stdout);
}
if (check && differing.length > 0) stop('clang-format', `run npm run format: ${differing.join(', ')}`);
say(`${files.length} native files, ${differing.length} ${check ? 'differ' : 'formatted'}`);
