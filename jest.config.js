'use strict';

/** Six projects, so that `npx jest --selectProjects unit` needs neither LibTorch nor Python. */
const project = (displayName) => ({
  displayName,
  testEnvironment: 'node',
  testMatch: [`<rootDir>/tests/${displayName}/**/*.test.ts`],
  transform: {
    '^.+\\.m?ts$': [
      'ts-jest',
      {
        tsconfig: { module: 'commonjs', moduleResolution: 'node10', ignoreDeprecations: '6.0', isolatedModules: true },
        diagnostics: false,
      },
    ],
  },
  moduleNameMapper: {
    '^chestmnist$': '<rootDir>/src/index.ts',
    '^chestmnist/metrics$': '<rootDir>/src/metrics/index.ts',
    // Dynamic imports name the compiled file.
    '^(\\.{1,2}/.+)\\.js$': '$1',
  },
});

module.exports = {
  projects: ['unit', 'native', 'parity', 'cli', 'fuzz', 'endurance'].map(project),
  testTimeout: 120_000,
};
