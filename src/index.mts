/** The same exports for ESM. */
export * from './index.js';
