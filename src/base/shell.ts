/** Commands that users can copy into a shell: quoted words, and the name under which this installation is started. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { isPrintable } from './text';

/** A word of a command: quoted where the shell would split or change it. What reads it back has the same bytes. */
export function shellWord(text: string): string {
  if (process.platform === 'win32') return /^[\w@+:,./\\-][\w@+=:,./\\-]*$/.test(text) ? text : `"${text}"`;
  if (/^[\w@%+:,./-][\w@%+=:,./-]*$/.test(text)) return text;
  if (isPrintable(text)) return `'${text.replaceAll("'", "'\\''")}'`;
  // Copying would lose control characters, so printf makes them. The octal form is the one that every shell knows.
  const octal = (byte: number): string => `\\${byte.toString(8).padStart(3, '0')}`;
  const bytes = [...Buffer.from(text)];
  return `"$(printf '${bytes.map((byte) => (/[\w@+=:,./ -]/.test(String.fromCharCode(byte)) ? String.fromCharCode(byte) : octal(byte))).join('')}')"`;
}

/** The package's own folder; the same depth from src/base and dist/base. */
const ROOT = path.resolve(__dirname, '..', '..');

/** Where pnpm, Yarn and Bun keep global packages, as a project of their own. */
const GLOBAL_PROJECT = /[\\/](?:pnpm|yarn|\.?bun|install)[\\/](?:data[\\/])?global[\\/]/i;

/** How the command line of the package in `root` is started: `chestmnist` where it was installed globally. */
export function commandOf(root: string, pnp: string | undefined = process.versions.pnp): string {
  if (pnp !== undefined) return 'yarn chestmnist';
  const [project, rest] = root.split(/[\\/]node_modules[\\/]/, 2);
  const isProject = rest === undefined || existsSync(path.join(project, 'package.json'));
  return isProject && !GLOBAL_PROJECT.test(root) ? 'npx chestmnist' : 'chestmnist';
}

const COMMAND = commandOf(ROOT);

/** A text whose commands begin with `npx chestmnist`, with the command that exists for this installation. */
export const asInstalled = (text: string): string => text.replaceAll('npx chestmnist', COMMAND);
