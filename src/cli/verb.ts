/** What the command line knows of a verb before it loads its file. */
import type { Command } from 'commander';

export interface Verb {
  /** What it does, in a line. */
  summary: string;
  /** Its file. `register` adds the verb to the program; all verbs are there for the one that is about them. */
  load: () => Promise<{ register(program: Command, verbs: Verbs): void }>;
}

/** Verbs by name, in the order of the help. */
export type Verbs = Readonly<Record<string, Verb>>;
