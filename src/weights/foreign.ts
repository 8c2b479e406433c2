/**
 * Whose weights these are, when they are not a resnet18's in a known layout: the tool or the network, and the Python that
 * converts them where that is possible. Only for errors. Not here: the layouts that are read (layouts.ts).
 */
import { shellWord } from '../base/shell';
import type { StateDict } from '../engine/contract';
import { inPython } from './python';

/** Where a state dict comes from. */
export interface Source {
  readonly file: string;
  /** The Python expression of its dict, read from `f`. */
  readonly python: string;
  /** Names in the state dict of layers after the network that are not one linear head. */
  readonly beyond: readonly string[];
}

export interface Origin {
  /** For example `a ResNet-50: its blocks have three convolutions`. */
  readonly what: string;
  readonly next: string;
}

const OTHER = 'no conversion exists: pass weights of a ResNet-18, or train one: npx chestmnist train';

/** Names that only one kind of network has, the most particular first. */
const NETWORKS: readonly [mark: RegExp, what: string][] = [
  [/(^|\.)layer\d\.\d+\.conv3\./, 'a ResNet-50 or a deeper one: its blocks have three convolutions'],
  [/(^|\.)layer\d\.[2-9]\./, 'a ResNet-34 or a deeper one: it has more than two blocks per stage'],
  [/(^|\.)layer\d\.\d+\.(se|attn|cbam)\w*\./, 'a ResNet with attention in its blocks'],
  [/(^|\.)conv1\.0\.weight$/, 'a ResNet with a deep stem, such as timm’s resnet18d'],
  [/(^|\.)denseblock\d+\./, 'a DenseNet, such as torchxrayvision’s or CheXNet’s'],
  [/(^|\.)(cls_token|class_token|patch_embed\.|embeddings\.patch_embeddings)/, 'a vision transformer'],
  [/(^|\.)(relative_position_bias_table|attention\.self)/, 'a transformer'],
  [/(^|\.)(conv_stem|_conv_stem|blocks\.\d+\.\d+\.(conv_pw|conv_dw))/, 'an EfficientNet or a MobileNet'],
  [/(^|\.)stages\.\d+\.(blocks|downsample)\./, 'a ConvNeXt or another network of stages'],
  [/(^|\.)features\.\d+\.\d+\.(block|conv|layer_scale)/, 'an EfficientNet, a MobileNet or a ConvNeXt'],
  [/(^|\.)features\.\d+\.weight$/, 'a VGG or an AlexNet'],
  [/(^|\.)(decoder|segmentation_head|up\d)\./, 'a U-Net'],
];

/** What `state` is, if it is known. `source` makes the command complete. */
export function originOf(state: StateDict, source: Source | undefined): Origin | undefined {
  const names = state.map(({ name }) => name);
  const convert = (statements: string, saved: string, otherwise: string): string =>
    source ? inPython(source.file, `s=${source.python}; ${statements}`, saved) : otherwise;

  if (state.some(({ name, shape }) => /(^|\.)conv1\.weight$/.test(name) && shape.length === 5))
    return { what: 'a network of three-dimensional images, such as MONAI’s or MedicalNet’s', next: OTHER };
  const network = NETWORKS.find(([mark]) => names.some((name) => mark.test(name)));
  if (network && !source?.beyond.some((name) => network[0].test(name))) return { what: network[1], next: OTHER };
  if (!names.includes('layer4.1.conv2.weight')) return undefined;
  if (names.some((name) => name.endsWith('.downsample.0.bias'))) {
    return {
      what:
        'MONAI’s resnet18: its shortcuts have a bias. Its first convolution has stride 1 unless it was made with ' +
        'conv1_t_stride=2, and only then the converted weights compute what they did',
      next: convert(
        "[s[k[:-6]+'1.running_mean'].sub_(s.pop(k)) for k in list(s) if k.endswith('.downsample.0.bias')]",
        's',
        'fold each downsample.0.bias into downsample.1.running_mean, from which it is subtracted',
      ),
    };
  }
  if (names.includes('fc.weight') && !names.includes('fc.bias')) {
    return {
      what: 'a ResNet-18 whose head has no bias',
      next: convert(
        'w=[k for k,v in s.items() if v.dim()==2 and v.shape[1]==512][0]',
        "{**s,w[:-6]+'bias':torch.zeros(len(s[w]))}",
        'add an fc.bias of zeros',
      ),
    };
  }
  if (!names.includes('bn1.running_mean'))
    return {
      what: 'a ResNet-18 without the running statistics of batch norm, such as one with group norm',
      next: OTHER,
    };
  if (!names.includes('fc.weight')) {
    const isFastai = source?.beyond.some((name) => name === '1.8.weight') === true;
    const own = isFastai ? 'fastai’s, with a head of two layers' : 'with a head that is not one linear layer';
    return {
      what: `a ResNet-18 ${source && source.beyond.length > 0 ? own : 'without a head'}`,
      next: `train a head on it: npx chestmnist train --weights ${source ? shellWord(source.file) : 'FILE'}`,
    };
  }
  return undefined;
}
