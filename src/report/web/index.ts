/**
 * `export --format web`: one HTML file that holds the network, the runtime and all that is needed to predict a picture, and
 * that may connect to nothing. It opens from a disk. Not here: the ONNX file in it (weights/onnx.ts).
 */
import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { writeAtomically, writeChunks } from '../../base/atomic';
import { escape, plural } from '../format';
import { STYLE } from '../page/style';
import { LICENSE } from './license';
import { readPreparation, readRuntime } from './runtime';
import { SCRIPT } from './script';
import { WEB_STYLE } from './style';

export interface WebPage {
  /** What the model is called. */
  name: string;
  labels: readonly string[];
  /** Whether exactly one label holds, so that the most probable is decided for. */
  exclusive: boolean;
  channels: 1 | 3;
  /** Side of the prepared picture, and of the network's input, in pixels. */
  size: number;
  inputSize: number;
  /** One per label for each rule, the first of which is shown; none where labels are exclusive. */
  thresholds: readonly { name: string; values: readonly number[] }[];
  /** ONNX files: one, or one per member of an ensemble, whose probabilities are averaged. */
  models: readonly Uint8Array[];
}

/** Writes the page to `file`, atomically. ERR_CONFIG without onnxruntime-web, ERR_OUTPUT or ERR_DISK as other files. */
export async function writeWebPage(file: string, page: WebPage): Promise<void> {
  const [{ script, wasm }, preparation] = await Promise.all([readRuntime(), readPreparation()]);
  const module = `${script}\n${preparation}\n${SCRIPT}`;
  const hash = createHash('sha256').update(module).digest('base64');
  await writeAtomically(file, async (handle) => {
    await writeChunks(handle, [Buffer.from(top(page, hash))]);
    for (const [id, bytes] of [
      ['wasm', wasm],
      ...page.models.map((model, i) => [`model-${i}`, model] as const),
    ] as const) {
      const packed = (await promisify(gzip)(bytes)).toString('base64');
      await writeChunks(handle, [
        Buffer.from(`<script type="application/octet-stream" id="${id}">${packed}</script>\n`),
      ]);
    }
    await writeChunks(handle, [Buffer.from(`<script type="module">${module}</script>\n</body>\n</html>\n`)]);
  });
}

function top(page: WebPage, hash: string): string {
  const { name, labels, exclusive, channels, size, inputSize, thresholds, models } = page;
  const facts = { labels, exclusive, channels, size, inputSize, thresholds, models: models.length };
  const rules = thresholds.map(({ name }, i) => `<option value="${i}">${escape(name)}</option>`);
  const rows = labels.map(
    (label) =>
      `<tr><th scope="row"><span class="name">${escape(label)}</span></th><td class="bar" aria-hidden="true"><div><span class="fill"></span>${exclusive ? '' : '<span class="limit"></span>'}</div></td><td></td>${exclusive ? '' : '<td></td>'}<td></td></tr>`,
  );
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-${hash}' 'wasm-unsafe-eval'">
<title>${escape(name)} – chestmnist</title>
<style>${STYLE}${WEB_STYLE}</style>
</head>
<body>
<header>
<h1>${escape(name)}</h1>
<p class="muted">ResNet-18${models.length > 1 ? `, ${models.length} members` : ''} · ${plural(labels.length, 'label')} · pictures of ${size} × ${size} pixels</p>
</header>
<main>
<p class="note">For research. Not a medical device: nothing on this page may guide the care of a patient.</p>
<p>The network runs on this page. Pictures that you open are read by your browser alone: the page can connect to nothing.</p>
<label id="drop" for="file"><b>Drop a picture here, or choose one</b><span class="muted">PNG, JPEG or WebP</span><input type="file" id="file" accept="image/png,image/jpeg,image/webp" disabled></label>
<p id="status" role="status">Loading the network …</p>
<div id="result" hidden>
<section aria-labelledby="pictures"><h2 id="pictures">Picture</h2>
<div class="pictures"><figure><canvas id="picture" role="img" aria-label="The picture as it was opened"></canvas><figcaption>As opened</figcaption></figure>
<figure><canvas id="seen" role="img" aria-label="The picture as the network sees it"></canvas><figcaption>As the network sees it</figcaption></figure></div></section>
<section aria-labelledby="scores"><h2 id="scores">Probabilities</h2>
${exclusive ? '' : `<p><label>Thresholds <select id="rule">${rules.join('')}</select></label></p>`}
<div class="scroll" role="region" aria-label="Probabilities: table" tabindex="0"><table class="scores">
<thead><tr><th scope="col">Label</th><th aria-hidden="true"></th><th scope="col">Probability</th>${exclusive ? '' : '<th scope="col">Threshold</th>'}<th scope="col">Decision</th></tr></thead>
<tbody id="rows">${rows.join('\n')}</tbody></table></div></section>
</div>
</main>
<footer><details><summary>Software in this page</summary><p>${escape(LICENSE)}</p></details></footer>
<script type="application/json" id="facts">${JSON.stringify(facts).replaceAll('<', '\\u003c')}</script>
`;
}
