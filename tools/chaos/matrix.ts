import { type Fault, type Options, type Target } from './options.ts';
import { deleteQueue, hold, killAgain, leaveAway, raiseAlarm, type Scene } from './breaking.ts';
import { fillDisk } from './disk.ts';
import { type BrokerName, defaultPair, type Pair, type StoreName } from '../pairs.ts';
import { type Part } from './part.ts';
import { type Stack } from './stack.ts';

/** What has to be seen of the fault, or the row has tested nothing. */
export type Evidence = 'redelivered' | 'refused' | 'heldBack' | 'degraded' | 'anything';

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
  /** Can be run on these alone. */
  only?: { broker?: BrokerName; store?: StoreName };
}

export type LatePart = 'worker' | 'api' | 'broker' | 'database' | 'redis';

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
export function createMatrix(options: Options): Row[] {
  const nothing: Row = { name: 'nothing is broken', target: 'none', fault: 'none', bar: {}, run: idle };
  return [nothing, ...killRows(options), ...stopRows(options), ...otherRows(options), ...lateRows(options)];
}

const idle = () => Promise.resolve();

function killRows({ kills }: Options): Row[] {
  const row = (target: Target, evidence: Evidence, bar: Bar, parts: (stack: Stack) => Part[]): Row => ({
    ...{ name: `${target}: SIGKILL`, target, fault: 'kill', evidence, bar },
    run: (scene) => killAgain(scene, kills, () => parts(scene.stack)),
  });
  return [
    row('worker', 'redelivered', bars.worker, ({ workers }) => workers),
    row('api', 'refused', bars.api, ({ apis }) => apis),
    row('broker', 'refused', bars.broker, ({ broker }) => [broker]),
    row('database', 'heldBack', bars.database, ({ database }) => [database]),
    row('redis', 'degraded', bars.redis, ({ redis }) => [redis]),
    { ...row('any', 'anything', bars.broker, allParts), name: 'any of these at random: SIGKILL' },
    {
      ...{ name: '`npm start`: SIGKILL of everything', target: 'local', fault: 'kill' },
      ...{ evidence: 'refused', bar: {}, run: idle, only: defaultPair },
    },
  ];
}

function allParts({ broker, redis, database, apis, workers }: Stack): Part[] {
  return [broker, redis, database, ...apis, ...workers];
}

function stopRows({ quick }: Options): Row[] {
  const row = (target: LatePart, evidence: Evidence, part: (stack: Stack) => Part, quickS = 4): Row => {
    const stoppedS = quick ? quickS : 30;
    return {
      ...{ name: `${target}: SIGSTOP for ${stoppedS} s`, target, fault: 'stop', evidence, bar: bars[target] },
      run: (scene) => hold(scene, part(scene.stack), seconds(stoppedS)),
    };
  };
  return [
    row('broker', 'refused', ({ broker }) => broker),
    row('database', 'heldBack', ({ database }) => database),
    row('redis', 'degraded', ({ redis }) => redis),
    // A broker gives up a connection after two to three heartbeats; only then is something redelivered.
    row('worker', 'redelivered', ({ workers }) => workers[0]!, 8),
  ];
}

function otherRows({ quick }: Options): Row[] {
  const alarmS = quick ? 2 : 15;
  const awayS = quick ? 4 : 60;
  return [
    {
      ...{ name: `broker: disk alarm for ${alarmS} s`, target: 'broker', fault: 'alarm' },
      ...{ evidence: 'refused', bar: bars.broker },
      ...{ only: { broker: 'rabbitmq' }, run: (scene) => raiseAlarm(scene, seconds(alarmS)) },
    },
    {
      ...{ name: 'broker: queue deleted', target: 'broker', fault: 'delete', evidence: 'refused' },
      ...{ bar: bars.broker, only: { broker: 'rabbitmq' } },
      run: (scene) => deleteQueue(scene, quick ? 1 : 10),
    },
    {
      ...{ name: 'database: disk full', target: 'database', fault: 'full', evidence: 'heldBack' },
      ...{ bar: bars.database, run: fillDisk, payloadChars: 6000, only: { store: 'mongodb' } },
    },
    {
      ...{ name: `database: away for ${awayS} s`, target: 'database', fault: 'away' },
      ...{ evidence: 'heldBack', bar: bars.database },
      run: (scene) => leaveAway(scene, scene.stack.database, seconds(awayS)),
    },
  ];
}

function lateRows({ quick }: Options): Row[] {
  const lateS = quick ? 2 : 30;
  const row = (part: LatePart, evidence: Evidence, bar: Bar = bars[part]): Row => ({
    ...{ name: `${part}: started last, ${lateS} s late`, target: part, fault: 'late', evidence, bar },
    ...{ late: { part, ms: seconds(lateS) }, run: idle },
  });
  return [
    row('worker', 'heldBack'),
    row('api', 'refused', { backMsMax: seconds(1) }),
    row('broker', 'refused'),
    row('database', 'heldBack'),
    row('redis', 'degraded'),
  ];
}

/** The rows that the options ask for and that this pair can run. */
export function chooseRows(options: Options, pair: Pair): Row[] {
  const { targets, faults, quick } = options;
  const isDefault = pair.name === defaultPair.name;
  const isShort = quick && !isDefault;
  return createMatrix(isShort ? { ...options, kills: SHORT_KILLS } : options)
    .filter(({ target, fault }) => targets.includes(target) && faults.includes(fault))
    .filter(({ only }) => [undefined, pair.broker].includes(only?.broker))
    .filter(({ only }) => [undefined, pair.store].includes(only?.store))
    .filter(({ target, fault }) => !isShort || (fault === 'kill' && shortTargets.has(target)))
    .map((row) => (quick || !isDefault ? { ...row, bar: untimed(row.bar) } : row));
}

/** What the short matrix kills of the pairs beside the usual one, and how often: half a minute for each pair. */
const shortTargets = new Set<Target>(['worker', 'broker', 'database']);
const SHORT_KILLS = 1;

/**
 * The short matrix runs beside whatever else a machine does, and some brokers take their time to come back: times are
 * shown, and what is judged is what became of the events.
 */
function untimed({ failsNothing = false }: Bar): Bar {
  return { failsNothing };
}
