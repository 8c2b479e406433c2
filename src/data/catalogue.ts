/**
 * Published facts about the twelve 2D sets of MedMNIST v2: task, channels, labels, counts, files, checksums, licence; of
 * ChestMNIST also how often each label occurs. Nothing here reads or downloads. Source: MedMNIST's info.py 3.0 and Zenodo
 * record 10519652.
 */
import { show } from '../base/arguments';
import { ChestMnistError } from '../base/errors';
import { nearest } from '../base/nearest';
import type { Task } from '../base/task';
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

/** What is known of every set. */
export interface CatalogueSet {
  /** MedMNIST's flag, by which the set is called. */
  readonly name: string;
  readonly title: string;
  readonly task: Task;
  readonly channels: 1 | 3;
  /** The labels in column order, or the classes by their number. */
  readonly labels: readonly string[];
  readonly licence: string;
  readonly licenceUrl: string;
  readonly homepage: string;
  readonly record: string;
  readonly citation: readonly string[];
  readonly files: readonly CatalogueFile[];
  readonly splits: Readonly<Record<SplitName, Pick<SplitFacts, 'count'> & Partial<SplitFacts>>>;
}

const RECORD = 'https://zenodo.org/records/10519652';
const SIZES = [28, 64, 128, 224] as const;
const MEDMNIST =
  'Yang et al., "MedMNIST v2 - A large-scale lightweight benchmark for 2D and 3D biomedical image classification", Scientific Data 10, 41 (2023)';
const BY = { licence: 'CC BY 4.0', licenceUrl: 'https://creativecommons.org/licenses/by/4.0/' } as const;
const BY_NC = { licence: 'CC BY-NC 4.0', licenceUrl: 'https://creativecommons.org/licenses/by-nc/4.0/' } as const;
const SOURCE = { homepage: 'https://medmnist.com', record: RECORD } as const;

/** The files of a set, one for each size. */
function filesOf(name: string, md5: readonly [string, string, string, string]): CatalogueFile[] {
  return SIZES.map((size, i) => {
    const file = size === 28 ? `${name}.npz` : `${name}_${size}.npz`;
    return { size, file, md5: md5[i], url: `${RECORD}/files/${file}?download=1` };
  });
}

