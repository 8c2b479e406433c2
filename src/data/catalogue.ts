/**
 * Published facts about ChestMNIST (MedMNIST v2): files, checksums, labels, counts, licence. Nothing here reads or
 * downloads. Source: MedMNIST's info.py 3.0 and Zenodo record 10519652.
 */
import { show } from '../base/arguments';
import { ChestMnistError } from '../base/errors';
import type { SplitName } from './dataset';

/** The 14 labels in column order. */
export const CHESTMNIST_LABELS: readonly string[] = [
  'atelectasis',
  'cardiomegaly',
  'effusion',
  'infiltration',
  'mass',
  'nodule',
  'pneumonia',
  'pneumothorax',
  'consolidation',
  'edema',
  'emphysema',
  'fibrosis',
  'pleural',
  'hernia',
];

export interface SplitFacts {
  readonly count: number;
  /** Number of images with each label, in label order. */
  readonly positives: readonly number[];
  /** Images without any label. */
  readonly unlabelled: number;
}

export interface CatalogueFile {
  /** Side of an image in pixels. */
  readonly size: number;
  /** Name of the file, as in MedMNIST's Python package. */
  readonly file: string;
  readonly md5: string;
  readonly url: string;
}

const RECORD = 'https://zenodo.org/records/10519652';

function file(size: number, md5: string): CatalogueFile {
  const name = size === 28 ? 'chestmnist.npz' : `chestmnist_${size}.npz`;
  return { size, file: name, md5, url: `${RECORD}/files/${name}?download=1` };
}

export const CHESTMNIST = {
  name: 'chestmnist',
  title: 'ChestMNIST (MedMNIST v2), from NIH ChestX-ray14',
  task: 'multi-label, 14 binary labels per image',
  licence: 'CC BY 4.0',
  licenceUrl: 'https://creativecommons.org/licenses/by/4.0/',
  homepage: 'https://medmnist.com',
  record: RECORD,
  citation: [
    'Yang et al., "MedMNIST v2 - A large-scale lightweight benchmark for 2D and 3D biomedical image classification", Scientific Data 10, 41 (2023)',
    'Wang et al., "ChestX-ray8: Hospital-scale Chest X-ray Database and Benchmarks", CVPR 2017',
  ],
  labels: CHESTMNIST_LABELS,
  files: [
    file(28, '02c8a6516a18b556561a56cbdd36c4a8'),
    file(64, '9de6cd0b934ebb5b7426cfba5efbae16'),
    file(128, 'db107e5590b27930b62dbaf558aebee3'),
    file(224, '45bd33e6f06c3e8cdb481c74a89152aa'),
  ],
  splits: {
    train: {
      count: 78468,
      positives: [7996, 1950, 9261, 13914, 3988, 4375, 978, 3705, 3263, 1690, 1799, 1158, 2279, 144],
      unlabelled: 42405,
    },
    val: {
      count: 11219,
      positives: [1119, 240, 1292, 2018, 625, 613, 133, 504, 447, 200, 208, 166, 372, 41],
      unlabelled: 6079,
    },
    test: {
      count: 22433,
      positives: [2420, 582, 2754, 3938, 1133, 1335, 242, 1089, 957, 413, 509, 362, 734, 42],
      unlabelled: 11928,
    },
  } satisfies Record<SplitName, SplitFacts> as Readonly<Record<SplitName, SplitFacts>>,
} as const;

/** The catalogue's file for an image size in pixels. Throws ERR_CONFIG for any other size. */
export function knownFile(size: number): CatalogueFile {
  const known = CHESTMNIST.files.find((candidate) => candidate.size === size);
  if (known) return known;
  throw new ChestMnistError('ERR_CONFIG', {
    found: `ChestMNIST of ${show(size)} pixels`,
    needed: `one of ${CHESTMNIST.files.map((candidate) => candidate.size).join(', ')}`,
    next: 'choose one of these sizes, or pass the path of an .npz file',
  });
}
