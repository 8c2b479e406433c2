/**
 * Fits loaded weights to a freshly initialised model: keeps the backbone, replaces the head when the label count
 * differs, and reports what it replaced. Any other difference is an error.
 */
import type { StateDict, StateEntry } from '../engine/contract';
import { weightsError } from './errors';
import { checkState, stemOf, withCounters } from './state';

const isHead = ({ name }: StateEntry) => name === 'fc.weight' || name === 'fc.bias';

function checkStem(state: StateDict, expected: StateDict): void {
  const shape = (of: StateDict) => of.find(({ name }) => name === 'conv1.weight')?.shape ?? [];
  const [found, needed] = [stemOf(shape(state)), stemOf(shape(expected))];
  if (found === undefined || needed === undefined || found === needed) return;
  throw weightsError({
    found: `weights with the ${found} stem: conv1.weight is [${shape(state).join(', ')}]`,
    needed: `the ${needed} stem of this model: conv1.weight [${shape(expected).join(', ')}]`,
    next: `use --stem ${found}, or weights trained with --stem ${needed}`,
  });
}

/**
 * `state` made to fit `expected`, the state dict of the model it will be loaded into (F32 and I64, torchvision's
 * names).
 * - Another label count: fc.weight and fc.bias are taken from `expected`, and a note reports it.
 * - No num_batches_tracked at all (old files): they start at 0, as in PyTorch, and a note reports it.
 * - Anything else that differs: ERR_WEIGHTS with the first differences.
 * Returns entries in the order of `expected`; values are shared, not copied.
 */
export function fitHead(state: StateDict, expected: StateDict): { state: StateDict; notes: string[] } {
  checkStem(state, expected);
  const notes: string[] = [];
  let fitted = state;

  const labelCount = (of: StateDict) => of.find(({ name }) => name === 'fc.bias')?.shape[0];
  const [found, needed] = [labelCount(state), labelCount(expected)];
  if (found !== undefined && found !== needed) {
    fitted = [...fitted.filter((entry) => !isHead(entry)), ...expected.filter(isHead)];
    notes.push(
      `the head of the weights has ${found} labels, the model ${needed}: fc.weight and fc.bias are newly initialised`,
    );
  }
  const counted = withCounters(fitted, expected);
  if (counted !== fitted) notes.push('the weights have no num_batches_tracked (an old file): the counters start at 0');
  return { state: checkState(counted, expected), notes };
}
