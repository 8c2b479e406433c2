/** The ESM entry of `chestmnist/metrics`: the same functions as index.ts. */
export * from './index.js';
