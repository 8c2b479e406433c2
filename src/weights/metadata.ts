/**
 * What a file of weights says of itself: the names of its labels, and the sides of the images it was trained on and of
 * what the network saw. Kept as strings in the metadata of safetensors and ONNX files.
 */
export interface ModelFacts {
  /** Undefined when the file does not say. */
  labels: readonly string[] | undefined;
  /** In pixels; null when the file does not say. */
  imageSize: number | null;
  inputSize: number | null;
}

/** The facts as a file keeps them; what is not known is left out. */
export function metadataOf({ labels, imageSize, inputSize }: ModelFacts): Record<string, string> {
  return {
    ...(labels !== undefined && { labels: JSON.stringify(labels) }),
    ...(imageSize !== null && { image_size: String(imageSize) }),
    ...(inputSize !== null && { input_size: String(inputSize) }),
  };
}

/** The facts in a file's metadata. Anything that does not fit the network's `labelCount` labels counts as not said. */
export function factsIn(metadata: Readonly<Record<string, string>>, labelCount: number): ModelFacts {
  return {
    labels: labelsIn(metadata.labels, labelCount),
    imageSize: sizeIn(metadata.image_size),
    inputSize: sizeIn(metadata.input_size),
  };
}

function labelsIn(text: string | undefined, labelCount: number): readonly string[] | undefined {
  try {
    const labels: unknown = JSON.parse(text ?? '');
    const isList = Array.isArray(labels) && labels.length === labelCount && labels.every((l) => typeof l === 'string');
    return isList ? labels : undefined;
  } catch {
    return undefined;
  }
}

const sizeIn = (text: string | undefined): number | null => (/^\d{2,4}$/.test(text ?? '') ? Number(text) : null);
