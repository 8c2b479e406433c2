/** The script of the page of `export --format web`. Before it stand `ort` and `prepare` (runtime.ts). Nothing is sent. */
export const SCRIPT = `
const began = performance.now();
const $ = (id) => document.getElementById(id);
const facts = JSON.parse($('facts').textContent);
const say = (text) => { $('status').textContent = text; };

/** The bytes that an element holds, compressed and in base64; it is emptied, since it is large. */
async function bytesOf(id) {
  const text = $(id).textContent;
  $(id).remove();
  const step = 1 << 20;
  let at = 0;
  const packed = new ReadableStream({
    pull(control) {
      const part = atob(text.slice(at, (at += step)));
      const bytes = new Uint8Array(part.length);
      for (let i = 0; i < bytes.length; i++) bytes[i] = part.charCodeAt(i);
      control.enqueue(bytes);
      if (at >= text.length) control.close();
    },
  });
  return new Uint8Array(await new Response(packed.pipeThrough(new DecompressionStream('gzip'))).arrayBuffer());
}

/** Browsers that guard against being recognised change the pixels that a page reads. */
function checkCanvas() {
  const context = new OffscreenCanvas(64, 64).getContext('2d', { willReadFrequently: true });
  const made = context.createImageData(64, 64);
  made.data.forEach((_, i) => { made.data[i] = i % 4 === 3 ? 255 : (i * 37) % 256; });
  context.putImageData(made, 0, 0);
  const { data } = context.getImageData(0, 0, 64, 64);
  if (made.data.some((value, i) => value !== data[i]))
    throw new Error('this browser changes the pixels that pages read, as a guard against fingerprinting. Allow this page to read a canvas, or use another browser');
}

const sessions = [];
async function load() {
  checkCanvas();
  ort.env.wasm.numThreads = 1;
  ort.env.wasm.wasmBinary = await bytesOf('wasm');
  for (let i = 0; i < facts.models; i++)
    sessions.push(await ort.InferenceSession.create(await bytesOf('model-' + i), { executionProviders: ['wasm'] }));
  say('Ready: loaded in ' + ((performance.now() - began) / 1000).toFixed(1) + ' s. Nothing you open leaves this computer.');
  $('file').disabled = false;
}

const elsewhere = (what) => new Error(what + ' Use: npx chestmnist predict');

/** Refuses what a browser decodes otherwise than predict does. */
function checkKind(bytes) {
  const text = String.fromCharCode(...bytes.subarray(0, 132));
  if (text.startsWith('DICM', 128)) throw elsewhere('This is a DICOM file, which browsers do not show.');
  if (/^(II[*+]\\0|MM\\0[*+])/.test(text)) throw elsewhere('This is a TIFF file, which browsers do not show.');
  if (text.startsWith('\\x89PNG\\r\\n\\x1a\\n')) {
    if (bytes[24] === 16) throw elsewhere('This PNG has 16 bits; a browser keeps 8 of them, so the figures would differ.');
  } else if (text.startsWith('\\xff\\xd8\\xff')) {
    if (componentsOf(bytes) === 4) throw elsewhere('This JPEG has the colours of a printer (CMYK), which browsers convert otherwise.');
  } else if (!/^RIFF[^]{4}WEBP/.test(text)) throw new Error('This is not a PNG, JPEG or WebP picture.');
}

/** Of a JPEG, by its frame header. */
function componentsOf(bytes) {
  for (let at = 2; at + 9 < bytes.length && bytes[at] === 0xff; at += 2 + bytes[at + 2] * 256 + bytes[at + 3])
    if (bytes[at + 1] >= 0xc0 && bytes[at + 1] <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(bytes[at + 1])) return bytes[at + 9];
  return undefined;
}

/** The picture as predict decodes it: colour profiles are not applied. Draws it too. */
async function decode(file) {
  checkKind(new Uint8Array(await file.arrayBuffer()));
  const bitmap = await createImageBitmap(file, { colorSpaceConversion: 'none' }).catch(() => {
    throw new Error('This picture is damaged, or too large for this browser.');
  });
  const { width, height } = bitmap;
  const canvas = $('picture');
  [canvas.width, canvas.height] = [width, height];
  const context = canvas.getContext('2d', { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  const { data } = context.getImageData(0, 0, width, height);
  const samples = new Uint8Array(width * height * 3);
  for (let i = 0, o = 0; i < data.length; i += 4) {
    if (data[i + 3] !== 255) throw elsewhere('This picture is transparent in places; a browser does not keep the colours there.');
    for (let c = 0; c < 3; c++) samples[o++] = data[i + c];
  }
  return { width, height, channels: 3, depth: 8, samples, notes: [] };
}

/** [1, 3, S, S] as the network takes it: the nearest pixel where its input has another size, then (x/255 - 0.5)/0.5. */
function inputOf(pixels) {
  const { size, inputSize: side, channels } = facts;
  const from = Int32Array.from({ length: side }, (_, i) => Math.floor(((2 * i + 1) * size) / (2 * side)));
  const x = new Float32Array(3 * side * side);
  for (let c = 0, o = 0; c < 3; c++)
    for (let row = 0; row < side; row++)
      for (let column = 0; column < side; column++)
        x[o++] = (pixels[(from[row] * size + from[column]) * channels + (channels === 3 ? c : 0)] / 255 - 0.5) / 0.5;
  return new ort.Tensor('float32', x, [1, 3, side, side]);
}

function scoresOf(logits) {
  if (!facts.exclusive) return logits.map((x) => (x >= 0 ? 1 : Math.exp(x)) / (1 + Math.exp(-Math.abs(x))));
  const most = Math.max(...logits);
  const shares = logits.map((x) => Math.exp(x - most));
  const sum = shares.reduce((a, b) => a + b, 0);
  return shares.map((share) => share / sum);
}

async function predict(picture) {
  const { pixels, notes } = prepare(picture, { size: facts.size, fit: 'crop', channels: facts.channels });
  const input = inputOf(pixels);
  const each = [];
  for (const session of sessions) each.push(scoresOf([...(await session.run({ input }, ['logits'])).logits.data]));
  const scores = facts.labels.map((_, i) => each.reduce((sum, of) => sum + of[i], 0) / each.length);
  return { scores, notes, pixels };
}

/** The small picture that the network sees. */
function drawSeen(pixels) {
  const { size, channels } = facts;
  const canvas = $('seen');
  [canvas.width, canvas.height] = [size, size];
  const image = new ImageData(size, size);
  for (let i = 0; i < size * size; i++)
    image.data.set([0, 1, 2].map((c) => pixels[i * channels + (channels === 3 ? c : 0)]).concat(255), 4 * i);
  canvas.getContext('2d').putImageData(image, 0, 0);
}

let shown;
function draw() {
  if (!shown) return;
  const rule = facts.thresholds[Number($('rule')?.value ?? 0)];
  const top = shown.indexOf(Math.max(...shown));
  [...$('rows').rows].forEach((row, i) => {
    const [score, limit] = [shown[i], rule?.values[i]];
    const isPositive = facts.exclusive ? i === top : score > limit;
    row.className = isPositive ? 'positive' : '';
    row.dataset.score = score;
    row.querySelector('.fill').style.width = 100 * score + '%';
    if (rule) row.querySelector('.limit').style.left = 100 * limit + '%';
    const cells = row.querySelectorAll('td');
    cells[1].textContent = score.toFixed(3);
    if (rule) cells[2].textContent = limit.toFixed(3);
    cells[cells.length - 1].textContent = isPositive ? (facts.exclusive ? 'most probable' : 'above') : facts.exclusive ? '' : 'below';
  });
}

let turn = 0;
async function open(file) {
  if (!file || sessions.length < facts.models) return;
  const mine = ++turn;
  $('result').hidden = true;
  shown = undefined;
  say('Reading ' + file.name);
  try {
    const picture = await decode(file);
    const { scores, notes, pixels } = await predict(picture);
    if (mine !== turn) return;
    shown = scores;
    drawSeen(pixels);
    draw();
    $('result').hidden = false;
    say([file.name + ' (' + picture.width + ' × ' + picture.height + ')', ...notes.map(({ text }) => text)].join('; ') + '. Nothing left this computer.');
  } catch (error) {
    if (mine === turn) say(file.name + ': ' + error.message);
  }
}

$('file').addEventListener('change', ({ target }) => { void open(target.files[0]); target.value = ''; });
$('rule')?.addEventListener('change', draw);
for (const type of ['dragenter', 'dragover', 'dragleave', 'drop'])
  addEventListener(type, (event) => {
    event.preventDefault();
    $('drop').classList.toggle('over', type === 'dragenter' || type === 'dragover');
    if (type === 'drop') void open(event.dataTransfer.files[0]);
  });
load().catch((error) => say('The network cannot be loaded: ' + error.message));
`;
