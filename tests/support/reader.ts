/**
 * A reader of the documents: a project with the package installed and set up, small files by the names that the documents
 * use, and a network that ends at a proxy. What a reader types runs here.
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import ts from 'typescript';
import { arrays, npz } from './npz';
import { grayPng } from './png';
import { REPOSITORY } from './reference';
import { cached, chestmnist, FOR_CUDA, fresh, installed, nothing, PREBUILT, recordOf } from './set-up-package';

/** Sizes at which a training takes seconds. Flags that come later win. */
export const SMALL =
  '--limit-train 64 --limit-val 32 --limit-test 32 --batch-size 32 --epochs 1 --no-report --resamples 20';
export const smaller = (code: string): string =>
  Object.entries({ limitTrain: 128, limitVal: 32, limitTest: 32, epochs: 1, resamples: 20 }).reduce(
    (text, [name, value]) => text.replace(new RegExp(`\\b${name}: \\d+`, 'g'), `${name}: ${value}`),
    code,
  );

export interface Outcome {
  code: number | null;
  /** Both streams together. */
  output: string;
}

export class Reader {
  readonly project = fresh('project');
  readonly #env: NodeJS.ProcessEnv;

  private constructor(root: string, env: NodeJS.ProcessEnv) {
    const at = (name: string): string => path.join(this.project, name);
    for (const name of ['node_modules/.bin', 'bin', 'home']) mkdirSync(at(name), { recursive: true });
    writeFileSync(at('package.json'), JSON.stringify({ name: 'reader', private: true }));
    symlinkSync(root, at('node_modules/chestmnist'), 'junction');
    const program = (name: string, script: string): void => {
      writeFileSync(at(name), `#!/bin/sh\n${script}\n`);
      chmodSync(at(name), 0o755);
    };
    program('node_modules/.bin/chestmnist', `exec "${process.execPath}" "${root}/dist/cli/main.js" "$@"`);
    // npx without its half second of start-up; one test runs npx itself.
    program('bin/npx', 'name=$1; shift; exec "./node_modules/.bin/$name" "$@"');
    cpSync(path.join(REPOSITORY, 'examples'), at('examples'), { recursive: true });
    const tools = [at('bin'), path.dirname(process.execPath), process.env.PATH].join(path.delimiter);
    this.#env = { ...env, PATH: tools, HOME: at('home'), CHESTMNIST_DATA: '', ATEN_CPU_CAPABILITY: undefined };
  }

  /** A project in which everything is set up, with the files that the documents name. */
  static async ready(env: NodeJS.ProcessEnv = {}): Promise<Reader> {
    const reader = new Reader(packageSetUp(), { ...nothing(), ...cachedEnvironment, ...env });
    await npz(reader.project, 'my.npz', arrays(64, 32, 32));
    writeFileSync(reader.at('my-recipe.json'), '{ "ema": 0.9 }\n');
    writeFileSync(path.join(reader.project, 'xray.png'), picture(40, 7));
    mkdirSync(reader.at('scans'));
    cpSync(path.join(REPOSITORY, 'tests/fixtures/dicom/explicit.dcm'), reader.at('scans/chest.dcm'));
    return reader;
  }

  /** A project with the package as npm leaves it without install scripts, on a machine without LibTorch and without a network. */
  static bare(): Reader {
    const root = installed({ places: [PREBUILT, FOR_CUDA] });
    recordOf(root, FOR_CUDA, '2.14.1+cu130');
    return new Reader(root, nothing());
  }

  at = (name: string): string => path.join(this.project, name);

  run(command: string): Outcome {
    const { status, stdout, stderr } = spawnSync('sh', ['-c', command], {
      cwd: this.project,
      env: this.#env,
      encoding: 'utf8',
    });
    return { code: status, output: stdout + stderr };
  }

  /** Runs a command until it asks the network for a host, interrupts it there, and returns the host. */
  async hostOf(command: string): Promise<{ host: string | undefined } & Outcome> {
    let host: string | undefined;
    const proxy = http.createServer();
    proxy.listen(0, '127.0.0.1');
    await once(proxy, 'listening');
    const https_proxy = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
    const env = { ...this.#env, https_proxy, HTTPS_PROXY: https_proxy };
    const child = spawn('sh', ['-c', `exec ${command}`], { cwd: this.project, env, detached: true });
    proxy.on('connect', (request) => {
      host = request.url;
      process.kill(-child.pid!, 'SIGINT');
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text) => (output += text));
    const [code] = (await once(child, 'close')) as [number | null];
    proxy.closeAllConnections();
    proxy.close();
    return { host, code, output };
  }

  /** Runs TypeScript with smaller numbers, as the module `name`. */
  runModule(name: string, code: string, args = ''): Outcome {
    const { outputText } = ts.transpileModule(smaller(code), {
      compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2023 },
    });
    writeFileSync(this.at(name), outputText);
    return this.run(`node ${name} ${args}`);
  }

  readJson = (name: string): Record<string, unknown> =>
    JSON.parse(readFileSync(this.at(name), 'utf8')) as Record<string, unknown>;
}

/** Gray noise, so that it does not compress to nothing. */
export const picture = (side: number, seed: number): Buffer =>
  grayPng(side, side, (x, y) => ((y * side + x) * seed * 2654435761) >>> 24);

const cachedEnvironment: NodeJS.ProcessEnv = {};
let root: string | undefined;

/** The package, set up from the LibTorch of the repository without a compiler; once for all projects. */
function packageSetUp(): string {
  if (root !== undefined) return root;
  const env = nothing();
  cached(env);
  const place = installed();
  const { status, stderr } = chestmnist(place, ['setup'], env);
  if (status !== 0) throw new Error(`set-up fails: ${stderr}`);
  cachedEnvironment.XDG_CACHE_HOME = env.XDG_CACHE_HOME;
  return (root = place);
}

/** Type errors of modules in a project, by the types that the package publishes. */
export function typeErrors(reader: Reader, modules: Record<string, string>): string[] {
  for (const [name, code] of Object.entries(modules)) writeFileSync(reader.at(name), code);
  const program = ts.createProgram(
    Object.keys(modules).map((name) => reader.at(name)),
    {
      module: ts.ModuleKind.NodeNext,
      moduleResolution: ts.ModuleResolutionKind.NodeNext,
      target: ts.ScriptTarget.ES2023,
      strict: true,
      noEmit: true,
      skipLibCheck: true,
      types: ['node'],
      typeRoots: [path.join(REPOSITORY, 'node_modules', '@types')],
    },
  );
  return ts.getPreEmitDiagnostics(program).map(({ file, messageText }) => {
    const where = file ? `${path.relative(reader.project, file.fileName)}: ` : '';
    return where + ts.flattenDiagnosticMessageText(messageText, '\n');
  });
}
