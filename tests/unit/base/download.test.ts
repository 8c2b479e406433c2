import { createHash, randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { download, type DownloadOptions } from '../../../src/base/download';
import { refusal, scratch } from '../../support/data-files';

const at = scratch();
const content = randomBytes(300_000);
const md5 = createHash('md5').update(content).digest('hex');
const sha256 = createHash('sha256').update(content).digest('hex');
const quick: DownloadOptions = { md5, retryDelayMs: 5, stallTimeoutMs: 2000 };

type Answer = (request: http.IncomingMessage, response: http.ServerResponse, count: number) => void;
let answer: Answer;
const requests: http.IncomingMessage[] = [];
const server = http.createServer((request, response) => {
  requests.push(request);
  answer(request, response, requests.length);
});
let url = '';
let destination = '';
let test_ = 0;

beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/file.npz`;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});
beforeEach(() => {
  requests.length = 0;
  destination = at(`${test_++}/folder/file.npz`);
});

const folder = (): Promise<string[]> => readdir(destination.replace(/file\.npz$/, '')).catch(() => []);
const startOf = (request: http.IncomingMessage): number =>
  Number(/bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0);

/** A server that respects Range; drops the connection after `dropAfter` bytes of the body. */
function serve(
  request: http.IncomingMessage,
  response: http.ServerResponse,
  dropAfter = Infinity,
  body = content,
): void {
  const start = startOf(request);
  if (start >= body.length) {
    response.writeHead(416, { 'content-range': `bytes */${body.length}` }).end('no such range');
    return;
  }
  const rest = body.subarray(start);
  response.writeHead(start > 0 ? 206 : 200, {
    'content-length': rest.length,
    ...(start > 0 ? { 'content-range': `bytes ${start}-${body.length - 1}/${body.length}` } : {}),
  });
  if (dropAfter >= rest.length) response.end(rest);
  else response.write(rest.subarray(0, dropAfter), () => setTimeout(() => response.destroy(), 20));
}

async function expectWhole(): Promise<void> {
  expect((await readFile(destination)).equals(content)).toBe(true);
  expect(await folder()).toEqual(['file.npz']);
}

test('a user and password in the URL are sent as a header, and are in no message', async () => {
  answer = (request, response) => serve(request, response);
  await download(url.replace('//', '//user:p%40ss@'), destination, quick);
  await expectWhole();
  expect(requests[0].headers.authorization).toBe(`Basic ${Buffer.from('user:p@ss').toString('base64')}`);
  answer = (_, response) => response.writeHead(401).end();
  const error = await refusal(download(url.replace('//', '//user:p%40ss@'), at('other'), quick));
  expect(error.found).toContain(url);
  expect(`${error.found} ${error.message} ${error.stack}`).not.toMatch(/p%40ss|p@ss/);
});

test.each(['user:SEC@RET@', 'user:SEC RET@', 'user:SEC/RET@', 'user:SECRET%@'])(
  'no part of the password in http://%s is shown, whatever is wrong with it',
  async (user) => {
    answer = (_, response) => response.writeHead(401).end();
    const error = await refusal(download(url.replace('//', `//${user}`), at('other'), quick));
    expect(`${error.found} ${error.stack} ${String((error.cause as Error).stack)}`).not.toMatch(/SEC|RET/);
  },
);

test('downloads whole, reports progress, and does not ask again when the checksum fits', async () => {
  answer = (request, response) => serve(request, response);
  const seen: [number, number?][] = [];
  await download(url, destination, { ...quick, sha256, size: content.length, onProgress: (...p) => seen.push(p) });
  await expectWhole();
  expect(seen[0]).toEqual([0, content.length]);
  expect(seen.at(-1)).toEqual([content.length, content.length]);
  expect(seen.every(([done], i) => i === 0 || done >= seen[i - 1][0])).toBe(true);
  await download(url, destination, quick);
  expect(requests).toHaveLength(1);
  await writeFile(destination, 'an older file');
  await download(url, destination, quick);
  await expectWhole();
});

