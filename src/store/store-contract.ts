import { describeHistory } from './contract/history.ts';
import { describeRanges } from './contract/ranges.ts';
import type { OpenTestedStore } from './contract/tested-store.ts';
import { describeTransactions } from './contract/transactions.ts';
import { describeValues } from './contract/values.ts';
import { describeWatches } from './contract/watches.ts';

/** What every driver has to do. */
export function describeStore(name: string, open: OpenTestedStore): void {
  describeValues(name, open);
  describeRanges(name, open);
  describeHistory(name, open);
  describeTransactions(name, open);
  describeWatches(name, open);
}
