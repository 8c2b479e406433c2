/**
 * Lines of Python that save a file's weights as a state dict that is read here. Printed in errors, so they are shell
 * words; tests/parity/weights.test.ts runs each of them.
 */
import { shellWord } from '../base/shell';

/** How a file is read from `f`. Python refuses plain objects beside the weights unless it may run their code. */
export const TORCH_LOAD = "torch.load(f,map_location='cpu',weights_only=True)";
export const TORCH_LOAD_ALL = "torch.load(f,map_location='cpu',weights_only=False)";
export const SAFETENSORS_LOAD = "__import__('safetensors.torch').torch.load_file(f)";

/** A command that reads `file`, as `f`, by `statements` and saves the expression `saved` beside it. */
export function inPython(file: string, statements: string, saved: string): string {
  const output = `${file.replace(/\.\w+$/, '')}.converted.pth`;
  const command = `python -c "import sys,torch; f,o=sys.argv[1:]; ${statements}; torch.save(${saved},o)"`;
  const trust = /weights_only=False|pickle\.load/.test(statements)
    ? ' (it runs code from the file: only for a file that you trust)'
    : '';
  return `convert it with Python: ${command} ${shellWord(file)} ${shellWord(output)}${trust}`;
}
