/** What every page has around its sections: style, navigation, notes, the policy that lets nothing out, the script. */
import { createHash } from 'node:crypto';
import { escape } from '../format';
import { SCRIPT } from './script';
import { STYLE } from './style';

export interface Frame {
  /** Of the window. */
  title: string;
  heading: string;
  subtitle: string;
  /** In sentences, before the sections. */
  notes: readonly string[];
  /** HTML, each with one `<h2 id>`, which the navigation leads to. */
  sections: readonly string[];
  /** A script of this page's own. */
  script?: string;
}

export function frame({ title, heading, subtitle, notes, sections, script: own = '' }: Frame): string {
  const script = SCRIPT + own;
  const links = sections.flatMap((section) => {
    const [, id, name] = /<h2 id="([^"]+)">([^<]*)<\/h2>/.exec(section) ?? [];
    return id === undefined ? [] : [`<li><a href="#${id}">${name}</a></li>`];
  });
  const hash = createHash('sha256').update(script).digest('base64');
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-${hash}'">
<title>${escape(title)}</title>
<style>${STYLE}</style>
</head>
<body>
<header>
<h1>${escape(heading)}</h1>
<p class="muted">${escape(subtitle)}</p>
<nav aria-label="Sections"><ul>${links.join('')}</ul></nav>
</header>
<main>
${notes.map((note) => `<p class="note">${escape(note)}</p>`).join('\n')}
${sections.join('\n')}
</main>
<footer><p>For research. Not a medical device: nothing on this page may guide the care of a patient.</p></footer>
<script>${script}</script>
</body>
</html>
`;
}
