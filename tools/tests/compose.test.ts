import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parse } from 'yaml';
import { root } from '../programs.ts';

interface ComposeService {
  profiles?: string[];
  user?: string;
  build?: unknown;
  ports?: string[];
  healthcheck?: unknown;
  depends_on?: Record<string, { condition: string; required?: boolean }>;
  environment?: Record<string, string>;
}

const { services } = parse(readFileSync(path.join(root, 'docker-compose.yml'), 'utf8'), { merge: true }) as {
  services: Record<string, ComposeService>;
};
const all = Object.entries(services);
const namesOf = (some: typeof all) => some.map(([name]) => name).sort();

describe('docker-compose.yml', () => {
  const inProfile = (profile: string) =>
    namesOf(all.filter(([, { profiles }]) => profiles?.includes(profile) ?? false));

  test('starts the default parts without a profile, and others only with theirs', () => {
    expect(namesOf(all.filter(([, { profiles }]) => profiles === undefined))).toEqual([
      'api',
      'consumer',
      'database',
      'rabbitmq',
      'redis',
    ]);
    expect(inProfile('mysql')).toEqual(['mysql']);
    expect(inProfile('kafka')).toEqual(['adminer', 'kafka', 'postgres']);
  });

  test('lets only the API listen to other machines', () => {
    const open = all.filter(([, { ports = [] }]) => ports.some((port) => !port.startsWith('127.0.0.1:')));
    expect(namesOf(open)).toEqual(['api']);
  });

  test('runs no image of others as root, and knows of every service whether it is healthy', () => {
    expect(namesOf(all.filter(([, { build, user }]) => build === undefined && user === undefined))).toEqual(
      [],
    );
    expect(namesOf(all.filter(([, { healthcheck }]) => healthcheck === undefined))).toEqual([]);
  });

  test.each(['api', 'consumer'])(
    'has %s wait for the parts of a profile only where they are there',
    (name) => {
      const { depends_on: parts = {}, environment = {} } = services[name]!;
      for (const part of ['kafka', 'mysql', 'postgres'])
        expect([part, parts[part]]).toEqual([part, { condition: 'service_healthy', required: false }]);
      expect(environment).toMatchObject({ QUEUE_URL: '${QUEUE_URL:-}', STORE_URL: '${STORE_URL:-}' });
    },
  );
});

describe('Dockerfile', () => {
  test('has the Node.js on which `npm run test:image` runs the tests', () => {
    const read = (file: string) => readFileSync(path.join(root, file), 'utf8');
    const versions = [...read('Dockerfile').matchAll(/^FROM node:(\d+)/gm)].map(([, version]) => version);
    const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
    expect(versions.length).toBeGreaterThan(0);
    for (const version of versions) expect(scripts['test:image']).toContain(`--package=node@${version} `);
  });
});

const makeIsMissing = spawnSync('make', ['--version']).error !== undefined;
if (makeIsMissing && process.env.CI) throw new Error('make is not installed, and the Makefile needs it.');
// A Makefile is run by make alone, which not every machine has; with CI set that is a failure, above.
const describeMakefile = makeIsMissing ? describe.skip : describe;

describeMakefile('Makefile', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'event-tracker-make-'));
    copyFileSync(path.join(root, 'Makefile'), path.join(folder, 'Makefile'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const make = (...words: string[]) =>
    execFileSync('make', ['--no-print-directory', ...words], {
      cwd: folder,
      encoding: 'utf8',
      stdio: 'pipe',
    });
  const settings = () =>
    Object.fromEntries(
      readFileSync(path.join(folder, '.env'), 'utf8')
        .trim()
        .split('\n')
        .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
    );
  const password = /^[\da-f]{48}$/;

  test('tells by itself what it can do, and does nothing', () => {
    const text = make();
    for (const target of ['deploy', 'up', 'down', 'clean', 'logs', 'ps', 'user-tracking-topic'])
      expect(text).toContain(`make ${target} `);
    expect(() => settings()).toThrow('ENOENT');
  });

  test.each([
    ['default', undefined, undefined, undefined],
    ['mysql', 'mysql', undefined, /^mysql:\/\/event_tracker:[\da-f]{48}@mysql:3306\/activity_db$/],
    [
      'kafka',
      'kafka',
      'kafka://kafka:9092',
      /^postgres:\/\/event_tracker:[\da-f]{48}@postgres:5432\/activity_db$/,
    ],
  ])('writes an .env for PARTS=%s that no other user may read', (parts, profile, queue, store) => {
    make('.env', `PARTS=${parts}`);
    const { COMPOSE_PROFILES, QUEUE_URL, STORE_URL, ...rest } = settings();
    expect([COMPOSE_PROFILES, QUEUE_URL]).toEqual([profile, queue]);
    if (store) expect(STORE_URL).toMatch(store);
    else expect(STORE_URL).toBeUndefined();
    expect(rest).toMatchObject({
      MONGO_PASSWORD: expect.stringMatching(password) as string,
      RABBITMQ_PASSWORD: expect.stringMatching(password) as string,
    });
    expect(statSync(path.join(folder, '.env')).mode & 0o777).toBe(0o600);
    const known = readFileSync(path.join(root, 'env.example'), 'utf8');
    for (const name of Object.keys(settings())) expect(known).toMatch(new RegExp(`^${name}=`, 'm'));
  });

  test('keeps the .env that is there, and says so to whoever asks for other parts', () => {
    writeFileSync(path.join(folder, '.env'), 'MONGO_PASSWORD=mine\n');
    expect(make('--dry-run', 'up')).not.toContain('.env');
    expect(() => make('--dry-run', 'up', 'PARTS=mysql')).toThrow('.env is there already');
    expect(settings()).toEqual({ MONGO_PASSWORD: 'mine' });
  });

  test('refuses parts that it does not know', () => {
    expect(() => make('.env', 'PARTS=oracle')).toThrow('PARTS is kafka, mysql or default, not oracle');
    expect(() => settings()).toThrow('ENOENT');
  });

  test('deploys from scratch: all data is removed before anything starts', () => {
    writeFileSync(path.join(folder, '.env'), '');
    const [clean, up, ...rest] = make('--dry-run', 'deploy').trim().split('\n');
    expect(clean).toMatch(/^docker compose --profile '\*' down .*--volumes/);
    expect(up).toMatch(/^docker compose up .*--build .*--wait/);
    expect(rest).toEqual([]);
    expect(make('--dry-run', 'down')).not.toContain('--volumes');
  });
});
