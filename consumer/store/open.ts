import { ConfigurationError } from '@event-tracker/shared/errors';
import { createSqlStore } from './sql.ts';
import { type Store, type StoreOptions } from './store.ts';

/**
 * Opens the store that the scheme of `url` names; a driver's library is loaded only when it is used. Connects on
 * its own when it can: a database that is away is no error here. Rejects with ConfigurationError for a URL that no
 * retry can make right.
 */
export async function openStore(url: string, options: StoreOptions): Promise<Store> {
  const scheme = url.slice(0, url.indexOf(':'));
  switch (scheme) {
    case 'mongodb':
    case 'mongodb+srv':
      return (await import('./mongodb.ts')).createMongodbStore(url, options);
    case 'postgres':
    case 'postgresql':
      return createSqlStore((await import('./postgres.ts')).postgres, url, options);
    case 'mysql':
      return createSqlStore((await import('./mysql.ts')).mysql, url, options);
    default:
      throw new ConfigurationError(`STORE_URL: no store driver for ${scheme}://`);
  }
}
