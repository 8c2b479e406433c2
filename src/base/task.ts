/** What is asked of every image, in MedMNIST's words. Data, recipe and metrics share it. */

export const TASKS = ['multi-label', 'binary-class', 'multi-class', 'ordinal-regression'] as const;

/**
 * - `multi-label`: any of L labels, each for itself.
 * - `binary-class`: one label, present or not.
 * - `multi-class`: one of K labels.
 * - `ordinal-regression`: one of K labels that are in order.
 */
export type Task = (typeof TASKS)[number];

export const isTask = (value: unknown): value is Task => TASKS.includes(value as Task);

/**
 * Whether an image has exactly one of the labels: a softmax over them and cross-entropy, decided for the most probable. Of
 * the others each label has a sigmoid, binary cross-entropy and a threshold.
 */
export const isExclusive = (task: Task | undefined): boolean => task === 'multi-class' || task === 'ordinal-regression';
