import type { Logger } from '../../base/logger.ts';
import type { Kernel } from '../kernel.ts';
import { type Element, elementText } from './elements.ts';
import { NftablesSocket } from './nftables-socket.ts';
import { runProgram } from './program.ts';
import { ruleset } from './rules.ts';
import { setChanges } from './set-changes.ts';

export interface FirewallOptions {
  /** Name of our table. */
  readonly table: string;
  /** Without it, changes too are made by the `nft` program. */
  readonly kernel: Kernel | undefined;
  readonly logger: Logger;
}

type Elements = readonly Element[];

interface Change {
  readonly removed: readonly Element[];
  readonly added: readonly Element[];
}

/**
 * Our table of nftables. What is asked for while a change is under way goes into the next one, together. Each change is
 * one transaction, and names only our table. When the table is not as we left it (someone flushed all rules), it is put
 * back whole.
 */
export class Firewall {
  readonly #table: string;
  readonly #socket: NftablesSocket | undefined;
  readonly #logger: Logger;
  readonly #elements = new Map<string, Element>();
  #loaded = false;
  #pending: Change[] = [];
  #flushing: Promise<void> | undefined;

  constructor({ table, kernel, logger }: FirewallOptions) {
    this.#logger = logger;
    this.#table = table;
    this.#socket = kernel && new NftablesSocket(kernel);
  }

  /**
   * Puts the whole table in place, with these elements and no others. Throws what `nft` complains of. Before the first
   * time nothing changes: the rules of a former run go on.
   */
  async load(elements: Iterable<Element>): Promise<void> {
    this.#elements.clear();
    for (const element of elements) this.#elements.set(keyOf(element), element);
    await this.#loadWhole();
    this.#loaded = true;
  }

  /**
   * Takes elements out and puts others in, at once; resolves when packets are judged by it. What is not there need not be
   * taken out; an element whose key is there already is replaced.
   */
  async update({ remove = [], add = [] }: { readonly remove?: Elements; readonly add?: Elements }): Promise<void> {
    const removed: Element[] = [];
    const added: Element[] = [];
    const staying = new Set(add.map(keyOf));
    for (const element of remove) {
      const key = keyOf(element);
      const known = this.#elements.get(key);
      if (!known || staying.has(key)) continue;
      removed.push(known);
      this.#elements.delete(key);
    }
    for (const element of add) {
      const key = keyOf(element);
      const known = this.#elements.get(key);
      if (known && elementText(known) === elementText(element)) continue;
      if (known) removed.push(known);
      added.push(element);
      this.#elements.set(key, element);
    }
    await this.#change({ removed, added });
  }

  /** Lets go of the table, or removes it. */
  async close({ keepTable }: { readonly keepTable: boolean }): Promise<void> {
    await this.#flushing?.catch(() => {});
    this.#socket?.close();
    if (!keepTable) await removeTable(this.#table);
  }

  async #change(change: Change): Promise<void> {
    if (!this.#loaded) return;
    if (change.added.length === 0 && change.removed.length === 0) {
      // What was asked for may be on its way for somebody else.
      await this.#flushing;
      return;
    }
    this.#pending.push(change);
    this.#flushing ??= Promise.resolve().then(() => this.#flush());
    await this.#flushing;
  }

  async #flush(): Promise<void> {
    try {
      while (this.#pending.length > 0) await this.#make(together(this.#pending.splice(0)));
    } finally {
      // In the turn in which nothing was left to do: whoever comes from now on begins anew.
      this.#flushing = undefined;
    }
  }

  async #make({ removed, added }: Change): Promise<void> {
    try {
      if (this.#socket) this.#socket.run(setChanges(this.#table, removed, added));
      else await runProgram('nft', ['-f', '-'], script(this.#table, removed, added));
    } catch (error) {
      const reason = (error as Error).message;
      this.#logger.warn('the rules of container networks were changed by someone, and are put back', { reason });
      await this.#loadWhole();
    }
  }

  async #loadWhole(): Promise<void> {
    await runProgram('nft', ['-f', '-'], ruleset(this.#table, this.#elements.values()));
  }
}

export async function removeTable(table: string): Promise<void> {
  await runProgram('nft', ['-f', '-'], `table inet ${table}\ndelete table inet ${table}\n`);
}

const keyOf = ({ set, key }: Element) => `${set} ${key.join(' ')}`;

/** Several changes as one: what one puts in and a later one takes out again is in neither list. */
function together(changes: readonly Change[]): Change {
  const removed = new Map<string, Element>();
  const added = new Map<string, Element>();
  for (const change of changes) {
    for (const element of change.removed) {
      const key = keyOf(element);
      if (!added.delete(key)) removed.set(key, element);
    }
    for (const element of change.added) added.set(keyOf(element), element);
  }
  return { removed: [...removed.values()], added: [...added.values()] };
}

function script(table: string, removed: readonly Element[], added: readonly Element[]): string {
  const lines = (verb: string, elements: readonly Element[]) =>
    [...Map.groupBy(elements, ({ set }) => set)].map(
      ([set, all]) => `${verb} element inet ${table} ${set} { ${all.map(elementText).join(', ')} }`,
    );
  return `${[...lines('delete', removed), ...lines('add', added)].join('\n')}\n`;
}
