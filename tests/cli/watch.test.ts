/**
 * `train --watch` as a user sees it: the built command line in the background, its page in a real browser. The page follows
 * the run, keeps the place of the reader, asks for nothing but itself and rests when the run has ended, however it did.
 */
import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { CHROMIUM, launch, violations } from '../support/browser';
import { MAIN, PACKAGE, QUICK, scratch, start } from '../support/chestmnist';

const folder = scratch();
const at = (...names: string[]): string => path.join(folder(), ...names);
const pageOf = (run: string): Promise<string> => readFile(at(run, 'report.html'), 'utf8');

/** Waits for what a run in the background brings about. */
async function until(what: () => boolean | Promise<boolean>): Promise<void> {
  for (const end = Date.now() + 60_000; !(await what()); await sleep(50))
    if (Date.now() > end) throw new Error(`waited too long for ${what.toString()}`);
}

/** It never ends by itself within the test. */
const watched = (name: string, ...more: string[]) =>
  start([MAIN, 'train', ...QUICK, '--out', folder(), '--name', name, '--epochs', '500', '--watch', ...more]);

(CHROMIUM ? describe : describe.skip)('in Chromium', () => {
  let browser: Browser;
  let page: Page;
  let run: ReturnType<typeof watched>;
  let loads = 0;
  const troubles: string[] = [];
  /** The page may be left while it is asked. */
  const ask = async <T>(question: () => Promise<T>): Promise<T> => {
    for (let tries = 0; ; tries++) {
      try {
        return await question();
      } catch (error) {
        if (tries === 50) throw error;
        await sleep(50);
      }
    }
  };
  const epochs = (): Promise<number> => ask(async () => Number((await page.title()).split('/')[0]));

  beforeAll(async () => {
    run = watched('run');
    browser = await launch();
    page = await browser.newPage({ viewport: { width: 390, height: 600 } });
    await until(() => existsSync(at('run', 'report.html')));
    const url = pathToFileURL(at('run', 'report.html')).href;
    page.on('console', (message) => troubles.push(message.text()));
    page.on('pageerror', (error) => troubles.push(error.message));
    page.on('request', (request) => request.url() !== url && troubles.push(request.url()));
    page.on('load', () => loads++);
    await page.goto(url);
  });
  afterAll(async () => {
    run.child.kill('SIGKILL');
    await browser?.close();
  });

  test('it reloads by itself, epoch after epoch, and keeps the place of the reader', async () => {
    await until(async () => (await epochs()) >= 2);
    await ask(() => page.evaluate('scrollTo(0, 400)'));
    const [seen, before] = [await epochs(), loads];
    await until(async () => (await epochs()) >= seen + 2);
    expect(loads).toBeGreaterThan(before);
    await until(async () => (await ask(() => page.evaluate('scrollY'))) === 400);
    expect(troubles).toEqual([]);
  });

  test('paused it stays, and is in order at every width, light and dark', async () => {
    await page.getByRole('button', { name: 'Pause' }).click();
    const before = loads;
    for (const colorScheme of ['light', 'dark'] as const) {
      for (const width of [390, 768, 1280]) {
        await page.emulateMedia({ colorScheme });
        await page.setViewportSize({ width, height: 900 });
        expect([width, colorScheme, await violations(page)]).toEqual([width, colorScheme, []]);
        expect(await page.evaluate('document.documentElement.scrollWidth - innerWidth')).toBeLessThanOrEqual(0);
        const shots = process.env.CHESTMNIST_SCREENSHOTS;
        if (shots) await mkdir(shots, { recursive: true });
        if (shots) await page.screenshot({ path: path.join(shots, `${width}-${colorScheme}.png`), fullPage: true });
      }
    }
    expect(loads).toBe(before);
    await page.getByRole('button', { name: 'Go on' }).click();
    await until(() => loads > before);
  });

  test('stopped, it says so with the command that goes on, and rests', async () => {
    run.child.kill('SIGINT');
    expect((await run.done).code).toBe(130);
    const command = `npx chestmnist train --resume ${at('run')}`;
    await until(async () => (await ask(() => page.textContent('main')))!.includes(command));
    expect(await page.textContent('main')).toContain('The run is stopped.');
    const before = loads;
    await sleep(2500);
    expect(loads).toBe(before);
    expect(troubles).toEqual([]);
  });

  test('of a process that was killed long ago it says that nothing new has come, and rests', async () => {
    run = watched('killed');
    await until(async () => existsSync(at('killed', 'report.html')) && /<title>1\//.test(await pageOf('killed')));
    run.child.kill('SIGKILL');
    await run.done;
    const file = at('killed', 'old.html');
    await writeFile(
      file,
      (await pageOf('killed')).replace(/data-written="\d+"/, `data-written="${Date.now() - 3600e3}"`),
    );
    await page.goto(pathToFileURL(file).href);
    expect(await page.getByRole('status').first().textContent()).toMatch(/^Nothing new since then/);
    const before = loads;
    await sleep(2500);
    expect(loads).toBe(before);
  });
});

test('a process that leaves at once writes a last page; a run that is continued is watched only when it is asked', async () => {
  const script = `
    const { train } = require(${JSON.stringify(PACKAGE)});
    (async () => {
      const small = { data: 'synthetic', limitTrain: 64, limitVal: 32, limitTest: 32, batchSize: 32, device: 'cpu', threads: 1 };
      const run = train({ ...small, epochs: 2, report: false, resamples: 0, watch: true, out: ${JSON.stringify(folder())}, name: 'left' });
      for await (const event of run) if (event.type === 'epoch') process.exit(7);
    })();`;
  expect((await start(['-e', script]).done).code).toBe(7);
  const left = await pageOf('left');
  expect(left).toMatch(/The run is stopped\..*--resume/);
  expect(left).not.toContain('location.reload');
  const { code, stderr } = await start([MAIN, 'train', '--resume', at('left')]).done;
  expect({ code, watched: stderr.includes('to watch') }).toEqual({ code: 0, watched: false });
  expect(await pageOf('left')).toBe(left);
  expect(JSON.parse(await readFile(at('left', 'config.json'), 'utf8'))).not.toHaveProperty('watch');
});
