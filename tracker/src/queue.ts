import { type Entry } from './limits.ts';

/** The events that wait in this browser, of all its tabs and of earlier visits. */
export interface Queue {
  /**
   * Keeps the entries in IndexedDB; in localStorage while that is not open or where it is full or blocked; otherwise in
   * memory, until the page is gone. Resolves to the newest of them where they were more than the place may hold: these
   * are not kept.
   */
  add(entries: readonly Entry[]): Promise<readonly Entry[]>;
  /** So many entries at most, the oldest first. */
  read(eventsMax: number): Promise<Entry[]>;
  remove(keys: readonly string[]): Promise<void>;
  close(): void;
}

/** Something that holds entries; `add` resolves to how many it holds then. */
interface Place {
  add(entries: readonly Entry[]): number | Promise<number>;
  read(eventsMax: number): readonly Entry[] | Promise<readonly Entry[]>;
  remove(keys: readonly string[]): void | Promise<void>;
}

const STORE = 'events';

export function openQueue(name: string, eventsMax: number): Queue {
  const memory = createMemory();
  const local = createLocal(`${name}#`);
  let database: IDBDatabase | undefined;
  const opening = openDatabase(name)
    .then(async (opened) => {
      database = opened;
      // localStorage reaches the disk seconds later.
      const early = await local.read(eventsMax);
      await createIndexed(opened).add(early);
      await local.remove(early.map(([key]) => key));
    })
    .catch(() => undefined);

  /** Those that hold entries now, the one to be preferred first. */
  const places = (): Place[] => [...(database ? [createIndexed(database)] : []), local, memory];

  return {
    async add(entries) {
      for (const place of places()) {
        try {
          // Not awaited before the write has begun: a tab that dies right after an event has it in the database.
          const excess = (await place.add(entries)) - eventsMax;
          const refused = excess > 0 ? entries.slice(-excess) : [];
          if (refused.length > 0) await place.remove(refused.map(([key]) => key));
          return refused;
        } catch {
          // Full, blocked or closed: the next place has it.
        }
      }
      return entries;
    },
    async read(count) {
      await opening;
      const found = await Promise.all(places().map((place) => tolerant(() => place.read(count))));
      return [...new Map(found.flatMap((entries) => entries ?? []))]
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .slice(0, count);
    },
    async remove(keys) {
      await Promise.all(places().map((place) => tolerant(() => place.remove(keys))));
    },
    close() {
      void opening.then(() => database?.close());
    },
  };
}

/** Undefined where it fails: a place that is blocked holds nothing that could be had. */
async function tolerant<T>(work: () => T | Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch {
    return undefined;
  }
}

function openDatabase(name: string): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(name);
    request.onupgradeneeded = () => request.result.createObjectStore(STORE);
    request.onsuccess = () => {
      // Whoever deletes the data of the site need not wait for this page.
      request.result.onversionchange = () => request.result.close();
      resolve(request.result);
    };
    request.onerror = () => reject(request.error!);
  });
}

function createIndexed(database: IDBDatabase): Place {
  /** Runs `work` in a transaction of its own, and resolves to the results of its requests once that is committed. */
  function transact(mode: IDBTransactionMode, work: (store: IDBObjectStore) => IDBRequest[]) {
    return new Promise<unknown[]>((resolve, reject) => {
      const transaction = database.transaction(STORE, mode);
      const requests = work(transaction.objectStore(STORE));
      transaction.oncomplete = () => resolve(requests.map(({ result }) => result as unknown));
      transaction.onabort = () => reject(transaction.error!);
      // Without it the commit waits for this page to hear of every request, which a dying page does not.
      transaction.commit?.();
    });
  }

  return {
    async add(entries) {
      const [count] = await transact('readwrite', (store) => {
        for (const [key, json] of entries) store.put(json, key);
        return [store.count()];
      });
      return count as number;
    },
    async read(count) {
      const found = await transact('readonly', (store) => [
        store.getAllKeys(null, count),
        store.getAll(null, count),
      ]);
      const [keys, values] = found as [string[], string[]];
      return keys.map((key, index) => [key, values[index]!]);
    },
    async remove(keys) {
      await transact('readwrite', (store) => keys.map((key) => store.delete(key)));
    },
  };
}

function createLocal(prefix: string): Place {
  const keysOf = () => Object.keys(localStorage).filter((key) => key.startsWith(prefix));
  return {
    add(entries) {
      for (const [key, json] of entries) localStorage.setItem(prefix + key, json);
      return keysOf().length;
    },
    read: (count) =>
      keysOf()
        .sort()
        .slice(0, count)
        .map((key) => [key.slice(prefix.length), localStorage.getItem(key)!]),
    remove: (keys) => keys.forEach((key) => localStorage.removeItem(prefix + key)),
  };
}

function createMemory(): Place {
  const held = new Map<string, string>();
  return {
    add(entries) {
      for (const [key, json] of entries) held.set(key, json);
      return held.size;
    },
    read: (count) => [...held].slice(0, count),
    remove: (keys) => keys.forEach((key) => held.delete(key)),
  };
}
