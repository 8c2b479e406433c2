/** The Patient ID of a DICOM file, for keeping the images of one patient together. It is hashed before it goes anywhere. */
import { kindIn, HEAD_BYTES } from '../kinds';
import { corrupt } from '../picture';
import { readHeader } from './header';

/** Throws ERR_DATA_CORRUPT for a file that does not say it. */
export async function dicomPatient(file: string, bytes: Buffer): Promise<string> {
  const id =
    kindIn(bytes.subarray(0, HEAD_BYTES)) === 'dicom'
      ? (await readHeader(file, bytes)).set.string('x00100020')
      : undefined;
  if (id !== undefined && id.trim() !== '') return id.trim();
  throw corrupt(file, 'says no Patient ID', {
    needed: 'DICOM with a Patient ID, or a column of patients',
    next: 'name the column with --group',
  });
}