export const CHESTMNIST = {
  name: 'chestmnist',
  title: 'ChestMNIST (MedMNIST v2), from NIH ChestX-ray14',
  task: 'multi-label',
  channels: 1,
  ...BY,
  ...SOURCE,
  citation: [MEDMNIST, 'Wang et al., "ChestX-ray8: Hospital-scale Chest X-ray Database and Benchmarks", CVPR 2017'],
  labels: CHESTMNIST_LABELS,
  files: filesOf('chestmnist', [
    '02c8a6516a18b556561a56cbdd36c4a8',
    '9de6cd0b934ebb5b7426cfba5efbae16',
    'db107e5590b27930b62dbaf558aebee3',
    '45bd33e6f06c3e8cdb481c74a89152aa',
  ]),
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

interface Facts {
  title: string;
  task: Task;
  channels: 1 | 3;
  classes: readonly string[];
  /** Images of train, val and test. */
  counts: readonly [number, number, number];
  md5: readonly [string, string, string, string];
  licence?: { readonly licence: string; readonly licenceUrl: string };
}

/** A set whose images have one of several classes each; of two, the labels are one column. */
function set(name: string, facts: Facts): CatalogueSet {
  const { title, task, channels, classes, counts, md5, licence = BY } = facts;
  const [train, val, test] = counts.map((count) => ({ count }));
  const files = filesOf(name, md5);
  const citation = [MEDMNIST];
  return {
    ...{ name, title, task, channels, labels: classes, ...licence, ...SOURCE, citation, files },
    splits: { train, val, test },
  };
}

const ORGANS = [
  'bladder',
  'femur-left',
  'femur-right',
  'heart',
  'kidney-left',
  'kidney-right',
  'liver',
  'lung-left',
  'lung-right',
  'pancreas',
  'spleen',
];

/** The twelve 2D sets. */
export const CATALOGUE: readonly CatalogueSet[] = [
  CHESTMNIST,
  set('pathmnist', {
    title: 'PathMNIST (MedMNIST v2)',
    task: 'multi-class',
    channels: 3,
    classes: [
      'adipose',
      'background',
      'debris',
      'lymphocytes',
      'mucus',
      'smooth muscle',
      'normal colon mucosa',
      'cancer-associated stroma',
      'colorectal adenocarcinoma epithelium',
    ],
    counts: [89996, 10004, 7180],
    md5: [
      'a8b06965200029087d5bd730944a56c1',
      '55aa9c1e0525abe5a6b9d8343a507616',
      'ac42d08fb904d92c244187169d1fd1d9',
      '2c51a510bcdc9cf8ddb2af93af1eadec',
    ],
  }),
  set('dermamnist', {
    title: 'DermaMNIST (MedMNIST v2)',
    task: 'multi-class',
    channels: 3,
    classes: [
      'actinic keratoses and intraepithelial carcinoma',
      'basal cell carcinoma',
      'benign keratosis-like lesions',
      'dermatofibroma',
      'melanoma',
      'melanocytic nevi',
      'vascular lesions',
    ],
    counts: [7007, 1003, 2005],
    md5: [
      '0744692d530f8e62ec473284d019b0c7',
      'b70a2f5635c6199aeaa28c31d7202e1f',
      '2defd784463fa5243564e855ed717de1',
      '8974907d8e169bef5f5b96bc506ae45d',
    ],
    licence: BY_NC,
  }),
  set('octmnist', {
    title: 'OCTMNIST (MedMNIST v2)',
    task: 'multi-class',
    channels: 1,
    classes: ['choroidal neovascularization', 'diabetic macular edema', 'drusen', 'normal'],
    counts: [97477, 10832, 1000],
    md5: [
      'c68d92d5b585d8d81f7112f81e2d0842',
      'e229e9440236b774d9f0dfef9d07bdaf',
      '0a97e76651ace45c5d943ee3f65b63ae',
      'abc493b6d529d5de7569faaef2773ba3',
    ],
  }),
  set('pneumoniamnist', {
    title: 'PneumoniaMNIST (MedMNIST v2)',
    task: 'binary-class',
    channels: 1,
    classes: ['normal', 'pneumonia'],
    counts: [4708, 524, 624],
    md5: [
      '28209eda62fecd6e6a2d98b1501bb15f',
      '8f4eceb4ccffa70c672198ea285246c6',
      '05b46931834c231683c68f40c47b2971',
      'd6a3c71de1b945ea11211b03746c1fe1',
    ],
  }),
  set('retinamnist', {
    title: 'RetinaMNIST (MedMNIST v2)',
    task: 'ordinal-regression',
    channels: 3,
    classes: ['0', '1', '2', '3', '4'],
    counts: [1080, 120, 400],
    md5: [
      'bd4c0672f1bba3e3a89f0e4e876791e4',
      'afda852cc34dcda56f86ad2b2457dbcc',
      'e48e916a24454daf90583d4e6efb1a18',
      'eae7e3b6f3fcbda4ae613ebdcbe35348',
    ],
  }),
  set('breastmnist', {
    title: 'BreastMNIST (MedMNIST v2)',
    task: 'binary-class',
    channels: 1,
    classes: ['malignant', 'normal, benign'],
    counts: [546, 78, 156],
    md5: [
      '750601b1f35ba3300ea97c75c52ff8f6',
      '742edef2a1fd1524b2efff4bd7ba9364',
      '363e4b3f8d712e9b5de15470a2aaadf1',
      'b56378a6eefa9fed602bb16d192d4c8b',
    ],
  }),
  set('bloodmnist', {
    title: 'BloodMNIST (MedMNIST v2)',
    task: 'multi-class',
    channels: 3,
    classes: [
      'basophil',
      'eosinophil',
      'erythroblast',
      'immature granulocytes(myelocytes, metamyelocytes and promyelocytes)',
      'lymphocyte',
      'monocyte',
      'neutrophil',
      'platelet',
    ],
    counts: [11959, 1712, 3421],
    md5: [
      '7053d0359d879ad8a5505303e11de1dc',
      '2b94928a2ae4916078ca51e05b6b800b',
      'adace1e0ed228fccda1f39692059dd4c',
      'b718ff6835fcbdb22ba9eacccd7b2601',
    ],
  }),
  set('tissuemnist', {
    title: 'TissueMNIST (MedMNIST v2)',
    task: 'multi-class',
    channels: 1,
    classes: [
      'Collecting Duct, Connecting Tubule',
      'Distal Convoluted Tubule',
      'Glomerular endothelial cells',
      'Interstitial endothelial cells',
      'Leukocytes',
      'Podocytes',
      'Proximal Tubule Segments',
      'Thick Ascending Limb',
    ],
    counts: [165466, 23640, 47280],
    md5: [
      'ebe78ee8b05294063de985d821c1c34b',
      '123ece2eba09d0aa5d698fda57103344',
      '61b955355d7425a89687b06cca3ce0c2',
      'b077128c4a949f0a4eb01517f9037b9c',
    ],
  }),
  set('organamnist', {
    title: 'OrganAMNIST (MedMNIST v2)',
    task: 'multi-class',
    channels: 1,
    classes: ORGANS,
    counts: [34561, 6491, 17778],
    md5: [
      '68e3f8846a6bd62f0c9bf841c0d9eacc',
      '2dcccc29b88e6da5a01161ef20cda288',
      'eeae80d0a227a8d099027e1b3cfd3b60',
      '50747347e05c87dd3aaf92c49f9f3170',
    ],
  }),
  set('organcmnist', {
    title: 'OrganCMNIST (MedMNIST v2)',
    task: 'multi-class',
    channels: 1,
    classes: ORGANS,
    counts: [12975, 2392, 8216],
    md5: [
      'b9ceb9546e10131b32923c5bbeaea2b1',
      '3ce34a8724ea6f548e6db4744d03b6a9',
      '773c1f009daa3fe5d9a2a201b2a7ed94',
      '050f5e875dc056f6768abf94ec9995d1',
    ],
  }),
  set('organsmnist', {
    title: 'OrganSMNIST (MedMNIST v2)',
    task: 'multi-class',
    channels: 1,
    classes: ORGANS,
    counts: [13932, 2452, 8827],
    md5: [
      '9ab87b696fb54e2a387ebe992d6ed5f1',
      '53a6d115339d874c25e309a994ff46d3',
      'ded0c5fa01a95dc4978b956f613e9b8e',
      'b354719e553fbbb2513d5533f52a4cb1',
    ],
  }),
];

/** The set of this name, if there is one. */
export const setNamed = (name: string): CatalogueSet | undefined => CATALOGUE.find((set) => set.name === name);

/** The set and the file with this MD5: what a file is does not depend on its name or its shape. */
export function knownByMd5(md5: string): { set: CatalogueSet; file: CatalogueFile } | undefined {
  for (const set of CATALOGUE) {
    const file = set.files.find((known) => known.md5 === md5);
    if (file) return { set, file };
  }
  return undefined;
}

/** The file of a set for an image size in pixels. Throws ERR_CONFIG for any other size. */
export function knownFile(set: CatalogueSet, size: number): CatalogueFile {
  const known = set.files.find((candidate) => candidate.size === size);
  if (known) return known;
  throw new ChestMnistError('ERR_CONFIG', {
    found: `${set.name} of ${show(size)} pixels`,
    needed: `one of ${set.files.map((candidate) => candidate.size).join(', ')}`,
    next: 'choose one of these sizes, or pass the path of an .npz file',
  });
}

/** The names for a message, and the one that is nearest to `name`. */
export function suggestSet(name: string): string {
  const names = CATALOGUE.map((set) => set.name);
  const near = nearest(name, names);
  return `${near === undefined ? '' : `perhaps ${near}; `}one of ${names.join(', ')}`;
}
