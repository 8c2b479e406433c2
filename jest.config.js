'use strict';
const { availableParallelism } = require('node:os');

// Test files share the cores. Threads of LibTorch that wait for work would hold one each, which doubles the time of all.
process.env.OMP_WAIT_POLICY ??= 'passive';

/** Six projects, so that `npx jest --selectProjects unit` needs neither LibTorch nor Python. */
const project = (displayName) => ({
  displayName,
  testEnvironment: 'node',
  testMatch: [`<rootDir>/tests/${displayName}/**/*.test.ts`],
  transform: { '^.+\\.m?ts$': '<rootDir>/tests/support/transform.cjs' },
  moduleNameMapper: {
    '^chestmnist$': '<rootDir>/src/index.ts',
    '^chestmnist/metrics$': '<rootDir>/src/metrics/index.ts',
    // Dynamic imports name the compiled file.
    '^(\\.{1,2}/.+)\\.js$': '$1',
  },
});

module.exports = {
  projects: ['unit', 'native', 'parity', 'cli', 'fuzz', 'endurance'].map(project),
  testSequencer: '<rootDir>/tests/support/sequencer.cjs',
  testTimeout: 120_000,
  // On two cores as well: many tests wait for a process of their own.
  maxWorkers: Math.max(2, availableParallelism() - 1),
};
