/** `down`: missing, and nothing works without it. `degraded`: missing, and the work goes on without it. */
export type CheckStatus = 'up' | 'down' | 'degraded';

export interface ReadinessReport {
  status: 'ready' | 'unavailable';
  checks: Record<string, CheckStatus>;
}

/** Resolves when a part can be reached now. */
export type Ping = () => Promise<unknown>;

export interface Readiness {
  /** Ready means that every required part is up. */
  report(): Promise<ReadinessReport>;
  /** From now on not ready, so that no more work is sent here. */
  stop(): void;
}

/** However often it is asked, the parts are asked once in this time. */
const REPORT_TTL_MS = 1000;
/** What has not answered by then is missing: probes wait a second as a rule. */
const PING_TIMEOUT_MS = 800;

export function createReadiness(required: Record<string, Ping>, optional: Record<string, Ping>): Readiness {
  let stopping = false;
  let checkedAt = -Infinity;
  let checks: Promise<Record<string, CheckStatus>> | undefined;

  async function checkAll(): Promise<Record<string, CheckStatus>> {
    const check = async ([name, ping]: [string, Ping], otherwise: CheckStatus) =>
      [name, (await answers(ping)) ? 'up' : otherwise] as const;
    const results = await Promise.all([
      ...Object.entries(required).map((entry) => check(entry, 'down')),
      ...Object.entries(optional).map((entry) => check(entry, 'degraded')),
    ]);
    return Object.fromEntries(results);
  }

  return {
    async report() {
      if (!checks || performance.now() - checkedAt > REPORT_TTL_MS) {
        checkedAt = performance.now();
        checks = checkAll();
      }
      const result = await checks;
      const ready = !stopping && !Object.values(result).includes('down');
      return { status: ready ? 'ready' : 'unavailable', checks: result };
    },
    stop() {
      stopping = true;
    },
  };
}

async function answers(ping: Ping): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const tooLate = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), PING_TIMEOUT_MS);
  });
  const answer = ping().then(
    () => true,
    () => false,
  );
  return Promise.race([answer, tooLate]).finally(() => clearTimeout(timer));
}
