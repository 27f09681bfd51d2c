import { type Fault, type Options, type Target } from './options.ts';
import { deleteQueue, hold, killAgain, leaveAway, raiseAlarm, type Scene } from './breaking.ts';
import { fillDisk } from './disk.ts';
import { type Part } from './part.ts';
import { type Stack } from './stack.ts';

/** What has to be seen of the fault, or the row has tested nothing. */
export type Evidence = 'redelivered' | 'refused' | 'heldBack' | 'degraded';

/** Beside these, every row has to have nothing lost, nothing doubled and no dead letter. */
export interface Bar {
  /** Longest time between two 202s. */
  gapMsMax?: number;
  /** Longest time from the part being back to the next 202. */
  backMsMax?: number;
  /** Every event has its 202. */
  failsNothing?: boolean;
}

export interface Row {
  name: string;
  target: Target;
  fault: Fault;
  bar: Bar;
  evidence?: Evidence;
  /** Breaks the parts; the load is running. */
  run(scene: Scene): Promise<void>;
  /** This part is started when the load has been running for `lateMs`. */
  late?: { part: LatePart; ms: number };
  payloadChars?: number;
}

export type LatePart = 'worker' | 'api' | 'broker' | 'database' | 'redis';

const anyPart = ({ stack }: Scene): Part[] => {
  const { broker, redis, database, apis, workers } = stack;
  return [broker, redis, database, ...apis, ...workers];
};
const oneOf = (pick: (stack: Stack) => Part[]) => (scene: Scene) => pick(scene.stack);

const seconds = (count: number) => count * 1000;
/** The bars, by the part that is broken. */
const bars = {
  worker: { gapMsMax: seconds(1) },
  api: { gapMsMax: seconds(1) },
  broker: { backMsMax: seconds(10) },
  database: { gapMsMax: seconds(1), failsNothing: true },
  redis: { gapMsMax: 300 },
} satisfies Record<LatePart, Bar>;

/** Every row, in the order of the table. */
export function createMatrix({ kills, quick }: Options): Row[] {
  const stopMs = seconds(quick ? 6 : 30);
  const lateMs = seconds(quick ? 3 : 30);
  const awayMs = seconds(quick ? 6 : 60);
  const alarmMs = seconds(quick ? 3 : 15);
  const killRow = (target: Target, evidence: Evidence, bar: Bar, parts: (scene: Scene) => Part[]): Row => ({
    ...{ name: `${target}: SIGKILL`, target, fault: 'kill', evidence, bar },
    run: (scene) => killAgain(scene, kills, () => parts(scene)),
  });
  const stopRow = (target: LatePart, evidence: Evidence, part: (stack: Stack) => Part, ms = stopMs): Row => ({
    ...{ name: `${target}: SIGSTOP for ${ms / 1000} s`, target, fault: 'stop', evidence, bar: bars[target] },
    run: (scene) => hold(scene, part(scene.stack), ms),
  });
  const lateRow = (part: LatePart, evidence: Evidence, bar: Bar = bars[part]): Row => ({
    ...{ name: `${part}: started last, ${lateMs / 1000} s late`, target: part, fault: 'late', evidence, bar },
    ...{ late: { part, ms: lateMs }, run: () => Promise.resolve() },
  });
  return [
    { name: 'nothing is broken', target: 'none', fault: 'none', bar: {}, run: () => Promise.resolve() },
    killRow(
      'worker',
      'redelivered',
      bars.worker,
      oneOf(({ workers }) => workers),
    ),
    killRow(
      'api',
      'refused',
      bars.api,
      oneOf(({ apis }) => apis),
    ),
    killRow(
      'broker',
      'refused',
      bars.broker,
      oneOf(({ broker }) => [broker]),
    ),
    killRow(
      'database',
      'heldBack',
      bars.database,
      oneOf(({ database }) => [database]),
    ),
    killRow(
      'redis',
      'degraded',
      bars.redis,
      oneOf(({ redis }) => [redis]),
    ),
    { ...killRow('any', 'refused', bars.broker, anyPart), name: 'any of these at random: SIGKILL' },
    stopRow('broker', 'refused', ({ broker }) => broker),
    stopRow('database', 'heldBack', ({ database }) => database),
    stopRow('redis', 'degraded', ({ redis }) => redis),
    // A broker gives up a connection after two to three heartbeats; only then is something redelivered.
    stopRow('worker', 'redelivered', ({ workers }) => workers[0]!, quick ? seconds(8) : stopMs),
    {
      ...{ name: `broker: disk alarm for ${alarmMs / 1000} s`, target: 'broker', fault: 'alarm' },
      ...{ evidence: 'refused', bar: bars.broker, run: (scene) => raiseAlarm(scene, alarmMs) },
    },
    {
      ...{ name: 'broker: queue deleted', target: 'broker', fault: 'delete', evidence: 'refused' },
      ...{ bar: bars.broker, run: (scene) => deleteQueue(scene, quick ? 2 : 10) },
    },
    {
      ...{ name: 'database: disk full', target: 'database', fault: 'full', evidence: 'heldBack' },
      ...{ bar: bars.database, run: fillDisk, payloadChars: 6000 },
    },
    {
      ...{ name: `database: away for ${awayMs / 1000} s`, target: 'database', fault: 'away' },
      ...{ evidence: 'heldBack', bar: bars.database },
      run: (scene) => leaveAway(scene, scene.stack.database, awayMs),
    },
    {
      ...{ name: '`npm start`: SIGKILL of everything', target: 'local', fault: 'kill' },
      ...{ evidence: 'refused', bar: {}, run: () => Promise.resolve() },
    },
    lateRow('worker', 'heldBack'),
    lateRow('api', 'refused', { backMsMax: seconds(1) }),
    lateRow('broker', 'refused'),
    lateRow('database', 'heldBack'),
    lateRow('redis', 'degraded'),
  ];
}

/** The rows that the options ask for. */
export function chooseRows(options: Options): Row[] {
  const { target, fault } = options;
  const rows = createMatrix(options).filter(
    (row) => (target === 'all' || row.target === target) && (fault === 'all' || row.fault === fault),
  );
  if (rows.length === 0) throw new Error(`there is no row for --target ${target} with --fault ${fault}`);
  return rows;
}
