/**
 * DICOM: every transfer syntax and every form of gray and colour, by the fixtures that dcmtk and gdcm made (`npm run
 * fixtures:dicom`), and real files where they are at hand.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { decode } from '../../../src/data/pictures/decode';
import { readFrame } from '../../../src/data/pictures/dicom/frame';
import { readHeader } from '../../../src/data/pictures/dicom/header';
import { realData } from '../../support/real-data';
import { REPOSITORY } from '../../support/reference';

const FIXTURES = path.join(REPOSITORY, 'tests', 'fixtures', 'dicom');
const fixture = (name: string): string => path.join(FIXTURES, `${name}.dcm`);
type Facts<T> = Record<string, { stored?: T; values?: T }>;
const written = JSON.parse(readFileSync(path.join(FIXTURES, 'expected.json'), 'utf8')) as Facts<number[] | 'explicit'>;
const expected = Object.fromEntries(
  Object.entries(written).map(([name, facts]) => [
    name,
    Object.fromEntries(
      Object.entries(facts).map(([key, array]) => [
        key,
        array === 'explicit' ? written.explicit[key as 'stored'] : array,
      ]),
    ),
  ]),
) as Facts<number[]>;

let folder: string;
beforeAll(() => (folder = mkdtempSync(path.join(os.tmpdir(), 'dicom-'))));
afterAll(() => rmSync(folder, { recursive: true }));

const put = (name: string, bytes: Uint8Array): string => {
  writeFileSync(path.join(folder, name), bytes);
  return path.join(folder, name);
};
const storedOf = async (file: string): Promise<number[]> => [
  ...(await readFrame(file, await readHeader(file, readFileSync(file)))).samples,
];

test.each(Object.entries(expected))('%s', async (name, { stored, values }) => {
  if (stored) expect(await storedOf(fixture(name))).toEqual(stored);
  const picture = await decode(fixture(name));
  expect(picture).toMatchObject({ width: 23, height: 17, depth: 8 });
  if (values) expect([...picture.samples]).toEqual(values);
});

test('what was decided is said: the window, the table, the range, the frames', async () => {
  const notesOf = async (name: string): Promise<string> =>
    (await decode(fixture(name))).notes.map(({ text }) => text).join('; ');
  expect(await notesOf('explicit')).toBe('is shown by its own window (center 1500, width 2500)');
  expect(await notesOf('voi-lut')).toContain('VOI LUT');
  expect(await notesOf('no-window')).toBe('has no window: the whole range is shown (12 bits stored)');
  expect(await notesOf('frames-jpeg')).toMatch(/^has 3 frames; the first is taken/);
  expect(await notesOf('eight')).toBe('');
});

test('a window that is given replaces that of the file', async () => {
  const { samples, notes } = await decode(fixture('mono1'), { window: [1500, 2500] });
  expect([...samples]).toEqual(expected.mono1.values);
  expect(notes).toMatchObject([{ kind: 'given-window' }]);
  const narrow = await decode(fixture('explicit'), { window: [1000, 1] });
  expect([...narrow.samples]).toEqual(expected.explicit.stored!.map((value) => (value > 999.5 ? 255 : 0)));
});

/** A fixture with other unsigned shorts in elements of group 28. */
const withShorts = (name: string, shorts: Readonly<Record<number, number>>): Buffer => {
  const bytes = readFileSync(fixture(name));
  for (const [element, value] of Object.entries(shorts)) {
    const tag = [0x28, 0, Number(element) & 255, Number(element) >> 8];
    bytes.writeUInt16LE(value, bytes.indexOf(Buffer.from([...tag, 0x55, 0x53])) + 8);
  }
  return bytes;
};
const [ROWS, COLUMNS, ALLOCATED, STORED, HIGH, SIGN] = [0x0010, 0x0011, 0x0100, 0x0101, 0x0102, 0x0103];

test('16 bits stored, as many programs declare by default, and no window: the values decide', async () => {
  const sixteen = { [STORED]: 16, [HIGH]: 15 };
  const { samples, notes } = await decode(put('16.dcm', withShorts('no-window', sixteen)));
  expect([...samples]).toEqual(expected['no-window'].values);
  expect(notes).toMatchObject([{ kind: 'range 12' }]);
  const signed = await decode(put('signed.dcm', withShorts('no-window', { ...sixteen, [SIGN]: 1 })));
  const stored = expected['no-window'].stored!;
  expect([...signed.samples]).toEqual(stored.map((value) => Math.round(((value + 8192) / 16383) * 255)));
  const negative = withShorts('no-window', { ...sixteen, [SIGN]: 1 });
  negative.writeInt16LE(-20000, negative.length - 2);
  expect((await decode(put('negative.dcm', negative))).notes).toMatchObject([{ kind: 'range 16' }]);
});

