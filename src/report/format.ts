/** How numbers and foreign text are written in pictures and on the page. */
import type { Figure } from '../metrics/types';

/**
 * Text made harmless for HTML and XML, in elements and in quoted attributes; control characters and those that turn the
 * direction of what follows become U+FFFD.
 */
export function escape(text: unknown): string {
  return String(text)
    .replace(
      /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069\ufffe\uffff]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g,
      '\ufffd',
    )
    .replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

/** A figure with three decimals, or `undefined` without one. */
export const figureText = (value: Figure | undefined, digits = 3): string =>
  value === null || value === undefined ? 'undefined' : value.toFixed(digits);

/** A share as a percentage with one decimal. */
export const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;

/** A whole number with thousands separated. */
export const count = (n: number): string => n.toLocaleString('en-US');

/** `1 image`, `2 images`. */
export const plural = (n: number, noun: string): string => `${count(n)} ${noun}${n === 1 ? '' : 's'}`;

/** A part of a file name from any text: lower-case letters, digits and hyphens; may be empty. */
export const slug = (text: string): string =>
  text
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-|-$/g, '')
    .slice(0, 60);

/** Parts of file names from texts, each other than those before it on every file system; `otherwise` where a text has no letter. */
export function uniqueSlugs(): (text: string, otherwise: string) => string {
  const taken = new Set<string>();
  return (text, otherwise) => {
    const base = slug(text) || otherwise;
    let name = base;
    for (let i = 2; taken.has(name); i++) name = `${base}-${i}`;
    taken.add(name);
    return name;
  };
}
