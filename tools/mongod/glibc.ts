import { execFile } from 'node:child_process';
import { access, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { cacheFolder, onPath } from '../services/find.ts';
import { sourcesFor } from './apt-sources.ts';

const run = promisify(execFile);

/** What the embedded engine is linked against. */
const needed = '2.38';
/** Debian releases with an older glibc, and the release that has a newer one. */
const newerRelease: Record<string, string> = { bullseye: 'trixie', bookworm: 'trixie' };
const packages = ['libc6', 'libgcc-s1', 'libstdc++6'];
const libraries: Record<string, { folder: string; loader: string }> = {
  x64: { folder: 'x86_64-linux-gnu', loader: 'ld-linux-x86-64.so.2' },
  arm64: { folder: 'aarch64-linux-gnu', loader: 'ld-linux-aarch64.so.1' },
};

/** The version of the glibc that this process runs on; undefined with musl and on other systems. */
export function systemGlibc(): string | undefined {
  // Without this the report asks the name service about every open connection, which can take seconds.
  const settings = process.report as { excludeNetwork?: boolean };
  settings.excludeNetwork = true;
  const report = process.report.getReport() as { header?: { glibcVersionRuntime?: string } };
  return report.header?.glibcVersionRuntime;
}

/**
 * The words that start Node on a glibc new enough for the embedded engine: Node itself where the system's is,
 * otherwise Node under the loader of the next Debian release, kept in the user's cache folder. A folder
 * is in the cache only after Node has run on it, and several starts at once do not disturb each other.
 */
export async function nodeUnderNewerGlibc(otherwise: string): Promise<[string, ...string[]]> {
  const version = systemGlibc();
  const parts = libraries[process.arch];
  if (version === undefined || parts === undefined || isAtLeast(version, needed)) return [process.execPath];

  const release = await codeName();
  const next = newerRelease[release];
  const problem = `the embedded MongoDB engine needs glibc ${needed} and this system has ${version}`;
  if (next === undefined || onPath('apt-get') === undefined || onPath('dpkg') === undefined) {
    throw new Error(`${problem}: use a newer release of the system, ${otherwise}.`);
  }
  const folder = path.join(cacheFolder(), `glibc-${next}-${process.arch}`);
  const words = (at: string): [string, ...string[]] => [
    path.join(at, parts.loader),
    '--library-path',
    at,
    process.execPath,
  ];
  if (!(await exists(folder))) {
    await mkdir(path.dirname(folder), { recursive: true }).catch((error: unknown) => {
      throw new Error(
        `${problem}, and the cache folder for a newer one cannot be made (${lastLine(error)}): set XDG_CACHE_HOME to a folder of yours, ${otherwise}.`,
      );
    });
    try {
      await prepare(folder, release, next, parts.folder, words);
    } catch (error) {
      throw new Error(
        `${problem}; taking it from Debian ${next} with apt-get failed (${lastLine(error)}): connect to the package mirror and try again, ${otherwise}.`,
        { cause: error },
      );
    }
  }
  return words(folder);
}

/** Everything happens in a folder of its own; the rename at the end is what makes it the cache. */
async function prepare(
  folder: string,
  release: string,
  next: string,
  libraryFolder: string,
  words: (at: string) => [string, ...string[]],
): Promise<void> {
  process.stderr.write(
    `Preparing the MongoDB engine: fetching a newer glibc (Debian ${next}, 14 MB of downloads) ...\n`,
  );
  const work = await mkdtemp(`${folder}-`);
  try {
    await download(work, await sourcesFor(release, next));
    const unpacked = path.join(work, 'unpacked', 'usr', 'lib', libraryFolder);
    const [loader, ...args] = words(unpacked);
    const script =
      'process.report.excludeNetwork = true; process.report.getReport().header.glibcVersionRuntime';
    const { stdout } = await run(loader, [...args, '-p', script]);
    if (!isAtLeast(stdout.trim(), needed)) throw new Error(`Debian ${next} brought glibc ${stdout.trim()}`);
    await rename(unpacked, folder).catch(async (error: unknown) => {
      // Another start was first; its folder has passed the same check.
      if (!(await exists(folder))) throw error;
    });
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** apt verifies what it downloads against the archive's signature; nothing of the system's apt is touched. */
async function download(work: string, sources: string[]): Promise<void> {
  let failure: unknown = new Error('no Debian archive in /etc/apt');
  for (const [index, source] of sources.entries()) {
    try {
      const at = path.join(work, `apt-${String(index)}`);
      await mkdir(path.join(at, 'lists', 'partial'), { recursive: true });
      await mkdir(path.join(at, 'archives', 'partial'), { recursive: true });
      await writeFile(path.join(at, 'next.sources'), source);
      const options = [
        `Dir::State=${at}`,
        `Dir::Cache=${at}`,
        `Dir::Etc::sourcelist=${at}/next.sources`,
        'Dir::Etc::sourceparts=-',
        'Dir::Etc::preferences=-',
        'Dir::Etc::preferencesparts=-',
        'APT::Default-Release=',
        'APT::Sandbox::User=root',
        'APT::Update::Error-Mode=any',
        'Acquire::Languages=none',
        'Acquire::Retries=1',
        'Acquire::http::Timeout=15',
        'Acquire::https::Timeout=15',
      ].flatMap((option) => ['-o', option]);
      const settings = { cwd: at, env: { ...process.env, LC_ALL: 'C' } };
      await run('apt-get', ['-qq', ...options, 'update'], settings);
      await run('apt-get', ['-qq', ...options, 'download', ...packages], settings);
      await run('sh', ['-c', 'for file in *.deb; do dpkg -x "$file" ../unpacked || exit 1; done'], settings);
      return;
    } catch (error) {
      failure = error;
    }
  }
  throw failure;
}

async function codeName(): Promise<string> {
  const release = await readFile('/etc/os-release', 'utf8').catch(() => '');
  return /^VERSION_CODENAME="?(\w+)/m.exec(release)?.[1] ?? '';
}

function isAtLeast(version: string, minimum: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [minimumMajor = 0, minimumMinor = 0] = minimum.split('.').map(Number);
  return major > minimumMajor || (major === minimumMajor && minor >= minimumMinor);
}

async function exists(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  );
}

/** The line of a failed command that says the most: apt's errors begin with E: or W:. */
function lastLine(error: unknown): string {
  const { stderr = '', message } = error as { stderr?: string; message: string };
  const lines = (stderr || message).trim().split('\n');
  return (lines.find((line) => /^[EW]: /.test(line)) ?? lines.at(-1) ?? '').trim();
}
