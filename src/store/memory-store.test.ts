import { openMemoryStore } from './memory-store.ts';
import { describeStore } from './store-contract.ts';

describeStore('memory', async (history) => {
  const store = openMemoryStore(history && { history });
  return { store, [Symbol.asyncDispose]: () => store.close() };
});
