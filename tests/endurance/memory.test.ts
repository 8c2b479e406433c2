/** The memory test in its short form: a model (134 MB) or a thread that is kept at each cycle would show. */
import path from 'node:path';
import { REPOSITORY } from '../support/reference';
import { start } from '../support/chestmnist';

const onLinux = process.platform === 'linux' ? test : test.skip;

onLinux(
  '20 trainers made, used and disposed, and 12 epochs of a run leave nothing behind',
  async () => {
    const program = path.join(REPOSITORY, 'tests', 'endurance', 'memory.mjs');
    const { code, stdout, stderr } = await start([program, '--cycles', '20', '--epochs', '12']).done;
    expect({ verdicts: stdout.match(/^(flat|GROWS)/gm), stdout, stderr }).toMatchObject({ verdicts: ['flat', 'flat'] });
    expect(code).toBe(0);
  },
  600_000,
);
