/**
 * The order of the test files: in a new clone Jest goes by their size, so the small files that take minutes would come
 * last, when there is nothing left for the other workers.
 */
'use strict';
const { default: Sequencer } = require('@jest/test-sequencer');

const LONG =
  /native\/execution|parity\/resnet|parity\/foreign|cli\/(train-|remedies|documents)|tests\/(endurance|fuzz)\//;
const isLong = ({ path }) => LONG.test(path.replaceAll('\\', '/'));

module.exports = class extends Sequencer {
  async sort(tests) {
    const sorted = await super.sort(tests);
    return [...sorted.filter(isLong), ...sorted.filter((test) => !isLong(test))];
  }
};
