/** `chestmnist doctor`: what set-up finds on this machine, a verdict, and the next command. Exit 4 when training cannot run. */
import type { Command } from 'commander';
import { cudaObstacle, type CudaStatus } from '../../setup/cuda';
import type { DoctorReport } from '../../setup/doctor';
import { cliOf } from '../context';
import { unbroken, wrap } from '../terminal/width';

const EXAMPLES = `
Examples:
  chestmnist doctor                 paste this into a bug report
  chestmnist doctor --json          the same as one JSON document; exit code 4 when training cannot run`;

export function register(program: Command): void {
  program
    .command('doctor')
    .description('what was found on this machine, a verdict and the next command')
    .addHelpText('after', EXAMPLES)
    .action(async (_options: object, command: Command) => {
      const { doctor } = await import('../../setup/doctor.js');
      const report = await doctor();
      cliOf(command).result(report, (columns) => describe(report, columns));
      if (!report.usable) process.exitCode = 4;
    });
}

const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0)} MB`;

function describe(report: DoctorReport, columns: number): string {
  const { chestmnist, memory, environment, node, platform, cpu, addon, libtorch, looked, cuda, data, caches, problem } =
    report;
  const rows: [string, string][] = [
    ['package', `chestmnist ${chestmnist.version} in ${unbroken(chestmnist.path)}`],
    ['node', `${node.version} at ${unbroken(node.path)}`],
    ['platform', `${platform.platform}-${platform.arch}${platform.platform === 'linux' ? ` (${platform.libc})` : ''}`],
    ['cpu', `${cpu.model}${cpu.capability ? `, LibTorch uses ${cpu.capability}` : ''}`],
    [
      'threads',
      `${cpu.threads}, from ${cpu.limit}${cpu.ignored.map((text) => `; ${text} is ignored: not a number from 1`).join('')}`,
    ],
    [
      'memory',
      `${megabytes(memory.bytes)}${memory.container ? `, of which this container may use ${megabytes(memory.container)}` : ''}`,
    ],
    ...Object.entries(environment).map(([name, value]): [string, string] => ['variable', unbroken(`${name}=${value}`)]),
    ['addon', addon ? `${unbroken(addon.file)}, built for LibTorch ${addon.libtorch}` : 'none'],
    ...(addon && !addon.current
      ? [['', 'its sources changed since; to build it again: npx chestmnist setup'] as [string, string]]
      : []),
    ['libtorch', libtorch ? `${libtorch.version} in ${unbroken(libtorch.directory)} (${libtorch.source})` : 'none'],
    ...(libtorch ? [] : looked.map(({ source, reason }): [string, string] => ['', `${source}: ${reason}`])),
    ...(cuda ? cudaRows(cuda) : []),
    ...(data.length > 0
      ? data.map(({ size, path, bytes }): [string, string] => [
          'data',
          `ChestMNIST ${size} px: ${unbroken(path)} (${megabytes(bytes)})`,
        ])
      : [['data', 'no ChestMNIST file found (npx chestmnist data fetch)'] as [string, string]]),
    ...caches.map(({ path, bytes }): [string, string] => ['cache', `${unbroken(path)} (${megabytes(bytes)})`]),
    ...(problem
      ? [
          ['problem', `${problem.code}: ${problem.found}`] as [string, string],
          ['', `needed: ${problem.needed}`] as [string, string],
        ]
      : []),
    ['verdict', report.usable ? 'training can run' : 'training cannot run'],
    ['next', report.next],
  ];
  return rows.map(([name, text]) => wrap(text, columns, `${name.padEnd(9)} `)).join('\n');
}

function cudaRows(cuda: CudaStatus): [string, string][] {
  const { builtWith, driver, noGraphs, devices } = cuda;
  const versions = [builtWith && `built with CUDA ${builtWith}`, driver && `driver for CUDA ${driver}`]
    .filter(Boolean)
    .join(', ');
  const obstacle = cudaObstacle(cuda);
  const state = obstacle ? `not usable: ${obstacle.why}; to use it: ${obstacle.remedy}` : 'usable';
  return [
    ['cuda', versions ? `${state} (${versions})` : state],
    ...(noGraphs === undefined ? [] : [['', `without graphs, slower: ${noGraphs}`] as [string, string]]),
    ...devices.map(({ index, name, totalMemory }): [string, string] => [
      '',
      `cuda:${index} ${name}, ${megabytes(totalMemory)}`,
    ]),
  ];
}
