/**
 * Which room of src/ may import which, checked by `npm run lint`. A room may use itself and those after it in the list;
 * type imports count too. No file may be in a circle.
 */
'use strict';

/** From the top of the house down. Rooms on one line do not use each other. */
const FLOORS = [
  ['cli'],
  ['tune'],
  ['train', 'compare'],
  ['explain'],
  ['judge', 'report'],
  ['run'],
  ['weights'],
  ['engine'],
  ['setup', 'import'],
  ['recipe', 'data', 'metrics'],
  ['base'],
];

const folder = (rooms) => `^src/(${rooms.join('|')})/`;

const floors = FLOORS.flatMap((rooms, floor) =>
  rooms.map((room) => {
    const above = FLOORS.slice(0, floor).flat();
    const beside = rooms.filter((other) => other !== room);
    return {
      name: `${room}-imports-below`,
      comment: `src/${room} may import only rooms below it: ${
        FLOORS.slice(floor + 1)
          .flat()
          .join(', ') || 'none'
      }`,
      severity: 'error',
      from: { path: folder([room]) },
      to: { path: [`^src/[^/]+$`, ...(above.length + beside.length > 0 ? [folder([...above, ...beside])] : [])] },
    };
  }),
);

module.exports = {
  forbidden: [
    { name: 'no-circle', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'every-file-has-a-room',
      comment: 'only the public face lies at the top of src/',
      severity: 'error',
      from: { path: '^src/', pathNot: [folder(FLOORS.flat()), '^src/index\\.(ts|mts)$'] },
      to: {},
    },
    {
      name: 'metrics-is-pure',
      comment: 'chestmnist/metrics loads no dependency',
      severity: 'error',
      from: { path: '^src/metrics/' },
      to: { dependencyTypes: ['npm', 'core'] },
    },
    ...floors,
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    doNotFollow: { path: 'node_modules' },
  },
};
