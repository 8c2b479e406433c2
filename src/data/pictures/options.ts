/** The choices that a user has about pictures. They are names alone, so that the help of a verb loads no decoder. */

/** What becomes of a picture that is not square: its central square, black bars, or another shape. */
export const FITS = ['crop', 'pad', 'stretch'] as const;
export type Fit = (typeof FITS)[number];

/** Axes of an array in order: N pictures, H rows, W columns, C channels (1 or 3). */
export const LAYOUTS = ['HW', 'HWC', 'CHW', 'NHW', 'NHWC', 'NCHW'] as const;
export type Layout = (typeof LAYOUTS)[number];

/** Center and width of the values of a DICOM file that are shown from black to white. */
export type VoiWindow = readonly [center: number, width: number];
