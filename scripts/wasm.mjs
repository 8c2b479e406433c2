/** `npm run wasm`: writes src/data/pictures/rows.ts from rows.wat. `npm test` fails when it is out of date. */
import { writeFileSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import wabt from 'wabt';

const FOLDER = fileURLToPath(new URL('../src/data/pictures', import.meta.url));
const { parseWat } = await wabt();
const { buffer } = parseWat('rows.wat', readFileSync(path.join(FOLDER, 'rows.wat'), 'utf8'), { simd: true }).toBinary(
  {},
);
const lines = Buffer.from(buffer)
  .toString('base64')
  .match(/.{1,100}/g);
writeFileSync(
  process.argv[2] ?? path.join(FOLDER, 'rows.ts'),
  `/** WebAssembly in base64, compiled from rows.wat by \`npm run wasm\`. Its one user is resize.ts. */
export const ROWS = [
${lines.map((line) => `  '${line}',`).join('\n')}
].join('');
`,
);
