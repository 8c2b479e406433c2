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
  const env = { ...process.env };
  // npm's own settings reach an install script under these names.
  for (const [name, setting] of [
    ['HTTPS_PROXY', env.npm_config_https_proxy || env.npm_config_proxy],
    ['NO_PROXY', env.npm_config_noproxy],
  ]) {
    if (setting && !env[name] && !env[name.toLowerCase()]) env[name] = setting;
  }
  const { status } = spawnSync(process.execPath, [main, 'setup'], { cwd: root, env, stdio: 'inherit' });
  if (status !== 0) {
    const { asInstalled } = require(path.join(root, 'dist', 'base', 'shell.js'));
    process.stderr.write(
      asInstalled(
        '\nchestmnist is installed, but LibTorch and its addon are not set up. Later: npx chestmnist setup\n',
      ),
    );
  }
}
