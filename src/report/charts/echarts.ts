/**
 * The drawing library, in its one-file build. `npm pack` puts that file in this module's place in dist/
 * (scripts/prepack.mjs), so that installing the package does not install all of echarts (60 MB).
 */
import type * as echarts from 'echarts';

// eslint-disable-next-line @typescript-eslint/no-require-imports
export const { init } = require('echarts/dist/echarts.min.js') as Pick<typeof echarts, 'init'>;
