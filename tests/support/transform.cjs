/**
 * Jest's view of TypeScript: each file to CommonJS by itself, by the compiler's own transpileModule. Types are checked by
 * tsc in a step of its own; Jest keeps what was made, so a file is compiled again only when it has changed.
 */
'use strict';
const { createHash } = require('node:crypto');
const ts = require('typescript');

const compilerOptions = {
  module: ts.ModuleKind.CommonJS,
  target: ts.ScriptTarget.ES2023,
  esModuleInterop: true,
  sourceMap: true,
  inlineSources: true,
};

module.exports = {
  getCacheKey: (source, fileName) =>
    createHash('sha256')
      .update([ts.version, JSON.stringify(compilerOptions), fileName, source].join('\0'))
      .digest('hex'),
  process(source, fileName) {
    const { outputText, sourceMapText } = ts.transpileModule(source, { fileName, compilerOptions });
    return { code: outputText, map: sourceMapText };
  },
};
