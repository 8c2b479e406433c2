/**
 * Finds the ResNet-18 in a file: which dict, under which prefix, in whose names, and which layer is its head; everything
 * else is left out with a note, or kept so that it is refused. Not here: the check of what was found (state.ts).
 */
import { ChestMnistError } from '../base/errors';
import type { Contents, Stored, TensorDict } from './contents';
import { shown } from './errors';
import { isTrunk, LAYOUTS, withoutWrappers } from './layouts';
import { FEATURES, isHead } from './state';

/** A tensor under its new name. */
export type Named = readonly [name: string, tensor: Stored];

export interface Selection {
  tensors: Named[];
  /** Names, in `tensors`, of layers after the network that are not one linear head. */
  beyond: string[];
  notes: string[];
  metadata: Readonly<Record<string, string>>;
  /** The Python expression of the dict. */
  python: string;
}

/** A network in a file. */
interface Candidate {
  /** As users name it: the keys and the prefix that lead to it. */
  label: string;
  dict: TensorDict;
  prefix: string;
  trunk: Named[];
  head: Named[];
  /** The file's other tensors in the dict, with the file's names. */
  rest: Named[];
}

/** Keys under which training scripts keep the weights (`net` is MedMNIST's), for a file without a known network. */
const KEYS = ['state_dict', 'model_state_dict', 'model', 'net'];
/** State of optimizers mirrors the names of the network; averages are second to the weights themselves. */
const OPTIMIZER = /optim|exp_avg|momentum_buffer|grad/i;
const AVERAGE = /(^|[._])(ema|avg|averaged?|swa|teacher|momentum|shadow|target)(?![a-z])/i;
/** Networks looked for in one dict, however many it names. */
const MOST = 16;
/** Entries that belong to a loss or a metric, or to an averaging wrapper, and to no layer. */
const BESIDE =
  /(^|\.)(n_averaged|criterion|loss\w*|\w*(loss|loss_fn|metrics?|auroc|auc|acc|accuracy|f1)(_\w+)?)(\.|$)/i;

/** Chooses the network; `key` names one when there are several. Throws ERR_CONFIG for a key that leads to none. */
export function select(file: string, contents: Contents, key: string | undefined): Selection {
  const candidates = contents.dicts.flatMap(candidatesIn);
  const rank = ({ label, head }: Candidate): number => (AVERAGE.test(label) ? 2 : 0) + (head.length > 0 ? 0 : 1);
  const ranked = [...candidates].sort((a, b) => rank(a) - rank(b));
  const chosen = key === undefined ? ranked[0] : ranked.find(({ label }) => isNamed(label, key));
  if (!chosen) {
    if (key !== undefined) throw noKey(file, key, ranked);
    return asItIs(contents);
  }
  const { dict, prefix, trunk, head, rest, label } = chosen;
  const notes: string[] = [];
  if (candidates.length > 1 && key === undefined) {
    const others = candidates.filter((other) => other !== chosen).map((other) => shown(other.label));
    notes.push(
      `${file} holds several networks: ${shown(label)} is used; --weights-key ${others[0]} uses ` +
        (others.length > 1 ? `another (${others.join(', ')})` : 'the other'),
    );
  }
  const inOthers = (name: string): boolean =>
    candidates.some((other) => other !== chosen && other.dict === dict && name.startsWith(other.prefix || '\0'));
  const near = rest.filter(([name]) => !inOthers(name));
  const layers = new Set(
    [...head.map(([, { name }]) => withoutWrappers(name)), ...near.map(([name]) => name)].filter(isLayer).map(top),
  );
  // Outside of the network belongs to it what stands beside a weight: losses and metrics have none.
  const own = near.filter(
    ([name]) => isLayer(name) || (!BESIDE.test(name) && (name.startsWith(prefix) || layers.has(top(name)))),
  );
  const outside = near.filter((entry) => !own.includes(entry) && !/(^|\.)n_averaged$/.test(entry[0]));
  if (outside.length > 0) notes.push(`${file}: left out, since they are not of the network: ${listed(outside)}`);
  return {
    ...{ tensors: [...trunk, ...head, ...own], beyond: own.map(([name]) => name), notes },
    metadata: dict.metadata,
    python: expressionOf(contents.python, dict.path),
  };
}

