/**
 * The trials of a search as a table, from the best to the worst. Where the terminal is narrow the options go, the last one
 * first, then the best epoch and AP; trial, epochs and AUC stay.
 */
import type { TuneResult } from '../../tune';
import { table, missing, type Column } from './table';

export function renderTrials({ trials, best }: TuneResult, width: number): string {
  const names = Object.keys(trials[0].options);
  const figure = (value: number | null | undefined): string => value?.toFixed(4) ?? '–';
  const text = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value));
  const last = trials.map(({ results }) => results.at(-1));
  const columns: Column[] = [
    { title: 'trial', cells: trials.map(({ number }) => `${number}${number === best ? ' *' : ''}`) },
    { title: 'epochs', cells: trials.map(({ status }, i) => (last[i] ? String(last[i].epochs) : status)) },
    { title: 'best epoch', cells: last.map((of) => (of ? String(of.best_epoch) : '')), goes: names.length + 1 },
    { title: 'val AUC', cells: last.map((of) => figure(of?.val_auc)) },
    { title: 'val AP', cells: last.map((of) => figure(of?.val_ap)), goes: names.length + 2 },
    ...names.map((name, i): Column => ({
      title: name,
      cells: trials.map(({ options }) => text(options[name])),
      goes: names.length - i,
    })),
  ];
  const shown = table(columns, width);
  return [shown.text, ...missing(shown), '', '* the best, by validation'].join('\n');
}
