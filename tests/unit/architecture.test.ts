/** The map in ARCHITECTURE.md names every room of src/ and every file in one, and every folder of native/ with its files. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { REPOSITORY } from '../support/reference';

const text = readFileSync(path.join(REPOSITORY, 'ARCHITECTURE.md'), 'utf8');
const map = text.slice(text.indexOf('## Map'), text.indexOf('## Data flow'));

/** The part of the map from a room's bold name to the next. */
const partOf = (room: string): string => {
  const begin = map.indexOf(`**${room}/**`);
  const end = map.indexOf('**', begin + room.length + 5);
  return begin < 0 ? '' : map.slice(begin, end < 0 ? undefined : end);
};
const foldersOf = (folder: string): string[] =>
  readdirSync(path.join(REPOSITORY, folder)).filter((name) =>
    statSync(path.join(REPOSITORY, folder, name)).isDirectory(),
  );

test.each(foldersOf('src'))('src/%s', (room) => {
  const part = partOf(room);
  for (const entry of readdirSync(path.join(REPOSITORY, 'src', room))) {
    if (entry.endsWith('.mts')) continue;
    const name = entry.endsWith('.ts') ? entry.slice(0, -3) : `${entry}/`;
    expect(part).toContain(`\`${name}\``);
  }
});

test.each(foldersOf('native'))('native/%s', (room) => {
  const part = partOf(room);
  expect(part).not.toBe('');
  if (room === 'cpu') return; // docs/cpu.md
  for (const entry of readdirSync(path.join(REPOSITORY, 'native', room))) {
    expect(part).toContain(`\`${entry.replace(/\.(cc|h)$/, '')}\``);
  }
});

test.each(foldersOf('tests'))('tests/%s', (room) => expect(map).toContain(`**${room}/**`));
