/** What the page of `export --format web` runs: onnxruntime-web as it is installed, and our own preparation of pictures. */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { ChestMnistError } from '../../base/errors';

/** Kept in step with the peer dependency in package.json. */
const RANGE = '^1.30.0';
/** The smallest build: WebAssembly alone, its loader within. */
const SCRIPT = 'ort.wasm.bundle.min.mjs';
const BINARY = 'ort-wasm-simd-threaded.wasm';

export interface Runtime {
  /** A module's text that leaves the runtime as `ort`. */
  script: string;
  wasm: Uint8Array;
}

/** Throws ERR_CONFIG when onnxruntime-web is not installed, or is of another make. */
export async function readRuntime(): Promise<Runtime> {
  const folder = path.dirname(find());
  const [text, wasm] = await Promise.all([
    readFile(path.join(folder, SCRIPT), 'utf8'),
    readFile(path.join(folder, BINARY)),
  ]).catch((cause: unknown) => {
    throw missing(`onnxruntime-web in ${folder} has no ${SCRIPT} with ${BINARY}`, cause);
  });
  // Nothing can import from a script within a page, so its exports become one constant.
  const script = text
    .replace(/\/\/# sourceMappingURL=.*/, '')
    .replace(/export\s*\{([^{}]*)\};?\s*$/, (_, names: string) => {
      const fields = names.split(',').map((name) => name.trim().split(/\s+as\s+/));
      return `const ort={${fields.map(([own, name = own]) => `${name}:${own}`).join(',')}};`;
    });
  if (!script.includes('const ort={') || /<\/script|<!--/i.test(script))
    throw missing(`onnxruntime-web in ${folder} is not built as expected`);
  return { script, wasm };
}

function find(): string {
  try {
    return require.resolve('onnxruntime-web/wasm', { paths: [__dirname, process.cwd()] });
  } catch (cause) {
    throw missing('onnxruntime-web, which runs the network in the page, is not installed', cause);
  }
}

const missing = (found: string, cause?: unknown): ChestMnistError =>
  new ChestMnistError(
    'ERR_CONFIG',
    { found, needed: `onnxruntime-web ${RANGE}, for --format web`, next: `npm install onnxruntime-web@${RANGE}` },
    { cause },
  );

/** The files that prepare pictures for `predict`, each after those that it needs. */
const MODULES = ['rows', 'resize', 'prepare'] as const;

/** A script's text that leaves the function of prepare.ts as `prepare`: the page computes what `predict` does. */
export async function readPreparation(): Promise<string> {
  const folder = path.join(__dirname, '..', '..', 'data', 'pictures');
  const parts = await Promise.all(
    MODULES.map(async (name) => {
      const text = await readFile(path.join(folder, `${name}.js`), 'utf8');
      return `((exports) => {${text.replace(/\/\/# sourceMappingURL=.*/, '')}})(modules['./${name}'] = {});`;
    }),
  );
  return `const { prepare } = (() => {
const modules = {};
const require = (name) => modules[name];
${parts.join('\n')}
return modules['./prepare'];
})();`;
}