function candidatesIn(dict: TensorDict): Candidate[] {
  if (dict.path.some((key) => OPTIMIZER.test(key))) return [];
  const all: Named[] = dict.tensors.map((tensor) => [withoutWrappers(tensor.name), tensor]);
  const names = new Set(all.map(([name]) => name));
  return LAYOUTS.flatMap(({ conv1, block, rename }) =>
    all
      .filter(([name]) => name === conv1 || name.endsWith(`.${conv1}`))
      .map(([name]) => name.slice(0, name.length - conv1.length))
      .filter((prefix) => names.has(prefix + block) && !OPTIMIZER.test(prefix))
      .slice(0, MOST)
      .map((prefix) => {
        const renamed = all.map(([name, tensor]): Named => {
          return [name.startsWith(prefix) ? rename(name.slice(prefix.length)) : `\0${name}`, tensor];
        });
        const trunk = renamed.filter(([name]) => isTrunk(name));
        const others = renamed.filter(([name]) => !isTrunk(name));
        const head = headIn(others);
        const rest = others
          .filter(([, tensor]) => !head.some(([, one]) => one === tensor))
          .map(([, tensor]): Named => [withoutWrappers(tensor.name), tensor]);
        const label = [...dict.path, ...prefix.split('.')].filter(Boolean).join('.') || 'root';
        return { label, dict, prefix, trunk, head, rest };
      }),
  );
}

const isLayer = (name: string): boolean => name.endsWith('weight') && !BESIDE.test(name);
const top = (name: string): string => name.split('.')[0];

/**
 * The head as fc.weight and fc.bias: the network's own (with query.weight, if it is ours), or the one linear layer from its features that the rest has
 * (`classifier`, `head.fc`, `fc.1` after a dropout). Empty when there is none, or another layer beside it.
 */
function headIn(others: readonly Named[]): Named[] {
  const matrices = others.filter(([name, { shape }]) => shape.length >= 2 && isLayer(name.replace('\0', '')));
  const own = others.filter(([name]) => isHead({ name }));
  if (own.some(([name]) => name.startsWith('fc.'))) return own;
  const linear = matrices.filter(([, { shape }]) => shape.length === 2 && shape[1] === FEATURES);
  if (matrices.length !== 1 || linear.length !== 1) return [];
  const [name, weight] = linear[0];
  const bias = others.find(([other]) => other === name.replace(/weight$/, 'bias'));
  return [['fc.weight', weight], ...(bias ? [['fc.bias', bias[1]] as const] : [])];
}

/** A file in which no network is known: its weights by the usual keys, without prefixes that all names share. */
function asItIs({ dicts, python }: Contents): Selection {
  const usual = KEYS.map((key) => dicts.find(({ path }) => path.length === 1 && path[0] === key));
  const dict = usual.find((found) => found !== undefined) ?? dicts[0];
  let names = dict.tensors.map(({ name }) => withoutWrappers(name));
  while (names.length > 0 && names.every((name) => name.startsWith('module.')))
    names = names.map((name) => name.slice('module.'.length));
  return {
    tensors: dict.tensors.map((tensor, i) => [names[i], tensor]),
    ...{ beyond: [], notes: [], metadata: dict.metadata, python: expressionOf(python, dict.path) },
  };
}

/** A label or a part of it: `ema` for `ema.module`. */
const isNamed = (label: string, key: string): boolean => `.${label}.`.includes(`.${key}.`);

function noKey(file: string, key: string, candidates: readonly Candidate[]): ChestMnistError {
  const labels = candidates.map(({ label }) => shown(label)).join(', ');
  return new ChestMnistError('ERR_CONFIG', {
    found: `${file} has no network under ${shown(key)}`,
    needed: labels ? `one of: ${labels}` : 'a file with a resnet18 in it',
    next: 'pass one of these as --weights-key, or leave it out',
  });
}

function listed(entries: readonly Named[]): string {
  const names = entries.slice(0, 3).map(([name]) => shown(name));
  return names.join(', ') + (entries.length > 3 ? ` and ${entries.length - 3} more` : '');
}

/** Keys that are not plain words are left to the reader. */
const expressionOf = (python: string, keys: readonly string[]): string =>
  python + keys.map((key) => (/^[\w. -]+$/.test(key) ? `['${key}']` : '[...]')).join('');