test('connections that drop in the middle are resumed where they ended', async () => {
  const reasons: string[] = [];
  answer = (request, response, count) => serve(request, response, count < 4 ? 80_000 : Infinity);
  await download(url, destination, { ...quick, onRetry: (reason) => reasons.push(reason) });
  await expectWhole();
  const starts = requests.map(startOf);
  expect(starts[0]).toBe(0);
  expect(starts[3]).toBeGreaterThan(starts[1]);
  expect(starts[1]).toBeGreaterThan(0);
  expect(reasons).toHaveLength(3);
});

test('what an aborted or failed call left is resumed by the next', async () => {
  const abort = new AbortController();
  const reason = new Error('enough');
  answer = (request, response) => serve(request, response, 100_000);
  const first = download(url, destination, {
    ...quick,
    signal: abort.signal,
    onProgress: (done) => done > 0 && abort.abort(reason),
  });
  await expect(first).rejects.toBe(reason);
  expect(await folder()).toEqual([expect.stringMatching(/^file\.npz\.\d+-\d+\.part$/)]);
  requests.length = 0;
  answer = (request, response) => serve(request, response);
  await download(url, destination, quick);
  expect(startOf(requests[0])).toBeGreaterThan(0);
  await expectWhole();
});

test('without a checksum nothing of an earlier call is kept or used', async () => {
  answer = (request, response) => serve(request, response, 100_000);
  await refusal(download(url, destination, { attempts: 1, retryDelayMs: 1 }));
  expect(await folder()).toEqual([]);
  answer = (request, response) => serve(request, response);
  await download(url, destination, { retryDelayMs: 1 });
  await expectWhole();
});

test('a server that ignores Range: starts over and is whole', async () => {
  answer = (_request, response, count) => {
    response.writeHead(200, { 'content-length': content.length });
    if (count < 3) response.write(content.subarray(0, 90_000 * count), () => setTimeout(() => response.destroy(), 20));
    else response.end(content);
  };
  await download(url, destination, quick);
  expect(startOf(requests[1])).toBeGreaterThan(0);
  await expectWhole();
});

test('no content-length: whole by the checksum', async () => {
  answer = (_request, response) => void response.writeHead(200).end(content);
  await download(url, destination, { ...quick, size: content.length });
  await expectWhole();
});

test('a part of another file, or longer than the file, is thrown away', async () => {
  answer = (request, response) => serve(request, response);
  for (const old of [Buffer.alloc(1000, 1), Buffer.alloc(400_000, 1), Buffer.alloc(300_000, 1)]) {
    destination = at(`${test_++}/file.npz`);
    await download(url, destination, quick); // makes the folder
    await writeFile(destination.replace(/$/, '.999999999-0.part'), old);
    await writeFile(destination, 'changed');
    requests.length = 0;
    await download(url, destination, quick);
    expect(startOf(requests[0])).toBe(old.length);
    await expectWhole();
  }
});

test('a redirect is followed, when resuming too', async () => {
  let drops = 1;
  answer = (request, response) => {
    if (request.url === '/file.npz') response.writeHead(302, { location: '/elsewhere' }).end();
    else serve(request, response, drops-- > 0 ? 100_000 : Infinity);
  };
  await download(url, destination, quick);
  expect(startOf(requests[3])).toBeGreaterThan(0);
  await expectWhole();
});

test('the part of a process that lives is left alone', async () => {
  answer = (request, response) => serve(request, response);
  const theirs = `file.npz.${process.ppid}-0.part`;
  await mkdir(destination.replace('file.npz', ''), { recursive: true });
  await writeFile(destination.replace('file.npz', theirs), content.subarray(0, 1000));
  await download(url, destination, quick);
  expect(startOf(requests[0])).toBe(0);
  expect((await folder()).sort()).toEqual(['file.npz', theirs]);
});

