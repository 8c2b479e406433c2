/**
 * The page of `export --format web` in a real browser, opened from the disk: the probabilities and decisions of `predict`,
 * no connection, refusals of what a browser decodes otherwise. Needs an installed Chromium (CHESTMNIST_CHROMIUM names
 * another); skipped by name without.
 */
import { existsSync } from 'node:fs';
import { stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import type { AxeResults } from 'axe-core';
import type { Browser, Page } from 'playwright-core';
import sharp from 'sharp';
import { chestmnist, MAIN, QUICK, scratch, start, type Json } from '../support/chestmnist';
import { png } from '../support/png';

const chromium = [
  process.env.CHESTMNIST_CHROMIUM,
  ...['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome', '/snap/bin/chromium'],
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  'C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe',
].find((file) => file !== undefined && existsSync(file));

const folder = scratch();
const at = (name: string): string => path.join(folder(), name);
const run = async (...args: string[]): Promise<Json> => {
  const { code, stdout, stderr } = await chestmnist([...args, '--json'], folder());
  expect({ code, stderr: code === 0 ? '' : stderr }).toEqual({ code: 0, stderr: '' });
  return args[0] === 'train' ? undefined : JSON.parse(stdout);
};

/** A scene of smooth colours with a pattern in it: [height, width, channels]. */
const scene = (width: number, height: number, channels: number): Buffer =>
  Buffer.from(
    Array.from({ length: width * height * channels }, (_, i) => {
      const [c, x, y] = [i % channels, Math.floor(i / channels) % width, Math.floor(i / channels / width)];
      return 128 + 60 * Math.sin(x / 7 + c) + 60 * Math.cos(y / 11 - c * 2);
    }),
  );
const raw = (width: number, height: number, channels: 3 | 1) =>
  sharp(scene(width, height, channels), { raw: { width, height, channels } });

const WINDOWS = [
  [390, 'dark'],
  [768, 'light'],
  [1280, 'dark'],
] as const;

/** What a browser decodes to the values of sharp: each kind, colour, size, and what decoders may treat in other ways. */
const PICTURES: Record<string, () => Promise<Buffer> | Buffer> = {
  'gray.png': () => png(64, 64, scene(64, 64, 1)),
  'small.png': () => png(28, 28, scene(28, 28, 1)),
  'large.png': () => png(600, 500, scene(600, 500, 1)),
  'rgb.png': () => png(90, 120, scene(90, 120, 3), { colour: 2 }),
  'gray.jpg': () => raw(200, 200, 1).toColourspace('b-w').jpeg().toBuffer(),
  'rgb.jpg': () => raw(301, 207, 3).jpeg({ quality: 80 }).toBuffer(),
  'turned.jpg': () => raw(100, 160, 3).withMetadata({ orientation: 6 }).jpeg().toBuffer(),
  'profile.jpg': () => raw(128, 128, 3).withIccProfile('p3').jpeg().toBuffer(),
  'gamma.png': () => png(64, 64, scene(64, 64, 1), { chunks: { gAMA: Uint8Array.of(0, 1, 134, 160) } }),
  'rgb.webp': () => raw(130, 130, 3).webp({ quality: 80 }).toBuffer(),
};
const REFUSED: Record<string, [make: () => Promise<Buffer> | Buffer, says: RegExp]> = {
  'deep.png': [() => png(32, 32, new Uint16Array(1024).fill(999), { depth: 16 }), /16 bits.*npx chestmnist predict/],
  'clear.png': [() => png(32, 32, scene(32, 32, 4), { colour: 6 }), /transparent.*npx chestmnist predict/],
  'ink.jpg': [() => raw(64, 64, 3).toColourspace('cmyk').jpeg().toBuffer(), /CMYK.*npx chestmnist predict/],
  'scan.dcm': [() => Buffer.concat([Buffer.alloc(128), Buffer.from('DICM')]), /DICOM.*npx chestmnist predict/],
  'torn.png': [() => png(64, 64, scene(64, 64, 1)).subarray(0, 60), /damaged/],
  'notes.txt': [() => Buffer.from('no picture'), /not a PNG, JPEG or WebP/],
};

test('without onnxruntime-web the command that installs it is named, and nothing is written', async () => {
  await run('train', ...QUICK, '--epochs', '1', '--calibrate', '--out', '.', '--name', 'run');
  // As where it is not installed.
  const hook = `const m = require('module'); const find = m._resolveFilename;
m._resolveFilename = (name, ...rest) => { if (name.startsWith('onnxruntime-web')) throw new Error('absent'); return find(name, ...rest); };`;
  await writeFile(at('hook.cjs'), hook);
  const args = ['export', 'run', '--format', 'web', '-o', 'never.html'];
  const { code, stderr } = await start(['-r', at('hook.cjs'), MAIN, ...args], folder()).done;
  expect({ code, stderr }).toMatchObject({ code: 2, stderr: expect.stringContaining('ERR_CONFIG') });
  expect(stderr).toContain('npm install onnxruntime-web@^1.30.0');
  expect(existsSync(at('never.html'))).toBe(false);
});

(chromium ? describe : describe.skip)('in Chromium', () => {
  let browser: Browser;
  let troubles: string[];
  let expected: Map<string, { scores: number[]; positive: string[] }>;

  beforeAll(async () => {
    for (const [name, make] of Object.entries(PICTURES)) await writeFile(at(name), await make());
    for (const [name, [make]] of Object.entries(REFUSED)) await writeFile(at(name), await make());
    await run('export', 'run', '--format', 'web', '-o', 'page.html');
    const names = Object.keys(PICTURES);
    const { labels, predictions } = await run('predict', 'run', ...names, '--thresholds', 'val-f1', '--device', 'cpu');
    expected = new Map(
      (predictions as { probabilities: number[]; decisions: number[] }[]).map(({ probabilities, decisions }, i) => [
        names[i],
        { scores: probabilities, positive: (labels as string[]).filter((_, label) => decisions[label] === 1) },
      ]),
    );
    const playwright = await import('playwright-core');
    browser = await playwright.chromium.launch({ executablePath: chromium, args: ['--no-sandbox', '--disable-gpu'] });
  }, 60_000);
  afterAll(() => browser?.close());

  async function open(name: string): Promise<Page> {
    const page = await browser.newPage();
    const url = pathToFileURL(at(name)).href;
    troubles = [];
    page.on('console', (message) => troubles.push(message.text()));
    page.on('pageerror', (error) => troubles.push(error.message));
    page.on('request', (request) => {
      if (request.url() !== url) troubles.push(request.url());
    });
    await page.goto(url);
    await status(page, /^Ready: loaded in \d+\.\d s/);
    return page;
  }
  const status = async (page: Page, says: RegExp): Promise<void> => {
    await page.locator('#status').filter({ hasText: says }).waitFor({ timeout: 30_000 });
  };
  const predicted = async (page: Page, name: string): Promise<{ scores: number[]; positive: string[] }> => {
    await page.setInputFiles('#file', at(name));
    await status(page, new RegExp(`^${name} \\(`));
    return page.evaluate(`({
      scores: [...document.querySelectorAll('#rows tr')].map((row) => Number(row.dataset.score)),
      positive: [...document.querySelectorAll('#rows tr.positive th')].map((cell) => cell.textContent),
    })`);
  };
  const difference = (a: number[], b: number[]): number => Math.max(...a.map((value, i) => Math.abs(value - b[i])));

  test('the probabilities and decisions are those of predict, and nothing leaves the page', async () => {
    const page = await open('page.html');
    const differences: Record<string, number> = {};
    for (const name of Object.keys(PICTURES)) {
      const { scores, positive } = await predicted(page, name);
      differences[name] = difference(scores, expected.get(name)!.scores);
      expect({ name, positive }).toEqual({ name, positive: expected.get(name)!.positive });
    }
    for (const name of Object.keys(PICTURES))
      expect({ name, near: differences[name] < 1e-4 }).toEqual({ name, near: true });
    await page.selectOption('#rule', { label: '0.5' });
    const fixed = (await page.locator('#rows tr.positive th').allTextContents()).length;
    expect(fixed).toBe(expected.get('rgb.webp')!.scores.filter((score) => score > 0.5).length);
    for (const [name, [, says]] of Object.entries(REFUSED)) {
      await page.setInputFiles('#file', at(name));
      await status(page, says);
      expect(await page.locator('#result').isVisible()).toBe(false);
    }
    expect(await page.evaluate(`fetch('https://example.com').then(() => 'sent', () => 'refused')`)).toBe('refused');
    expect(troubles.filter((text) => !text.includes('example.com'))).toEqual([]);
    await page.close();
  }, 60_000);

  test('it fits, and axe finds nothing, before and after a picture, at any width in light and dark', async () => {
    const page = await open('page.html');
    await page.evaluate((await import('axe-core')).source);
    for (const name of [undefined, 'rgb.png']) {
      if (name) await predicted(page, name);
      for (const [width, colorScheme] of WINDOWS) {
        await page.setViewportSize({ width, height: 800 });
        await page.emulateMedia({ colorScheme });
        const { violations } = await page.evaluate<AxeResults>(`axe.run(document, { resultTypes: ['violations'] })`);
        expect(violations.map(({ id, nodes }) => ({ id, node: nodes[0].html.slice(0, 200) }))).toEqual([]);
        expect(await page.evaluate(`document.documentElement.scrollWidth - innerWidth`)).toBeLessThanOrEqual(0);
      }
    }
    await page.close();
  }, 60_000);

  test('with --half the page is about half, and within 1e-3', async () => {
    await run('export', 'run', '--format', 'web', '--half', '-o', 'half.html');
    expect((await stat(at('half.html'))).size).toBeLessThan(0.6 * (await stat(at('page.html'))).size);
    const page = await open('half.html');
    const { scores } = await predicted(page, 'gray.png');
    expect(difference(scores, expected.get('gray.png')!.scores)).toBeLessThan(1e-3);
    expect(troubles).toEqual([]);
    await page.close();
  }, 60_000);
});
