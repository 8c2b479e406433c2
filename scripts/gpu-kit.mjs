/**
 * Makes gpu-kit/, an ignored folder that takes this project to a machine with a CUDA device, Python with torch, CMake and a
 * compiler, but with neither Node nor a network: Node, the compiled JavaScript, the native sources and the packages they
 * need, as one archive, and run.sh, which unpacks it there, builds the addon against that machine's torch and runs bench/gpu.
 * Usage: npm run gpu-kit, then there: bash gpu-kit/run.sh FOLDER [--device cpu] [--only parity]
 */
import { execFileSync } from 'node:child_process';
import { copyFileSync, cpSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { compile, ROOT, say } from './steps.mjs';

const MOST = 60 * 2 ** 20;
const RUN = `#!/bin/bash
# bash run.sh FOLDER [arguments of bench/gpu/run.mjs]: results.md, log.txt and summary.json in FOLDER.
set -e
kit=$(cd "$(dirname "$0")" && pwd)
out=$(mkdir -p "$1" && cd "$1" && pwd)
shift
work=\${CHESTMNIST_KIT_WORK:-/tmp/chestmnist-kit}
rm -rf "$work" && mkdir -p "$work"
# Python reads xz where the program itself may be missing.
python3 -c "import sys, tarfile; tarfile.open(sys.argv[1]).extractall(sys.argv[2])" "$kit/kit.tar.xz" "$work"
export PATH="$work/bin:$PATH"
export CHESTMNIST_PYTHON=\${CHESTMNIST_PYTHON:-$(command -v python3)} XDG_CACHE_HOME="$work/cache"
nvidia-smi || true
cd "$work" && exec node bench/gpu/run.mjs --setup --out "$out" "$@"
`;

compile();
const kit = path.join(ROOT, 'gpu-kit');
const stage = mkdtempSync(path.join(os.tmpdir(), 'gpu-kit-'));
const listed = execFileSync('npm', ['ls', '--omit=dev', '--all', '--parseable'], { cwd: ROOT, encoding: 'utf8' });
const packages = listed.split('\n').slice(1).filter(Boolean);
for (const name of ['dist', 'native', 'bench', 'CMakeLists.txt', 'package.json', 'examples']) {
  cpSync(path.join(ROOT, name), path.join(stage, name), { recursive: true });
}
// A package inside another comes with it.
const inside = path.join('node_modules', path.sep);
for (const from of packages.filter((place) => path.relative(ROOT, place).split(inside).length === 2)) {
  cpSync(from, path.join(stage, path.relative(ROOT, from)), { recursive: true });
}
// In the package, prepack puts the charts' one file into dist.
for (const name of ['package.json', 'dist/echarts.min.js']) {
  cpSync(path.join(ROOT, 'node_modules', 'echarts', name), path.join(stage, 'node_modules', 'echarts', name));
}
mkdirSync(path.join(stage, 'bin'));
copyFileSync(process.execPath, path.join(stage, 'bin', 'node'));
execFileSync('strip', [path.join(stage, 'bin', 'node')]);

rmSync(kit, { recursive: true, force: true });
mkdirSync(kit);
const archive = path.join(kit, 'kit.tar.xz');
execFileSync('tar', ['-cJf', archive, '-C', stage, '.'], { env: { ...process.env, XZ_OPT: '-6 -T0' } });
rmSync(stage, { recursive: true });
writeFileSync(path.join(kit, 'run.sh'), RUN, { mode: 0o755 });
const { size } = statSync(archive);
if (size > MOST) {
  rmSync(kit, { recursive: true });
  throw new Error(`the kit would have ${(size / 2 ** 20).toFixed(1)} MiB; it may have ${MOST / 2 ** 20}`);
}
say(`gpu-kit/: ${(size / 2 ** 20).toFixed(1)} MiB. On the other machine: bash gpu-kit/run.sh FOLDER`);
