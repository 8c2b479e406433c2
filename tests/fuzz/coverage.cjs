/** Counts which statements and branches of the given files have run, by instrumenting them as they are required. */
'use strict';
const { createInstrumenter } = require('istanbul-lib-instrument');
const Module = require('node:module');

/** Instruments every module of `folder` loaded from now on; returns a function: how many counters ran for the first time since the last call. */
exports.coverage = function coverage(folder) {
  const instrumenter = createInstrumenter({
    esModules: false,
    coverageGlobalScope: 'globalThis',
    coverageGlobalScopeFunc: false,
  });
  const compile = Module.prototype._compile;
  Module.prototype._compile = function (code, file) {
    return compile.call(this, file.startsWith(folder) ? instrumenter.instrumentSync(code, file) : code, file);
  };
  let unseen = [];
  let known = 0;
  let seen = 0;
  const collect = () => {
    const files = Object.values(global.__coverage__ ?? {});
    if (files.length === known) return;
    known = files.length;
    unseen = files.flatMap(({ s, b }) => [
      ...Object.keys(s).map((key) => [s, key]),
      ...Object.values(b).flatMap((branches) => branches.map((_, i) => [branches, i])),
    ]);
    seen = 0;
  };
  return {
    fresh() {
      collect();
      const before = unseen.length;
      unseen = unseen.filter(([counters, key]) => counters[key] === 0);
      seen += before - unseen.length;
      return before - unseen.length;
    },
    seen: () => seen,
  };
};
