/** The check of an addon against the contract. That the real addon passes it, every native test shows. */
import { contractFaults } from '../../../src/engine/addon';
import { CONTRACT, type NativeAddon } from '../../../src/engine/contract';

const nothing = (): void => undefined;
const members = (names: readonly string[]): object => Object.fromEntries(names.map((name) => [name, nothing]));
const MEMBERS = [
  ...['loadSplit', 'trainEpoch', 'predict', 'stateDict', 'loadStateDict', 'optimizerState'],
  ...['loadOptimizerState', 'gradients', 'cancel', 'dispose', 'device', 'execution'],
];

function addonWith(changes: Partial<NativeAddon>, methods: readonly string[] = MEMBERS): NativeAddon {
  class Trainer {}
  Object.assign(Trainer.prototype, members(methods));
  const exports = members(['torchVersion', 'cudaStatus', 'cpuCapability', 'setErrorClass']);
  return { contract: CONTRACT, Trainer, ...exports, ...changes } as unknown as NativeAddon;
}

test('an addon of these sources has no fault', () => {
  expect(contractFaults(addonWith({}))).toEqual([]);
});

test.each<[string, NativeAddon, RegExp]>([
  [
    'a name less',
    addonWith({ contract: { ...CONTRACT, precision: ['fp32'] } as never }),
    /^precision: fp32 instead of/,
  ],
  [
    'a name more',
    addonWith({ contract: { ...CONTRACT, stem: [...CONTRACT.stem, 'x'] } as never }),
    /^stem: .*, x instead/,
  ],
  ['another table', addonWith({ contract: { ...CONTRACT, loss: ['bce'] } as never }), /^loss: bce instead of none/],
  [
    'no contract, as an addon from before there was one',
    addonWith({ contract: undefined }),
    /^config: none instead of/,
  ],
  ['a method less', addonWith({}, MEMBERS.slice(1)), /^members of Trainer: /],
  ['an export more', addonWith({ more: nothing } as never), /^exports: .*more/],
])('%s is found', (_, addon, fault) => {
  expect(contractFaults(addon)).toEqual(expect.arrayContaining([expect.stringMatching(fault)]));
});
