/**
 * Whether the event loop is free while something goes on: its turns are counted, which says nothing about the speed of a
 * machine. A turn takes microseconds, so anything that takes long enough to matter lets thousands pass, or none.
 */
export function countTurns(): () => number {
  let turns = 0;
  let counting = true;
  const turn = (): void => {
    turns++;
    if (counting) setImmediate(turn);
  };
  setImmediate(turn);
  return () => {
    counting = false;
    return turns;
  };
}
