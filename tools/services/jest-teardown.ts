import { running } from './in-tests.ts';

/** Ends what jest-setup.ts has started; after a run that was killed, guard.sh does. */
export default async function teardown(): Promise<void> {
  await running.stop?.();
}
