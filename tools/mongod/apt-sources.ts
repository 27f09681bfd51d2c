import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';

/** One archive that apt knows, with the fields that decide whether its signature is believed. */
interface Archive {
  uris: string;
  suites: string[];
  components: string[];
  trust: string[];
}

/**
 * The distribution's own archives with the release's code name replaced, each as the text of a source file
 * for apt; the likeliest first. Reading apt's files works before any `apt-get update`, and keeps a mirror that
 * somebody has set.
 */
export async function sourcesFor(release: string, next: string, folder = '/etc/apt'): Promise<string[]> {
  const suites = [release, 'stable', 'oldstable'];
  const archives = (await readArchives(folder)).filter(
    ({ suites: offered, components, uris }) =>
      components.includes('main') &&
      !uris.startsWith('cdrom:') &&
      offered.some((name) => suites.includes(name)),
  );
  const rank = ({ uris }: Archive) => (/\/debian\/?$/.test(uris) ? 0 : 1);
  return archives
    .sort((a, b) => rank(a) - rank(b))
    .map(({ uris, trust }) =>
      // Only the package lists are wanted: what else apt is set to fetch would triple the download.
      [
        'Types: deb',
        `URIs: ${uris}`,
        `Suites: ${next}`,
        'Components: main',
        'Targets: Packages',
        ...trust,
        '',
      ].join('\n'),
    );
}

async function readArchives(folder: string): Promise<Archive[]> {
  const parts = path.join(folder, 'sources.list.d');
  const names = await readdir(parts).catch(() => []);
  const files = [path.join(folder, 'sources.list'), ...names.sort().map((name) => path.join(parts, name))];
  const archives: Archive[] = [];
  for (const file of files) {
    const text = await readFile(file, 'utf8').catch(() => '');
    if (file.endsWith('.list')) archives.push(...parseOneLine(text));
    if (file.endsWith('.sources')) archives.push(...parseDeb822(text));
  }
  return archives;
}

/** `deb [signed-by=/a trusted=yes] uri suite component...` */
function parseOneLine(text: string): Archive[] {
  return text.split('\n').flatMap((line) => {
    const match = /^\s*deb\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)\s+([^#]*)/.exec(line);
    if (!match) return [];
    const [, options = '', uris = '', suite = '', components = ''] = match;
    const trust = options.split(/\s+/).flatMap((option) => {
      const [name = '', value = ''] = option.split('=');
      return /^(signed-by|trusted|check-valid-until)$/i.test(name) ? [`${name}: ${value}`] : [];
    });
    return [{ uris, suites: [suite], components: components.split(/\s+/), trust }];
  });
}

/** Paragraphs of `Field: value`, where a value goes on in the lines that begin with a space. */
function parseDeb822(text: string): Archive[] {
  return text.split(/\n\s*\n/).flatMap((paragraph) => {
    const lines = paragraph.split('\n').filter((line) => !line.startsWith('#'));
    const fields = new Map<string, string>();
    for (const field of lines.join('\n').split(/\n(?=\S)/)) {
      const colon = field.indexOf(':');
      if (colon > 0) fields.set(field.slice(0, colon).trim().toLowerCase(), field.slice(colon + 1).trim());
    }
    const words = (name: string) => (fields.get(name) ?? '').split(/\s+/).filter(Boolean);
    if (!words('types').includes('deb') || fields.get('enabled')?.toLowerCase() === 'no') return [];
    const trust = ['signed-by', 'trusted', 'check-valid-until'].flatMap((name) => {
      const value = fields.get(name);
      return value === undefined ? [] : [`${name}: ${value}`];
    });
    return [
      { uris: words('uris').join(' '), suites: words('suites'), components: words('components'), trust },
    ];
  });
}
