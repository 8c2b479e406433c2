/**
 * What is to be done when the process exits, however it ends. One listener for all: with many runs in a process, Node
 * would warn of a leak of listeners.
 */
const acts: (() => void)[] = [];

/** The newest first: what was set up last may need what was set up before. */
function actAll(): void {
  while (acts.length > 0) {
    try {
      acts.pop()!();
    } catch {
      // Nobody is left to tell, and the others have to act too.
    }
  }
}

/** Calls `act`, which cannot wait for anything, when the process exits; returns how to take that back. */
export function atExit(act: () => void): () => void {
  if (acts.length === 0) process.once('exit', actAll);
  acts.push(act);
  return () => {
    const index = acts.indexOf(act);
    if (index >= 0) acts.splice(index, 1);
    if (acts.length === 0) process.removeListener('exit', actAll);
  };
}
