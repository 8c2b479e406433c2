/**
 * The input as a file in memory, for parsers that open a path: system calls take nine tenths of the time otherwise. Only
 * the scratch folder is answered for; anything else goes to the system, where the process has no rights.
 */
import { createRequire } from 'node:module';
import path from 'node:path';
const files = createRequire(import.meta.url)('node:fs/promises');

/** Answers for `file`, whose content `current()` is; for nothing while `current()` is undefined. */
export function answerFor(file, current) {
  const real = { open: files.open, stat: files.stat, readFile: files.readFile };
  const folder = path.dirname(file) + path.sep;
  const facts = () => ({ size: current().length, isFile: () => true, isDirectory: () => false });
  const handle = () => ({
    stat: async () => facts(),
    close: async () => undefined,
    readFile: async () => current(),
    read: async (buffer, offset, length, position) => {
      const bytesRead = current().copy(buffer, offset, position, position + length);
      return { bytesRead, buffer };
    },
  });
  const answers = {
    open: handle,
    stat: facts,
    readFile: (encoding) => (encoding ? current().toString(encoding) : current()),
  };
  for (const [name, answer] of Object.entries(answers)) {
    files[name] = async (place, ...rest) => {
      if (current() === undefined || !String(place).startsWith(folder)) return real[name](place, ...rest);
      if (place === file) return answer(rest[0]);
      throw Object.assign(new Error(`ENOENT: no such file, ${name} '${place}'`), { code: 'ENOENT' });
    };
  }
}
