/**
 * `npm run docs`: writes docs/api.md from the declarations in dist/ and the comments in them: every public export with
 * its documentation and its TypeScript. With --check it changes nothing and fails when the file is out of date.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import ts from 'typescript';
import { ROOT, say, stop } from './steps.mjs';

const ENTRIES = { chestmnist: 'dist/index.d.ts', 'chestmnist/metrics': 'dist/metrics/index.d.ts' };
const files = Object.values(ENTRIES).map((file) => path.join(ROOT, file));
const options = { module: ts.ModuleKind.NodeNext, moduleResolution: ts.ModuleResolutionKind.NodeNext, strict: true };
const program = ts.createProgram(files, { ...options, target: ts.ScriptTarget.ES2023, types: [] });
const checker = program.getTypeChecker();

/** Public exports of an entry: functions first, then classes, then types. */
function exportsOf(file) {
  const order = (declaration) =>
    ts.isFunctionDeclaration(declaration) ? 0 : ts.isClassDeclaration(declaration) ? 1 : 2;
  return checker
    .getExportsOfModule(checker.getSymbolAtLocation(program.getSourceFile(file)))
    .map((symbol) => (symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol))
    .map((symbol) => ({ symbol, declaration: symbol.declarations[0] }))
    .sort((a, b) => order(a.declaration) - order(b.declaration) || (a.symbol.name < b.symbol.name ? -1 : 1));
}

/** A declaration as a user would write it. An inferred type is spelled out, one property per line. */
function codeOf({ symbol, declaration }) {
  const text = declaration.getText().replace(/^export declare |^export /, '');
  if (!ts.isTypeAliasDeclaration(declaration) || !/Table|typeof/.test(text)) return text;
  const type = checker.getDeclaredTypeOfSymbol(symbol);
  const lines = checker.getPropertiesOfType(type).flatMap((property) => {
    const documentation = ts
      .displayPartsToString(property.getDocumentationComment(checker))
      .replaceAll('\n', '\n   * ');
    const optional = property.flags & ts.SymbolFlags.Optional ? '?' : '';
    const value = checker.typeToString(checker.getTypeOfSymbol(property), undefined, ts.TypeFormatFlags.NoTruncation);
    const shown = optional ? value.replace(/ \| undefined$/, '') : value;
    return [...(documentation ? [`  /** ${documentation} */`] : []), `  ${property.name}${optional}: ${shown};`];
  });
  return `type ${symbol.name} = {\n${lines.join('\n')}\n}`;
}

/** The comment of a symbol, its tags (@throws and such) after it. */
function textOf(symbol) {
  const tags = symbol.getJsDocTags(checker).map(({ name, text }) => `*${name}* ${ts.displayPartsToString(text)}`);
  return [ts.displayPartsToString(symbol.getDocumentationComment(checker)), ...tags].join('\n\n').trim();
}

const sections = Object.entries(ENTRIES).map(([name, file]) => {
  const entries = exportsOf(path.join(ROOT, file)).map((entry) => {
    const documentation = textOf(entry.symbol);
    return `### ${entry.symbol.name}\n\n${documentation ? `${documentation}\n\n` : ''}\`\`\`ts\n${codeOf(entry)}\n\`\`\`\n`;
  });
  return `## \`${name}\`\n\n${entries.join('\n')}`;
});
const page = `# API reference

Made by \`npm run docs\` from the comments in the source. Every function rejects or throws a ChestMnistError, with a stable \`code\`.

${sections.join('\n')}`;

const out = path.join(ROOT, 'docs', 'api.md');
if (process.argv.includes('--check')) {
  let there = '';
  try {
    there = readFileSync(out, 'utf8');
  } catch {
    // A missing file is out of date.
  }
  if (there !== page) stop('docs/api.md', 'out of date: npm run docs');
} else {
  mkdirSync(path.dirname(out), { recursive: true });
  writeFileSync(out, page);
}
say(`docs/api.md: ${Buffer.byteLength(page)} bytes, ${process.argv.includes('--check') ? 'up to date' : 'written'}`);
