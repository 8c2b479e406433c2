/** Event files, read back by a small reader of its own: framing, checksums, and the fields of the messages. */
import { readFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { TensorBoardWriter } from '../../../src/run/tensorboard';
import { folder, removeRuns } from '../../support/report-fixture';

afterAll(removeRuns);

/** CRC-32C bit by bit, from the definition. */
function crc32c(data: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of data) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0x82f63b78 : 0);
  }
  return ~crc >>> 0;
}
const masked = (data: Uint8Array): number => {
  const crc = crc32c(data);
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
};

test('the reader knows the checksum: CRC-32C of 123456789', () => {
  expect(crc32c(Buffer.from('123456789'))).toBe(0xe3069283);
});

/** The records of a file, checked. */
function recordsOf(file: string): Buffer[] {
  const bytes = readFileSync(file);
  const records: Buffer[] = [];
  for (let at = 0; at < bytes.length;) {
    const length = Number(bytes.readBigUInt64LE(at));
    const data = bytes.subarray(at + 12, at + 12 + length);
    expect(bytes.readUInt32LE(at + 8)).toBe(masked(bytes.subarray(at, at + 8)));
    expect(bytes.readUInt32LE(at + 12 + length)).toBe(masked(data));
    records.push(data);
    at += length + 16;
  }
  return records;
}

/** Fields of a protobuf message: numbers and bytes by field number. */
function fieldsOf(data: Buffer): Map<number, (number | Buffer)[]> {
  const fields = new Map<number, (number | Buffer)[]>();
  let at = 0;
  const varint = (): number => {
    for (let value = 0, scale = 1; ; scale *= 128) {
      const byte = data[at++];
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  };
  const take = (length: number): Buffer => data.subarray(at, (at += length));
  while (at < data.length) {
    const key = varint();
    const value = [
      varint,
      () => take(8).readDoubleLE(),
      () => take(varint()),
      undefined,
      undefined,
      () => take(4).readFloatLE(),
    ][key & 7]!();
    fields.set(key >>> 3, [...(fields.get(key >>> 3) ?? []), value]);
  }
  return fields;
}
const message = (fields: Map<number, (number | Buffer)[]>, field: number): Map<number, (number | Buffer)[]> =>
  fieldsOf(fields.get(field)![0] as Buffer);
/** The values of an event: tag and fields. */
const valuesOf = (event: Map<number, (number | Buffer)[]>): [string, Map<number, (number | Buffer)[]>][] =>
  message(event, 5)
    .get(1)!
    .map((value) => {
      const fields = fieldsOf(value as Buffer);
      return [(fields.get(1)![0] as Buffer).toString(), fields];
    });

test('begins with the version; each scalar is on disk, with step and time, before close', async () => {
  const writer = new TensorBoardWriter(await folder());
  writer.scalar('loss/train', 0.25, 300, 1234.5);
  const [first, event] = recordsOf(writer.file).map(fieldsOf);
  expect((first.get(3)![0] as Buffer).toString()).toBe('brain.Event:2');
  expect(event.get(1)).toEqual([1234.5]);
  expect(event.get(2)).toEqual([300]);
  const [[tag, value]] = valuesOf(event);
  expect([tag, value.get(2)]).toEqual(['loss/train', [0.25]]);
  writer.scalar('x', NaN, 1);
  expect(valuesOf(fieldsOf(recordsOf(writer.file)[2]))[0][1].get(2)).toEqual([NaN]);
  await writer.close();
});

test('an epoch is one event; an undefined AUC is left out', async () => {
  const writer = new TensorBoardWriter(await folder());
  const row = {
    epoch: 3,
    lr: 0.5,
    trainLoss: 2,
    valLoss: 4,
    valAuc: 0.75,
    valAp: null,
    valAcc: 0.25,
    seconds: 1,
    imagesPerSecond: 8,
  };
  writer.epoch(row);
  writer.epoch({ ...row, epoch: 4, valAuc: null });
  const [, third, fourth] = recordsOf(writer.file).map(fieldsOf);
  expect(third.get(2)).toEqual([3]);
  expect(Object.fromEntries(valuesOf(third).map(([tag, value]) => [tag, value.get(2)![0]]))).toEqual({
    'loss/train': 2,
    'loss/val': 4,
    'auc/val': 0.75,
    'accuracy/val': 0.25,
    lr: 0.5,
    images_per_second: 8, // prettier-ignore
  });
  expect(valuesOf(fourth).map(([tag]) => tag)).not.toContain('auc/val');
  await writer.close();
});

test('a precision-recall curve counts a score as positive at its threshold and below', async () => {
  const writer = new TensorBoardWriter(await folder());
  writer.prCurve('pr/mass', Uint8Array.of(1, 0, 1, 0), Float64Array.of(1, 0.5, 0.25, 0), 7);
  const [[, value]] = valuesOf(fieldsOf(recordsOf(writer.file)[1]));
  const tensor = message(value, 8);
  const content = tensor.get(4)![0] as Buffer;
  const rows = Array.from({ length: 6 }, (_, r) =>
    Array.from({ length: 127 }, (_, i) => content.readFloatLE(4 * (127 * r + i))),
  );
  expect(content).toHaveLength(4 * 6 * 127);
  const at = (i: number): number[] => rows.map((row) => row[i]);
  expect(at(0)).toEqual([2, 2, 0, 0, 0.5, 1]); // tp fp tn fn precision recall
  expect(at(31)).toEqual([2, 1, 1, 0, Math.fround(2 / 3), 1]);
  expect(at(32)).toEqual([1, 1, 1, 1, 0.5, 0.5]); // 32/126 is above 0.25
  expect(at(63)).toEqual([1, 1, 1, 1, 0.5, 0.5]);
  expect(at(126)).toEqual([1, 0, 2, 1, 1, 0.5]);
  expect((message(message(value, 9), 1).get(1)![0] as Buffer).toString()).toBe('pr_curves');
  await writer.close();
});

test('two writers in one folder do not share a file; close twice is fine, writing after it is not', async () => {
  const directory = await folder();
  const writers = [new TensorBoardWriter(directory), new TensorBoardWriter(directory)];
  expect(await readdir(directory)).toHaveLength(2);
  for (const writer of writers) {
    expect(path.basename(writer.file)).toMatch(/^events\.out\.tfevents\.\d{10}\./);
    await writer.close();
    await writer.close();
    expect(() => writer.scalar('a', 1, 1)).toThrow(expect.objectContaining({ code: 'ERR_DISPOSED' }));
  }
});

test('a folder that is not there is a clear error', () => {
  expect(() => new TensorBoardWriter('/nowhere/at/all')).toThrow(expect.objectContaining({ code: 'ERR_OUTPUT' }));
});
