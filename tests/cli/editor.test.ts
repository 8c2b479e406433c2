/**
 * What an editor shows while a program is written: the TypeScript language service over the declarations that the package
 * publishes. Not here: whether they type-check (documents.test.ts, tests/package).
 */
import path from 'node:path';
import ts from 'typescript';
import { defaultText } from '../../src/recipe/resolve';
import { OPTION_NAMES } from '../../src/recipe/options';
import { PACKAGE } from '../support/chestmnist';
import { REPOSITORY } from '../support/reference';

/** The objects that a caller fills in, by the module that exports them. */
const INPUTS = {
  [path.dirname(PACKAGE)]: ['TrainOptions', 'TrainControl', 'EvaluateOptions', 'PredictOptions', 'LoadOptions'],
  [path.join(path.dirname(PACKAGE), 'metrics')]: [
    ...['MetricsInput', 'ComparisonInput', 'ConfidenceOptions', 'CalibrationOptions', 'CurveOptions'],
  ],
};
/** Imports of the types, and a variable of each. */
const PROGRAM = Object.entries(INPUTS)
  .map(([module, types]) => `import type { ${types.join(', ')} } from ${JSON.stringify(`${module}/index.js`)};`)
  .concat(...Object.values(INPUTS).map((types) => types.map((type) => `declare const a${type}: ${type};`)))
  .join('\n');

let text = PROGRAM;
let version = 0;
const file = path.join(REPOSITORY, 'editor.ts');
const settings: ts.CompilerOptions = {
  ...{ module: ts.ModuleKind.NodeNext, moduleResolution: ts.ModuleResolutionKind.NodeNext, strict: true },
  ...{ target: ts.ScriptTarget.ES2023, types: ['node'] },
};
const { sys } = ts;
const service = ts.createLanguageService({
  getScriptFileNames: () => [file],
  getCompilationSettings: () => settings,
  getScriptVersion: (name) => (name === file ? String(version) : '0'),
  getScriptSnapshot: (name) => {
    const content = name === file ? text : sys.readFile(name);
    return content === undefined ? undefined : ts.ScriptSnapshot.fromString(content);
  },
  getCurrentDirectory: () => REPOSITORY,
  getDefaultLibFileName: (options) => ts.getDefaultLibFilePath(options),
  fileExists: (name) => name === file || sys.fileExists(name),
  readFile: (name) => sys.readFile(name),
  directoryExists: (name) => sys.directoryExists(name),
  getDirectories: (name) => sys.getDirectories(name),
});

function show(program: string): void {
  text = program;
  version++;
}

/** The fields that the editor offers behind a variable of this type. */
function fieldsOf(type: string): string[] {
  show(`${PROGRAM}\na${type}.`);
  const { entries = [] } = service.getCompletionsAtPosition(file, text.length, {}) ?? {};
  return entries.map(({ name }) => name);
}

/** The documentation of a field when the pointer rests on it in an object that is passed. */
function hover(type: string, field: string): string {
  const before = `${PROGRAM}\nexport const passed: Partial<${type}> = { `;
  show(`${before}${field}: undefined };`);
  return ts.displayPartsToString(service.getQuickInfoAtPosition(file, before.length)?.documentation);
}

test.each(Object.values(INPUTS).flat())('every field of %s shows its documentation', (type) => {
  const fields = fieldsOf(type);
  expect(fields.length).toBeGreaterThan(0);
  expect(fields.filter((field) => hover(type, field) === '')).toEqual([]);
});

test('the options of training are those of the table, each with its default and in the words of the API', () => {
  expect(fieldsOf('TrainOptions').sort()).toEqual([...OPTION_NAMES].sort());
  for (const name of OPTION_NAMES) {
    const documentation = hover('TrainOptions', name);
    const usual = defaultText(name);
    if (usual !== undefined && name !== 'threads') expect(documentation).toMatch(new RegExp(`default\\s+${usual}[.;]`));
    expect({ name, flags: documentation.match(/--\w+/g) }).toEqual({ name, flags: null });
  }
});
