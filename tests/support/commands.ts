/**
 * The `chestmnist ...` commands in a text (a source file, a document), and whether the command line takes them as they
 * stand. Nothing is run. A command ends at a quote, a bracket, a comma, a semicolon, a full stop, a comment, two spaces
 * or the line's end, so in a message a word that is not part of it follows one of these.
 */
import { Command } from 'commander';
import { newProgram } from '../../src/cli/program';
import { VERBS } from '../../src/cli/verbs';

const VERB = new RegExp(`\\bchestmnist (?=(?:${Object.keys(VERBS).join('|')}|--[a-z])\\b)`, 'g');

/** The words of each command, without `chestmnist` itself; `${...}` of a template counts as one word. */
export function commandsIn(text: string): string[][] {
  const plain = text.replaceAll('${SETUP_COMMAND}', 'npx chestmnist setup').replace(/\$\{[^{}]*\}/g, 'X');
  return [...plain.matchAll(VERB)].map(({ index, 0: { length } }) => wordsOf(plain.slice(index + length)));
}

function wordsOf(text: string): string[] {
  const words: string[] = [];
  // A quoted word that starts with a space before it is an argument; any other quote ends the text around the command.
  const word = /^(?: ?)("[^"\n]*"|(?:[^\s'"`();,<>|&\\]|,(?=\S))+)/;
  for (let rest = text; ;) {
    const found = word.exec(rest);
    if (!found || (words.length > 0 && !rest.startsWith(' '))) return words;
    const [all, token] = found;
    if (/^(#|or$|then$|\*\/)/.test(token)) return words;
    const last = /[.:]$/.test(token) && !/^\.+$/.test(token);
    words.push(token.replace(/[.:]$/, '').replaceAll('"', ''));
    rest = rest.slice(all.length);
    if (last) return words;
  }
}

/** What commander says against a command; undefined when it takes it. A verb alone is a mention of it. */
export async function refusalOf(words: readonly string[]): Promise<string | undefined> {
  if (words.length === 1 && Object.hasOwn(VERBS, words[0])) return undefined;
  const program = newProgram();
  for (const { load } of Object.values(VERBS)) (await load()).register(program, VERBS);
  quiet(program);
  try {
    await program.parseAsync(words, { from: 'user' });
    return undefined;
  } catch (error) {
    const { code, message } = error as { code?: string; message: string };
    return code === 'commander.helpDisplayed' || code === 'commander.version' ? undefined : message;
  }
}

/** Takes the place of every action by nothing, and of every exit by an exception. */
function quiet(command: Command): void {
  command.exitOverride().configureOutput({ writeOut: () => {}, writeErr: () => {} });
  if (command.commands.length === 0) command.action(() => {});
  for (const subcommand of command.commands) quiet(subcommand);
}
