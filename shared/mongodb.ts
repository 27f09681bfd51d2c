import { type MongoClient } from 'mongodb';

/**
 * The write concern behind which a write survives the crash of the database: in the journal of a majority, or of the
 * only server there is. To one that is no member of a replica set `majority` must not be said: it then acknowledges
 * writes that it may lose when it is killed (SERVER-139311), also with the journal asked for.
 *
 * `hello` is the server's answer to the command of that name.
 */
export function durableWriteConcern(hello: { setName?: unknown; msg?: unknown }): {
  w: 1 | 'majority';
  journal: true;
} {
  const standalone = hello.setName === undefined && hello.msg !== 'isdbgrid';
  return { w: standalone ? 1 : 'majority', journal: true };
}

/** Whether a call has found no server in the time for that. The error of a bulk write has the one that says so in it. */
export function foundNoServer(error: unknown): boolean {
  const { name, errorResponse } = error as { name?: string; errorResponse?: { name?: string } };
  return [name, errorResponse?.name].includes('MongoServerSelectionError');
}

/**
 * Has a client that found no server in its time look for them anew; what it still does is broken off. Driver 7.8 may have
 * stopped looking: its check of a server writes to a connection that has just ended, waits for a `drain` that never comes,
 * and no other check is begun. Rejects as `connect` does.
 */
export async function reconnect(client: Pick<MongoClient, 'close' | 'connect'>): Promise<void> {
  await client.close();
  await client.connect();
}
