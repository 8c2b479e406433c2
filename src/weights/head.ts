/**
 * Fits loaded weights to a freshly initialised model: keeps the backbone, replaces the head when the label count
 * differs, and reports what it replaced. Any other difference is an error.
 */
import type { StateDict } from '../engine/contract';
import { shown, weightsError } from './errors';
import type { Source } from './foreign';
import { checkState, headOf, isHead, stemOf, withCounters } from './state';

/**
 * The state whose logits are those of `state` divided by a temperature per label: its fc is divided by them, since no
 * attention depends on it. So every program that has the weights gives calibrated probabilities.
 */
export const withTemperatures = (state: StateDict, temperatures: readonly number[]): StateDict =>
  state.map((entry) => {
    if (!entry.name.startsWith('fc.')) return entry;
    const width = entry.data.length / temperatures.length;
    return {
      ...entry,
      data: (entry.data as Float32Array).map((value, i) => value / temperatures[Math.floor(i / width)]),
    };
  });

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

function checkHead(state: StateDict, expected: StateDict): void {
  const query = state.find(({ name }) => name === 'query.weight');
  if (!query || headOf(expected) === 'attention') return;
  throw weightsError({
    found: `weights with the attention head: query.weight is [${query.shape.join(', ')}]`,
    needed: 'the average head of this model, which is another function of the last layer',
    next: 'use --head attention, or weights trained with --head average',
  });
}

/**
 * `state` made to fit `expected`, the state dict of the model it will be loaded into (F32 and I64, torchvision's
 * names).
 * - Another label count, no head, or a head that is not one linear layer: the head is taken from `expected`, and a note
 *   reports it.
 * - An average head where attention is needed: it is kept, with the fresh queries of `expected`, and a note reports it.
 * - No num_batches_tracked at all (old files): they start at 0, as in PyTorch, and a note reports it.
 * - Anything else that differs: ERR_WEIGHTS with the first differences.
 * Returns entries in the order of `expected`; values are shared, not copied.
 */
export function fitHead(
  state: StateDict,
  expected: StateDict,
  source?: Source,
): { state: StateDict; notes: string[]; keptHead: boolean } {
  checkStem(state, expected);
  checkHead(state, expected);
  const notes: string[] = [];
  const beyond = source?.beyond ?? [];
  let fitted = state;

  const labelCount = (of: StateDict) => of.find(({ name }) => name === 'fc.bias')?.shape[0];
  const [found, needed] = [labelCount(state), labelCount(expected)];
  const isHeadless = beyond.length > 0 || !state.some(isHead);
  const keptHead = found === needed && !isHeadless;
  if (isHeadless || (found !== undefined && found !== needed)) {
    const what = !isHeadless
      ? `the head of the weights has ${found} labels, the model ${needed}`
      : beyond.length > 0
        ? `the head of the weights is not one linear layer (${beyond.slice(0, 3).map(shown).join(', ')})`
        : 'the weights have no head';
    const fresh = expected.filter(isHead);
    fitted = [...fitted.filter((entry) => !isHead(entry) && !beyond.includes(entry.name)), ...fresh];
    const names = fresh.map(({ name }) => name);
    notes.push(`${what}: ${names.slice(0, -1).join(', ')} and ${names.at(-1)} are newly initialised`);
  } else if (headOf(state) !== headOf(expected)) {
    fitted = [...fitted, ...expected.filter(({ name }) => name === 'query.weight')];
    notes.push('the weights have the average head: query.weight starts at 0, where attention is the average');
  }
  const counted = withCounters(fitted, expected);
  if (counted !== fitted) notes.push('the weights have no num_batches_tracked (an old file): the counters start at 0');
  return { state: checkState(counted, expected, source), notes, keptHead };
}