test('a wrong checksum: ERR_DATA_CHECKSUM, and nothing is left', async () => {
  answer = (request, response) => serve(request, response, Infinity, Buffer.alloc(1000, 7));
  const error = await refusal(download(url, destination, quick));
  expect(error.code).toBe('ERR_DATA_CHECKSUM');
  expect(error.found).toContain(url);
  expect(error.needed).toContain(md5);
  expect(await folder()).toEqual([]);
  expect(requests).toHaveLength(1);
});

test.each([
  [404, 1],
  [403, 1],
  [503, 3],
])('HTTP %d is asked %d times, then ERR_DATA_MISSING says how to do it by hand', async (status, times) => {
  answer = (_request, response) => void response.writeHead(status).end('an error page');
  const error = await refusal(download(url, destination, { ...quick, attempts: 3 }));
  expect(error.code).toBe('ERR_DATA_MISSING');
  expect(error.found).toContain(url);
  expect(error.found).toContain(`HTTP ${status}`);
  expect(error.next).toContain(destination);
  expect(requests).toHaveLength(times);
  expect(await folder()).toEqual([]);
});

test('a server that stalls is left after the time-out, and the rest is fetched by the next attempt', async () => {
  answer = (request, response, count) => {
    if (count > 1) return serve(request, response);
    response.writeHead(200, { 'content-length': content.length });
    response.write(content.subarray(0, 50_000));
  };
  await download(url, destination, { ...quick, stallTimeoutMs: 300 });
  expect(startOf(requests[1])).toBeGreaterThan(0);
  await expectWhole();
  answer = () => undefined;
  const error = await refusal(download(url, at('never.npz'), { ...quick, attempts: 2, stallTimeoutMs: 100 }));
  expect(error.found).toContain('nothing arrived for 0.1 s');
});

test('a server that is slow but steady is waited for', async () => {
  answer = (_request, response) => {
    response.writeHead(200, { 'content-length': content.length });
    let sent = 0;
    const timer = setInterval(() => {
      response.write(content.subarray(sent, (sent += 30_000)));
      if (sent >= content.length) {
        clearInterval(timer);
        response.end();
      }
    }, 200);
  };
  await download(url, destination, { ...quick, stallTimeoutMs: 1200 });
  expect(requests).toHaveLength(1);
  await expectWhole();
});

test('more bytes than promised are not written', async () => {
  answer = (_request, response) => void response.writeHead(200).end(content);
  const error = await refusal(download(url, destination, { ...quick, size: 1000, attempts: 2 }));
  expect(error.found).toContain('more than 1000 bytes');
  answer = (request, response) => serve(request, response);
  expect((await refusal(download(url, destination, { ...quick, size: 1000 }))).found).toContain('instead of 1000');
});

test('a refused connection and an unwritable place', async () => {
  const refused = await refusal(download('http://127.0.0.1:9/file', destination, { ...quick, attempts: 2 }));
  expect(refused.found).toMatch(/fetch failed: .+/);
  await writeFile(at('a file'), '');
  const blocked = await refusal(download(url, at('a file/x.npz'), quick));
  expect(blocked.code).toBe('ERR_OUTPUT');
});

test('several at once do not write into each other', async () => {
  answer = (request, response) => serve(request, response, 60_000 + 40_000 * (requests.length % 3));
  await Promise.all([1, 2, 3].map(() => download(url, destination, { ...quick, attempts: 20 })));
  await expectWhole();
});

test('a proxy named by the environment is used', async () => {
  answer = (request, response) => serve(request, response);
  const saved = { ...process.env };
  process.env.http_proxy = url.replace('/file.npz', '');
  process.env.no_proxy = '';
  try {
    const asked: string[] = [];
    server.once('connect', (request: http.IncomingMessage, socket: import('node:net').Socket) => {
      asked.push(request.url ?? '');
      socket.end('HTTP/1.1 502 No\r\n\r\n');
    });
    await download('http://elsewhere.invalid/file.npz', destination, { ...quick, attempts: 1 }).catch(() => undefined);
    expect([...asked, ...requests.map((request) => request.url ?? '')].join()).toContain('elsewhere.invalid');
  } finally {
    process.env = saved;
  }
});
