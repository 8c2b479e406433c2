/**
 * `npm run prebuilds`: puts the addon for this platform into prebuilds/, through prebuildify and binding.gyp, with the
 * record of what it was built against beside it.
 */
import { copyFileSync } from 'node:fs';
import path from 'node:path';
import { makeReady, ROOT, step } from './steps.mjs';

makeReady();
step('prebuild', process.execPath, ['node_modules/prebuildify/bin.js', '--napi']);
copyFileSync(
  path.join(ROOT, 'build', 'Release', 'chestmnist.json'),
  path.join(ROOT, 'prebuilds', `${process.platform}-${process.arch}`, 'chestmnist.json'),
);
