/** The user's folders where there is no home: what searches goes on, what writes says what to set. */
import os from 'node:os';
import path from 'node:path';
import { cacheDirectory, expandHome, homeFolder, knownCache } from '../../../src/base/folders';
import { dataDirectories, downloadDirectory, findDataFile } from '../../../src/data/places';
import { locateSetUp } from '../../../src/setup/locate';
import { hubDirectory } from '../../../src/weights/imagenet';

const saved = { ...process.env };
beforeEach(() => {
  for (const name of ['XDG_CACHE_HOME', 'CHESTMNIST_DATA', 'LOCALAPPDATA', 'TORCH_HOME']) delete process.env[name];
});
afterEach(() => {
  jest.restoreAllMocks();
  process.env = { ...saved };
});

const noUser = (): never => {
  throw Object.assign(new Error('uv_os_homedir returned ENOENT'), { name: 'SystemError', code: 'ERR_SYSTEM_ERROR' });
};

describe.each<[string, () => string]>([
  ['a user that the system does not know, without HOME', noUser],
  ['HOME is empty', () => ''],
  ['HOME is not a whole path', () => 'home'],
])('%s', (_, home) => {
  beforeEach(() => void jest.spyOn(os, 'homedir').mockImplementation(home));

  test('there is no home and no cache, and searching goes on without them', () => {
    expect([homeFolder(), knownCache()]).toEqual([undefined, undefined]);
    expect(dataDirectories()).toEqual([process.cwd()]);
    expect(findDataFile('chestmnist.npz')).toBeUndefined();
    const failures: { reason: string }[] = [];
    expect(locateSetUp({ root: '/nowhere', env: {} }, failures as never)).toBeUndefined();
    expect(failures.at(-1)?.reason).toContain('there is no home folder');
  });

  test.each([
    ['the cache', cacheDirectory],
    ['a download', downloadDirectory],
    ['published weights', () => hubDirectory({})],
  ])('writing %s says which variable to set', (_, place) => {
    expect(place).toThrow(
      expect.objectContaining({
        code: 'ERR_CONFIG',
        found: expect.stringContaining('no home folder'),
        next: expect.stringContaining('XDG_CACHE_HOME=FOLDER'),
      }) as Error,
    );
  });

  test('a path from ~ says what helps that path', () => {
    expect(() => expandHome('~/x.npz')).toThrow(
      expect.objectContaining({ next: 'write ~/x.npz in full, or set HOME=FOLDER' }) as Error,
    );
  });

  test('the variables are enough', () => {
    process.env.XDG_CACHE_HOME = '/cache';
    expect(cacheDirectory()).toBe(path.join('/cache', 'chestmnist'));
    expect(hubDirectory({ TORCH_HOME: '/torch' })).toBe(path.join('/torch', 'hub', 'checkpoints'));
    process.env.CHESTMNIST_DATA = '/data';
    expect(downloadDirectory()).toBe('/data');
  });
});
