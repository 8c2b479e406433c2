/** `chestmnist completion`: a script that lets a shell complete verbs, flags and files, made from the commands. */
import { Argument, Command } from 'commander';
import type { Verbs } from '../verb';

const EXAMPLES = `
Examples:
  source <(chestmnist completion bash)            in ~/.bashrc
  source <(chestmnist completion zsh)             in ~/.zshrc, after compinit
  chestmnist completion fish > ~/.config/fish/completions/chestmnist.fish`;

export function register(program: Command, verbs: Verbs): void {
  program
    .command('completion')
    .description('a script that completes commands in your shell')
    .addArgument(new Argument('<shell>').choices(['bash', 'zsh', 'fish']))
    .addHelpText('after', EXAMPLES)
    .action(async (shell: 'bash' | 'zsh' | 'fish') => {
      const words = await wordsOf(program, verbs);
      process.stdout.write(shell === 'fish' ? fish(words) : bash(words, shell === 'zsh'));
    });
}

interface Words {
  verb: string;
  summary: string;
  subcommands: readonly string[];
  flags: readonly { name: string; help: string }[];
}

/** The subcommands and long flags of every verb, the global ones among them. */
async function wordsOf(program: Command, verbs: Verbs): Promise<Words[]> {
  const scratch = new Command();
  for (const { load } of Object.values(verbs)) (await load()).register(scratch, verbs);
  return scratch.commands.map((command) => {
    const options = [command, ...command.commands, program].flatMap((owner) => owner.options);
    const flags = new Map(options.flatMap(({ long, description }) => (long ? [[long, description]] : [])));
    return {
      verb: command.name(),
      summary: verbs[command.name()].summary,
      subcommands: command.commands.map((subcommand) => subcommand.name()),
      flags: [...flags].map(([name, help]) => ({ name, help })),
    };
  });
}

function bash(words: readonly Words[], zsh: boolean): string {
  const verbs = words.map(({ verb }) => verb);
  const list = ({ subcommands, flags }: Words): string => [...subcommands, ...flags.map(({ name }) => name)].join(' ');
  return `${zsh ? 'autoload -Uz bashcompinit && bashcompinit\n' : ''}_chestmnist() {
  local word="\${COMP_WORDS[COMP_CWORD]}" words="${verbs.join(' ')} --help --version" i
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "\${COMP_WORDS[i]}" in
${words.map((entry) => `      ${entry.verb}) words="${list(entry)} --help"; break ;;`).join('\n')}
    esac
  done
  COMPREPLY=($(compgen -W "$words" -- "$word"))
}
complete -o default -F _chestmnist chestmnist
`;
}

function fish(words: readonly Words[]): string {
  const quoted = (text: string): string => `'${text.replace(/['\\]/g, '\\$&')}'`;
  const lines = words.flatMap(({ verb, summary, subcommands, flags }) => {
    const seen = `complete -c chestmnist -n '__fish_seen_subcommand_from ${verb}'`;
    return [
      `complete -c chestmnist -n __fish_use_subcommand -a ${verb} -d ${quoted(summary)}`,
      ...subcommands.map((name) => `${seen} -a ${name}`),
      ...flags.map(({ name, help }) => `${seen} -l ${name.slice(2)} -d ${quoted(help)}`),
    ];
  });
  return `${lines.join('\n')}\n`;
}
