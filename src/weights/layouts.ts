/**
 * How the common tools name the layers of the same ResNet-18, as renamings to torchvision's names. Not here: which
 * prefix and which dict of a file they stand under (select.ts), other networks (foreign.ts).
 */

export interface Layout {
  /** The name of the first convolution's weight, and of one in the first block: both mark the network. */
  readonly conv1: string;
  readonly block: string;
  /** The name without its prefix, as torchvision has it; other names stay. */
  readonly rename: (name: string) => string;
}

/** Names of the children of a resnet in nn.Sequential(*resnet.children()); fastai's body is one. */
const CHILDREN: Readonly<Record<string, string>> = {
  ...{ 0: 'conv1', 1: 'bn1', 4: 'layer1', 5: 'layer2', 6: 'layer3', 7: 'layer4', 9: 'fc' },
};

const HF_STAGE = /^encoder\.stages\.(\d)\.layers\.(\d+)\./;

/** Hugging Face's ResNet: embedder, then stages of layers that have two convolutions and a shortcut. */
function huggingFace(name: string): string {
  return name
    .replace(/^embedder\.embedder\.convolution\./, 'conv1.')
    .replace(/^embedder\.embedder\.normalization\./, 'bn1.')
    .replace(HF_STAGE, (_, stage: string, block: string) => `layer${Number(stage) + 1}.${block}.`)
    .replace(/^(layer\d\.\d+\.)shortcut\.convolution\./, '$1downsample.0.')
    .replace(/^(layer\d\.\d+\.)shortcut\.normalization\./, '$1downsample.1.')
    .replace(
      /^(layer\d\.\d+\.)layer\.(\d)\.(convolution|normalization)\./,
      (_, at: string, i: string, kind: string) => {
        return `${at}${kind === 'convolution' ? 'conv' : 'bn'}${Number(i) + 1}.`;
      },
    );
}

export const LAYOUTS: readonly Layout[] = [
  // torchvision, timm; MedMNIST's 28 px network and others after kuangliu's pytorch-cifar say shortcut and linear.
  {
    conv1: 'conv1.weight',
    block: 'layer1.0.conv1.weight',
    rename: (name) => name.replace(/^(layer\d\.\d+\.)shortcut\./, '$1downsample.').replace(/^linear\./, 'fc.'),
  },
  {
    conv1: 'embedder.embedder.convolution.weight',
    block: 'encoder.stages.0.layers.0.layer.0.convolution.weight',
    rename: huggingFace,
  },
  {
    conv1: '0.weight',
    block: '4.0.conv1.weight',
    rename: (name) => name.replace(/^\d+(?=\.)/, (child) => CHILDREN[child] ?? child),
  },
];

/** Whether a name of torchvision's belongs to the network before the head. */
export const isTrunk = (name: string): boolean => /^(conv1|bn1|layer[1-4])\./.test(name);

/** Modules that torch.compile, checkpointing and FSDP put around others, anywhere in a name. */
export const withoutWrappers = (name: string): string =>
  name.replace(/(^|\.)(_orig_mod\.|_checkpoint_wrapped_module\.|_fsdp_wrapped_module\.)+/g, '$1');
