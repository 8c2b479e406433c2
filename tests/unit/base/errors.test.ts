import { ChestMnistError, exitCodeOf, type ErrorCode } from '../../../src/base/errors';

test('what a file says cannot command the terminal that shows it', () => {
  const hostile = 'a\x1b[2Jb\x07c\0d\x7fe\x9bf\u2028g\u202eh\r';
  const { message, found, needed, next } = new ChestMnistError('ERR_CONFIG', {
    found: hostile,
    needed: hostile,
    next: hostile,
  });
  expect([found, needed, next]).toEqual(Array(3).fill('a?[2Jb?c?d?e?f?g?h?'));
  expect(message).toBe(`${found}. Needed: ${found}. Next: ${found}`);
});

test('lines and tabs stay: the end of a build log is part of a message', () => {
  const error = new ChestMnistError('ERR_NATIVE_MISSING', { found: 'the log:\n\tline é ✖', needed: 'b', next: 'c' });
  expect(error.found).toBe('the log:\n\tline é ✖');
});

test('the exit code follows from the code, and is 1 for what is not an error of ours', () => {
  const codes: Record<number, ErrorCode[]> = {
    2: ['ERR_CONFIG', 'ERR_OUTPUT', 'ERR_NOTHING_TO_RESUME', 'ERR_CHECKPOINT_INCOMPATIBLE', 'ERR_BUSY', 'ERR_DISPOSED'],
    3: ['ERR_DATA_MISSING', 'ERR_DATA_CORRUPT', 'ERR_DATA_CHECKSUM', 'ERR_DATA_SHAPE', 'ERR_WEIGHTS'],
    4: [
      ...([
        'ERR_NATIVE_MISSING',
        'ERR_LIBTORCH_NOT_FOUND',
        'ERR_LIBTORCH_MISMATCH',
        'ERR_PLATFORM_UNSUPPORTED',
      ] as const),
      ...(['ERR_BUILD', 'ERR_CUDA_UNAVAILABLE', 'ERR_CUDA_OUT_OF_MEMORY'] as const),
    ],
    5: ['ERR_NON_FINITE_LOSS'],
    6: ['ERR_DISK'],
  };
  for (const [exit, of] of Object.entries(codes))
    for (const code of of)
      expect([code, exitCodeOf(new ChestMnistError(code, { found: 'a', needed: 'b', next: 'c' }))]).toEqual([
        code,
        Number(exit),
      ]);
  expect([new Error('a'), 'text', undefined].map(exitCodeOf)).toEqual([1, 1, 1]);
});
