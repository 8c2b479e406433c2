/** An installed Chromium, for tests of pages; CHESTMNIST_CHROMIUM names another. Without one they are skipped by name. */
import { existsSync } from 'node:fs';
import type { AxeResults } from 'axe-core';
import type { Browser, Page } from 'playwright-core';

export const CHROMIUM = [
  process.env.CHESTMNIST_CHROMIUM,
  ...['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome', '/snap/bin/chromium'],
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  'C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe',
].find((file) => file !== undefined && existsSync(file));

export async function launch(): Promise<Browser> {
  const { chromium } = await import('playwright-core');
  return chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox', '--disable-gpu'] });
}

/** Opens a page; `troubles` are what it says on the console, its errors, its dialogs and what it asks from elsewhere. */
export async function openPage(
  browser: Browser,
  url: string,
  width: number,
  colorScheme: 'light' | 'dark' = 'light',
): Promise<{ page: Page; troubles: string[] }> {
  const page = await browser.newPage({ viewport: { width, height: 800 }, colorScheme, bypassCSP: false });
  const troubles: string[] = [];
  page.on('console', (message) => troubles.push(message.text()));
  page.on('pageerror', (error) => troubles.push(error.message));
  page.on('dialog', (dialog) => troubles.push(dialog.message()));
  page.on('request', (request) => {
    if (request.url() !== url && !request.url().startsWith('data:')) troubles.push(request.url());
  });
  await page.goto(url, { waitUntil: 'load' });
  return { page, troubles };
}

/** What axe finds wrong with the page as it stands. */
export async function violations(page: Page): Promise<unknown[]> {
  // The page's policy forbids added scripts; an evaluated one is the debugger's.
  await page.evaluate((await import('axe-core')).source);
  const { violations } = await page.evaluate<AxeResults>(`axe.run(document, { resultTypes: ['violations'] })`);
  return violations.map(({ id, impact, nodes }) => ({ id, impact, node: nodes[0].html.slice(0, 200) }));
}
