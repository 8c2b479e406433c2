/** The loaded addon: loaded once, on first use, and checked against the contract. Importing this file loads nothing. */
import { ChestMnistError } from '../base/errors';
import { loadAddon } from '../setup/load';
import { SETUP_COMMAND } from '../setup/versions';
import { CONTRACT, type NativeAddon, type Trainer, type TrainerConfig } from './contract';

/** Every member of a Trainer and of the addon. The compiler refuses an incomplete list. */
const MEMBERS = {
  loadSplit: true,
  trainEpoch: true,
  predict: true,
  stateDict: true,
  loadStateDict: true,
  optimizerState: true,
  loadOptimizerState: true,
  gradients: true,
  cancel: true,
  dispose: true,
  device: true,
  execution: true,
} satisfies Record<keyof Trainer, true>;
const EXPORTS = {
  contract: true,
  Trainer: true,
  torchVersion: true,
  cudaStatus: true,
  cpuCapability: true,
  setErrorClass: true,
} satisfies Record<keyof NativeAddon, true>;
/** The compiler checks that CONTRACT.config lists all fields of TrainerConfig. */
CONTRACT.config satisfies readonly (keyof TrainerConfig)[];
type Missing = Exclude<keyof TrainerConfig, (typeof CONTRACT.config)[number]>;
true satisfies Missing extends never ? true : never;

/** How an addon differs from the contract, one text per difference. */
export function contractFaults(addon: Partial<NativeAddon>): string[] {
  const faults: string[] = [];
  const compare = (what: string, found: readonly string[], needed: readonly string[]): void => {
    const list = (names: readonly string[]): string => [...names].sort().join(', ') || 'none';
    if (list(found) !== list(needed)) faults.push(`${what}: ${list(found)} instead of ${list(needed)}`);
  };
  compare('exports', Object.keys(addon), Object.keys(EXPORTS));
  const members = Object.getOwnPropertyNames(addon.Trainer?.prototype ?? {}).filter((name) => name !== 'constructor');
  compare('members of Trainer', members, Object.keys(MEMBERS));
  const names = Object.keys({ ...CONTRACT, ...addon.contract }) as (keyof typeof CONTRACT)[];
  for (const name of names) compare(name, addon.contract?.[name] ?? [], CONTRACT[name] ?? []);
  return faults;
}

let addon: NativeAddon | undefined;

/**
 * Loads the addon on first use. Throws ERR_NATIVE_MISSING, ERR_LIBTORCH_NOT_FOUND, ERR_LIBTORCH_MISMATCH or
 * ERR_PLATFORM_UNSUPPORTED.
 */
export function native(): NativeAddon {
  if (!addon) {
    const loaded = loadAddon() as NativeAddon;
    const faults = contractFaults(loaded);
    if (faults.length > 0) {
      throw new ChestMnistError('ERR_NATIVE_MISSING', {
        found: `the native addon was built from other sources than the JavaScript (${faults.join('; ')})`,
        needed: 'an addon built from the sources of this package',
        next: `${SETUP_COMMAND} --rebuild`,
      });
    }
    addon = loaded;
    addon.setErrorClass(ChestMnistError);
  }
  return addon;
}
