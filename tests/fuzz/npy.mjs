/** What mutation of a .npy file needs: its words, and a header length that fits the text again. */
export const NPY_WORDS = [
  "'descr'",
  "'fortran_order'",
  "'shape'",
  "'|u1'",
  "'<f8'",
  "'<i8'",
  "'<u8'",
  "'>f4'",
  "'|O'",
  "'|b1'",
  'True',
  'False',
  '(',
  ')',
  ',',
  '(0,)',
  '(2, 3)',
  '()',
  'L',
  '[',
  ']',
  '{',
  '}',
  ' ',
  '\\n',
  '\x93NUMPY',
];

/** Mostly makes the header end at its line feed, as it should, so that what is in it is looked at. */
export function fixNpy(bytes, random) {
  const end = bytes.indexOf(0x0a, 12) + 1;
  if (end < 13 || bytes.length < 12 || random.chance(0.3)) return bytes;
  const copy = Buffer.from(bytes);
  if (copy[6] === 1) copy.writeUInt16LE(Math.min(end - 10, 65_535), 8);
  else copy.writeUInt32LE(end - 12, 8);
  return copy;
}
