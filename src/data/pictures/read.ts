/** Pictures for a network: found, decoded and prepared. One file at a time, so that memory does not grow with their number. */
import { decodeAll, type DecodeOptions } from './decode';
import type { Note } from './picture';
import { prepare, type Preparation } from './prepare';

/** The pictures of one file, prepared. */
export interface PictureFile {
  /** One name per picture: the file, `file.npy[i]` or `file.npz#array[i]`. */
  readonly names: string[];
  /** [names.length, size, size, channels] uint8. */
  readonly images: Uint8Array;
  /** What was decided, once per kind. */
  readonly notes: readonly Note[];
}

/** Reads one file. Throws ERR_DATA_MISSING, ERR_DATA_CORRUPT or ERR_DATA_SHAPE. */
export async function readPictures(file: string, options: DecodeOptions & Preparation): Promise<PictureFile> {
  const names: string[] = [];
  const parts: Uint8Array[] = [];
  const notes = new Map<string, Note>();
  for await (const { name, picture } of decodeAll(file, options)) {
    const { pixels, notes: more } = prepare(picture, options);
    names.push(name);
    parts.push(pixels);
    for (const note of [...picture.notes, ...more]) if (!notes.has(note.kind)) notes.set(note.kind, note);
  }
  return { names, images: Buffer.concat(parts), notes: [...notes.values()] };
}

/** Notes about many pictures, each kind once, with the first picture that it is about. */
export class Notes {
  readonly #kinds = new Map<string, { text: string; first: string; count: number }>();

  add(file: string, notes: readonly Note[]): void {
    for (const { kind, text } of notes) {
      const known = this.#kinds.get(kind);
      if (known) known.count++;
      else this.#kinds.set(kind, { text, first: file, count: 1 });
    }
  }

  has(kind: string): boolean {
    return this.#kinds.has(kind);
  }

  lines(): string[] {
    return [...this.#kinds.values()].map(({ text, first, count }) => {
      const others = count > 1 ? ` (and ${count - 1} more ${count === 2 ? 'file' : 'files'} likewise)` : '';
      return `${first} ${text}${others}`;
    });
  }
}
