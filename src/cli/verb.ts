/** What the command line knows about a verb before it loads its file. */
import type { Command } from 'commander';

export interface Verb {
  /** What it does, in one line. */
  summary: string;
  /** Loads its file. `register` adds the verb to the program; `verbs` is for a verb that lists them all. */
  load: () => Promise<{ register(program: Command, verbs: Verbs): void }>;
}

/** Verbs by name, in the order of the help. */
export type Verbs = Readonly<Record<string, Verb>>;
