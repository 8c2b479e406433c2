/**
 * torchvision's ResNet18_Weights.IMAGENET1K_V1, kept in torch.hub's folder, so that Python and this package share one
 * download. Downloading, resuming and checking are in base/download.ts.
 */
import path from 'node:path';
import { download, type DownloadOptions } from '../base/download';
import { expandHome, homeFolder, toWriteTo } from '../base/folders';
import type { StateDict } from '../engine/contract';
import { openWeights } from './open';

/** A file of published weights. */
export interface PublishedWeights {
  readonly url: string;
  /** Hex; by torch.hub's convention the file's name ends with its first eight digits. */
  readonly sha256: string;
  /** Bytes. */
  readonly size: number;
}

export const IMAGENET1K_V1: PublishedWeights = {
  url: 'https://download.pytorch.org/models/resnet18-f37072fd.pth',
  sha256: 'f37072fd47e89c5e827621c5baffa7500819f7896bbacec160b1a16c560e07ec',
  size: 46_830_571,
};

/** `onProgress(done, total)` in bytes, `signal` to stop, and the other options of a download. */
export type FetchOptions = Omit<DownloadOptions, 'md5' | 'sha256' | 'size'>;

/** torch.hub's folder for checkpoints: below TORCH_HOME, else below XDG_CACHE_HOME or ~/.cache. */
export function hubDirectory(environment: Readonly<Record<string, string | undefined>> = process.env): string {
  const home = homeFolder();
  const cache = environment.XDG_CACHE_HOME || (home && path.join(home, '.cache'));
  const torch = environment.TORCH_HOME || (cache && path.join(cache, 'torch'));
  return path.join(expandHome(toWriteTo(torch)), 'hub', 'checkpoints');
}

/**
 * The path of `weights` in torch.hub's folder. A file there with the right SHA-256 is used; otherwise it is fetched.
 * ERR_DATA_MISSING when that fails (the message names the place to put the file by hand), ERR_DATA_CHECKSUM when the
 * server has another file.
 */
export async function fetchWeights(weights: PublishedWeights, options: FetchOptions = {}): Promise<string> {
  const { url, sha256, size } = weights;
  const file = path.join(hubDirectory(), path.posix.basename(new URL(url).pathname));
  await download(url, file, { instead: 'name another folder with TORCH_HOME=FOLDER', ...options, sha256, size });
  return file;
}

/**
 * The state dict of torchvision's ImageNet ResNet-18 (torchvision stem, 1000 labels: pass it through fitHead).
 * Errors as fetchWeights.
 */
export async function imagenetWeights(options: FetchOptions = {}): Promise<StateDict> {
  return (await openWeights(await fetchWeights(IMAGENET1K_V1, options))).state;
}
