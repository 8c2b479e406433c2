/** The documents of the repository as data: their blocks of code, their links, the anchors they offer. */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { REPOSITORY } from './reference';

const inFolder = (folder: string): string[] =>
  readdirSync(path.join(REPOSITORY, folder))
    .filter((name) => name.endsWith('.md'))
    .map((name) => path.posix.join(folder, name));

/** Every document, relative to the repository. */
export const DOCUMENTS = ['.', 'docs', 'examples', 'bench', 'tests/fuzz'].flatMap(inFolder);

/** Those whose blocks a reader types. docs/api.md is generated from declarations, and `npm test` checks that it is current. */
export const TYPED = DOCUMENTS.filter((file) => /^(README\.md|docs\/|examples\/)/.test(file) && file !== 'docs/api.md');

export const textOf = (document: string): string => readFileSync(path.join(REPOSITORY, document), 'utf8');

export interface Block {
  document: string;
  language: string;
  text: string;
}

export const blocksOf = (document: string): Block[] =>
  [...textOf(document).matchAll(/^```(.*)\n([^]*?)^```$/gm)].map(([, language, text]) => ({
    document,
    language,
    text,
  }));

/** The commands of a `sh` block, without their comments. */
export const commandsOf = ({ text }: Block): string[] =>
  text
    .split('\n')
    .map((line) => line.replace(/(^|\s+)#.*$/, '').trim())
    .filter(Boolean);

const prose = (document: string): string => textOf(document).replace(/^```[^]*?^```$/gm, '');

/** Links to files of the repository: what they name and the anchor behind it. */
export const linksOf = (document: string): { target: string; anchor: string | undefined }[] =>
  [...prose(document).matchAll(/\]\((?!https?:)([^()#\s]*)(?:#([^()\s]+))?\)/g)].map(([, file, anchor]) => ({
    target: file === '' ? document : path.posix.join(path.posix.dirname(document), file),
    anchor,
  }));

/** The anchors of a document's headings, as GitHub makes them. */
export const anchorsOf = (document: string): string[] =>
  [...prose(document).matchAll(/^#+ (.+)$/gm)].map(([, heading]) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(' ', '-'),
  );
