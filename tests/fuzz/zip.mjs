/** Zip files taken apart and put together for mutation: sums are right unless a lie is wanted. Not a reader to rely on. */
import { crc32, deflateRawSync, inflateRawSync } from 'node:zlib';
import { mutate } from './mutate.mjs';

/** The entries of a zip by its central directory; undefined where it has none that can be followed. */
export function unzip(bytes) {
  try {
    const end = bytes.lastIndexOf('PK\x05\x06', undefined, 'latin1');
    const entries = [];
    let at = bytes.readUInt32LE(end + 16);
    for (let n = bytes.readUInt16LE(end + 10); n > 0 && entries.length < 64; n--) {
      const method = bytes.readUInt16LE(at + 10);
      const [size, nameLength] = [bytes.readUInt32LE(at + 20), bytes.readUInt16LE(at + 28)];
      const local = bytes.readUInt32LE(at + 42);
      const start = local + 30 + bytes.readUInt16LE(local + 26) + bytes.readUInt16LE(local + 28);
      const raw = bytes.subarray(start, start + size);
      const content = method === 8 ? inflateRawSync(raw, { maxOutputLength: 65_536 }) : raw;
      entries.push({ name: bytes.toString('latin1', at + 46, at + 46 + nameLength), content, deflate: method === 8 });
      at += 46 + nameLength + bytes.readUInt16LE(at + 30) + bytes.readUInt16LE(at + 32);
    }
    return entries.length ? entries : undefined;
  } catch {
    return undefined;
  }
}

export function rezip(entries) {
  const [parts, directory] = [[], []];
  let position = 0;
  for (const { name, content, deflate } of entries) {
    const raw = deflate ? deflateRawSync(content) : content;
    const fields = Buffer.alloc(26);
    fields.writeUInt16LE(20, 0);
    fields.writeUInt16LE(deflate ? 8 : 0, 4);
    fields.writeUInt32LE(crc32(content), 10);
    fields.writeUInt32LE(raw.length, 14);
    fields.writeUInt32LE(content.length, 18);
    fields.writeUInt16LE(Buffer.byteLength(name, 'latin1'), 22);
    const text = Buffer.from(name, 'latin1');
    const place = Buffer.alloc(14);
    place.writeUInt32LE(position, 10);
    directory.push(Buffer.concat([Buffer.from('PK\x01\x02\x14\x00', 'latin1'), fields, place, text]));
    parts.push(Buffer.concat([Buffer.from('PK\x03\x04', 'latin1'), fields, text, raw]));
    position += parts.at(-1).length;
  }
  const end = Buffer.alloc(22);
  end.write('PK\x05\x06', 'latin1');
  end.writeUInt16LE(entries.length, 8);
  end.writeUInt16LE(entries.length, 10);
  end.writeUInt32LE(
    directory.reduce((sum, { length }) => sum + length, 0),
    12,
  );
  end.writeUInt32LE(position, 16);
  return Buffer.concat([...parts, ...directory, end]);
}

/** Mutates what lies inside a zip, with sums that are right again; `content` mutates one entry's bytes. */
export function mutateZip(bytes, random, context, content = mutate) {
  const entries = random.chance(0.75) ? unzip(bytes) : undefined;
  if (!entries) return mutate(bytes, random, context);
  const entry = random.pick(entries);
  const act = random.below(12);
  if (act === 0) entry.name = mutate(Buffer.from(entry.name, 'latin1'), random, context).toString('latin1', 0, 300);
  else if (act === 1)
    entries.splice(random.below(entries.length), 0, { ...entry, name: `${entry.name}${random.below(3)}` });
  else if (act === 2) entries.splice(entries.indexOf(entry), 1);
  else if (act === 3) entry.deflate = !entry.deflate;
  else entry.content = content(entry.content, random, { ...context, other: random.pick(entries).content });
  // Inflating is most of the time, and the same for all.
  if (random.chance(0.9)) for (const each of entries) each.deflate = false;
  const whole = rezip(entries);
  return random.chance(0.2) ? mutate(whole, random, context) : whole;
}