test('a window that is none is not used', async () => {
  const bytes = readFileSync(fixture('explicit'));
  for (const width of ['0   ', '-100', 'none']) {
    const copy = Buffer.from(bytes);
    copy.write(`${width}  `, copy.indexOf('2500\\9'), 'latin1');
    const { notes } = await decode(put('width.dcm', copy));
    expect(notes).toMatchObject([{ kind: 'range 12' }]);
  }
});

test('a file that is also a TIFF by its preamble is DICOM', async () => {
  const bytes = readFileSync(fixture('explicit'));
  bytes.write('II*\0', 'latin1');
  expect([...(await decode(put('both.dcm', bytes))).samples]).toEqual(expected.explicit.values);
});

describe('refused, with the file and the cause', () => {
  const explicit = (): Buffer => readFileSync(fixture('explicit'));
  const withShort = (element: number, value: number): Buffer => withShorts('explicit', { [element]: value });
  const withSyntax = (uid: string): Buffer => {
    const bytes = explicit();
    bytes.write(uid.padEnd(20, '\0'), bytes.indexOf('1.2.840.10008.1.2.1\0'), 'latin1');
    return bytes;
  };
  test.each<[string, () => Buffer, RegExp]>([
    ['pixels that end early', () => explicit().subarray(0, -100), /682 of the 782 bytes|cannot be read/],
    ['no pixels', () => explicit().subarray(0, explicit().indexOf(Buffer.from('e07f1000', 'hex'))), /without pixels/],
    ['no columns', () => withShort(COLUMNS, 0), /no pixels: it is 0x17/],
    ['more pixels than are read', () => withShort(ROWS, 65535), /65535|bytes/],
    ['32 bits', () => withShort(ALLOCATED, 32), /32 bits allocated/],
    ['more bits stored than allocated', () => withShort(STORED, 17), /17 stored/],
    ['a high bit below the stored ones', () => withShort(HIGH, 3), /3 the highest/],
    ['JPEG XL', () => withSyntax('1.2.840.10008.1.2.4.110'.slice(0, 20)), /transfer syntax/],
    ['an unknown syntax', () => withSyntax('1.2.3'), /the transfer syntax 1\.2\.3/],
    ['pixels that are said to be RLE', () => withSyntax('1.2.840.10008.1.2.5'), /cannot be (?:decoded|read)/],
    ['a header alone', () => explicit().subarray(0, 150), /cannot be read|without pixels/],
  ])('%s', async (_what, bytes, found) => {
    const file = put('refused.dcm', bytes());
    const refused = expect(decode(file)).rejects;
    await refused.toMatchObject({ code: 'ERR_DATA_CORRUPT', found: expect.stringMatching(found) });
    await expect(decode(file)).rejects.toMatchObject({ found: expect.stringContaining(file) });
  });

  test.each(['jpeg-lossless-sv1', 'jpeg-extended', 'jpeg-baseline', 'jpeg-ls', 'jpeg-2000', 'rle', 'deflated'])(
    '%s, cut within its pixels or at any other place: never other values, never a crash',
    async (name) => {
      const bytes = readFileSync(fixture(name));
      const whole = [...(await decode(fixture(name))).samples];
      for (let length = 140; length < bytes.length - 40; length += 29) {
        const outcome = await decode(put('cut.dcm', bytes.subarray(0, length))).catch((error: unknown) => error);
        if ('samples' in (outcome as object)) expect([...(outcome as { samples: Uint8Array }).samples]).toEqual(whole);
        else expect(outcome).toMatchObject({ code: 'ERR_DATA_CORRUPT' });
      }
    },
  );

  test('nothing of the header reaches an error or a note', async () => {
    const bytes = explicit();
    const outcomes = [await decode(fixture('explicit'))];
    const error: unknown = await decode(put('x.dcm', bytes.subarray(0, -100))).catch((thrown: unknown) => thrown);
    expect(JSON.stringify([outcomes, error, String(error)])).not.toMatch(/NOBODY/);
  });
});

const real = realData('dicom');
const hasGdcm = spawnSync('gdcmconv', ['--version']).status === 0;
(real && hasGdcm ? describe : describe.skip)('real files, as gdcm decodes them (needs gdcmconv and real data)', () => {
  test.each(real ? readdirSync(real) : ['none'])('%s', async (name) => {
    const raw = path.join(folder, 'raw.dcm');
    execFileSync('gdcmconv', ['--raw', path.join(real!, name), raw], { stdio: 'pipe' });
    const [ours, theirs] = [await storedOf(path.join(real!, name)), await storedOf(raw)];
    expect(Buffer.from(Uint16Array.from(ours).buffer).equals(Buffer.from(Uint16Array.from(theirs).buffer))).toBe(true);
  });
});
