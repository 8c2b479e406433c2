/**
 * The options that recipes are made of, beside the optimizer and the protocol's schedule: their rows of the table in
 * options.ts. What they bring: docs/recipes.md.
 */
import { z } from 'zod';
import { option, positive, part, place, orNull, SWITCH, PART } from './option';

export const ELEMENTS = {
  /** Also decay the weights of norms and all biases, as torch does with one group of parameters; default false. */
  decayNorms: option({
    flag: '--decay-norms',
    schema: z.boolean().default(false),
    needed: SWITCH,
    help: 'also decay the weights of norms and all biases, as torch does with one group',
    native: 'decayNorms',
  }),
  /**
   * What the last layer's map becomes: `average`, torchvision's head, or `attention`, which has a query for each label
   * (docs/runs.md); default average. Attention needs a map of several positions: the CIFAR stem, or above 32 px.
   */
  head: option({
    flag: '--head <name>',
    schema: z.enum(['average', 'attention']).default('average'),
    needed: 'average or attention',
    help: "average (torchvision's) or attention (a query for each label; no longer torchvision's ResNet-18)",
    native: 'head',
  }),
  /** The most that the norm of all gradients together may be (clip_grad_norm_), above 0; null for no limit. */
  clip: option({
    flag: '--clip <norm>',
    schema: orNull(positive),
    needed: 'a finite number above 0',
    help: 'the most that the norm of all gradients may be (clip_grad_norm_)',
  }),
  /**
   * Decay of the moving average of weights and running statistics, from 0 to below 1; 0 keeps none; default 0. It warms up:
   * after step k it is at most (1 + k) / (10 + k). Selection, evaluation and export use the average.
   */
  ema: option({
    flag: '--ema <decay>',
    schema: z.number().min(0).lt(1).default(0),
    needed: 'a number from 0 to below 1, such as 0.999',
    help: 'decay of the moving average of the weights, which is then selected and scored; 0 for none',
    native: 'averageDecay',
  }),
  /**
   * `step` multiplies the rate by `gamma` at each milestone; `cosine` lets it fall to 0 over all optimizer steps; default
   * step.
   */
  schedule: option({
    flag: '--schedule <name>',
    schema: z.enum(['step', 'cosine']).default('step'),
    needed: 'step or cosine',
    help: 'step (--gamma at each of --milestones) or cosine (to 0, per optimizer step)',
  }),
  /** Epochs, or a part of one, in which the rate rises linearly from 0, per optimizer step; from 0; default 0. */
  warmup: option({
    flag: '--warmup <epochs>',
    schema: z.number().min(0).max(10_000).default(0),
    needed: 'a number of epochs from 0',
    help: 'epochs in which the learning rate rises from 0, per optimizer step',
  }),
  /**
   * `bce`: binary cross-entropy, or cross-entropy where an image has exactly one of the labels; `focal`; or `asl`, the
   * asymmetric loss, for labels that do not exclude one another; default bce.
   */
  loss: option({
    flag: '--loss <name>',
    schema: z.enum(['bce', 'focal', 'asl']).default('bce'),
    needed: 'bce, focal or asl',
    help: 'bce (cross-entropy where labels exclude one another), focal or asl',
  }),
  /** The exponent of `focal`, or of the negatives of `asl`, from 1 to 20; null for 2 and 4. */
  focus: option({
    flag: '--focus <exponent>',
    schema: orNull(z.number().min(1).max(20)),
    needed: 'a number from 1 to 20',
    help: 'exponent of focal (default 2), or of the negatives of asl (default 4)',
  }),
  /**
   * Weight of each label's positive term: `none`; `balanced`, negatives over positives in the training split, at most 100;
   * `sqrt`, its square root; the path of a JSON file of weights by label; or the weights in the order of the labels; default
   * none. Of exclusive labels it is the class's weight, and `balanced` is images over classes times the class's images.
   */
  posWeight: option({
    flag: '--pos-weight <rule|file>',
    schema: z.union([place, z.array(positive).min(1)]).default('none'),
    needed: 'none, sqrt, balanced or a JSON file of weights by label',
    help: 'weights of the positives: none, sqrt, balanced or a JSON file of weights by label',
  }),
  /** The part of a target that is spread evenly over its values, from 0 to below 1; default 0. */
  labelSmoothing: option({
    flag: '--label-smoothing <part>',
    schema: z.number().min(0).lt(1).default(0),
    needed: 'a number from 0 to below 1',
    help: 'part of a target that is spread evenly over its values',
    native: 'smoothing',
  }),
  /**
   * `shuffled`: every image once an epoch; `balanced`: as many draws, with replacement, in which rare labels come as often
   * as frequent ones; default shuffled.
   */
  sampling: option({
    flag: '--sampling <name>',
    schema: z.enum(['shuffled', 'balanced']).default('shuffled'),
    needed: 'shuffled or balanced',
    help: 'shuffled (every image once an epoch) or balanced (rare labels as often as frequent ones)',
  }),
  /** Moves each image by up to this part of its side, from 0 to 1; default 0. */
  shift: option({
    flag: '--shift <part>',
    schema: part.default(0),
    needed: PART,
    help: 'augmentation: shift by up to this part of the side',
  }),
  /** Scales each image by up to this part more or less, from 0 to 0.9; default 0. */
  scale: option({
    flag: '--scale <part>',
    schema: z.number().min(0).max(0.9).default(0),
    needed: 'a number from 0 to 0.9',
    help: 'augmentation: scale by up to this part more or less',
  }),
  /** Rotates each image by up to this many degrees, from 0 to 180; default 0. */
  rotate: option({
    flag: '--rotate <degrees>',
    schema: z.number().min(0).max(180).default(0),
    needed: 'degrees from 0 to 180',
    help: 'augmentation: rotate by up to this many degrees',
  }),
  /** Crops each image to a square of at least this part of its area, above 0; 1 for the whole image; default 1. */
  crop: option({
    flag: '--crop <area>',
    schema: z.number().positive().max(1).default(1),
    needed: 'a number above 0, at most 1',
    help: 'augmentation: crop to a square of at least this part of the area',
  }),
  /** Probability that an image is mirrored left to right, from 0 to 1; default 0. Off, since the heart has a side. */
  flip: option({
    flag: '--flip <probability>',
    schema: part.default(0),
    needed: PART,
    help: 'augmentation: probability of a horizontal flip',
  }),
  /** Makes each image brighter or darker by up to this part of the range, from 0 to 1; default 0. */
  brightness: option({
    flag: '--brightness <part>',
    schema: part.default(0),
    needed: PART,
    help: 'augmentation: brighter or darker by up to this part of the range',
  }),
  /** Multiplies each image's distance from mid-gray by 1 plus or minus up to this part, from 0 to 1; default 0. */
  contrast: option({
    flag: '--contrast <part>',
    schema: part.default(0),
    needed: PART,
    help: 'augmentation: contrast up to this part higher or lower',
  }),
  /** Probability that a rectangle of 2 % to 20 % of an image is set to mid-gray, from 0 to 1; default 0. */
  erase: option({
    flag: '--erase <probability>',
    schema: part.default(0),
    needed: PART,
    help: 'augmentation: probability that a rectangle is erased',
  }),
  /** Mixes each image and its labels with another, by a share from Beta(mixup, mixup), from 0 to 10; 0 for none; default 0. */
  mixup: option({
    flag: '--mixup <alpha>',
    schema: z.number().min(0).max(10).default(0),
    needed: 'a number from 0 to 10',
    help: 'augmentation: mix with another image, by a share from Beta(alpha, alpha)',
  }),
  /** What the best epoch is chosen by, on the validation split: macro `auc`, macro average precision `ap`, or `loss`; default auc. */
  select: option({
    flag: '--select <figure>',
    schema: z.enum(['auc', 'ap', 'loss']).default('auc'),
    needed: 'auc, ap or loss',
    help: 'figure of the validation split that chooses the best epoch: auc, ap or loss',
  }),
};
