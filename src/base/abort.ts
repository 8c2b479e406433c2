/** A signal for one call. Not here: what stops when it is aborted. */

/**
 * A signal that is aborted with `signal`, and never without one. A call listens to its own: with many calls under one
 * signal of the user, Node would warn of a leak of listeners on it.
 */
export const ownSignal = (signal: AbortSignal | undefined): AbortSignal =>
  AbortSignal.any(signal === undefined ? [] : [signal]);
