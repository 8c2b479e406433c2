/**
 * The install script of the npm package: sets up LibTorch and the addon, and never fails the installation. In a
 * repository checkout it does nothing: `npm run demo` and `npm test` set up there.
 */
'use strict';
const { spawnSync } = require('node:child_process');
const { existsSync } = require('node:fs');
const path = require('node:path');

const root = path.resolve(__dirname, '..');
const main = path.join(root, 'dist', 'cli', 'main.js');
if (!existsSync(path.join(root, 'src')) && existsSync(main)) {
  const { status } = spawnSync(process.execPath, [main, 'setup'], { cwd: root, stdio: 'inherit' });
  if (status !== 0) {
    process.stderr.write(
      '\nchestmnist is installed, but LibTorch and its addon are not set up. Later: npx chestmnist setup\n',
    );
  }
}
