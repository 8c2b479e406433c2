/**
 * The Python reference (torch, torchvision, scikit-learn, numpy, pillow) that parity tests compare with.
 * `npm test` makes it in .venv-reference; CHESTMNIST_PYTHON names another. Without one, live comparisons are reported
 * as skipped by name and only the committed fixtures are compared. A test file starts Python once: importing torch takes
 * longer than most of what is asked of it.
 */
import { execFileSync, spawn, type ChildProcessByStdio } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';

export const REPOSITORY = path.resolve(__dirname, '..', '..');
const candidate = process.env.CHESTMNIST_PYTHON ?? path.join(REPOSITORY, '.venv-reference', 'bin', 'python');

/** Path of the reference interpreter, or undefined when there is none. */
export const referencePython: string | undefined = existsSync(candidate) ? candidate : undefined;

/** `describe` when the reference is there, else a described skip. */
export const describeWithPython: jest.Describe = referencePython ? describe : describe.skip;

/** `test` when the reference has this module, else a skip by name. */
export function testWith(module: string): jest.It {
  if (!referencePython) return test.skip;
  const program = 'import importlib.util, sys; print(importlib.util.find_spec(sys.argv[1]) is not None)';
  const found = execFileSync(referencePython, ['-c', program, module], { encoding: 'utf8' });
  return found.trim() === 'True' ? test : test.skip;
}

/** Runs each program it reads in a namespace of its own and answers with what it printed, or with its traceback. */
const SERVER = `
import contextlib, io, json, sys, traceback
answers, sys.stdout = sys.stdout, sys.stderr
for line in sys.stdin:
    request = json.loads(line)
    sys.argv = ["-c", *request["args"]]
    printed = io.StringIO()
    try:
        with contextlib.redirect_stdout(printed):
            exec(compile(request["program"], "<reference>", "exec"), {"__name__": "__main__"})
        answer = {"printed": printed.getvalue()}
    except BaseException:
        answer = {"error": traceback.format_exc()}
    answers.write(json.dumps(answer) + "\\n")
    answers.flush()
`;

interface Answer {
  printed?: string;
  error?: string;
}
let server: ChildProcessByStdio<Writable, Readable, null> | undefined;
let waiting: ((answer: Answer) => void)[] = [];

function startServer(): NonNullable<typeof server> {
  const started = spawn(referencePython!, ['-c', SERVER], { stdio: ['pipe', 'pipe', 'inherit'] });
  createInterface(started.stdout).on('line', (line) => waiting.shift()?.(JSON.parse(line) as Answer));
  started.once('close', (code, signal) => {
    server = undefined;
    const gone = waiting;
    waiting = [];
    for (const answer of gone) answer({ error: `Python ended with ${signal ?? `exit code ${code}`}` });
  });
  return started;
}
afterAll(() => void server?.kill());

/** Runs a Python program of text with arguments in this file's Python; returns what it printed, parsed as JSON. */
export async function runReference(program: string, ...args: string[]): Promise<unknown> {
  server ??= startServer();
  const { stdin } = server;
  const { printed, error } = await new Promise<Answer>((resolve) => {
    waiting.push(resolve);
    stdin.write(`${JSON.stringify({ program, args })}\n`);
  });
  if (printed === undefined) throw new Error(error);
  return JSON.parse(printed);
}
