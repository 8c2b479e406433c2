/** Packs the package and says what is wrong with the tarball: what is missing, what should not be there, and whose paths. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { homedir } from 'node:os';
import path from 'node:path';
import { npm, ROOT, stop } from '../../scripts/steps.mjs';

/** `npm pack` of the repository in `root` into `folder`. Returns what npm says of the tarball, and its path. */
export function pack(folder, root = ROOT) {
  const [program, args] = npm(['pack', '--json', '--pack-destination', folder]);
  const { status, stdout, stderr } = spawnSync(program, args, { cwd: root, encoding: 'utf8' });
  if (status !== 0) stop('npm pack', stderr.trim());
  // The prepack script prints before npm does.
  const [facts] = JSON.parse(stdout.slice(stdout.search(/^\[$/m)));
  return { ...facts, file: path.join(folder, facts.filename) };
}

/** True when the prebuilt addon in `folder` is of the sources here. */
export function isCurrent(folder) {
  try {
    const { sourceHash } = createRequire(import.meta.url)('../../dist/setup/addon.js');
    return JSON.parse(readFileSync(path.join(folder, 'chestmnist.json'), 'utf8')).sources === sourceHash(ROOT);
  } catch {
    return false; // Nothing is compiled, or there is no prebuilt addon.
  }
}

const NEEDED = [
  ...['dist/index.js', 'dist/index.mjs', 'dist/index.d.ts', 'dist/index.d.mts', 'dist/cli/main.js'],
  ...['dist/metrics/index.js', 'dist/metrics/index.mjs', 'dist/metrics/index.d.ts', 'dist/metrics/index.d.mts'],
  ...[
    'dist/report/charts/echarts.LICENSE.txt',
    'native/addon.cc',
    'CMakeLists.txt',
    'binding.gyp',
    'scripts/install.js',
    'examples/recipes/strong.json',
    'examples/spaces/strong.json',
  ],
  ...['README.md', 'LICENSE', `prebuilds/${process.platform}-${process.arch}/chestmnist.json`],
];
const ALLOWED =
  /^(dist|native|examples\/(recipes|spaces)|(cuda\/)?prebuilds\/[a-z\d]+-[a-z\d]+)\/|^(README\.md|LICENSE|package\.json|CMakeLists\.txt|binding\.gyp|scripts\/install\.js)$/;
const OWN_BINARY =
  /^(cuda\/)?prebuilds\/[^/]+\/chestmnist(\.glibc)?\.node$|^cuda\/prebuilds\/[^/]+\/chestmnist_cuda\.so$/;
const LARGEST = 1.5e6;

/** Problems of the tarball; none when it is as it should be. */
export function problemsOf({ files, unpackedSize }, root = ROOT) {
  const paths = files.map((file) => file.path);
  const addons = paths.filter((file) => file.endsWith('.node'));
  const binaries = paths.filter((file) => /\.(node|so|dylib|dll)(\.|$)/.test(file));
  const libc = process.platform === 'linux' ? '.glibc' : '';
  return [
    ...NEEDED.filter((file) => !paths.includes(file)).map((file) => `${file} is missing`),
    ...paths.filter((file) => !ALLOWED.test(file)).map((file) => `${file} does not belong in it`),
    ...paths.filter((file) => /\.(map|tsbuildinfo)$/.test(file)).map((file) => `${file} is in it`),
    ...binaries.filter((file) => !OWN_BINARY.test(file)).map((file) => `${file} is no binary of ours`),
    ...files.filter(({ size }) => size > LARGEST).map(({ path, size }) => `${path} has ${size} bytes`),
    ...(addons.includes(`prebuilds/${process.platform}-${process.arch}/chestmnist${libc}.node`)
      ? []
      : [`no addon for this platform, with its C library in its name, among ${addons.join(' ') || 'no addon'}`]),
    ...binaries.flatMap((file) => problemsOfBinary(file, root)),
    ...(unpackedSize > 6e6 ? [`it unpacks to ${unpackedSize} bytes`] : []),
  ];
}

/** A binary must not say where it was built, and carries no symbols but the dynamic ones. */
function problemsOfBinary(file, root) {
  const bytes = readFileSync(path.join(root, file));
  const text = bytes.toString('latin1');
  const paths = [ROOT, homedir(), '/node_modules/', '/home/', '/root/', '/Users/', '/tmp/'].filter((place) =>
    text.includes(place),
  );
  return [
    ...paths.map((place) => `${file} contains the path ${place}`),
    ...(bytes.readUInt32BE(0) === 0x7f454c46 && /\0\.(symtab|debug_info)\0/.test(text)
      ? [`${file} is not stripped`]
      : []),
  ];
}
