/**
 * Before `npm pack`: refuses a package without a prebuilt addon for this platform (except with
 * CHESTMNIST_PACK_SOURCES=1, which packs only the sources) and prebuilt addons that were built from other sources, compiles, and replaces
 * dist/report/charts/echarts.js by the one-file build of echarts, with the licences of its contents, so that the
 * package does not depend on all of echarts.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { isCurrent } from '../tests/package/contents.mjs';
import { ROOT, step, stop } from './steps.mjs';

const PLACES = ['prebuilds', 'cuda/prebuilds'].filter((folder) => existsSync(path.join(ROOT, folder)));
const OWN = `prebuilds/${process.platform}-${process.arch}`;
if (process.env.CHESTMNIST_PACK_SOURCES === '1') {
  if (PLACES.length > 0)
    stop(
      'npm pack of only the sources',
      `${PLACES.join(' and ')} would go into it: remove ${PLACES.length > 1 ? 'them' : 'it'}, or unset CHESTMNIST_PACK_SOURCES`,
    );
} else if (!addonsIn(path.join(ROOT, OWN))) {
  // Installing such a package needs a compiler and several minutes.
  stop(
    'npm pack',
    `no prebuilt addon in ${OWN}: npm run prebuilds makes it; CHESTMNIST_PACK_SOURCES=1 packs only the sources`,
  );
}

step('compile TypeScript', process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json']);

// An addon that was built from other sources would make every installation build its own.
for (const place of PLACES) {
  const old = readdirSync(path.join(ROOT, place)).find((name) => !isCurrent(path.join(ROOT, place, name)));
  if (old)
    stop('prebuilt addons', `${place}/${old} was built from other sources; npm run prebuilds -- --cuda rebuilds them`);
}

const read = (file) => readFileSync(path.join(ROOT, 'node_modules', file), 'utf8');
const report = path.join(ROOT, 'dist', 'report', 'charts');
writeFileSync(path.join(report, 'echarts.js'), read('echarts/dist/echarts.min.js'));
const licences = ['echarts/NOTICE', 'echarts/LICENSE', 'echarts/licenses/LICENSE-d3', 'zrender/LICENSE'];
writeFileSync(
  path.join(report, 'echarts.LICENSE.txt'),
  licences.map((file) => `== ${file}\n\n${read(file).trim()}\n`).join('\n'),
);

function addonsIn(folder) {
  return existsSync(folder) && readdirSync(folder).some((name) => name.endsWith('.node'));
}
