/**
 * report.html in a real browser: nothing leaves the page, every chart is drawn, it fits a phone, sorts by keyboard, prints,
 * and axe finds nothing serious. Needs an installed Chromium (CHESTMNIST_CHROMIUM names another); skipped by name without.
 */
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { drawReport } from '../../../src/report';
import { CHROMIUM, launch, openPage, violations } from '../../support/browser';
import { datasetOf, makeRun, removeRuns } from '../../support/report-fixture';

(CHROMIUM ? describe : describe.skip)('report.html in Chromium', () => {
  let browser: Browser;
  let url: string;
  let troubles: string[];

  beforeAll(async () => {
    const dataset = datasetOf();
    const labels = dataset.labels.map((label, i) => (i === 0 ? `${'unbroken'.repeat(30)}` : label));
    const run = await makeRun({
      name: 'a run',
      labels,
      config: { out: 'x'.repeat(500), data: '<b><script>alert(1)</script>' },
    });
    await drawReport(run, { dataset });
    url = pathToFileURL(path.join(run, 'report.html')).href;
    browser = await launch();
  });
  afterAll(async () => {
    await browser?.close();
    await removeRuns();
  });

  async function open(width: number, colorScheme: 'light' | 'dark' = 'light'): Promise<Page> {
    const opened = await openPage(browser, url, width, colorScheme);
    ({ troubles } = opened);
    return opened.page;
  }

  test.each([
    [1280, 'light'],
    [360, 'light'],
    [360, 'dark'],
  ] as const)(
    'at %i pixels in %s: no trouble, no sideways scrolling, every chart and image drawn',
    async (width, scheme) => {
      const page = await open(width, scheme);
      const seen = await page.evaluate(`(() => {
      for (const details of document.querySelectorAll('details')) details.open = true;
      const boxes = [...document.querySelectorAll('svg')].map((svg) => svg.getBoundingClientRect());
      const drawn = [...document.querySelectorAll('svg')].filter((svg) => svg.querySelectorAll('path').length > 3 && svg.querySelectorAll('text').length > 3);
      return {
        overflow: document.documentElement.scrollWidth - innerWidth,
        charts: boxes.length, drawn: drawn.length,
        narrowest: Math.min(...boxes.map((box) => box.width)), widest: Math.max(...boxes.map((box) => box.right)),
        images: [...document.images].filter((image) => image.complete && image.naturalWidth === 28 && image.width >= 96).length === document.images.length,
        background: getComputedStyle(document.body).backgroundColor,
        text: getComputedStyle(document.querySelector('svg text')).fill,
      };
    })()`);
      expect(troubles).toEqual([]);
      expect(seen).toMatchObject({ charts: 72, drawn: 72, images: true });
      const { overflow, narrowest, widest, background, text } = seen as Record<string, number>;
      expect(overflow).toBeLessThanOrEqual(0);
      expect(narrowest).toBeGreaterThan(140);
      expect(widest).toBeLessThanOrEqual(width);
      expect([background, text]).toEqual(
        scheme === 'dark' ? ['rgb(20, 27, 34)', 'rgb(233, 238, 243)'] : ['rgb(255, 255, 255)', 'rgb(27, 39, 51)'],
      );
      await page.close();
    },
  );

  test.each([
    [1280, 'light'],
    [360, 'dark'],
  ] as const)('axe finds nothing serious at %i pixels in %s', async (width, scheme) => {
    const page = await open(width, scheme);
    await page.evaluate(`for (const details of document.querySelectorAll('details')) details.open = true`);
    expect(await violations(page)).toEqual([]);
    await page.close();
  });

  test('the table sorts by keyboard, both ways, undefined last, and says so', async () => {
    const page = await open(1280);
    const column = (i: number): Promise<string[]> =>
      page
        .locator(`table.sortable tbody tr > :nth-child(${i})`)
        .evaluateAll((cells) => cells.map((cell) => (cell as unknown as { dataset: { value: string } }).dataset.value));
    const before = await column(3);
    const button = page.getByRole('button', { name: 'AUC' });
    await button.focus();
    await page.keyboard.press('Enter');
    const defined = (values: string[]): number[] => values.filter(Boolean).map(Number);
    const descending = await column(3);
    expect(defined(descending)).toEqual(defined(before).sort((a, b) => b - a));
    expect(descending.at(-1)).toBe('');
    await page.keyboard.press('Space');
    const ascending = await column(3);
    expect(defined(ascending)).toEqual(defined(before).sort((a, b) => a - b));
    expect(ascending.at(-1)).toBe('');
    expect(await page.locator('th[aria-sort]').count()).toBe(1);
    expect(await page.getByRole('status').textContent()).toBe('Sorted by AUC, ascending');
    await page.getByRole('button', { name: 'Label' }).click();
    const names = await column(1);
    expect(names).toEqual([...names].sort((a, b) => a.localeCompare(b)));
    expect(troubles).toEqual([]);
    await page.close();
  });

  test('prints in light colours with everything unfolded', async () => {
    const page = await open(794, 'dark');
    const pdf = await page.pdf({ format: 'A4' });
    expect(pdf.subarray(0, 5).toString()).toBe('%PDF-');
    expect(await page.locator('details:not([open])').count()).toBe(0);
    await page.emulateMedia({ media: 'print', colorScheme: 'dark' });
    expect(await page.evaluate(`getComputedStyle(document.body).backgroundColor`)).toBe('rgb(255, 255, 255)');
    await page.close();
  });
});
