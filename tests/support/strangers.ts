/** What may stand where a file or a folder of ours is expected. */
import { spawnSync } from 'node:child_process';
import {
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import net from 'node:net';
import path from 'node:path';

/** Makes a folder with files that belong to somebody else, named as ours are. */
export function othersFolder(folder: string): string {
  const others = path.join(folder, 'others');
  mkdirSync(path.join(others, 'deep'), { recursive: true });
  for (const name of ['loss.svg', 'best.safetensors', 'state.safetensors', 'history.csv', 'lock', 'val.npz'])
    writeFileSync(path.join(others, name), 'theirs');
  for (const name of ['thesis.0123abcd.tmp', 'deep/thesis.0123abcd.tmp', 'history.csv.0123abcd.tmp'])
    writeFileSync(path.join(others, name), 'theirs');
  return others;
}

/** Each puts something into the place of a file or folder. `others` is a folder, `file` a file in it. */
export const STRANGERS: Record<string, (place: string, others: string, file: string) => void> = {
  'a link to a folder': (place, others) => symlinkSync(others, place),
  'a link to a file': (place, others, file) => symlinkSync(path.join(others, file), place),
  'a link to nothing': (place) => symlinkSync('nowhere', place),
  'a link to itself': (place) => symlinkSync(path.basename(place), place),
  'a named pipe': (place) => void spawnSync('mkfifo', [place]),
};

/** The same for what stands in place of a file. */
export const NOT_FILES: typeof STRANGERS = {
  ...STRANGERS,
  'a folder': (place) => mkdirSync(path.join(place, 'within'), { recursive: true }),
};

/** Binds a socket at a place; returns how to close it. */
export async function socketAt(place: string): Promise<() => void> {
  const server = net.createServer();
  await new Promise<void>((resolve) => server.listen(place, resolve));
  return () => server.close();
}

export function replace(place: string, put: (typeof STRANGERS)[string], others: string): void {
  rmSync(place, { recursive: true, force: true });
  put(place, others, path.basename(place));
}

/** Every entry below a folder with its kind and content; links are not followed. */
export function snapshot(folder: string): string[] {
  return readdirSync(folder).flatMap((name) => {
    const place = path.join(folder, name);
    const facts = lstatSync(place);
    if (facts.isSymbolicLink()) return [`${place} -> ${readlinkSync(place)}`];
    if (facts.isDirectory()) return [`${place}/`, ...snapshot(place)];
    return [
      facts.isFile()
        ? `${place} ${facts.mtimeMs} ${facts.size > 1e4 ? facts.size : readFileSync(place, 'utf8')}`
        : place,
    ];
  });
}
