/** Transfer syntaxes: how the pixels of a DICOM file are coded. PS3.5 and PS3.6, annex A. */

export type Coding = 'native' | 'rle' | 'jpeg' | 'jpeg-ls' | 'jpeg-2000';

const UID = '1.2.840.10008.1.2';
export const [IMPLICIT, EXPLICIT, BIG_ENDIAN] = [UID, `${UID}.1`, `${UID}.2`];

const CODINGS: Readonly<Record<string, Coding>> = {
  [IMPLICIT]: 'native',
  [EXPLICIT]: 'native',
  [`${UID}.1.99`]: 'native', // deflated
  [BIG_ENDIAN]: 'native',
  [`${UID}.5`]: 'rle',
  [`${UID}.4.50`]: 'jpeg',
  [`${UID}.4.51`]: 'jpeg',
  [`${UID}.4.57`]: 'jpeg',
  [`${UID}.4.70`]: 'jpeg',
  [`${UID}.4.80`]: 'jpeg-ls',
  [`${UID}.4.81`]: 'jpeg-ls',
  [`${UID}.4.90`]: 'jpeg-2000',
  [`${UID}.4.91`]: 'jpeg-2000',
};

/** Those that are not read, by what their numbers after `.4.` begin with. */
const OTHERS: readonly (readonly [RegExp, string])[] = [
  [/^\.4\.(?:5[2-6]|5[89]|6\d)$/, 'JPEG, a retired process'],
  [/^\.4\.9[2-5]$/, 'JPEG 2000 Part 2, or JPIP'],
  [/^\.4\.1(?:0[0-8])/, 'MPEG video'],
  [/^\.4\.11[0-2]$/, 'JPEG XL'],
  [/^\.4\.20[1-5]$/, 'High-Throughput JPEG 2000'],
];

export const codingOf = (uid: string): Coding | undefined => CODINGS[uid];

/** A syntax that is not read, for an error. */
export function nameOf(uid: string): string {
  const rest = uid.startsWith(`${UID}.`) ? uid.slice(UID.length) : '';
  const name = OTHERS.find(([pattern]) => pattern.test(rest))?.[1];
  return name === undefined ? uid : `${uid} (${name})`;
}
