/**
 * Before `npm pack`: compiles, refuses prebuilt addons of other sources, and puts echarts' one-file build in the place of
 * dist/report/charts/echarts.js, with the licences of what is inside, so that the package does not depend on all of echarts.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { isCurrent } from '../tests/package/contents.mjs';
import { ROOT, step, stop } from './steps.mjs';

step('compile TypeScript', process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json']);

// An addon of other sources would make every installation build its own.
for (const place of ['prebuilds', 'cuda/prebuilds'].filter((folder) => existsSync(path.join(ROOT, folder)))) {
  const old = readdirSync(path.join(ROOT, place)).find((name) => !isCurrent(path.join(ROOT, place, name)));
  if (old) stop('prebuilt addons', `${place}/${old} is of other sources; npm run prebuilds -- --cuda makes them anew`);
}

const read = (file) => readFileSync(path.join(ROOT, 'node_modules', file), 'utf8');
const report = path.join(ROOT, 'dist', 'report', 'charts');
writeFileSync(path.join(report, 'echarts.js'), read('echarts/dist/echarts.min.js'));
const licences = ['echarts/NOTICE', 'echarts/LICENSE', 'echarts/licenses/LICENSE-d3', 'zrender/LICENSE'];
writeFileSync(
  path.join(report, 'echarts.LICENSE.txt'),
  licences.map((file) => `== ${file}\n\n${read(file).trim()}\n`).join('\n'),
);
