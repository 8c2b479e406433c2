/** The loaded addon: loaded once, on first use. Importing this file loads nothing. */
import { ChestMnistError } from '../base/errors';
import { loadAddon } from '../setup/load';
import type { NativeAddon } from './contract';

let addon: NativeAddon | undefined;

/** Loads the addon on first use. Throws ERR_NATIVE_MISSING, ERR_LIBTORCH_NOT_FOUND, ERR_LIBTORCH_MISMATCH or ERR_PLATFORM_UNSUPPORTED. */
export function native(): NativeAddon {
  if (!addon) {
    addon = loadAddon() as NativeAddon;
    addon.setErrorClass(ChestMnistError);
  }
  return addon;
}
