import * as addon from '../../../src/engine/addon';
import { resolveDevice } from '../../../src/engine/device';
import type { CudaStatus } from '../../../src/setup/cuda';

let status: CudaStatus;
beforeEach(() => {
  jest
    .spyOn(addon, 'native')
    .mockImplementation(() => ({ cudaStatus: () => status }) as ReturnType<typeof addon.native>);
});

const gpu = { index: 0, name: 'a GPU', totalMemory: 1e10 };
const without = (reason: CudaStatus['reason']): CudaStatus => ({ available: false, reason, devices: [] });

test('auto takes CUDA when it can be used', () => {
  status = { available: true, devices: [gpu] };
  expect(resolveDevice('auto')).toEqual({ device: 'cuda' });
  expect(resolveDevice('cuda')).toEqual({ device: 'cuda' });
  expect(resolveDevice('cuda:0')).toEqual({ device: 'cuda:0' });
  expect(resolveDevice('cpu')).toEqual({ device: 'cpu' });
});

test.each(['cpu-build', 'no-driver', 'driver-too-old', 'no-device'] as const)(
  '%s: auto says why, cuda fails',
  (reason) => {
    status = { ...without(reason), builtWith: '13.0', driver: '12.2' };
    const { device, note } = resolveDevice('auto');
    expect(device).toBe('cpu');
    expect(note).toMatch(/^device: cpu, since .+/);
    expect(note).not.toContain('\n');
    expect(() => resolveDevice('cuda')).toThrow(expect.objectContaining({ code: 'ERR_CUDA_UNAVAILABLE', reason }));
  },
);

test('a device that is not there is refused, not replaced', () => {
  status = { available: true, devices: [gpu] };
  expect(() => resolveDevice('cuda:1')).toThrow(
    expect.objectContaining({ code: 'ERR_CUDA_UNAVAILABLE', reason: 'no-device' }),
  );
});

test('a device that a CPU build leaves unused is named, with the command that gets it used', () => {
  status = { ...without('cpu-build'), devices: [gpu] };
  expect(resolveDevice('auto').note).toMatch(/^device: cpu, since .* a GPU unused.* npx chestmnist setup --cuda/);
});
