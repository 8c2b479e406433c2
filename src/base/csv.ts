/** Cells of a CSV file (RFC 4180) that a spreadsheet shows and does not run. Not here: MedMNIST's files of numbers. */
import { oneLine } from './text';

/** What makes a spreadsheet take a text for a formula, also in its full-width form and behind spaces. */
const FORMULA = /^\s*[=+\-@\uff1d\uff0b\uff0d\uff20]/;

/**
 * One cell. A number stays a number. In a text, control characters become question marks; one that a spreadsheet would
 * run as a formula gets an apostrophe before it, which spreadsheets take for "this is text".
 */
export function csvCell(value: string | number): string {
  if (typeof value === 'number') return String(value);
  const text = (FORMULA.test(value) || /^[\t\r\n]/.test(value) ? "'" : '') + oneLine(value);
  // Some countries' spreadsheets split lines at semicolons.
  return /[",;]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
