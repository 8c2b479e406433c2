/**
 * `node scripts/picture.mjs runs/NAME`: makes docs/report.png, the picture of a report in the README. It is the top of
 * the page down to the table of labels, as Chromium shows it, and contains no image of the data set.
 */
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { chromium } from 'playwright-core';
import { ROOT, say, stop } from './steps.mjs';

const run = process.argv[2];
if (!run) stop('picture', 'usage: node scripts/picture.mjs RUN', 2);
const executablePath = process.env.CHESTMNIST_CHROMIUM ?? '/usr/bin/chromium';
const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu'] });
try {
  const width = 1120;
  const page = await browser.newPage({ viewport: { width, height: 800 }, colorScheme: 'light' });
  await page.goto(pathToFileURL(path.resolve(run, 'report.html')).href);
  const { y } = await page.locator('#labels').boundingBox();
  const file = path.join(ROOT, 'docs', 'report.png');
  const clip = { x: 0, y: 0, width, height: Math.floor(y) - 20 };
  await page.screenshot({ path: file, clip, fullPage: true });
  say(file);
} finally {
  await browser.close();
}
