/** Small JSON files that hold an object. The caller makes the errors of reading; writing is atomic. */
import type { ParseError } from 'jsonc-parser';
import { show } from './arguments';
import { readText, writeAtomically, writeNow } from './atomic';
import { jsonText } from './text';
import type { ChestMnistError } from './errors';

type Refuse = (what: string, cause?: unknown) => ChestMnistError;

/** The object in a JSON file; undefined when the file does not exist. `refuse` makes the error for other content. */
export async function readJson(file: string, refuse: Refuse): Promise<Record<string, unknown> | undefined> {
  const value = await readJsonValue(file, refuse);
  if (value === undefined || (typeof value === 'object' && value !== null && !Array.isArray(value)))
    return value as Record<string, unknown> | undefined;
  throw refuse(`is not a JSON object, but ${show(value)}`);
}

/** The same for any value. */
export async function readJsonValue(file: string, refuse: Refuse): Promise<unknown> {
  const text = await readText(file, refuse);
  if (text === undefined) return undefined;
  if (text.trim() === '') throw refuse('is not JSON (it is empty)');
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw refuse(`is not JSON (${await firstMistake(text, cause as Error)})`, cause);
  }
}

/** What is wrong and where. JSON.parse names the place only of some mistakes. */
async function firstMistake(text: string, { message }: Error): Promise<string> {
  const { parse, printParseErrorCode } = await import('jsonc-parser');
  const mistakes: ParseError[] = [];
  parse(text, mistakes, { disallowComments: true, allowTrailingComma: false });
  if (mistakes.length === 0) return message;
  const [{ error, offset }] = mistakes;
  const lines = text.slice(0, offset).split(/\r\n|\r|\n/);
  // Such as InvalidCommentToken.
  const name = printParseErrorCode(error).replace(/(?<=[a-z])(?=[A-Z])/g, ' ');
  const what = name.toLowerCase().replace('invalid comment token', 'a comment, which JSON does not have');
  return `line ${lines.length}, column ${lines.at(-1)!.length + 1}: ${what}`;
}

/** Writes a JSON file atomically. */
export async function writeJson(file: string, value: unknown): Promise<void> {
  await writeAtomically(file, (handle) => handle.writeFile(`${jsonText(value, 2)}\n`));
}

/** The same without waiting, for a process that exits. */
export const writeJsonNow = (file: string, value: unknown): void =>
  writeNow(file, `${JSON.stringify(value, null, 2)}\n`);
