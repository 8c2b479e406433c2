/** What a reader of a model card must know before using the model, in sentences; only what follows from the facts at hand. */
import { isExclusive } from '../../base/task';
import { CHESTMNIST } from '../../data/catalogue';
import type { MetricsFile } from '../../metrics/types';
import { plural } from '../format';
import type { CardData, CardModel } from './types';

/** Below this many positives in the test split, one image more or less moves a figure of a label visibly. */
const FEW = 50;

export function limitsOf(data: CardData | null, model: CardModel, metrics: MetricsFile | undefined): string[] {
  return [
    data
      ? `It was trained on ${data.name} alone. Images of other hospitals, devices, ages and views may look different to it.`
      : 'The data that it was trained on are not known, nor whom or what they show.',
    ...resolution(model),
    labels(data),
    metrics
      ? 'There is no external validation: the figures are of a split of the same data set. Whether its splits share patients is not checked here.'
      : 'No figures are known: it must be evaluated before it is used for anything.',
    ...(metrics ? figures(metrics) : []),
  ];
}

function resolution({ input_size: side }: CardModel): string[] {
  if (side === null) return ['The resolution that it was trained at is not known.'];
  return [
    `It sees ${side} × ${side} pixels. ${side < 512 ? 'What is finer than that, such as a small nodule or a thin pleural line, is lost before the network begins.' : ''}`.trim(),
  ];
}

function labels(data: CardData | null): string {
  const isChest = data?.source?.startsWith(CHESTMNIST.title);
  return isChest
    ? 'Its labels were read from radiology reports by a program (NIH ChestX-ray14) and are wrong for a part of the images, in training and in these figures alike.'
    : 'How its labels were made, and how often they are wrong, is not recorded; the figures measure agreement with them.';
}

function figures({ labels, splits: { test } }: MetricsFile): string[] {
  const few = labels.filter((_, i) => test.support[i] < FEW);
  const decision = isExclusive(test.task)
    ? 'Decisions name the most probable class, also where none is probable.'
    : 'Decisions depend on the threshold. One that was tuned on this validation split fits its prevalence; elsewhere it must be tuned anew.';
  return [
    decision,
    ...(test.confidence
      ? ['Intervals are about the choice of test images alone, not about training again or about other data.']
      : []),
    ...(few.length > 0
      ? [`Fewer than ${plural(FEW, 'test image')} have ${few.join(', ')}: figures of these labels are rough.`]
      : []),
  ];
}
