import { ChestMnistError } from '../../../src/base/errors';

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
