/**
 * FILE.part/: the pictures that are done, so that an import that was interrupted goes on where it was. `pixels` holds
 * records of one size, `journal` a line for each that is done. Removed when the import has ended.
 */
import { createHash, randomBytes } from 'node:crypto';
import { mkdir, open, readFile, rm, truncate, type FileHandle } from 'node:fs/promises';
import path from 'node:path';
import { crc32 } from 'node:zlib';
import { writing } from '../base/disk';
import type { Facts } from './picture';
import type { Refused } from './pool';

/** A picture that is done. */
export type Entry = { readonly id: number } & (
  { readonly facts: Facts; readonly crc: number } | { readonly refused: Refused }
);

/** Lines are written side by side, so that one that was not finished may lie between others. */
function entryIn(line: string): Entry | undefined {
  try {
    return JSON.parse(line) as Entry;
  } catch {
    return undefined;
  }
}

export class Part {
  readonly entries = new Map<number, Entry>();

  private constructor(
    readonly folder: string,
    private readonly pixels: FileHandle,
    private readonly journal: FileHandle,
    private readonly bytes: number,
    /** What patients are hashed with: random, kept for an import that goes on, and gone with the folder. */
    readonly salt: string,
  ) {}

  /** Opens the folder; what is there is kept when it was made for the same `plan`. `bytes` is the size of a record. */
  static async open(folder: string, plan: unknown, bytes: number): Promise<Part> {
    return writing(folder, async () => {
      await mkdir(folder, { recursive: true });
      const hash = createHash('sha256').update(JSON.stringify(plan)).digest('hex');
      const file = path.join(folder, 'journal');
      const text = await readFile(file, 'utf8').catch(() => '');
      const [, known] = new RegExp(`^${hash} ([0-9a-f]{64})\n`).exec(text) ?? [];
      const isSame = known !== undefined;
      const salt = known ?? randomBytes(32).toString('hex');
      // The last line may be cut short.
      const whole = isSame ? text.slice(0, text.lastIndexOf('\n') + 1) : `${hash} ${salt}\n`;
      const journal = await open(file, isSame ? 'r+' : 'w');
      if (isSame) await truncate(file, Buffer.byteLength(whole));
      else await journal.write(whole, 0);
      const pixels = await open(path.join(folder, 'pixels'), isSame ? 'a+' : 'w+');
      await pixels.close();
      const part = new Part(folder, await open(path.join(folder, 'pixels'), 'r+'), journal, bytes, salt);
      part.#end = Buffer.byteLength(whole);
      for (const line of whole.split('\n').slice(1, -1)) {
        const entry = entryIn(line);
        if (entry === undefined) continue;
        // A machine that lost its power may have written the line and not the pixels.
        const isThere = 'refused' in entry || crc32(await part.read(entry.id)) === entry.crc;
        if (isThere) part.entries.set(entry.id, entry);
      }
      return part;
    });
  }

  #end = 0;

  async add(
    entry: { id: number; facts: Facts; prepared: Uint8Array } | { id: number; refused: Refused },
  ): Promise<void> {
    await writing(this.folder, async () => {
      const { id } = entry;
      if ('refused' in entry) return this.note({ id, refused: entry.refused });
      const { facts, prepared } = entry;
      await this.pixels.write(prepared, 0, prepared.length, id * this.bytes);
      await this.note({ id, facts, crc: crc32(prepared) });
    });
  }

  private async note(entry: Entry): Promise<void> {
    const line = Buffer.from(`${JSON.stringify(entry)}\n`);
    const at = this.#end;
    this.#end += line.length;
    await this.journal.write(line, 0, line.length, at);
    this.entries.set(entry.id, entry);
  }

  /** The pixels of a picture; zeros where they were not written. */
  async read(id: number): Promise<Uint8Array> {
    const record = Buffer.alloc(this.bytes);
    await this.pixels.read(record, 0, this.bytes, id * this.bytes);
    return record;
  }

  async close(): Promise<void> {
    await this.pixels.close();
    await this.journal.close();
  }

  async remove(): Promise<void> {
    await rm(this.folder, { recursive: true, force: true });
  }
}
