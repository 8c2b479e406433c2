/**
 * `npm run prebuilds`: puts the addon for this platform into prebuilds/, through prebuildify and binding.gyp: stripped,
 * its C library in its name, and the record of what it was built against beside it.
 */
import { copyFileSync, existsSync, readdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import { makeReady, npm, ROOT, step } from './steps.mjs';

const folder = path.join(ROOT, 'prebuilds', `${process.platform}-${process.arch}`);
const release = path.join(ROOT, 'build', 'Release');

makeReady();
rmSync(folder, { recursive: true, force: true });
const flags = ['--napi', ...(process.platform === 'win32' ? [] : ['--strip', '--tag-libc'])];
// npm brings node-gyp along. The headers beside this Node spare a download; the addon takes Node-API's own.
const prefix = path.resolve(path.dirname(process.execPath), '..');
const headers = existsSync(path.join(prefix, 'include', 'node', 'common.gypi')) ? { npm_config_nodedir: prefix } : {};
const [program, args] = npm(['exec', '--', 'prebuildify', ...flags]);
step('prebuild', program, args, { env: { ...process.env, ...headers } });
copyFileSync(path.join(release, 'chestmnist.json'), path.join(folder, 'chestmnist.json'));
// prebuildify moves the addon; the checkout keeps one.
const [addon] = readdirSync(folder).filter((name) => name.endsWith('.node'));
copyFileSync(path.join(folder, addon), path.join(release, 'chestmnist.node'));
