/** The package's version, read from its own package.json. */
import { readFileSync } from 'node:fs';
import path from 'node:path';

export const version: string = read();

/** `unknown` for code that a bundler moved away from its package.json: loading the addon then explains what to do. */
function read(): string {
  try {
    const file = path.join(__dirname, '..', '..', 'package.json');
    return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
  } catch {
    return 'unknown';
  }
}
