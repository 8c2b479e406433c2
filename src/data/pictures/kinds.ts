/** What a file is by its first bytes, since names may be wrong. Not here: decoding. */

/** The kinds that are read. `dicom` is also what has no preamble and starts with a data element of a header. */
export type Kind = 'png' | 'jpeg' | 'tiff' | 'webp' | 'dicom' | 'npy' | 'npz';

/** What is needed where a file is of none. */
export const KINDS = 'a PNG, JPEG, TIFF, WebP, DICOM, .npy or .npz file';
/** Bytes of a file that tell its kind. */
export const HEAD_BYTES = 512;

const STARTS: readonly (readonly [Kind, RegExp])[] = [
  // First: what precedes may be the start of a TIFF, so that the file is both.
  ['dicom', /^[^]{128}DICM/],
  ['png', /^\x89PNG\r\n\x1a\n/],
  ['jpeg', /^\xff\xd8\xff/],
  ['tiff', /^(?:II[*+]\0|MM\0[*+])/],
  ['webp', /^RIFF[^]{4}WEBP/],
  ['npz', /^PK\x03\x04/],
  ['npy', /^\x93NUMPY/],
  // Without a preamble: a group length or UID of group 2 or 8, explicit (two letters) or implicit (a short length).
  ['dicom', /^[\x02\x08]\0[\0-\x20]\0(?:UL\x04\0|(?:UI|CS|DA|OB|SH|LO|AE)[^]{2}|[\0-\x40]\0\0\0)/],
];

/** Files of other kinds that people take for pictures. */
const OTHERS: readonly (readonly [string, RegExp])[] = [
  ['empty', /^$/],
  ['an HTML page, perhaps that of an error', /^(?:\xef\xbb\xbf)?\s*<(?:!doctype\s+html|html|head|body)/i],
  ['an SVG drawing', /^(?:\s*<\?xml[^]*)?\s*<svg/i],
  ['XML', /^\s*<\?xml/i],
  ['a GIF', /^GIF8/],
  ['a BMP', /^BM[^]{4}\0\0\0\0/],
  ['a PDF', /^%PDF/],
  ['a HEIC or AVIF picture', /^[^]{4}ftyp(?:hei|mif|avi|msf)/],
  ['a JPEG 2000 picture', /^(?:\0\0\0\x0cjP {2}|\xff\x4f\xff\x51)/],
  ['a pointer of Git LFS, not the file itself', /^version https:\/\/git-lfs/],
  ['compressed by gzip', /^\x1f\x8b/],
  ['a NIfTI file', /^[^]{344}n[+i]1\0/],
  ['text', /^[^\0-\x08\x0e-\x1a\x1c-\x1f]+$/],
];

const nameIn = <T>(table: readonly (readonly [T, RegExp])[], head: Buffer): T | undefined => {
  const start = head.toString('latin1');
  return table.find(([, pattern]) => pattern.test(start))?.[0];
};

/** The kind of the file that starts with these bytes; undefined for none. */
export const kindIn = (head: Buffer): Kind | undefined => nameIn(STARTS, head);

/** What a file of no kind is instead, for an error: `is a GIF`. */
export const insteadOf = (head: Buffer): string => {
  const name = nameIn(OTHERS, head);
  return name === undefined ? 'is no picture by its first bytes' : `is ${name}`;
};
