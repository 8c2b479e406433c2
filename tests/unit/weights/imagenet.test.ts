/** Published weights: found in torch.hub's folder, fetched from a local server, checked either way. No outside network. */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { fetchWeights, hubDirectory, IMAGENET1K_V1, imagenetWeights } from '../../../src/weights/imagenet';
import { failure, FIXTURES, temporaryFolder } from '../../support/weights-fixtures';

const temporary = temporaryFolder();
const content = readFileSync(path.join(FIXTURES, 'medmnist.pth'));
const sha256 = createHash('sha256').update(content).digest('hex');
const before = process.env.TORCH_HOME;
let server: Server;
let address: string;
let requests = 0;

beforeAll((done) => {
  server = createServer((request, response) => {
    requests++;
    if (request.url === '/model-12345678.pth') response.end(content);
    else response.writeHead(404).end();
  }).listen(0, '127.0.0.1', () => {
    address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    done();
  });
});
afterAll((done) => {
  if (before === undefined) delete process.env.TORCH_HOME;
  else process.env.TORCH_HOME = before;
  server.closeAllConnections();
  server.close(done);
});

/** A fresh hub folder, and the weights that the server has. */
function fresh(name: string, file = 'model-12345678.pth') {
  process.env.TORCH_HOME = temporary(name);
  const weights = { url: `${address}/${file}`, sha256, size: content.length };
  return { weights, file: path.join(temporary(name), 'hub', 'checkpoints', file) };
}

it('knows where torch.hub keeps checkpoints', () => {
  const below = (root: string) => path.join(root, 'hub', 'checkpoints');
  expect(hubDirectory({ TORCH_HOME: '/t', XDG_CACHE_HOME: '/x' })).toBe(below('/t'));
  expect(hubDirectory({ XDG_CACHE_HOME: '/x' })).toBe(below(path.join('/x', 'torch')));
  expect(hubDirectory({})).toBe(below(path.join(os.homedir(), '.cache', 'torch')));
});

it('has the hash that the name of the published file begins with', () => {
  expect(IMAGENET1K_V1.url).toBe('https://download.pytorch.org/models/resnet18-f37072fd.pth');
  expect(IMAGENET1K_V1.sha256).toMatch(/^f37072fd[0-9a-f]{56}$/);
});

it('fetches once, then finds the file', async () => {
  const { weights, file } = fresh('fetch');
  requests = 0;
  const progress: number[] = [];
  expect(await fetchWeights(weights, { onProgress: (done) => progress.push(done) })).toBe(file);
  expect(readFileSync(file).equals(content)).toBe(true);
  expect(progress.at(-1)).toBe(content.length);
  const after = requests;
  expect(await fetchWeights(weights)).toBe(file);
  expect(requests).toBe(after);
});

it('says where to place a file that cannot be fetched', async () => {
  const { weights, file } = fresh('absent', 'absent-12345678.pth');
  const error = await failure('ERR_DATA_MISSING', () => fetchWeights(weights));
  expect(error.next).toContain(file);
  expect(existsSync(file)).toBe(false);
});

it('keeps nothing of a download with another hash', async () => {
  const { weights, file } = fresh('changed');
  await failure('ERR_DATA_CHECKSUM', () => fetchWeights({ ...weights, sha256: sha256.replace(/^./, 'z') }));
  expect(existsSync(file)).toBe(false);
});

it('trusts no file in the folder for its name: another one is fetched anew', async () => {
  const { weights, file } = fresh('placed');
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, 'an error page');
  expect(await fetchWeights(weights)).toBe(file);
  expect(readFileSync(file).equals(content)).toBe(true);
});

it('stops when asked to', async () => {
  fresh('stopped');
  await expect(imagenetWeights({ signal: AbortSignal.abort() })).rejects.toThrow(/abort/i);
  expect(existsSync(hubDirectory())).toBe(false);
});
