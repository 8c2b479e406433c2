/** `chestmnist data`. */
import { copyFile, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { REPOSITORY } from '../../support/reference';
import { scratch } from '../../support/chestmnist';
import { chestmnist } from '../../support/in-process';

const folder = scratch();
const at = (name: string): string => path.join(folder(), name);
const fixture = (name: string): string => path.join(REPOSITORY, 'tests', 'fixtures', 'data', name);

describe('data info', () => {
  test('for people: licence, checksums, prevalences', async () => {
    const { code, stdout } = await chestmnist(['data', 'info']);
    expect(code).toBe(0);
    for (const text of ['CC BY 4.0', '02c8a6516a18b556561a56cbdd36c4a8', 'hernia', '0.18 %', '78,468', 'zenodo.org']) {
      expect(stdout).toContain(text);
    }
  });

  test('--json: one document', async () => {
    const { code, stdout, stderr } = await chestmnist(['data', 'info', '--json']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const document = JSON.parse(stdout);
    expect(document).toMatchObject({ name: 'chestmnist', licence: 'CC BY 4.0' });
    expect(document.files).toHaveLength(4);
    expect(document.labels[13]).toEqual({
      name: 'hernia',
      positives: { train: 144, val: 41, test: 42 },
      prevalence: 144 / 78468,
    });
  });
});

describe('data synthesize and verify', () => {
  test('what is written is right, and is not overwritten unasked', async () => {
    const args = ['data', 'synthesize', '-o', at('made.npz'), '--seed', '4', '--counts', '300,200,250', '--json'];
    const made = await chestmnist(args);
    expect(made.code).toBe(0);
    const written = JSON.parse(made.stdout);
    expect(written).toMatchObject({ path: at('made.npz'), seed: 4, size: 28 });

    const verified = JSON.parse((await chestmnist(['data', 'verify', at('made.npz'), '--json'])).stdout);
    expect(verified).toMatchObject({ ok: true, name: 'made', official: false, undefined_auc: [] });
    expect(verified.splits).toEqual(written.splits);
    expect(verified.splits.train.count).toBe(300);

    const before = await readFile(at('made.npz'));
    const again = await chestmnist(args);
    expect(again.code).toBe(2);
    expect(JSON.parse(again.stdout)).toMatchObject({ code: 'ERR_OUTPUT', found: expect.stringContaining('exists') });
    expect((await chestmnist([...args, '--force'])).code).toBe(0);
    expect((await readFile(at('made.npz'))).equals(before)).toBe(true);
  });

  test('verify names labels of one value, and refuses what is wrong', async () => {
    const text = (await chestmnist(['data', 'verify', fixture('set.npz')])).stdout;
    expect(text).toMatch(/AUC is undefined: .+ in (train|val|test)/);
    const float = await chestmnist(['data', 'verify', fixture('set_float.npz')]);
    expect(float.code).toBe(3);
    expect(float.stderr).toContain('ERR_DATA_SHAPE');
    await copyFile(fixture('set.npz'), at('chestmnist_64.npz'));
    const impostor = await chestmnist(['data', 'verify', at('chestmnist_64.npz')]);
    expect(impostor.code).toBe(3);
    expect(impostor.stderr).toContain('ERR_DATA_CHECKSUM');
    await writeFile(at('text.npz'), 'hello');
    expect((await chestmnist(['data', 'verify', at('text.npz')])).stderr).toContain('ERR_DATA_CORRUPT');
    expect((await chestmnist(['data', 'verify', at('absent.npz')])).stderr).toContain('ERR_DATA_MISSING');
  });

  test.each([
    ['--counts', '1,2'],
    ['--counts', '1,2,x'],
    ['--counts', '99999,1,1'],
    ['--size', '29'],
    ['--seed', '-1'],
  ])('%s %s: exit 2, nothing written', async (flag, value) => {
    const { code, stderr } = await chestmnist(['data', 'synthesize', '-o', at('none.npz'), `${flag}=${value}`]);
    expect(code).toBe(2);
    expect(stderr).toContain('ERR_CONFIG');
    await expect(readFile(at('none.npz'))).rejects.toThrow('ENOENT');
  });
});

describe('data fetch', () => {
  test('a size that does not exist: exit 2', async () => {
    expect((await chestmnist(['data', 'fetch', '--size', '32'])).code).toBe(2);
  });

  test.each([
    ['pneumonia', 'npx chestmnist data fetch chestmnist'],
    ['synthetic', 'npx chestmnist data synthesize'],
  ])('%s: exit 2, what can be fetched, and the way', async (name, next) => {
    const { code, stdout } = await chestmnist(['data', 'fetch', name, '--json']);
    expect(code).toBe(2);
    expect(JSON.parse(stdout)).toMatchObject({
      code: 'ERR_CONFIG',
      found: expect.stringContaining(`"${name}"`),
      needed: expect.stringContaining('one of chestmnist, pathmnist, ') as string,
      next: expect.stringContaining(next),
    });
  });
});
